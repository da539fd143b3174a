// HostError: an Error with code, errno, syscall, path and target.
#include <stdio.h>

#include "host.h"

static JSValue prototype, constructor;

static HOST_FN(construct) {
  (void)self, (void)argc, (void)argv;
  return JS_ThrowTypeError(ctx, "HostError is made by the host only");
}

JSValue host_error_code(JSContext *ctx, const char *code, int err, const char *syscall, const char *path, const char *message) {
  JSValue global = JS_GetGlobalObject(ctx), error_class = JS_GetPropertyStr(ctx, global, "Error");
  JSValue text = new_path(ctx, message, strlen(message));
  JSValue e = JS_CallConstructor(ctx, error_class, 1, (JSValueConst *)&text); // unlike JS_NewError it records the stack
  JS_FreeValue(ctx, text);
  JS_FreeValue(ctx, error_class);
  JS_FreeValue(ctx, global);
  if (JS_IsException(e)) return e;
  JS_SetPrototype(ctx, e, prototype);
  set(ctx, e, "code", JS_NewString(ctx, code));
  set(ctx, e, "errno", JS_NewInt32(ctx, err));
  set(ctx, e, "syscall", JS_NewString(ctx, syscall));
  if (path) set(ctx, e, "path", new_path(ctx, path, strlen(path)));
  return e;
}

JSValue host_error(JSContext *ctx, int err, const char *syscall, const char *path, const char *target) {
  const char *code = uv_err_name(-err);
  CLEANUP_FREE char *message = NULL;
  int n = asprintf(&message, "%s%s%s%s%s%s%s: %s (%s)", syscall, path ? " '" : "", path ? path : "", path ? "'" : "", target ? " '" : "",
                   target ? target : "", target ? "'" : "", strerror(err), code);
  if (n < 0) return JS_ThrowOutOfMemory(ctx);
  JSValue e = host_error_code(ctx, code, err, syscall, path, message);
  if (target && !JS_IsException(e)) set(ctx, e, "target", new_path(ctx, target, strlen(target)));
  return e;
}

JSValue throw_errno2(JSContext *ctx, int err, const char *syscall, const char *path, const char *target) {
  JSValue e = host_error(ctx, err, syscall, path, target);
  return JS_IsException(e) ? e : JS_Throw(ctx, e);
}

JSValue throw_errno(JSContext *ctx, int err, const char *syscall, const char *path) { return throw_errno2(ctx, err, syscall, path, NULL); }

JSValue throw_code(JSContext *ctx, const char *code, const char *syscall, const char *path, const char *message) {
  JSValue e = host_error_code(ctx, code, 0, syscall, path, message);
  return JS_IsException(e) ? e : JS_Throw(ctx, e);
}

static int init(JSContext *ctx, JSModuleDef *m) { return JS_SetModuleExport(ctx, m, "HostError", JS_DupValue(ctx, constructor)); }

int mod_error(JSContext *ctx) {
  JSValue global = JS_GetGlobalObject(ctx), base = JS_GetPropertyStr(ctx, global, "Error");
  JSValue base_prototype = JS_GetPropertyStr(ctx, base, "prototype");
  prototype = JS_NewObjectProto(ctx, base_prototype);
  set(ctx, prototype, "name", JS_NewString(ctx, "HostError"));
  constructor = JS_NewCFunction2(ctx, construct, "HostError", 0, JS_CFUNC_constructor_or_func, 0);
  JS_SetConstructor(ctx, constructor, prototype);
  JS_FreeValue(ctx, base_prototype);
  JS_FreeValue(ctx, base);
  JS_FreeValue(ctx, global);
  static const char *const names[] = {"HostError"};
  return module_define(ctx, "host:error", NULL, 0, init, names, COUNT(names));
}
