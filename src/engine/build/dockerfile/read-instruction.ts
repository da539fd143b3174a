import { parseGoDuration } from '../../format/index.ts';
import { dockerfileError } from './dockerfile-error.ts';
import { readFlags, type InstructionFlags } from './flags.ts';
import { parseHeredocWord, type Heredoc } from './heredoc.ts';
import type { CommandForm, HealthcheckOptions, InstructionBody } from './instructions.ts';
import { jsonList, splitWords } from './words.ts';

export const INSTRUCTIONS = [
  'ADD', 'ARG', 'CMD', 'COPY', 'ENTRYPOINT', 'ENV', 'EXPOSE', 'FROM', 'HEALTHCHECK', 'LABEL', 'MAINTAINER', 'ONBUILD', 'RUN', 'SHELL', 'STOPSIGNAL', 'USER', 'VOLUME', 'WORKDIR',
] as const;

export interface ReadContext {
  line: number;
  escape: string;
  heredocs: Heredoc[];
}

/** The arguments of one instruction. Throws 'invalid'. */
export function readInstruction(keyword: (typeof INSTRUCTIONS)[number], rest: string, context: ReadContext): InstructionBody {
  const { line, escape } = context;
  const flags = (...known: string[]): InstructionFlags => readFlags(keyword, rest, line, known, ['mount', 'exclude']);
  if (rest.trim() === '') throw dockerfileError(line, `${keyword} requires at least one argument`);
  switch (keyword) {
    case 'FROM':
      return readFrom(flags('platform'), line);
    case 'ARG':
      return { kind: 'arg', args: splitWords(rest, escape).map((word) => readArg(word, line)) };
    case 'ENV':
    case 'LABEL':
      return { kind: keyword === 'ENV' ? 'env' : 'label', pairs: readPairs(keyword, rest, context) };
    case 'RUN': {
      const given = flags('mount', 'network', 'security');
      if (given.text('security') === 'insecure') throw dockerfileError(line, 'RUN --security=insecure is not allowed here');
      const network = given.text('network');
      if (!['', 'default', 'none', 'host'].includes(network)) throw dockerfileError(line, `invalid network mode ${JSON.stringify(network)}`, 'default, none and host are known');
      if (given.rest.trim() === '') throw dockerfileError(line, 'RUN requires at least one argument');
      return { kind: 'run', command: commandForm(given.rest), mounts: given.all('mount'), network, heredocs: context.heredocs };
    }
    case 'CMD':
    case 'ENTRYPOINT':
      return { kind: keyword === 'CMD' ? 'cmd' : 'entrypoint', command: commandForm(rest) };
    case 'SHELL': {
      const argv = jsonList(rest);
      if (argv === undefined || argv.length === 0) throw dockerfileError(line, 'SHELL requires the arguments to be in JSON form', 'SHELL ["/bin/bash", "-c"]');
      return { kind: 'shell', argv };
    }
    case 'COPY':
      return readCopy('copy', flags('from', 'chown', 'chmod', 'link', 'parents', 'exclude'), context);
    case 'ADD':
      return readCopy('add', flags('chown', 'chmod', 'link', 'keep-git-dir', 'checksum', 'unpack', 'exclude'), context);
    case 'WORKDIR':
      return { kind: 'workdir', value: rest.trim() };
    case 'USER':
    case 'STOPSIGNAL':
    case 'MAINTAINER':
      return { kind: ({ USER: 'user', STOPSIGNAL: 'stopsignal', MAINTAINER: 'maintainer' } as const)[keyword], value: rest.trim() };
    case 'EXPOSE':
      return { kind: 'expose', values: splitWords(rest, escape) };
    case 'VOLUME': {
      const values = jsonList(rest) ?? splitWords(rest, escape);
      if (values.length === 0 || values.some((value) => value.trim() === '')) throw dockerfileError(line, 'VOLUME specified can not be an empty string');
      return { kind: 'volume', values };
    }
    case 'HEALTHCHECK':
      return readHealthcheck(flags('interval', 'timeout', 'start-period', 'start-interval', 'retries'), line);
    case 'ONBUILD': {
      const trigger = rest.trim();
      const word = /^\S+/.exec(trigger)?.[0].toUpperCase() ?? '';
      if (['ONBUILD', 'FROM', 'MAINTAINER'].includes(word)) throw dockerfileError(line, `${word === 'ONBUILD' ? "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed" : `${word} isn't allowed as an ONBUILD trigger`}`);
      const documents = context.heredocs.map(({ name, content }) => `\n${content}${name}`);
      return { kind: 'onbuild', trigger: `${trigger}${documents.join('')}` };
    }
  }
}

export function commandForm(text: string): CommandForm {
  const argv = jsonList(text);
  return argv === undefined ? { form: 'shell', text: text.trim() } : { form: 'exec', argv };
}

function readFrom(flags: InstructionFlags, line: number): InstructionBody {
  const [image = '', as, stage, ...more] = splitWords(flags.rest, '');
  if (image === '' || more.length > 0 || (as !== undefined && (as.toLowerCase() !== 'as' || stage === undefined))) {
    throw dockerfileError(line, 'FROM requires either one or three arguments', 'FROM image, or FROM image AS stage');
  }
  return { kind: 'from', image, platform: flags.text('platform'), stage: (stage ?? '').toLowerCase() };
}

function readArg(word: string, line: number): { name: string; value: string | undefined } {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word : word.slice(0, equals);
  if (name === '') throw dockerfileError(line, 'ARG names can not be blank');
  return { name, value: equals < 0 ? undefined : word.slice(equals + 1) };
}

/** `name=value …`, or the old form `name everything else`. */
function readPairs(keyword: string, rest: string, { line, escape }: ReadContext): [string, string][] {
  const words = splitWords(rest, escape);
  if (!(words[0] ?? '').includes('=')) {
    const match = /^(\S+)\s+([^]+)$/.exec(rest.trim());
    if (match === null) throw dockerfileError(line, `${keyword} must have two arguments`, `${keyword} name=value`);
    return [[match[1] ?? '', match[2] ?? '']];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) throw dockerfileError(line, `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
    if (equals === 0) throw dockerfileError(line, `${keyword} names can not be blank`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

function readCopy(kind: 'copy' | 'add', flags: InstructionFlags, { line, escape, heredocs }: ReadContext): InstructionBody {
  const words = jsonList(flags.rest) ?? splitWords(flags.rest, escape);
  const destination = words.at(-1);
  const sources = words.slice(0, -1).filter((word) => heredocs.length === 0 || parseHeredocWord(word) === undefined);
  if (destination === undefined || words.length < 2) throw dockerfileError(line, `${kind.toUpperCase()} requires at least two arguments, but only ${words.length} ${words.length === 1 ? 'was' : 'were'} provided. Destination could not be determined`);
  if (parseHeredocWord(destination) !== undefined && heredocs.length > 0) throw dockerfileError(line, `${kind.toUpperCase()} cannot accept a heredoc as a destination`);
  flags.flag('link');
  return {
    kind, sources, destination, heredocs,
    options: {
      from: flags.text('from'), chown: flags.text('chown'), chmod: flags.text('chmod'), parents: flags.flag('parents') ?? false,
      exclude: flags.all('exclude'), checksum: flags.text('checksum'), unpack: flags.flag('unpack'), keepGitFolder: kind === 'add' && (flags.flag('keep-git-dir') ?? false),
    },
  };
}

function readHealthcheck(flags: InstructionFlags, line: number): InstructionBody {
  const duration = (name: string): number => {
    const text = flags.text(name);
    const value = text === '' ? 0 : parseGoDuration(text);
    if (value === null) throw dockerfileError(line, `invalid duration ${JSON.stringify(text)} of --${name}`, 'such as 30s or 1m30s');
    if (value !== 0 && value < 1e6) throw dockerfileError(line, `Interval ${JSON.stringify(name)} cannot be less than 1ms`);
    return value;
  };
  const options: HealthcheckOptions = {
    interval: duration('interval'), timeout: duration('timeout'), startPeriod: duration('start-period'), startInterval: duration('start-interval'), retries: 0,
  };
  const retries = flags.text('retries');
  if (retries !== '') {
    if (!/^\d{1,9}$/.test(retries)) throw dockerfileError(line, `--retries cannot be ${JSON.stringify(retries)}`);
    options.retries = Number(retries);
  }
  const match = /^(\S+)(?:\s+([^]*))?$/.exec(flags.rest.trim());
  const type = match?.[1]?.toUpperCase();
  const command = match?.[2]?.trim() ?? '';
  if (type === 'NONE') {
    if (command !== '') throw dockerfileError(line, 'HEALTHCHECK NONE takes no arguments');
    return { kind: 'healthcheck', command: undefined, options };
  }
  if (type !== 'CMD') throw dockerfileError(line, `Unknown type ${JSON.stringify(match?.[1] ?? '')} in HEALTHCHECK (try CMD)`);
  if (command === '') throw dockerfileError(line, 'Missing command after HEALTHCHECK CMD');
  return { kind: 'healthcheck', command: commandForm(command), options };
}
