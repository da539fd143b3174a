declare module 'host:crypto' {
  /** A running SHA-256; uses SHA-NI or the ARMv8 instructions where the processor has them. */
  export class Sha256 {
    constructor();
    /** Adds bytes, or the UTF-8 of a text. Returns itself. */
    update(data: Uint8Array | string): this;
    /** Adds bytes on the pool, which must not change meanwhile. Until it has resolved everything else of the hash throws HostError 'EBUSY'. */
    updateLater(data: Uint8Array): Promise<void>;
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
  /** Whether a signature of RSA (PKCS #1 v1.5) or ECDSA (DER), over SHA-256, is of this message by the owner of a public key (PEM). Throws HostError 'EINVAL' for a key that cannot be read. */
  export function verifySignature(publicKey: string, message: Uint8Array | string, signature: Uint8Array): boolean;
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
