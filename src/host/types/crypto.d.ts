declare module 'host:crypto' {
  /** A running SHA-256; uses SHA-NI or the ARMv8 instructions where the processor has them. */
  export class Sha256 {
    constructor();
    /** Adds bytes, or the UTF-8 of a text. Returns itself. */
    update(data: Uint8Array | string): this;
    /** The hash of all so far, 64 lower-case hexadecimal digits; does not end it: more may follow. */
    hex(): string;
    /** The same as 32 bytes. */
    digest(): Uint8Array<ArrayBuffer>;
    /** The state as 112 bytes, for a download that goes on after a restart: `Sha256.restore(saved)`. */
    save(): Uint8Array<ArrayBuffer>;
    /** Throws HostError 'EINVAL' when they are not bytes of save(). */
    static restore(saved: Uint8Array): Sha256;
  }
  /** Hash of bytes or text at hand, in hexadecimal. */
  export function sha256(data: Uint8Array | string): string;
  /** In hexadecimal, for protocols that want it (WebSocket): it proves nothing. */
  export function sha1(data: Uint8Array | string): string;
  /** Hash of a file's content from its beginning, read on the pool with bounded memory; the fd's position does not change. */
  export function sha256File(file: string | number): Promise<{ hex: string; sizeBytes: number }>;
  /** From the kernel's generator; waits for nothing once the system has been up for a moment. At most 65536. */
  export function randomBytes(countBytes: number): Uint8Array<ArrayBuffer>;
  /** As many hexadecimal digits as 2 × countBytes. */
  export function randomHex(countBytes: number): string;
  /** Which implementation is in use: 'sha-ni', 'armv8' or 'portable'. */
  export const sha256Implementation: string;
  /** Names of all that this processor can run; tests compare them through sha256With. */
  export function sha256Implementations(): string[];
  export function sha256With(implementation: string, data: Uint8Array): string;
}
