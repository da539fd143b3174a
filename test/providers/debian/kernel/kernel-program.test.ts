import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { DebianArchitecture, KernelArtifact } from '../../../../src/model/index.ts';
import { kernelProgram } from '../../../../src/providers/debian/kernel/kernel-program.ts';
import { kernelImages } from '../../../support/kernel-images.ts';

const wanted = (architecture: DebianArchitecture, loader: KernelArtifact['loader'] = 'u-boot') => ({ name: 'linux-maker', architecture, loader });
const refusal = (message: RegExp, hint: RegExp) => expect.objectContaining({ code: 'OSB_KERNEL_INCOMPLETE', message: expect.stringMatching(message), hint: expect.stringMatching(hint) });

describe('a kernel', () => {
  test('of the machine\'s architecture is taken as it is, in the form that its loader starts', () => {
    for (const [bytes, architecture] of [[kernelImages.arm64(false), 'arm64'], [kernelImages.arm(), 'armhf'], [kernelImages.arm(), 'armel'], [kernelImages.amd64(), 'amd64'], [kernelImages.i386(), 'i386']] satisfies [Buffer, DebianArchitecture][]) {
      expect(kernelProgram(bytes, 'boot/Image', wanted(architecture))).toBe(bytes);
    }
    expect(kernelProgram(kernelImages.zboot(), 'vmlinuz.efi', wanted('arm64', 'systemd-boot'))).toHaveLength(4096);
  });

  test('that gzip packed is unpacked, as booti and the slots take it', () => {
    expect(kernelProgram(gzipSync(kernelImages.arm64()), 'boot/Image.gz', wanted('arm64')).equals(kernelImages.arm64())).toBe(true);
  });

  test('of another architecture is refused with both named', () => {
    expect(() => kernelProgram(kernelImages.arm(), 'boot/zImage', wanted('arm64'))).toThrow(refusal(/^boot\/zImage of linux-maker is a kernel \(zImage\), for armhf or armel, and the machine wants one for arm64\.$/, /kernel\.artifact\.architecture/));
    expect(() => kernelProgram(kernelImages.i386(), 'bzImage', wanted('amd64'))).toThrow(refusal(/for i386, and the machine wants one for amd64/, /right archive/));
    expect(() => kernelProgram(kernelImages.zboot(), 'x', wanted('amd64', 'systemd-boot'))).toThrow(refusal(/for arm64/, /./));
  });

  test('in a form that the loader does not start is refused with what to name instead', () => {
    expect(() => kernelProgram(kernelImages.zboot(), 'vmlinuz.efi', wanted('arm64'))).toThrow(refusal(/unpacks itself under UEFI/, /U-Boot starts Image/));
    expect(() => kernelProgram(kernelImages.arm64(false), 'Image', wanted('arm64', 'systemd-boot'))).toThrow(refusal(/no program for UEFI/, /CONFIG_EFI_STUB/));
    expect(() => kernelProgram(kernelImages.uImage(), 'uImage', wanted('armhf'))).toThrow(refusal(/uImage/, /Image, zImage or bzImage/));
    expect(() => kernelProgram(kernelImages.elf(), 'vmlinux', wanted('arm64'))).toThrow(refusal(/ELF/, /Image/));
    expect(() => kernelProgram(kernelImages.fit(), 'fitImage', wanted('arm64'))).toThrow(refusal(/FIT/, /Image/));
  });

  test('that is none, or whose packing is damaged', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('<html>'), Buffer.from('MZ\0\0zimg')]) expect(() => kernelProgram(bytes, 'Image', wanted('arm64'))).toThrow(expect.objectContaining({ code: 'OSB_KERNEL_INCOMPLETE' }));
    expect(() => kernelProgram(gzipSync(kernelImages.arm64()).subarray(0, 30), 'Image.gz', wanted('arm64'))).toThrow(refusal(/damaged gzip file/, /maker/));
  });
});
