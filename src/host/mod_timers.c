// host:timers, whose functions are globals too.
#include <math.h>

#include "host.h"

typedef struct Timer {
  uv_timer_t uv;
  int id, argc;
  bool repeats;
  struct Timer *next; // in its bucket
  JSValue callback, argv[];
} Timer;

enum { BUCKETS = 64 };
static Timer *table[BUCKETS];
static int last_id;

static Timer **find(int id) {
  Timer **slot = &table[id & (BUCKETS - 1)];
  while (*slot && (*slot)->id != id) slot = &(*slot)->next;
  return slot;
}

static void closed(uv_handle_t *handle) { free(handle); }

static void drop(JSContext *ctx, Timer **slot) {
  Timer *t = *slot;
  *slot = t->next;
  JS_FreeValue(ctx, t->callback);
  for (int i = 0; i < t->argc; i++) JS_FreeValue(ctx, t->argv[i]);
  uv_close((uv_handle_t *)&t->uv, closed);
}

static void fire(uv_timer_t *handle) {
  Timer *t = (Timer *)handle;
  JSContext *ctx = host.ctx;
  // the callback may clear its own timer: hold what the call needs
  int argc = t->argc, id = t->id;
  JSValue callback = JS_DupValue(ctx, t->callback);
  JSValue *argv = argc ? calloc((size_t)argc, sizeof *argv) : NULL;
  if (argc && !argv) abort();
  for (int i = 0; i < argc; i++) argv[i] = JS_DupValue(ctx, t->argv[i]);
  if (!t->repeats) drop(ctx, find(id));
  runtime_call(callback, argc, argv);
  for (int i = 0; i < argc; i++) JS_FreeValue(ctx, argv[i]);
  free(argv);
  JS_FreeValue(ctx, callback);
}

static JSValue arm(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int repeats) {
  (void)self;
  double delay = 0;
  if (!JS_IsFunction(ctx, ARG(0))) return JS_ThrowTypeError(ctx, "expected a function");
  if (!JS_IsUndefined(ARG(1)) && JS_ToFloat64(ctx, &delay, argv[1])) return JS_EXCEPTION;
  if (!(delay >= 0)) delay = 0; // NaN too
  if (delay > 9e15) delay = 9e15;
  int extra = argc > 2 ? argc - 2 : 0;
  Timer *t = calloc(1, sizeof *t + (size_t)extra * sizeof *t->argv);
  if (!t) return JS_ThrowOutOfMemory(ctx);
  do last_id = last_id == INT32_MAX ? 1 : last_id + 1;
  while (*find(last_id));
  t->id = last_id;
  t->repeats = repeats;
  t->argc = extra;
  t->callback = JS_DupValue(ctx, argv[0]);
  for (int i = 0; i < extra; i++) t->argv[i] = JS_DupValue(ctx, argv[i + 2]);
  t->next = table[t->id & (BUCKETS - 1)];
  table[t->id & (BUCKETS - 1)] = t;
  uint64_t ms = (uint64_t)ceil(delay), wait = ms;
  uv_timer_init(host.loop, &t->uv);
  uv_update_time(host.loop); // a long callback has made the loop's clock old
  // The loop's clock is cut to whole milliseconds, and coarse on some kernels: count from the time it is, so that no timer is early.
  if (ms) wait = (uint64_t)ceil((double)uv_hrtime() / 1e6 + delay) - uv_now(host.loop);
  uv_timer_start(&t->uv, fire, wait, repeats ? (ms ? ms : 1) : 0);
  return JS_NewInt32(ctx, t->id);
}

static HOST_FN(clear) {
  (void)self;
  int32_t id = 0;
  if (JS_IsNumber(ARG(0)) && JS_ToInt32(ctx, &id, argv[0])) return JS_EXCEPTION;
  Timer **slot = find(id);
  if (id && *slot) drop(ctx, slot);
  return JS_UNDEFINED;
}

static HOST_FN(unref) {
  (void)self;
  int id;
  if (arg_int(ctx, ARG(0), 0, &id)) return JS_EXCEPTION;
  Timer *t = *find(id);
  if (t) uv_unref((uv_handle_t *)&t->uv);
  return JS_UNDEFINED;
}

static HOST_FN(monotonic_ms) {
  (void)self, (void)argc, (void)argv;
  return JS_NewFloat64(ctx, (double)uv_hrtime() / 1e6);
}

static JSValue run_microtask(JSContext *ctx, int argc, JSValueConst *argv) {
  (void)argc;
  return JS_Call(ctx, argv[0], JS_UNDEFINED, 0, NULL);
}

static HOST_FN(queue_microtask) {
  (void)self;
  if (!JS_IsFunction(ctx, ARG(0))) return JS_ThrowTypeError(ctx, "expected a function");
  return JS_EnqueueJob(ctx, run_microtask, 1, argv) ? JS_EXCEPTION : JS_UNDEFINED;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_MAGIC_DEF("setTimeout", 2, arm, false),
    JS_CFUNC_MAGIC_DEF("setInterval", 2, arm, true),
    JS_CFUNC_DEF("clearTimeout", 1, clear),
    JS_CFUNC_DEF("clearInterval", 1, clear),
    JS_CFUNC_DEF("unref", 1, unref),
    JS_CFUNC_DEF("monotonicMs", 0, monotonic_ms),
};
static const JSCFunctionListEntry microtask[] = {JS_CFUNC_DEF("queueMicrotask", 1, queue_microtask)};

int timers_globals(JSContext *ctx) {
  JSValue global = JS_GetGlobalObject(ctx);
  JS_SetPropertyFunctionList(ctx, global, functions, 4);
  JS_SetPropertyFunctionList(ctx, global, microtask, 1);
  JS_FreeValue(ctx, global);
  return 0;
}

static int init(JSContext *ctx, JSModuleDef *m) { return JS_SetModuleExportList(ctx, m, functions, COUNT(functions)); }

int mod_timers(JSContext *ctx) { return module_define(ctx, "host:timers", functions, COUNT(functions), init, NULL, 0); }
