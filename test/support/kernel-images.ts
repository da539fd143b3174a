/** First bytes of kernels as builds leave them, with nothing behind them. */
export const kernelImages = {
  /** Documentation/arch/arm64/booting.rst; `MZ`: with the stub that UEFI starts. */
  arm64: (stub = true): Buffer => write(4096, [stub ? 0 : null, 'MZ'], [0x38, 'ARM\x64']),
  /** arch/arm/boot/compressed/head.S */
  arm: (): Buffer => write(4096, [0x24, '\x18\x28\x6f\x01']),
  /** Documentation/arch/x86/boot.rst: protocol 2.15, xloadflags. */
  amd64: (): Buffer => write(4096, [0, 'MZ'], [0x1fe, '\x55\xaa'], [0x202, 'HdrS\x0f\x02'], [0x236, '\x3f\0']),
  i386: (): Buffer => write(4096, [0x1fe, '\x55\xaa'], [0x202, 'HdrS\x0f\x02'], [0x236, '\0\0']),
  /** drivers/firmware/efi/libstub/zboot-header.S: a PE file for arm64. */
  zboot: (): Buffer => write(4096, [0, 'MZ\0\0zimg'], [0x3c, '\x40\0\0\0'], [0x40, 'PE\0\0\x64\xaa']),
  uImage: (): Buffer => write(4096, [0, '\x27\x05\x19\x56']),
  elf: (): Buffer => write(4096, [0, '\x7fELF']),
  fit: (): Buffer => write(4096, [0, '\xd0\x0d\xfe\xed']),
};

function write(sizeBytes: number, ...parts: [offset: number | null, text: string][]): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (const [offset, text] of parts) if (offset !== null) bytes.write(text, offset, 'latin1');
  return bytes;
}
