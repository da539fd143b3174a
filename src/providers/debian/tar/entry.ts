/** One member of a tar archive. `path` is relative, without leading `./` and without a trailing slash; '' is the root. */
export interface TarEntry {
  path: string;
  type: 'file' | 'folder' | 'link' | 'hardlink' | 'char' | 'block' | 'fifo';
  /** Permission bits with setuid, setgid and sticky: 0–0o7777. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970. */
  mtime: number;
  /** Of the data; 0 for everything but files. */
  sizeBytes: number;
  /** Target of a symbolic link as it stands, or the path of the file that a hard link repeats. */
  target: string;
  devMajor: number;
  devMinor: number;
  /** Extended attributes by full name, such as security.capability. */
  xattrs: Record<string, Buffer>;
}

export const blockBytes = 512;

/** Bytes that pad data of this size to whole blocks. */
export function paddingBytes(sizeBytes: number): number {
  return (blockBytes - (sizeBytes % blockBytes)) % blockBytes;
}
