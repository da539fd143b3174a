// Root objects, and how a name is found below one.
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "fs.h"

typedef struct Root {
  int fd;
  char *path;
  char *parent_path; // the last parent that was looked up: an archive's entries come directory by directory
  int parent_fd;
} Root;

JSClassID root_id;

static void forget_parent(Root *r) {
  if (r->parent_fd >= 0) close(r->parent_fd);
  r->parent_fd = -1;
  free(STEAL_PTR(r->parent_path));
}

static void close_root(Root *r) {
  forget_parent(r);
  if (r->fd >= 0) close(r->fd);
  r->fd = -1;
}

static void finalize(JSRuntime *rt, JSValue v) {
  (void)rt;
  Root *r = JS_GetOpaque(v, root_id);
  if (!r) return;
  close_root(r);
  free(r->path);
  free(r);
}
static const JSClassDef root_def = {"Root", .finalizer = finalize};

int root_fd_of(JSContext *ctx, JSValueConst self, bool *rooted) {
  Root *r = JS_GetOpaque(self, root_id);
  *rooted = r;
  if (r && r->fd < 0) throw_errno(ctx, ECANCELED, "root", r->path);
  return r ? r->fd : -1;
}

void root_changed(JSValueConst self) {
  Root *r = JS_GetOpaque(self, root_id);
  if (r) forget_parent(r);
}

void place_free(Place *p) {
  free(p->path);
  free(p->proc);
  if (p->owned_fd >= 0) close(p->owned_fd);
}

int place_open(JSContext *ctx, JSValueConst self, JSValueConst path, Place *out) {
  *out = PLACE_NONE;
  out->path = arg_path(ctx, path);
  if (!out->path) return -1;
  Root *r = JS_GetOpaque(self, root_id);
  if (!r) {
    out->dir = AT_FDCWD;
    out->name = out->path;
    return 0;
  }
  out->rooted = true;
  if (r->fd < 0) return throw_errno(ctx, ECANCELED, "root", out->path), -1;
  char *slash = strrchr(out->path, '/');
  const char *base = slash ? slash + 1 : out->path;
  bool plain = *base && strcmp(base, ".") && strcmp(base, "..");
  size_t parent_size = slash ? (size_t)(slash - out->path) : 0;
  if (plain && r->parent_fd >= 0 && strlen(r->parent_path) == parent_size && !memcmp(r->parent_path, out->path, parent_size)) {
    out->dir = r->parent_fd;
    out->name = base;
    return 0;
  }
  int fd = root_parent(r->fd, out->path, &out->name);
  if (fd < 0) return throw_errno(ctx, -fd, "open", out->path), -1;
  out->dir = fd;
  char *remembered = plain ? strndup(out->path, parent_size) : NULL;
  if (!remembered) {
    out->owned_fd = fd;
    return 0;
  }
  forget_parent(r);
  r->parent_fd = fd;
  r->parent_path = remembered;
  return 0;
}

const char *place_path(Place *p) {
  if (!p->rooted) return p->path;
  if (asprintf(&p->proc, "/proc/self/fd/%d/%s", p->dir, p->name) < 0) p->proc = NULL;
  return p->proc;
}

HOST_FN(fs_open_root) {
  (void)self;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path) return JS_EXCEPTION;
  CLEANUP_CLOSE int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return throw_errno(ctx, errno, "open", path);
  Root *r = calloc(1, sizeof *r);
  if (!r) return JS_ThrowOutOfMemory(ctx);
  JSValue object = JS_NewObjectClass(ctx, (int)root_id);
  if (JS_IsException(object)) {
    free(r);
    return object;
  }
  *r = (Root){.fd = STEAL_FD(fd), .path = STEAL_PTR(path), .parent_fd = -1};
  JS_SetOpaque(object, r);
  return object;
}

static HOST_FN(close_method) {
  (void)argc, (void)argv;
  Root *r = JS_GetOpaque2(ctx, self, root_id);
  if (!r) return JS_EXCEPTION;
  close_root(r);
  return JS_UNDEFINED;
}

static JSValue get_fd(JSContext *ctx, JSValueConst self) {
  Root *r = JS_GetOpaque2(ctx, self, root_id);
  return r ? JS_NewInt32(ctx, r->fd) : JS_EXCEPTION;
}

static JSValue get_path(JSContext *ctx, JSValueConst self) {
  Root *r = JS_GetOpaque2(ctx, self, root_id);
  return r ? new_path(ctx, r->path, strlen(r->path)) : JS_EXCEPTION;
}

// The kernel's name of what a descriptor stands for.
static ssize_t fd_name(int fd, char out[PATH_MAX]) {
  char proc[40];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(proc, out, PATH_MAX - 1);
  if (n >= 0) out[n] = 0;
  return n;
}

static HOST_FN(resolve) {
  bool rooted;
  char whole[PATH_MAX], top[PATH_MAX];
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  int root = path ? root_fd_of(ctx, self, &rooted) : -1;
  if (root < 0) return JS_HasException(ctx) ? JS_EXCEPTION : JS_ThrowTypeError(ctx, "not a Root");
  CLEANUP_CLOSE int fd = root_open(root, path, O_PATH, 0);
  if (fd < 0) return throw_errno(ctx, -fd, "resolve", path);
  ssize_t n = fd_name(fd, whole), m = fd_name(root, top);
  if (n < 0 || m < 0) return throw_errno(ctx, errno, "readlink", path);
  if (m == 1) m = 0; // the root is '/'
  if (strncmp(whole, top, (size_t)m) || (whole[m] && whole[m] != '/')) return throw_errno(ctx, ESTALE, "resolve", path);
  return n == m ? JS_NewString(ctx, "/") : new_path(ctx, whole + m, (size_t)(n - m));
}

static const JSCFunctionListEntry methods[] = {
    JS_CGETSET_DEF("fd", get_fd, NULL),         JS_CGETSET_DEF("path", get_path, NULL),      JS_CFUNC_DEF("close", 0, close_method),
    JS_CFUNC_DEF("resolve", 1, resolve),        JS_CFUNC_DEF("open", 3, fs_open),            JS_CFUNC_DEF("readFile", 2, fs_read_file),
    JS_CFUNC_DEF("stat", 1, fs_stat),           JS_CFUNC_DEF("lstat", 1, fs_lstat),          JS_CFUNC_DEF("readdir", 1, fs_readdir),
    JS_CFUNC_DEF("readlink", 1, fs_readlink),   JS_CFUNC_DEF("mkdir", 2, fs_mkdir),          JS_CFUNC_DEF("mkdirs", 2, fs_mkdirs),
    JS_CFUNC_DEF("rmdir", 1, fs_rmdir),         JS_CFUNC_DEF("unlink", 1, fs_unlink),        JS_CFUNC_DEF("rename", 2, fs_rename),
    JS_CFUNC_DEF("link", 2, fs_link),           JS_CFUNC_DEF("symlink", 2, fs_symlink),      JS_CFUNC_DEF("chmod", 2, fs_chmod),
    JS_CFUNC_DEF("lchown", 3, fs_lchown),       JS_CFUNC_DEF("utimes", 3, fs_utimes),        JS_CFUNC_DEF("mknod", 4, fs_mknod),
    JS_CFUNC_DEF("getXattr", 2, fs_get_xattr),  JS_CFUNC_DEF("setXattr", 3, fs_set_xattr),   JS_CFUNC_DEF("listXattr", 1, fs_list_xattr),
    JS_CFUNC_DEF("removeTree", 1, fs_remove_tree),
};

int fs_root_class(JSContext *ctx) { return class_define(ctx, &root_id, &root_def, methods, COUNT(methods)); }
