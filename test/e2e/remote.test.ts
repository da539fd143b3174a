import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { need, wholeRun, wholeRunReason } from '../support/need.ts';
import { sshServerObstacle, startSshServer, type SshServer } from '../support/ssh-server.ts';

// A whole image on another host, which is this one, reached over SSH: a cache folder of its own, but for what is stored by content, so that only the
// project's own part of the image has to be made there.
const machine = 'qemuarm64';
const minutes = 60_000;
const home = process.cwd();
const userCache = process.env['OSBUILD_CACHE_DIR'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'osbuild');
const obstacle = sshServerObstacle('openssh');

let work: string;
let project: string;
let server: SshServer;

interface Event {
  type: string;
  code?: string;
  id?: string;
  cached?: boolean;
  tasks?: number;
  toRun?: { id: string }[];
}

beforeEach((context) => {
  need(context, wholeRun, wholeRunReason);
  need(context, obstacle === null, obstacle ?? '');
});
beforeAll(async () => {
  if (!wholeRun || obstacle !== null) return;
  server = await startSshServer();
  work = await mkdtemp(join(tmpdir(), 'osbuild-on-'));
  await chmod(work, 0o755);
  project = join(work, 'project');
  await mkdir(join(work, 'home/.ssh'), { recursive: true });
  await writeFile(join(work, 'home/.ssh/known_hosts'), `${server.knownHost}\n`);
  await mkdir(join(work, 'there'));
  for (const part of ['ac', 'apt', 'cas', 'trees']) {
    await mkdir(join(userCache, part), { recursive: true });
    await symlink(join(userCache, part), join(work, 'there', part));
  }
  await execa(join(home, 'osbuild'), ['init', project]);
  await writeFile(join(project, 'recipes/hello/files/usr/share/hello/greeting'), `from afar ${randomUUID()}\n`);
  const config = await readFile(join(project, 'build.config.yaml'), 'utf8');
  await writeFile(join(project, 'build.config.yaml'), `${config}\nremoteBuilders:\n  far: { host: 127.0.0.1, port: ${server.port}, user: ${server.user}, identity: ${server.identity}, cache: ${join(work, 'there')} }\n`);
});
afterAll(async () => {
  await server?.close();
  if (work) await rm(work, { recursive: true, force: true });
});

async function osbuild(words: string[], environment: Record<string, string>): Promise<Event[]> {
  const { exitCode, stdout, all } = await execa(join(home, 'osbuild'), ['image', '--machine', machine, '-C', project, '--json', ...words], { env: environment, reject: false, all: true });
  expect(exitCode, all).toBe(0);
  return stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Event);
}
const digests = (folder: string): Promise<string> => readFile(join(folder, 'SHA256SUMS'), 'utf8');

test('an image is made on another host, lands here whole, and is the one that would have been made here', { timeout: 60 * minutes }, async () => {
  const [far, near] = [join(work, 'far'), join(work, 'near')];
  const there = await osbuild(['--on', 'far', '--output', far], { HOME: join(work, 'home'), OSBUILD_CACHE_DIR: join(work, 'here') });
  expect(there.filter(({ code }) => code === 'REMOTE_HOST' || code === 'REMOTE_INSTALL').map(({ code }) => code)).toEqual(['REMOTE_HOST', 'REMOTE_INSTALL']);
  const made = there.flatMap(({ type, id, cached }) => (type === 'task-done' && cached === false ? [id ?? ''] : []));
  expect(made).toEqual(expect.arrayContaining([expect.stringMatching(/^remote\/send/), expect.stringMatching(/^image\/qemuarm64\//), expect.stringMatching(/^remote\/fetch/)]));
  expect((await execa('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: far, reject: false, all: true })).all).toBe('');

  // Where a tree lies on the other host says nothing about what comes of it: here not one task is left to run.
  const here = await osbuild(['--output', near], {});
  expect(here.find(({ type }) => type === 'plan')).toMatchObject({ toRun: [] });
  expect(await digests(near)).toBe(await digests(far));
});
