import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFile, mkdir, readFile, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

import type { AgentLine, BuildRequest, TreeFile } from '../protocol.ts';
import { changedFiles, exists, treeFolder } from './store.ts';

/** After the first signal a build stops its tasks; after the second it ends at once, and its tasks with it. */
const stopMs = 30_000;
const killMs = 10_000;
const shownLines = 40;

/**
 * Runs osbuild for a caller who may go away at any time: when the input ends or is silent for too long, the build is stopped,
 * and nothing of it runs when this resolves. The folder of its artifacts stays until the caller has them.
 */
export async function runBuild(root: string, request: BuildRequest, files: readonly TreeFile[], input: Interface, say: (line: AgentLine) => void): Promise<void> {
  const caller = watchCaller(input, request.silenceMs);
  const program = treeFolder(root, request.program);
  await installModules(root, program, request, caller.gone, say);
  const project = join(treeFolder(root, request.project.digest), request.project.folder);
  const run = join(root, 'runs', `${process.pid}-${randomBytes(4).toString('hex')}`);
  await forgetDeadRuns(root);
  await mkdir(run, { recursive: true });
  try {
    const environment = { ...ownEnvironment(), ...request.environment, OSBUILD_CACHE_DIR: join(root, '..') };
    const child = spawn(join(program, 'osbuild'), [...request.words, '--json', '-C', project, '--output', join(run, 'out')], { env: environment, cwd: project, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    void caller.gone.then(() => stop(child));
    const lastWords: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => process.stdout.write(`${line}\n`));
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (lastWords.push(line) > shownLines) lastWords.shift();
    });
    const status = await new Promise<number>((resolve) => {
      child.once('error', () => resolve(127));
      child.once('close', (code) => resolve(code ?? 137));
    });
    for (const changed of await changedFiles(treeFolder(root, request.project.digest), files, join(request.project.folder, 'machines/locks').replace(/^\.\//, ''))) {
      say({ type: 'agent-changed', tree: request.project.digest, ...changed, file: join(treeFolder(root, request.project.digest), changed.path) });
    }
    say({ type: 'agent-ended', status, lastWords });
    // Artifacts are fetched over other channels while this one stands.
    await caller.gone;
  } finally {
    await rm(run, { recursive: true, force: true });
  }
}

/** `gone` resolves when the input ends, or has been silent for too long. */
function watchCaller(input: Interface, silenceMs: number): { gone: Promise<void> } {
  let timer: NodeJS.Timeout;
  const gone = new Promise<void>((resolve) => {
    const alarm = (): void => {
      clearTimeout(timer);
      timer = setTimeout(resolve, silenceMs);
    };
    alarm();
    input.on('line', alarm);
    input.once('close', () => resolve());
  });
  void gone.then(() => clearTimeout(timer));
  return { gone };
}

function stop(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const group = -child.pid;
  const send = (signal: NodeJS.Signals, target: number): void => {
    try {
      process.kill(target, signal);
    } catch {
      // It ended between two looks.
    }
  };
  send('SIGTERM', child.pid);
  const timers = [setTimeout(() => send('SIGTERM', -group), stopMs), setTimeout(() => send('SIGKILL', group), stopMs + killMs)];
  child.once('close', () => timers.forEach((timer) => clearTimeout(timer)));
}

/** npm's packages of one lock file are installed once for all programs that have it. */
async function installModules(root: string, program: string, { environment }: BuildRequest, gone: Promise<void>, say: (line: AgentLine) => void): Promise<void> {
  const lock = await readFile(join(program, 'package-lock.json')).catch(() => null);
  const named = lock ?? (await readFile(join(program, 'package.json')));
  const digest = createHash('sha256').update(named).digest('hex');
  const folder = join(root, 'modules', `${digest.slice(0, 16)}-${process.arch}-${process.versions.modules}`);
  if (!(await exists(join(folder, 'node_modules/.osbuild-lock')))) {
    const part = `${folder}.${process.pid}`;
    await mkdir(part, { recursive: true });
    try {
      for (const name of ['package.json', ...(lock === null ? [] : ['package-lock.json'])]) await copyFile(join(program, name), join(part, name));
      const { dependencies } = JSON.parse(await readFile(join(part, 'package.json'), 'utf8')) as { dependencies?: object };
      if (dependencies !== undefined) {
        say({ type: 'agent-installing' });
        await npm(part, lock !== null, environment, gone);
      }
      await mkdir(join(part, 'node_modules'), { recursive: true });
      await writeFile(join(part, 'node_modules/.osbuild-lock'), digest);
      // Another build may have been quicker: then this one is not needed.
      await rename(part, folder).catch(() => undefined);
    } finally {
      await rm(part, { recursive: true, force: true });
    }
  }
  const link = join(program, 'node_modules');
  if ((await readlink(link).catch(() => null)) === join(folder, 'node_modules')) return;
  await rm(link, { recursive: true, force: true });
  await symlink(join(folder, 'node_modules'), link);
}

async function npm(folder: string, locked: boolean, environment: Readonly<Record<string, string>>, gone: Promise<void>): Promise<void> {
  const words = [locked ? 'ci' : 'install', '--omit=dev', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const said: string[] = [];
  let callerIsGone = false;
  const child = spawn('npm', words, { cwd: folder, env: { ...ownEnvironment(), ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => said.push(text.toString()));
  const status = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      said.push(error.message);
      resolve(127);
    });
    child.once('close', (code) => resolve(code ?? 137));
    const end = (): boolean => (callerIsGone = child.kill('SIGTERM'));
    void gone.then(end);
  });
  if (callerIsGone) throw new InstallFailure('the caller is gone');
  if (status !== 0) throw new InstallFailure(said.join('').trim().split('\n').slice(0, 5).join('; '));
}

export class InstallFailure extends Error {}

async function forgetDeadRuns(root: string): Promise<void> {
  for (const name of await readdir(join(root, 'runs')).catch(() => [])) {
    if (!(await exists(`/proc/${name.split('-')[0]}`))) await rm(join(root, 'runs', name), { recursive: true, force: true });
  }
}

/** What a login over SSH brings, less what is about the login itself. */
function ownEnvironment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value === undefined || name.startsWith('SSH_') || name.startsWith('OSBUILD_') ? [] : [[name, value]])));
}
