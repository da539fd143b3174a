import { createRequire } from 'node:module';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { start } from '../exec/index.ts';
import type { Emit, Machine } from '../model/index.ts';
import { copyDisk, configureDisk, keptDisk } from './disk-copy.ts';
import { freePort } from './free-port.ts';
import { plugAtKernelStart } from './hot-plug.ts';
import { prepareLane } from './lane.ts';
import type { SshKey } from './ssh.ts';
import { openToolsTree } from './tools-tree.ts';

export interface InteractiveOptions {
  machine: Machine;
  /** The shipped image; a copy of it is run. */
  image: string;
  /** Folder of the emulation tools tree. */
  toolsTree: string;
  /** Folder of this run. A disk that an earlier run left in it is started again. */
  work: string;
  hostEnvironment: Record<string, string>;
  /** Key to let in over SSH, and the host name, put into the copy's config.json. */
  sshKey?: Pick<SshKey, 'publicKey'>;
  hostname?: string;
  /** Board's ports to offer on the host's loopback; a host port of 0 takes a free one. */
  forward: { host: number; guest: number }[];
  accelerator: 'tcg' | 'kvm';
  signal: AbortSignal;
  emit: Emit;
  /** Where text for the person goes. */
  say(line: string): void;
  streams: { stdin: NodeJS.ReadStream; stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream };
}

/** Runs a machine with its console on the caller's terminal until it ends or Ctrl-A X. Returns QEMU's exit code. */
export async function runInteractively(options: InteractiveOptions): Promise<number> {
  const { machine, image, work, hostEnvironment, signal, say } = options;
  await mkdir(work, { recursive: true });
  const tree = openToolsTree({ folder: options.toolsTree, work, hostEnvironment, signal });
  const folder = join(work, 'disk');
  const kept = await keptDisk(folder);
  say(kept ? `starting ${kept.path} again` : `unpacking ${image}`);
  const disk = kept ?? (await copyDisk({ image, folder, machine, tree }));
  const keys = options.sshKey === undefined ? {} : { os: { sshKeys: [options.sshKey.publicKey] } };
  const name = options.hostname === undefined ? {} : { hostname: options.hostname };
  if (options.sshKey !== undefined || options.hostname !== undefined) await configureDisk(disk, { ...name, ...keys }, tree);

  const forward = [];
  for (const { host, guest } of options.forward) forward.push({ host: host === 0 ? await freePort() : host, guest });
  const lane = await prepareLane(machine, disk, tree);
  const words = await tree.words(lane.command('qemu', { forward, console: 'monitor', endOnReset: false, accelerator: options.accelerator }));
  for (const { host, guest } of forward) say(`port ${guest} of the board is 127.0.0.1:${host}${guest === 22222 ? ` (ssh -p ${host} root@127.0.0.1)` : ''}`);
  say('Ctrl-A X ends it, Ctrl-A C is the monitor of QEMU');
  const feed = lane.hotPlug ? plugAtKernelStart(lane.hotPlug, say) : () => undefined;
  return attach(words, feed, options);
}

interface Terminal {
  onData(listener: (text: string) => void): unknown;
  onExit(listener: (event: { exitCode: number }) => void): unknown;
  write(text: string): void;
  resize(columns: number, rows: number): void;
  kill(signal?: string): void;
}

type SpawnTerminal = (program: string, words: string[], options: { name: string; cols: number; rows: number; cwd: string; env: Record<string, string> }) => Terminal;

/** node-pty is optional: it has a native part, which not every host can load. */
function loadTerminal(): SpawnTerminal | null {
  try {
    const loaded: unknown = createRequire(import.meta.url)('node-pty');
    if (typeof loaded === 'object' && loaded !== null && 'spawn' in loaded && typeof loaded.spawn === 'function') return loaded.spawn as SpawnTerminal;
  } catch {
    // told below, as a notice
  }
  return null;
}

/** `feed` gets the console's text beside the person. */
async function attach(words: string[], feed: (text: string) => void, options: InteractiveOptions): Promise<number> {
  const { stdin, stdout } = options.streams;
  const spawnTerminal = stdin.isTTY && stdout.isTTY ? loadTerminal() : null;
  if (!spawnTerminal) {
    if (stdin.isTTY) {
      options.emit({ type: 'notice', level: 'info', code: 'NO_PSEUDO_TERMINAL', message: 'node-pty is not available: the console goes through pipes, without the size of this terminal' });
    }
    return attachPlainly(words, feed, options);
  }
  const [program = 'unshare', ...rest] = words;
  const size = (): [number, number] => [stdout.columns || 80, stdout.rows || 24];
  const [cols, rows] = size();
  const terminal = spawnTerminal(program, rest, { name: 'xterm-256color', cols, rows, cwd: '/', env: options.hostEnvironment });
  const onResize = (): void => terminal.resize(...size());
  const onInput = (chunk: Buffer): void => terminal.write(chunk.toString('utf8'));
  const onAbort = (): void => terminal.kill('SIGKILL');
  stdin.setRawMode(true);
  stdin.resume();
  stdin.on('data', onInput);
  stdout.on('resize', onResize);
  options.signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await new Promise<number>((resolve) => {
      terminal.onData((text) => {
        stdout.write(text);
        feed(text);
      });
      terminal.onExit(({ exitCode }) => resolve(exitCode));
    });
  } finally {
    stdin.off('data', onInput);
    stdout.off('resize', onResize);
    options.signal.removeEventListener('abort', onAbort);
    stdin.setRawMode(false);
    stdin.pause();
  }
}

function attachPlainly(words: string[], feed: (text: string) => void, { hostEnvironment, signal, streams }: InteractiveOptions): Promise<number> {
  const child = start(words, { env: hostEnvironment, stdio: 'pipe' });
  if (child.stdin) streams.stdin.pipe(child.stdin).on('error', () => undefined); // QEMU may end while text is on its way to it
  child.stdout?.on('data', (chunk: Buffer) => {
    streams.stdout.write(chunk);
    feed(chunk.toString('utf8'));
  });
  child.stderr?.pipe(streams.stderr);
  // What is typed goes to the board as it is typed; the board echoes it.
  const raw = (on: boolean): void => void (streams.stdin.isTTY && streams.stdin.setRawMode(on));
  raw(true);
  const onAbort = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', onAbort, { once: true });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      signal.removeEventListener('abort', onAbort);
      raw(false);
      streams.stdin.pause();
      resolve(code ?? 1);
    });
  });
}
