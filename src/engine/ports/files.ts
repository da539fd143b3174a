export type Fd = number;
export type FileType = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character' | 'block' | 'unknown';

export interface FileStat {
  type: FileType;
  /** st_mode: type and permission bits. */
  mode: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  /** The same for all names of one file. */
  inode: bigint;
  linkCount: number;
  rdevMajor: number;
  rdevMinor: number;
}

export type OpenMode = 'read' | 'read-write' | 'create' | 'create-new' | 'append' | 'write-nonblocking';
export type MountFlag = 'bind' | 'recursive' | 'read-only' | 'remount' | 'nosuid' | 'nodev' | 'noexec' | 'private' | 'shared' | 'slave';

export interface MountRequest {
  source: string;
  target: string;
  type: string;
  flags: MountFlag[];
  data: string;
  /** Relative paths in `data` start from here: a mount's options must fit in one page. */
  from?: string;
}

/**
 * Files of the host by absolute path. Calls without a promise are short; every failure throws an error whose `code` is the errno's
 * name ('ENOENT' …).
 */
export interface Files {
  open(path: string, mode: OpenMode, permissions?: number): Fd;
  close(fd: Fd): void;
  /** Bytes read into the array, 0 at the end; from the descriptor's position unless one is given. */
  read(fd: Fd, into: Uint8Array, position?: number): number;
  /** Writes all of it. */
  write(fd: Fd, data: Uint8Array | string): void;
  /** A hole at the end of what has been written. */
  truncate(fd: Fd, sizeBytes: number): void;
  seek(fd: Fd, position: number): void;
  /** Has the kernel read the beginning of a file in advance; nothing waits for it. */
  readAhead(fd: Fd, sizeBytes: number): void;
  /** Length of a file or block device; the position moves to its end. */
  lengthOf(fd: Fd): number;
  fsync(fd: Fd): Promise<void>;
  /** Sets room aside from the file's start; 'ENOSPC' when there is not as much. */
  allocate(fd: Fd, sizeBytes: number): void;
  duplicate(fd: Fd): Fd;
  /** Brings what has been written to these files to the device and out of memory. Takes the descriptors, and closes them in any case. */
  writeOut(fds: readonly Fd[]): Promise<void>;
  fstat(fd: Fd): FileStat;
  /** Never waits: false when another process has it. Kept until the descriptor is closed. */
  tryLock(fd: Fd): boolean;

  stat(path: string): FileStat;
  lstat(path: string): FileStat;
  exists(path: string): boolean;
  readdir(path: string): { name: string; type: FileType }[];
  readText(path: string, maxBytes?: number): string;
  /** In place: for /proc, /sys, and what may be lost. */
  writeText(path: string, text: string, permissions?: number): void;
  mkdir(path: string, permissions?: number): void;
  /** With its parents; one that is there is fine. */
  mkdirs(path: string, permissions?: number): void;
  rmdir(path: string): void;
  unlink(path: string): void;
  rename(from: string, to: string): void;
  symlink(content: string, path: string): void;
  readlink(path: string): string;
  chmod(path: string, permissions: number): void;
  chown(path: string, uid: number, gid: number): void;
  makeFifo(path: string, permissions: number): void;

  /** Either all of the old or all of the new content, also after a power cut. */
  replaceFile(path: string, text: string, permissions?: number): Promise<void>;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Makes all of the file system that holds the path durable. */
  syncFileSystem(path: string): Promise<void>;
  /** Removes a tree, never following links or crossing mounts; a missing one is fine. */
  removeTree(path: string): Promise<void>;
  /** Everything in one directory into another that exists, with owners, modes, times, attributes and links. */
  copyTree(fromDirectory: string, toDirectory: string): Promise<void>;
  diskUsage(path: string): Promise<{ sizeBytes: number; allocatedBytes: number; entries: number }>;
  space(path: string): { totalBytes: number; availableBytes: number };

  mount(request: MountRequest): void;
  unmount(target: string, how: 'now' | 'lazily'): void;
  openRoot(path: string): Root;
  /** Changes of one file or directory: `next` resolves after at least one. */
  watch(path: string): { next(): Promise<unknown>; close(): void };
}

/**
 * Everything below one directory, as a process in a chroot sees it: links inside a path are followed but lead nowhere outside, the last
 * part is followed by `open`, `stat`, `readdir` and `chmod` alone. For all names that come from images and archives.
 */
export interface Root {
  close(): void;
  open(path: string, mode: OpenMode, permissions?: number): Fd;
  readText(path: string, maxBytes?: number): string;
  stat(path: string): FileStat;
  lstat(path: string): FileStat;
  readdir(path: string): { name: string; type: FileType }[];
  readlink(path: string): string;
  mkdir(path: string, permissions?: number): void;
  mkdirs(path: string, permissions?: number): void;
  unlink(path: string): void;
  removeTree(path: string): Promise<void>;
  link(existing: string, path: string): void;
  symlink(content: string, path: string): void;
  chmod(path: string, permissions: number): void;
  lchown(path: string, uid: number, gid: number): void;
  utimes(path: string, mtimeSeconds: number, mtimeNanoseconds: number): void;
  makeFifo(path: string, permissions: number): void;
  makeDevice(path: string, type: 'character' | 'block', permissions: number, major: number, minor: number): void;
  getXattr(path: string, name: string): Uint8Array | null;
  setXattr(path: string, name: string, value: Uint8Array): void;
  listXattr(path: string): string[];
  /** Where a path leads within the root, all links followed; starts with '/'. */
  resolve(path: string): string;
}
