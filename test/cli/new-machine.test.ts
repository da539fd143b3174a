import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { need } from '../support/need.ts';
import { noTerminals, Session, terminals } from '../support/session.ts';

const home = new URL('../..', import.meta.url).pathname;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-new-machine-'));
  writeFileSync(join(folder, 'build.config.yaml'), 'base: osbuild\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const osbuild = (...words: string[]) => execa(join(home, 'osbuild'), [...words, '-C', folder], { reject: false, stdin: 'ignore' });
const wandboard = ['new-machine', 'wandboard', '--like', 'hummingboard', '--board', 'Wandboard', '--device-tree', 'imx6q-wandboard.dtb'];

test('a port starts with a machine file of the project that the program takes', async () => {
  expect(await osbuild(...wandboard, '--u-boot', 'usr/lib/u-boot/wandboard/u-boot.img')).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('boot.areas: hold offsets') });
  expect(await osbuild('new-machine', 'pi', '--like', 'hummingboard', '--board', 'Pi', '--device-tree', 'x.dtb', '--u-boot', 'usr/lib/u-boot/orangepi_pc_plus/u-boot.bin', '--u-boot-package', 'u-boot-sunxi')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('boot.areas: those of hummingboard were left out'),
  });
  const { stdout } = await osbuild('machines', '--json');
  const made = stdout.split('\n').map((line) => JSON.parse(line) as { name: string }).find(({ name }) => name === 'wandboard');
  expect(made).toMatchObject({ description: 'Wandboard', arch: 'armv7hf', file: join(folder, 'machines/wandboard.yaml') });
}, 180_000);

test('nothing is overwritten, and nothing written when something is missing or wrong', async () => {
  mkdirSync(join(folder, 'machines'));
  writeFileSync(join(folder, 'machines/mine.yaml'), readFileSync(join(home, 'machines/qemuarm.yaml')));
  expect(await osbuild('new-machine', 'mine', '--like', 'qemuarm', '--board', 'x')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('is there already') });
  expect(await osbuild('new-machine', 'other', '--like', 'hummingbord', '--board', 'x')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('did you mean "hummingboard"?') });
  expect(await osbuild('new-machine', 'other', '--like', 'hummingboard', '--board', 'x')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--device-tree is needed') });
  expect(await osbuild('new-machine', '../other')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('cannot be the name') });
  expect(await osbuild(...wandboard, '--u-boot-package', 'u-boot-imx')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('needs --u-boot') });
  expect((await osbuild('machines', '--json')).stdout).not.toContain('"name":"other"');
}, 180_000);

test('on a terminal it asks, one question after the other, for what was not said', async (context) => {
  const spawn = await terminals();
  need(context, spawn !== null, noTerminals);
  if (spawn === null) return;
  const session = new Session(spawn, join(home, 'osbuild'), ['new-machine', 'wandboard', '-C', folder, '--console', 'ttymxc0']);
  for (const [question, answer] of [
    ['Which machine is most like it? (', ' hummingboard '],
    ['Name of the board', 'Wandboard Quad'],
    ['device trees', 'imx6q-wandboard{,-revb1}.dtb, imx6dl-wandboard.dtb'],
    ['Its U-Boot inside the package (empty: usr/lib/u-boot/', ''],
  ] as const) {
    await session.until(question);
    session.terminal.write(`${answer}\r`);
  }
  expect(await session.ended, session.output).toBe(0);
  expect(session.output).toContain('Next: osbuild image --machine wandboard');
  expect(session.output).not.toContain('serial console');
  const made = (await osbuild('machines', '--json')).stdout.split('\n').map((line) => JSON.parse(line) as { name: string }).find(({ name }) => name === 'wandboard');
  expect(made).toMatchObject({ description: 'Wandboard Quad', kernel: { deviceTrees: ['imx6q-wandboard{,-revb1}.dtb', 'imx6dl-wandboard.dtb'], commandLine: expect.arrayContaining([expect.stringContaining('console=ttymxc0')]) } });
}, 180_000);

test.for([['Ctrl-C', '\x03'], ['Ctrl-D', '\x04']] as const)('%s at a question leaves nothing behind', { timeout: 180_000 }, async ([, key], context) => {
  const spawn = await terminals();
  need(context, spawn !== null, noTerminals);
  if (spawn === null) return;
  const session = new Session(spawn, join(home, 'osbuild'), ['new-machine', 'wandboard', '-C', folder, '--like', 'hummingboard']);
  await session.until('Name of the board');
  session.terminal.write(key);
  expect(await session.ended, session.output).toBe(130);
  expect(session.output).toContain('osbuild: cancelled');
  expect(readdirSync(folder)).toEqual(['build.config.yaml']);
});
