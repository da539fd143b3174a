// Netlink requests, also in other network namespaces.
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "host.h"

typedef struct Netlink {
  Watch watch;
  Deferred receive;
  JSValue self; // while receive() is pending
} Netlink;

static JSClassID netlink_id;

static void close_socket(Netlink *n) {
  if (n->watch.fd < 0) return;
  poller_forget(&n->watch);
  close(n->watch.fd);
  n->watch.fd = -1;
}

static void finalize(JSRuntime *rt, JSValue v) {
  (void)rt;
  Netlink *n = JS_GetOpaque(v, netlink_id);
  if (!n) return;
  close_socket(n);
  free(n);
}
static const JSClassDef netlink_def = {"Netlink", .finalizer = finalize};

// --- namespaces -----------------------------------------------------------------------------------------------------------------------
// The calling thread goes over and comes back; a socket stays where it was made.
static int go(const char *path, int *back) { // 0 or -errno
  *back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (*back < 0) return -errno;
  CLEANUP_CLOSE int there = open(path, O_RDONLY | O_CLOEXEC);
  if (there < 0 || setns(there, CLONE_NEWNET)) {
    int err = errno;
    close(*back);
    return -err;
  }
  return 0;
}

static void come_back(int back) {
  if (setns(back, CLONE_NEWNET)) { // nothing that we do from here on would be where it should
    perror("setns back to the own network namespace");
    abort();
  }
  close(back);
}

HOST_FN(netlink_in_netns) {
  (void)self;
  int back;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path) return JS_EXCEPTION;
  if (!JS_IsFunction(ctx, ARG(1))) return JS_ThrowTypeError(ctx, "expected a function");
  int r = go(path, &back);
  if (r) return throw_errno(ctx, -r, "setns", path);
  JSValue result = JS_Call(ctx, argv[1], JS_UNDEFINED, 0, NULL);
  come_back(back);
  return result;
}

HOST_FN(netlink_open) {
  (void)self;
  int protocol, groups, back = -1;
  CLEANUP_FREE char *netns = NULL;
  if (arg_int(ctx, ARG(0), 0, &protocol) || option_path(ctx, ARG(1), "netns", &netns) || option_int(ctx, ARG(1), "groups", 0, &groups)) return JS_EXCEPTION;
  int r = netns ? go(netns, &back) : 0;
  if (r) return throw_errno(ctx, -r, "setns", netns);
  CLEANUP_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  int err = errno;
  if (netns) come_back(back);
  if (fd < 0) return throw_errno(ctx, err, "socket", netns);
  const int on = 1, room = 1 << 20;
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room)) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = (unsigned)groups};
  if (bind(fd, (struct sockaddr *)&a, sizeof a)) return throw_errno(ctx, errno, "bind", netns);
  Netlink *n = calloc(1, sizeof *n);
  if (!n) return JS_ThrowOutOfMemory(ctx);
  JSValue object = JS_NewObjectClass(ctx, (int)netlink_id);
  if (JS_IsException(object)) {
    free(n);
    return object;
  }
  *n = (Netlink){.watch = {.fd = -1}, .receive = DEFERRED_NONE, .self = JS_UNDEFINED};
  JS_SetOpaque(object, n);
  n->watch.fd = STEAL_FD(fd);
  return object;
}

// --- requests --------------------------------------------------------------------------------------------------------------------------
static JSValue refused(JSContext *ctx, const struct nlmsghdr *h) {
  const struct nlmsgerr *e = NLMSG_DATA(h);
  const char *reason = "";
  char sequence[16], text[400];
  if (h->nlmsg_flags & NLM_F_ACK_TLVS) {
    size_t at = sizeof *e + ((h->nlmsg_flags & NLM_F_CAPPED) ? 0 : NLMSG_ALIGN(e->msg.nlmsg_len) - sizeof e->msg);
    while (at + sizeof(struct nlattr) <= NLMSG_PAYLOAD(h, 0)) {
      const struct nlattr *attribute = (const struct nlattr *)((const char *)e + at);
      if (attribute->nla_len < sizeof *attribute || at + attribute->nla_len > NLMSG_PAYLOAD(h, 0)) break;
      if ((attribute->nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG) reason = (const char *)(attribute + 1);
      at += NLA_ALIGN(attribute->nla_len);
    }
  }
  snprintf(sequence, sizeof sequence, "%u", (unsigned)h->nlmsg_seq);
  snprintf(text, sizeof text, "netlink message %s: %s%s%.200s (%s)", sequence, strerror(-e->error), *reason ? ": " : "", reason, uv_err_name(e->error));
  return host_error_code(ctx, uv_err_name(e->error), -e->error, "netlink", sequence, text);
}

typedef struct Exchange {
  int expected; // final answers still to come
  bool interrupted;
  JSValue list, error; // error: undefined until a message was refused
  uint32_t count;
} Exchange;

static void take(JSContext *ctx, Exchange *x, const uint8_t *p, size_t size) {
  for (const struct nlmsghdr *h = (const struct nlmsghdr *)p; NLMSG_OK(h, size); h = NLMSG_NEXT(h, size)) {
    if (h->nlmsg_flags & NLM_F_DUMP_INTR) x->interrupted = true;
    if (h->nlmsg_type == NLMSG_ERROR) {
      x->expected--;
      const struct nlmsgerr *e = NLMSG_DATA(h);
      if (e->error && JS_IsUndefined(x->error)) x->error = refused(ctx, h);
    } else if (h->nlmsg_type == NLMSG_DONE) {
      x->expected--;
      int err = h->nlmsg_len >= NLMSG_LENGTH(sizeof(int)) ? *(const int *)NLMSG_DATA(h) : 0;
      if (err < 0 && JS_IsUndefined(x->error)) x->error = host_error(ctx, -err, "netlink", NULL, NULL);
    } else if (h->nlmsg_type != NLMSG_NOOP) {
      JS_DefinePropertyValueUint32(ctx, x->list, x->count++, new_bytes(ctx, h, h->nlmsg_len), JS_PROP_C_W_E);
    }
  }
}

static int count_expected(const uint8_t *p, size_t size) { // -1: malformed
  int n = 0;
  while (size) {
    struct nlmsghdr h;
    if (size < sizeof h) return -1;
    memcpy(&h, p, sizeof h);
    if (h.nlmsg_len < sizeof h || h.nlmsg_len > size) return -1;
    // NLM_F_DUMP shares its bits with the flags of NEW requests; those are asked to acknowledge
    if ((h.nlmsg_flags & NLM_F_ACK) || (h.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) n++;
    size_t step = NLMSG_ALIGN(h.nlmsg_len);
    if (step > size) step = size;
    p += step, size -= step;
  }
  return n;
}

// 0, or -errno.
static int exchange(JSContext *ctx, int fd, const uint8_t *p, size_t size, Exchange *x) {
  CLEANUP_FREE uint8_t *buffer = malloc(65536);
  uint8_t *room = buffer;
  if (!room) return -ENOMEM;
  while (recv(fd, room, 65536, MSG_DONTWAIT) >= 0) {} // what an earlier, failed exchange left
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (sendto(fd, p, size, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return -errno;
  while (x->expected > 0) {
    bool done = !JS_IsUndefined(x->error); // the rest of a refused batch may never be answered
    struct timeval patience = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    struct sockaddr_nl from;
    socklen_t from_size = sizeof from;
    ssize_t n = recvfrom(fd, room, 65536, MSG_TRUNC | (done ? MSG_DONTWAIT : 0), (struct sockaddr *)&from, &from_size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return done ? 0 : errno == EAGAIN ? -ETIMEDOUT : -errno;
    if (from.nl_pid) continue; // not from the kernel
    if (n > 65536) return -EMSGSIZE;
    take(ctx, x, room, (size_t)n);
  }
  return 0;
}

static Netlink *open_socket(JSContext *ctx, JSValueConst self) {
  Netlink *n = JS_GetOpaque2(ctx, self, netlink_id);
  if (n && n->watch.fd < 0) return throw_errno(ctx, ECANCELED, "netlink", NULL), NULL;
  return n;
}

static HOST_FN(request) {
  uint8_t *p;
  size_t size;
  Netlink *n = open_socket(ctx, self);
  if (!n || arg_bytes(ctx, ARG(0), &p, &size)) return JS_EXCEPTION;
  int expected = count_expected(p, size);
  if (expected <= 0) return throw_errno(ctx, EINVAL, "netlink", NULL);
  for (int tries = 0;; tries++) {
    Exchange x = {.expected = expected, .list = JS_NewArray(ctx), .error = JS_UNDEFINED};
    int r = exchange(ctx, n->watch.fd, p, size, &x);
    if (!r && JS_IsUndefined(x.error) && !(x.interrupted && tries < 5)) return x.list;
    JS_FreeValue(ctx, x.list);
    if (r) return JS_FreeValue(ctx, x.error), throw_errno(ctx, -r, "netlink", NULL);
    if (!JS_IsUndefined(x.error)) return JS_Throw(ctx, x.error);
  }
}

// --- events ----------------------------------------------------------------------------------------------------------------------------
static void settle(JSContext *ctx, Netlink *n, bool ok, JSValue value) {
  JSValue self = n->self;
  n->self = JS_UNDEFINED;
  poller_idle(&n->watch);
  poller_hold(-1);
  if (ok) deferred_resolve(ctx, &n->receive, value);
  else deferred_reject(ctx, &n->receive, value);
  JS_FreeValue(ctx, self);
}

static void ready(Watch *watch, uint32_t events) {
  (void)events;
  Netlink *n = (Netlink *)watch;
  JSContext *ctx = host.ctx;
  static uint8_t room[32768];
  if (!deferred_pending(&n->receive)) {
    poller_idle(watch);
    return;
  }
  ssize_t size = recv(watch->fd, room, sizeof room, MSG_DONTWAIT);
  if (size >= 0) settle(ctx, n, true, new_bytes(ctx, room, (size_t)size));
  else if (errno != EAGAIN && errno != EINTR) settle(ctx, n, false, host_error(ctx, errno, "netlink", NULL, NULL));
}

static HOST_FN(receive) {
  (void)argc, (void)argv;
  Netlink *n = open_socket(ctx, self);
  if (!n) return JS_EXCEPTION;
  if (deferred_pending(&n->receive)) return throw_errno(ctx, EBUSY, "netlink", NULL);
  n->watch.ready = ready;
  int r = poller_want(&n->watch, EPOLLIN);
  if (r) return throw_errno(ctx, -r, "epoll", NULL);
  poller_hold(1);
  n->self = JS_DupValue(ctx, self);
  return deferred_new(ctx, &n->receive);
}

static HOST_FN(close_method) {
  (void)argc, (void)argv;
  Netlink *n = JS_GetOpaque2(ctx, self, netlink_id);
  if (!n) return JS_EXCEPTION;
  close_socket(n);
  if (deferred_pending(&n->receive)) settle(ctx, n, false, host_error(ctx, ECANCELED, "netlink", NULL, NULL));
  return JS_UNDEFINED;
}

static const JSCFunctionListEntry methods[] = {
    JS_CFUNC_DEF("request", 1, request),
    JS_CFUNC_DEF("receive", 0, receive),
    JS_CFUNC_DEF("close", 0, close_method),
};

int netlink_class(JSContext *ctx) { return class_define(ctx, &netlink_id, &netlink_def, methods, COUNT(methods)); }
