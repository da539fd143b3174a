import { describe, expect, test } from 'vitest';
import type { KernelArtifact } from '../../../../src/model/index.ts';
import { takeKernel } from '../../../../src/providers/debian/kernel/artifact-layout.ts';
import { newEntry, readBytes, type RootTree, type TarEntry, type TreeNode } from '../../../../src/providers/debian/tar/index.ts';
import { kernelImages } from '../../../support/kernel-images.ts';

const artifact: KernelArtifact = { name: 'linux-maker', url: 'https://maker.invalid/kernel.tar', sha256: 'a'.repeat(64), version: '1', architecture: 'arm64', license: 'GPL-2.0-only', loader: 'u-boot', release: null, image: null, modules: null, deviceTrees: null };
const release = '6.6.31-maker';

type Given = Record<string, string | Buffer | Partial<TarEntry>>;

/** An archive as addTar reads it: text and bytes are files, the rest entries of another kind. */
function archive(given: Given): RootTree {
  return new Map(
    Object.entries(given).map(([path, what]): [string, TreeNode] => {
      if (typeof what === 'string' || Buffer.isBuffer(what)) return [path, { entry: newEntry(path, 'file', { sizeBytes: what.length, mode: 0o6777, uid: 1000 }), content: { bytes: Buffer.from(what) } }];
      return [path, { entry: newEntry(path, what.type ?? 'link', what), content: null }];
    }),
  );
}

/** As kbuild's `make tarxz-pkg` lays out, and a .deb of `make bindeb-pkg` with its device trees elsewhere. */
const usual = (more: Given = {}): Given => ({
  [`boot/vmlinuz-${release}`]: kernelImages.arm64(),
  [`boot/config-${release}`]: 'CONFIG_ARM64=y\n',
  [`boot/System.map-${release}`]: 'x',
  [`boot/dtbs/${release}/maker/board.dtb`]: 'tree',
  [`lib/modules/${release}/kernel/net/bridge.ko.gz`]: 'module',
  [`lib/modules/${release}/modules.builtin`]: 'kernel/fs/ext4/ext4.ko\n',
  [`lib/modules/${release}/modules.order`]: '',
  [`lib/modules/${release}/build`]: { target: '/usr/src/linux' },
  ...more,
});
const take = (given: Given, change: Partial<KernelArtifact> = {}, deviceTrees = true) => takeKernel(archive(given), { ...artifact, ...change }, { deviceTrees });
const refusal = (message: RegExp, hint: RegExp) => expect.objectContaining({ code: 'OSB_KERNEL_INCOMPLETE', message: expect.stringMatching(message), hint: expect.stringMatching(hint) });

describe('a maker\'s archive', () => {
  test('as kbuild makes it: laid out as a kernel package, owned by root, nothing else', () => {
    const { tree, release: found } = take(usual());
    expect(found).toBe(release);
    expect([...tree.keys()].toSorted()).toEqual([
      `boot/config-${release}`,
      `boot/vmlinuz-${release}`,
      `usr/lib/linux-image-${release}/maker/board.dtb`,
      `usr/lib/modules/${release}/kernel/net/bridge.ko.gz`,
      `usr/lib/modules/${release}/modules.builtin`,
      `usr/lib/modules/${release}/modules.order`,
    ]);
    for (const { entry } of tree.values()) expect(entry).toMatchObject({ type: 'file', mode: 0o644, uid: 0 });
  });

  test('of a layout of its own: the machine says where things are', () => {
    const given: Given = {
      'bsp-1.2/boot/kernel8.img': kernelImages.arm64(),
      'bsp-1.2/boot/kernel7.img': kernelImages.arm(),
      'bsp-1.2/boot/overlays/wifi.dtbo': 'overlay',
      'bsp-1.2/boot/board.dtb': 'tree',
      'bsp-1.2/boot/start.elf': 'firmware',
      'bsp-1.2/modules/6.6.31-v8+/kernel/a.ko.xz': 'a',
      'bsp-1.2/modules/6.6.31-v7+/kernel/a.ko.xz': 'b',
    };
    const { tree } = take(given, { release: '6.6.31-v8+', image: 'bsp-1.2/boot/kernel8.img', modules: 'bsp-1.2/modules', deviceTrees: 'bsp-1.2/boot' });
    expect([...tree.keys()].toSorted()).toEqual(['boot/vmlinuz-6.6.31-v8+', 'usr/lib/linux-image-6.6.31-v8+/board.dtb', 'usr/lib/linux-image-6.6.31-v8+/overlays/wifi.dtbo', 'usr/lib/modules/6.6.31-v8+/kernel/a.ko.xz']);
    expect(() => take(given)).toThrow(refusal(/has no modules: no folder of a release in lib\/modules/, /names the folder/));
    expect(() => take(given, { modules: 'bsp-1.2/modules' })).toThrow(refusal(/modules of several kernels: 6\.6\.31-v7\+, 6\.6\.31-v8\+/, /kernel\.artifact\.release/));
    expect(() => take(given, { modules: 'bsp-1.2/modules', release: '6.6.31-v9+' })).toThrow(refusal(/no modules of 6\.6\.31-v9\+/, /Did you mean 6\.6\.31-v7\+, 6\.6\.31-v8\+\?/));
    const half = { modules: 'bsp-1.2/modules', release: '6.6.31-v8+' };
    expect(() => take(given, half)).toThrow(refusal(/no device trees in a usual place/, /some in bsp-1\.2\/boot,/));
    expect(() => take(given, half, false)).toThrow(refusal(/no kernel in a usual place/, /Is it bsp-1\.2\/boot\/kernel8\.img, bsp-1\.2\/boot\/kernel7\.img\?/));
    expect(() => take(given, { ...half, image: 'bsp-1.2/boot/kernel9.img' }, false)).toThrow(refusal(/has no file bsp-1\.2\/boot\/kernel9\.img/, /kernel8\.img/));
    expect(() => take(given, { ...half, image: 'bsp-1.2/boot/kernel7.img' }, false)).toThrow(refusal(/for armhf or armel/, /right kernel in it/));
    expect(() => take(given, { ...half, deviceTrees: 'bsp-1.2/dtb' })).toThrow(refusal(/no device trees in bsp-1\.2\/dtb/, /bsp-1\.2\/boot/));
  });

  test('with modules elsewhere is told where they are', () => {
    expect(() => take({ 'out/lib/modules/6.6/modules.dep': '' })).toThrow(refusal(/no modules/, /There are modules below out\/lib\/modules:/));
    expect(() => take({ [`lib/modules/${release}/modules.builtin`]: '' })).toThrow(refusal(/has no modules in/, /kernel\.source/));
  });

  test('links are followed inside of it and never out; devices are left', () => {
    const given = usual({
      [`boot/vmlinuz-${release}`]: { target: `/boot/Image-6.6` },
      'boot/Image-6.6': kernelImages.arm64(),
      [`lib/modules/${release}/kernel/passwd.ko`]: { target: '/etc/passwd' },
      [`lib/modules/${release}/kernel/up.ko`]: { target: '../../../../../../../../etc/shadow' },
      [`lib/modules/${release}/kernel/round.ko`]: { target: 'round.ko' },
      [`lib/modules/${release}/kernel/disk.ko`]: { type: 'block', devMajor: 8 },
      [`lib/modules/${release}/kernel/again.ko.gz`]: { type: 'hardlink', target: `lib/modules/${release}/kernel/net/bridge.ko.gz` },
      [`lib/modules/${release}/kernel/same.ko.gz`]: { target: `/lib/modules/${release}/kernel/net/bridge.ko.gz` },
      [`lib/modules/${release}/modules.hosts`]: { target: '/etc' },
      [`lib/modules/${release}/modules.hosts/evil.ko`]: 'below a link',
    });
    const { tree } = take(given);
    const modules = [...tree.keys()].filter((key) => key.endsWith('.ko') || key.endsWith('.gz'));
    expect(modules.map((key) => key.split('/').at(-1)).toSorted()).toEqual(['again.ko.gz', 'bridge.ko.gz', 'same.ko.gz']);
    for (const name of ['again', 'same']) expect(readBytes(tree, `usr/lib/modules/${release}/kernel/${name}.ko.gz`)?.toString()).toBe('module');
    expect([...tree.values()].every(({ entry }) => entry.type === 'file')).toBe(true);
    expect(tree.get(`boot/vmlinuz-${release}`)?.entry.sizeBytes).toBe(4096);
    expect(() => take(usual({ [`boot/vmlinuz-${release}`]: { type: 'char' } }))).toThrow(refusal(/no kernel/, /kernel\.artifact\.image/));
    expect(() => take(usual(), { image: `lib/modules/${release}/build` })).toThrow(refusal(/has no file/, /./));
  });

  test('whose names cannot be meant well is refused', () => {
    const at = (name: string): Given => ({ [`lib/modules/${name}/modules.builtin`]: '', [`lib/modules/${name}/kernel/a.ko`]: '' });
    for (const name of ['-b', 'a b', '..x']) expect(() => take(at(name))).toThrow(refusal(/a release of a strange name/, /Letters/));
    expect(() => take(usual({ [`lib/modules/${release}/kernel/x.ko`]: '1', [`lib/modules/${release}/kernel/x.ko/y.ko`]: '2' }))).toThrow(refusal(/as a file and as a folder/, /damaged/));
  });
});
