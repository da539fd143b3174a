import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { lockFile } from '../../../src/cache/index.ts';
import type { AnyTask, Executors } from '../../../src/model/index.ts';
import { createYoctoExecutors } from '../../../src/providers/yocto/index.ts';
import { compatibleReleases } from '../../../src/providers/yocto/layers/series.ts';
import { providerBuild } from '../../support/provider-build.ts';
import { home } from './support.ts';

let folder: string;
let upstream: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-layer-'));
  upstream = join(folder, 'upstream');
  mkdirSync(upstream);
  git('init', '--quiet', '--initial-branch=scarthgap');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.org', '-c', 'commit.gpgsign=false'];

function git(...argv: string[]): string {
  return execFileSync('git', ['-C', upstream, ...identity, ...argv], { encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1' } }).trim();
}

function commit(files: Record<string, string>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(upstream, path)), { recursive: true });
    writeFileSync(join(upstream, path), text);
  }
  git('add', '--all', '--force');
  git('commit', '--quiet', '-m', 'one');
  return git('rev-parse', 'HEAD');
}

const layerConf = (releases: string): string => `BBFILE_COLLECTIONS += "x"\nLAYERSERIES_COMPAT_x = "${releases}"\n`;

function fetch(args: Partial<Extract<AnyTask, { kind: 'yocto/layer' }>['args']> & { commit: string }): Promise<string> {
  const cache = join(folder, 'cache');
  const extra: Partial<Executors> = createYoctoExecutors({ cacheFolder: cache, home, uid: 0, processors: 1, lock: (path, signal) => lockFile(path, signal) });
  const task: AnyTask = { id: 'layer', kind: 'yocto/layer', title: 'Fetch', args: { name: 'meta-x', git: `file://${upstream}`, branch: 'scarthgap', release: 'scarthgap', folders: ['.'], ...args }, inputs: {}, result: 'tree' };
  return providerBuild(cache, { extra }).run([task], ['layer']).then((made) => made.get('layer') ?? '');
}

describe('fetching a layer', () => {
  test('an exact commit, not the branch\'s end; ignored and executable files are there, history is not', async () => {
    const wanted = commit({ 'conf/layer.conf': layerConf('nanbield scarthgap'), '.gitignore': '*.patch\n', 'a.patch': 'ignored', 'text.txt': 'one\r\n' });
    commit({ 'text.txt': 'two' });
    const tree = await fetch({ commit: wanted });
    expect(readFileSync(join(tree, 'text.txt'), 'utf8')).toBe('one\r\n');
    expect(readdirSync(tree).toSorted()).toEqual(['.gitignore', 'a.patch', 'conf', 'text.txt']);
  });

  test('another commit of the same repository', async () => {
    const first = commit({ 'conf/layer.conf': layerConf('scarthgap'), text: 'one' });
    const second = commit({ text: 'two' });
    expect(readFileSync(join(await fetch({ commit: second }), 'text'), 'utf8')).toBe('two');
    expect(readFileSync(join(await fetch({ commit: first }), 'text'), 'utf8')).toBe('one');
    expect(readdirSync(join(folder, 'cache/yocto/git')).filter((name) => name.endsWith('.git'))).toHaveLength(1);
  });

  test('a commit that does not exist names layer, branch and repository', async () => {
    commit({ 'conf/layer.conf': layerConf('scarthgap') });
    await expect(fetch({ commit: '1234'.repeat(10) })).rejects.toMatchObject({ code: 'OSB_LAYER_INVALID', message: expect.stringMatching(/meta-x has no commit (1234){10} on branch scarthgap/) });
  });

  test('a repository that is not there is a failed download, and says what else serves', async () => {
    await expect(fetch({ commit: '1'.repeat(40), git: `file://${folder}/nothing` })).rejects.toMatchObject({ code: 'OSB_DOWNLOAD_FAILED', hint: expect.stringContaining('yocto.layers.meta-x.path') });
  });

  test('a layer of another release', async () => {
    const wanted = commit({ 'conf/layer.conf': layerConf('walnascar whinlatter') });
    await expect(fetch({ commit: wanted })).rejects.toMatchObject({ code: 'OSB_LAYER_INVALID', message: expect.stringContaining('is for walnascar, whinlatter, this build for scarthgap') });
  });

  test('a folder that is no layer: those that are there are named', async () => {
    const wanted = commit({ 'meta-one/conf/layer.conf': layerConf('scarthgap'), 'meta-two/conf/layer.conf': layerConf('scarthgap') });
    await expect(fetch({ commit: wanted, folders: ['meta-three'] })).rejects.toMatchObject({ code: 'OSB_LAYER_INVALID', hint: 'its layers: meta-one, meta-two' });
  });

  test('bitbake is no layer, and has to be bitbake', async () => {
    const wanted = commit({ 'bin/bitbake': '#!/bin/sh\n' });
    await expect(fetch({ commit: wanted, release: null })).resolves.not.toBe('');
    const other = commit({ 'bin/bitbake': '' });
    git('rm', '--quiet', 'bin/bitbake');
    const without = commit({ other: '1' });
    expect(other).not.toBe(without);
    await expect(fetch({ commit: without, release: null })).rejects.toMatchObject({ code: 'OSB_LAYER_INVALID', message: expect.stringContaining('bin/bitbake') });
  });
});

test('releases that a layer.conf names, over several lines and assignments', () => {
  expect(compatibleReleases('LAYERSERIES_COMPAT_a = "one \\\n  two"\nLAYERSERIES_COMPAT_b:= \'three\'\n')).toEqual(['one', 'two', 'three']);
  expect(compatibleReleases('BBPATH = ""')).toBeNull();
});
