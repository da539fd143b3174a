// The streams that instructions and columns are read from: byte arrays of JS that are held as long as they are in use.
#include <stdio.h>

#include "delta.h"

JSValue delta_corrupt(JSContext *ctx, const char *why) {
  char message[120];
  snprintf(message, sizeof message, "delta: damaged data: %s (CORRUPT)", why);
  return throw_code(ctx, "CORRUPT", "delta", NULL, message);
}

void streams_init(Stream *streams, int count) {
  for (int i = 0; i < count; i++) streams[i] = (Stream){.held = JS_UNDEFINED};
}

void streams_drop(JSRuntime *rt, Stream *streams, int count) {
  for (int i = 0; i < count; i++) JS_FreeValueRT(rt, streams[i].held);
  streams_init(streams, count);
}

void streams_mark(JSRuntime *rt, Stream *streams, int count, JS_MarkFunc *visit) {
  for (int i = 0; i < count; i++) JS_MarkValue(rt, streams[i].held, visit);
}

bool streams_used_up(const Stream *streams, int count) {
  for (int i = 0; i < count; i++)
    if (streams[i].at < streams[i].size) return false;
  return true;
}

int stream_hold(JSContext *ctx, Stream *s, JSValueConst v) {
  uint8_t *bytes;
  size_t size;
  if (arg_bytes(ctx, v, &bytes, &size)) return -1;
  *s = (Stream){.held = JS_DupValue(ctx, v), .p = bytes, .size = size};
  return 0;
}

int streams_take(JSContext *ctx, Stream *streams, int count, JSValueConst list) {
  streams_drop(JS_GetRuntime(ctx), streams, count);
  for (int i = 0; i < count; i++) {
    JSValue v = JS_GetPropertyUint32(ctx, list, (uint32_t)i);
    int r = stream_hold(ctx, &streams[i], v);
    JS_FreeValue(ctx, v);
    if (r) return -1;
  }
  return 0;
}

bool stream_bytes(Stream *s, uint8_t *into, size_t size) {
  if (size > s->size - s->at) return false;
  memcpy(into, s->p + s->at, size);
  s->at += size;
  return true;
}

bool stream_number(Stream *s, uint64_t *value) {
  *value = 0;
  for (unsigned shift = 0; shift < 56 && s->at < s->size; shift += 7) {
    uint8_t byte = s->p[s->at++];
    *value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return *value <= DELTA_NUMBER_MAX;
  }
  return false;
}
