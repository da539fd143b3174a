import type { FileType } from '../ports/index.ts';

export const BLOCK_BYTES = 512;

/** Two blocks of zeros. */
export const TAR_END = new Uint8Array(2 * BLOCK_BYTES);

/** What an archive can hold: files of the kinds that a file system has but for sockets, and further names of them. */
export type TarEntryType = Exclude<FileType, 'socket' | 'unknown'> | 'hardlink';

/** Kinds by their flag in the header. '7' is a contiguous file, 'S' a sparse one of GNU's. */
export const TYPES_BY_FLAG: Readonly<Record<string, TarEntryType>> = {
  '0': 'file', '1': 'hardlink', '2': 'symlink', '3': 'character', '4': 'block', '5': 'directory', '6': 'fifo', '7': 'file', S: 'file',
};
export const FLAGS: Readonly<Record<TarEntryType, string>> = { file: '0', hardlink: '1', symlink: '2', character: '3', block: '4', directory: '5', fifo: '6' };

/** An entry, to be written or as it was read; directories' paths end with a slash when they are written. */
export interface TarMember {
  path: string;
  type: TarEntryType;
  mode: number;
  uid: number;
  gid: number;
  /** Length of the file once it is extracted. */
  sizeBytes: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  linkPath: string;
  deviceMajor: number;
  deviceMinor: number;
  xattrs: ReadonlyMap<string, Uint8Array>;
}

export interface SparseRange {
  offset: number;
  sizeBytes: number;
}

export interface TarEntry extends TarMember {
  /** Where the data lies in a file with holes; undefined for a plain one. */
  sparse: readonly SparseRange[] | undefined;
}

/** How many bytes fill the last block of so many. */
export function paddingOf(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}
