import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { runBitbake } from '../../../src/providers/yocto/bitbake/run.ts';
import { bblayersConf } from '../../../src/providers/yocto/conf/bblayers.ts';
import { sharedStateConf } from '../../../src/providers/yocto/conf/shared-state.ts';
import type { SharedState } from '../../../src/providers/yocto/layers/resolve.ts';
import { hasProgram } from '../../support/need.ts';
import { startS3Server } from '../../support/s3-server.ts';
import { bitbake, core, needBitbake, needYocto } from './checkouts.ts';
import { freePorts, serve, served } from './serve.ts';
import { home } from './support.ts';

const there = bitbake !== '' && core !== '';

/** Real tasks from fetch to the sysroot, with their shared state, and nothing of a toolchain. */
const probeClass = `INHIBIT_DEFAULT_DEPS = "1"
INHIBIT_SYSROOT_STRIP = "1"
PATCHDEPENDENCY:class-target = ""
PACKAGE_ARCH = "\${MACHINE_ARCH}"
SUMMARY = "probe"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://\${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"
S = "\${WORKDIR}"
inherit nopackages
do_patch[noexec] = "1"
do_configure[noexec] = "1"
python () {
    for task in d.getVar("__BBTASKS", False) or []:
        for flag in ("depends", "rdepends"):
            d.delVarFlag(task, flag)
        d.delVarFlag(task, "fakeroot")
}
`;
const one = (comment: string): string => `inherit probe
do_compile() {
${comment}\techo one > one
}
do_install() {
\tinstall -D -m 644 one \${D}\${datadir}/one
}
`;
const two = `inherit probe
DEPENDS = "probe-one"
do_compile() {
\tcat \${RECIPE_SYSROOT}\${datadir}/one > two
}
do_install() {
\tinstall -D -m 644 two \${D}\${datadir}/two
}
`;

let work: string;
let serving: ReturnType<typeof serve>;
let settings: SharedState;

function write(path: string, text: string): void {
  mkdirSync(dirname(join(work, path)), { recursive: true });
  writeFileSync(join(work, path), text);
}

beforeAll(async () => {
  if (!there) return;
  work = mkdtempSync(join(tmpdir(), 'osbuild-team-'));
  write('layer/conf/layer.conf', 'BBPATH .= ":${LAYERDIR}"\nBBFILES += "${LAYERDIR}/*.bb"\nBBFILE_COLLECTIONS += "probe"\nBBFILE_PATTERN_probe = "^${LAYERDIR}/"\nLAYERSERIES_COMPAT_probe = "scarthgap"\nLAYERDEPENDS_probe = "core"\n');
  write('layer/classes-recipe/probe.bbclass', probeClass);
  write('layer/probe-one.bb', one(''));
  write('layer/probe-two.bb', two);
  serving = serve(work, await freePorts());
  settings = await served(serving);
}, 300_000);

afterAll(async () => {
  if (!there) return;
  serving.kill('SIGTERM');
  await serving;
  rmSync(work, { recursive: true, force: true });
});

/** Builds probe-two in a folder of its own; what bitbake said, and the tasks that ran. */
async function build(name: string, stateFolder: string, sstate: SharedState, environment: Record<string, string> = {}): Promise<{ summary: string; ran: string[] }> {
  write(`${name}/conf/bblayers.conf`, bblayersConf([join(core, 'meta'), join(work, 'layer')]));
  write(`${name}/conf/local.conf`, `MACHINE = "qemuarm64"\nBBMASK = "/meta/recipes-"\nCONNECTIVITY_CHECK_URIS = ""\nBB_DANGLINGAPPENDS_WARNONLY = "1"\nASSUME_PROVIDED += "virtual/libc"\nBB_NUMBER_THREADS = "2"\nTMPDIR = "\${TOPDIR}/tmp"\nSSTATE_DIR = "${stateFolder}"\n${sharedStateConf(sstate)}`);
  mkdirSync(join(work, name, 'home'), { recursive: true });
  const lines: string[] = [];
  await runBitbake({
    folders: { bitbake, core, build: join(work, name), home: join(work, name, 'home') },
    targets: ['probe-two'],
    watch: join(home, 'layers/meta-minke/lib/minke/watch.py'),
    uid: process.getuid?.() ?? 0,
    hostEnvironment: { PATH: process.env['PATH'] ?? '', ...environment },
    signal: new AbortController().signal,
    log: (line) => lines.push(line),
    progress: () => undefined,
    notice: () => undefined,
  }).catch((error: unknown) => {
    throw new Error(lines.join('\n'), { cause: error });
  });
  return { summary: lines.find((line) => line.includes('Sstate summary:')) ?? '', ran: lines.flatMap((line) => /^started\s+(.*)$/.exec(line)?.[1] ?? []) };
}

/** Words of all processes that have the test's folder among them. */
const running = (): string[] =>
  readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return words.includes(work) ? [words.replaceAll('\0', ' ')] : [];
    } catch {
      return [];
    }
  });

describe('shared state of a team, with real bitbake', { timeout: 600_000 }, () => {
  beforeEach((context) => needBitbake(context));

  test('what one folder built, an empty one takes from the mirror', async () => {
    const first = await build('first', join(work, 'cache/yocto/sstate'), { hashServer: settings.hashServer ?? '' });
    expect(first.ran).toEqual(expect.arrayContaining(['probe-one do_compile', 'probe-two do_compile']));
    const second = await build('second', join(work, 'second/sstate'), settings);
    expect(second.summary).toMatch(/Wanted (\d+) Local 0 Mirrors \1 Missed 0 /);
    expect(second.ran.filter((task) => /do_(compile|install)$/.test(task))).toEqual([]);
  });

  test('an edit that changes no output does not rebuild what depends on it', async () => {
    write('layer/probe-one.bb', one('\t# another word\n'));
    const { ran } = await build('first', join(work, 'cache/yocto/sstate'), { hashServer: settings.hashServer ?? '' });
    expect(ran).toContain('probe-one do_compile');
    // Its sysroot may be taken from shared state again; it is not made.
    expect(ran.filter((task) => /^probe-two do_(compile|install|populate_sysroot)$/.test(task))).toEqual([]);
  });

  test('signed: what a key of the keyring has signed is taken, everything else is built', async (context) => {
    needYocto(context, hasProgram('gpg'), 'gpg is not installed');
    const keyring = join(work, 'keyring');
    const strangers = join(work, 'strangers');
    const keyIds: string[] = [];
    for (const folder of [keyring, strangers]) {
      mkdirSync(folder, { mode: 0o700 });
      await execa('gpg', ['--homedir', folder, '--batch', '--passphrase', '', '--quick-gen-key', 'builder@example.com', 'ed25519', 'sign']);
      const { stdout } = await execa('gpg', ['--homedir', folder, '--with-colons', '--list-keys']);
      keyIds.push(/^pub:(?:[^:]*:){3}([0-9A-F]{16}):/m.exec(stdout)?.[1] ?? '');
      await execa('gpgconf', ['--homedir', folder, '--kill', 'gpg-agent']);
    }
    const signed = join(work, 'signed/sstate');
    await build('signed', signed, { signatures: { key: 'builder@example.com', verify: true, keyring } });
    const found = readdirSync(signed, { recursive: true }).map(String);
    expect(found.filter((path) => path.endsWith('.sig')).length).toBe(found.filter((path) => path.endsWith('.tar.zst')).length);
    const mirror = { mirrors: [`file://${signed}`] };
    const trusting = await build('trusting', join(work, 'trusting/sstate'), { ...mirror, signatures: { verify: true, keyring, trusted: [keyIds[0] ?? ''] } });
    expect(trusting.ran.filter((task) => task.endsWith(' do_compile'))).toEqual([]);
    const others = await build('others', join(work, 'others/sstate'), { ...mirror, signatures: { verify: true, keyring, trusted: [keyIds[1] ?? ''] } });
    expect(others.ran).toEqual(expect.arrayContaining(['probe-one do_compile', 'probe-two do_compile']));
    const without = await build('without', join(work, 'without/sstate'), { ...mirror, signatures: { verify: true, keyring: strangers } });
    expect(without.ran).toEqual(expect.arrayContaining(['probe-one do_compile', 'probe-two do_compile']));
  });

  test('a bucket, with the credentials of the environment', async (context) => {
    const path = '/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin';
    needYocto(context, (await execa('aws', ['--version'], { env: { PATH: path }, extendEnv: false, reject: false })).exitCode === 0, 'aws (awscli) is not installed');
    const server = await startS3Server(join(work, 'buckets'));
    try {
      await build('filling', join(work, 'buckets/team/scarthgap'), {});
      const environment = { PATH: path, AWS_ACCESS_KEY_ID: 'the-key', AWS_SECRET_ACCESS_KEY: 'secret', AWS_DEFAULT_REGION: 'us-east-1' };
      const { summary, ran } = await build('reading', join(work, 'reading/sstate'), { mirrors: ['s3://team/scarthgap'], s3Endpoint: server.url }, environment);
      expect(summary).toMatch(/Wanted (\d+) Local 0 Mirrors \1 Missed 0 /);
      expect(ran.filter((task) => task.endsWith(' do_compile'))).toEqual([]);
      expect([...server.keys]).toEqual(['the-key']);
    } finally {
      await server.close();
    }
  });

  test('a mirror without its hash server finds nothing of what was built after such an edit', async () => {
    const { summary } = await build('third', join(work, 'third/sstate'), { mirrors: settings.mirrors ?? [] });
    expect(summary).toMatch(/ Missed [1-9]/);
  });

  test('the PR server counts', async () => {
    const [host = '', port = ''] = (settings.prServer ?? '').split(':');
    const script = 'import sys; sys.path.insert(0, sys.argv[1] + "/lib"); import prserv.serv as p; c = p.connect(sys.argv[2], int(sys.argv[3])); print([c.getPR("probe-1.0-r0", "all", s) for s in ("a", "a", "b")])';
    const { stdout } = await execa('python3', ['-c', script, bitbake, host, port]);
    expect(stdout).toBe('[0, 0, 1]');
  });

  test('a taken port is said, and nothing else is left running', async () => {
    const taken = Number(settings.hashServer?.split(':')[1]);
    const { exitCode, stderr } = await serve(work, { ...(await freePorts()), hash: taken });
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`bitbake-hashserv cannot run: port ${taken} of 127.0.0.1 is taken`) });
  });

  test('Ctrl-C leaves nothing behind', async () => {
    expect(running().length).toBeGreaterThan(0);
    serving.kill('SIGINT');
    expect(await serving).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/served \d+ files/) });
    expect(running()).toEqual([]);
    expect(existsSync(join(work, 'cache/yocto/servers/hashserv.db'))).toBe(true);
  });
});
