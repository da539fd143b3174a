import { existsSync, lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Executors } from '../../../../src/model/index.ts';
import type { TestPackage } from '../../../support/debian-archive.ts';
import { localDebs } from '../../../support/local-debs.ts';
import { providerBuild } from '../../../support/provider-build.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'osbuild-tree-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function makeTree(packages: TestPackage[]): Promise<string> {
  const debs = localDebs(folder, packages);
  const build = providerBuild(path.join(folder, 'cache'), { extra: { 'debian/fetch': debs.fetch } as Partial<Executors> });
  const made = await build.run([debs.task, { id: 'tree', kind: 'debian/tree', title: 'tree', args: { architecture: 'amd64', packages: debs.packages }, inputs: { debs: { from: 'task-files', task: 'debs' } }, result: 'tree' }], ['tree']);
  return made.get('tree') ?? '';
}

describe('tools trees', () => {
  test('packages are unpacked with merged /usr, hard links and alternatives; documentation is left out', async () => {
    const tree = await makeTree([
      { name: 'mawk', files: { 'usr/bin/mawk': 'mawk', 'usr/bin/mawk2': '=> usr/bin/mawk', 'usr/share/man/man1/mawk.1': 'page' }, scripts: { postinst: '#!/bin/sh\nupdate-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5\n' } },
      { name: 'gawk', files: { 'usr/bin/gawk': 'gawk' }, scripts: { postinst: '#!/bin/sh\nupdate-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10\ntouch /ran-by-a-script\n' } },
      { name: 'old', files: { 'sbin/tool': 'tool' } },
    ]);
    expect(readlinkSync(path.join(tree, 'usr/bin/awk'))).toBe('/usr/bin/gawk');
    expect(readFileSync(path.join(tree, 'usr/sbin/tool'), 'utf8')).toBe('tool');
    expect(readlinkSync(path.join(tree, 'lib64'))).toBe('usr/lib64');
    expect(lstatSync(path.join(tree, 'usr/bin/mawk2')).ino).toBe(lstatSync(path.join(tree, 'usr/bin/mawk')).ino);
    expect(lstatSync(path.join(tree, 'usr/bin/mawk')).mode & 0o777).toBe(0o755);
    expect(existsSync(path.join(tree, 'usr/share/man'))).toBe(false);
    expect(existsSync('/ran-by-a-script')).toBe(false);
    expect(readFileSync(path.join(tree, 'etc/passwd'), 'utf8')).toMatch(/^root:/);
  });

  test('a link of one package never carries files of another out of the tree', async () => {
    const outside = path.join(folder, 'outside');
    const tree = await makeTree([
      // Unpacked before all others, so that the links stand when files come through them.
      { name: 'base-files', files: { 'opt/way': `-> ${outside}`, 'opt/up': '-> ../../../../../../../../outside' } },
      { name: 'victim', files: { 'opt/way/file': 'content', 'opt/up/file': 'content' } },
    ]);
    expect(existsSync(outside)).toBe(false);
    expect(existsSync('/outside')).toBe(false);
    expect(readFileSync(path.join(tree, outside, 'file'), 'utf8')).toBe('content');
    expect(readFileSync(path.join(tree, 'outside/file'), 'utf8')).toBe('content');
  });
});
