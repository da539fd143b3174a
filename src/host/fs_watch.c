// inotify on one path.
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "fs.h"

typedef struct Watcher {
  Watch watch;
  JSValue self; // while next() is pending
  Deferred next;
} Watcher;

static JSClassID watcher_id;

static void close_watcher(Watcher *w) {
  if (w->watch.fd < 0) return;
  poller_forget(&w->watch);
  close(w->watch.fd);
  w->watch.fd = -1;
}

static void finalize(JSRuntime *rt, JSValue v) {
  (void)rt;
  Watcher *w = JS_GetOpaque(v, watcher_id);
  if (!w) return;
  close_watcher(w);
  free(w);
}
static const JSClassDef watcher_def = {"Watch", .finalizer = finalize};

static void settle(JSContext *ctx, Watcher *w, JSValue value, bool ok) {
  JSValue self = w->self;
  w->self = JS_UNDEFINED;
  poller_idle(&w->watch);
  poller_hold(-1);
  if (ok) deferred_resolve(ctx, &w->next, value);
  else deferred_reject(ctx, &w->next, value);
  JS_FreeValue(ctx, self);
}

static const char *kind_of(uint32_t mask) {
  return mask & IN_Q_OVERFLOW                                ? "overflow"
         : mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT) ? "gone"
         : mask & IN_CREATE                                    ? "created"
         : mask & IN_CLOSE_WRITE                               ? "written"
         : mask & IN_MODIFY                                    ? "modified"
         : mask & IN_DELETE                                    ? "deleted"
         : mask & IN_MOVED_FROM                                ? "movedFrom"
         : mask & IN_MOVED_TO                                  ? "movedTo"
                                                               : NULL;
}

static void ready(Watch *watch, uint32_t events) {
  (void)events;
  Watcher *w = (Watcher *)watch;
  JSContext *ctx = host.ctx;
  if (!deferred_pending(&w->next)) {
    poller_idle(watch);
    return;
  }
  _Alignas(struct inotify_event) char buffer[16384];
  ssize_t n = read(watch->fd, buffer, sizeof buffer);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n < 0) {
    settle(ctx, w, host_error(ctx, errno, "inotify", NULL, NULL), false);
    return;
  }
  JSValue list = JS_NewArray(ctx);
  uint32_t count = 0;
  for (char *p = buffer; p < buffer + n;) {
    const struct inotify_event *e = (const struct inotify_event *)p;
    p += sizeof *e + e->len;
    const char *kind = kind_of(e->mask);
    if (!kind) continue;
    JSValue o = JS_NewObject(ctx);
    set(ctx, o, "kind", JS_NewString(ctx, kind));
    set(ctx, o, "name", new_path(ctx, e->len ? e->name : "", e->len ? strlen(e->name) : 0));
    JS_DefinePropertyValueUint32(ctx, list, count++, o, JS_PROP_C_W_E);
  }
  if (count) settle(ctx, w, list, true);
  else JS_FreeValue(ctx, list);
}

static HOST_FN(watch_path) {
  (void)self;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path) return JS_EXCEPTION;
  CLEANUP_CLOSE int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0) return throw_errno(ctx, errno, "inotify", path);
  const uint32_t mask = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;
  if (inotify_add_watch(fd, path, mask) < 0) return throw_errno(ctx, errno, "inotify", path);
  Watcher *w = calloc(1, sizeof *w);
  if (!w) return JS_ThrowOutOfMemory(ctx);
  JSValue object = JS_NewObjectClass(ctx, (int)watcher_id);
  if (JS_IsException(object)) {
    free(w);
    return object;
  }
  *w = (Watcher){.watch = {.fd = STEAL_FD(fd), .ready = ready}, .self = JS_UNDEFINED, .next = DEFERRED_NONE};
  JS_SetOpaque(object, w);
  return object;
}

static HOST_FN(next) {
  (void)argc, (void)argv;
  Watcher *w = JS_GetOpaque2(ctx, self, watcher_id);
  if (!w) return JS_EXCEPTION;
  if (w->watch.fd < 0) return throw_errno(ctx, ECANCELED, "watch", NULL);
  if (deferred_pending(&w->next)) return throw_errno(ctx, EBUSY, "watch", NULL);
  int r = poller_want(&w->watch, EPOLLIN);
  if (r) return throw_errno(ctx, -r, "epoll", NULL);
  poller_hold(1);
  w->self = JS_DupValue(ctx, self);
  return deferred_new(ctx, &w->next);
}

static HOST_FN(close_method) {
  (void)argc, (void)argv;
  Watcher *w = JS_GetOpaque2(ctx, self, watcher_id);
  if (!w) return JS_EXCEPTION;
  close_watcher(w);
  if (deferred_pending(&w->next)) settle(ctx, w, host_error(ctx, ECANCELED, "watch", NULL, NULL), false);
  return JS_UNDEFINED;
}

static const JSCFunctionListEntry methods[] = {JS_CFUNC_DEF("next", 0, next), JS_CFUNC_DEF("close", 0, close_method)};

int fs_watch_class(JSContext *ctx) { return class_define(ctx, &watcher_id, &watcher_def, methods, COUNT(methods)); }

const JSCFunctionListEntry fs_watch_functions[] = {JS_CFUNC_DEF("watch", 1, watch_path), JS_CFUNC_DEF("openRoot", 1, fs_open_root)};
const int fs_watch_count = COUNT(fs_watch_functions);
