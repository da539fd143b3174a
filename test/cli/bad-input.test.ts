import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let folder: string;

beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'osbuild-cli-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

async function osbuild(...args: string[]) {
  const { exitCode, stdout, stderr } = await execa(join(process.cwd(), 'osbuild'), args, { cwd: folder, reject: false, env: { OSBUILD_CACHE_DIR: join(folder, 'cache') } });
  return { exitCode, stdout, stderr };
}

async function project(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries({ 'build.config.yaml': 'base: osbuild\n', ...files })) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

describe('a mistyped word', () => {
  test('as a command', async () => {
    expect(await osbuild('imgae')).toMatchObject({ exitCode: 2, stderr: 'osbuild: there is no command called "imgae"\n  hint: did you mean `osbuild image`?' });
  });

  test('as an option', async () => {
    expect(await osbuild('image', '--machin', 'x')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('did you mean --machine?') });
  });

  test('as a machine', async () => {
    const { exitCode, stderr } = await osbuild('image', '--machine', 'rasberrypi3');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('there is no machine called "rasberrypi3"');
    expect(stderr).toContain('did you mean "raspberrypi3"?');
  });

  test('as a recipe', async () => {
    await project({ 'build.config.yaml': 'base: osbuild\naddRecipes: [dropber]\n' });
    const { exitCode, stderr } = await osbuild('image', '--machine', 'qemuarm64');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('there is no recipe called "dropber"');
    expect(stderr).toContain('did you mean "dropbear"?');
  });

  test('as a key of a recipe, with its place in the file', async () => {
    await project({ 'build.config.yaml': 'base: osbuild\naddRecipes: [mine]\n', 'recipes/mine/recipe.yaml': 'description: Mine\nunits:\n  enabel: [x.service]\n' });
    const { exitCode, stderr } = await osbuild('image', '--machine', 'qemuarm64');
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`${join(folder, 'recipes/mine/recipe.yaml')}:3:3: units.enabel: unknown key "enabel" (did you mean "enable"?)`);
  });
});

test('recipes that need each other are told as a circle', async () => {
  const recipe = (need: string): string => `description: One\nneeds: [${need}]\n`;
  await project({ 'build.config.yaml': 'base: osbuild\naddRecipes: [one]\n', 'recipes/one/recipe.yaml': recipe('two'), 'recipes/two/recipe.yaml': recipe('one') });
  expect(await osbuild('image', '--machine', 'qemuarm64')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('one → two → one') });
});

test('bases that inherit each other are told as a circle', async () => {
  await project({ 'build.config.yaml': 'base: ./other\n', 'other/build.config.yaml': 'base: ..\n' });
  expect(await osbuild('machines')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('circle') });
});

test('a base that is not there is named', async () => {
  await project({ 'build.config.yaml': 'base: ./nowhere\n' });
  expect(await osbuild('machines')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('there is no build.config.yaml in') });
});

test('a project of one’s own overrides a machine by name and inherits the rest', async () => {
  expect((await osbuild('init', 'mine')).exitCode).toBe(0);
  const own = join(folder, 'mine/machines/qemuarm64.yaml');
  await writeFile(own, (await readFile('machines/qemuarm64.yaml', 'utf8')).replace(/^description: .*/m, 'description: My own board'));
  const { stdout } = await osbuild('machines', '--json', '-C', 'mine');
  const machines = stdout.split('\n').map((line) => JSON.parse(line) as { name: string; description: string; file: string });
  expect(machines.find((machine) => machine.name === 'qemuarm64')).toMatchObject({ description: 'My own board', file: own });
  expect(machines.some((machine) => machine.name === 'raspberrypi3')).toBe(true);
  const recipes = (await osbuild('recipes', '--json', '-C', 'mine')).stdout.split('\n').map((line) => JSON.parse(line) as { name: string; inEveryImage: boolean });
  expect(recipes.find((recipe) => recipe.name === 'hello')?.inEveryImage).toBe(true);
  expect(recipes.find((recipe) => recipe.name === 'dropbear')?.inEveryImage).toBe(true);
});

test('init leaves a project that is there as it is', async () => {
  await project({});
  expect(await osbuild('init')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('is there already') });
  expect(await readFile(join(folder, 'build.config.yaml'), 'utf8')).toBe('base: osbuild\n');
});

test('errors are JSON where JSON is asked for', async () => {
  const { exitCode, stdout } = await osbuild('image', '--machine', 'nope', '--json');
  expect(exitCode).toBe(2);
  expect(JSON.parse(stdout.split('\n').at(-1) ?? '')).toMatchObject({ type: 'error', code: 'OSB_UNKNOWN_MACHINE' });
});

test('an empty cache can be asked for its size and pruned', async () => {
  expect(JSON.parse((await osbuild('cache', 'size', '--json')).stdout)).toMatchObject({ totalBytes: 0 });
  expect((await osbuild('cache', 'prune', '--unused-for', '0')).exitCode).toBe(0);
  expect((await osbuild('cache', 'prune', '--unused-for', 'soon')).exitCode).toBe(2);
  expect(await osbuild('cache', 'prune', '--keep', 'little')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('20GB') as unknown });
});
