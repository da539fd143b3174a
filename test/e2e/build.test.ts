import { randomUUID } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa, type Options } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { hasProgram, isRoot, need, wholeRun, wholeRunReason } from '../support/need.ts';

// Whole builds of one machine, as a user runs them. The first one fills the cache that the user has anyway.
const machine = 'qemuarm64';
const minutes = 60_000;
const home = process.cwd();
const userCache = process.env['OSBUILD_CACHE_DIR'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'osbuild');

/** Text that no earlier run has left in the cache, whose results outlive a run of the tests. */
const unseen = (word: string): string => `${word} ${randomUUID()}\n`;

let work: string;
let project: string;
let greeting: string;

beforeAll(async () => {
  if (!wholeRun) return;
  work = await mkdtemp(join(tmpdir(), 'osbuild-e2e-'));
  await chmod(work, 0o755);
  project = join(work, 'project');
  greeting = join(project, 'recipes/hello/files/usr/share/hello/greeting');
  await osbuild(['init', project]);
});
beforeEach((context) => need(context, wholeRun, wholeRunReason));
afterAll(async () => {
  if (work) await rm(work, { recursive: true, force: true });
});

async function osbuild(args: string[], options: Options = {}) {
  const result = await execa(join(home, 'osbuild'), args, { reject: false, all: true, ...options });
  return { exitCode: result.exitCode, all: String(result.all), stdout: String(result.stdout) };
}

const build = (options: Options = {}, ...more: string[]) => osbuild(['image', '--machine', machine, '-C', project, ...more], options);

async function artifacts(folder: string): Promise<Record<string, string>> {
  const record = JSON.parse(await readFile(join(folder, '.artifacts.json'), 'utf8')) as Record<string, { sha256: string }>;
  return Object.fromEntries(Object.entries(record).map(([name, { sha256 }]) => [name, sha256]));
}

describe('an image', () => {
  test('is built, with all its papers', { timeout: 40 * minutes }, async () => {
    const result = await build();
    expect(result.exitCode, result.all).toBe(0);
    const names = Object.keys(await artifacts(join(project, 'out', machine)));
    for (const part of [/\.img\.zst$/, /\.bmap$/, /^SHA256SUMS$/, /^manifest\.json$/, /^sbom\..*json$/, /^image\.json$/]) expect(names.some((name) => part.test(name)), String(part)).toBe(true);
    const check = await execa('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: join(project, 'out', machine), reject: false, all: true });
    expect(check.exitCode, check.all).toBe(0);
  });

  test('is not built again when nothing changed, nor without a network', { timeout: 5 * minutes }, async (context) => {
    need(context, isRoot, 'a network namespace without interfaces wants root');
    const result = await execa('unshare', ['--net', join(home, 'osbuild'), 'image', '--machine', machine, '-C', project, '--json'], { reject: false });
    expect(result.exitCode, result.stderr).toBe(0);
    const plan = result.stdout.split('\n').map((line) => JSON.parse(line) as { type: string; toRun?: unknown[] }).find((event) => event.type === 'plan');
    expect(plan?.toRun).toEqual([]);
  });

  test('is built without a network after a file of a recipe changed; `why` names that file', { timeout: 10 * minutes }, async (context) => {
    need(context, isRoot, 'a network namespace without interfaces wants root');
    const before = await artifacts(join(project, 'out', machine));
    await writeFile(greeting, unseen('changed'));
    const why = await osbuild(['why', '--machine', machine, '-C', project]);
    expect(why.stdout).toContain('files/usr/share/hello/greeting changed');
    const result = await execa('unshare', ['--net', join(home, 'osbuild'), 'image', '--machine', machine, '-C', project], { reject: false, all: true });
    expect(result.exitCode, result.all).toBe(0);
    expect(await artifacts(join(project, 'out', machine))).not.toEqual(before);
  });

  test('comes back from the cache byte by byte when the change is undone', { timeout: 10 * minutes }, async () => {
    await writeFile(greeting, 'one\n');
    expect((await build()).exitCode).toBe(0);
    const one = await artifacts(join(project, 'out', machine));
    await writeFile(greeting, unseen('two'));
    expect((await build()).exitCode).toBe(0);
    await writeFile(greeting, 'one\n');
    const again = await build({}, '--json');
    expect(again.all).toContain('"toRun":[]');
    expect(await artifacts(join(project, 'out', machine))).toEqual(one);
  });

  test('survives a Ctrl-C in the middle: the next build continues and ends with the same bytes', { timeout: 15 * minutes }, async () => {
    const before = await artifacts(join(project, 'out', machine));
    const text = await readFile(greeting, 'utf8');
    await writeFile(greeting, unseen('interrupted'));
    const running = execa(join(home, 'osbuild'), ['image', '--machine', machine, '-C', project], { reject: false, all: true });
    running.all.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('▶')) setTimeout(() => running.kill('SIGINT'), 700);
    });
    const result = await running;
    expect(result.exitCode, result.all).toBe(130);
    await writeFile(greeting, text);
    expect((await build()).exitCode).toBe(0);
    expect(await artifacts(join(project, 'out', machine))).toEqual(before);
  });

  test('is made again from a damaged cache, with the same bytes and a word about it', { timeout: 15 * minutes }, async () => {
    const before = await artifacts(join(project, 'out', machine));
    const dot = await osbuild(['graph', '--machine', machine, '-C', project, '--json']);
    const finish = dot.stdout.split('\n').map((line) => JSON.parse(line) as { id: string; key: string }).find((task) => task.id === `debian/${machine}/root`);
    const result = JSON.parse(await readFile(join(userCache, 'ac', String(finish?.key).slice(0, 2), `${finish?.key}.json`), 'utf8')) as { files: Record<string, { sha256: string }> };
    const sha256 = result.files['rootfs.tar']?.sha256 ?? '';
    const blob = join(userCache, 'cas', sha256.slice(0, 2), sha256);
    await chmod(blob, 0o644);
    const content = await readFile(blob);
    content[content.length >> 1] = (content[content.length >> 1] ?? 0) ^ 1;
    await writeFile(blob, content);
    for (const key of await keysAfter(String(finish?.id))) await rm(join(userCache, 'ac', key.slice(0, 2), `${key}.json`), { force: true });
    const rebuilt = await build();
    expect(rebuilt.exitCode, rebuilt.all).toBe(0);
    expect(rebuilt.all).toContain('is damaged; it is made again');
    expect(await artifacts(join(project, 'out', machine))).toEqual(before);
  });

  test('two builds at once do not harm each other', { timeout: 20 * minutes }, async () => {
    await writeFile(greeting, unseen('both'));
    const other = join(work, 'other');
    await cp(project, other, { recursive: true });
    await rm(join(other, 'out'), { recursive: true });
    const [one, two] = await Promise.all([build(), osbuild(['image', '--machine', machine, '-C', other])]);
    expect(one.exitCode, one.all).toBe(0);
    expect(two.exitCode, two.all).toBe(0);
    expect(await artifacts(join(project, 'out', machine))).toEqual(await artifacts(join(other, 'out', machine)));
  });

  test('has the same bytes from another folder, another user, another umask and an empty cache', { timeout: 60 * minutes }, async (context) => {
    need(context, isRoot && hasProgram('setpriv'), 'becoming another user wants root');
    await writeFile(greeting, 'hello from a project of my own\n');
    expect((await build()).exitCode).toBe(0);
    const copy = join(work, 'elsewhere', 'deeper');
    await mkdir(copy, { recursive: true });
    for (const name of ['osbuild', 'package.json', 'package-lock.json', 'tsconfig.json', 'build.config.yaml', 'machines', 'recipes', 'src', 'node_modules']) {
      await cp(join(home, name), join(copy, name), { recursive: true, verbatimSymlinks: true });
    }
    await cp(project, join(copy, 'project'), { recursive: true, filter: (path) => !path.includes(`${project}/out`) });
    await execa('chown', ['-R', '65534:65534', join(work, 'elsewhere')]);
    const env = { HOME: join(work, 'elsewhere'), OSBUILD_CACHE_DIR: join(work, 'elsewhere', 'cache'), TZ: 'Asia/Tokyo' };
    const command = `umask 077; exec ./osbuild image --machine ${machine} -C project`;
    const result = await execa('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'sh', '-c', command], { cwd: copy, env, reject: false, all: true });
    expect(result.exitCode, result.all).toBe(0);
    expect(await artifacts(join(copy, 'project', 'out', machine))).toEqual(await artifacts(join(project, 'out', machine)));
  });
});

describe('what goes wrong', () => {
  test('a full disk is told, with what to do, and nothing half-made stays', { timeout: 15 * minutes }, async (context) => {
    need(context, isRoot, 'mounting a small disk wants root');
    const small = join(work, 'small');
    await mkdir(small, { recursive: true });
    const script = `mount -t tmpfs -o size=64m small ${small} && OSBUILD_CACHE_DIR=${small} ${home}/osbuild image --machine ${machine} -C ${project}`;
    const result = await execa('unshare', ['--mount', 'sh', '-c', script], { reject: false, all: true });
    expect(result.exitCode, result.all).toBe(1);
    expect(result.all).toMatch(/no space left/i);
    expect(result.all).toContain('OSBUILD_CACHE_DIR');
    expect(result.stdout).toBe('');
  });

  test('a package that does not exist is named with who asked for it', { timeout: 10 * minutes }, async () => {
    await using(join(project, 'recipes/hello/recipe.yaml'), (text) => text.replace('debian: []', 'debian: [dropbear-bim]'), async () => {
      const { exitCode, all } = await build();
      expect(exitCode, all).toBe(2);
      expect(all).toContain('dropbear-bim');
      expect(all).toContain('hello');
      expect(all).toContain('dropbear-bin');
    });
  });

  test('an image that does not fit its partition says which, and by how much; another machine gets its image all the same', { timeout: 15 * minutes }, async () => {
    const own = join(project, 'machines', `${machine}.yaml`);
    const text = await readFile(join(home, 'machines', `${machine}.yaml`), 'utf8');
    await writeFile(own, text.replace(/^disk:\n/m, 'disk:\n  root: 40MiB\n').replace(/(\n  root: 40MiB\n(?:.*\n)*?)  root: \d+MiB\n/, '$1'));
    try {
      const { exitCode, all } = await build({}, '--machine', 'raspberrypi3', '--output', join(work, 'two'));
      expect(exitCode, all).toBe(1);
      expect(all).toMatch(/root/);
      expect(all).toMatch(/MiB|MB/);
      expect(all).toContain(`1 of 2 images could not be built: ${machine}`);
      expect(Object.keys(await artifacts(join(work, 'two', 'raspberrypi3')))).toContain('SHA256SUMS');
    } finally {
      await rm(own);
    }
  });

  test('a mirror that is down is told when something must be fetched', { timeout: 10 * minutes }, async () => {
    const config = join(project, 'build.config.yaml');
    await using(config, (text) => `${text}\ndebian:\n  mirror: http://127.0.0.1:9/debian\n  securityMirror: http://127.0.0.1:9/debian-security\n`, async () => {
      const { exitCode, all } = await build({ env: { OSBUILD_CACHE_DIR: join(work, 'empty') } });
      expect(exitCode, all).toBe(1);
      expect(all).toMatch(/127\.0\.0\.1/);
      expect(all).toContain('hint');
    });
  });
});

/** Keys of the tasks that come after one, in the order of the graph. */
async function keysAfter(id: string): Promise<string[]> {
  const { stdout } = await osbuild(['graph', '--machine', machine, '-C', project, '--json']);
  const all = stdout.split('\n').map((line) => JSON.parse(line) as { id: string; key: string; needs: string[] });
  const after = new Set([id]);
  for (const task of all) if (task.needs.some((needed) => after.has(needed))) after.add(task.id);
  return all.filter((task) => task.id !== id && after.has(task.id)).map((task) => task.key);
}

/** Changes a file for the time of `work`. */
async function using(file: string, change: (text: string) => string, work: () => Promise<void>): Promise<void> {
  const text = await readFile(file, 'utf8');
  await writeFile(file, change(text));
  try {
    await work();
  } finally {
    await writeFile(file, text);
  }
}
