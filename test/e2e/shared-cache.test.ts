import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterEach, expect, test } from 'vitest';

import { bazelRemote, startBazelRemote } from '../support/bazel-remote.ts';
import { startDavServer, type CacheServer } from '../support/dav-server.ts';
import { hasProgram, need, wholeRun, wholeRunReason } from '../support/need.ts';

const machine = 'raspberrypi3';
const minutes = 60_000;
const servers = [
  { name: 'nginx', start: startDavServer, lack: hasProgram('nginx') ? null : 'nginx is not installed' },
  { name: 'bazel-remote', start: startBazelRemote, lack: bazelRemote === '' ? 'OSBUILD_BAZEL_REMOTE names no such program' : null },
];

let work = '';
let server: CacheServer | null = null;

afterEach(async () => {
  await server?.close();
  if (work !== '') await rm(work, { recursive: true, force: true });
  server = null;
  work = '';
});

interface Event {
  type: string;
  code?: string;
  message?: string;
  tasks?: number;
  toRun?: unknown[];
}

async function osbuild(args: string[], environment: Record<string, string>): Promise<{ exitCode: number | undefined; events: Event[]; all: string }> {
  const result = await execa(join(process.cwd(), 'osbuild'), [...args, '--json'], { env: environment, reject: false, all: true });
  const events = result.stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Event);
  return { exitCode: result.exitCode, events, all: result.all };
}

test.for(servers)('a machine with an empty cache makes the image without running one task, from what another one shared through $name', { timeout: 40 * minutes }, async ({ start, lack }, context) => {
  need(context, wholeRun, wholeRunReason);
  need(context, lack === null, lack ?? '');
  work = await mkdtemp(join(tmpdir(), 'osbuild-shared-'));
  server = await start();
  const remote = { OSBUILD_REMOTE_CACHE: server.url };
  const first = await osbuild(['image', '--machine', machine, '--output', join(work, 'first')], {});
  expect(first.exitCode, first.all).toBe(0);
  const push = await osbuild(['cache', 'push', '--machine', machine], remote);
  expect(push.exitCode, push.all).toBe(0);

  const second = await osbuild(['image', '--machine', machine, '--output', join(work, 'second')], { ...remote, OSBUILD_CACHE_DIR: join(work, 'cache') });
  expect(second.exitCode, second.all).toBe(0);
  expect(second.events.find(({ type }) => type === 'plan')).toMatchObject({ toRun: [] });
  expect(second.events.filter(({ code, type }) => type === 'notice' && code === 'REMOTE_CACHE').map(({ message }) => message).join()).toMatch(/\d+ results taken/);
  const names = await readdir(join(work, 'first'));
  expect(await readdir(join(work, 'second'))).toEqual(names);
  expect(await readFile(join(work, 'second', 'SHA256SUMS'), 'utf8')).toBe(await readFile(join(work, 'first', 'SHA256SUMS'), 'utf8'));
  const check = await execa('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: join(work, 'second'), reject: false, all: true });
  expect(check.exitCode, check.all).toBe(0);

  // The password is nowhere to be read.
  expect(second.all).not.toContain('secret');
});
