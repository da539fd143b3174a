// host:fs — mounts, constants, and the module itself. The rest: fs_fd.c, fs_name.c, fs_root.c, fs_job.c, fs_watch.c.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "fs.h"

typedef struct MountCall {
  char *source, *target, *type, *data, *from;
  unsigned long flags;
  int err;
  const char *failed;
} MountCall;

static void mount_now(MountCall *m) {
  if (mount(m->source ? m->source : "none", m->target, m->type, m->flags, m->data)) m->err = errno, m->failed = "mount";
}

// The working directory belongs to the process; a thread can leave that arrangement, for relative paths of its own.
static void *mount_elsewhere(void *argument) {
  MountCall *m = argument;
  if (unshare(CLONE_FS)) m->err = errno, m->failed = "unshare";
  else if (chdir(m->from)) m->err = errno, m->failed = "chdir";
  else mount_now(m);
  return NULL;
}

static HOST_FN(do_mount) {
  (void)self;
  CLEANUP_FREE char *source = NULL, *target = NULL, *type = NULL, *data = NULL, *from = NULL;
  int flags;
  if (option_path(ctx, ARG(0), "source", &source) || option_path(ctx, ARG(0), "target", &target) || option_path(ctx, ARG(0), "type", &type) ||
      option_path(ctx, ARG(0), "data", &data) || option_path(ctx, ARG(0), "from", &from) || option_int(ctx, ARG(0), "flags", 0, &flags))
    return JS_EXCEPTION;
  if (!target) return JS_ThrowTypeError(ctx, "mount wants a target");
  // the kernel would cut it without a word
  if (data && strlen(data) > 4095) return throw_errno2(ctx, E2BIG, "mount", target, source);
  MountCall m = {source, target, type, data, from, (unsigned)flags, 0, NULL};
  if (from) {
    pthread_t thread;
    int r = pthread_create(&thread, NULL, mount_elsewhere, &m);
    if (r) return throw_errno(ctx, r, "mount", target);
    pthread_join(thread, NULL);
  } else {
    mount_now(&m);
  }
  return m.err ? throw_errno2(ctx, m.err, m.failed, target, source) : JS_UNDEFINED;
}

static HOST_FN(unmount) {
  (void)self;
  int flags;
  CLEANUP_FREE char *target = arg_path(ctx, ARG(0));
  if (!target || arg_int(ctx, ARG(1), 0, &flags)) return JS_EXCEPTION;
  return umount2(target, flags) ? throw_errno(ctx, errno, "umount", target) : JS_UNDEFINED;
}

static const JSCFunctionListEntry mount_functions[] = {JS_CFUNC_DEF("mount", 1, do_mount), JS_CFUNC_DEF("umount", 2, unmount)};

#define CONSTANT(name) JS_PROP_INT64_DEF(#name, (int64_t)(name), 0)
static const JSCFunctionListEntry constants[] = {
    CONSTANT(O_RDONLY),      CONSTANT(O_WRONLY),   CONSTANT(O_RDWR),     CONSTANT(O_CREAT),       CONSTANT(O_EXCL),
    CONSTANT(O_TRUNC),       CONSTANT(O_APPEND),   CONSTANT(O_NONBLOCK), CONSTANT(O_DIRECTORY),   CONSTANT(O_NOFOLLOW),
    CONSTANT(O_PATH),        CONSTANT(O_TMPFILE),  CONSTANT(O_DSYNC),    CONSTANT(MS_RDONLY),     CONSTANT(MS_NOSUID),
    CONSTANT(MS_NODEV),      CONSTANT(MS_NOEXEC),  CONSTANT(MS_REMOUNT), CONSTANT(MS_BIND),       CONSTANT(MS_REC),
    CONSTANT(MS_MOVE),       CONSTANT(MS_PRIVATE), CONSTANT(MS_SLAVE),   CONSTANT(MS_SHARED),     CONSTANT(MS_UNBINDABLE),
    CONSTANT(MS_NOATIME),    CONSTANT(MS_RELATIME), CONSTANT(MS_STRICTATIME), CONSTANT(MNT_FORCE), CONSTANT(MNT_DETACH),
    CONSTANT(UMOUNT_NOFOLLOW), CONSTANT(S_IFMT),   CONSTANT(S_IFREG),    CONSTANT(S_IFDIR),       CONSTANT(S_IFLNK),
    CONSTANT(S_IFIFO),       CONSTANT(S_IFSOCK),   CONSTANT(S_IFCHR),    CONSTANT(S_IFBLK),
};

static int init(JSContext *ctx, JSModuleDef *m) {
  JS_SetModuleExportList(ctx, m, fs_fd_functions, fs_fd_count);
  JS_SetModuleExportList(ctx, m, fs_name_functions, fs_name_count);
  JS_SetModuleExportList(ctx, m, fs_job_functions, fs_job_count);
  JS_SetModuleExportList(ctx, m, fs_watch_functions, fs_watch_count);
  JS_SetModuleExportList(ctx, m, mount_functions, COUNT(mount_functions));
  return JS_SetModuleExportList(ctx, m, constants, COUNT(constants));
}

int mod_fs(JSContext *ctx) {
  if (fs_root_class(ctx) || fs_watch_class(ctx)) return -1;
  JSModuleDef *m = JS_NewCModule(ctx, "host:fs", init);
  if (!m) return -1;
  JS_AddModuleExportList(ctx, m, fs_fd_functions, fs_fd_count);
  JS_AddModuleExportList(ctx, m, fs_name_functions, fs_name_count);
  JS_AddModuleExportList(ctx, m, fs_job_functions, fs_job_count);
  JS_AddModuleExportList(ctx, m, fs_watch_functions, fs_watch_count);
  JS_AddModuleExportList(ctx, m, mount_functions, COUNT(mount_functions));
  return JS_AddModuleExportList(ctx, m, constants, COUNT(constants));
}
