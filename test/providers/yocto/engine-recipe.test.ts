import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { bundleEngine, engineEntry } from '../../../src/engine-binary/index.ts';
import { runBitbake } from '../../../src/providers/yocto/bitbake/run.ts';
import { assignment } from '../../../src/providers/yocto/conf/assignment.ts';
import { bblayersConf } from '../../../src/providers/yocto/conf/bblayers.ts';
import { bitbake, core, needBitbake, needYocto } from './checkouts.ts';
import { probeSettings, writeProbeLayer } from './probe-layer.ts';
import { home } from './support.ts';

// The recipes of the engine and of QuickJS run for real: fetched, compiled, staged, linked. Only the cross compiler is the
// host's under bitbake's names, and C library and the libraries of other layers come ready-made out of the toolchain tree.
const toolchain = process.env['OSBUILD_TOOLCHAIN_ROOT'] ?? '';
const prefix = 'x86_64-minke-linux-';
const compilers = ['gcc', 'gcc-ar', 'gcc-nm', 'gcc-ranlib', 'g++', 'cpp', 'as', 'ld', 'nm', 'ar', 'ranlib', 'strip', 'objcopy', 'objdump', 'readelf'];
const triplet = 'x86_64-linux-gnu';
const there = existsSync(join(toolchain, `usr/lib/${triplet}/libuv.a`));

/** Where this host gets Debian's packages from: QuickJS's source is there. */
const debianPool = (): string => {
  const sites = execFileSync('apt-get', ['indextargets', '--format', '$(SITE)'], { encoding: 'utf8' }).split('\n').filter((site) => /\/debian\/?$/.test(site));
  if (sites[0] === undefined) throw new Error('apt knows no archive of Debian');
  return `${sites[0].replace(/\/$/, '')}/pool`;
};

/** A C library and the engine's libraries, staged as the recipes of other layers would. */
const libraries = `PROVIDES = "c-ares libuv mbedtls zlib zstd"
PROBE_TASKS = "install populate_sysroot"
INHIBIT_SYSROOT_STRIP = "1"
do_install() {
\tinstall -d \${D}\${includedir} \${D}\${libdir}/${triplet} \${D}/usr/lib64
\tcp -rL ${toolchain}/usr/include/. \${D}\${includedir}
\trm -rf \${D}\${includedir}/quickjs
\tcp -L ${toolchain}/usr/lib/${triplet}/*.[ao] \${D}\${libdir}/${triplet}
\tfor library in uv cares mbedtls mbedx509 mbedcrypto z zstd; do
\t\tcp -L ${toolchain}/usr/lib/${triplet}/lib$library.a \${D}\${libdir}
\tdone
}
`;

let build: string;
beforeEach((context) => {
  needBitbake(context);
  needYocto(context, there, 'OSBUILD_TOOLCHAIN_ROOT is no tree of `osbuild tools toolchain`');
  needYocto(context, process.arch === 'x64', 'the compiler of this host makes no amd64 programs');
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(build, path)), { recursive: true });
  writeFileSync(join(build, path), text);
}

beforeAll(async () => {
  build = mkdtempSync(join(tmpdir(), 'osbuild-engine-recipe-'));
  if (bitbake === '' || core === '' || !there) return;
  const engine = join(build, 'engine');
  cpSync(join(home, 'src/host'), join(engine, 'host'), { recursive: true });
  writeFileSync(join(engine, 'bundle.js'), (await bundleEngine(home, engineEntry)).code);
  mkdirSync(join(build, 'bin'));
  for (const program of compilers) {
    symlinkSync(execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim(), join(build, 'bin', `${prefix}${program}`));
  }
  writeProbeLayer(join(build, 'layer'), { 'host-libraries_1.0': libraries });
  write('conf/bblayers.conf', bblayersConf([join(core, 'meta'), join(home, 'layers/meta-minke'), join(build, 'layer')]));
  const { BB_NO_NETWORK: _, ...settings } = probeSettings;
  const variables = {
    ...settings,
    MACHINE: 'qemux86-64',
    DISTRO: 'minke',
    BBMASK: '/meta/recipes- /meta-minke/recipes-(core|kernel)/',
    MINKE_ENGINE_DIR: engine,
    DEBIAN_MIRROR: debianPool(),
    TMPDIR: '${TOPDIR}/tmp',
    // Tools of the build that would be built first; nothing here needs patching, nor owners of files.
    'ASSUME_PROVIDED:append': ` virtual/libc virtual/${prefix}gcc virtual/${prefix}compilerlibs virtual/${prefix}binutils quilt-native patch-replacement-native virtual/fakeroot-native pseudo-native rpm-native dwarfsrcfiles-native file-replacement-native opkg-native opkg-utils-native ptest-runner glibc-locale xz-native zstd-native libtool-cross`,
    'DEPENDS:append:pn-quickjs': ' host-libraries',
    'RDEPENDS:minke-engine:remove': 'ca-certificates conmon crun iproute2 kmod nftables',
    'INHERIT:append': ' no-fakeroot',
    // A native compiler of Debian looks into its own folders before the sysroot's.
    'TOOLCHAIN_OPTIONS:append:class-target': ` -B\${STAGING_DIR_TARGET}/usr/lib/${triplet} -L\${STAGING_DIR_TARGET}/usr/lib/${triplet}`,
    // Known since GCC 13, which scarthgap has.
    'DEBUG_PREFIX_MAP:remove': '-fcanon-prefix-map',
    'HOSTTOOLS:append': ` xz ${compilers.map((program) => prefix + program).join(' ')}`,
  };
  write('conf/local.conf', Object.entries(variables).map(([name, value]) => assignment(name, value)).join(''));
  mkdirSync(join(build, 'home'));
});
afterAll(() => rmSync(build, { recursive: true, force: true }));

test('bitbake compiles the engine of its sources, with QuickJS of Debian\'s archive, into one static program that runs', { timeout: 40 * 60_000 }, async () => {
  const lines: string[] = [];
  const state = await runBitbake({
    folders: { bitbake, core, build, home: join(build, 'home') },
    targets: ['minke-engine:do_install'],
    watch: join(home, 'layers/meta-minke/lib/minke/watch.py'),
    uid: process.getuid?.() ?? 0,
    hostEnvironment: { PATH: `${join(build, 'bin')}:${process.env['PATH'] ?? ''}` },
    signal: new AbortController().signal,
    log: (line) => lines.push(line),
    progress: () => undefined,
    notice: () => undefined,
  }).catch((error: unknown) => {
    throw new Error([...lines.slice(-80), String(error)].join('\n'), { cause: error });
  });
  expect(state).toMatchObject({ end: 'ok', failures: [] });
  for (const done of ['quickjs-native do_compile', 'quickjs do_populate_sysroot', 'minke-engine do_install']) expect(lines).toContain(`finished ${done}`);
  const program = execFileSync('find', [join(build, 'tmp/work'), '-path', '*/image/usr/bin/minke'], { encoding: 'utf8' }).trim();
  expect(execFileSync(program, ['--version'], { encoding: 'utf8' })).toMatch(/^minke version /);
  expect(execFileSync('readelf', ['--program-headers', program], { encoding: 'utf8' })).not.toMatch(/INTERP|DYNAMIC/);
  // Nothing of the build's folders is in what goes to the device.
  execFileSync('strip', ['-o', join(build, 'stripped'), program]);
  expect(readFileSync(join(build, 'stripped')).includes(build)).toBe(false);
});
