/** The inner loops of deltas (docs/delta-format.md): finding differences, packing streams, playing instructions. */
declare module 'host:delta' {
  /** Streams of a group that the player takes: instructions, lengths, raw lengths, moves, differences, literals, gaps. */
  export type Lanes = readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];

  /** A zstd stream that is flushed after each piece, so that it can be unpacked piece by piece. */
  export interface Packer {
    /** On the pool, one call at a time ('EBUSY'). The result may be empty only for an empty input. */
    pack(bytes: Uint8Array): Promise<Uint8Array>;
  }
  /** `level` 1 … 19; `windowLog` 10 … 22; `prefix`: bytes that both sides know. */
  export function packer(level: number, windowLog: number, prefix: Uint8Array): Packer;

  export interface Unpacker {
    /** Exactly `sizeBytes` (1 … 2^24) from all of `packed`; throws HostError 'CORRUPT'. */
    unpack(packed: Uint8Array, sizeBytes: number): Uint8Array<ArrayBuffer>;
    close(): void;
  }
  export function unpacker(prefix: Uint8Array): Unpacker;

  /** Plays instructions until it needs its caller. Throws HostError 'CORRUPT' for what cannot be played, 'ESTALE' when the base file is shorter. */
  export interface Player {
    /** The next group's streams and its blocks, kept until they are used up; throws 'CORRUPT' when something of the last one is left. */
    group(lanes: Lanes, blocks?: Uint8Array): void;
    /** The file that is read from now on, from its beginning. The descriptor stays the caller's. */
    base(fd: number, sizeBytes: number): void;
    /** Puts bytes into the array from `from` on; returns where they end. */
    run(into: Uint8Array, from: number): number;
    /** Why run() returned: 0 the array is full, 1 the group is used up, 2 another file (`value`: a move, zigzag). */
    readonly stop: 0 | 1 | 2;
    readonly value: number;
  }
  /** `columns`: where headers come from; without them an instruction that makes one is 'CORRUPT'. */
  export function player(columns?: Headers): Player;

  /** Columns of tar headers: names, masks, other fields, sizes, times. */
  export type Columns = readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  /** Turns headers into columns, or columns into headers; each depends on those before it. */
  export interface Headers {
    /** Adds the block of 512 bytes at `from` to the columns; false when it is no header. */
    put(bytes: Uint8Array, from: number): boolean;
    /** What has been put since the last time. */
    take(): Columns;
    readonly pendingBytes: number;
    /** Columns to read from; throws HostError 'CORRUPT' when something of the last ones is left. */
    group(columns: Columns): void;
    /** Writes the next header at `from`; throws 'CORRUPT'. */
    get(into: Uint8Array, from: number): void;
  }
  export function headers(): Headers;

  /** Instructions that make the new file from the old one, on the pool; each piece is at most 320 KiB of streams and makes `sizeBytes`. `costBytes`: about what they take. */
  export function diff(oldFd: number, oldSizeBytes: number, newFd: number, newSizeBytes: number): Promise<{ pieces: { lanes: Lanes; sizeBytes: number }[]; costBytes: number }>;
  /** A file's hash, and a few hashes that similar files share; on the pool. */
  export function fingerprint(fd: number, sizeBytes: number): Promise<{ sha256: string; sketch: number[] }>;
  /** The order of the suffixes of up to 16 MiB. */
  export function sortSuffixes(bytes: Uint8Array): number[];
}
