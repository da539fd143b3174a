// The one JavaScript context: modules, calls from the loop, jobs, and errors that nobody caught.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#include "bundle.h"
#include "host.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

Host host;

static JSValue uncaught_handler;
typedef struct Rejection {
  JSValue promise, reason;
} Rejection;
static Rejection *rejections;
static size_t rejection_count, rejection_room;

void runtime_exit(int code) {
  tty_restore();
  fflush(NULL);
#ifdef __SANITIZE_ADDRESS__
  if (!code) __lsan_do_leak_check();
#endif
  _exit(code);
}

// --- uncaught ------------------------------------------------------------------------------------------------------------------
static void print(JSContext *ctx, JSValueConst error, const char *label) {
  const char *text = JS_ToCString(ctx, error);
  JSValue stack = JS_IsObject(error) ? JS_GetPropertyStr(ctx, error, "stack") : JS_UNDEFINED;
  const char *lines = JS_IsString(stack) ? JS_ToCString(ctx, stack) : NULL;
  size_t shown = 0;
  for (int n = 0; lines && lines[shown] && n < 30; n++) { // an endless recursion has hundreds
    shown += strcspn(lines + shown, "\n");
    if (lines[shown]) shown++;
  }
  fprintf(stderr, "%s%s\n%.*s%s", label, text ? text : "(an error that cannot be printed)", (int)shown, lines ? lines : "", lines && lines[shown] ? "    …\n" : "");
  JS_FreeCString(ctx, lines);
  JS_FreeCString(ctx, text);
  JS_FreeValue(ctx, stack);
  if (JS_HasException(ctx)) JS_FreeValue(ctx, JS_GetException(ctx));
  JSValue cause = JS_IsError(ctx, error) ? JS_GetPropertyStr(ctx, error, "cause") : JS_UNDEFINED;
  if (JS_IsError(ctx, cause)) print(ctx, cause, "caused by: ");
  JS_FreeValue(ctx, cause);
}

static void uncaught(JSContext *ctx, JSValue error) { // takes error
  if (JS_IsFunction(ctx, uncaught_handler)) {
    JSValue handler = JS_DupValue(ctx, uncaught_handler), r = JS_Call(ctx, handler, JS_UNDEFINED, 1, (JSValueConst *)&error);
    JS_FreeValue(ctx, handler);
    if (!JS_IsException(r)) {
      JS_FreeValue(ctx, r);
      JS_FreeValue(ctx, error);
      return;
    }
    JSValue second = JS_GetException(ctx);
    print(ctx, error, "uncaught: ");
    JS_FreeValue(ctx, error);
    error = second;
  }
  tty_restore();
  print(ctx, error, "uncaught: ");
  runtime_exit(70);
}

void runtime_set_uncaught(JSContext *ctx, JSValueConst handler) {
  JS_FreeValue(ctx, uncaught_handler);
  uncaught_handler = JS_DupValue(ctx, handler);
}

static void track_rejection(JSContext *ctx, JSValueConst promise, JSValueConst reason, JS_BOOL handled, void *opaque) {
  (void)opaque;
  if (!handled) {
    if (rejection_count == rejection_room) {
      rejection_room = rejection_room ? rejection_room * 2 : 8;
      Rejection *list = realloc(rejections, rejection_room * sizeof *list);
      if (!list) abort();
      rejections = list;
    }
    rejections[rejection_count++] = (Rejection){JS_DupValue(ctx, promise), JS_DupValue(ctx, reason)};
    return;
  }
  for (size_t i = 0; i < rejection_count; i++)
    if (JS_StrictEq(ctx, rejections[i].promise, promise)) {
      JS_FreeValue(ctx, rejections[i].promise);
      JS_FreeValue(ctx, rejections[i].reason);
      rejections[i] = rejections[--rejection_count];
      return;
    }
}

void runtime_drain(void) {
  JSContext *ctx;
  for (;;) {
    int r;
    while ((r = JS_ExecutePendingJob(host.rt, &ctx)) != 0)
      if (r < 0) uncaught(ctx, JS_GetException(ctx));
    if (!rejection_count) return;
    Rejection first = rejections[0];
    memmove(rejections, rejections + 1, --rejection_count * sizeof *rejections);
    JS_FreeValue(host.ctx, first.promise);
    uncaught(host.ctx, first.reason);
  }
}

void runtime_call(JSValueConst fn, int argc, JSValueConst *argv) {
  JSContext *ctx = host.ctx;
  JSValue held = JS_DupValue(ctx, fn), r = JS_Call(ctx, held, JS_UNDEFINED, argc, argv); // fn may be replaced while it runs
  if (JS_IsException(r)) uncaught(ctx, JS_GetException(ctx));
  else JS_FreeValue(ctx, r);
  JS_FreeValue(ctx, held);
  runtime_drain();
}

// --- promises ---------------------------------------------------------------------------------------------------------------------
JSValue deferred_new(JSContext *ctx, Deferred *d) {
  GC_POINT;
  JSValue functions[2], promise = JS_NewPromiseCapability(ctx, functions);
  *d = JS_IsException(promise) ? DEFERRED_NONE : (Deferred){functions[0], functions[1]};
  return promise;
}

bool deferred_pending(const Deferred *d) { return JS_IsObject(d->resolve); }

static void settle(JSContext *ctx, Deferred *d, bool ok, JSValue value) {
  Deferred taken = *d;
  *d = DEFERRED_NONE;
  GC_POINT;
  if (JS_IsObject(taken.resolve)) {
    JSValue r = JS_Call(ctx, ok ? taken.resolve : taken.reject, JS_UNDEFINED, 1, (JSValueConst *)&value);
    JS_FreeValue(ctx, r);
  }
  JS_FreeValue(ctx, taken.resolve);
  JS_FreeValue(ctx, taken.reject);
  JS_FreeValue(ctx, value);
}

void deferred_resolve(JSContext *ctx, Deferred *d, JSValue value) { settle(ctx, d, true, value); }
void deferred_reject(JSContext *ctx, Deferred *d, JSValue error) { settle(ctx, d, false, error); }

JSValue resolved_promise(JSContext *ctx, JSValue value) {
  Deferred d;
  JSValue promise = deferred_new(ctx, &d);
  deferred_resolve(ctx, &d, value);
  return promise;
}

// --- modules and classes --------------------------------------------------------------------------------------------------------------
int module_define(JSContext *ctx, const char *name, const JSCFunctionListEntry *list, int count, JSModuleInitFunc *init,
                  const char *const *extra, int extra_count) {
  JSModuleDef *m = JS_NewCModule(ctx, name, init);
  if (!m) return -1;
  if (count && JS_AddModuleExportList(ctx, m, list, count)) return -1;
  for (int i = 0; i < extra_count; i++)
    if (JS_AddModuleExport(ctx, m, extra[i])) return -1;
  return 0;
}

int class_define(JSContext *ctx, JSClassID *id, const JSClassDef *def, const JSCFunctionListEntry *list, int count) {
  JS_NewClassID(id);
  if (JS_NewClass(host.rt, *id, def)) return -1;
  JSValue prototype = JS_NewObject(ctx);
  JS_SetPropertyFunctionList(ctx, prototype, list, count);
  JS_SetClassProto(ctx, *id, prototype);
  return 0;
}

static JSValue bundle_read(JSContext *ctx, const BundleModule *m) {
  uint8_t *bytecode = js_malloc(ctx, m->size);
  if (!bytecode) return JS_EXCEPTION;
  JSValue module;
  if (ZSTD_decompress(bytecode, m->size, m->packed, m->packed_size) == m->size) module = JS_ReadObject(ctx, bytecode, m->size, JS_READ_OBJ_BYTECODE);
  else module = JS_ThrowInternalError(ctx, "the module %s is damaged", m->name);
  js_free(ctx, bytecode);
  return module;
}

// A module of the bundle when it is imported first; QuickJS keeps it by its name.
static JSModuleDef *bundle_load(JSContext *ctx, const char *name, void *opaque) {
  (void)opaque;
  for (const BundleModule *m = bundle; m->name; m++) {
    if (strcmp(m->name, name)) continue;
    JSValue module = bundle_read(ctx, m);
    if (JS_IsException(module)) return NULL;
    JSModuleDef *def = JS_VALUE_GET_PTR(module);
    JS_FreeValue(ctx, module); // the context holds it
    return def;
  }
  JS_ThrowReferenceError(ctx, "there is no module %s", name);
  return NULL;
}

int runtime_start(void) {
  host.rt = JS_NewRuntime();
  if (!host.rt) return -1;
  JS_SetCanBlock(host.rt, 0);
  JS_SetGCThreshold(host.rt, 512 * 1024);
  JS_SetHostPromiseRejectionTracker(host.rt, track_rejection, NULL);
  JSContext *ctx = host.ctx = JS_NewContext(host.rt);
  if (!ctx || poller_start()) return -1;
  uncaught_handler = JS_UNDEFINED;
  JS_SetModuleLoaderFunc(host.rt, NULL, bundle_load, NULL);
  static int (*const modules[])(JSContext *) = {mod_error,    mod_process, mod_fs,    mod_net, mod_dns,
                                                mod_compress, mod_crypto,  mod_bytes, mod_tty, mod_timers, mod_delta};
  for (size_t i = 0; i < COUNT(modules); i++)
    if (modules[i](ctx)) return -1;
  return timers_globals(ctx);
}

int runtime_run(void) {
  JSContext *ctx = host.ctx;
  JSValue module = bundle_read(ctx, bundle);
  if (JS_IsException(module) || JS_ResolveModule(ctx, module)) {
    uncaught(ctx, JS_GetException(ctx));
    return 70;
  }
  JSValue result = JS_EvalFunction(ctx, module);
  if (JS_IsException(result)) uncaught(ctx, JS_GetException(ctx));
  runtime_drain();
  uv_run(host.loop, UV_RUN_DEFAULT);
  if (JS_IsObject(result) && JS_PromiseState(ctx, result) == JS_PROMISE_PENDING) {
    fprintf(stderr, "the program waits for something that can no longer happen\n");
    return 70;
  }
  JS_FreeValue(ctx, result);
  return 0;
}
