// Names: functions of the module and, with the same code, methods of Root.
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "fs.h"

#define PLACE_ARG                                                \
  CLEANUP_PLACE Place place = PLACE_NONE;                        \
  if (place_open(ctx, self, ARG(0), &place)) return JS_EXCEPTION;
#define FAIL(name) return throw_errno(ctx, errno, name, place.path)
#define CHECK(call, name) \
  if (call) FAIL(name);   \
  return JS_UNDEFINED

HOST_FN(fs_open) {
  int flags, mode;
  bool rooted;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path || arg_int(ctx, ARG(1), O_RDONLY, &flags) || arg_int(ctx, ARG(2), 0666, &mode)) return JS_EXCEPTION;
  int root = root_fd_of(ctx, self, &rooted), fd;
  if (rooted && root < 0) return JS_EXCEPTION;
  do {
    fd = rooted ? root_open(root, path, flags, (unsigned)mode) : open(path, flags | O_CLOEXEC, mode);
    if (fd < 0 && !rooted) fd = -errno;
  } while (fd == -EINTR); // a fifo that waits for its other end
  return fd < 0 ? throw_errno(ctx, -fd, "open", path) : JS_NewInt32(ctx, fd);
}

// --- looking ----------------------------------------------------------------------------------------------------------------------
HOST_FN(fs_stat) {
  struct stat st;
  bool rooted;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path) return JS_EXCEPTION;
  int root = root_fd_of(ctx, self, &rooted);
  if (!rooted) return stat(path, &st) ? throw_errno(ctx, errno, "stat", path) : stat_object(ctx, &st);
  if (root < 0) return JS_EXCEPTION;
  CLEANUP_CLOSE int fd = root_open(root, path, O_PATH, 0);
  if (fd < 0) return throw_errno(ctx, -fd, "stat", path);
  return fstat(fd, &st) ? throw_errno(ctx, errno, "stat", path) : stat_object(ctx, &st);
}

HOST_FN(fs_lstat) {
  PLACE_ARG;
  struct stat st;
  if (fstatat(place.dir, place.name, &st, AT_SYMLINK_NOFOLLOW)) FAIL("lstat");
  return stat_object(ctx, &st);
}

static HOST_FN(exists) {
  (void)self;
  struct stat st;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path) return JS_EXCEPTION;
  if (!stat(path, &st)) return JS_TRUE;
  return errno == ENOENT || errno == ENOTDIR ? JS_FALSE : throw_errno(ctx, errno, "stat", path);
}

static HOST_FN(check_access) {
  (void)self;
  int mode;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path || arg_int(ctx, ARG(1), F_OK, &mode)) return JS_EXCEPTION;
  if (!faccessat(AT_FDCWD, path, mode, AT_EACCESS)) return JS_TRUE;
  if (errno == EACCES || errno == EROFS || errno == ENOENT || errno == ENOTDIR) return JS_FALSE;
  return throw_errno(ctx, errno, "access", path);
}

HOST_FN(fs_readdir) {
  bool rooted;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path) return JS_EXCEPTION;
  int root = root_fd_of(ctx, self, &rooted);
  if (rooted && root < 0) return JS_EXCEPTION;
  int fd = rooted ? root_open(root, path, O_RDONLY | O_DIRECTORY, 0) : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return throw_errno(ctx, rooted ? -fd : errno, "readdir", path);
  DIR *dir = fdopendir(fd);
  if (!dir) {
    close(fd);
    return throw_errno(ctx, errno, "readdir", path);
  }
  static const char *const types[16] = {[DT_FIFO] = "fifo", [DT_CHR] = "character", [DT_DIR] = "directory", [DT_BLK] = "block",
                                        [DT_REG] = "file",  [DT_LNK] = "symlink",   [DT_SOCK] = "socket"};
  JSValue list = JS_NewArray(ctx);
  struct dirent *e;
  uint32_t n = 0;
  while (errno = 0, (e = readdir(dir))) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    const char *type = types[e->d_type & 15];
    JSValue o = JS_NewObject(ctx);
    set(ctx, o, "name", new_path(ctx, e->d_name, strlen(e->d_name)));
    set(ctx, o, "type", JS_NewString(ctx, type ? type : "unknown"));
    JS_DefinePropertyValueUint32(ctx, list, n++, o, JS_PROP_C_W_E);
  }
  int err = errno;
  closedir(dir);
  if (!err) return list;
  JS_FreeValue(ctx, list);
  return throw_errno(ctx, err, "readdir", path);
}

HOST_FN(fs_readlink) {
  PLACE_ARG;
  char content[PATH_MAX];
  ssize_t n = readlinkat(place.dir, place.name, content, sizeof content);
  if (n < 0) FAIL("readlink");
  return new_path(ctx, content, (size_t)n);
}

static HOST_FN(real_path) {
  (void)self;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path) return JS_EXCEPTION;
  CLEANUP_FREE char *real = realpath(path, NULL);
  return real ? new_path(ctx, real, strlen(real)) : throw_errno(ctx, errno, "realpath", path);
}

static HOST_FN(stat_fs) {
  (void)self;
  struct statfs st;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path) return JS_EXCEPTION;
  if (statfs(path, &st)) return throw_errno(ctx, errno, "statfs", path);
  int64_t unit = st.f_frsize ? st.f_frsize : st.f_bsize;
  JSValue o = JS_NewObject(ctx);
  set(ctx, o, "type", JS_NewInt64(ctx, (uint32_t)st.f_type));
  set(ctx, o, "blockSizeBytes", JS_NewInt64(ctx, st.f_bsize));
  set(ctx, o, "totalBytes", JS_NewInt64(ctx, (int64_t)st.f_blocks * unit));
  set(ctx, o, "freeBytes", JS_NewInt64(ctx, (int64_t)st.f_bfree * unit));
  set(ctx, o, "availableBytes", JS_NewInt64(ctx, (int64_t)st.f_bavail * unit));
  set(ctx, o, "totalInodes", JS_NewInt64(ctx, (int64_t)st.f_files));
  set(ctx, o, "freeInodes", JS_NewInt64(ctx, (int64_t)st.f_ffree));
  return o;
}

// --- making and removing ------------------------------------------------------------------------------------------------------------
HOST_FN(fs_mkdir) {
  PLACE_ARG;
  int mode;
  if (arg_int(ctx, ARG(1), 0777, &mode)) return JS_EXCEPTION;
  CHECK(mkdirat(place.dir, place.name, (mode_t)mode), "mkdir");
}

// Makes the directory `path` and its parents; 1 when something was made, 0 when all was there, -errno.
static int make_all(int root, bool rooted, char *path, mode_t mode) {
  for (int made = 0;;) {
    const char *name = path;
    CLEANUP_FREE char *copy = rooted ? strdup(path) : NULL;
    CLEANUP_CLOSE int parent = rooted ? root_parent(root, copy, &name) : -1;
    if (!rooted || parent >= 0) {
      if (!mkdirat(rooted ? parent : AT_FDCWD, name, mode)) return 1;
      if (errno == EEXIST) {
        struct stat st;
        CLEANUP_CLOSE int fd = rooted ? root_open(root, path, O_PATH, 0) : -1;
        if (rooted ? fd >= 0 && !fstat(fd, &st) : !stat(path, &st)) return S_ISDIR(st.st_mode) ? made : -ENOTDIR;
        return -EEXIST; // a link into nothing
      }
      if (errno != ENOENT) return -errno;
    } else if (parent != -ENOENT) {
      return parent;
    }
    char *end = path + strlen(path);
    while (end > path && end[-1] == '/') end--;
    while (end > path && end[-1] != '/') end--;
    while (end > path + 1 && end[-1] == '/') end--;
    if (end == path || made) return -ENOENT; // no parent to make, or somebody removes them as we go
    char cut = *end;
    *end = 0;
    int r = make_all(root, rooted, path, mode);
    *end = cut;
    if (r < 0) return r;
    made = 1;
  }
}

HOST_FN(fs_mkdirs) {
  int mode;
  bool rooted;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path || arg_int(ctx, ARG(1), 0777, &mode)) return JS_EXCEPTION;
  int root = root_fd_of(ctx, self, &rooted);
  if (rooted && root < 0) return JS_EXCEPTION;
  int r = make_all(root, rooted, path, (mode_t)mode);
  return r < 0 ? throw_errno(ctx, -r, "mkdir", path) : JS_NewBool(ctx, r);
}

static HOST_FN(make_temp_dir) {
  (void)self;
  CLEANUP_FREE char *prefix = arg_path(ctx, ARG(0)), *path = NULL;
  if (!prefix) return JS_EXCEPTION;
  for (int tries = 0; tries < 100; tries++) {
    uint8_t noise[8];
    if (getrandom(noise, sizeof noise, 0) != sizeof noise) continue;
    char suffix[9] = {0};
    for (int i = 0; i < 8; i++) suffix[i] = "0123456789abcdefghijklmnopqrstuv"[noise[i] & 31];
    free(STEAL_PTR(path));
    if (asprintf(&path, "%s%s", prefix, suffix) < 0) return path = NULL, JS_ThrowOutOfMemory(ctx);
    if (!mkdir(path, 0700)) return new_path(ctx, path, strlen(path));
    if (errno != EEXIST) break;
  }
  return throw_errno(ctx, errno, "mkdir", path ? path : prefix);
}

HOST_FN(fs_rmdir) {
  PLACE_ARG;
  int err = unlinkat(place.dir, place.name, AT_REMOVEDIR) ? errno : 0;
  root_changed(self);
  return err ? throw_errno(ctx, err, "rmdir", place.path) : JS_UNDEFINED;
}

HOST_FN(fs_unlink) {
  PLACE_ARG;
  int err = unlinkat(place.dir, place.name, 0) ? errno : 0;
  root_changed(self);
  return err ? throw_errno(ctx, err, "unlink", place.path) : JS_UNDEFINED;
}

#define SECOND_PLACE                                                                                                      \
  PLACE_ARG;                                                                                                              \
  CLEANUP_PLACE Place second = PLACE_NONE;                                                                                \
  if (place.rooted && place.owned_fd < 0 && (place.owned_fd = place.dir = fcntl(place.dir, F_DUPFD_CLOEXEC, 3)) < 0) FAIL("dup"); \
  if (place_open(ctx, self, ARG(1), &second)) return JS_EXCEPTION

HOST_FN(fs_rename) {
  SECOND_PLACE;
  static const char *const names[] = {"replace", "noReplace", "exchange"};
  static const unsigned flags[] = {0, RENAME_NOREPLACE, RENAME_EXCHANGE};
  int how = choice(ctx, ARG(2), names, 3, 0);
  if (how < 0) return JS_EXCEPTION;
  long r = how ? syscall(SYS_renameat2, place.dir, place.name, second.dir, second.name, flags[how])
               : renameat(place.dir, place.name, second.dir, second.name);
  int err = r ? errno : 0;
  root_changed(self);
  return err ? throw_errno2(ctx, err, "rename", place.path, second.path) : JS_UNDEFINED;
}

HOST_FN(fs_link) {
  SECOND_PLACE;
  return linkat(place.dir, place.name, second.dir, second.name, 0) ? throw_errno2(ctx, errno, "link", place.path, second.path)
                                                                   : JS_UNDEFINED;
}

HOST_FN(fs_symlink) {
  CLEANUP_PLACE Place place = PLACE_NONE;
  CLEANUP_FREE char *content = arg_path(ctx, ARG(0));
  if (!content || place_open(ctx, self, ARG(1), &place)) return JS_EXCEPTION;
  int err = symlinkat(content, place.dir, place.name) ? errno : 0;
  root_changed(self);
  return err ? throw_errno2(ctx, err, "symlink", place.path, content) : JS_UNDEFINED;
}

HOST_FN(fs_mknod) {
  PLACE_ARG;
  int mode, major_number, minor_number;
  if (arg_int(ctx, ARG(1), 0, &mode) || arg_int(ctx, ARG(2), 0, &major_number) || arg_int(ctx, ARG(3), 0, &minor_number)) return JS_EXCEPTION;
  CHECK(mknodat(place.dir, place.name, (mode_t)mode, makedev((unsigned)major_number, (unsigned)minor_number)), "mknod");
}

// --- attributes -----------------------------------------------------------------------------------------------------------------------
HOST_FN(fs_chmod) {
  int mode;
  bool rooted;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path || arg_int(ctx, ARG(1), 0, &mode)) return JS_EXCEPTION;
  int root = root_fd_of(ctx, self, &rooted);
  if (!rooted) return chmod(path, (mode_t)mode) ? throw_errno(ctx, errno, "chmod", path) : JS_UNDEFINED;
  if (root < 0) return JS_EXCEPTION;
  CLEANUP_CLOSE int fd = root_open(root, path, O_PATH, 0);
  if (fd < 0) return throw_errno(ctx, -fd, "chmod", path);
  char proc[40]; // fchmod refuses O_PATH descriptors; opening for reading would wake devices and block on fifos
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  return chmod(proc, (mode_t)mode) ? throw_errno(ctx, errno, "chmod", path) : JS_UNDEFINED;
}

static HOST_FN(chown_following) {
  (void)self;
  int uid, gid;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path || arg_int(ctx, ARG(1), -1, &uid) || arg_int(ctx, ARG(2), -1, &gid)) return JS_EXCEPTION;
  return chown(path, (uid_t)uid, (gid_t)gid) ? throw_errno(ctx, errno, "chown", path) : JS_UNDEFINED;
}

HOST_FN(fs_lchown) {
  PLACE_ARG;
  int uid, gid;
  if (arg_int(ctx, ARG(1), -1, &uid) || arg_int(ctx, ARG(2), -1, &gid)) return JS_EXCEPTION;
  CHECK(fchownat(place.dir, place.name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW), "lchown");
}

HOST_FN(fs_utimes) {
  PLACE_ARG;
  int64_t seconds;
  int nanoseconds;
  if (arg_i64(ctx, ARG(1), 0, &seconds) || arg_int(ctx, ARG(2), 0, &nanoseconds)) return JS_EXCEPTION;
  struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = nanoseconds};
  CHECK(utimensat(place.dir, place.name, (struct timespec[]){t, t}, AT_SYMLINK_NOFOLLOW), "utimes");
}

static bool no_such_xattr(int err) { return err == ENODATA || err == ENOTSUP; }

HOST_FN(fs_get_xattr) {
  PLACE_ARG;
  CLEANUP_FREE char *name = arg_path(ctx, ARG(1));
  if (!name) return JS_EXCEPTION;
  uint8_t small[1024];
  const char *path = place_path(&place);
  if (!path) return JS_ThrowOutOfMemory(ctx);
  ssize_t n = lgetxattr(path, name, small, sizeof small);
  if (n >= 0) return new_bytes(ctx, small, (size_t)n);
  if (no_such_xattr(errno)) return JS_NULL;
  if (errno != ERANGE) FAIL("getxattr");
  const size_t room = 65536; // XATTR_SIZE_MAX
  CLEANUP_FREE uint8_t *large = malloc(room);
  if (!large) return JS_ThrowOutOfMemory(ctx);
  n = lgetxattr(path, name, large, room);
  if (n >= 0) return new_bytes(ctx, large, (size_t)n);
  if (no_such_xattr(errno)) return JS_NULL;
  FAIL("getxattr");
}

HOST_FN(fs_set_xattr) {
  PLACE_ARG;
  uint8_t *p;
  size_t size;
  CLEANUP_FREE char *name = arg_path(ctx, ARG(1));
  if (!name || arg_bytes(ctx, ARG(2), &p, &size)) return JS_EXCEPTION;
  const char *path = place_path(&place);
  if (!path) return JS_ThrowOutOfMemory(ctx);
  CHECK(lsetxattr(path, name, p, size, 0), "setxattr");
}

HOST_FN(fs_list_xattr) {
  PLACE_ARG;
  const size_t room = 65536; // XATTR_LIST_MAX
  CLEANUP_FREE char *names = malloc(room);
  const char *path = place_path(&place);
  if (!names || !path) return JS_ThrowOutOfMemory(ctx);
  ssize_t n = llistxattr(path, names, room);
  if (n < 0 && errno != ENOTSUP) FAIL("listxattr");
  JSValue list = JS_NewArray(ctx);
  uint32_t count = 0;
  for (char *p = names; n > 0 && p < names + n; p += strlen(p) + 1)
    JS_DefinePropertyValueUint32(ctx, list, count++, new_path(ctx, p, strlen(p)), JS_PROP_C_W_E);
  return list;
}

static HOST_FN(remove_xattr) {
  PLACE_ARG;
  CLEANUP_FREE char *name = arg_path(ctx, ARG(1));
  if (!name) return JS_EXCEPTION;
  CHECK(lremovexattr(place.path, name), "removexattr");
}

const JSCFunctionListEntry fs_name_functions[] = {
    JS_CFUNC_DEF("open", 3, fs_open),
    JS_CFUNC_DEF("stat", 1, fs_stat),
    JS_CFUNC_DEF("lstat", 1, fs_lstat),
    JS_CFUNC_DEF("exists", 1, exists),
    JS_CFUNC_DEF("access", 2, check_access),
    JS_CFUNC_DEF("readdir", 1, fs_readdir),
    JS_CFUNC_DEF("readlink", 1, fs_readlink),
    JS_CFUNC_DEF("realpath", 1, real_path),
    JS_CFUNC_DEF("statfs", 1, stat_fs),
    JS_CFUNC_DEF("mkdir", 2, fs_mkdir),
    JS_CFUNC_DEF("mkdirs", 2, fs_mkdirs),
    JS_CFUNC_DEF("makeTempDir", 1, make_temp_dir),
    JS_CFUNC_DEF("rmdir", 1, fs_rmdir),
    JS_CFUNC_DEF("unlink", 1, fs_unlink),
    JS_CFUNC_DEF("rename", 3, fs_rename),
    JS_CFUNC_DEF("link", 2, fs_link),
    JS_CFUNC_DEF("symlink", 2, fs_symlink),
    JS_CFUNC_DEF("mknod", 4, fs_mknod),
    JS_CFUNC_DEF("chmod", 2, fs_chmod),
    JS_CFUNC_DEF("chown", 3, chown_following),
    JS_CFUNC_DEF("lchown", 3, fs_lchown),
    JS_CFUNC_DEF("utimes", 3, fs_utimes),
    JS_CFUNC_DEF("getXattr", 2, fs_get_xattr),
    JS_CFUNC_DEF("setXattr", 3, fs_set_xattr),
    JS_CFUNC_DEF("listXattr", 1, fs_list_xattr),
    JS_CFUNC_DEF("removeXattr", 2, remove_xattr),
};
const int fs_name_count = COUNT(fs_name_functions);
