import { describe, expect, test } from 'vitest';

import { releaseConfig, releaseLabel, type Release as BuiltRelease } from '../../../src/image/release.ts';
import { compareVersions, readRelease, RELEASE_LABEL } from '../../../src/engine/os/release.ts';

const built: BuiltRelease = {
  format: 1,
  machine: 'board',
  os: { name: 'Minke OS', id: 'minke', version: '1.2.3' },
  mode: 'production',
  commandLine: ['console=ttyS0', 'quiet'],
  loader: 'u-boot',
  slot: { argv: ['mkfs.erofs', '-x'], sha256: 'a'.repeat(64), sizeBytes: 4096, verity: { rootHash: 'd'.repeat(64), salt: 'e'.repeat(64), dataBlocks: 1, hashStart: 1 } },
  layers: { root: 'b'.repeat(64), boot: 'c'.repeat(64) },
};

describe('the description of a release', () => {
  test('is read by devices as osbuild writes it', () => {
    expect(RELEASE_LABEL).toBe(releaseLabel);
    const { config } = JSON.parse(releaseConfig(built, 'aarch64', 1_793_491_200)) as { config: { Labels: Record<string, string> } };
    const { format: _format, ...rest } = built;
    expect(readRelease(config.Labels)).toEqual(rest);
  });

  test('tells of a unified kernel, which older devices refuse by the format', () => {
    const unified = { certificate: 'f'.repeat(64) };
    const { config } = JSON.parse(releaseConfig({ ...built, format: 2, unified }, 'aarch64', 1_793_491_200)) as { config: { Labels: Record<string, string> } };
    expect(readRelease(config.Labels)).toMatchObject({ machine: 'board', unified });
  });

  test.each<[string, (value: BuiltRelease) => unknown, RegExp]>([
    ['of another format', (value) => ({ ...value, format: 3 }), /format 3/],
    ['of the second format without what it is for', (value) => ({ ...value, format: 2 }), /unified/],
    ['with a certificate that is no digest', (value) => ({ ...value, format: 2, unified: { certificate: 'ours' } }), /unified.certificate/],
    ['that is a list', () => [], /not an object/],
    ['without a machine', ({ machine: _machine, ...rest }) => rest, /machine/],
    ['with two lines in a parameter', (value) => ({ ...value, commandLine: ['quiet\noptions init=/bin/sh'] }), /commandLine/],
    ['with a digest that is none', (value) => ({ ...value, layers: { ...value.layers, root: '../../etc' } }), /layers.root/],
    ['with a loader that nobody knows', (value) => ({ ...value, loader: 'grub' }), /boot loader/],
    ['with a size below zero', (value) => ({ ...value, slot: { ...value.slot, sizeBytes: -1 } }), /size/],
    ['with a hash tree of a root of another size', (value) => ({ ...value, slot: { ...value.slot, verity: { ...value.slot.verity, dataBlocks: 2, hashStart: 2 } } }), /slot.verity/],
    ['with a hash tree in the root', (value) => ({ ...value, slot: { ...value.slot, verity: { ...value.slot.verity, hashStart: 0 } } }), /slot.verity/],
    ['with a root hash that is more than that', (value) => ({ ...value, slot: { ...value.slot, verity: { ...value.slot.verity, rootHash: `${'d'.repeat(64)} init=/bin/sh` } } }), /slot.verity/],
    ['with a hash tree that is a word', (value) => ({ ...value, slot: { ...value.slot, verity: 'none' } }), /slot.verity/],
    ['without a program', (value) => ({ ...value, slot: { ...value.slot, argv: [] } }), /slot.argv/],
  ])('%s is refused', (_, change, complaint) => {
    expect(() => readRelease({ [RELEASE_LABEL]: JSON.stringify(change(built)) })).toThrow(complaint);
  });

  test('of before there were hash trees is read too', () => {
    const { verity: _verity, ...slot } = built.slot;
    expect(readRelease({ [RELEASE_LABEL]: JSON.stringify({ ...built, slot }) }).slot).toEqual(slot);
  });

  test('that is missing is told with what to do', () => {
    expect(() => readRelease({})).toThrow(expect.objectContaining({ code: 'OS_RELEASE_INVALID', hint: expect.stringContaining('.os.tar') }));
  });
});

describe('versions', () => {
  // In order, as `dpkg --compare-versions` has them.
  const ordered = ['0.1.0~rc1', '0.1.0', '0.1.0+2', '0.2.0', '0.10.0', '1.0', '1.0.1', '1.0a', '2026.11.1', '2026.11.12'];
  test.each(ordered.flatMap((a, i) => ordered.map((b, j): [string, string, number] => [a, b, Math.sign(i - j)])))('%s against %s: %i', (a, b, expected) => {
    expect(Math.sign(compareVersions(a, b))).toBe(expected);
  });
});
