// What the files of host:delta share: streams of instructions, and sorting.
#ifndef HOST_DELTA_H
#define HOST_DELTA_H

#include "host.h"

// docs/delta-format.md, "Instructions": the numbers are the format's.
typedef enum Op { OP_HEADER, OP_BLOCKS, OP_FILE, OP_REST, OP_COPY, OP_ADD, OP_RAW, OP_SKIP, OP_PAD, OP_COUNT } Op;
// The streams that content is made of, in the format's order.
typedef enum Lane { LANE_OPS, LANE_LENGTHS, LANE_RAWS, LANE_MOVES, LANE_DIFF, LANE_LITERAL, LANE_COUNT } Lane;

#define DELTA_NUMBER_MAX ((UINT64_C(1) << 53) - 1)

// Suffix array of bytes; n < 2^31. 0 or -ENOMEM.
int delta_sort(const uint8_t *text, int32_t *order, int32_t n);

HOST_FN(delta_diff);        // delta_diff.c
HOST_FN(delta_fingerprint); // delta_diff.c
HOST_FN(delta_headers);     // delta_header.c
int delta_header_class(JSContext *ctx);

#endif
