// host:delta — the inner loops of deltas: finding differences, packing streams, and playing instructions against files.
// What is played comes from strangers: every number is checked against what is there.
#include <zstd.h>

#include "delta_plan.h"

#define WINDOW_LOG_MAX 22
#define GROUP_BYTES_MAX (16 << 20)

// --- streams that are flushed at the end of every group ---------------------------------------------------------------------------
typedef struct Packer {
  ZSTD_CCtx *c;
  uint8_t *prefix;
  bool busy;
} Packer;
typedef struct Unpacker {
  ZSTD_DCtx *d;
  uint8_t *prefix;
} Unpacker;
static JSClassID packer_id, unpacker_id, player_id;

static void packer_finalize(JSRuntime *rt UNUSED, JSValue v) {
  Packer *p = JS_GetOpaque(v, packer_id);
  if (!p) return;
  ZSTD_freeCCtx(p->c);
  free(p->prefix);
  free(p);
}
static const JSClassDef packer_def = {"Packer", .finalizer = packer_finalize};

static void unpacker_free(Unpacker *u) {
  ZSTD_freeDCtx(u->d);
  free(u->prefix);
  u->d = NULL, u->prefix = NULL;
}

static void unpacker_finalize(JSRuntime *rt UNUSED, JSValue v) {
  Unpacker *u = JS_GetOpaque(v, unpacker_id);
  if (u) unpacker_free(u);
  free(u);
}
static const JSClassDef unpacker_def = {"Unpacker", .finalizer = unpacker_finalize};

// A copy that lives as long as the stream; NULL when it is empty.
static int copy_prefix(JSContext *ctx, JSValueConst v, uint8_t **copy, size_t *size) {
  uint8_t *p;
  if (arg_bytes(ctx, v, &p, size)) return -1;
  if (!*size) return 0;
  *copy = malloc(*size);
  if (!*copy) return JS_ThrowOutOfMemory(ctx), -1;
  memcpy(*copy, p, *size);
  return 0;
}

static HOST_FN(new_packer) {
  (void)self;
  int window, level;
  size_t size = 0;
  CLEANUP_FREE uint8_t *prefix = NULL;
  if (arg_int(ctx, ARG(0), 19, &level) || arg_int(ctx, ARG(1), 21, &window) || copy_prefix(ctx, ARG(2), &prefix, &size)) return JS_EXCEPTION;
  if (level < 1 || level > 19 || window < 10 || window > WINDOW_LOG_MAX) return JS_ThrowRangeError(ctx, "level 1 … 19, window 10 … %d", WINDOW_LOG_MAX);
  Packer *p = calloc(1, sizeof *p);
  JSValue object = p && (p->c = ZSTD_createCCtx()) ? JS_NewObjectClass(ctx, (int)packer_id) : JS_ThrowOutOfMemory(ctx);
  if (JS_IsException(object)) {
    if (p) ZSTD_freeCCtx(p->c);
    free(p);
    return object;
  }
  ZSTD_CCtx_setParameter(p->c, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(p->c, ZSTD_c_windowLog, window);
  p->prefix = STEAL_PTR(prefix);
  if (p->prefix) ZSTD_CCtx_refPrefix(p->c, p->prefix, size);
  JS_SetOpaque(object, p);
  return object;
}

typedef struct Pack {
  Work work;
  Packer *packer;
  JSValue object; // keeps it
  uint8_t *input, *output;
  size_t size, room, used;
} Pack;

static void pack_run(Work *w) {
  Pack *job = (Pack *)w;
  ZSTD_inBuffer in = {job->input, job->size, 0};
  ZSTD_outBuffer out = {job->output, job->room, 0};
  size_t left;
  do left = ZSTD_compressStream2(job->packer->c, &out, &in, ZSTD_e_flush);
  while (!ZSTD_isError(left) && left > 0 && out.pos < out.size);
  if (ZSTD_isError(left) || left > 0) w->err = EIO, w->failed = "pack";
  job->used = out.pos;
}

static JSValue pack_result(JSContext *ctx, Work *w) { return new_bytes(ctx, ((Pack *)w)->output, ((Pack *)w)->used); }

static void pack_destroy(Work *w) {
  Pack *job = (Pack *)w;
  job->packer->busy = false;
  JS_FreeValue(host.ctx, job->object);
  free(job->input);
  free(job->output);
}

static HOST_FN(packer_pack) {
  Packer *p = JS_GetOpaque2(ctx, self, packer_id);
  uint8_t *bytes;
  size_t size;
  if (!p || arg_bytes(ctx, ARG(0), &bytes, &size)) return JS_EXCEPTION;
  if (p->busy) return throw_errno(ctx, EBUSY, "pack", NULL);
  Pack *job = calloc(1, sizeof *job);
  size_t room = ZSTD_compressBound(size) + 1024;
  uint8_t *input = malloc(size + 1), *output = malloc(room);
  if (!job || !input || !output) {
    free(job), free(input), free(output);
    return JS_ThrowOutOfMemory(ctx);
  }
  memcpy(input, bytes, size);
  *job = (Pack){.work = {.run = pack_run, .result = pack_result, .destroy = pack_destroy}, .packer = p, .object = JS_DupValue(ctx, self), .input = input, .output = output, .size = size, .room = room};
  p->busy = true;
  return work_start(ctx, &job->work);
}

static HOST_FN(new_unpacker) {
  (void)self;
  size_t size = 0;
  CLEANUP_FREE uint8_t *prefix = NULL;
  if (copy_prefix(ctx, ARG(0), &prefix, &size)) return JS_EXCEPTION;
  Unpacker *u = calloc(1, sizeof *u);
  JSValue object = u && (u->d = ZSTD_createDCtx()) ? JS_NewObjectClass(ctx, (int)unpacker_id) : JS_ThrowOutOfMemory(ctx);
  if (JS_IsException(object)) {
    if (u) ZSTD_freeDCtx(u->d);
    free(u);
    return object;
  }
  ZSTD_DCtx_setParameter(u->d, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
  u->prefix = STEAL_PTR(prefix);
  if (u->prefix) ZSTD_DCtx_refPrefix(u->d, u->prefix, size);
  JS_SetOpaque(object, u);
  return object;
}

// All of `packed` must give exactly `size` bytes.
static HOST_FN(unpacker_unpack) {
  Unpacker *u = JS_GetOpaque2(ctx, self, unpacker_id);
  uint8_t *packed;
  size_t packed_size;
  int size;
  if (!u || arg_bytes(ctx, ARG(0), &packed, &packed_size) || arg_int(ctx, ARG(1), 0, &size)) return JS_EXCEPTION;
  if (!u->d) return throw_errno(ctx, ECANCELED, "unpack", NULL);
  if (size < 1 || size > GROUP_BYTES_MAX) return JS_ThrowRangeError(ctx, "size out of range");
  uint8_t *bytes = js_malloc(ctx, (size_t)size);
  if (!bytes) return JS_EXCEPTION;
  ZSTD_inBuffer in = {packed, packed_size, 0};
  ZSTD_outBuffer out = {bytes, (size_t)size, 0};
  const char *why = NULL;
  while (!why && (in.pos < in.size || out.pos < out.size)) {
    size_t before_in = in.pos, before_out = out.pos, r = ZSTD_decompressStream(u->d, &out, &in);
    if (ZSTD_isError(r)) why = ZSTD_getErrorName(r);
    else if (in.pos == before_in && out.pos == before_out) why = "a stream has another length than the group says";
  }
  uint8_t more; // that it may still hold back
  ZSTD_outBuffer rest = {&more, 1, 0};
  if (!why && (ZSTD_isError(ZSTD_decompressStream(u->d, &rest, &in)) || rest.pos)) why = "a stream is longer than the group says";
  if (why) {
    js_free(ctx, bytes);
    return delta_corrupt(ctx, why);
  }
  return new_bytes_take(ctx, bytes, (size_t)size);
}

static HOST_FN(unpacker_close) {
  (void)argc, (void)argv;
  Unpacker *u = JS_GetOpaque2(ctx, self, unpacker_id);
  if (!u) return JS_EXCEPTION;
  unpacker_free(u);
  return JS_UNDEFINED;
}

// --- playing ------------------------------------------------------------------------------------------------------------------------
typedef enum Stop { STOP_FULL, STOP_GROUP, STOP_FILE } Stop;

typedef struct Player {
  Stream lanes[LANE_COUNT], blocks;
  JSValue columns; // that headers come from; or undefined
  Headers *headers;
  uint8_t header[DELTA_BLOCK];
  int fd; // of the base file, which is the caller's
  uint64_t base_size, at, given, left, value;
  Op op; // that has bytes left
  Plan *plan;
  bool planned; // the base file has had its plan
  uint64_t window_at;
  size_t window_size;
  uint8_t window[64 * 1024]; // of the base file
} Player;

static void player_finalize(JSRuntime *rt, JSValue v) {
  Player *p = JS_GetOpaque(v, player_id);
  if (!p) return;
  streams_drop(rt, p->lanes, LANE_COUNT);
  streams_drop(rt, &p->blocks, 1);
  JS_FreeValueRT(rt, p->columns);
  plan_free(p->plan);
  free(p);
}

static void player_mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *visit) {
  Player *p = JS_GetOpaque(v, player_id);
  if (!p) return;
  streams_mark(rt, p->lanes, LANE_COUNT, visit);
  streams_mark(rt, &p->blocks, 1, visit);
  JS_MarkValue(rt, p->columns, visit);
}
static const JSClassDef player_def = {"Player", .finalizer = player_finalize, .gc_mark = player_mark};

static HOST_FN(new_player) {
  (void)self;
  Headers *headers = NULL;
  if (!JS_IsUndefined(ARG(0)) && !(headers = delta_headers_of(ctx, argv[0]))) return JS_EXCEPTION;
  Player *p = calloc(1, sizeof *p);
  JSValue object = p ? JS_NewObjectClass(ctx, (int)player_id) : JS_ThrowOutOfMemory(ctx);
  if (JS_IsException(object)) {
    free(p);
    return object;
  }
  streams_init(p->lanes, LANE_COUNT);
  streams_init(&p->blocks, 1);
  p->columns = headers ? JS_DupValue(ctx, argv[0]) : JS_UNDEFINED;
  p->headers = headers;
  p->fd = -1;
  JS_SetOpaque(object, p);
  return object;
}

static HOST_FN(player_group) {
  Player *p = JS_GetOpaque2(ctx, self, player_id);
  if (!p) return JS_EXCEPTION;
  if (p->left || !streams_used_up(p->lanes, LANE_COUNT) || !streams_used_up(&p->blocks, 1)) return delta_corrupt(ctx, "a group has more data than its instructions use");
  if (streams_take(ctx, p->lanes, LANE_COUNT, ARG(0))) return JS_EXCEPTION;
  streams_drop(JS_GetRuntime(ctx), &p->blocks, 1);
  return JS_IsUndefined(ARG(1)) || !stream_hold(ctx, &p->blocks, argv[1]) ? JS_UNDEFINED : JS_EXCEPTION;
}

static HOST_FN(player_base) {
  Player *p = JS_GetOpaque2(ctx, self, player_id);
  int fd;
  int64_t size;
  if (!p || arg_int(ctx, ARG(0), -1, &fd) || arg_i64(ctx, ARG(1), 0, &size)) return JS_EXCEPTION;
  p->fd = fd;
  p->base_size = size < 0 ? 0 : (uint64_t)size;
  p->at = p->window_at = 0;
  p->window_size = 0;
  plan_free(p->plan);
  p->plan = NULL;
  p->planned = false;
  return JS_UNDEFINED;
}

// Up to `size` bytes of the base file from where the player stands; 0 or a code.
static int base_bytes(Player *p, uint8_t *into, size_t size) {
  while (size > 0) {
    if (p->at < p->window_at || p->at >= p->window_at + p->window_size) {
      size_t direct = size >= sizeof p->window ? size : 0, wanted = direct ? direct : sizeof p->window;
      ssize_t n = pread(p->fd, direct ? into : p->window, wanted, (off_t)p->at);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno;
      if (n == 0) return ESTALE;
      if (direct) {
        into += n, size -= (size_t)n, p->at += (uint64_t)n;
        continue;
      }
      p->window_at = p->at;
      p->window_size = (size_t)n;
    }
    size_t skip = (size_t)(p->at - p->window_at), there = p->window_size - skip, n = size < there ? size : there;
    memcpy(into, p->window + skip, n);
    into += n, size -= n, p->at += n;
  }
  return 0;
}

// The same at another place, as plans ask for it.
static int base_read(void *with, uint8_t *into, size_t size, uint64_t at) {
  Player *p = with;
  if (at > p->base_size || size > p->base_size - at) return -ESTALE;
  uint64_t before = p->at;
  p->at = at;
  int r = base_bytes(p, into, size);
  p->at = before;
  return -r;
}

static int wrong(const char **why, const char *what) { return *why = what, -1; }

// Reads the next instruction: 0, an errno, or −1 and what is wrong with it.
static int next(Player *p, Stop *stop, const char **why) {
  Stream *lanes = p->lanes;
  *stop = STOP_FULL;
  if (lanes[LANE_OPS].at == lanes[LANE_OPS].size) return *stop = STOP_GROUP, 0;
  p->op = (Op)lanes[LANE_OPS].p[lanes[LANE_OPS].at++];
  uint64_t v = 0;
  switch (p->op) {
  case OP_HEADER:
    if (!p->headers || !delta_get_header(p->headers, p->header)) return wrong(why, "a header cannot be read");
    p->left = DELTA_BLOCK;
    return 0;
  case OP_BLOCKS:
    if (!stream_number(&lanes[LANE_RAWS], &v)) return wrong(why, "a number is cut short");
    if (v > p->blocks.size - p->blocks.at) return wrong(why, "blocks are missing");
    p->left = v;
    return 0;
  case OP_FILE:
    *stop = STOP_FILE;
    return stream_number(&lanes[LANE_MOVES], &p->value) ? 0 : wrong(why, "a number is cut short");
  case OP_REST:
    p->left = p->base_size - p->at;
    return 0;
  case OP_COPY:
  case OP_ADD:
    if (!stream_number(&lanes[LANE_LENGTHS], &v)) return wrong(why, "a number is cut short");
    if (v > p->base_size - p->at) return wrong(why, "an instruction reads beyond the base file");
    if (p->op == OP_ADD && v > lanes[LANE_DIFF].size - lanes[LANE_DIFF].at) return wrong(why, "differences are missing");
    p->left = v;
    return 0;
  case OP_RAW:
    if (!stream_number(&lanes[LANE_RAWS], &v)) return wrong(why, "a number is cut short");
    if (v > lanes[LANE_LITERAL].size - lanes[LANE_LITERAL].at) return wrong(why, "literal bytes are missing");
    p->left = v;
    return 0;
  case OP_SKIP: {
    if (!stream_number(&lanes[LANE_MOVES], &v)) return wrong(why, "a number is cut short");
    int64_t to = (int64_t)p->at + stream_signed(v);
    if (to < 0 || (uint64_t)to > p->base_size) return wrong(why, "an instruction moves out of the base file");
    p->at = (uint64_t)to;
    return 0;
  }
  case OP_PAD:
    p->left = -p->given & 511;
    return 0;
  case OP_LAYOUT:
    if (p->planned) return wrong(why, "a file has two plans");
    p->planned = true;
    return plan_new(&p->plan, p->base_size, base_read, p, &lanes[LANE_MOVES], why);
  case OP_PLAN:
    if (!p->plan) return wrong(why, "a plan has no layout");
    if (!stream_number(&lanes[LANE_RAWS], &v)) return wrong(why, "a number is cut short");
    return plan_add(p->plan, v, lanes, why);
  case OP_PLAY:
    if (!p->plan) return wrong(why, "a plan has no layout");
    return stream_number(&lanes[LANE_RAWS], &p->left) ? 0 : wrong(why, "a number is cut short");
  default:
    return wrong(why, "an instruction is unknown");
  }
}

static JSValue player_failed(JSContext *ctx, int r, const char *why) {
  if (r < 0) return delta_corrupt(ctx, why);
  if (r == ESTALE) return throw_code(ctx, "ESTALE", "read", NULL, "read: the base file is not what it was (ESTALE)");
  return throw_errno(ctx, r, "read", NULL);
}

// run(into, from) → where the bytes end; `stop` and `value` say why.
static HOST_FN(player_run) {
  Player *p = JS_GetOpaque2(ctx, self, player_id);
  uint8_t *out;
  size_t room, from, to;
  if (!p || arg_bytes(ctx, ARG(0), &out, &room) || arg_range(ctx, ARG(1), JS_UNDEFINED, room, &from, &to)) return JS_EXCEPTION;
  Stop stop = STOP_FULL;
  while (from < room && stop == STOP_FULL) {
    const char *why = NULL;
    if (!p->left) {
      int r = next(p, &stop, &why);
      if (r) return player_failed(ctx, r, why);
      continue;
    }
    size_t n = p->left < room - from ? (size_t)p->left : room - from;
    Stream *lane = p->op == OP_BLOCKS ? &p->blocks : &p->lanes[p->op == OP_ADD ? LANE_DIFF : LANE_LITERAL];
    if (p->op == OP_PLAY) {
      int r = plan_give(p->plan, p->lanes, base_read, p, out + from, n, &n, &why);
      if (!r && n == p->left && !plan_rests(p->plan)) r = wrong(&why, "a part of a plan ends too early");
      if (r) return player_failed(ctx, r, why);
    } else if (p->op == OP_HEADER) memcpy(out + from, p->header + DELTA_BLOCK - p->left, n);
    else if (p->op == OP_RAW || p->op == OP_BLOCKS) memcpy(out + from, lane->p + lane->at, n);
    else if (p->op == OP_PAD) memset(out + from, 0, n);
    else {
      int r = base_bytes(p, out + from, n);
      if (r) return player_failed(ctx, r, NULL);
    }
    if (p->op == OP_ADD)
      for (size_t i = 0; i < n; i++) out[from + i] += lane->p[lane->at + i];
    if (p->op == OP_ADD || p->op == OP_RAW || p->op == OP_BLOCKS) lane->at += n;
    p->left -= n;
    p->given += n;
    from += n;
  }
  JS_SetPropertyStr(ctx, self, "stop", JS_NewInt32(ctx, stop));
  return JS_NewInt64(ctx, (int64_t)from);
}

static JSValue player_value(JSContext *ctx, JSValueConst self) {
  Player *p = JS_GetOpaque2(ctx, self, player_id);
  return p ? JS_NewInt64(ctx, (int64_t)p->value) : JS_EXCEPTION;
}

// --- the module ------------------------------------------------------------------------------------------------------------------------
static const JSCFunctionListEntry packer_methods[] = {JS_CFUNC_DEF("pack", 1, packer_pack)};
static const JSCFunctionListEntry unpacker_methods[] = {JS_CFUNC_DEF("unpack", 2, unpacker_unpack), JS_CFUNC_DEF("close", 0, unpacker_close)};
static const JSCFunctionListEntry player_methods[] = {
    JS_CFUNC_DEF("group", 2, player_group), JS_CFUNC_DEF("base", 2, player_base), JS_CFUNC_DEF("run", 2, player_run), JS_CGETSET_DEF("value", player_value, NULL),
};

// The order of a text's suffixes, for tests.
static HOST_FN(sort_suffixes) {
  (void)self;
  uint8_t *p;
  size_t size;
  if (arg_bytes(ctx, ARG(0), &p, &size)) return JS_EXCEPTION;
  if (size > 1 << 24) return JS_ThrowRangeError(ctx, "too long");
  CLEANUP_FREE int32_t *order = malloc(sizeof *order * (size + 1));
  if (!order || delta_sort(p, order, (int32_t)size)) return JS_ThrowOutOfMemory(ctx);
  JSValue list = JS_NewArray(ctx);
  for (size_t i = 0; i < size; i++) JS_SetPropertyUint32(ctx, list, (uint32_t)i, JS_NewInt32(ctx, order[i]));
  return list;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("packer", 3, new_packer), JS_CFUNC_DEF("unpacker", 1, new_unpacker),        JS_CFUNC_DEF("player", 1, new_player),
    JS_CFUNC_DEF("diff", 4, delta_diff),   JS_CFUNC_DEF("fingerprint", 2, delta_fingerprint), JS_CFUNC_DEF("sortSuffixes", 1, sort_suffixes),
    JS_CFUNC_DEF("headers", 0, delta_headers),
};

static int init(JSContext *ctx, JSModuleDef *m) { return JS_SetModuleExportList(ctx, m, functions, COUNT(functions)); }

int mod_delta(JSContext *ctx) {
  if (class_define(ctx, &packer_id, &packer_def, packer_methods, COUNT(packer_methods)) ||
      class_define(ctx, &unpacker_id, &unpacker_def, unpacker_methods, COUNT(unpacker_methods)) ||
      class_define(ctx, &player_id, &player_def, player_methods, COUNT(player_methods)) || delta_header_class(ctx))
    return -1;
  return module_define(ctx, "host:delta", functions, COUNT(functions), init, NULL, 0);
}
