// What the files of host:delta share: streams of instructions (delta_streams.c), and sorting (delta_sort.c).
#ifndef HOST_DELTA_H
#define HOST_DELTA_H

#include "host.h"

// docs/delta-format.md, "Instructions": the numbers are the format's.
typedef enum Op { OP_HEADER, OP_BLOCKS, OP_FILE, OP_REST, OP_COPY, OP_ADD, OP_RAW, OP_SKIP, OP_PAD, OP_LAYOUT, OP_PLAN, OP_PLAY } Op;
// The streams that content is made of, in the format's order.
typedef enum Lane { LANE_OPS, LANE_LENGTHS, LANE_RAWS, LANE_MOVES, LANE_DIFF, LANE_LITERAL, LANE_GAPS, LANE_COUNT } Lane;

#define DELTA_NUMBER_MAX ((UINT64_C(1) << 53) - 1)

// A byte array of JS that is read from `at` on.
typedef struct Stream {
  JSValue held;
  const uint8_t *p;
  size_t size, at;
} Stream;

void streams_init(Stream *streams, int count);
void streams_drop(JSRuntime *rt, Stream *streams, int count);
void streams_mark(JSRuntime *rt, Stream *streams, int count, JS_MarkFunc *visit);
bool streams_used_up(const Stream *streams, int count);
// An empty stream gets a byte array of JS. 0, or -1 with an exception.
int stream_hold(JSContext *ctx, Stream *s, JSValueConst bytes);
// Instead of what was there, from a JS array of byte arrays. 0, or -1 with an exception.
int streams_take(JSContext *ctx, Stream *streams, int count, JSValueConst list);
// False when the stream ends before.
bool stream_bytes(Stream *s, uint8_t *into, size_t size);
// Seven bits a byte, the lowest first; false also above DELTA_NUMBER_MAX.
bool stream_number(Stream *s, uint64_t *value);
// What a number stands for that has its sign in the lowest bit.
static inline int64_t stream_signed(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }
// Throws 'CORRUPT'.
JSValue delta_corrupt(JSContext *ctx, const char *why);

// Suffix array of bytes; n < 2^31. 0 or -ENOMEM.
int delta_sort(const uint8_t *text, int32_t *order, int32_t n);

// Stretches of the new bytes, in order, that resemble old ones; what lies between them resembles nothing. `order` is the old bytes' suffix array.
// Stops when `found` returns something else than 0, and returns that.
typedef int (*MatchFound)(void *with, int64_t old_at, int64_t new_at, int64_t size);
int delta_match(const uint8_t *old, int64_t old_size, const uint8_t *new, int64_t new_size, const int32_t *order, MatchFound found, void *with);

HOST_FN(delta_diff);        // delta_diff.c
HOST_FN(delta_fingerprint); // delta_diff.c
HOST_FN(delta_headers);     // delta_header.c
int delta_header_class(JSContext *ctx);

#define DELTA_BLOCK 512
typedef struct Headers Headers;
// NULL with an exception when it is something else.
Headers *delta_headers_of(JSContext *ctx, JSValueConst v);
// The next header of the columns; false when they hold none.
bool delta_get_header(Headers *h, uint8_t block[DELTA_BLOCK]);

#endif
