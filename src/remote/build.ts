import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { isDiskFull, sha256File, type BlobInfo, type BlobStore, type CacheLayout } from '../cache/index.ts';
import { OsbuildError, type BuildEvent, type Emit, type ErrorCode } from '../model/index.ts';
import { agentCommand } from './agent-bundle.ts';
import type { HostChannel, HostConnection } from './connect.ts';
import type { AgentLine, BuildRequest, HostFacts, ReceiveRequest, SendRequest } from './protocol.ts';
import type { SentTree } from './tree.ts';

export interface RemoteRunOptions {
  connection: HostConnection;
  /** The agent's code. */
  agent: string;
  /** Cache folder on the host; null: its user's. */
  cache: string | null;
  program: SentTree;
  project: SentTree & { folder: string };
  words: string[];
  environment: Record<string, string>;
  blobs: BlobStore;
  layout: CacheLayout;
  emit: Emit;
  /** What the build there says beside its events. */
  say(line: string): void;
  signal: AbortSignal;
  /** After so long without a sign of us the host stops the build. */
  silenceMs?: number;
}

export interface RemoteArtifact {
  machine: string;
  fileName: string;
  blob: BlobInfo;
}

export interface RemoteRun {
  artifacts: RemoteArtifact[];
  /** Files of the project that the build there wrote, such as locks, by path from the tree's folder. */
  changed: Array<{ path: string; blob: BlobInfo }>;
}

const heartbeatMs = 10_000;
const oldestNode: readonly [number, number] = [20, 19];
const wantedDiskBytes = 5e9;
/** For the host to stop a cancelled build before we hang up on it. */
const stopTimeoutMs = 60_000;

/** Builds on a host and fetches what came of it into the store. Throws OSB_REMOTE_HOST, or what the build there threw. */
export async function runOnHost(options: RemoteRunOptions): Promise<RemoteRun> {
  const { connection, emit } = options;
  const facts = await probe(options);
  emit({ type: 'notice', level: 'info', code: 'REMOTE_HOST', message: `building on ${connection.name} (${facts.hostname}, ${facts.architecture}, Node.js ${facts.node})` });
  await sendTrees(options);
  return build(options);
}

async function probe(options: RemoteRunOptions): Promise<HostFacts> {
  const { connection } = options;
  const channel = await begin(options, 'probe', options.cache === null ? [] : [Buffer.from(options.cache).toString('base64')]);
  channel.input.end();
  let facts: HostFacts | null = null;
  const { status, rest } = await readLines(channel, options, (line) => {
    if (line.type === 'agent-probe') facts = line.facts;
  });
  const found = facts as HostFacts | null;
  if (found === null) {
    if (status === 127 || /not found/.test(rest)) throw unfit(`${connection.name} has no Node.js on the PATH of its SSH logins`, 'on Debian: apt install nodejs npm');
    throw unfit(`${connection.name} does not answer as a build host: ${rest.trim().split('\n').slice(-3).join('; ') || `exit status ${status}`}`, 'does its login shell print anything, or allow other commands than one?');
  }
  const lacks: string[] = [];
  const [major = 0, minor = 0] = found.node.split('.').map(Number);
  if (found.platform !== 'linux') lacks.push(`Linux (it is ${found.platform})`);
  if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) lacks.push(`Node.js ${oldestNode.join('.')} or newer (it has ${found.node})`);
  if (found.missing.length > 0) lacks.push(`the programs ${found.missing.join(', ')}`);
  if (found.freeBytes < wantedDiskBytes) lacks.push(`disk space: ${(found.freeBytes / 1e9).toFixed(1)} GB free for ${found.cache}, wanted are ${wantedDiskBytes / 1e9} GB`);
  if (lacks.length > 0) throw unfit(`${connection.name} cannot build; it lacks ${lacks.join('; ')}`, 'install what is missing there', { facts: found });
  return found;
}

/** A task of this side alone: reporters draw what a plan has named. */
function announce(emit: Emit, id: string, title: string): void {
  emit({ type: 'plan', machine: null, tasks: 1, cached: 0, toRun: [{ id, title }], concurrency: 1 });
  emit({ type: 'task-start', id, title });
}

/** Sends what the host does not have yet. */
async function sendTrees(options: RemoteRunOptions): Promise<void> {
  const { program, project, cache, emit } = options;
  const id = 'remote/send';
  const title = 'Send the project';
  const channel = await begin(options, 'receive', []);
  const request: ReceiveRequest = { cache, trees: [program, project].map(({ digest, files }) => ({ digest, files })) };
  channel.input.write(`${JSON.stringify(request)}\n`);
  const sizes = new Map(request.trees.flatMap(({ files }) => files.flatMap((file) => ('sha256' in file ? [[file.sha256, file.sizeBytes] as const] : []))));
  const sources = new Map([...program.sources, ...project.sources]);
  const started = performance.now();
  let received = false;
  let sending: Promise<void> = Promise.resolve();
  const send = async (wanted: string[]): Promise<void> => {
    const total = wanted.reduce((sum, sha256) => sum + (sizes.get(sha256) ?? 0), 0);
    let done = 0;
    if (wanted.length > 0) announce(emit, id, title);
    for (const sha256 of wanted) {
      const file = sources.get(sha256);
      if (file === undefined) throw new Error(`the host asked for ${sha256}`);
      await Promise.race([writeFile(file, channel.input), options.connection.lost]);
      done += sizes.get(sha256) ?? 0;
      emit({ type: 'task-progress', id, done, total, unit: 'bytes' });
    }
    channel.input.end();
    if (wanted.length > 0) emit({ type: 'task-done', id, title, cached: false, durationMs: Math.round(performance.now() - started) });
  };
  const { status, rest } = await readLines(channel, options, (line) => {
    if (line.type === 'agent-missing') {
      sending = send(line.sha256);
      // A file that changed while it was sent arrives short, which the host says; a broken connection is told by itself.
      sending.catch(() => channel.close());
    }
    if (line.type === 'agent-received') received = true;
  });
  await sending;
  if (!received) throw unfit(`${options.connection.name} did not take the project: ${rest.trim() || `exit status ${status}`}`, 'run it again: what arrived stays there');
}

async function writeFile(file: string, target: Writable): Promise<void> {
  for await (const chunk of createReadStream(file)) if (!target.write(chunk)) await once(target, 'drain');
}

async function build(options: RemoteRunOptions): Promise<RemoteRun> {
  const { connection, program, project, words, environment, cache, emit, signal } = options;
  const channel = await begin(options, 'build', []);
  const request: BuildRequest = { cache, program: program.digest, project: { digest: project.digest, folder: project.folder }, words, environment, silenceMs: options.silenceMs ?? 6 * heartbeatMs };
  channel.input.write(`${JSON.stringify(request)}\n`);
  const heartbeat = setInterval(() => channel.input.write('\n'), heartbeatMs);
  const stop = (): void => {
    channel.input.end();
    setTimeout(() => channel.close(), stopTimeoutMs).unref();
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const announced: Announced[] = [];
  const changedThere: Changed[] = [];
  let failure: OsbuildError | null = null;
  let ended: { status: number; lastWords: string[] } | null = null;
  let fetching: Promise<RemoteRun> | null = null;
  try {
    const { rest } = await readLines(channel, options, (line) => {
      if (line.type === 'agent-changed') changedThere.push(line);
      else if (line.type === 'agent-installing') emit({ type: 'notice', level: 'info', code: 'REMOTE_INSTALL', message: `npm installs osbuild's packages on ${connection.name}, once for this version` });
      else if (line.type === 'agent-ended') {
        ended = line;
        if (line.status === 0 && !signal.aborted) {
          fetching = fetchAll(options, announced, changedThere);
          // The folder there goes when its input ends.
          fetching.then(() => channel.input.end(), () => channel.input.end());
        } else channel.input.end();
      } else if (line.type === 'artifact') announced.push(line);
      else if (line.type === 'error') failure = new OsbuildError(line.code, line.message, { hint: line.hint, details: { ...line.details, host: connection.name } });
      else if (line.type === 'task-failed') emit({ ...line, ...(line.log === undefined ? {} : { log: { ...line.log, path: `${connection.name}:${line.log.path}` } }) });
      else if (isEvent(line)) emit(line);
    });
    if (signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
    if (fetching !== null) return await (fetching as Promise<RemoteRun>);
    if (failure !== null) throw failure as OsbuildError;
    const how = ended as { status: number; lastWords: string[] } | null;
    for (const line of how?.lastWords ?? []) options.say(`${connection.name}: ${line}`);
    throw unfit(`the build on ${connection.name} ended without a result: ${how === null ? rest.trim().split('\n').at(-1) || 'it was killed' : `exit status ${how.status}`}`, 'the same command goes on from what is finished there');
  } finally {
    clearInterval(heartbeat);
    signal.removeEventListener('abort', stop);
  }
}

const isEvent = (line: AnyLine): line is BuildEvent => ['plan', 'task-start', 'task-progress', 'task-done', 'notice', 'check'].includes(line.type);

async function fetchAll(options: RemoteRunOptions, announced: readonly Announced[], changed: readonly Changed[]): Promise<RemoteRun> {
  const { emit } = options;
  const id = 'remote/fetch';
  const title = `Fetch what ${options.connection.name} built`;
  const started = performance.now();
  const total = announced.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const artifacts: RemoteArtifact[] = [];
  let before = 0;
  announce(emit, id, title);
  for (const artifact of announced) {
    const blob = await fetchFile(options, artifact.path, artifact, (done) => emit({ type: 'task-progress', id, done: before + done, total, unit: 'bytes' }));
    before += artifact.sizeBytes;
    artifacts.push({ machine: artifact.machine, fileName: artifact.path.split('/').at(-1) ?? '', blob });
  }
  const files: RemoteRun['changed'] = [];
  for (const { path, file, ...wanted } of changed) files.push({ path, blob: await fetchFile(options, file, wanted, () => undefined) });
  emit({ type: 'task-done', id, title, cached: false, durationMs: Math.round(performance.now() - started) });
  return { artifacts, changed: files };
}

/** Brings one file into the store; goes on where an earlier attempt was cut off. Throws OSB_HASH_MISMATCH. */
async function fetchFile(options: RemoteRunOptions, file: string, { sha256, sizeBytes }: BlobInfo, progress: (bytes: number) => void): Promise<BlobInfo> {
  const { blobs, layout, connection } = options;
  if ((await blobs.size(sha256)) === sizeBytes && (await blobs.verify(sha256))) return { sha256, sizeBytes };
  const part = layout.partial(sha256);
  await mkdir(dirname(part), { recursive: true });
  for (let attempt = 0; attempt < 2; attempt++) {
    const have = (await stat(part).catch(() => null))?.size ?? 0;
    const offsetBytes = have < sizeBytes ? have : 0;
    const channel = await begin(options, 'send', []);
    const request: SendRequest = { file, offsetBytes };
    channel.input.end(`${JSON.stringify(request)}\n`);
    let done = offsetBytes;
    channel.output.on('data', (chunk: Buffer) => progress((done += chunk.length)));
    await Promise.race([pipeline(channel.output, createWriteStream(part, { flags: offsetBytes === 0 ? 'w' : 'a' })), connection.lost]).catch((error: NodeJS.ErrnoException) => {
      if (isDiskFull(error)) throw new OsbuildError('OSB_DISK_FULL', `no space left on the disk that holds ${part}`, { hint: 'free space there, or set OSBUILD_CACHE_DIR; the next run goes on from here', cause: error });
      throw error;
    });
    if ((await sha256File(part)) === sha256) return blobs.take(part, sha256);
    // What an earlier attempt left may have been damaged: once more from the start.
    await rm(part, { force: true });
  }
  throw new OsbuildError('OSB_HASH_MISMATCH', `${file} did not arrive as ${connection.name} had made it`, { hint: 'run it again; should it happen again, check the memory and disks of both hosts' });
}

type Announced = Extract<BuildEvent, { type: 'artifact' }>;
type Changed = Extract<AgentLine, { type: 'agent-changed' }>;
type AnyLine = AgentLine | BuildEvent | { type: 'error'; code: ErrorCode; message: string; hint?: string; details?: Record<string, unknown> };

async function begin({ connection, agent, signal }: RemoteRunOptions, verb: string, words: string[]): Promise<HostChannel> {
  if (signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
  return connection.start(agentCommand(agent, [verb, ...words]));
}

/** Hands on the agent's lines until it ends; throws what it says to have gone wrong, and OSB_REMOTE_HOST when the connection breaks. */
async function readLines(channel: HostChannel, { connection }: RemoteRunOptions, take: (line: AnyLine) => void): Promise<{ status: number | null; rest: string }> {
  let rest = '';
  let failure: OsbuildError | null = null;
  channel.errors.on('data', (text: Buffer) => (rest = `${rest}${text.toString()}`.slice(-4000)));
  const lines = createInterface({ input: channel.output });
  lines.on('line', (text) => {
    const line = parse(text);
    if (line === null) rest = `${rest}${text}\n`.slice(-4000);
    else if (line.type === 'agent-error') failure = agentFailure(line, connection.name);
    else take(line);
  });
  const read = new Promise<void>((resolve) => lines.once('close', resolve));
  const status = await Promise.race([Promise.all([channel.ended, read]).then(([code]) => code), connection.lost]);
  if (failure !== null) throw failure as OsbuildError;
  return { status, rest };
}

function parse(text: string): AnyLine | null {
  try {
    const line = JSON.parse(text) as AnyLine | null;
    return typeof line === 'object' && line !== null && typeof line.type === 'string' ? line : null;
  } catch {
    return null;
  }
}

function agentFailure({ code, message }: Extract<AgentLine, { type: 'agent-error' }>, name: string): OsbuildError {
  if (code === 'disk-full') return new OsbuildError('OSB_DISK_FULL', `no space left on the disk of ${name}`, { hint: 'free space there; the next run goes on from what is finished' });
  if (code === 'install') return unfit(`npm on ${name} could not install osbuild's packages: ${message}`, 'it needs the npm registry once for every version of osbuild');
  if (code === 'damaged') return new OsbuildError('OSB_HASH_MISMATCH', `${name}: ${message}`, { hint: 'a file that changed while it was sent, or a disk that forgets: run it again' });
  return unfit(`${name}: ${message}`, 'the same command goes on from what is finished there');
}

function unfit(message: string, hint: string, details: Record<string, unknown> = {}): OsbuildError {
  return new OsbuildError('OSB_REMOTE_HOST', message, { hint, details });
}
