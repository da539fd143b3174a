import { gunzipSync } from 'node:zlib';
import { OsbuildError, type DebianArchitecture, type KernelArtifact } from '../../../model/index.ts';

/** A form of kernel by its first bytes, and what it is for; no architecture: none of our loaders starts such a file. */
interface Form {
  title: string;
  architectures: readonly DebianArchitecture[];
  hint?: string;
}

/** A kernel is some 10 to 60 MB; more than this is no kernel. */
export const kernelLimitBytes = 512 << 20;
const gzipMagic = 0x1f8b;

/**
 * The program that a boot loader starts, from a kernel's file: unpacked, where gzip packed it.
 * @param path for messages
 * @throws OSB_KERNEL_INCOMPLETE for a kernel of another architecture, or in a form that the machine's loader does not start
 */
export function kernelProgram(file: Buffer, path: string, { name, architecture, loader }: Pick<KernelArtifact, 'name' | 'architecture' | 'loader'>): Buffer {
  const refuse = (what: string, hint: string): OsbuildError => new OsbuildError('OSB_KERNEL_INCOMPLETE', `${path} of ${name} ${what}.`, { hint, details: { path, architecture } });
  const bytes = unpacked(file, () => refuse('is a damaged gzip file', 'Ask its maker, or name another file as kernel.artifact.image.'));
  const { title, architectures, hint } = formOf(bytes);
  if (architectures.length === 0) throw refuse(`is ${title}`, hint ?? 'kernel.artifact.image names the kernel inside the archive.');
  if (!architectures.includes(architecture)) {
    throw refuse(`is ${title}, for ${architectures.join(' or ')}, and the machine wants one for ${architecture}`, 'Is it the right archive, and the right kernel in it? Otherwise correct kernel.artifact.architecture of the machine file.');
  }
  const isProgram = bytes.toString('latin1', 0, 2) === 'MZ';
  if (loader === 'systemd-boot' && !isProgram) throw refuse('is no program for UEFI', 'systemd-boot starts kernels that were built with CONFIG_EFI_STUB=y.');
  if (loader === 'u-boot' && title === zboot) throw refuse(`is ${zboot}`, 'U-Boot starts Image, which the kernel was packed from: kernel.artifact.image names it.');
  return bytes;
}

function unpacked(file: Buffer, damaged: () => OsbuildError): Buffer {
  if (file.length < 2 || file.readUInt16BE(0) !== gzipMagic) return file;
  try {
    return gunzipSync(file, { maxOutputLength: kernelLimitBytes });
  } catch {
    throw damaged();
  }
}

const zboot = 'a kernel that unpacks itself under UEFI (zboot)';

/**
 * Sources: arm64's Documentation/arch/arm64/booting.rst; arch/arm/boot/compressed/head.S; Documentation/arch/x86/boot.rst;
 * drivers/firmware/efi/libstub/zboot-header.S; the forms without architecture: U-Boot's include/image.h, the devicetree
 * specification, and elf(5).
 */
function formOf(bytes: Buffer): Form {
  const has = (offset: number, magic: string): boolean => bytes.toString('latin1', offset, offset + magic.length) === magic;
  if (has(0, 'MZ\0\0zimg')) return { title: zboot, architectures: peArchitectures(bytes) };
  if (has(0x38, 'ARM\x64')) return { title: 'a kernel (Image)', architectures: ['arm64'] };
  if (bytes.length > 0x28 && bytes.readUInt32LE(0x24) === 0x016f2818) return { title: 'a kernel (zImage)', architectures: ['armhf', 'armel'] };
  if (has(0x202, 'HdrS') && bytes.length > 0x238) {
    const tells = bytes.readUInt16LE(0x206) >= 0x020c;
    return { title: 'a kernel (bzImage)', architectures: [tells && (bytes.readUInt16LE(0x236) & 1) === 1 ? 'amd64' : 'i386'] };
  }
  const plain = 'kernel.artifact.image names the kernel itself: Image, zImage or bzImage.';
  if (has(0, '\x27\x05\x19\x56')) return { title: 'a kernel wrapped for U-Boot (uImage)', architectures: [], hint: plain };
  if (has(0, '\xd0\x0d\xfe\xed')) return { title: 'a device tree, or a kernel wrapped in one (FIT)', architectures: [], hint: plain };
  if (has(0, '\x7fELF')) return { title: 'an ELF file (vmlinux), as debuggers take it', architectures: [], hint: plain };
  return { title: 'no kernel of a form that is known here', architectures: [], hint: `${plain} Of compressed ones those of gzip are unpacked.` };
}

/** The machine field of a PE file's header, as DebianArchitecture has names for it. */
function peArchitectures(bytes: Buffer): DebianArchitecture[] {
  const at = bytes.length > 0x40 ? bytes.readUInt32LE(0x3c) : bytes.length;
  if (at + 6 > bytes.length) return [];
  const machines: Record<number, DebianArchitecture[]> = { 0xaa64: ['arm64'], 0x8664: ['amd64'], 0x14c: ['i386'], 0x1c2: ['armhf', 'armel'], 0x1c4: ['armhf', 'armel'] };
  return machines[bytes.readUInt16LE(at + 4)] ?? [];
}
