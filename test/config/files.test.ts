import { describe, expect, test } from 'vitest';
import { violations } from '../../src/config/validate.ts';

const file = { name: 'bl1.bin', url: 'https://example.org/at/0123abcd/bl1.bin', sha256: 'a'.repeat(64) };
const machine = (files: unknown[], areas: unknown[] = [{ name: 'bl1', download: 'bl1.bin', offsetBytes: 512, sizeBytes: 512 }]): unknown =>
  structuredClone({
    description: 'Board',
    arch: 'armv7hf',
    kernel: { debian: { package: 'linux-image-armmp', architecture: 'armhf' } },
    boot: { method: 'u-boot', package: { package: 'u-boot-exynos', architecture: 'armhf' }, file: 'u-boot.bin', ...(areas.length > 0 ? { areas } : {}) },
    disk: { table: 'mbr' },
    files,
  });
const faults = (data: unknown): string[] => violations('machine', data).map(({ path, message, hint }) => `${path.join('.')}: ${message}${hint === null ? '' : ` (${hint})`}`);

describe('files of a machine by address', () => {
  test('into an area, or onto the boot partition', () => {
    expect(faults(machine([file]))).toEqual([]);
    expect(faults(machine([{ ...file, target: 'overlays/board.dtbo', license: 'GPL-2.0-only' }], []))).toEqual([]);
  });

  test.each([
    ['ftp', { url: 'ftp://example.org/bl1.bin' }, 'files.0.url'],
    ['credentials', { url: 'https://me:secret@example.org/bl1.bin' }, 'files.0.url'],
    ['a short sum', { sha256: 'abc' }, 'files.0.sha256'],
    ['a path for a name', { name: '../bl1.bin' }, 'files.0.name'],
    ['a target outside', { target: '../bl1.bin' }, 'files.0.target'],
  ])('%s is refused where it stands', (_, change, place) => {
    expect(faults(machine([{ ...file, ...change }])).filter((line) => line.startsWith(`${place}: `))).toHaveLength(1);
  });

  test('a name that is mistyped, twice there, or used nowhere', () => {
    expect(faults(machine([file], [{ name: 'bl1', download: 'bl1.bim', offsetBytes: 512, sizeBytes: 512 }]))).toEqual([
      'files.0: bl1.bin is used nowhere (target puts it on the boot partition, download of boot.areas outside of partitions)',
      'boot.areas.0.download: there is no file called "bl1.bim" (did you mean "bl1.bin"?)',
    ]);
    expect(faults(machine([file, file]))).toEqual(['files.1.name: "bl1.bin" is the name of another file already (names tell files apart)']);
    expect(faults(machine([file], [{ name: 'bl1', download: 'bl1.bin', file: 'u-boot.bin', offsetBytes: 512, sizeBytes: 512 }]))).toEqual([expect.stringContaining('only one of the keys file and download')]);
  });
});
