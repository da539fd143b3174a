declare module 'host:fs' {
  /** Kind of a directory entry or inode. */
  export type FileType = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character' | 'block' | 'unknown';
  export interface Stat {
    type: FileType;
    /** Type and permission bits as in st_mode. */
    mode: number;
    dev: number;
    /** Overlay file systems use all 64 bits. */
    inode: bigint;
    linkCount: number;
    uid: number;
    gid: number;
    rdevMajor: number;
    rdevMinor: number;
    sizeBytes: number;
    /** Space on disk. */
    allocatedBytes: number;
    mtimeSeconds: number;
    mtimeNanoseconds: number;
    ctimeSeconds: number;
    ctimeNanoseconds: number;
    atimeSeconds: number;
  }
  export interface DirEntry {
    name: string;
    /** 'unknown' on file systems that do not tell; then lstat. */
    type: FileType;
  }

  // --- constants: their values differ between architectures -------------------------------------------------------
  export const O_RDONLY: number, O_WRONLY: number, O_RDWR: number, O_CREAT: number, O_EXCL: number, O_TRUNC: number, O_APPEND: number;
  export const O_NONBLOCK: number, O_DIRECTORY: number, O_NOFOLLOW: number, O_PATH: number, O_TMPFILE: number, O_DSYNC: number;
  export const MS_RDONLY: number, MS_NOSUID: number, MS_NODEV: number, MS_NOEXEC: number, MS_REMOUNT: number, MS_BIND: number, MS_REC: number;
  export const MS_MOVE: number, MS_PRIVATE: number, MS_SLAVE: number, MS_SHARED: number, MS_UNBINDABLE: number, MS_NOATIME: number, MS_RELATIME: number, MS_STRICTATIME: number;
  export const MNT_FORCE: number, MNT_DETACH: number, UMOUNT_NOFOLLOW: number;
  export const S_IFMT: number, S_IFREG: number, S_IFDIR: number, S_IFLNK: number, S_IFIFO: number, S_IFSOCK: number, S_IFCHR: number, S_IFBLK: number;

  // --- descriptors (synchronous; close-on-exec always) --------------------------------------------------------------
  /** Default flags O_RDONLY, mode 0o666 (& ~umask). */
  export function open(path: string, flags?: number, mode?: number): number;
  export function close(fd: number): void;
  /** Reads at the position, or at `offset`, up to the length of the array. 0 at the end. May be short. */
  export function read(fd: number, into: Uint8Array, offset?: number): number;
  /** Writes all of it, at the position or at `offset`; for O_NONBLOCK descriptors use host:net fromFd instead. */
  export function write(fd: number, data: Uint8Array | string, offset?: number): void;
  export function seek(fd: number, offset: number, whence?: 'start' | 'current' | 'end'): number;
  export function fstat(fd: number): Stat;
  export function ftruncate(fd: number, sizeBytes: number): void;
  export function fchmod(fd: number, mode: number): void;
  export function fchown(fd: number, uid: number, gid: number): void;
  /** Reserves space; 'ENOSPC' now instead of later. `keepSize` leaves the length as it is. */
  export function fallocate(fd: number, offset: number, sizeBytes: number, keepSize?: boolean): void;
  /** 'dontneed' gives cached pages back: after large writes on a small board. */
  export function fadvise(fd: number, advice: 'normal' | 'sequential' | 'dontneed' | 'willneed', offset?: number, sizeBytes?: number): void;
  /** Never waits: false when somebody else holds it. Locks belong to the open file and end with it. */
  export function flock(fd: number, mode: 'shared' | 'exclusive' | 'unlock'): boolean;
  export function dup(fd: number): number;

  // --- whole files (synchronous, for small ones) ----------------------------------------------------------------------
  /** 'EFBIG' above maxBytes (default 64 MiB). Reads /proc and /sys files to their end. */
  export function readFile(path: string, maxBytes?: number): Uint8Array<ArrayBuffer>;
  /** readFile as UTF-8. */
  export function readText(path: string, maxBytes?: number): string;
  /** Writes in place: for /proc, /sys and what may be lost. One write(2) when the kernel takes it. Flags default to O_WRONLY|O_CREAT|O_TRUNC. */
  export function writeFile(path: string, data: Uint8Array | string, options?: { flags?: number; mode?: number }): void;

  // --- names (synchronous) ----------------------------------------------------------------------------------------------
  export function stat(path: string): Stat;
  export function lstat(path: string): Stat;
  /** Follows links. Only 'ENOENT' and 'ENOTDIR' are false; other errors throw. */
  export function exists(path: string): boolean;
  /** R_OK 4, W_OK 2, X_OK 1 with the effective ids; false for EACCES, EROFS and absence. */
  export function access(path: string, mode: number): boolean;
  export function readdir(path: string): DirEntry[];
  export function readlink(path: string): string;
  export function realpath(path: string): string;
  export function mkdir(path: string, mode?: number): void;
  /** With its parents; existing directories are fine, and keep their mode. Returns whether it made anything. */
  export function mkdirs(path: string, mode?: number): boolean;
  /** A new directory named prefix + 8 random characters, mode 0o700. */
  export function makeTempDir(prefix: string): string;
  export function rmdir(path: string): void;
  export function unlink(path: string): void;
  /** `noReplace`: 'EEXIST' instead of overwriting. `exchange`: swaps the two atomically. */
  export function rename(from: string, to: string, how?: 'replace' | 'noReplace' | 'exchange'): void;
  export function link(existing: string, path: string): void;
  export function symlink(content: string, path: string): void;
  export function chmod(path: string, mode: number): void;
  /** Follows links; lchown does not. -1 leaves an id as it is. */
  export function chown(path: string, uid: number, gid: number): void;
  export function lchown(path: string, uid: number, gid: number): void;
  /** Sets the modification time (access time too), never following a link. */
  export function utimes(path: string, mtimeSeconds: number, mtimeNanoseconds?: number): void;
  export function mknod(path: string, mode: number, major?: number, minor?: number): void;
  /** Extended attributes of the name itself, links not followed. Null: it has no such attribute (or the file system has none). */
  export function getXattr(path: string, name: string): Uint8Array<ArrayBuffer> | null;
  export function setXattr(path: string, name: string, value: Uint8Array): void;
  export function listXattr(path: string): string[];
  export function removeXattr(path: string, name: string): void;
  export function statfs(path: string): {
    /** Magic number, e.g. 0xef53 ext4, 0x794c7630 overlay. */
    type: number;
    blockSizeBytes: number;
    totalBytes: number;
    freeBytes: number;
    /** For ordinary users. */
    availableBytes: number;
    totalInodes: number;
    freeInodes: number;
  };

  // --- mounts (synchronous) ------------------------------------------------------------------------------------------------
  export interface MountOptions {
    source?: string;
    target: string;
    type?: string;
    flags?: number;
    /** Options of the file system. The kernel takes at most one page (4095 bytes). */
    data?: string;
    /** Directory that relative paths in source, target and data start from: keeps long lists of overlay layers short. */
    from?: string;
  }
  export function mount(options: MountOptions): void;
  export function umount(target: string, flags?: number): void;

  // --- heavy work, on the pool -------------------------------------------------------------------------------------------------
  export function fsync(fd: number): Promise<void>;
  export function fdatasync(fd: number): Promise<void>;
  /** The whole file system on which the path lies. */
  export function syncfs(path: string): Promise<void>;
  /**
   * Hands what has been written to these files to the device, waits until it has it, and drops it from memory; not durable without a sync afterwards. Takes
   * the descriptors: they are closed at the end, also when it rejects. Throws, and takes none, when one is not open.
   */
  export function writeOut(fds: readonly number[]): Promise<void>;
  /** Makes names in a directory durable. */
  export function fsyncDir(path: string): Promise<void>;
  /**
   * Replaces a file so that after a power cut there is either all of the old or all of the new: temporary file beside it, fsync, rename, fsync of the
   * directory. Mode default 0o644 (exact, no umask). Leftovers of a crash are named `.<name>.tmp-<random>`. The data is copied first.
   */
  export function replaceFile(path: string, data: Uint8Array | string, options?: { mode?: number; uid?: number; gid?: number }): Promise<void>;
  /** Contents only, by reflink or in the kernel where possible, keeping holes; fails when `to` exists. Returns its length. */
  export function copyFile(from: string, to: string, mode?: number): Promise<number>;
  /**
   * Copies what is in a directory into another that exists, with owners, modes, times, extended attributes, hard links, devices; existing
   * names: directories are merged, others are 'EEXIST'. Does not follow links and does not cross mounts. Returns how many entries.
   */
  export function copyTree(fromDir: string, toDir: string): Promise<number>;
  /**
   * Removes a file or a directory with all below it: never follows links, does not cross mounts ('EBUSY' for a mount point below, after all else is gone),
   * gives itself access to directories without permission. A missing path is fine. Returns how many entries it removed.
   */
  export function removeTree(path: string): Promise<number>;
  /** Space below a path: hard links once, not crossing mounts, vanishing entries ignored. */
  export function diskUsage(path: string): Promise<{ sizeBytes: number; allocatedBytes: number; entries: number }>;

  // --- below a root -----------------------------------------------------------------------------------------------------------------
  /**
   * A directory out of which nothing escapes: paths are relative to it ('/' in front means the root too), `..` stops at it, absolute links
   * and links with `..` are followed as if it were '/'. Safe against others renaming below it meanwhile. The last component is never followed
   * but by open (without O_NOFOLLOW), stat, chmod and readdir. Errors as for the functions of the same name.
   */
  export interface Root {
    readonly fd: number;
    readonly path: string;
    close(): void;
    open(path: string, flags?: number, mode?: number): number;
    readFile(path: string, maxBytes?: number): Uint8Array<ArrayBuffer>;
    stat(path: string): Stat;
    lstat(path: string): Stat;
    readdir(path: string): DirEntry[];
    readlink(path: string): string;
    mkdir(path: string, mode?: number): void;
    mkdirs(path: string, mode?: number): boolean;
    rmdir(path: string): void;
    unlink(path: string): void;
    rename(from: string, to: string): void;
    link(existing: string, path: string): void;
    symlink(content: string, path: string): void;
    chmod(path: string, mode: number): void;
    lchown(path: string, uid: number, gid: number): void;
    utimes(path: string, mtimeSeconds: number, mtimeNanoseconds?: number): void;
    mknod(path: string, mode: number, major?: number, minor?: number): void;
    getXattr(path: string, name: string): Uint8Array<ArrayBuffer> | null;
    setXattr(path: string, name: string, value: Uint8Array): void;
    listXattr(path: string): string[];
    removeTree(path: string): Promise<number>;
    /** Where a path leads once all links are followed within the root, as a path that starts with '/'. */
    resolve(path: string): string;
  }
  export function openRoot(path: string): Root;

  // --- changes ------------------------------------------------------------------------------------------------------------------------
  export interface WatchEvent {
    kind: 'created' | 'modified' | 'written' | 'deleted' | 'movedFrom' | 'movedTo' | 'gone' | 'overflow';
    /** Entry of the watched directory; '' for the watched path itself. */
    name: string;
  }
  export interface Watch {
    /** The events since the last call, at least one. 'gone': the watched path itself went away; 'overflow': read the directory anew. */
    next(): Promise<WatchEvent[]>;
    close(): void;
  }
  /** inotify on one directory or file. 'written' is a close after writing. */
  export function watch(path: string): Watch;
}
