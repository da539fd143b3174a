import { describe, expect, test } from 'vitest';
import type { ManifestPackage } from '../../../../src/model/index.ts';
import { countInstalled, deviceTrees, kernelImage, kernelVersion } from '../../../../src/providers/debian/kernel/layout.ts';
import { newEntry, type RootTree, type TreeNode } from '../../../../src/providers/debian/tar/index.ts';

const node = (path: string, sizeBytes = 1): [string, TreeNode] => [path, { entry: { ...newEntry(path, 'file'), sizeBytes }, content: null }];
const link = (path: string, target: string): [string, TreeNode] => [path, { entry: newEntry(path, 'link', { target }), content: null }];

/** As linux-image-6.12.107+deb13-arm64 of trixie, and linux-base-, -binary- and -modules-7.3.4+deb13-arm64 of its backports lay their files out. */
const layouts: { name: string; version: string; tree: RootTree; image: string }[] = [
  {
    name: 'one package, the kernel in /boot',
    version: '6.12.107+deb13-arm64',
    image: 'boot/vmlinuz-6.12.107+deb13-arm64',
    tree: new Map([
      node('boot/vmlinuz-6.12.107+deb13-arm64'),
      node('boot/config-6.12.107+deb13-arm64'),
      node('usr/lib/linux-image-6.12.107+deb13-arm64/broadcom/bcm2837-rpi-3-b.dtb'),
      node('usr/lib/modules/6.12.107+deb13-arm64/kernel/net/bridge/bridge.ko.xz'),
    ]),
  },
  {
    name: 'three packages, everything beside the modules',
    version: '7.3.4+deb13-arm64',
    image: 'usr/lib/modules/7.3.4+deb13-arm64/vmlinuz',
    tree: new Map([
      link('usr/lib/linux-image-7.3.4+deb13-arm64', 'modules/7.3.4+deb13-arm64/dtb'),
      node('usr/lib/modules/7.3.4+deb13-arm64/vmlinuz'),
      node('usr/lib/modules/7.3.4+deb13-arm64/config'),
      node('usr/lib/modules/7.3.4+deb13-arm64/dtb/broadcom/bcm2837-rpi-3-b.dtb'),
      node('usr/lib/modules/7.3.4+deb13-arm64/kernel/net/bridge/bridge.ko.xz'),
    ]),
  },
];

describe.each(layouts)('$name', ({ version, tree, image }) => {
  test('kernel and device trees are found', () => {
    expect(kernelVersion(tree)).toBe(version);
    expect(kernelImage(tree, version).entry.path).toBe(image);
    expect([...deviceTrees(tree, version, ['broadcom/*-3-*.dtb']).keys()]).toEqual(['broadcom', 'broadcom/bcm2837-rpi-3-b.dtb']);
  });

  test('a tree that is not there is told with its neighbour', () => {
    expect(() => deviceTrees(tree, version, ['broadcom/bcm2837-rpi-3-c.dtb'])).toThrow(expect.objectContaining({ code: 'OSB_KERNEL_INCOMPLETE', hint: 'Did you mean broadcom/bcm2837-rpi-3-b.dtb?' }));
  });
});

test('packages without a kernel, and two kernels, are refused', () => {
  expect(() => kernelImage(new Map([node('usr/lib/modules/1/kernel/a.ko')]), '1')).toThrow(/none of boot\/vmlinuz-1,/);
  expect(() => kernelVersion(new Map([node('usr/lib/modules/1/a.ko'), node('usr/lib/modules/2/a.ko')]))).toThrow(/found 1, 2/);
});

test('each package counts for what of it went into the image', () => {
  const [, split] = layouts;
  if (split === undefined) throw new Error('no such layout');
  const of = (key: string): string => (key.endsWith('/vmlinuz') ? 'binary' : key.endsWith('.ko.xz') ? 'modules' : 'base');
  const packages = ['binary', 'modules', 'base', 'meta'].map((name) => ({ name, files: 9, installedBytes: 9 }) as ManifestPackage);
  const placed: RootTree = new Map([node('usr/lib/modules/7.3.4+deb13-arm64/kernel/net/bridge/bridge.ko', 30), node('usr/lib/modules/7.3.4+deb13-arm64/modules.dep', 5)]);
  countInstalled({ packages }, split.tree, kernelImage(split.tree, split.version), placed, new Map([...split.tree.keys()].map((key) => [key, of(key)])));
  expect(packages.map(({ name, files, installedBytes }) => `${name} ${files} ${installedBytes}`)).toEqual(['binary 1 1', 'modules 2 35', 'base 0 0', 'meta 0 0']);
});
