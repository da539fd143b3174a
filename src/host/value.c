// JavaScript values in and out.
#include <math.h>

#include "host.h"

void set(JSContext *ctx, JSValueConst object, const char *name, JSValue value) {
  JS_DefinePropertyValueStr(ctx, object, name, value, JS_PROP_C_W_E);
  GC_POINT;
}

// --- numbers -----------------------------------------------------------------------------------------------------------------
int arg_i64(JSContext *ctx, JSValueConst v, int64_t fallback, int64_t *out) {
  double d;
  *out = fallback;
  if (JS_IsUndefined(v)) return 0;
  if (!JS_IsNumber(v) || JS_ToFloat64(ctx, &d, v)) goto wrong;
  if (!(fabs(d) <= 9007199254740991.0) || d != floor(d)) goto wrong;
  *out = (int64_t)d;
  return 0;
wrong:
  JS_ThrowTypeError(ctx, "expected an integer");
  return -1;
}

int arg_int(JSContext *ctx, JSValueConst v, int fallback, int *out) {
  int64_t wide;
  *out = fallback;
  if (arg_i64(ctx, v, fallback, &wide)) return -1;
  // 32 bits either way: ids and masks such as 0xffffffff come as positive numbers
  if (wide < INT32_MIN || wide > UINT32_MAX) {
    JS_ThrowRangeError(ctx, "integer out of range");
    return -1;
  }
  *out = (int)(uint32_t)wide;
  return 0;
}

// --- bytes -----------------------------------------------------------------------------------------------------------------------
int arg_bytes(JSContext *ctx, JSValueConst v, uint8_t **p, size_t *size) {
  size_t offset = 0, each = 0, whole;
  JSValue buffer = JS_GetTypedArrayBuffer(ctx, v, &offset, size, &each);
  if (JS_IsException(buffer) || each != 1) {
    if (JS_IsException(buffer)) JS_FreeValue(ctx, JS_GetException(ctx));
    JS_FreeValue(ctx, buffer);
    JS_ThrowTypeError(ctx, "expected a Uint8Array");
    return -1;
  }
  uint8_t *base = JS_GetArrayBuffer(ctx, &whole, buffer);
  JS_FreeValue(ctx, buffer); // v holds it
  if (!base) {
    if (*size == 0) { // an empty buffer has no memory
      static uint8_t nothing;
      JS_FreeValue(ctx, JS_GetException(ctx));
      *p = &nothing;
      return 0;
    }
    return -1;
  }
  *p = base + offset;
  return 0;
}

int arg_range(JSContext *ctx, JSValueConst from, JSValueConst to, size_t size, size_t *a, size_t *b) {
  int64_t start, end;
  if (arg_i64(ctx, from, 0, &start) || arg_i64(ctx, to, (int64_t)size, &end)) return -1;
  if (start < 0 || (uint64_t)start > size) {
    JS_ThrowRangeError(ctx, "offset outside of the bytes");
    return -1;
  }
  if (end < start) end = start;
  *a = (size_t)start;
  *b = (uint64_t)end > size ? size : (size_t)end;
  return 0;
}

JSValue new_bytes_take(JSContext *ctx, void *p, size_t size);

static void free_js_memory(JSRuntime *rt, void *opaque, void *p) {
  (void)opaque;
  js_free_rt(rt, p);
}

JSValue new_bytes_take(JSContext *ctx, void *p, size_t size) {
  JSValue args[3] = {JS_NewArrayBuffer(ctx, p, size, free_js_memory, NULL, 0), JS_UNDEFINED, JS_UNDEFINED};
  if (JS_IsException(args[0])) {
    js_free(ctx, p);
    return args[0];
  }
  GC_POINT;
  JSValue bytes = JS_NewTypedArray(ctx, 3, (JSValueConst *)args, JS_TYPED_ARRAY_UINT8);
  JS_FreeValue(ctx, args[0]);
  return bytes;
}

JSValue new_bytes(JSContext *ctx, const void *p, size_t size) {
  uint8_t *copy = js_malloc(ctx, size ? size : 1);
  if (!copy) return JS_EXCEPTION;
  if (size) memcpy(copy, p, size);
  return new_bytes_take(ctx, copy, size);
}

// --- text ----------------------------------------------------------------------------------------------------------------------------
// Length of the well-formed UTF-8 sequence at p, or 0.
static size_t utf8_length(const uint8_t *p, size_t left) {
  uint8_t a = p[0];
  if (a < 0x80) return 1;
  if (a < 0xc2 || left < 2 || (p[1] & 0xc0) != 0x80) return 0;
  if (a < 0xe0) return 2;
  if (left < 3 || (p[2] & 0xc0) != 0x80) return 0;
  if (a < 0xf0) return (a == 0xe0 && p[1] < 0xa0) || (a == 0xed && p[1] > 0x9f) ? 0 : 3;
  if (left < 4 || (p[3] & 0xc0) != 0x80 || a > 0xf4) return 0;
  return (a == 0xf0 && p[1] < 0x90) || (a == 0xf4 && p[1] > 0x8f) ? 0 : 4;
}

static size_t utf8_good(const uint8_t *p, size_t size) { // length of the well-formed beginning
  size_t i = 0, n;
  while (i < size) {
    uint64_t eight;
    if (size - i >= 8 && (memcpy(&eight, p + i, 8), !(eight & 0x8080808080808080u))) {
      i += 8;
      continue;
    }
    if (!(n = utf8_length(p + i, size - i))) break;
    i += n;
  }
  return i;
}

static JSValue new_string(JSContext *ctx, const uint8_t *p, size_t size, bool escape) {
  size_t good = utf8_good(p, size);
  if (good == size) return JS_NewStringLen(ctx, (const char *)p, size);
  CLEANUP_BUFFER Buffer b = {0};
  while (size) {
    if (buffer_add(&b, p, good)) return JS_ThrowOutOfMemory(ctx);
    p += good, size -= good;
    if (!size) break;
    const uint8_t escaped[3] = {0xed, (uint8_t)(0xb0 | (*p >> 6)), (uint8_t)(0x80 | (*p & 0x3f))}; // U+DC00 + byte
    if (buffer_add(&b, escape ? escaped : (const uint8_t *)"\xef\xbf\xbd", 3)) return JS_ThrowOutOfMemory(ctx);
    p++, size--;
    good = utf8_good(p, size);
  }
  return JS_NewStringLen(ctx, (const char *)b.p, b.size);
}

JSValue new_text(JSContext *ctx, const void *p, size_t size) { return new_string(ctx, p, size, false); }
JSValue new_path(JSContext *ctx, const char *p, size_t size) { return new_string(ctx, (const uint8_t *)p, size, true); }

char *arg_text(JSContext *ctx, JSValueConst v, size_t *size) {
  size_t n;
  if (!JS_IsString(v)) {
    JS_ThrowTypeError(ctx, "expected a string");
    return NULL;
  }
  const char *s = JS_ToCStringLen(ctx, &n, v);
  if (!s) return NULL;
  char *copy = malloc(n + 1), *to = copy;
  if (!copy) {
    JS_FreeCString(ctx, s);
    JS_ThrowOutOfMemory(ctx);
    return NULL;
  }
  for (const char *p = s, *end = s + n; p < end;) {
    const char *next = memchr(p, 0xed, (size_t)(end - p));
    if (!next) next = end;
    memcpy(to, p, (size_t)(next - p));
    to += next - p;
    p = next;
    if (p == end) break;
    const uint8_t *q = (const uint8_t *)p;
    if (end - p >= 3 && (q[1] == 0xb2 || q[1] == 0xb3)) { // U+DC80 … U+DCFF
      *to++ = (char)((q[1] << 6) | (q[2] & 0x3f));
      p += 3;
    } else {
      *to++ = *p++;
    }
  }
  *to = 0;
  JS_FreeCString(ctx, s);
  if (size) *size = (size_t)(to - copy);
  return copy;
}

char *arg_path(JSContext *ctx, JSValueConst v) {
  size_t n;
  char *s = arg_text(ctx, v, &n);
  if (s && strlen(s) != n) {
    throw_errno(ctx, EINVAL, "path", s);
    free(s);
    return NULL;
  }
  return s;
}

int arg_data(JSContext *ctx, JSValueConst v, Data *out) {
  *out = (Data){0};
  if (JS_IsString(v)) {
    out->copy = arg_text(ctx, v, &out->size);
    out->p = (uint8_t *)out->copy;
    return out->copy ? 0 : -1;
  }
  uint8_t *p;
  if (arg_bytes(ctx, v, &p, &out->size)) return -1;
  out->p = p;
  return 0;
}

void strings_free(char **list) {
  for (char **s = list; s && *s; s++) free(*s);
  free(list);
}

char **arg_strings(JSContext *ctx, JSValueConst array) {
  int64_t count;
  JSValue length = JS_IsArray(ctx, array) == 1 ? JS_GetPropertyStr(ctx, array, "length") : JS_UNDEFINED;
  if (arg_i64(ctx, length, -1, &count) || count < 0 || count > 1000000) {
    if (!JS_HasException(ctx)) JS_ThrowTypeError(ctx, "expected an array of strings");
    return NULL;
  }
  char **list = calloc((size_t)count + 1, sizeof *list);
  for (int64_t i = 0; list && i < count; i++) {
    JSValue v = JS_GetPropertyUint32(ctx, array, (uint32_t)i);
    list[i] = arg_path(ctx, v);
    JS_FreeValue(ctx, v);
    if (!list[i]) {
      strings_free(list);
      return NULL;
    }
  }
  if (!list) JS_ThrowOutOfMemory(ctx);
  return list;
}

// --- options ----------------------------------------------------------------------------------------------------------------------------
int option(JSContext *ctx, JSValueConst object, const char *name, JSValue *out) {
  *out = JS_UNDEFINED;
  if (!JS_IsObject(object)) {
    if (JS_IsUndefined(object)) return 0;
    JS_ThrowTypeError(ctx, "expected an object");
    return -1;
  }
  *out = JS_GetPropertyStr(ctx, object, name);
  if (JS_IsException(*out)) return -1;
  return !JS_IsUndefined(*out);
}

int option_int(JSContext *ctx, JSValueConst object, const char *name, int fallback, int *out) {
  JSValue v;
  *out = fallback;
  int there = option(ctx, object, name, &v);
  if (there <= 0) return there;
  int r = arg_int(ctx, v, fallback, out);
  JS_FreeValue(ctx, v);
  return r;
}

int option_bool(JSContext *ctx, JSValueConst object, const char *name, bool *out) {
  JSValue v;
  *out = false;
  int there = option(ctx, object, name, &v);
  if (there <= 0) return there;
  *out = JS_ToBool(ctx, v) > 0;
  JS_FreeValue(ctx, v);
  return 0;
}

int option_path(JSContext *ctx, JSValueConst object, const char *name, char **out) {
  JSValue v;
  *out = NULL;
  int there = option(ctx, object, name, &v);
  if (there <= 0) return there;
  *out = arg_path(ctx, v);
  JS_FreeValue(ctx, v);
  return *out ? 0 : -1;
}

int choice(JSContext *ctx, JSValueConst v, const char *const *names, int count, int fallback) {
  if (JS_IsUndefined(v) && fallback >= 0) return fallback;
  const char *s = JS_IsString(v) ? JS_ToCString(ctx, v) : NULL;
  for (int i = 0; s && i < count; i++)
    if (!strcmp(s, names[i])) {
      JS_FreeCString(ctx, s);
      return i;
    }
  JS_ThrowTypeError(ctx, "unknown word '%s'", s ? s : "?");
  JS_FreeCString(ctx, s);
  return -1;
}
