import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { capture, start } from '../../exec/index.ts';
import { OsbuildError } from '../../model/index.ts';

/** An engine of one command: its images are in a folder that goes with it, and no network and no container knows of it. */
export interface PrivateEngine {
  /** Runs the engine's command line against it and returns what it printed. Throws OSB_COMMAND_FAILED with what the engine said. */
  command(...words: string[]): Promise<string>;
}

export interface PrivateEngineOptions {
  /** The engine for this machine. */
  binary: string;
  /** Where its folder is made. */
  folder: string;
  env: Record<string, string>;
  signal: AbortSignal;
  /** Called with its data root when it has ended well. */
  afterwards?: (dataRoot: string) => Promise<void>;
}

/** It wants to know what runs containers, and none is run. */
const noProgram = '/bin/true';
const startTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;
const pollMs = 50;

/** Runs an action with an engine that lives as long as it. Images keep owners and device files as they are, so this takes root. */
export async function withPrivateEngine<T>({ binary, folder, env, signal, afterwards }: PrivateEngineOptions, action: (engine: PrivateEngine) => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) {
    throw new OsbuildError('OSB_HOST_UNFIT', 'images are unpacked with the owners that their files have: that takes root', { hint: 'run the command as root' });
  }
  await mkdir(folder, { recursive: true });
  const root = await mkdtemp(join(folder, 'engine-'));
  // Results in the cache are no programs: nobody may run them there.
  const program = join(root, 'minke');
  await copyFile(binary, program);
  await chmod(program, 0o700);
  // Paths of sockets are short.
  const sockets = await mkdtemp(join(tmpdir(), 'minke-'));
  const socket = join(sockets, 'socket');
  const daemon = start(
    [
      'unshare', '--mount', '--net', '--', program, 'daemon', '-H', `unix://${socket}`, '--data-root', join(root, 'data'), '--exec-root', join(root, 'run'), '--pidfile', '', '--bridge', 'none',
      '--crun', noProgram, '--conmon', noProgram,
    ],
    { env, stdio: 'pipe' },
  );
  let said = '';
  let ended = false;
  for (const stream of [daemon.stdout, daemon.stderr]) stream?.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-4096)));
  const end = new Promise<void>((done) => {
    daemon.once('error', (error) => {
      said += error.message;
      ended = true;
      done();
    });
    daemon.once('exit', () => {
      ended = true;
      done();
    });
  });
  const stop = async (): Promise<void> => {
    if (!ended) daemon.kill('SIGTERM');
    await Promise.race([end, sleep(stopTimeoutMs, undefined, { ref: false })]);
    if (!ended) daemon.kill('SIGKILL');
    await end;
  };
  try {
    for (const deadline = Date.now() + startTimeoutMs; !existsSync(socket); await sleep(pollMs)) {
      if (signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
      if (ended || Date.now() > deadline) throw new OsbuildError('OSB_COMMAND_FAILED', 'the engine did not start', { details: { said: said.trim().split('\n') } });
    }
    const result = await action({
      async command(...words) {
        const { exitCode, stdout, stderr } = await capture([program, '-H', `unix://${socket}`, ...words], { env, signal });
        if (exitCode !== 0) throw new OsbuildError('OSB_COMMAND_FAILED', `the engine failed: ${stderr.trim() || `exit status ${exitCode}`}`);
        return stdout.trim();
      },
    });
    await stop();
    await afterwards?.(join(root, 'data'));
    return result;
  } finally {
    await stop();
    for (const path of [root, sockets]) await rm(path, { recursive: true, force: true });
  }
}
