import * as fs from 'host:fs';
import { text } from 'host:bytes';
import { systemErrorCode } from '../error.ts';
import type { Files, MountFlag, OpenMode, Root } from '../ports/index.ts';

const OPEN_FLAGS: Record<OpenMode, number> = {
  read: fs.O_RDONLY,
  'read-write': fs.O_RDWR | fs.O_CREAT,
  create: fs.O_WRONLY | fs.O_CREAT | fs.O_TRUNC,
  'create-new': fs.O_WRONLY | fs.O_CREAT | fs.O_EXCL,
  append: fs.O_WRONLY | fs.O_CREAT | fs.O_APPEND,
  'write-nonblocking': fs.O_WRONLY | fs.O_NONBLOCK,
};

const MOUNT_FLAGS: Record<MountFlag, number> = {
  bind: fs.MS_BIND,
  recursive: fs.MS_REC,
  'read-only': fs.MS_RDONLY,
  remount: fs.MS_REMOUNT,
  nosuid: fs.MS_NOSUID,
  nodev: fs.MS_NODEV,
  noexec: fs.MS_NOEXEC,
  private: fs.MS_PRIVATE,
  shared: fs.MS_SHARED,
  slave: fs.MS_SLAVE,
};

export const hostFiles: Files = {
  open: (path, mode, permissions = 0o644) => fs.open(path, OPEN_FLAGS[mode], permissions),
  close: fs.close,
  read: fs.read,
  write: (fd, data) => fs.write(fd, data),
  truncate: fs.ftruncate,
  seek: (fd, position) => void fs.seek(fd, position),
  readAhead: (fd, sizeBytes) => fs.fadvise(fd, 'willneed', 0, sizeBytes),
  lengthOf: (fd) => fs.seek(fd, 0, 'end'),
  fsync: fs.fsync,
  allocate: (fd, sizeBytes) => fs.fallocate(fd, 0, sizeBytes),
  duplicate: fs.dup,
  writeOut: fs.writeOut,
  fstat: fs.fstat,
  tryLock: (fd) => fs.flock(fd, 'exclusive'),
  stat: fs.stat,
  lstat: fs.lstat,
  exists: fs.exists,
  readdir: fs.readdir,
  readText: fs.readText,
  writeText: (path, text, permissions = 0o644) => fs.writeFile(path, text, { mode: permissions }),
  mkdir: (path, permissions = 0o755) => fs.mkdir(path, permissions),
  mkdirs: (path, permissions = 0o755) => void fs.mkdirs(path, permissions),
  rmdir: fs.rmdir,
  unlink: fs.unlink,
  rename: (from, to) => fs.rename(from, to),
  symlink: fs.symlink,
  readlink: fs.readlink,
  chmod: fs.chmod,
  chown: fs.lchown,
  makeFifo: (path, permissions) => fs.mknod(path, fs.S_IFIFO | permissions),
  replaceFile: (path, text, permissions = 0o644) => fs.replaceFile(path, text, { mode: permissions }),
  syncDirectory: fs.fsyncDir,
  syncFileSystem: fs.syncfs,
  async removeTree(path) {
    // From the parent, so that mounts above the tree do not count as mounts in it.
    const slash = path.lastIndexOf('/');
    let parent: fs.Root;
    try {
      parent = fs.openRoot(path.slice(0, slash) || '/');
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return;
      throw error;
    }
    try {
      await parent.removeTree(path.slice(slash + 1));
    } finally {
      parent.close();
    }
  },
  copyTree: async (from, to) => void (await fs.copyTree(from, to)),
  diskUsage: fs.diskUsage,
  space: (path) => fs.statfs(path),
  mount({ source, target, type, flags, data, from }) {
    const bits = flags.reduce((sum, flag) => sum | MOUNT_FLAGS[flag], 0);
    fs.mount({ source, target, type, flags: bits, data, ...(from === undefined ? {} : { from }) });
  },
  unmount: (target, how) => fs.umount(target, fs.UMOUNT_NOFOLLOW | (how === 'lazily' ? fs.MNT_DETACH : 0)),
  openRoot: hostRoot,
  watch: fs.watch,
};

function hostRoot(path: string): Root {
  const root = fs.openRoot(path);
  return {
    close: () => root.close(),
    open: (name, mode, permissions = 0o644) => root.open(name, OPEN_FLAGS[mode], permissions),
    readText(name, maxBytes) {
      return text(root.readFile(name, maxBytes));
    },
    stat: (name) => root.stat(name),
    lstat: (name) => root.lstat(name),
    readdir: (name) => root.readdir(name),
    readlink: (name) => root.readlink(name),
    mkdir: (name, permissions = 0o755) => root.mkdir(name, permissions),
    mkdirs: (name, permissions = 0o755) => void root.mkdirs(name, permissions),
    unlink: (name) => root.unlink(name),
    removeTree: async (name) => void (await root.removeTree(name)),
    link: (existing, name) => root.link(existing, name),
    symlink: (content, name) => root.symlink(content, name),
    chmod: (name, permissions) => root.chmod(name, permissions),
    lchown: (name, uid, gid) => root.lchown(name, uid, gid),
    utimes: (name, seconds, nanoseconds) => root.utimes(name, seconds, nanoseconds),
    makeFifo: (name, permissions) => root.mknod(name, fs.S_IFIFO | permissions),
    makeDevice(name, type, permissions, major, minor) {
      root.mknod(name, (type === 'block' ? fs.S_IFBLK : fs.S_IFCHR) | permissions, major, minor);
    },
    getXattr: (name, attribute) => root.getXattr(name, attribute),
    setXattr: (name, attribute, value) => root.setXattr(name, attribute, value),
    listXattr: (name) => root.listXattr(name),
    resolve: (name) => root.resolve(name),
  };
}
