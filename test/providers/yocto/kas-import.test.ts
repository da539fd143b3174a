import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';

import { mergeBuild, violations } from '../../../src/config/index.ts';
import { buildTargets, importKas, kasProject, localConf, resolveLayers } from '../../../src/providers/yocto/index.ts';
import { hasProgram } from '../../support/need.ts';
import { core, needYocto } from './checkouts.ts';
import { home, requestFor } from './support.ts';

const commit = 'a'.repeat(40);

describe('a kas file of somebody', () => {
  const kas = {
    header: { version: 14, includes: ['base.yml'] },
    machine: 'raspberrypi3',
    distro: 'poky',
    target: ['core-image-minimal', 'virtual/kernel', 'my-bootloader:do_deploy'],
    env: { KEY: 'value' },
    defaults: { repos: { branch: 'scarthgap' } },
    repos: {
      mine: { layers: { 'meta-mine': null } },
      oe: { url: 'https://git.example/openembedded-core', commit, layers: { meta: null } },
      'bb-2.8': { url: 'git@git.example:tools/bitbake.git', branch: '2.8', commit, layers: { '.': 'disabled' } },
      'meta-open': { url: 'https://git.example/meta-open', commit, layers: { 'meta-oe': null, 'meta-gnome': 'disabled' }, patches: { fix: { repo: 'mine', path: 'x.patch' } } },
      'meta-floating': { url: 'https://git.example/meta-floating' },
      'meta-old': { url: 'https://hg.example/meta-old', type: 'hg' },
      'meta-here': { path: '../meta-here' },
    },
    local_conf_header: {
      first: 'CONF_VERSION = "2"\n# a comment\nIMAGE_INSTALL:append = " a"\nIMAGE_FEATURES += "ssh-server-dropbear"\nINHERIT += "rm_work"\nINHERIT += "buildhistory"\n',
      second: `DL_DIR ?= "/srv/downloads"\nLICENSE_FLAGS_ACCEPTED = "one \\\n  two"\nNAME ?= 'say "x"'\nrequire conf/more.inc\nSIZE[unit] = "MB"\n`,
    },
    bblayers_conf_header: { standard: 'POKY_BBLAYERS_CONF_VERSION = "2"\nBBPATH = "${TOPDIR}"\nBBFILES ?= ""\nEXTRA = "1"\n' },
  };
  const { build, machine, warnings } = importKas(kas, { known: {} });

  test('sources, whatever kas calls them, with their commits and folders', () => {
    expect(build.layers).toEqual({
      mine: { path: '.', folders: ['meta-mine'] },
      'openembedded-core': { git: 'https://git.example/openembedded-core', branch: 'scarthgap', commit, folders: ['meta'] },
      bitbake: { git: 'ssh://git@git.example/tools/bitbake.git', branch: '2.8', commit },
      'meta-open': { git: 'https://git.example/meta-open', branch: 'scarthgap', commit, folders: ['meta-oe'] },
      'meta-floating': { git: 'https://git.example/meta-floating', branch: 'scarthgap' },
      'meta-here': { path: '../meta-here' },
    });
    expect(build.use).toEqual(['openembedded-core', 'mine', 'meta-open', 'meta-floating', 'meta-here']);
  });

  test('variables, with what adds to a value as an override', () => {
    expect(build.settings).toEqual({
      'IMAGE_INSTALL:append': ' a',
      'IMAGE_FEATURES:append': ' ssh-server-dropbear',
      'INHERIT:append': ' rm_work buildhistory',
      LICENSE_FLAGS_ACCEPTED: 'one two',
      NAME: 'say "x"',
      'SIZE[unit]': 'MB',
    });
  });

  test('machine, distribution, targets', () => {
    expect(build).toMatchObject({ distro: 'poky', image: 'core-image-minimal' });
    expect(machine).toEqual({ machine: 'raspberrypi3', targets: ['my-bootloader'] });
  });

  test('the result is a valid part of build.config.yaml', () => {
    expect(violations('build', { yocto: build })).toEqual([]);
  });

  test.each(['env: has no counterpart', 'header.includes', 'meta-open.patches', 'meta-floating: names scarthgap and no commit', 'meta-old', 'repos.mine', 'DL_DIR is the host', 'require conf/more.inc', 'NAME ?=', 'bblayers_conf_header: left out, since bblayers.conf is written by osbuild: EXTRA = "1"', 'target core-image-minimal'])('a warning: %s', (text) => {
    expect(warnings.filter((warning) => warning.includes(text))).toHaveLength(1);
  });

  test('a branch becomes the commit that the project has of the same repository', () => {
    const known = { 'meta-floating': { git: 'https://git.example/meta-floating', commit: 'b'.repeat(40) } };
    expect(importKas(kas, { known }).build.layers?.['meta-floating']).toEqual(known['meta-floating']);
    expect(importKas(kas, { known: { 'meta-floating': { git: 'https://elsewhere.example/x', commit } } }).build.layers?.['meta-floating']).not.toHaveProperty('commit');
  });

  test('empty and odd files', () => {
    expect(importKas({ header: { version: 14 } }, { known: {} }).build).toEqual({ layers: {}, use: ['openembedded-core'] });
    expect(importKas({ header: null, repos: [], local_conf_header: 'x', target: 7 }, { known: {} }).machine).toEqual({});
  });
});

test.each(['qemuarm64', 'raspberrypi3'])('what export-kas wrote of %s comes back as the same layers and the same local.conf', async (name) => {
  const { project, machine, request } = await requestFor(name);
  const own = mergeBuild(project.build, { yocto: { settings: { 'IMAGE_INSTALL:append': ' mine' } } });
  const resolved = resolveLayers(own, machine, project.folder, () => null);
  const conf = localConf(request, resolved);
  const kas = parse(stringify(kasProject(resolved, conf, buildTargets(resolved, machine.machine)))) as Record<string, unknown>;
  const { build, machine: part, warnings } = importKas(kas, { known: {} });
  expect(warnings).toEqual([]);
  const { settings: _settings, ...rest } = project.build.yocto ?? {};
  const { layers: _layers, settings: _own, ...board } = machine.machine.yocto ?? { machine: '', kernel: '' };
  const again = resolveLayers({ yocto: { ...rest, ...build } }, { ...machine, machine: { ...machine.machine, yocto: { ...board, ...part } } }, project.folder, () => null);
  expect({ ...again, settings: null }).toEqual({ ...resolved, settings: null });
  expect(Object.keys(again.settings)).toContain('IMAGE_INSTALL:append');
  expect(localConf(request, again)).toBe(conf);
});

test('kas itself makes the same local.conf and bblayers.conf of what export-kas wrote', { timeout: 300_000 }, async (context) => {
  needYocto(context, hasProgram('kas'), 'kas is not installed');
  // It starts bitbake's environment by openembedded-core's script, which wants bitbake beside it.
  needYocto(context, core !== '' && existsSync(join(core, '../bitbake/bin/bitbake')), 'neither OSBUILD_OECORE_DIR nor OSBUILD_LAYERS_DIR names a checkout of openembedded-core with bitbake beside it');
  const work = mkdtempSync(join(tmpdir(), 'osbuild-kas-'));
  try {
    const { project, machine, request } = await requestFor('qemuarm64');
    const sources = { bitbake: { path: join(core, '../bitbake') }, 'openembedded-core': { path: core, folders: ['meta'] } };
    const resolved = resolveLayers({ yocto: { ...project.build.yocto, layers: sources, use: ['openembedded-core'] } }, machine, project.folder, () => null);
    const kas = kasProject(resolved, localConf(request, resolved), ['minke-image']);
    // Debian's kas (3.1) is older than `commit`, which is what version 14 is for; here all sources are folders.
    writeFileSync(join(work, 'kas.yml'), stringify({ ...kas, header: { version: 12 }, repos: { ...kas.repos, 'meta-minke': { path: join(home, 'layers/meta-minke') } } }));
    const env = { KAS_WORK_DIR: work, PATH: process.env['PATH'] ?? '', HOME: work, LANG: 'en_US.UTF-8' };
    await execa('unshare', ['--user', '--map-user=1000', '--map-group=1000', 'kas', 'checkout', join(work, 'kas.yml')], { cwd: work, env, extendEnv: false });
    const assignments = (text: string): string[] => text.replaceAll(/\\\n/g, ' ').split('\n').filter((line) => /^[A-Z]/.test(line)).map((line) => line.replaceAll(/\s+/g, ' '));
    const written = assignments(readFileSync(join(work, 'build/conf/local.conf'), 'utf8'));
    for (const line of assignments(localConf(request, resolved))) if (!line.startsWith('CONF_VERSION')) expect(written.map((one) => one.replace(/^(MACHINE|DISTRO) \?\?=/, '$1 ='))).toContain(line);
    const layers = readFileSync(join(work, 'build/conf/bblayers.conf'), 'utf8');
    for (const folder of [join(core, 'meta'), join(home, 'layers/meta-minke')]) expect(layers).toContain(folder);
    expect(layers).not.toMatch(/\/bitbake\s/);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});
