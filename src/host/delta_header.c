// host:delta's columns of tar headers: each field in a stream of its own, as a difference to the header before.
#include "delta.h"

#define BLOCK DELTA_BLOCK
#define NAME_ROOM 100
typedef enum Column { COLUMN_NAMES, COLUMN_MASKS, COLUMN_FIELDS, COLUMN_SIZES, COLUMN_TIMES, COLUMN_COUNT } Column;
// docs/delta-format.md, "Headers": bits of the mask
enum { BIT_TYPE = 1, BIT_FIELDS = 2, BIT_SIZE = 1 << 10, BIT_TIME = 1 << 11, BIT_CHECKSUM = 1 << 12, BIT_NAME = 1 << 13, BIT_ALL = 0x3fff & ~(1 << 9) };

typedef struct Field {
  uint16_t at, size;
} Field;
// What is kept from the header before unless the mask says otherwise; the first has BIT_FIELDS, the next one twice that, and so on.
static const Field fields[] = {{100, 8}, {108, 16}, {157, 100}, {257, 8}, {265, 64}, {329, 16}, {345, 155}, {500, 12}};
static const Field size_field = {124, 12}, time_field = {136, 12}, checksum_field = {148, 8}, name_field = {0, NAME_ROOM};

typedef struct Kind { // of entries, or of headers that extend the next one
  uint8_t block[BLOCK];
  char name[NAME_ROOM + 1];
  uint64_t time;
} Kind;

struct Headers {
  Kind kinds[2];
  uint8_t type;
  Buffer out[COLUMN_COUNT];
  Stream in[COLUMN_COUNT];
};

static JSClassID headers_id;

static void finalize(JSRuntime *rt, JSValue v) {
  Headers *h = JS_GetOpaque(v, headers_id);
  if (!h) return;
  streams_drop(rt, h->in, COLUMN_COUNT);
  for (int i = 0; i < COLUMN_COUNT; i++) free(h->out[i].p);
  free(h);
}

static void mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *visit) {
  Headers *h = JS_GetOpaque(v, headers_id);
  if (h) streams_mark(rt, h->in, COLUMN_COUNT, visit);
}
static const JSClassDef headers_def = {"Headers", .finalizer = finalize, .gc_mark = mark};

static int kind_of(uint8_t type) { return type == 'x' || type == 'g' || type == 'L' || type == 'K'; }

// Eleven octal digits and a NUL, as everybody writes them; anything else stays as it is.
static bool canonical_number(const uint8_t *p, uint64_t *value) {
  *value = 0;
  for (int i = 0; i < 11; i++) {
    if (p[i] < '0' || p[i] > '7') return false;
    *value = *value * 8 + (uint64_t)(p[i] - '0');
  }
  return p[11] == 0;
}

static void write_number(uint8_t *p, uint64_t value) {
  for (int i = 10; i >= 0; i--, value /= 8) p[i] = (uint8_t)('0' + value % 8);
  p[11] = 0;
}

static uint32_t checksum(const uint8_t *block) {
  uint32_t sum = 8 * ' ';
  for (int i = 0; i < BLOCK; i++)
    if (i < checksum_field.at || i >= checksum_field.at + checksum_field.size) sum += block[i];
  return sum;
}

static void write_checksum(uint8_t *p, uint32_t sum) {
  for (int i = 5; i >= 0; i--, sum /= 8) p[i] = (uint8_t)('0' + sum % 8);
  p[6] = 0, p[7] = ' ';
}

static bool is_header(const uint8_t *block) {
  uint32_t stored = 0;
  int digits = 0;
  for (int i = 0; i < 8; i++) {
    uint8_t c = block[checksum_field.at + i];
    if (c >= '0' && c <= '7') stored = stored * 8 + (uint32_t)(c - '0'), digits++;
    else if (c != 0 && c != ' ') return false;
  }
  return digits > 0 && stored == checksum(block);
}

static int put_number(Buffer *b, uint64_t value) {
  uint8_t bytes[10];
  size_t n = 0;
  for (; value >= 128; value >>= 7) bytes[n++] = (uint8_t)(value | 128);
  bytes[n++] = (uint8_t)value;
  return buffer_add(b, bytes, n);
}

// Without the zeros at its end.
static int put_field(Headers *h, const uint8_t *block, Field f) {
  uint8_t n = (uint8_t)f.size;
  while (n > 0 && !block[f.at + n - 1]) n--;
  return buffer_add(&h->out[COLUMN_FIELDS], &n, 1) || buffer_add(&h->out[COLUMN_FIELDS], block + f.at, n) ? -ENOMEM : 0;
}

// How many parts of the name before fall away, and what comes instead.
static int put_name(Headers *h, const char *before, const char *name) {
  size_t same = 0;
  while (before[same] && before[same] == name[same]) same++;
  while (same > 0 && before[same - 1] != '/') same--;
  uint8_t pops = 0;
  for (const char *c = before + same; *c; c++) pops += *c == '/';
  return buffer_add(&h->out[COLUMN_NAMES], &pops, 1) || buffer_add(&h->out[COLUMN_NAMES], name + same, strlen(name + same) + 1) ? -ENOMEM : 0;
}

static int put_header(Headers *h, const uint8_t *block) {
  Kind *k = &h->kinds[kind_of(block[156])];
  uint32_t mask = 0;
  uint64_t size, when;
  char name[NAME_ROOM + 1] = {0};
  memcpy(name, block, NAME_ROOM);
  for (size_t i = strlen(name); i < NAME_ROOM; i++)
    if (block[i]) mask |= BIT_NAME;
  if (block[156] != h->type) mask |= BIT_TYPE;
  for (size_t i = 0; i < COUNT(fields); i++)
    if (memcmp(block + fields[i].at, k->block + fields[i].at, fields[i].size)) mask |= (uint32_t)BIT_FIELDS << i;
  if (!canonical_number(block + size_field.at, &size)) mask |= BIT_SIZE;
  if (!canonical_number(block + time_field.at, &when)) mask |= BIT_TIME;
  uint8_t usual[8];
  write_checksum(usual, checksum(block));
  if (memcmp(usual, block + checksum_field.at, sizeof usual)) mask |= BIT_CHECKSUM;

  uint8_t bytes[2] = {(uint8_t)mask, (uint8_t)(mask >> 8)};
  int r = buffer_add(&h->out[COLUMN_MASKS], bytes, 2);
  if (mask & BIT_TYPE) r |= buffer_add(&h->out[COLUMN_FIELDS], block + 156, 1);
  if (mask & BIT_NAME) r |= put_field(h, block, name_field);
  else r |= put_name(h, k->name, name);
  for (size_t i = 0; i < COUNT(fields); i++)
    if (mask & (uint32_t)BIT_FIELDS << i) r |= put_field(h, block, fields[i]);
  r |= mask & BIT_SIZE ? put_field(h, block, size_field) : put_number(&h->out[COLUMN_SIZES], size);
  if (mask & BIT_TIME) r |= put_field(h, block, time_field);
  else {
    int64_t by = (int64_t)(when - k->time);
    r |= put_number(&h->out[COLUMN_TIMES], (uint64_t)by << 1 ^ (uint64_t)(by >> 63));
    k->time = when;
  }
  if (mask & BIT_CHECKSUM) r |= put_field(h, block, checksum_field);
  h->type = block[156];
  memcpy(k->block, block, BLOCK);
  memcpy(k->name, name, sizeof name);
  return r;
}

// --- and back -------------------------------------------------------------------------------------------------------------------------
static bool get_field(Headers *h, uint8_t *block, Field f) {
  uint8_t n;
  if (!stream_bytes(&h->in[COLUMN_FIELDS], &n, 1) || n > f.size || !stream_bytes(&h->in[COLUMN_FIELDS], block + f.at, n)) return false;
  memset(block + f.at + n, 0, f.size - n);
  return true;
}

static bool get_name(Headers *h, char *name) {
  Stream *in = &h->in[COLUMN_NAMES];
  uint8_t pops;
  if (!stream_bytes(in, &pops, 1)) return false;
  size_t keep = strlen(name);
  for (;; keep--) {
    if (keep == 0) break;
    if (name[keep - 1] == '/' && pops-- == 0) break;
  }
  const uint8_t *end = memchr(in->p + in->at, 0, in->size - in->at);
  size_t more = end ? (size_t)(end - (in->p + in->at)) : 0;
  if (!end || keep + more > NAME_ROOM) return false;
  memcpy(name + keep, in->p + in->at, more);
  memset(name + keep + more, 0, NAME_ROOM + 1 - keep - more);
  in->at += more + 1;
  return true;
}

bool delta_get_header(Headers *h, uint8_t block[DELTA_BLOCK]) {
  uint8_t bytes[2], type = h->type;
  if (!stream_bytes(&h->in[COLUMN_MASKS], bytes, 2)) return false;
  uint32_t mask = (uint32_t)(bytes[0] | bytes[1] << 8);
  if (mask & ~(uint32_t)BIT_ALL || ((mask & BIT_TYPE) && !stream_bytes(&h->in[COLUMN_FIELDS], &type, 1))) return false;
  Kind *k = &h->kinds[kind_of(type)];
  memcpy(block, k->block, BLOCK);
  block[156] = type;
  if (mask & BIT_NAME) {
    if (!get_field(h, block, name_field)) return false;
    memset(k->name, 0, sizeof k->name);
    memcpy(k->name, block, NAME_ROOM);
    // as a text it ends at its first zero
    size_t n = strlen(k->name);
    memset(k->name + n, 0, sizeof k->name - n);
  } else {
    if (!get_name(h, k->name)) return false;
    memcpy(block, k->name, NAME_ROOM);
  }
  for (size_t i = 0; i < COUNT(fields); i++)
    if ((mask & (uint32_t)BIT_FIELDS << i) && !get_field(h, block, fields[i])) return false;
  uint64_t value;
  if (mask & BIT_SIZE) {
    if (!get_field(h, block, size_field)) return false;
  } else {
    if (!stream_number(&h->in[COLUMN_SIZES], &value)) return false;
    write_number(block + size_field.at, value);
  }
  if (mask & BIT_TIME) {
    if (!get_field(h, block, time_field)) return false;
  } else {
    if (!stream_number(&h->in[COLUMN_TIMES], &value)) return false;
    k->time = (k->time + ((value >> 1) ^ -(value & 1))) & DELTA_NUMBER_MAX;
    write_number(block + time_field.at, k->time);
  }
  if (mask & BIT_CHECKSUM) {
    if (!get_field(h, block, checksum_field)) return false;
  } else write_checksum(block + checksum_field.at, checksum(block));
  h->type = type;
  memcpy(k->block, block, BLOCK);
  return true;
}

// --- methods ---------------------------------------------------------------------------------------------------------------------------
HOST_FN(delta_headers) {
  (void)self, (void)argc, (void)argv;
  Headers *h = calloc(1, sizeof *h);
  JSValue object = h ? JS_NewObjectClass(ctx, (int)headers_id) : JS_ThrowOutOfMemory(ctx);
  if (JS_IsException(object)) {
    free(h);
    return object;
  }
  streams_init(h->in, COLUMN_COUNT);
  JS_SetOpaque(object, h);
  return object;
}

Headers *delta_headers_of(JSContext *ctx, JSValueConst v) { return JS_GetOpaque2(ctx, v, headers_id); }

static HOST_FN(put) {
  Headers *h = JS_GetOpaque2(ctx, self, headers_id);
  uint8_t *p;
  size_t size, from, to;
  if (!h || arg_bytes(ctx, ARG(0), &p, &size) || arg_range(ctx, ARG(1), JS_UNDEFINED, size, &from, &to)) return JS_EXCEPTION;
  if (to - from < BLOCK || !is_header(p + from)) return JS_FALSE;
  return put_header(h, p + from) ? JS_ThrowOutOfMemory(ctx) : JS_TRUE;
}

static HOST_FN(take) {
  (void)argc, (void)argv;
  Headers *h = JS_GetOpaque2(ctx, self, headers_id);
  if (!h) return JS_EXCEPTION;
  JSValue list = JS_NewArray(ctx);
  for (int i = 0; i < COLUMN_COUNT; i++) {
    JS_SetPropertyUint32(ctx, list, (uint32_t)i, new_bytes(ctx, h->out[i].p, h->out[i].size));
    free(h->out[i].p);
    h->out[i] = (Buffer){0};
  }
  return list;
}

static HOST_FN(group) {
  Headers *h = JS_GetOpaque2(ctx, self, headers_id);
  if (!h) return JS_EXCEPTION;
  if (!streams_used_up(h->in, COLUMN_COUNT)) return delta_corrupt(ctx, "columns are left over");
  return streams_take(ctx, h->in, COLUMN_COUNT, ARG(0)) ? JS_EXCEPTION : JS_UNDEFINED;
}

static HOST_FN(get) {
  Headers *h = JS_GetOpaque2(ctx, self, headers_id);
  uint8_t *p, block[BLOCK];
  size_t size, from, to;
  if (!h || arg_bytes(ctx, ARG(0), &p, &size) || arg_range(ctx, ARG(1), JS_UNDEFINED, size, &from, &to)) return JS_EXCEPTION;
  if (to - from < BLOCK) return JS_ThrowRangeError(ctx, "a header takes 512 bytes");
  if (!delta_get_header(h, block)) return delta_corrupt(ctx, "a header cannot be read");
  memcpy(p + from, block, BLOCK);
  return JS_UNDEFINED;
}

static JSValue get_pending(JSContext *ctx, JSValueConst self) {
  Headers *h = JS_GetOpaque2(ctx, self, headers_id);
  size_t size = 0;
  for (int i = 0; h && i < COLUMN_COUNT; i++) size += h->out[i].size;
  return h ? JS_NewInt64(ctx, (int64_t)size) : JS_EXCEPTION;
}

static const JSCFunctionListEntry methods[] = {
    JS_CFUNC_DEF("put", 2, put), JS_CFUNC_DEF("take", 0, take), JS_CFUNC_DEF("group", 1, group), JS_CFUNC_DEF("get", 2, get), JS_CGETSET_DEF("pendingBytes", get_pending, NULL),
};

int delta_header_class(JSContext *ctx) { return class_define(ctx, &headers_id, &headers_def, methods, COUNT(methods)); }
