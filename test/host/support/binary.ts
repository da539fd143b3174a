import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';

import type { EngineArchitecture } from '../../../src/engine-binary/index.ts';

const home = new URL('../../..', import.meta.url).pathname;
const root = process.env['OSBUILD_TOOLCHAIN_ROOT'];

export const toolchainRoot = root !== undefined && existsSync(join(root, 'usr/bin/qjsc')) ? root : null;
export const isRoot = process.getuid?.() === 0;

export function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

/** Skips, with the reason, where no binary can be built. */
export function needToolchain(context: TestContext): void {
  if (toolchainRoot === null) context.skip('needs a toolchain root: OSBUILD_TOOLCHAIN_ROOT (a plain `npm test` makes it)');
  else if (!isRoot) context.skip('needs root: enters the toolchain root by chroot');
}

export interface Variant {
  arch?: EngineArchitecture;
  sanitize?: boolean;
  gcStress?: boolean;
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .toSorted();
}

/** What the test programs take from the engine. */
const engineParts = ['archive', 'delta', 'images', 'store', 'system'];

/** What the binary is made of, in one word. */
function fingerprint(variant: Variant): string {
  const hash = createHash('sha256').update(JSON.stringify([root, variant]));
  const sources = [...files(join(home, 'src/host')), ...files(join(home, 'src/engine-binary')), ...files(join(home, 'test/host/programs')), ...engineParts.flatMap((part) => files(join(home, 'src/engine', part))), join(home, 'test/support/build-engine.mjs')];
  for (const path of sources) hash.update(path.slice(home.length)).update('\0').update(readFileSync(path));
  return hash.digest('hex').slice(0, 16);
}

/** Waits while another test file builds the same; false when that one has given up or died. The lock is a link that names its process. */
function othersBuild(lock: string, wanted: string): boolean {
  for (;;) {
    if (existsSync(wanted)) return true;
    const holder = holderOf(lock);
    if (holder === null) return existsSync(wanted);
    if (!existsSync(`/proc/${holder}`)) return false;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
}

function holderOf(lock: string): string | null {
  try {
    return readlinkSync(lock);
  } catch {
    return null;
  }
}

/** Folder with `minke`, `minke.debug` and `minke.js.map` of the test programs, built when the sources have changed since. */
export function testPrograms(variant: Variant = {}): string {
  const arch = variant.arch ?? 'amd64';
  const label = `${arch}${variant.sanitize ? '-sanitize' : ''}${variant.gcStress ? '-gc' : ''}`;
  const all = join(home, 'out/test-host');
  const wanted = join(all, `${label}-${fingerprint(variant)}`);
  if (existsSync(wanted)) return join(wanted, arch);
  mkdirSync(all, { recursive: true });
  const lock = `${wanted}.lock`;
  try {
    symlinkSync(String(process.pid), lock);
  } catch {
    if (othersBuild(lock, wanted)) return join(wanted, arch);
  }
  // The label of one variant begins that of others ("amd64", "amd64-gc"): the rest must be a fingerprint and nothing else.
  for (const old of readdirSync(all)) if (old.startsWith(`${label}-`) && /^[0-9a-f]{16}$/.test(old.slice(label.length + 1))) rmSync(join(all, old), { recursive: true });
  const fresh = mkdtempSync(join(all, 'building-'));
  const argv = ['test/support/build-engine.mjs', '--arch', arch, '--out', fresh, '--entry', 'test/host/programs/main.ts'];
  if (variant.sanitize) argv.push('--sanitize');
  if (variant.gcStress) argv.push('--gc-stress');
  const build = spawnSync('node', argv, { cwd: home, encoding: 'utf8' });
  if (build.status === 0 && !existsSync(wanted)) renameSync(fresh, wanted);
  rmSync(fresh, { recursive: true, force: true });
  rmSync(lock, { force: true });
  if (build.status !== 0) throw new Error(`the test programs do not build for ${label}:\n${build.stderr}`);
  return join(wanted, arch);
}

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Words before the binary: an emulator, chroot. */
  wrapper?: string[];
  env?: Record<string, string>;
  timeoutMs?: number;
}

/** Runs a program to its end. Never rejects but when it cannot be started or takes too long. */
export function run(binary: string, args: string[], options: RunOptions = {}): Promise<Finished> {
  const [program = binary, ...rest] = [...(options.wrapper ?? []), binary, ...args];
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.env }, detached: true });
    const out = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (out.stderr += text));
    const timer = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      reject(new Error(`${[program, ...rest].join(' ')} took longer than ${options.timeoutMs ?? 120_000} ms\n${out.stdout}${out.stderr}`));
    }, options.timeoutMs ?? 120_000);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...out });
    });
  });
}

/** Checks that the program reports as passed; throws with the text of those that failed, or when it reports none at all. */
export async function checksOf(binary: string, args: string[], options: RunOptions = {}): Promise<string[]> {
  const result = await run(binary, args, options);
  const failed = result.stdout.split(/^(?=not ok|ok)/m).filter((text) => text.startsWith('not ok'));
  const passed = [...result.stdout.matchAll(/^ok - (.*)$/gm)].map((match) => match[1] ?? '');
  if (result.code !== 0 || failed.length > 0 || passed.length === 0)
    throw new Error(`${args[0]} ended with ${result.code ?? result.signal}:\n${failed.join('') || result.stdout}${result.stderr}`);
  return passed;
}

/** A folder on a real file system, removed by `remove`. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'minke-host-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

