/**
 * Everything that would otherwise loop over bytes in JavaScript, which is 30 to 100 times slower.
 * Offsets are in bytes; `to` is exclusive and clamped to the length; an offset outside throws RangeError.
 */
declare module 'host:bytes' {
  /** UTF-8 to text; malformed sequences become U+FFFD. A byte order mark is kept. */
  export function text(bytes: Uint8Array, from?: number, to?: number): string;
  /** Like text(), but malformed bytes become U+DC80…U+DCFF as in all paths of the host: use it for file names. */
  export function pathText(bytes: Uint8Array, from?: number, to?: number): string;
  /** Like pathText(), ending before the first NUL byte, if there is one: fixed-width fields. */
  export function cString(bytes: Uint8Array, from: number, to: number): string;
  /** Text to UTF-8. U+DC80…U+DCFF become single bytes again. */
  export function encode(text: string): Uint8Array<ArrayBuffer>;
  /** First position ≥ `from` at which `needle` (text, bytes, or one byte value) stands, or -1. */
  export function find(bytes: Uint8Array, needle: string | Uint8Array | number, from?: number): number;
  /** -1, 0 or 1: order as unsigned bytes. */
  export function compare(a: Uint8Array, b: Uint8Array): -1 | 0 | 1;
  /** Equality in time that depends on the lengths alone: for secrets too. */
  export function equal(a: Uint8Array, b: Uint8Array): boolean;
  export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
  /** Sum of unsigned byte values (checksum of a tar header). */
  export function sum(bytes: Uint8Array, from?: number, to?: number): number;
  /** True if all of the range is zero (padding, end of a tar). */
  export function isZero(bytes: Uint8Array, from?: number, to?: number): boolean;
  /**
   * A number field of a tar header: octal text with blanks and NULs around it, or base-256 when the first bit is set.
   * An empty field is 0. Anything else, or a value beyond 2^53, is NaN.
   */
  export function tarNumber(bytes: Uint8Array, from: number, to: number): number;
  /** Writes octal digits, zero-padded and NUL-terminated, or base-256 when they do not fit. */
  export function putTarNumber(bytes: Uint8Array, from: number, to: number, value: number): void;
  /** Writes text (see encode) at `from` without going beyond `to`; returns the number of bytes it has, also when cut. */
  export function putText(bytes: Uint8Array, from: number, to: number, text: string): number;
  /** Changes the bytes in place by a mask that repeats (WebSocket's frames). */
  export function xorMask(bytes: Uint8Array, mask: Uint8Array): void;
  export function hex(bytes: Uint8Array): string;
  /** Throws HostError 'EINVAL' when it is not an even number of hexadecimal digits. */
  export function fromHex(text: string): Uint8Array<ArrayBuffer>;
  /** Standard alphabet with padding, or the URL alphabet without. */
  export function base64(bytes: Uint8Array, alphabet?: 'standard' | 'url'): string;
  /** Takes both alphabets, padded or not, blanks and line ends ignored. Throws HostError 'EINVAL' for anything else. */
  export function fromBase64(text: string): Uint8Array<ArrayBuffer>;
}
