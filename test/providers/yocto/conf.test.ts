import { describe, expect, test } from 'vitest';

import { nearest } from '../../../src/config/index.ts';
import { assignment } from '../../../src/providers/yocto/conf/assignment.ts';
import { bblayersConf } from '../../../src/providers/yocto/conf/bblayers.ts';
import { buildTargets, kasProject, localConf, resolveLayers, type YoctoProject } from '../../../src/providers/yocto/index.ts';
import type { ImageRequest } from '../../../src/model/index.ts';
import { requestFor } from './support.ts';

const project: YoctoProject = {
  machine: 'qemuarm64',
  distro: 'minke',
  image: 'minke-image',
  initrdImage: 'minke-initrd-packages',
  release: 'scarthgap',
  bitbake: { name: 'bitbake', source: { git: 'https://example.org/bitbake', commit: 'a'.repeat(40), branch: '2.8' }, folders: ['.'] },
  layers: [
    { name: 'openembedded-core', source: { git: 'https://example.org/oe', commit: 'b'.repeat(40), branch: null }, folders: ['meta'] },
    { name: 'meta-mine', source: { path: '/src/meta-mine' }, folders: ['.'] },
  ],
  settings: { 'IMAGE_INSTALL:append': ' mine', NAME: "a 'quoted' word" },
};

const request: Pick<ImageRequest, 'recipes' | 'mode' | 'os' | 'epoch'> = {
  recipes: [
    { name: 'one', folder: '/r/one', files: [], recipe: { description: 'one', packages: { debian: ['x'], yocto: ['zlib', 'bash'] }, kernelModules: ['tun'] } },
    { name: 'two', folder: '/r/two', files: [], recipe: { description: 'two', engine: true, packages: { yocto: ['bash'] }, initrd: { packages: { yocto: ['busybox'] }, modules: ['erofs'] }, development: { packages: { yocto: ['gdb'] } } } },
  ],
  mode: 'development',
  os: { name: 'Minke OS', id: 'minke', version: '1.2.3' },
  epoch: 1793491200,
};

describe('files that bitbake reads', () => {
  test('bblayers.conf', () => {
    expect(bblayersConf(['/layers/oe/meta', '/layers/mine'])).toBe(`# Written by osbuild before every build.
LCONF_VERSION = "7"
BBPATH = "\${TOPDIR}"
BBFILES ?= ""

BBLAYERS = " \\
  /layers/oe/meta \\
  /layers/mine \\
"
`);
  });

  test('local.conf has no folder of this machine, and lists are sorted', () => {
    expect(localConf(request, project)).toBe(`# Written by osbuild before every build, of build.config.yaml, the machine and its recipes.
CONF_VERSION = "2"
MACHINE = "qemuarm64"
DISTRO = "minke"

DISTRO_NAME = "Minke OS"
DISTRO_VERSION = "1.2.3"
MINKE_MODE = "development"
SOURCE_DATE_EPOCH_FALLBACK = "1793491200"
REPRODUCIBLE_TIMESTAMP_ROOTFS = "1793491200"

MINKE_PACKAGES = " \\
  bash \\
  gdb \\
  minke-engine \\
  zlib \\
"
MINKE_INITRD_PACKAGES = " \\
  busybox \\
"

IMAGE_INSTALL:append = " mine"
NAME = "a 'quoted' word"
`);
    expect(localConf({ ...request, mode: 'production' }, project)).not.toContain('gdb');
  });

  test.each([
    ['a value of two lines', 'A', 'x\ny'],
    ['both kinds of quotes', 'A', `'"`],
    ['a backslash at the end', 'A', 'x\\'],
    ['a name that is none', 'A B', 'x'],
    ['a name that would be a line of its own', 'A = "1"\nB', 'x'],
  ])('%s is refused', (_, name, value) => {
    expect(() => assignment(name, value)).toThrow(expect.objectContaining({ code: 'OSB_CONFIG_INVALID' }));
  });

  test('a double quote is kept in single ones', () => {
    expect(assignment('A', 'say "x"')).toBe(`A = 'say "x"'\n`);
  });

  test('kas: same layers, MACHINE, DISTRO and variables', () => {
    const kas = kasProject(project, localConf(request, project), ['minke-image']);
    expect(kas).toMatchObject({
      header: { version: 14 },
      machine: 'qemuarm64',
      distro: 'minke',
      target: ['minke-image'],
      repos: {
        bitbake: { url: 'https://example.org/bitbake', commit: 'a'.repeat(40), branch: '2.8', layers: { '.': 'disabled' } },
        'openembedded-core': { url: 'https://example.org/oe', commit: 'b'.repeat(40), layers: { meta: null } },
        'meta-mine': { path: '/src/meta-mine' },
        'meta-minke': { path: 'layers/meta-minke' },
      },
    });
    expect(kas.local_conf_header['osbuild']).toMatch(/^DISTRO_NAME = "Minke OS"\n/);
    expect(kas.local_conf_header['osbuild']).not.toMatch(/^(MACHINE|DISTRO) =/m);
    expect(kas.local_conf_header['osbuild']).toContain('IMAGE_INSTALL:append = " mine"\n');
  });

  test.each(['qemuarm64', 'raspberrypi3', 'raspberrypi3-64', 'raspberrypi4-64'])('%s of this project: its boot loader is built, every recipe has packages', async (name) => {
    const own = await requestFor(name);
    const resolved = resolveLayers(own.project.build, own.machine, own.project.folder, (word, known) => nearest(word, known));
    expect(buildTargets(resolved, own.machine.machine)).toEqual(expect.arrayContaining(['minke-image', 'minke-initrd-packages', 'virtual/kernel', 'virtual/bootloader']));
    expect(localConf(own.request, resolved)).toContain('  networkmanager \\\n');
  });
});
