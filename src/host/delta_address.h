// Predicting addresses in executables (docs/delta-format.md, "Addresses"): from the bytes of the old program, and from where its pieces stand in the
// new one, what the new one's branches, references and pointers are. Both sides do the same. Nothing here knows JavaScript.
#ifndef HOST_DELTA_ADDRESS_H
#define HOST_DELTA_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_SPANS 24
#define ADDRESS_PIECES_MAX (1 << 18)
#define ADDRESS_FILE_MAX UINT64_C(0x7fffffff)
#define ADDRESS_HEAD 4096         // bytes of a file that layout_read() looks at
#define ADDRESS_BLOCK (16 * 1024) // a piece is predicted in blocks, each by itself

typedef enum SpanKind { SPAN_DATA, SPAN_CODE, SPAN_FRAMES, SPAN_UNWIND } SpanKind;

// What the program loads, and tables in that.
typedef struct Span {
  SpanKind kind;
  uint64_t offset, address, size, memory;
} Span;

typedef struct Layout {
  int machine, bits, count;
  Span spans[ADDRESS_SPANS];
} Layout;

// `length` bytes at `old` are more or less those at `new`.
typedef struct Piece {
  uint32_t old, new, length;
} Piece;

// Bytes of the old file; 0 or a negative errno.
typedef int (*AddressRead)(void *with, uint8_t *into, size_t size, uint64_t at);
typedef struct Addresses Addresses;

// Program headers of an ELF file, from its first bytes. False when addresses in it cannot be predicted.
bool layout_read(Layout *l, const uint8_t *head, size_t size);
// That no span is beyond what can be predicted: for one that was put together.
bool layout_possible(const Layout *l);
// The same but for what stands where: one can be written as a difference to the other.
bool layout_alike(const Layout *a, const Layout *b);
// The pieces are in the new file's order and stay the caller's. 0, -ENOMEM, or what `read` said.
int addresses_new(Addresses **made, const Layout *old, const Layout *new, const Piece *pieces, size_t count, AddressRead read, void *with);
void addresses_free(Addresses *a);
// One block of piece `number`, `from` bytes behind its beginning, whose old bytes are given. Encoding: `in` is the new bytes, `out` their differences
// to what is predicted; decoding the other way round.
void addresses_block(Addresses *a, size_t number, uint32_t from, const uint8_t *old, const uint8_t *in, uint8_t *out, size_t size, bool decode);
// All of the old file (of the size that every piece lies in) as it is predicted where its pieces go; nothing is learned from then on.
void addresses_moved(Addresses *a, const uint8_t *old, uint8_t *out, uint32_t size);

#endif
