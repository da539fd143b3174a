// Heavy work on files, on the pool.
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "fs.h"

static void fail(Work *w, int err, const char *call) { w->err = err, w->failed = call; }

// --- making durable --------------------------------------------------------------------------------------------------------------
typedef struct Sync {
  Work work;
  int fd, kind; // 0 fsync, 1 fdatasync, 2 syncfs of path, 3 fsync of the directory path
} Sync;

static void sync_run(Work *w) {
  Sync *job = (Sync *)w;
  static const char *const calls[] = {"fsync", "fdatasync", "syncfs", "fsync"};
  if (w->path) {
    job->fd = open(w->path, O_RDONLY | O_CLOEXEC | (job->kind == 3 ? O_DIRECTORY : 0));
    if (job->fd < 0) return fail(w, errno, "open");
  }
  if (job->kind == 1 ? fdatasync(job->fd) : job->kind == 2 ? syncfs(job->fd) : fsync(job->fd)) fail(w, errno, calls[job->kind]);
}

static void sync_destroy(Work *w) {
  if (((Sync *)w)->fd >= 0) close(((Sync *)w)->fd);
}

static JSValue sync_start(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int kind) {
  (void)self;
  int fd = -1;
  CLEANUP_FREE char *path = NULL;
  if (kind >= 2 ? !(path = arg_path(ctx, ARG(0))) : arg_int(ctx, ARG(0), -1, &fd)) return JS_EXCEPTION;
  // a copy: the caller may close its descriptor while the job runs, and the number may be another file then
  if (kind < 2 && (fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0) return throw_errno(ctx, errno, "fsync", NULL);
  Sync *job = calloc(1, sizeof *job);
  if (!job) {
    if (fd >= 0) close(fd);
    return JS_ThrowOutOfMemory(ctx);
  }
  job->work = (Work){.run = sync_run, .destroy = sync_destroy, .path = STEAL_PTR(path)};
  job->fd = fd;
  job->kind = kind;
  return work_start(ctx, &job->work);
}

// --- writing out early ---------------------------------------------------------------------------------------------------------------
typedef struct WriteOut {
  Work work;
  size_t count;
  int fds[];
} WriteOut;

// All are begun before any is waited for, so that the device gets them in one row. What has been written need not be kept in memory.
static void write_out_run(Work *w) {
  WriteOut *job = (WriteOut *)w;
  for (size_t i = 0; i < job->count; i++) sync_file_range(job->fds[i], 0, 0, SYNC_FILE_RANGE_WRITE); // what fails here fails below
  for (size_t i = 0; i < job->count; i++) {
    int r = sync_file_range(job->fds[i], 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    // file systems without it write when they are synced
    if (r && errno != ENOSYS && errno != EINVAL && errno != ESPIPE && !w->err) fail(w, errno, "sync_file_range");
    posix_fadvise(job->fds[i], 0, 0, POSIX_FADV_DONTNEED);
  }
}

static void write_out_destroy(Work *w) {
  WriteOut *job = (WriteOut *)w;
  for (size_t i = 0; i < job->count; i++) close(job->fds[i]);
}

static HOST_FN(write_out) {
  (void)self;
  int64_t count;
  JSValue length = JS_GetPropertyStr(ctx, ARG(0), "length");
  if (JS_IsException(length) || arg_i64(ctx, length, -1, &count)) return JS_EXCEPTION;
  if (count < 0 || count > 4096) return JS_ThrowRangeError(ctx, "expected an array of at most 4096 descriptors");
  WriteOut *job = calloc(1, sizeof *job + (size_t)count * sizeof *job->fds);
  if (!job) return JS_ThrowOutOfMemory(ctx);
  for (int64_t i = 0; i < count; i++) {
    JSValue v = JS_GetPropertyUint32(ctx, ARG(0), (uint32_t)i);
    int r = arg_int(ctx, v, -1, &job->fds[i]);
    JS_FreeValue(ctx, v);
    if (!r && fcntl(job->fds[i], F_GETFD) >= 0) continue;
    int err = errno;
    free(job);
    return r ? JS_EXCEPTION : throw_errno(ctx, err, "writeOut", NULL);
  }
  job->count = (size_t)count;
  job->work = (Work){.run = write_out_run, .destroy = write_out_destroy};
  return work_start(ctx, &job->work);
}

// --- replacing a file ---------------------------------------------------------------------------------------------------------------
typedef struct Replace {
  Work work;
  uint8_t *data;
  size_t size;
  int mode, uid, gid;
} Replace;

static void replace_run(Work *w) {
  Replace *job = (Replace *)w;
  char *slash = strrchr(w->path, '/'), temporary[256];
  const char *base = slash ? slash + 1 : w->path;
  CLEANUP_FREE char *dir_path = !slash ? strdup(".") : slash == w->path ? strdup("/") : strndup(w->path, (size_t)(slash - w->path));
  if (!dir_path) return fail(w, ENOMEM, "open");
  CLEANUP_CLOSE int dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
  if (dir < 0) return fail(w, errno, "open");
  for (int tries = 0; fd < 0 && tries < 100; tries++) {
    uint32_t noise = 0;
    // A name, no secret: while the system starts nothing waits for randomness.
    if (getrandom(&noise, sizeof noise, GRND_NONBLOCK) != sizeof noise) noise = (uint32_t)getpid() + (uint32_t)tries;
    snprintf(temporary, sizeof temporary, ".%.230s.tmp-%08x", base, (unsigned)noise);
    fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) break;
  }
  if (fd < 0) return fail(w, errno, "open");
  for (size_t done = 0; done < job->size && !w->err;) {
    ssize_t n = write(fd, job->data + done, job->size - done);
    if (n < 0 && errno != EINTR) fail(w, errno, "write");
    if (n > 0) done += (size_t)n;
  }
  // owner first: changing it clears setuid bits
  if (!w->err && (job->uid != -1 || job->gid != -1) && fchown(fd, (uid_t)job->uid, (gid_t)job->gid)) fail(w, errno, "fchown");
  if (!w->err && fchmod(fd, (mode_t)job->mode)) fail(w, errno, "fchmod");
  if (!w->err && fsync(fd)) fail(w, errno, "fsync");
  if (!w->err && renameat(dir, temporary, dir, base)) fail(w, errno, "rename");
  if (w->err) unlinkat(dir, temporary, 0);
  else if (fsync(dir)) fail(w, errno, "fsync");
}

static void replace_destroy(Work *w) { free(((Replace *)w)->data); }

static HOST_FN(replace_file) {
  (void)self;
  CLEANUP_DATA Data d = {0};
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  int mode, uid, gid;
  if (!path || arg_data(ctx, ARG(1), &d) || option_int(ctx, ARG(2), "mode", 0644, &mode) || option_int(ctx, ARG(2), "uid", -1, &uid) ||
      option_int(ctx, ARG(2), "gid", -1, &gid))
    return JS_EXCEPTION;
  Replace *job = calloc(1, sizeof *job);
  CLEANUP_FREE uint8_t *copy = d.copy ? (uint8_t *)STEAL_PTR(d.copy) : malloc(d.size + 1);
  if (!job || !copy) {
    free(job);
    return JS_ThrowOutOfMemory(ctx);
  }
  if (copy != d.p) memcpy(copy, d.p, d.size);
  job->work = (Work){.run = replace_run, .destroy = replace_destroy, .path = STEAL_PTR(path)};
  job->data = STEAL_PTR(copy);
  job->size = d.size;
  job->mode = mode, job->uid = uid, job->gid = gid;
  return work_start(ctx, &job->work);
}

// --- copying a file --------------------------------------------------------------------------------------------------------------------
typedef struct CopyFile {
  Work work;
  int mode;
  uint64_t size;
} CopyFile;

static void copy_run(Work *w) {
  CopyFile *job = (CopyFile *)w;
  CLEANUP_CLOSE int from = open(w->path, O_RDONLY | O_CLOEXEC);
  if (from < 0) return fail(w, errno, "open");
  CLEANUP_CLOSE int to = open(w->target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, job->mode);
  if (to < 0) return fail(w, errno, "open");
  const char *call;
  int r = file_copy(from, to, &job->size, &call);
  if (!r) return;
  fail(w, -r, call);
  unlink(w->target);
}

static JSValue copy_result(JSContext *ctx, Work *w) { return JS_NewInt64(ctx, (int64_t)((CopyFile *)w)->size); }

static HOST_FN(copy_file) {
  (void)self;
  int mode;
  CLEANUP_FREE char *from = arg_path(ctx, ARG(0));
  CLEANUP_FREE char *to = from ? arg_path(ctx, ARG(1)) : NULL;
  if (!to || arg_int(ctx, ARG(2), 0666, &mode)) return JS_EXCEPTION;
  CopyFile *job = calloc(1, sizeof *job);
  if (!job) return JS_ThrowOutOfMemory(ctx);
  job->work = (Work){.run = copy_run, .result = copy_result, .path = STEAL_PTR(from), .target = STEAL_PTR(to)};
  job->mode = mode;
  return work_start(ctx, &job->work);
}

// --- trees -------------------------------------------------------------------------------------------------------------------------------
typedef struct Tree {
  Work work;
  enum { REMOVE, USAGE, COPY } kind;
  int dir; // where work.name begins: AT_FDCWD or ours to close
  char *name;
  TreeCount count;
} Tree;

static void tree_run(Work *w) {
  Tree *job = (Tree *)w;
  TreeFailure why = {0};
  if (job->kind == COPY) {
    int from = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0) return fail(w, errno, "open");
    CLEANUP_CLOSE int to = open(w->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0) {
      fail(w, errno, "open");
      close(from);
      return;
    }
    tree_copy(from, to, &job->count, &why);
  } else if (job->kind == USAGE) {
    tree_usage(AT_FDCWD, job->name, &job->count, &why);
  } else {
    // the walk crosses no mount, so it must not begin above the parent: the path to it may
    CLEANUP_FREE char *parent = job->dir == AT_FDCWD ? strdup(job->name) : NULL;
    char *slash = parent ? strrchr(parent, '/') : NULL;
    const char *base = slash ? slash + 1 : job->name;
    if (job->dir == AT_FDCWD && (!parent || !*base || !strcmp(base, ".") || !strcmp(base, ".."))) return fail(w, parent ? EINVAL : ENOMEM, "removeTree");
    CLEANUP_CLOSE int opened = -1;
    if (slash) {
      char cut = slash[1];
      slash[1] = 0; // keeps the slash: '/name' lies in '/'
      opened = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
      slash[1] = cut;
      if (opened < 0 && errno == ENOENT) return;
      if (opened < 0) return fail(w, errno, "open");
    }
    tree_remove(slash ? opened : job->dir, base, &job->count, &why);
  }
  if (why.err) {
    fail(w, why.err, why.syscall);
    char *whole = NULL; // which entry it was
    if (why.path && asprintf(&whole, "%s/%s", w->path, why.path) >= 0) {
      free(w->path);
      w->path = whole;
    }
  }
  free(why.path);
}

static JSValue tree_result(JSContext *ctx, Work *w) {
  Tree *job = (Tree *)w;
  if (job->kind != USAGE) return JS_NewInt64(ctx, (int64_t)job->count.entries);
  JSValue o = JS_NewObject(ctx);
  set(ctx, o, "sizeBytes", JS_NewInt64(ctx, (int64_t)job->count.size));
  set(ctx, o, "allocatedBytes", JS_NewInt64(ctx, (int64_t)job->count.allocated));
  set(ctx, o, "entries", JS_NewInt64(ctx, (int64_t)job->count.entries));
  return o;
}

static void tree_destroy(Work *w) {
  Tree *job = (Tree *)w;
  if (job->dir >= 0) close(job->dir);
  free(job->name);
}

static JSValue tree_start(JSContext *ctx, int kind, int dir, char *name, char *path, char *target) { // takes all
  Tree *job = calloc(1, sizeof *job);
  if (!job || !name) {
    if (dir >= 0) close(dir);
    free(job), free(name), free(path), free(target);
    return JS_ThrowOutOfMemory(ctx);
  }
  job->work = (Work){.run = tree_run, .result = tree_result, .destroy = tree_destroy, .path = path, .target = target};
  job->kind = kind;
  job->dir = dir;
  job->name = name;
  return work_start(ctx, &job->work);
}

HOST_FN(fs_remove_tree) {
  CLEANUP_PLACE Place place = PLACE_NONE;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path) return JS_EXCEPTION;
  for (size_t n = strlen(path); n > 1 && path[n - 1] == '/';) path[--n] = 0;
  if (place_open(ctx, self, argv[0], &place)) {
    if (!JS_IsObject(self) || !JS_GetOpaque(self, root_id)) return JS_EXCEPTION;
    JSValue e = JS_GetException(ctx), code = JS_GetPropertyStr(ctx, e, "code");
    const char *text = JS_ToCString(ctx, code);
    bool missing = text && !strcmp(text, "ENOENT");
    JS_FreeCString(ctx, text);
    JS_FreeValue(ctx, code);
    if (!missing) return JS_Throw(ctx, e);
    JS_FreeValue(ctx, e);
    return resolved_promise(ctx, JS_NewInt32(ctx, 0));
  }
  int dir = place.rooted ? fcntl(place.dir, F_DUPFD_CLOEXEC, 3) : AT_FDCWD;
  if (place.rooted && dir < 0) return throw_errno(ctx, errno, "dup", path);
  root_changed(self);
  char *name = strdup(place.rooted ? place.name : path);
  return tree_start(ctx, REMOVE, dir, name, STEAL_PTR(path), NULL);
}

static HOST_FN(disk_usage) {
  (void)self;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path) return JS_EXCEPTION;
  char *name = strdup(path);
  return tree_start(ctx, USAGE, -1, name, STEAL_PTR(path), NULL);
}

static HOST_FN(copy_tree) {
  (void)self;
  CLEANUP_FREE char *from = arg_path(ctx, ARG(0));
  CLEANUP_FREE char *to = from ? arg_path(ctx, ARG(1)) : NULL;
  if (!to) return JS_EXCEPTION;
  char *name = strdup(from);
  return tree_start(ctx, COPY, -1, name, STEAL_PTR(from), STEAL_PTR(to));
}

const JSCFunctionListEntry fs_job_functions[] = {
    JS_CFUNC_MAGIC_DEF("fsync", 1, sync_start, 0),  JS_CFUNC_MAGIC_DEF("fdatasync", 1, sync_start, 1),
    JS_CFUNC_MAGIC_DEF("syncfs", 1, sync_start, 2), JS_CFUNC_MAGIC_DEF("fsyncDir", 1, sync_start, 3),
    JS_CFUNC_DEF("writeOut", 1, write_out),         JS_CFUNC_DEF("replaceFile", 3, replace_file),
    JS_CFUNC_DEF("copyFile", 3, copy_file),         JS_CFUNC_DEF("copyTree", 2, copy_tree),
    JS_CFUNC_DEF("removeTree", 1, fs_remove_tree),  JS_CFUNC_DEF("diskUsage", 1, disk_usage),
};
const int fs_job_count = COUNT(fs_job_functions);
