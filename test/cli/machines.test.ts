import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';

const home = new URL('../..', import.meta.url).pathname;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-machines-'));
  writeFileSync(join(folder, 'build.config.yaml'), 'base: osbuild\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const osbuild = (...words: string[]) => execa(join(home, 'osbuild'), [...words, '-C', folder], { reject: false, stdin: 'ignore', env: { OSBUILD_CACHE_DIR: join(folder, 'cache') } });

interface Line {
  name?: string;
  aliases?: string[];
  notYet?: Array<{ name: string; why: string }>;
}
async function listed(): Promise<Line[]> {
  const { exitCode, stdout, stderr } = await osbuild('machines', '--json');
  expect(exitCode, stderr).toBe(0);
  return stdout.split('\n').map((line) => JSON.parse(line) as Line);
}

test('machines --json: a line for each machine, then the boards that are not possible yet, with reasons', async () => {
  const lines = await listed();
  const notYet = JSON.parse(readFileSync(join(home, 'machines/not-yet.json'), 'utf8')) as unknown;
  expect(lines.at(-1)).toEqual({ notYet });
  expect(lines.slice(0, -1).every(({ name, notYet: boards }) => name !== undefined && boards === undefined)).toBe(true);
  expect(lines.find(({ name }) => name === 'genericx86-64')?.aliases).toEqual(['intel-nuc']);
}, 60_000);

test('machines --json: boards of a project come with those that it inherits; one that it has a machine file for does not', async () => {
  const [first] = (await listed()).at(-1)?.notYet ?? [];
  const board = { name: 'rare-board', description: 'Rare Board', arch: 'armv7hf', why: 'No kernel.', way: 'A kernel.' };
  mkdirSync(join(folder, 'machines'));
  writeFileSync(join(folder, 'machines/not-yet.json'), JSON.stringify([board]));
  writeFileSync(join(folder, `machines/${first?.name}.yaml`), readFileSync(join(home, 'machines/hummingboard.yaml')));
  const lines = await listed();
  expect(lines.at(-1)?.notYet).toContainEqual(board);
  expect(lines.at(-1)?.notYet?.map(({ name }) => name)).not.toContain(first?.name);
  expect(lines.map(({ name }) => name)).toContain(first?.name);
}, 60_000);

test('an alias selects its machine, and both together are one', async () => {
  const config = async (machine: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await osbuild('yocto', 'export-kas', '--machine', machine, '--json');
    expect(exitCode, stderr).toBe(0);
    return stdout;
  };
  expect(await config('intel-nuc')).toBe(await config('genericx86-64'));
  expect(await config('intel-nuc,genericx86-64')).toContain('"machine":"intel-corei7-64"');
  expect(await osbuild('yocto', 'export-kas', '--machine', 'intel-nux')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('did you mean "intel-nuc"?') });
}, 60_000);

test('an alias that also stands for another machine is refused', async () => {
  mkdirSync(join(folder, 'machines'));
  writeFileSync(join(folder, 'machines/mine.yaml'), readFileSync(join(home, 'machines/genericx86-64.yaml')));
  expect(await osbuild('machines')).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/aliases: "intel-nuc" also stands for (mine|genericx86-64)/) });
}, 60_000);
