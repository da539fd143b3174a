import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const recipes = new URL('../../recipes', import.meta.url).pathname;
const early = join(recipes, 'splash/initrd/lib/early-splash.sh');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-splash-'));
  for (const name of ['initrd', 'sbin']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'initrd/splash.png'), 'picture');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs lines after the initrd's messages and this part, with a program that does what `program` says; `/usr/sbin` is a folder of the test. */
function run(program: string, lines: string, { room = join(folder, 'run'), commandLine = 'quiet' } = {}): { status: number | null; stdout: string } {
  writeFileSync(join(folder, 'cmdline'), `${commandLine}\n`);
  writeFileSync(join(folder, 'sbin/minke-splash'), `#!/bin/sh\n${program}\n`);
  chmodSync(join(folder, 'sbin/minke-splash'), 0o755);
  const part = readFileSync(early, 'utf8').replaceAll('/usr/sbin/', `${folder}/sbin/`);
  writeFileSync(join(folder, 'early.sh'), part);
  const script = `. ${recipes}/initrd/initrd/lib/console.sh\nproc=${folder}\nlists=${folder}/modules\nsplash=${room}\nPATH=${folder}/sbin:$PATH\nsay() { echo "say: $*"; }\nwarn() { echo "warn: $*"; }\n. ${folder}/early.sh\nwait\n${lines}`;
  return spawnSync('sh', ['-c', script], { encoding: 'utf8' });
}

test('is valid for sh, and shellcheck finds nothing', () => {
  expect(spawnSync('sh', ['-n', early], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  if (spawnSync('shellcheck', ['--version']).error === undefined) expect(spawnSync('shellcheck', ['-s', 'sh', '-e', 'SC2154,SC2034', early], { encoding: 'utf8' }).stdout).toBe('');
});

test('the program and the picture are left for the system, and the picture is shown from there', () => {
  const { status, stdout } = run(`echo "$*" >>${folder}/called`, 'echo on; exec true');
  expect([status, stdout]).toEqual([0, 'on\n']);
  expect(readFileSync(join(folder, 'called'), 'utf8')).toBe(`show ${folder}/run/splash.png\n`);
  expect(readFileSync(join(folder, 'run/splash.png'), 'utf8')).toBe('picture');
});

test('minke.splash=off leaves the screen to text, and nothing for the system to go on with', () => {
  const { status, stdout } = run(`echo "$*" >>${folder}/called`, 'echo on; exec true', { commandLine: 'quiet minke.splash=off minke.slot=A' });
  expect([status, stdout]).toEqual([0, 'on\n']);
  expect([existsSync(join(folder, 'called')), existsSync(join(folder, 'run'))]).toEqual([false, false]);
});

test('a picture that cannot be shown is told of, and the start goes on', () => {
  expect(run('echo "minke-splash: /dev/fb0 has no true colours" >&2; exit 1', 'echo on')).toMatchObject({ status: 0, stdout: 'warn: minke-splash: /dev/fb0 has no true colours\non\n' });
});

test('so is a folder that cannot be made', () => {
  writeFileSync(join(folder, 'file'), '');
  const { status, stdout } = run('exit 0', 'echo on', { room: join(folder, 'file/below') });
  expect([status, stdout]).toEqual([0, 'warn: no picture: there is no room for it\non\n']);
});

test('the last words of a start that failed are preceded by text mode', () => {
  run(`echo "$*" >>${folder}/called`, 'show_text; exec true');
  expect(readFileSync(join(folder, 'called'), 'utf8').trim().split('\n').at(-1)).toBe('text');
  expect(readFileSync(join(recipes, 'initrd/initrd/lib/console.sh'), 'utf8')).toMatch(/^die\(\) \{\n {2}show_text\n/m);
});

test('so is an init that ends for another reason, which makes the kernel panic', () => {
  expect(run(`echo "$*" >>${folder}/called`, 'exit 3').status).toBe(3);
  expect(readFileSync(join(folder, 'called'), 'utf8').trim().split('\n')).toEqual([`show ${folder}/run/splash.png`, 'text']);
});

test('an initrd without this recipe has nothing to do for it', () => {
  expect(spawnSync('sh', ['-c', `. ${recipes}/initrd/initrd/lib/console.sh; show_text && echo on`], { encoding: 'utf8' }).stdout).toBe('on\n');
  expect(existsSync(early)).toBe(true);
});
