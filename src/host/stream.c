// Streams: one descriptor each, nothing read before somebody asks, nothing held back when writing. TLS sits inside (tls.c).
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "stream.h"

typedef struct Write { // one write(), shutdown or both
  struct Write *next;
  Deferred done;
  bool shutdown;
  int count, at; // parts, and how far we are
  size_t offset;
  struct Part {
    const uint8_t *p;
    size_t size;
    char *copy;   // of a text
    JSValue held; // or the array that p points into
  } parts[];
} Write;

struct Stream {
  Watch watch; // first: ready() gets it
  bool socket, records, borrowed, shut, blocking;
  Deferred read, handshake, hangup;
  JSValue hung; // the promise of hangup
  size_t room;
  Write *first, *last;
  Tls *tls;
  uv_timer_t *deadline; // of the handshake
  uint64_t turn;        // in which `burst` bytes were written at once
  size_t burst;
  int pending;          // operations that hold self
  JSValue self;
};

enum { BURST = 512 * 1024 }; // what a writer may send in one turn of the loop before others get theirs

static JSClassID stream_id;
static uint8_t scratch[65536];

// --- operations keep the object and the process alive -------------------------------------------------------------------------------
static void begin(JSContext *ctx, Stream *s, JSValueConst object) {
  if (!s->pending++) s->self = JS_DupValue(ctx, object);
  poller_hold(1);
}

static void end(JSContext *ctx, Stream *s) { // s may be gone afterwards
  poller_hold(-1);
  if (--s->pending) return;
  JSValue self = s->self;
  s->self = JS_UNDEFINED;
  JS_FreeValue(ctx, self);
}

static void write_free(JSContext *ctx, Write *w) {
  for (int i = 0; i < w->count; i++) {
    free(w->parts[i].copy);
    JS_FreeValue(ctx, w->parts[i].held);
  }
  free(w);
}

static void drop_deadline(Stream *s) {
  if (!s->deadline) return;
  s->deadline->data = NULL;
  uv_close((uv_handle_t *)s->deadline, (uv_close_cb)free);
  s->deadline = NULL;
}

static void close_fd(Stream *s) {
  if (s->watch.fd < 0) return;
  poller_forget(&s->watch);
  if (s->tls) tls_free(s->tls);
  s->tls = NULL;
  if (!s->borrowed) close(s->watch.fd);
  s->watch.fd = -1;
}

static void hang_up(JSContext *ctx, Stream *s) { // s may be gone afterwards
  if (!deferred_pending(&s->hangup)) return;
  deferred_resolve(ctx, &s->hangup, JS_UNDEFINED);
  JS_FreeValue(ctx, s->hung);
  s->hung = JS_UNDEFINED;
  end(ctx, s);
}

// Rejects all that is pending. Its last end() may free s.
static void fail_all(JSContext *ctx, Stream *s, JSValue (*make)(JSContext *, Stream *, int), int err) {
  JSValue keep = JS_DupValue(ctx, s->self);
  drop_deadline(s);
  if (deferred_pending(&s->read)) {
    deferred_reject(ctx, &s->read, make(ctx, s, err));
    end(ctx, s);
  }
  if (deferred_pending(&s->handshake)) {
    deferred_reject(ctx, &s->handshake, make(ctx, s, err));
    end(ctx, s);
  }
  while (s->first) {
    Write *w = s->first;
    s->first = w->next;
    if (!s->first) s->last = NULL;
    deferred_reject(ctx, &w->done, make(ctx, s, err));
    write_free(ctx, w);
    end(ctx, s);
  }
  hang_up(ctx, s);
  JS_FreeValue(ctx, keep);
}

static JSValue plain_error(JSContext *ctx, Stream *s, int err) {
  (void)s;
  return host_error(ctx, err, "stream", NULL, NULL);
}

static JSValue read_error(JSContext *ctx, Stream *s, ssize_t r) {
  if (r == TLS_TRUNCATED)
    return host_error_code(ctx, "TRUNCATED", 0, "read", NULL, "read: the connection broke off without the end of TLS (TRUNCATED)");
  if (r != TLS_FAILED) return host_error(ctx, (int)-r, "read", NULL, NULL);
  char text[256];
  snprintf(text, sizeof text, "read: TLS: %s (TLS_PROTOCOL)", tls_message(s->tls));
  return host_error_code(ctx, "TLS_PROTOCOL", 0, "read", NULL, text);
}

static void finalize(JSRuntime *rt, JSValue v) {
  (void)rt;
  Stream *s = JS_GetOpaque(v, stream_id);
  if (!s) return;
  close_fd(s);
  free(s);
}
static const JSClassDef stream_def = {"Stream", .finalizer = finalize};

// --- reading ------------------------------------------------------------------------------------------------------------------------
// Gives the events to wait for, or 0 when the read is settled.
static uint32_t try_read(JSContext *ctx, Stream *s) {
  uint32_t want = EPOLLIN;
  size_t room = s->room < sizeof scratch ? s->room : sizeof scratch;
  ssize_t n;
  if (s->tls) {
    n = tls_read(s->tls, scratch, room, &want);
  } else {
    do n = s->socket ? recv(s->watch.fd, scratch, room, MSG_DONTWAIT) : read(s->watch.fd, scratch, room);
    while (n < 0 && errno == EINTR);
    if (n < 0) n = errno == EWOULDBLOCK ? -EAGAIN : errno == EIO && !s->socket && isatty(s->watch.fd) ? 0 : -errno; // EIO: the other end of a terminal is closed
  }
  if (n == -EAGAIN) return want;
  if (n < 0) deferred_reject(ctx, &s->read, read_error(ctx, s, n));
  else deferred_resolve(ctx, &s->read, n ? new_bytes(ctx, scratch, (size_t)n) : JS_NULL);
  return 0;
}

// --- writing ------------------------------------------------------------------------------------------------------------------------
static ssize_t write_parts(Stream *s, Write *w, uint32_t *want) {
  struct Part *part = &w->parts[w->at];
  if (s->tls) return tls_write(s->tls, part->p + w->offset, part->size - w->offset, want);
  struct iovec v[16];
  int n = 0;
  for (int i = w->at; i < w->count && n < 16; i++, n++) {
    size_t skip = i == w->at ? w->offset : 0;
    v[n] = (struct iovec){(void *)(w->parts[i].p + skip), w->parts[i].size - skip};
  }
  if (s->blocking) { // a pipe or terminal that we share: a page at a time, which does not block once poll has said ready
    n = 1;
    if (v[0].iov_len > 4096) v[0].iov_len = 4096;
  }
  struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
  ssize_t r = s->socket ? sendmsg(s->watch.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) : writev(s->watch.fd, v, n);
  return r < 0 ? (errno == EWOULDBLOCK ? -EAGAIN : -errno) : r;
}

// The whole request: 0 done, 1 with *want when it has to wait, or a negative error.
static int try_write(Stream *s, Write *w, uint32_t *want) {
  *want = EPOLLOUT;
  while (w->at < w->count) {
    if (w->offset == w->parts[w->at].size && !(s->records && !w->at && !w->offset)) {
      w->at++, w->offset = 0;
      continue;
    }
    if (s->turn != poller_turn()) s->turn = poller_turn(), s->burst = 0;
    if (s->burst >= BURST) return 1;
    ssize_t n = write_parts(s, w, want);
    if (n == -EINTR) continue;
    if (n == -EAGAIN) return 1;
    if (n < 0) return (int)n;
    s->burst += (size_t)n;
    if (s->records) break; // all or nothing
    while (n > 0) {
      size_t left = w->parts[w->at].size - w->offset, step = left < (size_t)n ? left : (size_t)n;
      w->offset += step;
      n -= (ssize_t)step;
      if (step == left) w->at++, w->offset = 0;
    }
    if (s->blocking) return w->at < w->count ? 1 : 0;
  }
  if (!w->shutdown) return 0;
  if (s->tls) {
    int r = tls_shutdown(s->tls, want);
    if (r == -EAGAIN) return 1;
    return 0;
  }
  if (s->socket && shutdown(s->watch.fd, SHUT_WR) && errno != ENOTCONN) return -errno;
  return 0;
}

static JSValue write_error(JSContext *ctx, Stream *s, int err) {
  if (err != TLS_FAILED) return host_error(ctx, -err, "write", NULL, NULL);
  char text[256];
  snprintf(text, sizeof text, "write: TLS: %s (TLS_PROTOCOL)", tls_message(s->tls));
  return host_error_code(ctx, "TLS_PROTOCOL", 0, "write", NULL, text);
}

// What a request that is through leaves behind: a pipe has no half, it closes.
static void after_write(Stream *s, const Write *w) {
  if (w->shutdown && !s->socket && !s->tls) close_fd(s);
}

static uint32_t try_writes(JSContext *ctx, Stream *s) { // events to wait for, 0 when all are through; s->self must be held
  while (s->first) {
    uint32_t want;
    Write *w = s->first;
    int r = try_write(s, w, &want);
    if (r > 0) return want;
    s->first = w->next;
    if (!s->first) s->last = NULL;
    if (r < 0) deferred_reject(ctx, &w->done, write_error(ctx, s, r));
    else deferred_resolve(ctx, &w->done, JS_UNDEFINED);
    if (!r) after_write(s, w);
    write_free(ctx, w);
    end(ctx, s);
    if (s->watch.fd < 0) {
      if (s->first) fail_all(ctx, s, plain_error, EPIPE);
      return 0;
    }
  }
  return 0;
}

// --- events --------------------------------------------------------------------------------------------------------------------------
static JSValue handshake_error(JSContext *ctx, Stream *s, int err) {
  if (err != TLS_FAILED && err != TLS_TRUNCATED) return host_error(ctx, err < 0 ? -err : err, "tls", NULL, NULL);
  const char *code = tls_refused(s->tls) ? "TLS_VERIFY" : "TLS_PROTOCOL";
  char text[512];
  snprintf(text, sizeof text, "tls: %s (%s)", tls_message(s->tls), code);
  return host_error_code(ctx, code, 0, "tls", NULL, text);
}

static uint32_t try_handshake(JSContext *ctx, Stream *s) {
  uint32_t want;
  int r = tls_handshake(s->tls, &want);
  if (r == -EAGAIN) return want;
  drop_deadline(s);
  if (r) {
    fail_all(ctx, s, handshake_error, r);
    close_fd(s);
  } else {
    deferred_resolve(ctx, &s->handshake, tls_info(ctx, s->tls));
    end(ctx, s);
  }
  return 0;
}

static void arm(JSContext *ctx, Stream *s, uint32_t want) {
  if (s->watch.fd < 0) return;
  if (!want && deferred_pending(&s->hangup)) want = EPOLLET; // of a hang-up only, and once
  if (!want) {
    // left armed for reading: the usual next step is another read, and its data brings no second epoll_ctl
    if (s->watch.armed & ~(uint32_t)EPOLLIN) poller_idle(&s->watch);
    return;
  }
  int r = poller_want(&s->watch, want);
  if (r) fail_all(ctx, s, plain_error, -r);
}

static void ready(Watch *watch, uint32_t events) {
  Stream *s = (Stream *)watch;
  JSContext *ctx = host.ctx;
  if (!s->pending) {
    poller_idle(watch);
    return;
  }
  JSValue keep = JS_DupValue(ctx, s->self);
  uint32_t want = 0;
  if (events & (EPOLLHUP | EPOLLERR)) hang_up(ctx, s);
  if (deferred_pending(&s->handshake)) {
    want = try_handshake(ctx, s);
    if (!want && s->first) want = EPOLLOUT; // written meanwhile
  } else {
    if (s->first) want |= try_writes(ctx, s);
    if (s->watch.fd >= 0 && deferred_pending(&s->read)) {
      uint32_t more = try_read(ctx, s);
      if (!more) end(ctx, s);
      want |= more;
    }
  }
  if (s->watch.fd >= 0 && !want && !s->pending && (events & (EPOLLHUP | EPOLLERR))) poller_idle(watch); // these are reported unasked, for ever
  else arm(ctx, s, want);
  JS_FreeValue(ctx, keep);
}

// --- methods ---------------------------------------------------------------------------------------------------------------------------
static Stream *open_stream(JSContext *ctx, JSValueConst v, const char *call) {
  Stream *s = JS_GetOpaque2(ctx, v, stream_id);
  if (s && s->watch.fd < 0) {
    throw_errno(ctx, ECANCELED, call, NULL);
    return NULL;
  }
  return s;
}

static JSValue rejected(JSContext *ctx) { // the pending exception as a promise
  Deferred d;
  JSValue e = JS_GetException(ctx), promise = deferred_new(ctx, &d);
  deferred_reject(ctx, &d, e);
  return promise;
}

static HOST_FN(read_method) {
  int room;
  Stream *s = open_stream(ctx, self, "read");
  if (!s || arg_int(ctx, ARG(0), 65536, &room)) return rejected(ctx);
  if (room < 1) return JS_ThrowRangeError(ctx, "maxBytes out of range");
  if (deferred_pending(&s->read) || deferred_pending(&s->handshake)) return throw_errno(ctx, EBUSY, "read", NULL), rejected(ctx);
  JSValue promise = deferred_new(ctx, &s->read);
  s->room = (size_t)room;
  begin(ctx, s, self);
  // never at once, even if there is data: a fast sender would keep everybody else waiting
  if (s->tls && tls_buffered(s->tls)) poller_kick(&s->watch);
  arm(ctx, s, EPOLLIN | (s->first ? EPOLLOUT : 0));
  return promise;
}

static JSValue enqueue(JSContext *ctx, JSValueConst self, Stream *s, Write *w) { // takes w
  uint32_t want = EPOLLOUT;
  JSValue promise;
  if (s->shut) {
    write_free(ctx, w);
    return throw_errno(ctx, EPIPE, "write", NULL), rejected(ctx);
  }
  s->shut = w->shutdown;
  if (!s->first && !s->blocking && !deferred_pending(&s->handshake)) {
    int r = try_write(s, w, &want);
    if (r <= 0) {
      if (r < 0) {
        Deferred d;
        promise = deferred_new(ctx, &d);
        deferred_reject(ctx, &d, write_error(ctx, s, r));
      } else {
        promise = resolved_promise(ctx, JS_UNDEFINED);
        after_write(s, w);
      }
      write_free(ctx, w);
      return promise;
    }
  }
  promise = deferred_new(ctx, &w->done);
  if (s->last) s->last->next = w;
  else s->first = w;
  s->last = w;
  begin(ctx, s, self);
  if (!deferred_pending(&s->handshake)) arm(ctx, s, want | (deferred_pending(&s->read) ? EPOLLIN : 0));
  return promise;
}

static int part_fill(JSContext *ctx, struct Part *part, JSValueConst v) {
  part->held = JS_UNDEFINED;
  if (JS_IsString(v)) {
    part->copy = arg_text(ctx, v, &part->size);
    part->p = (uint8_t *)part->copy;
    return part->copy ? 0 : -1;
  }
  uint8_t *p;
  if (arg_bytes(ctx, v, &p, &part->size)) return -1;
  part->p = p;
  part->held = JS_DupValue(ctx, v);
  return 0;
}

static HOST_FN(write_method) {
  Stream *s = open_stream(ctx, self, "write");
  if (!s) return rejected(ctx);
  bool list = JS_IsArray(ctx, ARG(0)) == 1;
  int64_t count = 1;
  if (list) {
    JSValue length = JS_GetPropertyStr(ctx, argv[0], "length");
    if (arg_i64(ctx, length, 0, &count)) return JS_EXCEPTION;
  }
  if (s->records && count > 16) return throw_errno(ctx, EMSGSIZE, "write", NULL), rejected(ctx);
  Write *w = calloc(1, sizeof *w + (size_t)count * sizeof *w->parts);
  if (!w) return JS_ThrowOutOfMemory(ctx);
  w->done = DEFERRED_NONE;
  for (int64_t i = 0; i < count; i++) {
    JSValue v = list ? JS_GetPropertyUint32(ctx, argv[0], (uint32_t)i) : JS_DupValue(ctx, ARG(0));
    int r = part_fill(ctx, &w->parts[i], v);
    w->count = (int)i + 1;
    JS_FreeValue(ctx, v);
    if (r) {
      write_free(ctx, w);
      return JS_EXCEPTION; // a bug of the caller, not a failed write
    }
  }
  return enqueue(ctx, self, s, w);
}

static HOST_FN(shutdown_method) {
  (void)argc, (void)argv;
  Stream *s = open_stream(ctx, self, "shutdown");
  if (!s) return rejected(ctx);
  if (s->shut) return resolved_promise(ctx, JS_UNDEFINED);
  Write *w = calloc(1, sizeof *w);
  if (!w) return JS_ThrowOutOfMemory(ctx);
  w->done = DEFERRED_NONE;
  w->shutdown = true;
  return enqueue(ctx, self, s, w);
}

static HOST_FN(hangup_method) {
  (void)argc, (void)argv;
  Stream *s = JS_GetOpaque2(ctx, self, stream_id);
  if (!s) return rejected(ctx);
  if (s->watch.fd < 0) return resolved_promise(ctx, JS_UNDEFINED);
  if (!deferred_pending(&s->hangup)) {
    s->hung = deferred_new(ctx, &s->hangup);
    begin(ctx, s, self);
    if (!s->watch.armed && !s->watch.always) arm(ctx, s, EPOLLET);
  }
  return JS_DupValue(ctx, s->hung);
}

static HOST_FN(close_method) {
  (void)argc, (void)argv;
  Stream *s = JS_GetOpaque2(ctx, self, stream_id);
  if (!s) return JS_EXCEPTION;
  if (s->tls && s->watch.fd >= 0 && !deferred_pending(&s->handshake)) {
    uint32_t want;
    tls_shutdown(s->tls, &want); // if it goes out at once, good
  }
  close_fd(s);
  if (s->pending) fail_all(ctx, s, plain_error, ECANCELED);
  return JS_UNDEFINED;
}

int stream_release_fd(JSContext *ctx, JSValueConst v) {
  Stream *s = open_stream(ctx, v, "release");
  if (!s) return -1;
  if (s->tls || s->borrowed) return throw_errno(ctx, EINVAL, "release", NULL), -1;
  poller_forget(&s->watch);
  int fd = STEAL_FD(s->watch.fd);
  if (s->pending) fail_all(ctx, s, plain_error, ECANCELED);
  return fd;
}

static HOST_FN(release_method) {
  (void)argc, (void)argv;
  int fd = stream_release_fd(ctx, self);
  return fd < 0 ? JS_EXCEPTION : JS_NewInt32(ctx, fd);
}

static HOST_FN(peer_method) {
  (void)argc, (void)argv;
  Stream *s = open_stream(ctx, self, "peer");
  if (!s) return JS_EXCEPTION;
  struct sockaddr_storage a;
  socklen_t size = sizeof a;
  if (!s->socket || getpeername(s->watch.fd, (struct sockaddr *)&a, &size)) return JS_NULL;
  JSValue o = JS_NewObject(ctx);
  if (a.ss_family == AF_UNIX) {
    struct ucred u = {0};
    socklen_t n = sizeof u;
    getsockopt(s->watch.fd, SOL_SOCKET, SO_PEERCRED, &u, &n);
    set(ctx, o, "kind", JS_NewString(ctx, "unix"));
    set(ctx, o, "pid", JS_NewInt32(ctx, u.pid));
    set(ctx, o, "uid", JS_NewInt64(ctx, u.uid));
    set(ctx, o, "gid", JS_NewInt64(ctx, u.gid));
    return o;
  }
  set(ctx, o, "kind", JS_NewString(ctx, "tcp"));
  set(ctx, o, "address", address_text(ctx, &a));
  set(ctx, o, "port", JS_NewInt32(ctx, ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port : ((struct sockaddr_in *)&a)->sin_port)));
  return o;
}

static JSValue get_fd(JSContext *ctx, JSValueConst self) {
  Stream *s = JS_GetOpaque2(ctx, self, stream_id);
  return s ? JS_NewInt32(ctx, s->watch.fd) : JS_EXCEPTION;
}

static const JSCFunctionListEntry methods[] = {
    JS_CGETSET_DEF("fd", get_fd, NULL),          JS_CFUNC_DEF("read", 1, read_method),   JS_CFUNC_DEF("write", 1, write_method),
    JS_CFUNC_DEF("shutdown", 0, shutdown_method), JS_CFUNC_DEF("close", 0, close_method), JS_CFUNC_DEF("release", 0, release_method),
    JS_CFUNC_DEF("peer", 0, peer_method),        JS_CFUNC_DEF("hangup", 0, hangup_method),
};

int stream_class(JSContext *ctx) { return class_define(ctx, &stream_id, &stream_def, methods, COUNT(methods)); }

// --- making one -------------------------------------------------------------------------------------------------------------------------
JSValue stream_new(JSContext *ctx, int fd, bool records) {
  CLEANUP_CLOSE int owned = fd;
  struct stat st;
  if (fstat(fd, &st)) return throw_errno(ctx, errno, "fstat", NULL);
  Stream *s = calloc(1, sizeof *s);
  if (!s) return JS_ThrowOutOfMemory(ctx);
  *s = (Stream){.watch = {.fd = -1, .ready = ready}, .socket = S_ISSOCK(st.st_mode), .records = records, .read = DEFERRED_NONE, .handshake = DEFERRED_NONE, .hangup = DEFERRED_NONE, .hung = JS_UNDEFINED, .self = JS_UNDEFINED};
  JSValue object = JS_NewObjectClass(ctx, (int)stream_id);
  if (JS_IsException(object)) {
    free(s);
    return object;
  }
  JS_SetOpaque(object, s);
  s->watch.fd = STEAL_FD(owned);
  return object;
}

JSValue stream_from_fd(JSContext *ctx, int fd) {
  struct stat st;
  if (fstat(fd, &st)) return throw_errno(ctx, errno, "fstat", NULL);
  bool flags_matter = !S_ISSOCK(st.st_mode) && !S_ISREG(st.st_mode) && !(fcntl(fd, F_GETFL) & O_NONBLOCK), shared = fd <= 2, blocking = false;
  if (flags_matter && shared) {
    // a description of our own, whose flags nobody shares; if that is not to be had we write in small pieces
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, (fcntl(fd, F_GETFL) & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own >= 0) fd = own, shared = false;
    else blocking = true;
  } else if (flags_matter) {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  }
  JSValue object = stream_new(ctx, fd, false);
  if (JS_IsException(object)) return object;
  Stream *s = JS_GetOpaque(object, stream_id);
  s->borrowed = shared;
  s->blocking = blocking;
  return object;
}

// --- TLS on top ----------------------------------------------------------------------------------------------------------------------------
static void too_late(uv_timer_t *timer) {
  Stream *s = timer->data;
  JSContext *ctx = host.ctx;
  if (!s) return;
  JSValue keep = JS_DupValue(ctx, s->self);
  fail_all(ctx, s, plain_error, ETIMEDOUT);
  close_fd(s);
  JS_FreeValue(ctx, keep);
  runtime_drain();
}

HOST_FN(stream_start_tls) {
  (void)self;
  int timeout;
  Stream *s = open_stream(ctx, ARG(0), "tls");
  if (!s || option_int(ctx, ARG(1), "timeoutMs", 30000, &timeout)) return JS_EXCEPTION;
  if (s->pending || s->tls || !s->socket) return throw_errno(ctx, s->socket ? EBUSY : ENOTSOCK, "tls", NULL);
  Tls *tls = tls_new(ctx, ARG(1), s->watch.fd);
  if (!tls) return JS_EXCEPTION;
  s->tls = tls;
  JSValue promise = deferred_new(ctx, &s->handshake);
  begin(ctx, s, argv[0]);
  s->deadline = malloc(sizeof *s->deadline);
  if (s->deadline) {
    uv_timer_init(host.loop, s->deadline);
    s->deadline->data = s;
    uv_update_time(host.loop);
    uv_timer_start(s->deadline, too_late, (uint64_t)timeout, 0);
  }
  poller_kick(&s->watch);
  return promise;
}
