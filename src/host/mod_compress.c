// host:compress — gzip and zstd, both directions, one interface.
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

#include "host.h"

typedef enum Kind { GUNZIP, GZIP, UNZSTD, ZSTD } Kind;

typedef struct Codec {
  Kind kind;
  union {
    z_stream z;
    ZSTD_DCtx *unzstd;
    ZSTD_CCtx *zstd;
  };
  bool open, finishing, between, begun, done; // between: a whole member or frame has ended, begun: any input at all
  JSValue held;                               // the array that input points into
  const uint8_t *input;
  size_t left;
  uint64_t in, out;
} Codec;

static JSClassID codec_id;

static void release(JSRuntime *rt, Codec *c) {
  JS_FreeValueRT(rt, c->held);
  c->held = JS_UNDEFINED;
  c->left = 0;
  if (!c->open) return;
  c->open = false;
  if (c->kind == GUNZIP) inflateEnd(&c->z);
  if (c->kind == GZIP) deflateEnd(&c->z);
  if (c->kind == UNZSTD) ZSTD_freeDCtx(c->unzstd);
  if (c->kind == ZSTD) ZSTD_freeCCtx(c->zstd);
}

static void finalize(JSRuntime *rt, JSValue v) {
  Codec *c = JS_GetOpaque(v, codec_id);
  if (!c) return;
  release(rt, c);
  free(c);
}

static void mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *visit) {
  Codec *c = JS_GetOpaque(v, codec_id);
  if (c) JS_MarkValue(rt, c->held, visit);
}
static const JSClassDef codec_def = {"Codec", .finalizer = finalize, .gc_mark = mark};

static Codec *codec_of(JSContext *ctx, JSValueConst self) {
  Codec *c = JS_GetOpaque2(ctx, self, codec_id);
  if (c && !c->open) {
    throw_errno(ctx, ECANCELED, "codec", NULL);
    return NULL;
  }
  return c;
}

// --- the four codecs: consume input, produce at most `room`; -1 with an exception ------------------------------------------------
static JSValue corrupt(JSContext *ctx, const char *call, const char *why) {
  char message[160];
  snprintf(message, sizeof message, "%s: damaged data%s%s (CORRUPT)", call, why ? ": " : "", why ? why : "");
  return throw_code(ctx, "CORRUPT", call, NULL, message);
}

static ssize_t truncated(JSContext *ctx, const char *call) {
  char message[80];
  snprintf(message, sizeof message, "%s: the data ends too early (TRUNCATED)", call);
  throw_code(ctx, "TRUNCATED", call, NULL, message);
  return -1;
}

static size_t zlib_take(Codec *c, uint8_t *out, size_t room, int flush, int (*step)(z_stream *, int), int *status) {
  uInt feed = c->left > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)c->left;
  c->z.next_in = (Bytef *)c->input;
  c->z.avail_in = feed;
  c->z.next_out = out;
  c->z.avail_out = (uInt)room;
  *status = step(&c->z, flush);
  size_t used = feed - c->z.avail_in;
  c->input += used;
  c->left -= used;
  c->in += used;
  return room - c->z.avail_out;
}

static ssize_t gunzip_pull(JSContext *ctx, Codec *c, uint8_t *out, size_t room) {
  for (;;) {
    if (c->between) {
      while (c->left && !*c->input) c->input++, c->left--, c->in++, c->done = true; // padding of tapes and block devices
      if (!c->left) return 0;
      if (c->done || *c->input != 0x1f) return corrupt(ctx, "gunzip", "something else follows"), -1;
      inflateReset(&c->z);
      c->between = false;
    }
    if (c->left) c->begun = true;
    int status;
    size_t produced = zlib_take(c, out, room, Z_NO_FLUSH, inflate, &status);
    if (status == Z_STREAM_END) c->between = true;
    else if (status != Z_OK && status != Z_BUF_ERROR) return corrupt(ctx, "gunzip", c->z.msg), -1;
    if (produced) return (ssize_t)produced;
    if (c->left && (c->between || status == Z_OK)) continue;
    if (!c->between && c->finishing) return truncated(ctx, "gunzip");
    return 0;
  }
}

static ssize_t gzip_pull(JSContext *ctx, Codec *c, uint8_t *out, size_t room) {
  (void)ctx;
  int status;
  if (c->done) return 0;
  size_t produced = zlib_take(c, out, room, c->finishing ? Z_FINISH : Z_NO_FLUSH, deflate, &status);
  if (status == Z_STREAM_END) c->done = true;
  return (ssize_t)produced;
}

static ssize_t unzstd_pull(JSContext *ctx, Codec *c, uint8_t *out, size_t room) {
  ZSTD_inBuffer in = {c->input, c->left, 0};
  ZSTD_outBuffer o = {out, room, 0};
  while (o.pos == 0) {
    size_t before = in.pos;
    if (in.size) c->begun = true;
    else if (c->between || !c->begun) break; // asking more would begin a new frame
    size_t r = ZSTD_decompressStream(c->unzstd, &o, &in);
    if (ZSTD_isError(r)) return corrupt(ctx, "unzstd", ZSTD_getErrorName(r)), -1;
    c->between = r == 0;
    if (in.pos == in.size && (in.pos == before || c->between)) break;
  }
  c->input += in.pos;
  c->left -= in.pos;
  c->in += in.pos;
  if (!o.pos && c->finishing && !c->between) return truncated(ctx, "unzstd");
  return (ssize_t)o.pos;
}

static ssize_t zstd_pull(JSContext *ctx, Codec *c, uint8_t *out, size_t room) {
  ZSTD_inBuffer in = {c->input, c->left, 0};
  ZSTD_outBuffer o = {out, room, 0};
  while (o.pos == 0 && !c->done) {
    size_t r = ZSTD_compressStream2(c->zstd, &o, &in, c->finishing ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(r)) return corrupt(ctx, "zstd", ZSTD_getErrorName(r)), -1;
    if (c->finishing && r == 0) c->done = true;
    if (!c->finishing && in.pos == in.size) break;
  }
  c->input += in.pos;
  c->left -= in.pos;
  c->in += in.pos;
  return (ssize_t)o.pos;
}

// --- methods ---------------------------------------------------------------------------------------------------------------------
static HOST_FN(push) {
  Codec *c = codec_of(ctx, self);
  uint8_t *p;
  size_t size;
  if (!c || arg_bytes(ctx, ARG(0), &p, &size)) return JS_EXCEPTION;
  if (c->left || c->finishing) return throw_errno(ctx, EBUSY, "push", NULL);
  JS_FreeValue(ctx, c->held);
  c->held = JS_DupValue(ctx, argv[0]);
  c->input = p;
  c->left = size;
  return JS_UNDEFINED;
}

static HOST_FN(pull) {
  Codec *c = codec_of(ctx, self);
  int room;
  if (!c || arg_int(ctx, ARG(0), 65536, &room)) return JS_EXCEPTION;
  if (room < 1 || room > 1 << 28) return JS_ThrowRangeError(ctx, "maxBytes out of range");
  uint8_t *out = js_malloc(ctx, (size_t)room);
  if (!out) return JS_EXCEPTION;
  static ssize_t (*const pulls[])(JSContext *, Codec *, uint8_t *, size_t) = {gunzip_pull, gzip_pull, unzstd_pull, zstd_pull};
  ssize_t n = pulls[c->kind](ctx, c, out, (size_t)room);
  if (n <= 0) {
    js_free(ctx, out);
    if (!n) JS_FreeValue(ctx, c->held), c->held = JS_UNDEFINED;
    return n ? JS_EXCEPTION : JS_NULL;
  }
  c->out += (uint64_t)n;
  if (n < room) {
    uint8_t *smaller = js_realloc(ctx, out, (size_t)n);
    if (smaller) out = smaller;
  }
  return new_bytes_take(ctx, out, (size_t)n);
}

static HOST_FN(finish) {
  (void)argc, (void)argv;
  Codec *c = codec_of(ctx, self);
  if (!c) return JS_EXCEPTION;
  if (c->left) return throw_errno(ctx, EBUSY, "finish", NULL);
  c->finishing = true;
  return JS_UNDEFINED;
}

static HOST_FN(close_codec) {
  (void)argc, (void)argv;
  Codec *c = JS_GetOpaque2(ctx, self, codec_id);
  if (!c) return JS_EXCEPTION;
  release(host.rt, c);
  return JS_UNDEFINED;
}

static JSValue get_count(JSContext *ctx, JSValueConst self, int magic) {
  Codec *c = JS_GetOpaque2(ctx, self, codec_id);
  return c ? JS_NewInt64(ctx, (int64_t)(magic ? c->out : c->in)) : JS_EXCEPTION;
}

static const JSCFunctionListEntry methods[] = {
    JS_CFUNC_DEF("push", 1, push),
    JS_CFUNC_DEF("pull", 1, pull),
    JS_CFUNC_DEF("finish", 0, finish),
    JS_CFUNC_DEF("close", 0, close_codec),
    JS_CGETSET_MAGIC_DEF("inputBytes", get_count, NULL, 0),
    JS_CGETSET_MAGIC_DEF("outputBytes", get_count, NULL, 1),
};

// --- functions -------------------------------------------------------------------------------------------------------------------
static HOST_FN(detect) {
  (void)self;
  uint8_t *p;
  size_t size;
  if (arg_bytes(ctx, ARG(0), &p, &size)) return JS_EXCEPTION;
  if (size >= 3 && !memcmp(p, "\x1f\x8b\x08", 3)) return JS_NewString(ctx, "gzip");
  if (size < 4) return JS_NULL;
  bool frame = !memcmp(p, "\x28\xb5\x2f\xfd", 4), skippable = (p[0] & 0xf0) == 0x50 && !memcmp(p + 1, "\x2a\x4d\x18", 3);
  return frame || skippable ? JS_NewString(ctx, "zstd") : JS_NULL;
}

static JSValue create(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int kind) {
  (void)self;
  static const int fallback[] = {0, 6, 128 << 20, 3}, least[] = {0, 1, 1024, 1}, most[] = {0, 9, 1 << 30, 19};
  int value;
  if (arg_int(ctx, ARG(0), fallback[kind], &value)) return JS_EXCEPTION;
  if (value < least[kind] || value > most[kind]) return JS_ThrowRangeError(ctx, "%d … %d", least[kind], most[kind]);
  Codec *c = calloc(1, sizeof *c);
  if (!c) return JS_ThrowOutOfMemory(ctx);
  c->kind = (Kind)kind;
  c->held = JS_UNDEFINED;
  if (kind == GUNZIP) c->open = inflateInit2(&c->z, 15 + 16) == Z_OK; // 16: gzip, not zlib
  if (kind == GZIP) c->open = deflateInit2(&c->z, value, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  if (kind == UNZSTD && (c->unzstd = ZSTD_createDCtx())) {
    int log = 10;
    while (log < 31 && (1u << log) < (unsigned)value) log++;
    ZSTD_DCtx_setParameter(c->unzstd, ZSTD_d_windowLogMax, log);
    c->open = true;
  }
  if (kind == ZSTD && (c->zstd = ZSTD_createCCtx())) {
    ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, value);
    ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1);
    c->open = true;
  }
  JSValue object = c->open ? JS_NewObjectClass(ctx, (int)codec_id) : JS_ThrowOutOfMemory(ctx);
  if (JS_IsException(object)) {
    release(host.rt, c);
    free(c);
    return object;
  }
  JS_SetOpaque(object, c);
  return object;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_MAGIC_DEF("gunzip", 0, create, GUNZIP), JS_CFUNC_MAGIC_DEF("gzip", 1, create, GZIP),
    JS_CFUNC_MAGIC_DEF("unzstd", 1, create, UNZSTD), JS_CFUNC_MAGIC_DEF("zstd", 1, create, ZSTD),
    JS_CFUNC_DEF("detect", 1, detect),
};

static int init(JSContext *ctx, JSModuleDef *m) { return JS_SetModuleExportList(ctx, m, functions, COUNT(functions)); }

int mod_compress(JSContext *ctx) {
  if (class_define(ctx, &codec_id, &codec_def, methods, COUNT(methods))) return -1;
  return module_define(ctx, "host:compress", functions, COUNT(functions), init, NULL, 0);
}
