import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';

import { hasProgram, isRoot, wholeRun, wholeRunReason } from '../../support/need.ts';
import { startSshServer, type SshServer } from '../../support/ssh-server.ts';
import { bitbake, core, needBitbake, needYocto } from './checkouts.ts';
import { probeSettings, writeProbeLayer } from './probe-layer.ts';
import { home } from './support.ts';

// Real bitbake on another host, which is this one over SSH: the program, the project and the layers in it are sent, and what
// bitbake does is seen here. The host's cache is the usual one, since tools are no part of this.
const locked = isRoot && /^root:!/m.test(readFileSync('/etc/shadow', 'utf8'));
const sshd = existsSync('/usr/sbin/sshd') && hasProgram('ssh-keygen') && !locked;
const cache = process.env['OSBUILD_CACHE_DIR'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'osbuild');
const machine = 'qemuarm64';
const minutes = 60_000;

let server: SshServer;
let work: string;

function write(path: string, text: string): void {
  mkdirSync(dirname(join(work, path)), { recursive: true });
  writeFileSync(join(work, path), text);
}

const there = bitbake !== '' && core !== '' && sshd && wholeRun;

beforeAll(async () => {
  if (!there) return;
  work = mkdtempSync(join(tmpdir(), 'osbuild-yocto-remote-'));
  server = await startSshServer();
  write('home/.ssh/known_hosts', `${server.knownHost}\n`);
  const copied = (from: string, to: string, parts: string[]): void => parts.forEach((part) => cpSync(join(from, part), join(work, 'project/layers', to, part), { recursive: true, verbatimSymlinks: true, filter: (path) => !/\/meta\/recipes-(sato|graphics|multimedia|gnome|rt)\b/.test(path) }));
  copied(bitbake, 'bitbake', ['bin', 'lib']);
  copied(core, 'openembedded-core', ['meta', 'scripts']);
  writeProbeLayer(join(work, 'project/layers/meta-probe'), {
    'probe-kernel': 'PROVIDES += "virtual/kernel virtual/bootloader"\n',
    'probe-bad': 'do_probe() {\n\techo the reason is here\n\texit 3\n}\n',
    'probe-long': 'do_probe() {\n\tsleep 573\n}\n',
  });
}, 10 * minutes);
afterAll(async () => {
  if (!there) return;
  await server.close();
  rmSync(work, { recursive: true, force: true });
});
beforeEach((context) => {
  needBitbake(context);
  needYocto(context, sshd, 'needs /usr/sbin/sshd (openssh-server), and an account that is not locked');
  needYocto(context, wholeRun, wholeRunReason);
});

type Line = { type: string; id?: string; code?: string; message?: string; detail?: string; log?: { path: string; tail: string[] } };

/** Builds with this recipe as the image; `seen` gets every event. */
async function build(recipe: string, seen: (line: Line) => void): Promise<{ exitCode: number | undefined; lines: Line[] }> {
  const layers = Object.fromEntries(['bitbake', 'openembedded-core', 'meta-probe'].map((name) => [name, { path: `layers/${name}`, ...(name === 'openembedded-core' ? { folders: ['meta'] } : {}) }]));
  write(
    'project/build.config.yaml',
    stringify({
      base: 'osbuild',
      remoteBuilders: { loop: { host: '127.0.0.1', port: server.port, user: server.user, identity: server.identity, cache } },
      yocto: { image: recipe, initrdImage: recipe, layers, use: ['meta-probe'], settings: { ...probeSettings, 'PREFERRED_PROVIDER_virtual/kernel:forcevariable': 'probe-kernel', 'PREFERRED_PROVIDER_virtual/bootloader:forcevariable': 'probe-kernel' } },
    }),
  );
  const child = execa(join(home, 'osbuild'), ['image', '--machine', machine, '--provider', 'yocto', '--on', 'loop', '--json', '-C', join(work, 'project')], { reject: false, env: { HOME: join(work, 'home'), OSBUILD_CACHE_DIR: join(work, 'here') } });
  const lines: Line[] = [];
  for await (const text of child) {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    seen(line);
  }
  return { exitCode: (await child).exitCode, lines };
}

/** What runs of the bitbake that was sent. */
const running = (): string[] =>
  readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return /\/remote\/trees\/\S*\/(layers\/bitbake\/bin|layers\/meta-minke\/lib)\/|^sleep 573/.test(words) ? [words] : [];
    } catch {
      return [];
    }
  });

describe('bitbake on another host', { timeout: 20 * minutes }, () => {
  test('what it does is seen here, and a failed task is told with the log\'s end', async () => {
    const { exitCode, lines } = await build('probe-bad', () => undefined);
    expect(exitCode).not.toBe(0);
    const own = lines.filter(({ id }) => id === `yocto/${machine}/image`);
    expect(own.map(({ type }) => type)).toEqual(expect.arrayContaining(['task-start', 'task-progress', 'task-failed']));
    expect(own.find(({ type }) => type === 'task-failed')).toMatchObject({ code: 'OSB_BITBAKE_FAILED', message: 'bitbake: do_probe of probe-bad failed' });
    expect(own.find(({ type }) => type === 'task-failed')?.log?.tail.join('\n')).toContain('the reason is here');
    expect(own.find(({ type }) => type === 'task-failed')?.log?.path).toContain('127.0.0.1');
    expect(running()).toEqual([]);
  });

  test('the connection breaks in the middle of a task: it is said, and neither server nor task is left there', async () => {
    let dropped = false;
    const { exitCode, lines } = await build('probe-long', ({ detail }) => {
      if (dropped || detail?.includes('probe-long do_probe') !== true) return;
      dropped = true;
      expect(running()).not.toEqual([]);
      server.drop();
    });
    expect(dropped, JSON.stringify(lines.slice(-5))).toBe(true);
    expect(exitCode).not.toBe(0);
    expect(lines.find(({ type }) => type === 'error')).toMatchObject({ code: 'OSB_REMOTE_HOST', message: expect.stringContaining('was lost') });
    await expect.poll(running, { timeout: 2 * minutes, interval: 500 }).toEqual([]);
  });
});
