// host:net — listening and connecting; the rest is in stream.c, tls.c and netlink.c.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "stream.h"

// --- listening -----------------------------------------------------------------------------------------------------------------------
typedef struct Listener {
  Watch watch;
  Deferred accept;
  JSValue self;        // while accept() is pending
  uv_timer_t *retry;   // when descriptors have run out
  int port;
} Listener;

static JSClassID listener_id;

static void drop_retry(Listener *l) {
  if (!l->retry) return;
  uv_close((uv_handle_t *)l->retry, (uv_close_cb)free);
  l->retry = NULL;
}

static void close_listener(Listener *l) {
  drop_retry(l);
  if (l->watch.fd < 0) return;
  poller_forget(&l->watch);
  close(l->watch.fd);
  l->watch.fd = -1;
}

static void finalize(JSRuntime *rt, JSValue v) {
  (void)rt;
  Listener *l = JS_GetOpaque(v, listener_id);
  if (!l) return;
  close_listener(l);
  free(l);
}
static const JSClassDef listener_def = {"Listener", .finalizer = finalize};

static void settle(JSContext *ctx, Listener *l, JSValue value) { // an exception rejects
  JSValue self = l->self;
  bool ok = !JS_IsException(value);
  if (!ok) value = JS_GetException(ctx);
  l->self = JS_UNDEFINED;
  poller_hold(-1);
  if (ok) deferred_resolve(ctx, &l->accept, value);
  else deferred_reject(ctx, &l->accept, value);
  JS_FreeValue(ctx, self);
}

static void try_again(uv_timer_t *timer) {
  Listener *l = timer->data;
  drop_retry(l);
  if (deferred_pending(&l->accept)) poller_want(&l->watch, EPOLLIN);
}

static void incoming(Watch *watch, uint32_t events) {
  (void)events;
  Listener *l = (Listener *)watch;
  JSContext *ctx = host.ctx;
  if (!deferred_pending(&l->accept)) {
    poller_idle(watch);
    return;
  }
  int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) {
    int on = 1;
    if (l->port) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    settle(ctx, l, stream_new(ctx, fd, false));
    return;
  }
  if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
    poller_idle(watch); // it would be ready again at once
    l->retry = malloc(sizeof *l->retry);
    if (!l->retry) abort();
    uv_timer_init(host.loop, l->retry);
    l->retry->data = l;
    uv_timer_start(l->retry, try_again, 100, 0);
  } else if (errno == EINVAL || errno == EBADF || errno == ENOTSOCK || errno == EOPNOTSUPP) {
    settle(ctx, l, throw_errno(ctx, errno, "accept", NULL));
  } // anything else concerns one connection that is gone already
}

static HOST_FN(accept_method) {
  (void)argc, (void)argv;
  Listener *l = JS_GetOpaque2(ctx, self, listener_id);
  if (!l) return JS_EXCEPTION;
  if (l->watch.fd < 0) return throw_errno(ctx, ECANCELED, "accept", NULL);
  if (deferred_pending(&l->accept)) return throw_errno(ctx, EBUSY, "accept", NULL);
  int r = poller_want(&l->watch, EPOLLIN);
  if (r) return throw_errno(ctx, -r, "epoll", NULL);
  poller_hold(1);
  l->self = JS_DupValue(ctx, self);
  return deferred_new(ctx, &l->accept);
}

static HOST_FN(close_method) {
  (void)argc, (void)argv;
  Listener *l = JS_GetOpaque2(ctx, self, listener_id);
  if (!l) return JS_EXCEPTION;
  close_listener(l);
  if (deferred_pending(&l->accept)) settle(ctx, l, throw_errno(ctx, ECANCELED, "accept", NULL));
  return JS_UNDEFINED;
}

static JSValue get_number(JSContext *ctx, JSValueConst self, int magic) {
  Listener *l = JS_GetOpaque2(ctx, self, listener_id);
  return l ? JS_NewInt32(ctx, magic ? l->port : l->watch.fd) : JS_EXCEPTION;
}

static const JSCFunctionListEntry listener_methods[] = {
    JS_CGETSET_MAGIC_DEF("fd", get_number, NULL, 0),
    JS_CGETSET_MAGIC_DEF("port", get_number, NULL, 1),
    JS_CFUNC_DEF("accept", 0, accept_method),
    JS_CFUNC_DEF("close", 0, close_method),
};

static JSValue listener_new(JSContext *ctx, int fd) { // takes fd
  CLEANUP_CLOSE int owned = fd;
  struct sockaddr_storage a;
  socklen_t size = sizeof a;
  if (getsockname(fd, (struct sockaddr *)&a, &size)) return throw_errno(ctx, errno, "getsockname", NULL);
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)) return throw_errno(ctx, errno, "fcntl", NULL);
  Listener *l = calloc(1, sizeof *l);
  if (!l) return JS_ThrowOutOfMemory(ctx);
  JSValue object = JS_NewObjectClass(ctx, (int)listener_id);
  if (JS_IsException(object)) {
    free(l);
    return object;
  }
  *l = (Listener){.watch = {.fd = STEAL_FD(owned), .ready = incoming}, .accept = DEFERRED_NONE, .self = JS_UNDEFINED};
  if (a.ss_family == AF_INET) l->port = ntohs(((struct sockaddr_in *)&a)->sin_port);
  if (a.ss_family == AF_INET6) l->port = ntohs(((struct sockaddr_in6 *)&a)->sin6_port);
  JS_SetOpaque(object, l);
  return object;
}

static HOST_FN(listen_fd) {
  (void)self;
  int fd;
  if (arg_int(ctx, ARG(0), -1, &fd)) return JS_EXCEPTION;
  return listener_new(ctx, fd);
}

static HOST_FN(listen_on) {
  (void)self;
  CLEANUP_ADDRESS Address a = {0};
  int mode, gid, backlog;
  if (address_parse(ctx, ARG(0), &a) || option_int(ctx, ARG(1), "mode", -1, &mode) || option_int(ctx, ARG(1), "gid", -1, &gid) ||
      option_int(ctx, ARG(1), "backlog", 511, &backlog))
    return JS_EXCEPTION;
  CLEANUP_CLOSE int fd = socket(a.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return throw_errno(ctx, errno, "socket", a.label);
  const int on = 1;
  const char *failed = "bind";
  if (a.family != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (a.family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)a.sa.raw, a.size)) return throw_errno(ctx, errno, failed, a.label);
  const char *path = a.family == AF_UNIX ? ((struct sockaddr_un *)a.sa.raw)->sun_path : "";
  // nobody can connect before listen(): the permissions are right from the first moment
  int r = 0;
  if (*path && gid != -1) failed = "chown", r = chown(path, (uid_t)-1, (gid_t)gid);
  if (!r && *path && mode != -1) failed = "chmod", r = chmod(path, (mode_t)mode);
  if (!r) failed = "listen", r = listen(fd, backlog);
  if (r) {
    int err = errno;
    if (*path) unlink(path);
    return throw_errno(ctx, err, failed, a.label);
  }
  return listener_new(ctx, STEAL_FD(fd));
}

// --- connecting -----------------------------------------------------------------------------------------------------------------------
typedef struct Connecting {
  Watch watch;
  Deferred done;
  Address address;
  bool records;
  uv_timer_t deadline, again; // again: a unix socket whose queue is full says EAGAIN and nothing afterwards
  int open_timers;
} Connecting;

static void timer_closed(uv_handle_t *handle) {
  Connecting *c = handle->data;
  if (--c->open_timers) return;
  address_free(&c->address);
  free(c);
}

static void finish(Connecting *c, int err) {
  JSContext *ctx = host.ctx;
  poller_forget(&c->watch);
  poller_hold(-1);
  int fd = STEAL_FD(c->watch.fd);
  JSValue v;
  if (err) {
    close(fd);
    v = host_error(ctx, err, "connect", c->address.label, NULL);
  } else {
    v = stream_new(ctx, fd, c->records);
    if (JS_IsException(v)) v = JS_GetException(ctx), err = EIO;
  }
  if (err) deferred_reject(ctx, &c->done, v);
  else deferred_resolve(ctx, &c->done, v);
  uv_close((uv_handle_t *)&c->deadline, timer_closed);
  uv_close((uv_handle_t *)&c->again, timer_closed);
}

static void attempt(Connecting *c);

static void on_again(uv_timer_t *timer) {
  attempt(timer->data);
  runtime_drain();
}

static void on_deadline(uv_timer_t *timer) {
  finish(timer->data, ETIMEDOUT);
  runtime_drain();
}

static void connected(Watch *watch, uint32_t events) {
  (void)events;
  int err = 0;
  socklen_t size = sizeof err;
  getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &err, &size);
  finish((Connecting *)watch, err);
}

static void kicked(Watch *watch, uint32_t events) {
  (void)events;
  finish((Connecting *)watch, 0);
}

static void attempt(Connecting *c) {
  int r = connect(c->watch.fd, (struct sockaddr *)c->address.sa.raw, c->address.size);
  if (!r) {
    c->watch.ready = kicked; // settled in the next turn, never before the caller has its promise
    poller_kick(&c->watch);
  } else if (errno == EINPROGRESS || errno == EINTR) {
    r = poller_want(&c->watch, EPOLLOUT);
    if (r) finish(c, -r);
  } else if (errno == EAGAIN && c->address.family == AF_UNIX) {
    uv_timer_start(&c->again, on_again, 10, 0);
  } else {
    finish(c, errno);
  }
}

static HOST_FN(connect_to) {
  (void)self;
  CLEANUP_ADDRESS Address a = {0};
  int timeout;
  bool records;
  if (address_parse(ctx, ARG(0), &a) || option_int(ctx, ARG(1), "timeoutMs", 30000, &timeout) || option_bool(ctx, ARG(1), "records", &records)) return JS_EXCEPTION;
  CLEANUP_CLOSE int fd = socket(a.family, (records ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return throw_errno(ctx, errno, "socket", a.label);
  const int on = 1;
  if (a.family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Connecting *c = calloc(1, sizeof *c);
  if (!c) return JS_ThrowOutOfMemory(ctx);
  *c = (Connecting){.watch = {.fd = STEAL_FD(fd), .ready = connected}, .done = DEFERRED_NONE, .address = a, .records = records, .open_timers = 2};
  a = (Address){0}; // moved
  JSValue promise = deferred_new(ctx, &c->done);
  uv_timer_init(host.loop, &c->deadline);
  uv_timer_init(host.loop, &c->again);
  c->deadline.data = c->again.data = c;
  uv_update_time(host.loop);
  uv_timer_start(&c->deadline, on_deadline, (uint64_t)(timeout < 0 ? 0 : timeout), 0);
  poller_hold(1);
  attempt(c);
  return promise;
}

// --- descriptors -----------------------------------------------------------------------------------------------------------------------
static HOST_FN(from_fd) {
  (void)self;
  int fd;
  return arg_int(ctx, ARG(0), -1, &fd) ? JS_EXCEPTION : stream_from_fd(ctx, fd);
}

static HOST_FN(make_pipe) {
  (void)self, (void)argc, (void)argv;
  int fds[2];
  if (pipe2(fds, O_CLOEXEC)) return throw_errno(ctx, errno, "pipe", NULL);
  JSValue o = JS_NewObject(ctx);
  set(ctx, o, "readFd", JS_NewInt32(ctx, fds[0]));
  set(ctx, o, "writeFd", JS_NewInt32(ctx, fds[1]));
  return o;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("listen", 2, listen_on),
    JS_CFUNC_DEF("listenFd", 1, listen_fd),
    JS_CFUNC_DEF("connect", 2, connect_to),
    JS_CFUNC_DEF("fromFd", 1, from_fd),
    JS_CFUNC_DEF("pipe", 0, make_pipe),
    JS_CFUNC_DEF("trustStore", 1, tls_trust_store),
    JS_CFUNC_DEF("startTls", 2, stream_start_tls),
    JS_CFUNC_DEF("netlink", 2, netlink_open),
    JS_CFUNC_DEF("inNetns", 2, netlink_in_netns),
    JS_CFUNC_DEF("datagram", 1, datagram_open),
};

static int init(JSContext *ctx, JSModuleDef *m) { return JS_SetModuleExportList(ctx, m, functions, COUNT(functions)); }

int mod_net(JSContext *ctx) {
  if (stream_class(ctx) || netlink_class(ctx) || datagram_class(ctx) || tls_module(ctx) || class_define(ctx, &listener_id, &listener_def, listener_methods, COUNT(listener_methods)))
    return -1;
  return module_define(ctx, "host:net", functions, COUNT(functions), init, NULL, 0);
}
