import { createReadStream } from 'node:fs';
import { access, constants, mkdir, readFile, statfs, writeFile } from 'node:fs/promises';
import { arch, homedir, hostname, platform } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

// By its file: the folder's surface would bring the whole cache along.
import { isDiskFull } from '../../cache/disk-full.ts';
import { defaultCacheFolder } from '../../cache/layout.ts';
import type { AgentLine, BuildRequest, ReceiveRequest, SendRequest, TreeFile } from '../protocol.ts';
import { InstallFailure, runBuild } from './run.ts';
import { forgetUnused, missingBlobs, takeBlobs, writeTree } from './store.ts';

// The program that osbuild hands to Node.js of a build host over SSH: it needs nothing there but Node.js, and leaves nothing
// running. One verb a process; requests are a line of JSON on standard input, answers lines of JSON on standard output.

const neededPrograms = ['sh', 'npm', 'tar', 'unshare', 'apt-get', 'dpkg'];

const say = (line: AgentLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** The cache folder of the user here, or the one that the caller names. */
function cacheFolder(named: string | null): string {
  if (named !== null) return named.startsWith('~/') ? join(homedir(), named.slice(2)) : named;
  return defaultCacheFolder(process.env, homedir());
}

const rootOf = (cache: string | null): string => join(cacheFolder(cache), 'remote');

async function probe(named: string | null): Promise<void> {
  const folders = (process.env['PATH'] ?? '').split(delimiter).concat('/usr/sbin', '/sbin');
  const missing: string[] = [];
  for (const program of neededPrograms) {
    const found = await Promise.all(folders.map((folder) => access(join(folder, program), constants.X_OK).then(() => true, () => false)));
    if (!found.includes(true)) missing.push(program);
  }
  const cache = cacheFolder(named);
  await mkdir(cache, { recursive: true });
  const { bavail, bsize } = await statfs(cache);
  say({ type: 'agent-probe', facts: { platform: platform(), architecture: arch(), node: process.versions.node, hostname: hostname(), missing, cache, freeBytes: bavail * bsize } });
}

/** The first line of the input, and what comes after it in the same pieces is not lost: the input is read by hand. */
async function firstLine(): Promise<string> {
  const parts: Buffer[] = [];
  for (;;) {
    const chunk = process.stdin.read() as Buffer | null;
    if (chunk === null) {
      if (process.stdin.readableEnded) throw new Error('no request came');
      await new Promise<void>((resolve) => process.stdin.once('readable', resolve).once('end', resolve));
      continue;
    }
    const end = chunk.indexOf(10);
    if (end === -1) {
      parts.push(chunk);
      continue;
    }
    parts.push(chunk.subarray(0, end));
    if (end + 1 < chunk.length) process.stdin.unshift(chunk.subarray(end + 1));
    return Buffer.concat(parts).toString('utf8');
  }
}

async function receive(): Promise<void> {
  const request = JSON.parse(await firstLine()) as ReceiveRequest;
  const root = rootOf(request.cache);
  await forgetUnused(root, Date.now());
  const missing = await missingBlobs(root, request.trees);
  say({ type: 'agent-missing', sha256: [...missing.keys()] });
  await takeBlobs(root, missing, process.stdin);
  let files = 0;
  for (const tree of request.trees) {
    files += await writeTree(root, tree);
    await mkdir(join(root, 'lists'), { recursive: true });
    await writeFile(join(root, 'lists', tree.digest), JSON.stringify(tree.files));
  }
  say({ type: 'agent-received', files });
}

async function build(): Promise<void> {
  const request = JSON.parse(await firstLine()) as BuildRequest;
  const root = rootOf(request.cache);
  const files = JSON.parse(await readFile(join(root, 'lists', request.project.digest), 'utf8')) as TreeFile[];
  await runBuild(root, request, files, createInterface({ input: process.stdin }), say);
}

async function send(): Promise<void> {
  const { file, offsetBytes } = JSON.parse(await firstLine()) as SendRequest;
  await new Promise<void>((resolve, reject) => {
    createReadStream(file, { start: offsetBytes }).once('error', reject).once('close', resolve).pipe(process.stdout);
  });
}

async function main([verb, cache = '']: string[]): Promise<void> {
  // A caller who is gone reads nothing any more; the build is stopped by its input, not by this.
  process.stdout.on('error', () => undefined);
  for (const signal of ['SIGHUP', 'SIGPIPE', 'SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.stdin.destroy());
  try {
    if (verb === 'probe') await probe(cache === '' ? null : Buffer.from(cache, 'base64').toString('utf8'));
    else if (verb === 'receive') await receive();
    else if (verb === 'build') await build();
    else if (verb === 'send') await send();
    else throw new Error(`no verb ${verb}`);
  } catch (error) {
    const { message } = error as Error;
    if (verb === 'send') process.exitCode = 1;
    else if (error instanceof InstallFailure) say({ type: 'agent-error', code: 'install', message });
    else if (isDiskFull(error)) say({ type: 'agent-error', code: 'disk-full', message });
    else say({ type: 'agent-error', code: /damaged/.test(message) ? 'damaged' : 'host', message });
    process.exitCode = 1;
  }
  await new Promise((resolve) => process.stdout.write('', resolve));
  process.exit();
}

// With `node -e` the words begin right behind the name of Node.js.
await main(process.argv.slice(1));
