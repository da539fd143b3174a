import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Executors, PackageManifest } from '../../../../src/model/index.ts';
import { addTar, readText, type RootTree } from '../../../../src/providers/debian/tar/index.ts';
import type { TestPackage } from '../../../support/debian-archive.ts';
import { localDebs } from '../../../support/local-debs.ts';
import { providerBuild } from '../../../support/provider-build.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'osbuild-unpack-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function unpack(packages: TestPackage[], exclude: string[] = [], cache = 'cache'): Promise<{ tree: RootTree; tar: Buffer; manifest: PackageManifest; control: string }> {
  const debs = localDebs(folder, packages);
  const build = providerBuild(path.join(folder, cache), { epoch: 1_600_000_000, extra: { 'debian/fetch': debs.fetch } as Partial<Executors> });
  const made = await build.run([debs.task, { id: 'files', kind: 'debian/unpack', title: 'files', args: { packages: debs.packages, exclude }, inputs: { debs: { from: 'task-files', task: 'debs' } }, result: 'files' }], ['files']);
  const file = made.get('files/files.tar') ?? '';
  const tree: RootTree = new Map();
  addTar(tree, file);
  const text = (output: string): string => readFileSync(made.get(`files/${output}`) ?? '', 'utf8');
  return { tree, tar: readFileSync(file), manifest: JSON.parse(text('packages.json')) as PackageManifest, control: text('control.json') };
}

const base: TestPackage = { name: 'base-files', files: { 'usr/bin/one': 'one', 'usr/bin/two': '=> usr/bin/one', 'etc/x': 'x', 'usr/share/doc/base-files/copyright': 'Format: x\n\nFiles: *\nLicense: GPL-2+\n' } };

describe('unpacking packages', () => {
  test('merged into one archive: owners of root, hard links, times no later than the epoch, folders of /usr merged', async () => {
    const { tree } = await unpack([base, { name: 'old', files: { 'bin/three': '3', 'lib/x/y': 'y', 'var/run/old/z': 'z' } }]);
    expect(readText(tree, 'usr/bin/three')).toBe('3');
    expect(tree.get('bin')?.entry).toMatchObject({ type: 'link', target: 'usr/bin' });
    expect(tree.get('var/run')?.entry).toMatchObject({ type: 'link', target: '/run' });
    expect(readText(tree, 'run/old/z')).toBe('z');
    expect(readText(tree, 'usr/bin/two')).toBe('one');
    expect([...tree.values()].every(({ entry }) => entry.uid === 0 && entry.mtime <= 1_600_000_000)).toBe(true);
    expect([...tree.keys()]).toEqual([...tree.keys()].toSorted());
  });

  test('what is excluded is gone, but counted nowhere; the licence is known all the same', async () => {
    const { tree, manifest } = await unpack([base, { name: 'linked', fields: { Source: 'origin (3.0)', Section: 'libs', Homepage: 'https://example.org' }, files: { 'usr/share/doc/linked': '-> base-files', 'usr/lib/l.so': 'lib' } }], ['/usr/share/doc/**', '/etc/**']);
    expect([...tree.keys()].filter((key) => key.startsWith('usr/share/doc/') || key.startsWith('etc/'))).toEqual([]);
    expect(manifest.packages).toEqual([
      expect.objectContaining({ name: 'base-files', licences: ['GPL-2+'], files: 1, installedBytes: 3 }),
      expect.objectContaining({ name: 'linked', licences: ['GPL-2+'], source: 'origin', sourceVersion: '3.0', section: 'libs', homepage: 'https://example.org', files: 1, installedBytes: 3 }),
    ]);
  });

  test('scripts are kept to be looked at', async () => {
    const { control } = await unpack([{ name: 'scripted', scripts: { postinst: '#!/bin/sh\ntouch /tmp/ran\n' } }]);
    expect(JSON.parse(control)).toMatchObject([{ name: 'scripted', scripts: { postinst: '#!/bin/sh\ntouch /tmp/ran\n' } }]);
  });

  test('two packages that bring the same path are an error that names both and the path', async () => {
    await expect(unpack([base, { name: 'clash', files: { 'etc/x': 'other' } }])).rejects.toMatchObject({ code: 'OSB_CONFIG_INVALID', message: expect.stringMatching(/base-files and clash both bring \/etc\/x/), hint: expect.stringContaining('exclude') });
    const { tree } = await unpack([base, { name: 'clash', fields: { Replaces: 'base-files (<< 2)' }, files: { 'etc/x': 'other' } }]);
    expect(readText(tree, 'etc/x')).toBe('other');
  });

  test('the same packages give the same bytes, whatever order and cache', async () => {
    const others = Array.from({ length: 6 }, (_, index): TestPackage => ({ name: `p${index}`, files: { [`usr/share/p${index}/data`]: 'x'.repeat(index * 1000) } }));
    const first = await unpack([base, ...others]);
    const second = await unpack([...others.toReversed(), base], [], 'other-cache');
    expect(second.tar.equals(first.tar)).toBe(true);
  });
});
