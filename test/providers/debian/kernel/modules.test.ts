import { expect, test } from 'vitest';
import { builtinModules, chooseModules, moduleDependencies, moduleName } from '../../../../src/providers/debian/kernel/modules.ts';

test('modules are chosen by globs for plain .ko files, includes take back', () => {
  const files = ['kernel/sound/a.ko.xz', 'kernel/sound/core/b.ko.xz', 'kernel/fs/erofs/erofs.ko.xz', 'updates/c.ko'];
  expect([...chooseModules(files, { exclude: ['kernel/sound/**'], include: ['kernel/sound/core/*.ko'] })]).toEqual(['kernel/sound/core/b.ko.xz', 'kernel/fs/erofs/erofs.ko.xz', 'updates/c.ko']);
  expect(chooseModules(files, { exclude: [], include: [] }).size).toBe(4);
});

test('names, built-in modules and dependencies', () => {
  expect(moduleName('kernel/sound/pci/snd-hda-intel.ko.xz')).toBe('snd_hda_intel');
  expect(builtinModules('kernel/fs/ext4/ext4.ko\nkernel/net/unix/unix.ko\n')).toEqual(new Set(['ext4', 'unix']));
  expect(moduleDependencies(Buffer.from('\x7fELF..\0license=GPL\0depends=nf-nat,nf_conntrack\0name=x\0'))).toEqual(['nf_nat', 'nf_conntrack']);
  expect(moduleDependencies(Buffer.from('\0depends=\0name=x\0'))).toEqual([]);
});
