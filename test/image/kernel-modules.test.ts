import { describe, expect, test } from 'vitest';
import { chooseModules, moduleName, parseModuleLists } from '../../src/image/kernel-modules.ts';

// Lines as depmod of trixie writes them for Linux 6.12.
const lists = parseModuleLists({
  dep: [
    'kernel/fs/ext4/ext4.ko: kernel/lib/crc16.ko kernel/fs/mbcache.ko kernel/fs/jbd2/jbd2.ko',
    'kernel/fs/jbd2/jbd2.ko:',
    'kernel/fs/mbcache.ko:',
    'kernel/lib/crc16.ko:',
    'kernel/lib/libcrc32c.ko:',
    'kernel/fs/erofs/erofs.ko: kernel/lib/libcrc32c.ko',
    'kernel/crypto/crc32c_generic.ko.xz:',
    'kernel/arch/x86/crypto/crc32c-intel.ko.xz:',
    'kernel/drivers/usb/storage/uas.ko: kernel/drivers/usb/storage/usb-storage.ko',
    'kernel/drivers/usb/storage/usb-storage.ko:',
  ].join('\n'),
  builtin: 'kernel/drivers/mmc/core/mmc_block.ko\n',
  softdep: '# Soft dependencies\nsoftdep ext4 pre: crypto-crc32c\nsoftdep libcrc32c pre: crc32c post: nothing\n',
  alias: 'alias crypto-crc32c crc32c_intel\nalias crc32c crc32c_intel\nalias crypto-crc32c crc32c_generic\nalias crc32c crc32c_generic\nalias fs-ext4 ext4\n',
});
const order = (name: string, files: string[]): number => files.findIndex((file) => moduleName(file) === name);

describe('modules of an initrd', () => {
  test('come with what they depend on, each after it', () => {
    const { files } = chooseModules(lists, ['ext4', 'uas']);
    for (const [first, then] of [['jbd2', 'ext4'], ['mbcache', 'ext4'], ['crc16', 'ext4'], ['usb_storage', 'uas']] as const) {
      expect(order(first, files)).toBeGreaterThanOrEqual(0);
      expect(order(first, files)).toBeLessThan(order(then, files));
    }
  });

  test('come with every module that offers a soft dependency, though modules.dep does not name it', () => {
    const { files } = chooseModules(lists, ['erofs']);
    expect(order('crc32c_generic', files)).toBeGreaterThanOrEqual(0);
    expect(order('crc32c_intel', files)).toBeGreaterThanOrEqual(0);
    expect(order('crc32c_generic', files)).toBeLessThan(order('libcrc32c', files));
  });

  test('are named with - or _ alike; what is built in needs no file; what is nowhere is reported', () => {
    expect(chooseModules(lists, ['usb_storage', 'mmc-block', 'no-such-thing'])).toEqual({
      files: ['kernel/drivers/usb/storage/usb-storage.ko'],
      missing: ['no-such-thing'],
    });
  });

  test('that compute something are all that offer it, unless the kernel has it built in', () => {
    expect(chooseModules(lists, ['crypto-crc32c']).files.map(moduleName).toSorted()).toEqual(['crc32c_generic', 'crc32c_intel']);
    const builtinInfo = 'erofs.license=GPL\0sha256_generic.alias=crypto-sha256\0sha256_generic.alias=sha256\0';
    const with256 = parseModuleLists({ dep: '', builtin: '', builtinInfo, softdep: '', alias: '' });
    expect(chooseModules(with256, ['crypto-sha256'])).toEqual({ files: [], missing: [] });
    expect(chooseModules(with256, ['crypto-sha3'])).toEqual({ files: [], missing: ['crypto-sha3'] });
  });

  test('are each taken once, and a cycle of soft dependencies ends', () => {
    const cyclic = parseModuleLists({ dep: 'a.ko: b.ko\nb.ko:', builtin: '', softdep: 'softdep b pre: a', alias: '' });
    expect(chooseModules(cyclic, ['a', 'b', 'a']).files.toSorted()).toEqual(['a.ko', 'b.ko']);
  });
});
