/**
 * Streaming codecs with bounded memory. The loop is always:
 * `codec.push(input); for (let out; (out = codec.pull()) !== null; ) use(out);` … and at the end of input
 * `codec.finish()` with the same inner loop. They work on the calling thread, so push no more than about 64 KiB at a time.
 */
declare module 'host:compress' {
  export interface Codec {
    /** Gives input. The bytes are used in place, not copied: do not change them until pull() has returned null. Throws 'EBUSY' before that. */
    push(input: Uint8Array): void;
    /**
     * The next output, 1 … maxBytes (default 65536), or null: all input is used up (push more or finish), or everything has been given.
     * Throws HostError 'CORRUPT' for damaged input; 'TRUNCATED' when finish() has said that nothing follows. After that, only close().
     */
    pull(maxBytes?: number): Uint8Array<ArrayBuffer> | null;
    /** No more input. pull() until null gives the rest. */
    finish(): void;
    /** Bytes taken and given so far. */
    readonly inputBytes: number;
    readonly outputBytes: number;
    /** Frees the memory at once instead of when it is collected. */
    close(): void;
  }
  /** gzip with any number of members (as gunzip reads them); zero padding after the last is allowed, other bytes are CORRUPT. */
  export function gunzip(): Codec;
  /** Deterministic: no name and no time in the header. Level 1 … 9, default 6. */
  export function gzip(level?: number): Codec;
  /** Any number of frames, skippable ones are skipped. A frame that wants a window above `maxWindowBytes` (default 128 MiB) is CORRUPT. */
  export function unzstd(maxWindowBytes?: number): Codec;
  /** Level 1 … 19, default 3, with a checksum. */
  export function zstd(level?: number): Codec;
  /** By the first bytes (four are enough): 'gzip', 'zstd', or null (other or too short). */
  export function detect(start: Uint8Array): 'gzip' | 'zstd' | null;
}
