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
  /** Sockets of agents on this machine, by the names that RUN knows them by. */
  agents: ReadonlyMap<string, string>;
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
    else if (mount.type === 'ssh') addAgent(context, mount, target, prepared);
    else if (mount.type === 'tmpfs') prepared.tmpfs[target] = `exec${mount.sizeBytes > 0 ? `,size=${mount.sizeBytes}` : ''}`;
    else if (mount.type === 'cache') await addCache(context, mount, target, prepared);
    else await addBind(context, mount, target, prepared);
    if (target !== '') prepared.points.push(target);
    prepared.fingerprint.push(JSON.stringify([mount.type, target, mount.source, mount.id, mount.readOnly]));
  }
  return prepared;
}

async function addBind(context: MountContext, mount: RunMount, target: string, prepared: PreparedMounts): Promise<void> {
  const { files, line, workshop, pace } = context;
  const { root, path, identity } = await context.source(mount.from);
  const inside = placeIn(root, mount, line);
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

/** Where what a mount names stands; links lead nowhere out of the root. */
function placeIn(root: Root, mount: RunMount, line: number): string {
  try {
    const inside = root.resolve(cleanPath(`/${mount.source}`));
    root.stat(inside);
    return inside;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    throw dockerfileError(line, `--mount: there is no ${mount.source} in ${mount.from === '' ? 'the build context' : mount.from}`);
  }
}

/** A cache that is new begins with what `from` has, if there is one. */
async function addCache(context: MountContext, mount: RunMount, target: string, prepared: PreparedMounts): Promise<void> {
  const { files, cacheFolder, workshop } = context;
  const folder = `${cacheFolder}/${sha256(mount.id).slice(0, 32)}`;
  if (!files.exists(folder)) {
    const fresh = `${workshop.folder}/cache-${context.fresh()}`;
    files.mkdirs(fresh, 0o755);
    if (mount.from !== '') {
      const { root, path } = await context.source(mount.from);
      const inside = placeIn(root, mount, context.line);
      if (root.stat(inside).type !== 'directory') throw dockerfileError(context.line, `--mount: ${mount.source} in ${mount.from} is no folder that a cache could begin with`);
      await files.copyTree(inside === '/' ? path : `${path}${inside}`, fresh);
    }
    files.chown(fresh, mount.uid, mount.gid);
    files.chmod(fresh, mount.mode ?? 0o755);
    files.mkdirs(cacheFolder, 0o755);
    // Another build may have been faster: its cache is as good.
    if (!files.exists(folder)) files.rename(fresh, folder);
  }
  if (mount.sharing !== 'shared') prepared.locks.push(mount.id);
  prepared.mounts.push({ Type: 'bind', Source: folder, Target: target, ReadOnly: mount.readOnly });
}

function addAgent({ agents, files, line }: MountContext, mount: RunMount, target: string, prepared: PreparedMounts): void {
  const socket = agents.get(mount.id);
  if (socket === undefined) {
    if (mount.required) throw dockerfileError(line, `the ssh agent ${mount.id} is required and was not given`, 'minke build --ssh default gives it; the classic API of the docker CLI cannot');
    return;
  }
  if (!files.exists(socket) || files.stat(socket).type !== 'socket') throw dockerfileError(line, `the ssh agent ${mount.id} is no socket on the machine of the daemon: ${socket}`);
  prepared.env.push(`SSH_AUTH_SOCK=${target}`);
  prepared.mounts.push({ Type: 'bind', Source: socket, Target: target, ReadOnly: true });
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
