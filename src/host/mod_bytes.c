// host:bytes — what would loop over bytes in JavaScript.
#include <math.h>

#include "host.h"

static JSValue slice_text(JSContext *ctx, int argc, JSValueConst *argv, bool path) {
  uint8_t *p;
  size_t size, a, b;
  if (arg_bytes(ctx, ARG(0), &p, &size) || arg_range(ctx, ARG(1), ARG(2), size, &a, &b)) return JS_EXCEPTION;
  return path ? new_path(ctx, (char *)p + a, b - a) : new_text(ctx, p + a, b - a);
}

static HOST_FN(text) { return (void)self, slice_text(ctx, argc, argv, false); }
static HOST_FN(path_text) { return (void)self, slice_text(ctx, argc, argv, true); }

static HOST_FN(c_string) {
  (void)self;
  uint8_t *p;
  size_t size, a, b;
  if (arg_bytes(ctx, ARG(0), &p, &size) || arg_range(ctx, ARG(1), ARG(2), size, &a, &b)) return JS_EXCEPTION;
  return new_path(ctx, (char *)p + a, strnlen((char *)p + a, b - a));
}

static HOST_FN(encode) {
  (void)self;
  CLEANUP_DATA Data d = {0};
  if (!JS_IsString(ARG(0))) return JS_ThrowTypeError(ctx, "expected a string");
  return arg_data(ctx, argv[0], &d) ? JS_EXCEPTION : new_bytes(ctx, d.p, d.size);
}

static HOST_FN(find) {
  (void)self;
  uint8_t *p, *at;
  size_t size, a, b;
  if (arg_bytes(ctx, ARG(0), &p, &size) || arg_range(ctx, ARG(2), JS_UNDEFINED, size, &a, &b)) return JS_EXCEPTION;
  if (JS_IsNumber(ARG(1))) {
    int byte;
    if (arg_int(ctx, argv[1], 0, &byte)) return JS_EXCEPTION;
    at = memchr(p + a, byte & 0xff, b - a);
  } else {
    CLEANUP_DATA Data needle = {0};
    if (arg_data(ctx, ARG(1), &needle)) return JS_EXCEPTION;
    at = memmem(p + a, b - a, needle.p, needle.size);
  }
  return JS_NewInt64(ctx, at ? at - p : -1);
}

static HOST_FN(compare) {
  (void)self;
  uint8_t *p, *q;
  size_t m, n;
  if (arg_bytes(ctx, ARG(0), &p, &m) || arg_bytes(ctx, ARG(1), &q, &n)) return JS_EXCEPTION;
  int r = memcmp(p, q, m < n ? m : n);
  if (!r) r = m < n ? -1 : m > n;
  return JS_NewInt32(ctx, r < 0 ? -1 : r > 0);
}

static HOST_FN(equal) {
  (void)self;
  uint8_t *p, *q, difference = 0;
  size_t m, n;
  if (arg_bytes(ctx, ARG(0), &p, &m) || arg_bytes(ctx, ARG(1), &q, &n)) return JS_EXCEPTION;
  for (size_t i = 0; m == n && i < n; i++) difference |= p[i] ^ q[i];
  return JS_NewBool(ctx, m == n && !difference);
}

static HOST_FN(concat) {
  (void)self;
  int64_t count;
  size_t total = 0, size;
  uint8_t *p;
  JSValue length = JS_GetPropertyStr(ctx, ARG(0), "length");
  if (JS_IsException(length) || arg_i64(ctx, length, -1, &count)) return JS_EXCEPTION;
  if (count < 0) return JS_ThrowTypeError(ctx, "expected an array of Uint8Array");
  for (int64_t i = 0; i < count; i++) {
    JSValue part = JS_GetPropertyUint32(ctx, argv[0], (uint32_t)i);
    int r = arg_bytes(ctx, part, &p, &size);
    JS_FreeValue(ctx, part);
    if (r) return JS_EXCEPTION;
    if (size > SIZE_MAX / 2 - total) return JS_ThrowOutOfMemory(ctx);
    total += size;
  }
  uint8_t *all = js_malloc(ctx, total ? total : 1);
  if (!all) return JS_EXCEPTION;
  size_t done = 0;
  for (int64_t i = 0; i < count; i++) {
    JSValue part = JS_GetPropertyUint32(ctx, argv[0], (uint32_t)i);
    // a getter could have changed the array since it was measured
    int r = arg_bytes(ctx, part, &p, &size) || size > total - done;
    if (!r) memcpy(all + done, p, size), done += size;
    JS_FreeValue(ctx, part);
    if (r) {
      js_free(ctx, all);
      return JS_HasException(ctx) ? JS_EXCEPTION : JS_ThrowTypeError(ctx, "the array changed");
    }
  }
  return new_bytes_take(ctx, all, done);
}

static HOST_FN(sum) {
  (void)self;
  uint8_t *p;
  size_t size, a, b;
  uint64_t total = 0;
  if (arg_bytes(ctx, ARG(0), &p, &size) || arg_range(ctx, ARG(1), ARG(2), size, &a, &b)) return JS_EXCEPTION;
  for (; a < b; a++) total += p[a];
  return JS_NewInt64(ctx, (int64_t)total);
}

static HOST_FN(is_zero) {
  (void)self;
  uint8_t *p;
  size_t size, a, b;
  if (arg_bytes(ctx, ARG(0), &p, &size) || arg_range(ctx, ARG(1), ARG(2), size, &a, &b)) return JS_EXCEPTION;
  return JS_NewBool(ctx, a == b || (!p[a] && !memcmp(p + a, p + a + 1, b - a - 1)));
}

// --- tar ------------------------------------------------------------------------------------------------------------------------
static HOST_FN(tar_number) {
  (void)self;
  uint8_t *p;
  size_t size, a, b;
  if (arg_bytes(ctx, ARG(0), &p, &size) || arg_range(ctx, ARG(1), ARG(2), size, &a, &b)) return JS_EXCEPTION;
  const uint64_t limit = 1ull << 53;
  uint64_t value = 0;
  JSValue nan = JS_NewFloat64(ctx, NAN);
  if (a < b && (p[a] & 0x80)) { // base 256, two's complement
    bool negative = p[a] & 0x40;
    uint8_t flip = negative ? 0xff : 0;
    for (size_t i = a; i < b; i++) {
      uint8_t byte = (uint8_t)(p[i] ^ flip);
      if (i == a) byte &= 0x3f;
      if (value >= limit >> 8) return nan;
      value = value << 8 | byte;
    }
    return JS_NewInt64(ctx, negative ? -(int64_t)value - 1 : (int64_t)value);
  }
  while (a < b && (p[a] == ' ' || !p[a])) a++;
  for (; a < b && p[a] >= '0' && p[a] <= '7'; a++) {
    if (value >= limit >> 3) return nan;
    value = value << 3 | (p[a] - '0');
  }
  while (a < b && (p[a] == ' ' || !p[a])) a++;
  return a == b ? JS_NewInt64(ctx, (int64_t)value) : nan;
}

static HOST_FN(put_tar_number) {
  (void)self;
  uint8_t *p;
  size_t size, a, b;
  int64_t value;
  if (arg_bytes(ctx, ARG(0), &p, &size) || arg_range(ctx, ARG(1), ARG(2), size, &a, &b) || arg_i64(ctx, ARG(3), 0, &value))
    return JS_EXCEPTION;
  size_t width = b - a, digits = width - 1;
  if (width < 2) return JS_ThrowRangeError(ctx, "field too narrow");
  if (value >= 0 && (digits >= 21 || value < 1ll << (3 * digits))) {
    uint64_t rest = (uint64_t)value;
    p[b - 1] = 0;
    for (size_t i = b - 1; i-- > a; rest >>= 3) p[i] = (uint8_t)('0' + (rest & 7));
    return JS_UNDEFINED;
  }
  uint64_t rest = (uint64_t)value;
  if (width < 8) return JS_ThrowRangeError(ctx, "number does not fit the field");
  for (size_t i = b; i-- > a; rest = (uint64_t)((int64_t)rest >> 8)) p[i] = (uint8_t)rest;
  p[a] |= 0x80;
  return JS_UNDEFINED;
}

static HOST_FN(put_text) {
  (void)self;
  uint8_t *p;
  size_t size, a, b;
  CLEANUP_DATA Data d = {0};
  if (!JS_IsString(ARG(3))) return JS_ThrowTypeError(ctx, "expected a string");
  if (arg_data(ctx, argv[3], &d) || arg_bytes(ctx, ARG(0), &p, &size) || arg_range(ctx, ARG(1), ARG(2), size, &a, &b)) return JS_EXCEPTION;
  memcpy(p + a, d.p, d.size < b - a ? d.size : b - a);
  return JS_NewInt64(ctx, (int64_t)d.size);
}

// --- hex and base64 -------------------------------------------------------------------------------------------------------------
void hex_digits(const uint8_t *p, size_t size, char *out) {
  for (size_t i = 0; i < size; i++) {
    *out++ = "0123456789abcdef"[p[i] >> 4];
    *out++ = "0123456789abcdef"[p[i] & 15];
  }
}

static HOST_FN(hex) {
  (void)self;
  uint8_t *p;
  size_t size;
  if (arg_bytes(ctx, ARG(0), &p, &size)) return JS_EXCEPTION;
  CLEANUP_FREE char *out = malloc(2 * size + 1);
  if (!out) return JS_ThrowOutOfMemory(ctx);
  hex_digits(p, size, out);
  return JS_NewStringLen(ctx, out, 2 * size);
}

static int hex_value(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

static HOST_FN(from_hex) {
  (void)self;
  size_t size;
  CLEANUP_FREE char *s = arg_text(ctx, ARG(0), &size);
  if (!s) return JS_EXCEPTION;
  for (size_t i = 0; i + 1 < size; i += 2) {
    int high = hex_value(s[i]), low = hex_value(s[i + 1]);
    if (high < 0 || low < 0) return throw_errno(ctx, EINVAL, "fromHex", NULL);
    s[i / 2] = (char)(high << 4 | low);
  }
  return size % 2 ? throw_errno(ctx, EINVAL, "fromHex", NULL) : new_bytes(ctx, s, size / 2);
}

static HOST_FN(base64) {
  (void)self;
  static const char *const alphabets[] = {"standard", "url"};
  uint8_t *p;
  size_t size;
  int url = choice(ctx, ARG(1), alphabets, COUNT(alphabets), 0);
  if (url < 0 || arg_bytes(ctx, ARG(0), &p, &size)) return JS_EXCEPTION;
  const char *digits = url ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                           : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  CLEANUP_FREE char *out = malloc(size / 3 * 4 + 5);
  if (!out) return JS_ThrowOutOfMemory(ctx);
  char *to = out;
  for (size_t i = 0; i < size; i += 3) {
    size_t left = size - i;
    uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
    *to++ = digits[v >> 18];
    *to++ = digits[v >> 12 & 63];
    if (left > 1) *to++ = digits[v >> 6 & 63];
    else if (!url) *to++ = '=';
    if (left > 2) *to++ = digits[v & 63];
    else if (!url) *to++ = '=';
  }
  return JS_NewStringLen(ctx, out, (size_t)(to - out));
}

static int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

static HOST_FN(from_base64) {
  (void)self;
  size_t size, digits = 0, pads = 0;
  CLEANUP_FREE char *s = arg_text(ctx, ARG(0), &size);
  if (!s) return JS_EXCEPTION;
  uint32_t bits = 0;
  char *to = s;
  for (size_t i = 0; i < size; i++) {
    if (s[i] == ' ' || s[i] == '\t' || s[i] == '\r' || s[i] == '\n') continue;
    if (s[i] == '=') {
      pads++;
      continue;
    }
    int v = base64_value(s[i]);
    if (v < 0 || pads) goto wrong;
    bits = bits << 6 | (uint32_t)v;
    if (digits++ % 4) *to++ = (char)(bits >> (6 - 2 * ((digits - 1) % 4)));
  }
  if (digits % 4 == 1 || pads > 2 || (pads && (digits + pads) % 4)) goto wrong;
  return new_bytes(ctx, s, (size_t)(to - s));
wrong:
  return throw_errno(ctx, EINVAL, "fromBase64", NULL);
}

static HOST_FN(xor_mask) {
  (void)self;
  uint8_t *p, *mask;
  size_t size, mask_size;
  if (arg_bytes(ctx, ARG(0), &p, &size) || arg_bytes(ctx, ARG(1), &mask, &mask_size)) return JS_EXCEPTION;
  if (!mask_size) return JS_ThrowRangeError(ctx, "a mask has bytes");
  for (size_t i = 0; i < size; i++) p[i] ^= mask[i % mask_size];
  return JS_UNDEFINED;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("text", 3, text),
    JS_CFUNC_DEF("pathText", 3, path_text),
    JS_CFUNC_DEF("cString", 3, c_string),
    JS_CFUNC_DEF("encode", 1, encode),
    JS_CFUNC_DEF("find", 3, find),
    JS_CFUNC_DEF("compare", 2, compare),
    JS_CFUNC_DEF("equal", 2, equal),
    JS_CFUNC_DEF("concat", 1, concat),
    JS_CFUNC_DEF("sum", 3, sum),
    JS_CFUNC_DEF("isZero", 3, is_zero),
    JS_CFUNC_DEF("tarNumber", 3, tar_number),
    JS_CFUNC_DEF("putTarNumber", 4, put_tar_number),
    JS_CFUNC_DEF("putText", 4, put_text),
    JS_CFUNC_DEF("hex", 1, hex),
    JS_CFUNC_DEF("fromHex", 1, from_hex),
    JS_CFUNC_DEF("base64", 2, base64),
    JS_CFUNC_DEF("fromBase64", 1, from_base64),
    JS_CFUNC_DEF("xorMask", 2, xor_mask),
};

static int init(JSContext *ctx, JSModuleDef *m) { return JS_SetModuleExportList(ctx, m, functions, COUNT(functions)); }

int mod_bytes(JSContext *ctx) { return module_define(ctx, "host:bytes", functions, COUNT(functions), init, NULL, 0); }
