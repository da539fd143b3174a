// UDP sockets: { address, port } in, datagrams with their sender out.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "host.h"

typedef struct Datagram {
  Watch watch;
  Deferred receive;
  JSValue self; // while receive() is pending
  int port;
} Datagram;

static JSClassID datagram_id;
static uint8_t room[65536];

static void close_socket(Datagram *d) {
  if (d->watch.fd < 0) return;
  poller_forget(&d->watch);
  close(d->watch.fd);
  d->watch.fd = -1;
}

static void finalize(JSRuntime *rt, JSValue v) {
  (void)rt;
  Datagram *d = JS_GetOpaque(v, datagram_id);
  if (!d) return;
  close_socket(d);
  free(d);
}
static const JSClassDef datagram_def = {"Datagram", .finalizer = finalize};

static void settle(JSContext *ctx, Datagram *d, bool ok, JSValue value) {
  JSValue self = d->self;
  d->self = JS_UNDEFINED;
  poller_idle(&d->watch);
  poller_hold(-1);
  if (ok) deferred_resolve(ctx, &d->receive, value);
  else deferred_reject(ctx, &d->receive, value);
  JS_FreeValue(ctx, self);
}

static int port_of(const struct sockaddr_storage *a) {
  return ntohs(a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)a)->sin6_port : ((const struct sockaddr_in *)a)->sin_port);
}

static void ready(Watch *watch, uint32_t events) {
  (void)events;
  Datagram *d = (Datagram *)watch;
  JSContext *ctx = host.ctx;
  if (!deferred_pending(&d->receive)) {
    poller_idle(watch);
    return;
  }
  struct sockaddr_storage from;
  socklen_t from_size = sizeof from;
  ssize_t size = recvfrom(watch->fd, room, sizeof room, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
  if (size < 0) return; // an ICMP error for something sent earlier, or nothing there: goes on waiting
  JSValue o = JS_NewObject(ctx);
  set(ctx, o, "data", new_bytes(ctx, room, (size_t)size));
  set(ctx, o, "address", address_text(ctx, &from));
  set(ctx, o, "port", JS_NewInt32(ctx, port_of(&from)));
  settle(ctx, d, true, o);
}

static Datagram *open_socket(JSContext *ctx, JSValueConst self) {
  Datagram *d = JS_GetOpaque2(ctx, self, datagram_id);
  if (d && d->watch.fd < 0) return throw_errno(ctx, ECANCELED, "datagram", NULL), NULL;
  return d;
}

static HOST_FN(receive) {
  (void)argc, (void)argv;
  Datagram *d = open_socket(ctx, self);
  if (!d) return JS_EXCEPTION;
  if (deferred_pending(&d->receive)) return throw_errno(ctx, EBUSY, "datagram", NULL);
  int r = poller_want(&d->watch, EPOLLIN);
  if (r) return throw_errno(ctx, -r, "epoll", NULL);
  poller_hold(1);
  d->self = JS_DupValue(ctx, self);
  return deferred_new(ctx, &d->receive);
}

static HOST_FN(send_to) {
  Datagram *d = open_socket(ctx, self);
  uint8_t *p;
  size_t size;
  CLEANUP_ADDRESS Address a = {0};
  if (!d || arg_bytes(ctx, ARG(0), &p, &size) || address_parse(ctx, ARG(1), &a)) return JS_EXCEPTION;
  ssize_t n = sendto(d->watch.fd, p, size, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)a.sa.raw, a.size);
  // The first call may report what became of an earlier datagram.
  if (n < 0 && errno == ECONNREFUSED) n = sendto(d->watch.fd, p, size, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)a.sa.raw, a.size);
  if (n < 0) return throw_errno(ctx, errno, "send", a.label);
  return JS_UNDEFINED;
}

static HOST_FN(close_method) {
  (void)argc, (void)argv;
  Datagram *d = JS_GetOpaque2(ctx, self, datagram_id);
  if (!d) return JS_EXCEPTION;
  close_socket(d);
  if (deferred_pending(&d->receive)) settle(ctx, d, false, host_error(ctx, ECANCELED, "datagram", NULL, NULL));
  return JS_UNDEFINED;
}

static JSValue get_port(JSContext *ctx, JSValueConst self) {
  Datagram *d = JS_GetOpaque2(ctx, self, datagram_id);
  return d ? JS_NewInt32(ctx, d->port) : JS_EXCEPTION;
}

HOST_FN(datagram_open) {
  (void)self;
  CLEANUP_ADDRESS Address a = {0};
  if (address_parse(ctx, ARG(0), &a)) return JS_EXCEPTION;
  if (a.family == AF_UNIX) return throw_errno(ctx, EAFNOSUPPORT, "datagram", a.label);
  CLEANUP_CLOSE int fd = socket(a.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return throw_errno(ctx, errno, "socket", a.label);
  if (bind(fd, (struct sockaddr *)a.sa.raw, a.size)) return throw_errno(ctx, errno, "bind", a.label);
  struct sockaddr_storage name;
  socklen_t size = sizeof name;
  if (getsockname(fd, (struct sockaddr *)&name, &size)) return throw_errno(ctx, errno, "getsockname", a.label);
  Datagram *d = calloc(1, sizeof *d);
  if (!d) return JS_ThrowOutOfMemory(ctx);
  JSValue object = JS_NewObjectClass(ctx, (int)datagram_id);
  if (JS_IsException(object)) {
    free(d);
    return object;
  }
  *d = (Datagram){.watch = {.fd = STEAL_FD(fd), .ready = ready}, .receive = DEFERRED_NONE, .self = JS_UNDEFINED, .port = port_of(&name)};
  JS_SetOpaque(object, d);
  return object;
}

static const JSCFunctionListEntry methods[] = {
    JS_CGETSET_DEF("port", get_port, NULL),
    JS_CFUNC_DEF("receive", 0, receive),
    JS_CFUNC_DEF("send", 2, send_to),
    JS_CFUNC_DEF("close", 0, close_method),
};

int datagram_class(JSContext *ctx) { return class_define(ctx, &datagram_id, &datagram_def, methods, COUNT(methods)); }
