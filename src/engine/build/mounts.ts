import { text } from 'host:bytes';
import { sha256 } from 'host:crypto';
import { dockerfileError } from './dockerfile/index.ts';
import { cleanPath } from '../containers/mount-plan.ts';
import { systemErrorCode } from '../error.ts';
import type { Files, Root } from '../ports/index.ts';
import { digestTree, type Pace } from './file-tree.ts';
import type { RunMount } from './run-mount.ts';
import type { Workshop } from './workshop.ts';

/** Files that a mount can be taken from. */
export interface MountSource {
  root: Root;
  /** Of the root on this machine. */
  path: string;
  /** What stands for the content in cache keys; '' to hash what is mounted. */
  identity: string;
}

export interface MountContext {
  files: Files;
  workshop: Workshop;
  cacheFolder: string;
  secrets: ReadonlyMap<string, Uint8Array>;
  /** The context for ''. */
  source(from: string): Promise<MountSource>;
  workingDir: string;
  line: number;
  pace: Pace;
  /** Random digits for names of files. */
  fresh(): string;
}

export interface PreparedMounts {
  mounts: object[];
  tmpfs: Record<string, string>;
  env: string[];
  points: string[];
  /** For the cache key: everything that the command can see through them, but caches and secrets. */
  fingerprint: string[];
  /** Names of caches that one command at a time may have. */
  locks: string[];
}

export async function prepareMounts(context: MountContext, wanted: readonly RunMount[]): Promise<PreparedMounts> {
  const prepared: PreparedMounts = { mounts: [], tmpfs: {}, env: [], points: [], fingerprint: [], locks: [] };
  for (const mount of wanted) {
    const target = mount.target === '' ? '' : cleanPath(mount.target.startsWith('/') ? mount.target : `${context.workingDir}/${mount.target}`);
    if (target === '/') throw dockerfileError(context.line, 'a mount cannot have the root as its target');
    if (mount.type === 'secret') await addSecret(context, mount, target, prepared);
    else if (mount.type === 'tmpfs') prepared.tmpfs[target] = `exec${mount.sizeBytes > 0 ? `,size=${mount.sizeBytes}` : ''}`;
    else if (mount.type === 'cache') addCache(context, mount, target, prepared);
    else await addBind(context, mount, target, prepared);
    if (target !== '') prepared.points.push(target);
    prepared.fingerprint.push(JSON.stringify([mount.type, target, mount.source, mount.id, mount.readOnly]));
  }
  return prepared;
}

async function addBind(context: MountContext, mount: RunMount, target: string, prepared: PreparedMounts): Promise<void> {
  const { files, line, workshop, pace } = context;
  const { root, path, identity } = await context.source(mount.from);
  let inside: string;
  try {
    inside = root.resolve(cleanPath(`/${mount.source}`));
    root.stat(inside);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    throw dockerfileError(line, `--mount: there is no ${mount.source} in ${mount.from === '' ? 'the build context' : mount.from}`);
  }
  prepared.fingerprint.push(identity === '' ? await digestTree(files, root, inside, undefined, false, pace) : identity);
  let source = inside === '/' ? path : `${path}${inside}`;
  if (!mount.readOnly && root.stat(inside).type === 'directory') {
    // What is written into it is for this command alone.
    const copy = `${workshop.folder}/mount-${context.fresh()}`;
    files.mkdirs(copy, 0o755);
    await files.copyTree(source, copy);
    source = copy;
  }
  prepared.mounts.push({ Type: 'bind', Source: source, Target: target, ReadOnly: mount.readOnly });
}

function addCache(context: MountContext, mount: RunMount, target: string, prepared: PreparedMounts): void {
  if (mount.from !== '') throw dockerfileError(context.line, '--mount=type=cache with from= is not supported: fill the cache with the command');
  const { files, cacheFolder } = context;
  const folder = `${cacheFolder}/${sha256(mount.id).slice(0, 32)}`;
  if (!files.exists(folder)) {
    files.mkdirs(folder, 0o755);
    files.chown(folder, mount.uid, mount.gid);
    files.chmod(folder, mount.mode ?? 0o755);
  }
  if (mount.sharing !== 'shared') prepared.locks.push(mount.id);
  prepared.mounts.push({ Type: 'bind', Source: folder, Target: target, ReadOnly: mount.readOnly });
}

async function addSecret(context: MountContext, mount: RunMount, target: string, prepared: PreparedMounts): Promise<void> {
  const { files, secrets, workshop, line } = context;
  const value = secrets.get(mount.id);
  if (value === undefined) {
    if (mount.required) throw dockerfileError(line, `secret ${mount.id} is required and was not given`, 'minke build --secret id=… gives it; the classic API of the docker CLI cannot');
    return;
  }
  if (mount.env !== '') prepared.env.push(`${mount.env}=${text(value)}`);
  if (target === '') return;
  files.mkdirs(workshop.secretFolder, 0o700);
  const path = `${workshop.secretFolder}/${context.fresh()}`;
  const fd = files.open(path, 'create-new', 0o400);
  files.write(fd, value);
  files.close(fd);
  files.chown(path, mount.uid, mount.gid);
  files.chmod(path, mount.mode ?? 0o400);
  prepared.mounts.push({ Type: 'bind', Source: path, Target: target, ReadOnly: true });
}
