import { parseTmpfs } from '../cli/create/volume-spec.ts';
import type { Draft } from './draft.ts';
import type { Field } from './field.ts';
import { isPath, pathOf, type ReadContext, type SharedFile } from './surroundings.ts';

/** Name of a volume in the engine. */
function volumeName(field: Field, key: string, { volumes }: ReadContext): string | undefined {
  return volumes.get(key)?.name ?? field.fail(`there is no volume ${key} among the volumes of the file`);
}

export function readVolumes(field: Field, draft: Draft, context: ReadContext): void {
  for (const item of field.items()) {
    if (item.isMap) readLong(item, draft, context);
    else readShort(item, draft, context);
  }
}

function readShort(field: Field, draft: Draft, context: ReadContext): void {
  const [source = '', target, mode, ...rest] = (field.text() ?? '').split(':');
  if (rest.length > 0 || source === '' || target === '') return field.fail('not [SOURCE:]TARGET[:MODE]');
  if (target === undefined) {
    draft.anonymous[source] = {};
    return undefined;
  }
  if (!target.startsWith('/')) return field.fail(`${target} is no absolute path in the container`);
  const from = isPath(source) ? pathOf(field, source, context.surroundings.folder) : volumeName(field, source, context);
  if (from !== undefined) draft.binds.push(`${from}:${target}${mode === undefined ? '' : `:${mode}`}`);
  return undefined;
}

function readLong(field: Field, draft: Draft, context: ReadContext): void {
  field.only('type', 'source', 'target', 'read_only', 'consistency', 'bind', 'volume', 'tmpfs');
  const type = field.get('type')?.text();
  const source = field.get('source')?.text();
  const Target = field.get('target')?.text() ?? field.fail('names no target');
  const ReadOnly = field.get('read_only')?.flag() ?? false;
  if (Target === undefined) return undefined;
  if (type === 'bind') {
    const options = field.get('bind')?.only('propagation', 'create_host_path', 'selinux', 'recursive');
    const from = pathOf(field, source ?? field.fail('names no source') ?? '/', context.surroundings.folder);
    const Propagation = options?.get('propagation')?.text();
    if (options?.get('create_host_path')?.flag() === false) draft.mounts.push({ Type: 'bind', Source: from, Target, ReadOnly, BindOptions: { Propagation } });
    else draft.binds.push([from, Target, [...(ReadOnly ? ['ro'] : ['rw']), ...(Propagation === undefined ? [] : [Propagation])].join(',')].join(':'));
  } else if (type === 'volume') {
    const options = field.get('volume')?.only('nocopy', 'subpath', 'labels');
    const from = source === undefined ? undefined : volumeName(field, source, context);
    draft.mounts.push({ Type: 'volume', Source: from, Target, ReadOnly, VolumeOptions: { NoCopy: options?.get('nocopy')?.flag() ?? false, Subpath: options?.get('subpath')?.text(), Labels: options?.get('labels')?.labels() } });
  } else if (type === 'tmpfs') {
    const options = field.get('tmpfs')?.only('size', 'mode');
    const mode = options?.get('mode')?.text();
    if (mode !== undefined && !/^0?o?[0-7]{3,4}$/.test(mode)) options?.get('mode')?.fail('no mode such as 1777');
    draft.mounts.push({ Type: 'tmpfs', Target, ReadOnly, TmpfsOptions: { SizeBytes: options?.get('size')?.bytes() ?? 0, Mode: mode === undefined ? 0 : Number.parseInt(mode.replace('o', ''), 8) } });
  } else return field.fail(`mounts of the type ${type ?? '(none)'} are not supported: bind, volume or tmpfs`);
  return undefined;
}

export function readTmpfs(field: Field, draft: Draft): void {
  draft.host['Tmpfs'] = parseTmpfs(field.texts());
}

/** Configs and secrets of a service, each at its path, for reading alone. */
export function readSharedFiles(field: Field, draft: Draft, kind: 'config' | 'secret', known: ReadonlyMap<string, SharedFile>): void {
  const folder = kind === 'secret' ? '/run/secrets/' : '/';
  for (const item of field.items()) {
    if (item.isMap) item.only('source', 'target', 'uid', 'gid', 'mode');
    const name = (item.isMap ? item.get('source') : item)?.text();
    const file = name === undefined ? undefined : known.get(name);
    if (name === undefined || file === undefined) {
      item.fail(`there is no ${kind} ${name ?? ''} in the file`);
      continue;
    }
    for (const key of ['uid', 'gid', 'mode']) item.get(key)?.warn('left out: the file keeps its owner and mode');
    const target = item.get('target')?.text() ?? name;
    draft.mounts.push({ Type: 'bind', Source: file.path, Target: target.startsWith('/') ? target : folder + target, ReadOnly: true });
    draft.contents.push(file.hash);
  }
}
