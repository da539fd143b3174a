import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDownloadExecutors, fileFetchDefaults, planFiles } from '../../../../src/downloads/index.ts';
import { openTarRoot } from '../../../../src/image/tar-root.ts';
import type { AnyTask, Executors, FileByUrl, PackageManifest } from '../../../../src/model/index.ts';
import { localDebs } from '../../../support/local-debs.ts';
import { providerBuild } from '../../../support/provider-build.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'osbuild-loader-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('files by address stand beside the packages, and in the manifest with their address and licence', async () => {
  const content = Buffer.from('first stage');
  const sha256 = createHash('sha256').update(content).digest('hex');
  const file: FileByUrl = { name: 'bl1.bin', url: 'https://maker.invalid/at/0123/bl1.bin', sha256, license: 'LicenseRef-Maker' };
  const mirror = path.join(folder, 'mirror');
  mkdirSync(mirror);
  writeFileSync(path.join(mirror, sha256), content);
  const debs = localDebs(folder, [{ name: 'u-boot-board', files: { 'usr/lib/u-boot/board/u-boot.bin': 'second stage', 'usr/share/doc/u-boot-board/copyright': 'x' } }]);
  const files = planFiles('files', 'files', [file]);
  if (files === null) throw new Error('no task');
  const proxies = (): { http: null; https: null } => ({ http: null, https: null });
  const using = providerBuild(path.join(folder, 'cache'), { extra: { 'debian/fetch': debs.fetch, ...createDownloadExecutors({ ...fileFetchDefaults, mirrors: [mirror], proxies }) } as Partial<Executors> });
  const loader: AnyTask = {
    id: 'loader',
    kind: 'debian/boot-loader',
    title: 'loader',
    args: { packages: debs.packages, files: [file] },
    inputs: { debs: { from: 'task-files', task: 'debs' }, files: { from: 'task-files', task: 'files' } },
    result: 'files',
  };
  const made = await using.run([debs.task, files, loader], ['loader']);
  const root = openTarRoot(made.get('loader/boot-loader.tar') ?? '');
  try {
    expect(root.read('_files/bl1.bin').equals(content)).toBe(true);
    expect(root.read('u-boot-board/usr/lib/u-boot/board/u-boot.bin').toString()).toBe('second stage');
  } finally {
    root.close();
  }
  const { packages } = JSON.parse(readFileSync(made.get('loader/packages.json') ?? '', 'utf8')) as PackageManifest;
  expect(packages.find(({ name }) => name === 'bl1.bin')).toMatchObject({ version: `sha256-${sha256.slice(0, 12)}`, sha256, downloadUrl: file.url, licences: ['LicenseRef-Maker'], installedBytes: 11, downloadBytes: 11 });
});
