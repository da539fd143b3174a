import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';

interface DryRun {
  type: string;
  id: string;
  key: string;
  runs: boolean;
}

const minutes = 60_000;
const home = new URL('../..', import.meta.url).pathname;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-fleet-'));
  // A locked package that is not in the cache is asked for; here nobody answers, and the lock stands.
  writeFileSync(join(folder, 'build.config.yaml'), 'base: osbuild\ndebian: { mirror: "http://127.0.0.1:9/debian", securityMirror: "http://127.0.0.1:9/security" }\n');
  cpSync(join(home, 'machines/locks'), join(folder, 'machines/locks'), { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const osbuild = (...words: string[]) => execa(join(home, 'osbuild'), [...words, '-C', folder], { reject: false, stdin: 'ignore', env: { OSBUILD_CACHE_DIR: join(folder, 'cache') } });
const lines = <T>(text: string): T[] => text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as T);

/** The tasks of `osbuild image`, with the words given, over an empty cache. */
async function planned(...words: string[]): Promise<DryRun[]> {
  const { exitCode, stdout, stderr } = await osbuild('image', ...words, '--dry-run', '--json');
  expect(exitCode, stderr + stdout).toBe(0);
  return lines<DryRun>(stdout).filter(({ type }) => type === 'dry-run');
}
const keys = (tasks: DryRun[]): Map<string, string> => new Map(tasks.map(({ id, key }) => [id, key]));
/** Machines whose disk image is among the tasks. */
const images = (tasks: DryRun[]): string[] => tasks.flatMap(({ id }) => /^image\/([^/]+)\/describe$/.exec(id)?.[1] ?? []);

test('several machines: each has its image, and what they share is made once, as for each alone', { timeout: 5 * minutes }, async () => {
  const names = ['raspberrypi3', 'qemuarm64', 'raspberrypi2'];
  const together = await planned('--machine', names.join(','));
  expect(images(together)).toEqual(names);
  expect(together.every(({ runs }) => runs)).toBe(true);
  expect(keys(together).size).toBe(together.length);
  const alone: DryRun[][] = [];
  for (const name of names) alone.push(await planned('--machine', name));
  expect(keys(together)).toEqual(new Map(alone.flatMap((tasks) => [...keys(tasks)])));
  const shared = (id: string): number => alone.filter((tasks) => keys(tasks).has(id)).length;
  expect(['tools-image/tree', 'engine/bundle', 'engine/compile/armv7hf', 'engine/compile/aarch64'].map(shared)).toEqual([3, 3, 2, 1]);
});

test('--machine may be repeated, and a machine named twice is one', { timeout: 5 * minutes }, async () => {
  expect(images(await planned('-m', 'qemuarm64', '-m', 'qemuarm64,qemuarm'))).toEqual(['qemuarm64', 'qemuarm']);
});

test('--all: every machine of the project, each task once', { timeout: 5 * minutes }, async () => {
  const machines = lines<{ name?: string }>((await osbuild('machines', '--json')).stdout).flatMap(({ name }) => name ?? []);
  expect(machines.length).toBeGreaterThan(20);
  const all = await planned('--all');
  expect(images(all).toSorted()).toEqual(machines.toSorted());
  expect(keys(all).size).toBe(all.length);
});

test('one unknown machine among several: nothing is planned, and it is named with the nearest', { timeout: 2 * minutes }, async () => {
  const { exitCode, stdout } = await osbuild('image', '--machine', 'raspberrypi3,qemuarm65', '--dry-run', '--json');
  expect({ exitCode, told: lines(stdout) }).toMatchObject({ exitCode: 2, told: [{ type: 'error', code: 'OSB_UNKNOWN_MACHINE', message: 'there is no machine called "qemuarm65"', hint: expect.stringContaining('"qemuarm64"') }] });
  expect(await osbuild('image', '--all', '--machine', 'qemuarm64', '--dry-run')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--all and --machine exclude each other') });
});
