import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { runBitbake } from '../../../src/providers/yocto/bitbake/run.ts';
import { assignment } from '../../../src/providers/yocto/conf/assignment.ts';
import { bblayersConf } from '../../../src/providers/yocto/conf/bblayers.ts';
import { isRoot } from '../../support/need.ts';
import { bitbake, core, needBitbake, needYocto } from './checkouts.ts';
import { probeSettings, writeProbeLayer } from './probe-layer.ts';
import { home } from './support.ts';

const there = bitbake !== '' && core !== '';

let build: string;
const lines: string[] = [];

function write(path: string, text: string): void {
  mkdirSync(dirname(join(build, path)), { recursive: true });
  writeFileSync(join(build, path), text);
}

beforeAll(() => {
  build = mkdtempSync(join(tmpdir(), 'osbuild-bitbake-'));
  if (!there) return;
  writeProbeLayer(join(build, 'layer'), {
    'probe-good': 'do_probe() {\n\techo built > ${TOPDIR}/good\n}\n',
    'probe-bad': 'do_probe() {\n\techo the reason is here\n\texit 3\n}\n',
    'probe-long': 'do_probe() {\n\techo $$ > ${TOPDIR}/long\n\tsleep 571\n}\n',
    'probe-full': 'do_probe() {\n\tdd if=/dev/zero of=${TOPDIR}/small/file bs=1M count=64\n}\n',
    'probe-slow': 'do_probe() {\n\tsleep 30\n}\n',
  });
  write('conf/bblayers.conf', bblayersConf([join(core, 'meta'), join(build, 'layer')]));
  const settings = Object.entries(probeSettings).map(([name, value]) => assignment(name, value)).join('');
  write('conf/local.conf', `MACHINE = "qemuarm64"\n${settings}BB_NUMBER_THREADS = "2"\nTMPDIR = "\${TOPDIR}/tmp"\n`);
  mkdirSync(join(build, 'home'));
});
afterAll(() => rmSync(build, { recursive: true, force: true }));

function run(target: string, signal = new AbortController().signal) {
  lines.length = 0;
  return runBitbake({
    folders: { bitbake, core, build, home: join(build, 'home') },
    targets: [target],
    watch: join(home, 'layers/meta-minke/lib/minke/watch.py'),
    uid: process.getuid?.() ?? 0,
    hostEnvironment: { PATH: process.env['PATH'] ?? '' },
    signal,
    log: (line) => lines.push(line),
    progress: () => undefined,
    notice: () => undefined,
  });
}

/** Processes that have the build folder among their words. */
const processes = (): Array<{ pid: number; words: string }> =>
  readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return words.includes(build) && Number(pid) !== process.pid ? [{ pid: Number(pid), words }] : [];
    } catch {
      return [];
    }
  });

const running = (): string[] => processes().map(({ words }) => words);

/** Runs something as soon as a line is in the log. */
async function once(line: string, then: () => void): Promise<void> {
  while (!lines.includes(line)) await new Promise((resolve) => setTimeout(resolve, 100));
  then();
}

describe('real bitbake', { timeout: 300_000 }, () => {
  beforeEach((context) => needBitbake(context));

  test('builds as an ordinary user, and every task is seen', async () => {
    const state = await run('probe-good');
    expect(state).toMatchObject({ end: 'ok', failures: [] });
    expect(state.total).toBeGreaterThan(0);
    expect(readFileSync(join(build, 'good'), 'utf8')).toBe('built\n');
    expect(lines).toContain('finished probe-good do_probe');
    expect(running()).toEqual([]);
  });

  test('a failed task is named, with the end of its log', async () => {
    await expect(run('probe-bad')).rejects.toMatchObject({ code: 'OSB_BITBAKE_FAILED', message: 'bitbake: do_probe of probe-bad failed' });
    expect(lines.join('\n')).toContain('the reason is here');
    expect(running()).toEqual([]);
  });

  test('configuration that cannot be read: the reason is the message', async () => {
    write('conf/auto.conf', 'require conf/nowhere-to-be-found.inc\n');
    try {
      await expect(run('probe-good')).rejects.toMatchObject({ code: 'OSB_BITBAKE_FAILED', message: expect.stringContaining('nowhere-to-be-found.inc') });
    } finally {
      rmSync(join(build, 'conf/auto.conf'));
    }
  });

  test('a target that nothing provides', async () => {
    await expect(run('probe-nothing')).rejects.toMatchObject({ code: 'OSB_BITBAKE_FAILED', message: expect.stringContaining('probe-nothing') });
  });

  test('cancelled in the middle of a task: no server and no task is left', async () => {
    const abort = new AbortController();
    const ended = run('probe-long', abort.signal);
    await Promise.all([expect(ended).rejects.toMatchObject({ code: 'OSB_CANCELLED' }), once('started  probe-long do_probe', () => abort.abort())]);
    expect(running()).toEqual([]);
  });

  test('the server is killed in mid-build: said so, and no task is left', async () => {
    const ended = run('probe-long');
    const kill = (): void => {
      // Of the processes that are called so, the server is the one that the others are children of.
      const [server] = processes().filter(({ words }) => words.includes('bitbake-server')).toSorted((a, b) => a.pid - b.pid);
      if (server === undefined) throw new Error('there is no server');
      process.kill(server.pid, 'SIGKILL');
    };
    await Promise.all([expect(ended).rejects.toMatchObject({ code: 'OSB_BITBAKE_FAILED', message: expect.stringContaining('server ended in mid-build') }), once('started  probe-long do_probe', kill)]);
    expect(running()).toEqual([]);
  });

  test('everything is killed in mid-build: an error, nothing is left, and the next build works', async () => {
    const ended = run('probe-long');
    const kill = (): void => {
      const outer = processes().find(({ words }) => words.startsWith('unshare '));
      if (outer === undefined) throw new Error('there is no namespace');
      process.kill(outer.pid, 'SIGKILL');
    };
    await Promise.all([expect(ended).rejects.toMatchObject({ code: 'OSB_BITBAKE_FAILED', message: expect.stringContaining('before the build was over') }), once('started  probe-long do_probe', kill)]);
    await expect.poll(running, { timeout: 30_000 }).toEqual([]);
    expect(await run('probe-good')).toMatchObject({ end: 'ok' });
  });

  test('a full disk is told from a task that fails, and the next build goes on when there is room', async (context) => {
    needYocto(context, isRoot, 'a small file system is mounted, which wants root');
    const small = join(build, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=0777', 'tmpfs', small]);
    try {
      await expect(run('probe-full')).rejects.toMatchObject({ code: 'OSB_DISK_FULL', hint: expect.stringContaining('OSBUILD_CACHE_DIR') });
      execFileSync('mount', ['-o', 'remount,size=128m', small]);
      expect(await run('probe-full')).toMatchObject({ end: 'ok' });
    } finally {
      execFileSync('umount', [small]);
    }
  });

  test('bitbake stops by itself before a disk is full', async () => {
    write('conf/auto.conf', 'BB_DISKMON_DIRS = "HALT,${TOPDIR},1000000G,"\nBB_DISKMON_WARNINTERVAL = ""\n');
    try {
      await expect(run('probe-slow')).rejects.toMatchObject({ code: 'OSB_DISK_FULL' });
      expect(running()).toEqual([]);
    } finally {
      rmSync(join(build, 'conf/auto.conf'));
    }
  });
});
