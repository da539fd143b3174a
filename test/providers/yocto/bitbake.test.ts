import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { runBitbake } from '../../../src/providers/yocto/bitbake/run.ts';
import { bblayersConf } from '../../../src/providers/yocto/conf/bblayers.ts';
import { need } from '../../support/need.ts';
import { home } from './support.ts';

/** Checkouts of bitbake 2.8 and of openembedded-core, branch scarthgap, where the test may use them. */
const bitbake = process.env['OSBUILD_BITBAKE'] ?? '';
const core = process.env['OSBUILD_OE_CORE'] ?? '';
const there = bitbake !== '' && core !== '';

/** Real tasks of bitbake without a toolchain: nothing but what the shell can do is built. */
const probe = `SUMMARY = "probe"
LICENSE = "MIT"
INHIBIT_DEFAULT_DEPS = "1"
PATCHDEPENDENCY = ""
PATCHDEPENDENCY:class-target = ""
EXCLUDE_FROM_WORLD = "1"
inherit nopackages
do_fetch[noexec] = "1"
do_unpack[noexec] = "1"
do_patch[noexec] = "1"
do_configure[noexec] = "1"
do_install[noexec] = "1"
do_populate_lic[noexec] = "1"
do_populate_sysroot[noexec] = "1"
do_compile[noexec] = "1"
addtask probe after do_configure before do_build
python () {
    for task in d.getVar("__BBTASKS", False) or []:
        for flag in ("depends", "rdepends", "recrdeptask", "deptask", "rdeptask"):
            d.delVarFlag(task, flag)
}
`;

let build: string;
const lines: string[] = [];

function write(path: string, text: string): void {
  mkdirSync(dirname(join(build, path)), { recursive: true });
  writeFileSync(join(build, path), text);
}

beforeAll(() => {
  build = mkdtempSync(join(tmpdir(), 'osbuild-bitbake-'));
  if (!there) return;
  write('layer/conf/layer.conf', 'BBFILES += "${LAYERDIR}/*.bb"\nBBFILE_COLLECTIONS += "probe"\nBBFILE_PATTERN_probe = "^${LAYERDIR}/"\nLAYERSERIES_COMPAT_probe = "scarthgap"\nLAYERDEPENDS_probe = "core"\n');
  write('layer/probe-good.bb', `${probe}do_probe() {\n\techo built > \${TOPDIR}/good\n}\n`);
  write('layer/probe-bad.bb', `${probe}do_probe() {\n\techo the reason is here\n\texit 3\n}\n`);
  write('layer/probe-long.bb', `${probe}do_probe() {\n\techo $$ > \${TOPDIR}/long\n\tsleep 571\n}\n`);
  write('conf/bblayers.conf', bblayersConf([join(core, 'meta'), join(build, 'layer')]));
  write('conf/local.conf', `MACHINE = "qemuarm64"\nBBMASK = "/meta/recipes-"\nBB_NO_NETWORK = "1"\nCONNECTIVITY_CHECK_URIS = ""\nBB_DANGLINGAPPENDS_WARNONLY = "1"\nASSUME_PROVIDED += "virtual/libc"\nBB_NUMBER_THREADS = "2"\nTMPDIR = "\${TOPDIR}/tmp"\n`);
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

/** Command lines of all processes that have the build folder among their words or as their folder. */
const running = (): string[] =>
  readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return words.includes(build) && Number(pid) !== process.pid ? [words.replaceAll('\0', ' ')] : [];
    } catch {
      return [];
    }
  });

describe('real bitbake', { timeout: 300_000 }, () => {
  beforeEach((context) => need(context, there, 'OSBUILD_BITBAKE and OSBUILD_OE_CORE name no checkouts'));

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

  test('a target that nothing provides', async () => {
    await expect(run('probe-nothing')).rejects.toMatchObject({ code: 'OSB_BITBAKE_FAILED', message: expect.stringContaining('probe-nothing') });
  });

  test('cancelled in the middle of a task: no server and no task is left', async () => {
    const abort = new AbortController();
    const ended = run('probe-long', abort.signal);
    const watch = setInterval(() => {
      if (lines.includes('started  probe-long do_probe')) abort.abort();
    }, 100);
    await expect(ended).rejects.toMatchObject({ code: 'OSB_CANCELLED' });
    clearInterval(watch);
    expect(running()).toEqual([]);
  });
});
