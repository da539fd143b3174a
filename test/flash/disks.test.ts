import { expect, test } from 'vitest';

import { disksOf, judgeDisk, type LsblkDevice } from '../../src/flash/disks.ts';

const device = (path: string, own: Partial<LsblkDevice> = {}): LsblkDevice => ({ path, type: 'disk', size: 32e9, ro: false, rm: false, hotplug: false, tran: null, vendor: null, model: null, 'maj:min': '8:0', ...own });
const mount = (number: string, where: string, source: string): string => `36 35 ${number} / ${where} rw,noatime shared:1 - ext4 ${source} rw`;
const noSwap = 'Filename\tType\tSize\tUsed\tPriority\n';
const needs = { imageBytes: 4e9, fixed: false };
const judged = (devices: LsblkDevice[], mounts = '', swaps = noSwap, want = needs) => disksOf(devices, mounts, swaps).map((disk) => judgeDisk(disk, want));

test('a card or a stick that nothing uses is free; text and numbers of older lsblk are the same', () => {
  expect(judged([device('/dev/sdb', { tran: 'usb', size: '32000000000', rm: '1', ro: '0' }), device('/dev/mmcblk0', { hotplug: true })])).toEqual([{ free: true }, { free: true }]);
});

test('what carries this computer is refused, whatever is said', () => {
  const part = (path: string, number: string, own: Partial<LsblkDevice> = {}) => device(path, { type: 'part', 'maj:min': number, ...own });
  const disk = (...children: LsblkDevice[]) => [device('/dev/sda', { rm: true, children })];
  const why = { free: false, hint: 'this is a disk of this computer; take another' };
  const all = { imageBytes: 1, fixed: true };
  expect(judged(disk(part('/dev/sda2', '8:2')), mount('8:2', '/', '/dev/sda2'), noSwap, all)).toEqual([{ ...why, why: '/dev/sda2 is mounted at /' }]);
  // btrfs gives mounts a device number of its own.
  expect(judged(disk(part('/dev/sda3', '8:3')), mount('0:31', '/home', '/dev/sda3'), noSwap, all)).toEqual([{ ...why, why: '/dev/sda3 is mounted at /home' }]);
  expect(judged(disk(part('/dev/sda1', '8:1')), '', `${noSwap}/dev/sda1\tpartition\t1\t0\t-2\n`, all)).toEqual([{ ...why, why: '/dev/sda1 is in use as swap' }]);
  const crypt = part('/dev/sda2', '8:2', { children: [device('/dev/mapper/root', { type: 'crypt', 'maj:min': '254:0' })] });
  expect(judged(disk(crypt), mount('254:0', '/', '/dev/mapper/root'), noSwap, all)).toEqual([{ ...why, why: '/dev/sda2 is in use as crypt /dev/mapper/root' }]);
});

test('a stick that the desktop mounted has to be unmounted, and the line for it is told', () => {
  const stick = device('/dev/sdb', { tran: 'usb', children: [device('/dev/sdb1', { type: 'part', 'maj:min': '8:17' })] });
  expect(judged([stick], mount('8:17', '/media/me/MY\\040STICK', '/dev/sdb1'))).toEqual([{ free: false, why: '/dev/sdb1 is mounted at /media/me/MY STICK', hint: 'sudo umount /media/me/MY STICK' }]);
});

test('too small, empty, write-protected, fixed', () => {
  const why = (own: Partial<LsblkDevice>, fixed = false) => judged([device('/dev/sdb', own)], '', noSwap, { ...needs, fixed }).map((judgement) => (judgement.free ? 'free' : judgement.why));
  expect(why({ rm: true, size: 1e9 })).toEqual(['it holds 1000000000 bytes, and the image needs 4000000000']);
  expect(why({ rm: true, size: 0 })).toEqual(['there is no medium in it']);
  expect(why({ rm: true, ro: true })).toEqual(['it is write-protected']);
  expect(why({})).toEqual(['it is a fixed disk']);
  expect(why({}, true)).toEqual(['free']);
});

test('what is no disk is not shown', () => {
  expect(disksOf([device('/dev/sr0', { type: 'rom' }), device('/dev/zram0'), device('/dev/dm-0', { type: 'lvm' })], '', noSwap)).toEqual([]);
});
