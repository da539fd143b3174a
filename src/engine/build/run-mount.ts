import { nearestWord } from '../cli/nearest.ts';
import { dockerfileError } from './dockerfile/index.ts';

export interface RunMount {
  type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
  target: string;
  /** Stage or image; '' for the context. */
  from: string;
  source: string;
  readOnly: boolean;
  id: string;
  sharing: 'shared' | 'private' | 'locked';
  uid: number;
  gid: number;
  mode: number | undefined;
  /** 0 for no limit. */
  sizeBytes: number;
  required: boolean;
  /** Name of a variable that a secret goes into; '' for a file. */
  env: string;
}

const TYPES = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
/** Where programs find the agent unless told otherwise, as BuildKit has it. */
const AGENT_SOCKET = '/run/buildkit/ssh_agent.0';
const KEYS = ['type', 'target', 'dst', 'destination', 'source', 'src', 'from', 'readonly', 'ro', 'rw', 'readwrite', 'id', 'sharing', 'uid', 'gid', 'mode', 'size', 'required', 'env'];
const FLAGS = ['readonly', 'ro', 'rw', 'readwrite', 'required'];
const UNITS: Record<string, number> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** `type=cache,target=/root/.cache`. Throws 'invalid'. */
export function parseRunMount(text: string, line: number): RunMount {
  const given = new Map<string, string>();
  for (const part of text.replaceAll(/["']/g, '').split(',')) {
    const equals = part.indexOf('=');
    const key = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
    if (!KEYS.includes(key)) {
      const near = nearestWord(key, KEYS);
      throw dockerfileError(line, `unexpected key '${key}' in '${part}'`, near === null ? `keys of --mount are ${KEYS.join(', ')}` : `did you mean ${near}?`);
    }
    if (equals < 0 && !FLAGS.includes(key)) throw dockerfileError(line, `invalid field '${part}' must be a key=value pair`);
    given.set(key, equals < 0 ? 'true' : part.slice(equals + 1));
  }
  const text0 = (...keys: string[]): string => keys.map((key) => given.get(key)).find((value) => value !== undefined) ?? '';
  const flag = (...keys: string[]): boolean => ['true', '1'].includes(text0(...keys));
  const number = (key: string, radix: number): number | undefined => {
    const value = given.get(key);
    if (value === undefined) return undefined;
    if (!(radix === 8 ? /^0?[0-7]{1,4}$/ : /^\d{1,10}$/).test(value)) throw dockerfileError(line, `invalid value ${JSON.stringify(value)} for ${key}`);
    return Number.parseInt(value, radix);
  };
  const wanted = text0('type') || 'bind';
  const type = TYPES.find((candidate) => candidate === wanted);
  if (type === undefined) throw dockerfileError(line, `unsupported mount type ${JSON.stringify(wanted)}`, `${TYPES.join(', ')} are known`);
  const source = text0('source', 'src');
  const target = text0('target', 'dst', 'destination');
  const id = text0('id');
  if (target === '' && type !== 'secret' && type !== 'ssh') throw dockerfileError(line, `--mount=type=${type} needs a target`);
  const sharing = (['shared', 'private', 'locked'] as const).find((mode) => mode === (text0('sharing') || 'shared'));
  if (sharing === undefined) throw dockerfileError(line, `unsupported sharing value ${JSON.stringify(text0('sharing'))}`);
  const secret = id || source || target.split('/').at(-1) || '';
  if (type === 'secret' && secret === '') throw dockerfileError(line, '--mount=type=secret needs an id or a target');
  const size = /^(\d{1,15})([bkmg]?)b?$/.exec(text0('size').toLowerCase() || '0');
  if (size === null) throw dockerfileError(line, `invalid value ${JSON.stringify(text0('size'))} for size`);
  const env = text0('env');
  return {
    type, from: text0('from'), source, env,
    target: target !== '' ? target : type === 'ssh' ? AGENT_SOCKET : env === '' ? `/run/secrets/${secret}` : '',
    readOnly: type === 'bind' ? !flag('rw', 'readwrite') : flag('readonly', 'ro'),
    id: type === 'secret' ? secret : id || (type === 'ssh' ? 'default' : target),
    sharing,
    uid: number('uid', 10) ?? 0,
    gid: number('gid', 10) ?? 0,
    mode: number('mode', 8),
    sizeBytes: Number(size[1]) * (UNITS[size[2] ?? ''] ?? 1),
    required: flag('required'),
  };
}
