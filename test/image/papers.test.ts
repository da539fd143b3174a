import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { encodeBmap } from '../../src/image/bmap.ts';
import { mergeRanges, usedRanges } from '../../src/image/ext4.ts';
import { deviceTypeContract, imageManifest } from '../../src/image/manifest.ts';
import { planPartitions } from '../../src/image/partition-table.ts';
import { cyclonedx, packageUrl } from '../../src/image/sbom.ts';
import { sizeReport } from '../../src/image/size.ts';
import type { ManifestPackage } from '../../src/model/index.ts';

const one = (name: string, installedBytes: number, more: Partial<ManifestPackage> = {}): ManifestPackage => ({
  name,
  version: '1:2.3+b1~rc1-4',
  architecture: 'arm64',
  source: `${name}-src`,
  sourceVersion: '2.3',
  section: 'net',
  licences: ['GPL-2+', 'own-licence'],
  homepage: 'https://example.org/',
  installedBytes,
  downloadBytes: 10,
  sha256: 'a'.repeat(64),
  files: 3,
  ...more,
});
const layout = planPartitions('board', { table: 'gpt' });
const manifest = imageManifest({
  machineName: 'board',
  mode: 'production',
  kernelHeaders: null,
  os: { name: 'Minke OS', id: 'minke', version: '1.0' },
  image: { file: 'minke-board-1.0.img.zst', sha256: 'b'.repeat(64), sizeBytes: 1000 },
  disk: { layout, mappedBytes: 5000, contents: [{ partition: 'boot', filesystem: 'vfat', usedBytes: 400, sha256: 'c'.repeat(64) }] },
  initrd: { kernelVersion: '6.12.1', modules: ['a.ko'], programs: ['/usr/bin/b'], unpackedBytes: 20, compressedBytes: 10 },
  packages: { packages: [one('zlib', 100, { section: 'libs' }), one('apt', 300)] },
});

describe('the papers of an image', () => {
  test('manifest: packages by name, all partitions with what they hold', () => {
    expect(manifest.packages.map(({ name }) => name)).toEqual(['apt', 'zlib']);
    expect(manifest.partitions.map(({ name, usedBytes, filesystem }) => [name, usedBytes, filesystem])).toEqual([
      ['boot', 400, 'vfat'],
      ['rootA', 0, null],
      ['rootB', 0, null],
      ['state', 0, null],
      ['data', 0, null],
    ]);
  });

  test('package URLs are escaped as their specification says', () => {
    expect(packageUrl({ name: 'bl1.bin', version: '1', architecture: 'all', downloadUrl: 'https://example.org/a b/bl1.bin', sha256: 'a'.repeat(64) })).toBe(`pkg:generic/bl1.bin?checksum=sha256:${'a'.repeat(64)}&download_url=https%3A%2F%2Fexample.org%2Fa%20b%2Fbl1.bin`);
    expect(packageUrl(one('libstdc++6', 1))).toBe('pkg:deb/debian/libstdc%2B%2B6@1:2.3%2Bb1%7Erc1-4?arch=arm64');
  });

  test('SBOM: a maker\'s kernel with its address, its SPDX identifier and where its sources are', () => {
    const kernel = one('linux-maker', 1, { version: '6.6.31', licences: ['GPL-2.0-only'], homepage: null, downloadUrl: 'https://maker.invalid/k.tar.xz', sourceUrl: 'https://maker.invalid/linux-6.6.31' });
    const { components } = cyclonedx({ ...manifest, packages: [kernel] }, 0) as { components: unknown[] };
    expect(components).toEqual([expect.objectContaining({ name: 'linux-maker', version: '6.6.31', purl: `pkg:generic/linux-maker?checksum=sha256:${'a'.repeat(64)}&download_url=https%3A%2F%2Fmaker.invalid%2Fk.tar.xz`, licenses: [{ license: { id: 'GPL-2.0-only' } }], externalReferences: [{ type: 'source-distribution', url: 'https://maker.invalid/linux-6.6.31' }] })]);
  });

  test('SBOM: every package with licences, hash and URL, and the same document every time', () => {
    const sbom = cyclonedx(manifest, 1_700_000_000) as { components: Array<Record<string, unknown>>; serialNumber: string; dependencies: Array<{ dependsOn: string[] }> };
    expect(sbom).toEqual(cyclonedx(manifest, 1_700_000_000));
    expect(sbom.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(sbom.components).toHaveLength(2);
    expect(sbom.components[0]).toMatchObject({
      name: 'apt',
      licenses: [{ license: { id: 'GPL-2.0-or-later' } }, { license: { name: 'own-licence' } }],
      hashes: [{ alg: 'SHA-256', content: 'a'.repeat(64) }],
    });
    expect(sbom.dependencies[0]?.dependsOn).toEqual(sbom.components.map((component) => component['bom-ref']));
  });

  test('contract: slug, aliases, where config.json is', () => {
    const machine = {
      description: 'A Board',
      aliases: ['other-name'],
      arch: 'aarch64' as const,
      kernel: { debian: { package: 'linux-image-arm64', architecture: 'arm64' as const } },
      boot: { method: 'systemd-boot' as const, package: { package: 'systemd-boot-efi', architecture: 'arm64' as const }, efiName: 'BOOTAA64.EFI' },
      disk: { table: 'gpt' as const },
    };
    expect(deviceTypeContract({ machineName: 'board', machine, manifest })).toMatchObject({
      slug: 'board',
      aliases: ['other-name'],
      name: 'A Board',
      kernel: { version: '6.12.1' },
      configuration: { partition: 'boot', path: '/config.json', startBytes: 4 * 1024 ** 2 },
      blockMap: 'minke-board-1.0.bmap',
      instructions: [expect.stringMatching(/^Write minke-board-1\.0\.img\.zst to the USB stick/), expect.any(String), expect.any(String)],
    });
    // A board that is written over a cable says itself how.
    expect(deviceTypeContract({ machineName: 'board', machine: { ...machine, instructions: ['Send {image} by cable.', 'Wait.'] }, manifest })['instructions']).toEqual(['Send minke-board-1.0.img.zst by cable.', 'Wait.']);
  });

  test('sizes: largest first, with shares and sections', () => {
    const report = sizeReport(manifest);
    expect(report.packages.map(({ name, share }) => [name, share])).toEqual([['apt', 0.75], ['zlib', 0.25]]);
    expect(report.sections).toEqual([{ name: 'net', installedBytes: 300, packages: 1 }, { name: 'libs', installedBytes: 100, packages: 1 }]);
    expect(report.partitions[0]).toEqual({ name: 'boot', sizeBytes: 96 * 1024 ** 2, usedBytes: 400, freeBytes: 96 * 1024 ** 2 - 400 });
  });
});

describe('block maps', () => {
  test('count blocks, number ranges inclusively, and carry a checksum of themselves', () => {
    const text = encodeBmap({ imageBytes: 10 * 4096 + 100, ranges: [{ start: 0, end: 4096, sha256: 'd'.repeat(64) }, { start: 8192, end: 20480, sha256: 'e'.repeat(64) }] });
    expect(text).toContain('<BlocksCount> 11 </BlocksCount>');
    expect(text).toContain('<MappedBlocksCount> 4 </MappedBlocksCount>');
    expect(text).toContain(`<Range chksum="${'d'.repeat(64)}"> 0 </Range>`);
    expect(text).toContain(`<Range chksum="${'e'.repeat(64)}"> 2-4 </Range>`);
    const sum = /<BmapFileChecksum> (\w{64}) /.exec(text)?.[1] ?? '';
    expect(createHash('sha256').update(text.replace(sum, '0'.repeat(64))).digest('hex')).toBe(sum);
  });

  test('ext4: everything but the free blocks that dumpe2fs tells', () => {
    const report = 'Block count:              1000\nGroup 0: (Blocks 0-499)\n  Free blocks: 100-199, 300\n  Free inodes: 12-100\nGroup 1: (Blocks 500-999)\n  Free blocks: 500-999\n';
    expect(usedRanges(report)).toEqual([{ start: 0, end: 100 * 4096 }, { start: 200 * 4096, end: 300 * 4096 }, { start: 301 * 4096, end: 500 * 4096 }]);
  });

  test('ranges are widened to blocks and merged where they touch', () => {
    expect(mergeRanges([{ start: 5000, end: 6000 }, { start: 0, end: 512 }, { start: 4096, end: 4100 }, { start: 20000, end: 20001 }], 4096)).toEqual([
      { start: 0, end: 8192 },
      { start: 16384, end: 20480 },
    ]);
  });
});
