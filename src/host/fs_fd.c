// Descriptors and whole small files.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fs.h"

JSValue stat_object(JSContext *ctx, const void *opaque) {
  const struct stat *st = opaque;
  static const char *const types[16] = {[1] = "fifo", [2] = "character", [4] = "directory", [6] = "block", [8] = "file", [10] = "symlink", [12] = "socket"};
  const char *type = types[st->st_mode >> 12 & 15];
  JSValue o = JS_NewObject(ctx);
  set(ctx, o, "type", JS_NewString(ctx, type ? type : "unknown"));
  set(ctx, o, "mode", JS_NewInt64(ctx, st->st_mode));
  set(ctx, o, "dev", JS_NewInt64(ctx, (int64_t)st->st_dev));
  set(ctx, o, "inode", JS_NewBigUint64(ctx, st->st_ino));
  set(ctx, o, "linkCount", JS_NewInt64(ctx, (int64_t)st->st_nlink));
  set(ctx, o, "uid", JS_NewInt64(ctx, st->st_uid));
  set(ctx, o, "gid", JS_NewInt64(ctx, st->st_gid));
  set(ctx, o, "rdevMajor", JS_NewInt64(ctx, major(st->st_rdev)));
  set(ctx, o, "rdevMinor", JS_NewInt64(ctx, minor(st->st_rdev)));
  set(ctx, o, "sizeBytes", JS_NewInt64(ctx, st->st_size));
  set(ctx, o, "allocatedBytes", JS_NewInt64(ctx, (int64_t)st->st_blocks * 512));
  set(ctx, o, "mtimeSeconds", JS_NewInt64(ctx, st->st_mtim.tv_sec));
  set(ctx, o, "mtimeNanoseconds", JS_NewInt64(ctx, st->st_mtim.tv_nsec));
  set(ctx, o, "ctimeSeconds", JS_NewInt64(ctx, st->st_ctim.tv_sec));
  set(ctx, o, "ctimeNanoseconds", JS_NewInt64(ctx, st->st_ctim.tv_nsec));
  set(ctx, o, "atimeSeconds", JS_NewInt64(ctx, st->st_atim.tv_sec));
  return o;
}

#define FD_ARG                                            \
  int fd;                                                 \
  (void)self;                                             \
  if (arg_int(ctx, ARG(0), -1, &fd)) return JS_EXCEPTION;
#define CHECK(call, name) return (call) ? throw_errno(ctx, errno, name, NULL) : JS_UNDEFINED

static HOST_FN(close_fd) {
  FD_ARG;
  CHECK(close(fd) && errno != EINTR, "close"); // the descriptor is gone after EINTR too
}

static HOST_FN(read_fd) {
  FD_ARG;
  uint8_t *p;
  size_t size;
  int64_t offset;
  if (arg_bytes(ctx, ARG(1), &p, &size) || arg_i64(ctx, ARG(2), -1, &offset)) return JS_EXCEPTION;
  for (;;) {
    ssize_t n = offset < 0 ? read(fd, p, size) : pread(fd, p, size, offset);
    if (n >= 0) return JS_NewInt64(ctx, n);
    if (errno != EINTR) return throw_errno(ctx, errno, "read", NULL);
  }
}

static int write_all(int fd, const uint8_t *p, size_t size, int64_t offset) {
  while (size) {
    ssize_t n = offset < 0 ? write(fd, p, size) : pwrite(fd, p, size, offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    p += n, size -= (size_t)n;
    if (offset >= 0) offset += n;
  }
  return 0;
}

static HOST_FN(write_fd) {
  FD_ARG;
  CLEANUP_DATA Data d = {0};
  int64_t offset;
  if (arg_data(ctx, ARG(1), &d) || arg_i64(ctx, ARG(2), -1, &offset)) return JS_EXCEPTION;
  CHECK(write_all(fd, d.p, d.size, offset), "write");
}

static HOST_FN(seek) {
  FD_ARG;
  static const char *const names[] = {"start", "current", "end"};
  static const int whence[] = {SEEK_SET, SEEK_CUR, SEEK_END};
  int64_t offset;
  int from = choice(ctx, ARG(2), names, 3, 0);
  if (from < 0 || arg_i64(ctx, ARG(1), 0, &offset)) return JS_EXCEPTION;
  off_t r = lseek(fd, offset, whence[from]);
  return r < 0 ? throw_errno(ctx, errno, "lseek", NULL) : JS_NewInt64(ctx, r);
}

static HOST_FN(stat_fd) {
  FD_ARG;
  struct stat st;
  return fstat(fd, &st) ? throw_errno(ctx, errno, "fstat", NULL) : stat_object(ctx, &st);
}

static HOST_FN(truncate_fd) {
  FD_ARG;
  int64_t size;
  if (arg_i64(ctx, ARG(1), 0, &size)) return JS_EXCEPTION;
  CHECK(ftruncate(fd, size), "ftruncate");
}

static HOST_FN(chmod_fd) {
  FD_ARG;
  int mode;
  if (arg_int(ctx, ARG(1), 0, &mode)) return JS_EXCEPTION;
  CHECK(fchmod(fd, (mode_t)mode), "fchmod");
}

static HOST_FN(chown_fd) {
  FD_ARG;
  int uid, gid;
  if (arg_int(ctx, ARG(1), -1, &uid) || arg_int(ctx, ARG(2), -1, &gid)) return JS_EXCEPTION;
  CHECK(fchown(fd, (uid_t)uid, (gid_t)gid), "fchown");
}

static HOST_FN(allocate) {
  FD_ARG;
  int64_t offset, size;
  if (arg_i64(ctx, ARG(1), 0, &offset) || arg_i64(ctx, ARG(2), 0, &size)) return JS_EXCEPTION;
  while (fallocate(fd, JS_ToBool(ctx, ARG(3)) > 0 ? FALLOC_FL_KEEP_SIZE : 0, offset, size))
    if (errno != EINTR) return throw_errno(ctx, errno, "fallocate", NULL);
  return JS_UNDEFINED;
}

static HOST_FN(advise) {
  FD_ARG;
  static const char *const names[] = {"normal", "sequential", "dontneed", "willneed"};
  static const int advice[] = {POSIX_FADV_NORMAL, POSIX_FADV_SEQUENTIAL, POSIX_FADV_DONTNEED, POSIX_FADV_WILLNEED};
  int64_t offset, size;
  int which = choice(ctx, ARG(1), names, 4, -1);
  if (which < 0 || arg_i64(ctx, ARG(2), 0, &offset) || arg_i64(ctx, ARG(3), 0, &size)) return JS_EXCEPTION;
  int r = posix_fadvise(fd, offset, size, advice[which]);
  return r ? throw_errno(ctx, r, "fadvise", NULL) : JS_UNDEFINED;
}

static HOST_FN(lock) {
  FD_ARG;
  static const char *const names[] = {"shared", "exclusive", "unlock"};
  static const int operations[] = {LOCK_SH, LOCK_EX, LOCK_UN};
  int which = choice(ctx, ARG(1), names, 3, -1);
  if (which < 0) return JS_EXCEPTION;
  while (flock(fd, operations[which] | LOCK_NB)) {
    if (errno == EWOULDBLOCK) return JS_FALSE;
    if (errno != EINTR) return throw_errno(ctx, errno, "flock", NULL);
  }
  return JS_TRUE;
}

static HOST_FN(duplicate) {
  FD_ARG;
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return copy < 0 ? throw_errno(ctx, errno, "dup", NULL) : JS_NewInt32(ctx, copy);
}

// --- whole files ------------------------------------------------------------------------------------------------------------------
static JSValue read_whole(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, bool as_text) {
  int64_t limit;
  bool rooted;
  if (arg_i64(ctx, ARG(1), 64 << 20, &limit)) return JS_EXCEPTION;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path) return JS_EXCEPTION;
  int root = root_fd_of(ctx, self, &rooted);
  if (rooted && root < 0) return JS_EXCEPTION;
  CLEANUP_CLOSE int fd = rooted ? root_open(root, path, O_RDONLY, 0) : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return throw_errno(ctx, rooted ? -fd : errno, "open", path);
  struct stat st;
  if (fstat(fd, &st)) return throw_errno(ctx, errno, "fstat", path);
  if (S_ISDIR(st.st_mode)) return throw_errno(ctx, EISDIR, "read", path);
  if (S_ISREG(st.st_mode) && st.st_size > limit) return throw_errno(ctx, EFBIG, "read", path);
  CLEANUP_BUFFER Buffer b = {0};
  for (size_t ask = (S_ISREG(st.st_mode) ? (size_t)st.st_size : 0) + 1;; ask = 16384) { // + 1: to see the end at once
    if (buffer_reserve(&b, ask)) return JS_ThrowOutOfMemory(ctx);
    ssize_t n = read(fd, b.p + b.size, b.room - b.size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return throw_errno(ctx, errno, "read", path);
    if (!n) break;
    b.size += (size_t)n;
    if ((int64_t)b.size > limit) return throw_errno(ctx, EFBIG, "read", path);
  }
  return as_text ? new_text(ctx, b.p, b.size) : new_bytes(ctx, b.p, b.size);
}

HOST_FN(fs_read_file) { return read_whole(ctx, self, argc, argv, false); }
static HOST_FN(read_text) { return read_whole(ctx, self, argc, argv, true); }

static HOST_FN(write_file) {
  (void)self;
  int flags, mode;
  CLEANUP_DATA Data d = {0};
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path || arg_data(ctx, ARG(1), &d) || option_int(ctx, ARG(2), "flags", O_WRONLY | O_CREAT | O_TRUNC, &flags) ||
      option_int(ctx, ARG(2), "mode", 0666, &mode))
    return JS_EXCEPTION;
  int fd = open(path, flags | O_CLOEXEC, mode);
  if (fd < 0) return throw_errno(ctx, errno, "open", path);
  int err = write_all(fd, d.p, d.size, -1) ? errno : 0;
  if (close(fd) && !err && errno != EINTR) err = errno;
  return err ? throw_errno(ctx, err, "write", path) : JS_UNDEFINED;
}

const JSCFunctionListEntry fs_fd_functions[] = {
    JS_CFUNC_DEF("close", 1, close_fd),       JS_CFUNC_DEF("read", 3, read_fd),       JS_CFUNC_DEF("write", 3, write_fd),
    JS_CFUNC_DEF("seek", 3, seek),            JS_CFUNC_DEF("fstat", 1, stat_fd),      JS_CFUNC_DEF("ftruncate", 2, truncate_fd),
    JS_CFUNC_DEF("fchmod", 2, chmod_fd),      JS_CFUNC_DEF("fchown", 3, chown_fd),    JS_CFUNC_DEF("fallocate", 4, allocate),
    JS_CFUNC_DEF("fadvise", 4, advise),       JS_CFUNC_DEF("flock", 2, lock),         JS_CFUNC_DEF("dup", 1, duplicate),
    JS_CFUNC_DEF("readFile", 2, fs_read_file), JS_CFUNC_DEF("readText", 2, read_text), JS_CFUNC_DEF("writeFile", 3, write_file),
};
const int fs_fd_count = COUNT(fs_fd_functions);
