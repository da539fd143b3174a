// host:dns — c-ares on the loop. Never getaddrinfo: in a static binary it loads the C library's plug-ins of whatever system it finds.
#include <ares.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "host.h"

typedef struct Socket Socket;
typedef struct Query {
  ares_channel_t *channel;
  Deferred done;
  char *name;
  uv_timer_t timer;
  Socket *sockets;
  bool ended;
} Query;

struct Socket {
  Watch watch;
  Query *query;
  Socket *next;
  bool closed; // freed at the end of the call that closed it
};

static void schedule(Query *q);

static void sweep(Query *q, bool all) {
  for (Socket **slot = &q->sockets; *slot;) {
    Socket *s = *slot;
    if (!s->closed && !all) {
      slot = &s->next;
      continue;
    }
    poller_forget(&s->watch);
    *slot = s->next;
    free(s);
  }
}

static void timer_closed(uv_handle_t *handle) {
  Query *q = handle->data;
  free(q->name);
  free(q);
}

static void conclude(Query *q) { // after every call into c-ares
  sweep(q, false);
  if (!q->ended) {
    schedule(q);
  } else if (q->channel) {
    ares_destroy(STEAL_PTR(q->channel));
    sweep(q, true);
    poller_hold(-1);
    uv_close((uv_handle_t *)&q->timer, timer_closed);
  }
}

static void ready(Watch *watch, uint32_t events) {
  Socket *s = (Socket *)watch;
  Query *q = s->query;
  ares_socket_t fd = watch->fd;
  bool broken = events & (EPOLLERR | EPOLLHUP);
  ares_process_fd(q->channel, events & EPOLLIN || broken ? fd : ARES_SOCKET_BAD, events & EPOLLOUT || broken ? fd : ARES_SOCKET_BAD);
  conclude(q);
  runtime_drain();
}

static void socket_state(void *data, ares_socket_t fd, int readable, int writable) {
  Query *q = data;
  Socket *s = q->sockets;
  while (s && (s->closed || s->watch.fd != fd)) s = s->next;
  uint32_t want = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
  if (!want) {
    if (s) poller_forget(&s->watch), s->closed = true;
    return;
  }
  if (!s) {
    s = calloc(1, sizeof *s);
    if (!s) return; // the query times out
    *s = (Socket){.watch = {.fd = fd, .ready = ready}, .query = q, .next = q->sockets};
    q->sockets = s;
  }
  poller_want(&s->watch, want);
}

static void on_timer(uv_timer_t *timer) {
  Query *q = timer->data;
  ares_process_fd(q->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  conclude(q);
  runtime_drain();
}

static void schedule(Query *q) {
  struct timeval most = {.tv_sec = 1}, rest, *t = ares_timeout(q->channel, &most, &rest);
  uv_update_time(host.loop);
  uv_timer_start(&q->timer, on_timer, (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000 + 1, 0);
}

static JSValue failure(JSContext *ctx, const Query *q, int status) {
  const char *code = "DNS_FAILED";
  if (status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_ENONAME || status == ARES_EBADNAME) code = "DNS_NOT_FOUND";
  if (status == ARES_ETIMEOUT) code = "ETIMEDOUT";
  CLEANUP_FREE char *text = NULL;
  if (asprintf(&text, "resolve '%s': %s (%s)", q->name, ares_strerror(status), code) < 0) return JS_ThrowOutOfMemory(ctx);
  return host_error_code(ctx, code, status == ARES_ETIMEOUT ? ETIMEDOUT : 0, "resolve", q->name, text);
}

static void answered(void *data, int status, int timeouts, struct ares_addrinfo *result) {
  (void)timeouts;
  Query *q = data;
  JSContext *ctx = host.ctx;
  q->ended = true;
  JSValue list = JS_NewArray(ctx);
  uint32_t count = 0;
  for (struct ares_addrinfo_node *n = status == ARES_SUCCESS ? result->nodes : NULL; n; n = n->ai_next) {
    if (n->ai_family != AF_INET && n->ai_family != AF_INET6) continue;
    JSValue o = JS_NewObject(ctx);
    set(ctx, o, "address", address_text(ctx, n->ai_addr));
    set(ctx, o, "family", JS_NewInt32(ctx, n->ai_family == AF_INET ? 4 : 6));
    JS_DefinePropertyValueUint32(ctx, list, count++, o, JS_PROP_C_W_E);
  }
  if (result) ares_freeaddrinfo(result);
  if (count) {
    deferred_resolve(ctx, &q->done, list);
    return;
  }
  JS_FreeValue(ctx, list);
  deferred_reject(ctx, &q->done, failure(ctx, q, status == ARES_SUCCESS ? ARES_ENODATA : status));
}

static int configure(JSContext *ctx, JSValueConst options, struct ares_options *o, int *mask, char **servers) {
  int timeout, attempts;
  JSValue list;
  if (option_int(ctx, options, "timeoutMs", 0, &timeout) || option_int(ctx, options, "attempts", 0, &attempts)) return -1;
  if (timeout > 0) o->timeout = timeout, *mask |= ARES_OPT_TIMEOUTMS;
  if (attempts > 0) o->tries = attempts, *mask |= ARES_OPT_TRIES;
  int there = option(ctx, options, "servers", &list);
  if (there > 0) {
    CLEANUP_STRINGS char **all = arg_strings(ctx, list);
    CLEANUP_BUFFER Buffer b = {0};
    for (char **s = all; s && *s; s++)
      if ((b.size && buffer_add(&b, ",", 1)) || buffer_add(&b, *s, strlen(*s))) there = -1;
    if (!all || there < 0 || buffer_add(&b, "", 1)) there = -1;
    else *servers = (char *)STEAL_PTR(b.p);
  }
  JS_FreeValue(ctx, list);
  return there < 0 ? -1 : 0;
}

static HOST_FN(resolve) {
  (void)self;
  struct ares_options o = {.qcache_max_ttl = 0};
  int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_QUERY_CACHE, family;
  CLEANUP_FREE char *name = arg_path(ctx, ARG(0)), *servers = NULL;
  if (!name || option_int(ctx, ARG(1), "family", 0, &family) || configure(ctx, ARG(1), &o, &mask, &servers)) return JS_EXCEPTION;
  if (family && family != 4 && family != 6) return JS_ThrowTypeError(ctx, "family is 4 or 6");
  Query *q = calloc(1, sizeof *q);
  if (!q) return JS_ThrowOutOfMemory(ctx);
  o.sock_state_cb = socket_state;
  o.sock_state_cb_data = q;
  int r = ares_init_options(&q->channel, &o, mask);
  if (r == ARES_SUCCESS && servers) r = ares_set_servers_ports_csv(q->channel, servers);
  if (r != ARES_SUCCESS) {
    if (q->channel) ares_destroy(q->channel);
    free(q);
    return throw_errno(ctx, r == ARES_ENOMEM ? ENOMEM : EINVAL, "resolve", name);
  }
  q->name = STEAL_PTR(name);
  uv_timer_init(host.loop, &q->timer);
  q->timer.data = q;
  JSValue promise = deferred_new(ctx, &q->done);
  poller_hold(1);
  struct ares_addrinfo_hints hints = {.ai_family = family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  ares_getaddrinfo(q->channel, q->name, NULL, &hints, answered, q);
  conclude(q);
  return promise;
}

static const JSCFunctionListEntry functions[] = {JS_CFUNC_DEF("resolve", 2, resolve)};

static int init(JSContext *ctx, JSModuleDef *m) { return JS_SetModuleExportList(ctx, m, functions, COUNT(functions)); }

int mod_dns(JSContext *ctx) {
  if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) return -1;
  return module_define(ctx, "host:dns", functions, COUNT(functions), init, NULL, 0);
}
