import { setTimeout as sleep } from 'node:timers/promises';

import { shellLine } from '../exec/index.ts';
import type { Arch } from '../model/index.ts';
import type { Emulator } from './emulator.ts';
import type { HostServices } from './host-services.ts';
import type { Lane } from './lane.ts';
import type { Registry } from './registry.ts';
import type { Screen } from './screen.ts';
import { waitForSsh, type SshKey, type SshResult, type SshSession, type SshTarget } from './ssh.ts';
import type { ToolsTree } from './tools-tree.ts';

/** What checks of later boots compare with. */
export interface BoardFacts {
  machineId: string;
  bootId: string;
  hostKeys: string;
  dataBytes: number;
  clockSeconds: number;
}

/** A board under test: what every check has at hand. It stays the same over the boots of one test. */
export interface Board {
  machineName: string;
  arch: Arch;
  mode: 'development' | 'production';
  hostname: string;
  key: SshKey;
  ssh: SshTarget;
  lane: Lane;
  tree: ToolsTree;
  services: HostServices;
  /** For suites that pull. */
  registry: Registry | null;
  /** The image's release (.os.tar), for suites that update. */
  release: string | null;
  /** Emulates controllers of Bluetooth, on the board, for suites that try it. */
  btvirt: Buffer | null;
  /** The kernel's module of virtual radios, for suites that try Wi-Fi. */
  radio: Buffer | null;
  /** Name that the host's name server knows. */
  serviceName: string;
  serviceAnswer: string;
  /** Port of the board that a container publishes, as the host reaches it. */
  published: { host: number; guest: number };
  container: { reference: string; archive: Buffer };
  /** Port of the host's loopback that leads to the engine's API, which listens on TCP in development mode. */
  enginePort: number;
  /** Folder of the host for what checks of one test leave to each other. */
  scratch: string;
  /** UUIDs of the filesystems as shipped. */
  shippedUuids: string[];
  /** Capture file of the first boot's network. */
  capture: string;
  /** How much slower than real hardware time-outs may assume this emulation to be. */
  scale: number;
  facts: BoardFacts | null;
  /** For images that show something on it. */
  screen: Screen | null;
  /** When SSH let the test in, after this boot's emulator was started. */
  sshSeconds: number;
  signal: AbortSignal;
  /** The running emulator. */
  emulator(): Emulator;
  /** Runs a script as root over SSH, logging in again when the connection is gone. */
  sh(script: string, options?: { stdin?: Uint8Array; timeoutMs?: number }): Promise<SshResult>;
  /** Like sh, but returns standard output and throws what the script printed when it fails. */
  need(script: string, options?: { stdin?: Uint8Array; timeoutMs?: number }): Promise<string>;
  /** Tries until the attempt does not throw, for at most `seconds` of a real board; then throws the last failure. */
  eventually<T>(seconds: number, attempt: () => Promise<T>): Promise<T>;
}

/** The SSH session of a board, opened when first needed and again when it breaks. */
export interface BoardLink {
  session(timeoutMs: number): Promise<SshSession>;
  run: Board['sh'];
  drop(): void;
}

export function openLink(target: SshTarget, key: SshKey, signal: AbortSignal, whyGone: () => string | null): BoardLink {
  let current: SshSession | null = null;
  const session = async (timeoutMs: number): Promise<SshSession> => {
    current ??= await waitForSsh(target, { privateKey: key.privateKey }, { timeoutMs, signal, whyGone });
    return current;
  };
  const drop = (): void => {
    current?.close();
    current = null;
  };
  return {
    session,
    drop,
    run: async (script, options = {}) => {
      try {
        return await (await session(120_000)).exec(shellLine(['sh', '-c', script]), options);
      } catch (error) {
        drop();
        throw error;
      }
    },
  };
}

/** Standard output of a script that must succeed. */
export async function output(run: Board['sh'], script: string, options?: { stdin?: Uint8Array; timeoutMs?: number }): Promise<string> {
  const result = await run(script, options);
  if (result.status === 0) return result.stdout;
  const words = `${result.stdout}${result.stderr}`.trim();
  throw new Error(`exit status ${result.status}${words ? `: ${words.slice(-1500)}` : ''}`);
}

export async function eventually<T>(timeoutMs: number, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted || Date.now() >= deadline) throw error;
      await sleep(2000, undefined, { signal }).catch(() => undefined);
    }
  }
}
