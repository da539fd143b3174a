// Predicting addresses in executables; see the header.
#include "delta_address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEARNED_BITS 16
#define NEAR_BITS 13 // tables of what is near to an address: in the same 256 bytes, on the same page
#define TRUST_MAX 8
#define FRAMES_MAX (UINT64_C(64) << 20)
#define ADDRESS_MAX (UINT64_C(1) << 48)
#define ADDRESS_MEMORY_MAX (UINT64_C(1) << 40)

enum { EM_386 = 3, EM_ARM = 40, EM_X86_64 = 62, EM_AARCH64 = 183 };
enum { PT_LOAD = 1, PT_GNU_EH_FRAME = 0x6474e550, PT_ARM_EXIDX = 0x70000001, PF_X = 1 };

// Programs are little-endian here, the machine that reads them need not be.
static inline uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline uint32_t get32(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }
static inline uint64_t get64(const uint8_t *p) { return get32(p) | (uint64_t)get32(p + 4) << 32; }
static inline void put16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8); }
static inline void put32(uint8_t *p, uint64_t v) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}
static inline void put64(uint8_t *p, uint64_t v) { put32(p, v), put32(p + 4, v >> 32); }
// The lowest `bits` as a signed number.
static inline int64_t signed_of(uint64_t v, int bits) { return (int64_t)(v << (64 - bits)) >> (64 - bits); }

// --- what stands where ------------------------------------------------------------------------------------------------------------
bool layout_possible(const Layout *l) {
  for (int i = 0; i < l->count; i++) {
    const Span *s = &l->spans[i];
    if (s->offset > ADDRESS_FILE_MAX || s->size > ADDRESS_FILE_MAX || s->memory > ADDRESS_MEMORY_MAX || s->address > ADDRESS_MAX) return false;
  }
  return true;
}

bool layout_read(Layout *l, const uint8_t *head, size_t size) {
  *l = (Layout){0};
  if (size < 52 || memcmp(head, "\177ELF", 4) || head[5] != 1) return false;
  l->bits = head[4] == 2 ? 64 : head[4] == 1 ? 32 : 0;
  l->machine = get16(head + 18);
  bool wide = l->bits == 64;
  if (wide ? l->machine != EM_X86_64 && l->machine != EM_AARCH64 : l->bits != 32 || (l->machine != EM_386 && l->machine != EM_ARM)) return false;
  if (wide && size < 64) return false;
  uint64_t table = wide ? get64(head + 32) : get32(head + 28);
  size_t each = get16(head + (wide ? 54 : 42)), count = get16(head + (wide ? 56 : 44));
  if (each != (wide ? 56u : 32u) || table > size || count > (size - table) / each) return false;
  bool loaded = false;
  for (size_t i = 0; i < count; i++) {
    const uint8_t *p = head + table + i * each;
    uint32_t type = get32(p), flags = get32(p + (wide ? 4 : 24));
    if (type != PT_LOAD && type != PT_GNU_EH_FRAME && type != PT_ARM_EXIDX) continue;
    if (l->count == ADDRESS_SPANS) return false;
    Span s = {.kind = type == PT_GNU_EH_FRAME ? SPAN_FRAMES : type == PT_ARM_EXIDX ? SPAN_UNWIND : flags & PF_X ? SPAN_CODE : SPAN_DATA};
    s.offset = wide ? get64(p + 8) : get32(p + 4);
    s.address = wide ? get64(p + 16) : get32(p + 8);
    s.size = wide ? get64(p + 32) : get32(p + 16);
    s.memory = wide ? get64(p + 40) : get32(p + 20);
    loaded |= type == PT_LOAD;
    l->spans[l->count++] = s;
  }
  return loaded && layout_possible(l);
}

bool layout_alike(const Layout *a, const Layout *b) {
  bool alike = a->machine == b->machine && a->bits == b->bits && a->count == b->count;
  for (int i = 0; alike && i < a->count; i++) alike = a->spans[i].kind == b->spans[i].kind;
  return alike;
}

static inline bool loads(const Span *s) { return s->kind == SPAN_DATA || s->kind == SPAN_CODE; }

static const Span *at_offset(const Layout *l, uint64_t offset) {
  for (int i = 0; i < l->count; i++)
    if (loads(&l->spans[i]) && offset - l->spans[i].offset < l->spans[i].size) return &l->spans[i];
  return NULL;
}

static const Span *table_of(const Layout *l, SpanKind kind) {
  for (int i = 0; i < l->count; i++)
    if (l->spans[i].kind == kind) return &l->spans[i];
  return NULL;
}

// --- where old bytes went -----------------------------------------------------------------------------------------------------------
typedef struct Shift { // of all old bytes from `start` on, up to the next one
  uint32_t start, by;
} Shift;

typedef struct Learned { // that `old`, plus one, has become `new`
  uint64_t old, new;
} Learned;

struct Addresses {
  Layout old, new;
  const Piece *pieces, *piece;
  Shift *shifts;
  size_t shift_count;
  uint64_t lowest, highest, new_highest;
  bool settled; // nothing more is learned
  const Span *table, *new_table, *unwind; // .eh_frame_hdr and .ARM.exidx
  uint64_t frames_at, frames_end;         // .eh_frame in the old file
  uint8_t *frames;                        // a bit for each four bytes: here a frame begins
  Learned learned[1 << LEARNED_BITS], nearby[1 << NEAR_BITS];
  int8_t trust[1 << NEAR_BITS]; // above zero: what was learned nearby says more than the pieces
};

static int by_old(const void *a, const void *b) {
  const Piece *p = a, *q = b;
  if (p->old != q->old) return p->old < q->old ? -1 : 1;
  return p->new < q->new ? -1 : p->new > q->new;
}

// The longer piece comes first, of two equally long ones that with the lower place in the old file, then in the new.
static bool before(const Piece *p, const Piece *q) { return p->length != q->length ? p->length > q->length : by_old(p, q) < 0; }

static void sink(const Piece **heap, size_t count, size_t i) {
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= count) return;
    if (child + 1 < count && before(heap[child + 1], heap[child])) child++;
    if (!before(heap[child], heap[i])) return;
    const Piece *p = heap[i];
    heap[i] = heap[child], heap[child] = p;
    i = child;
  }
}

static void add_shift(Addresses *a, uint32_t start, uint32_t by) {
  if (a->shift_count && a->shifts[a->shift_count - 1].by == by) return;
  if (a->shift_count && a->shifts[a->shift_count - 1].start == start) a->shift_count--;
  a->shifts[a->shift_count++] = (Shift){start, by};
}

// Each old byte goes with the longest piece that has it; those that none has go with the ones before them.
static int paint(Addresses *a, const Piece *pieces, size_t count) {
  if (!count) return 0;
  Piece *sorted = malloc(sizeof *sorted * (count + 1));
  const Piece **heap = malloc(sizeof(Piece *) * (count + 1));
  a->shifts = malloc(sizeof *a->shifts * (2 * count + 1));
  if (!sorted || !heap || !a->shifts) {
    free(sorted), free(heap);
    return -ENOMEM;
  }
  memcpy(sorted, pieces, sizeof *sorted * count);
  qsort(sorted, count, sizeof *sorted, by_old);
  size_t next = 0, held = 0;
  for (uint32_t at = 0; next < count || held;) {
    if (!held) at = sorted[next].old;
    for (; next < count && sorted[next].old <= at; next++) {
      size_t i = held++;
      heap[i] = &sorted[next];
      for (; i && before(heap[i], heap[(i - 1) / 2]); i = (i - 1) / 2) {
        const Piece *p = heap[i];
        heap[i] = heap[(i - 1) / 2], heap[(i - 1) / 2] = p;
      }
    }
    const Piece *top = heap[0];
    if (top->old + top->length <= at) {
      heap[0] = heap[--held];
      sink(heap, held, 0);
      continue;
    }
    add_shift(a, at, top->new - top->old);
    // Until it ends, or another one begins, which may be longer.
    at = top->old + top->length;
    if (next < count && sorted[next].old < at) at = sorted[next].old;
  }
  free(sorted), free(heap);
  return 0;
}

static uint64_t moved(const Addresses *a, uint64_t offset) {
  if (offset - a->piece->old < a->piece->length) return offset + (uint32_t)(a->piece->new - a->piece->old);
  size_t low = 0, high = a->shift_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (a->shifts[middle].start <= offset) low = middle + 1;
    else high = middle;
  }
  return low ? offset + a->shifts[low - 1].by : offset;
}

static inline size_t slot_of(uint64_t key, int bits) { return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits)); }

// What the pieces, and the ends of spans, make of an address.
static bool by_pieces(const Addresses *a, uint64_t address, uint64_t *to) {
  for (int i = 0; i < a->old.count; i++) {
    const Span *s = &a->old.spans[i], *n = &a->new.spans[i];
    if (!loads(s) || address - s->address >= s->memory) continue;
    if (address - s->address >= s->size) return *to = address - (s->address + s->memory) + n->address + n->memory, true;
    uint64_t offset = (uint32_t)moved(a, address - s->address + s->offset);
    const Span *there = at_offset(&a->new, offset);
    if (!there) return false;
    return *to = offset - there->offset + there->address, true;
  }
  return false;
}

// What the last address that was learned in the same 256 bytes, or those before, makes of it.
static bool by_neighbour(const Addresses *a, uint64_t address, uint64_t *to) {
  for (uint64_t key = address >> 8, i = 0; i < 2; i++, key--) {
    const Learned *near = &a->nearby[slot_of(key, NEAR_BITS)];
    if (near->old == key + 1) return *to = address + near->new, true;
  }
  return false;
}

// What an old address is now.
static bool mapped(const Addresses *a, uint64_t address, uint64_t *to) {
  const Learned *known = &a->learned[slot_of(address, LEARNED_BITS)];
  if (known->old == address + 1) return *to = known->new, true;
  if (a->trust[slot_of(address >> 12, NEAR_BITS)] > 0 && by_neighbour(a, address, to)) return true;
  return by_pieces(a, address, to);
}

static void learn(Addresses *a, uint64_t old, uint64_t new) {
  if (new >= a->new_highest || a->settled) return;
  Learned *known = &a->learned[slot_of(old, LEARNED_BITS)], *near = &a->nearby[slot_of(old >> 8, NEAR_BITS)];
  if (known->old != old + 1) {
    uint64_t to;
    int8_t *trust = &a->trust[slot_of(old >> 12, NEAR_BITS)];
    bool neighbour = by_neighbour(a, old, &to) && to == new, pieces = by_pieces(a, old, &to) && to == new;
    if (neighbour && !pieces && *trust < TRUST_MAX) ++*trust;
    if (pieces && !neighbour && *trust > -TRUST_MAX) --*trust;
  }
  *known = (Learned){old + 1, new};
  *near = (Learned){(old >> 8) + 1, new - old};
}

// --- frames -------------------------------------------------------------------------------------------------------------------------
// Marks every record of .eh_frame, which are chained by their lengths.
static int mark_frames(Addresses *a, AddressRead read, void *with) {
  uint8_t head[8], chunk[4096];
  const Span *t = a->table;
  if (!t || t->size < 12 || !at_offset(&a->old, t->offset) || read(with, head, 8, t->offset)) return 0;
  if (head[0] != 1 || head[1] != 0x1b || head[3] != 0x3b) return a->table = NULL, 0;
  uint64_t address = t->address + 4 + (uint64_t)signed_of(get32(head + 4), 32);
  const Span *s = NULL;
  for (int i = 0; i < a->old.count; i++)
    if (loads(&a->old.spans[i]) && address - a->old.spans[i].address < a->old.spans[i].size) s = &a->old.spans[i];
  if (!s) return 0;
  uint64_t at = address - s->address + s->offset, end = s->offset + s->size, have_at = 0, have = 0;
  if (end - at > FRAMES_MAX) end = at + FRAMES_MAX;
  if (at & 3) return 0;
  a->frames = calloc((size_t)((end - at) / 32 + 1), 1);
  if (!a->frames) return -ENOMEM;
  a->frames_at = at;
  while (at + 8 <= end) {
    if (at < have_at || at + 4 > have_at + have) {
      have_at = at, have = end - at < sizeof chunk ? end - at : sizeof chunk;
      int r = read(with, chunk, (size_t)have, at);
      if (r) return r;
    }
    uint32_t length = get32(chunk + (at - have_at));
    if (length == 0 || length == UINT32_MAX || (length & 3) || length < 4) break;
    a->frames[(at - a->frames_at) >> 5] |= (uint8_t)(1 << ((at - a->frames_at) >> 2 & 7));
    at += 4 + (uint64_t)length;
  }
  a->frames_end = at < end ? at : end;
  return 0;
}

static bool is_frame(const Addresses *a, uint64_t offset) {
  if (offset < a->frames_at || offset >= a->frames_end) return false;
  uint64_t i = offset - a->frames_at;
  return a->frames[i >> 5] >> (i >> 2 & 7) & 1;
}

int addresses_new(Addresses **made, const Layout *old, const Layout *new, const Piece *pieces, size_t count, AddressRead read, void *with) {
  Addresses *a = calloc(1, sizeof *a);
  if (!a) return -ENOMEM;
  a->old = *old, a->new = *new, a->pieces = pieces;
  a->lowest = UINT64_MAX;
  for (int i = 0; i < old->count; i++) {
    const Span *s = &old->spans[i], *n = &new->spans[i];
    if (!loads(s)) continue;
    if (s->address < a->lowest) a->lowest = s->address;
    if (s->address + s->memory > a->highest) a->highest = s->address + s->memory;
    if (n->address + n->memory > a->new_highest) a->new_highest = n->address + n->memory;
  }
  if (a->lowest < 0x1000) a->lowest = 0x1000;
  a->table = table_of(&a->old, SPAN_FRAMES), a->new_table = table_of(&a->new, SPAN_FRAMES), a->unwind = table_of(&a->old, SPAN_UNWIND);
  int r = paint(a, pieces, count);
  if (!r) r = mark_frames(a, read, with);
  if (r) return addresses_free(a), r;
  return *made = a, 0;
}

void addresses_free(Addresses *a) {
  if (!a) return;
  free(a->shifts), free(a->frames), free(a);
}

// --- a block --------------------------------------------------------------------------------------------------------------------------
typedef struct Block {
  Addresses *a;
  const uint8_t *old, *in;
  uint8_t *guess;
  size_t size;
  bool decode;
  uint64_t old_at, new_at;        // offsets
  uint64_t old_site, new_site;    // addresses of the first byte, of its whole span
  const Span *span;               // of the old file, that the block begins in
  uint64_t new_left;              // bytes from new_at on that are in one span
} Block;

// What the new file has at `i`, as far as the guess there is final.
static void actual(const Block *b, size_t i, uint8_t *into, size_t size) {
  for (size_t k = 0; k < size; k++) into[k] = !b->in ? 0 : b->decode ? (uint8_t)(b->guess[i + k] + b->in[i + k]) : b->in[i + k];
}

static inline bool in_range(const Addresses *a, uint64_t address) { return address >= a->lowest && address < a->highest; }

// A difference of 32 bits at `i` between what is referred to and `origin`, which is `new_origin` now.
static bool relative32(Block *b, size_t i, uint64_t origin, uint64_t new_origin, bool always) {
  uint64_t to, target = origin + (uint64_t)signed_of(get32(b->old + i), 32);
  if (!always && !in_range(b->a, target)) return false;
  if (!mapped(b->a, target, &to)) return false;
  uint8_t now[4];
  put32(b->guess + i, to - new_origin);
  actual(b, i, now, 4);
  learn(b->a, target, new_origin + (uint64_t)signed_of(get32(now), 32));
  return true;
}

static bool pointer(Block *b, size_t i, size_t bytes) {
  uint64_t to, target = bytes == 8 ? get64(b->old + i) : get32(b->old + i);
  uint8_t now[8];
  if (!in_range(b->a, target) || !mapped(b->a, target, &to)) return false;
  if (bytes == 8) put64(b->guess + i, to);
  else put32(b->guess + i, to);
  actual(b, i, now, bytes);
  learn(b->a, target, bytes == 8 ? get64(now) : get32(now));
  return true;
}

// How many bytes there are between a reference of a ModRM byte and the instruction's end.
static size_t immediate(uint8_t op, uint8_t before) {
  if (op == 0x80 || op == 0x83 || op == 0xc6 || op == 0xc0 || op == 0xc1 || op == 0x6b) return 1;
  if (before == 0x0f && (op == 0x70 || op == 0xa4 || op == 0xac || op == 0xba || op == 0xc2 || op == 0xc4 || op == 0xc5)) return 1;
  if (op == 0x81 || op == 0xc7 || op == 0x69) return 4;
  return 0;
}

static size_t x86(Block *b, size_t i) {
  const uint8_t *p = b->old + i;
  size_t left = b->size - i, k = 0, more = 0;
  if (left < 5) return 1;
  if (p[0] == 0xe8 || p[0] == 0xe9) k = 1;
  else if (left < 6) return 1;
  else if (p[0] == 0x0f && (p[1] & 0xf0) == 0x80) k = 2;
  else if (b->a->old.machine == EM_X86_64 && (p[1] & 0xc7) == 5) k = 2, more = immediate(p[0], i ? p[-1] : 0);
  if (!k || k + 4 > left) return 1;
  return relative32(b, i + k, b->old_site + i + k + 4 + more, b->new_site + i + k + 4 + more, false) ? k + 4 : 1;
}

static uint64_t page_of(uint32_t word, uint64_t site) {
  uint64_t pages = (uint64_t)signed_of((word >> 29 & 3) | (word >> 3 & 0x1ffffc), 21);
  return (site & ~UINT64_C(4095)) + (pages << 12);
}

static uint32_t with_page(uint32_t word, uint64_t to, uint64_t site) {
  uint64_t pages = (to >> 12) - (site >> 12);
  return (word & 0x9f00001f) | (uint32_t)(pages & 3) << 29 | (uint32_t)(pages >> 2 & 0x7ffff) << 5;
}

// How far the low twelve bits of an address are shifted in an instruction that adds them to register `n`; −1: in none.
static int low_bits(uint32_t word, uint32_t n) {
  if ((word >> 5 & 31) != n) return -1;
  if ((word & 0xffc00000) == 0x91000000) return 0;
  if ((word & 0x3b000000) != 0x39000000) return -1;
  return (word & 0x04800000) == 0x04800000 ? 4 : (int)(word >> 30);
}

static void aarch64_page(Block *b, size_t i, uint32_t word) {
  uint64_t to, old_site = b->old_site + i, new_site = b->new_site + i, page = page_of(word, old_site);
  for (size_t j = i + 4; j <= i + 40 && j + 4 <= b->size; j += 4) {
    uint32_t other = get32(b->old + j);
    int shift = low_bits(other, word & 31);
    if (shift >= 0) {
      uint64_t target = page + ((uint64_t)(other >> 10 & 0xfff) << shift);
      if (mapped(b->a, target, &to) && (to & ((1u << shift) - 1)) == 0) {
        put32(b->guess + i, with_page(word, to, new_site));
        put32(b->guess + j, (other & ~(UINT32_C(0xfff) << 10)) | (uint32_t)((to & 4095) >> shift) << 10);
        uint8_t now[8];
        actual(b, i, now, 4), actual(b, j, now + 4, 4);
        uint32_t first = get32(now), second = get32(now + 4);
        if ((first & 0x9f00001f) == (word & 0x9f00001f)) learn(b->a, target, page_of(first, new_site) + ((uint64_t)(second >> 10 & 0xfff) << shift));
      }
      return;
    }
    if ((other & 0x9f00001f) == (word & 0x9f00001f)) break;
  }
  if (mapped(b->a, page, &to)) put32(b->guess + i, with_page(word, to, new_site));
}

// A field of `bits` from bit `at` on that counts words from the instruction.
static void aarch64_branch(Block *b, size_t i, uint32_t word, int at, int bits) {
  uint32_t mask = ((UINT32_C(1) << bits) - 1) << at;
  uint64_t to, target = b->old_site + i + ((uint64_t)signed_of((word & mask) >> at, bits) << 2);
  if (!in_range(b->a, target) || !mapped(b->a, target, &to)) return;
  put32(b->guess + i, (word & ~mask) | ((uint32_t)((to - (b->new_site + i)) >> 2) << at & mask));
  if (bits < 26) return;
  uint8_t now[4];
  actual(b, i, now, 4);
  uint32_t first = get32(now);
  if ((first & ~mask) == (word & ~mask)) learn(b->a, target, b->new_site + i + ((uint64_t)signed_of((first & mask) >> at, bits) << 2));
}

static void aarch64(Block *b, size_t i) {
  uint32_t word = get32(b->old + i);
  if ((word & 0x7c000000) == 0x14000000) aarch64_branch(b, i, word, 0, 26);
  else if ((word & 0x9f000000) == 0x90000000) aarch64_page(b, i, word);
  else if ((word & 0xff000010) == 0x54000000 || (word & 0x7e000000) == 0x34000000 || (word & 0x3b000000) == 0x18000000) aarch64_branch(b, i, word, 5, 19);
  else if ((word & 0x7e000000) == 0x36000000) aarch64_branch(b, i, word, 5, 14);
}

static void arm_branch(Block *b, size_t i, uint32_t word) {
  uint64_t to, target = b->old_site + i + 8 + ((uint64_t)signed_of(word & 0xffffff, 24) << 2);
  if (!in_range(b->a, target) || !mapped(b->a, target, &to)) return;
  put32(b->guess + i, (word & 0xff000000) | ((uint32_t)((to - (b->new_site + i + 8)) >> 2) & 0xffffff));
  uint8_t now[4];
  actual(b, i, now, 4);
  if (now[3] == word >> 24) learn(b->a, target, b->new_site + i + 8 + ((uint64_t)signed_of(get32(now) & 0xffffff, 24) << 2));
}

// BL, BLX and B.W of Thumb-2: two half words, S:I1:I2:imm10:imm11.
static uint64_t thumb_offset(uint32_t first, uint32_t second) {
  uint32_t s = first >> 10 & 1, i1 = ~((second >> 13 & 1) ^ s) & 1, i2 = ~((second >> 11 & 1) ^ s) & 1;
  return (uint64_t)signed_of(s << 24 | i1 << 23 | i2 << 22 | (first & 0x3ff) << 12 | (second & 0x7ff) << 1, 25);
}

static size_t thumb(Block *b, size_t i) {
  if (b->size - i < 4) return 2;
  uint32_t first = get16(b->old + i), second = get16(b->old + i + 2);
  bool exchange = (second & 0xd000) == 0xc000;
  if ((first & 0xf800) != 0xf000 || !(exchange || (second & 0xd000) == 0xd000 || (second & 0xd000) == 0x9000)) return 2;
  uint64_t to, aligned = exchange ? ~UINT64_C(3) : ~UINT64_C(0), origin = (b->old_site + i + 4) & aligned, new_origin = (b->new_site + i + 4) & aligned;
  uint64_t target = origin + thumb_offset(first, second);
  if (!in_range(b->a, target) || !mapped(b->a, target, &to)) return 2;
  uint32_t by = (uint32_t)(to - new_origin), s = by >> 24 & 1;
  put16(b->guess + i, 0xf000 | s << 10 | (by >> 12 & 0x3ff));
  put16(b->guess + i + 2, (second & 0xd000) | (((by >> 23 & 1) ^ s ^ 1) << 13) | (((by >> 22 & 1) ^ s ^ 1) << 11) | (by >> 1 & 0x7ff));
  uint8_t now[4];
  actual(b, i, now, 4);
  uint32_t new_first = get16(now), new_second = get16(now + 2);
  if ((new_first & 0xf800) == 0xf000 && (new_second & 0xd000) == (second & 0xd000)) learn(b->a, target, new_origin + thumb_offset(new_first, new_second));
  return 4;
}

// The address that a field of 31 bits is relative to itself with.
static void unwind31(Block *b, size_t i) {
  uint32_t word = get32(b->old + i);
  uint64_t to, target = b->old_site + i + (uint64_t)signed_of(word, 31);
  if (word == 1 || word >> 31 || !mapped(b->a, target, &to)) return;
  put32(b->guess + i, (to - (b->new_site + i)) & 0x7fffffff);
}

// One field, or none, at `i`: how many bytes to go on.
static size_t field(Block *b, size_t i) {
  Addresses *a = b->a;
  uint64_t offset = b->old_at + i;
  size_t left = b->size - i;
  if (left >= 4 && (offset & 3) == 0) {
    if (a->table && offset - a->table->offset < a->table->size && offset - a->table->offset >= 12) {
      relative32(b, i, a->table->address, a->new_table->address, true);
      return 4;
    }
    if (a->unwind && offset - a->unwind->offset < a->unwind->size) return unwind31(b, i), 4;
    if (a->frames && offset - a->frames_at < a->frames_end - a->frames_at) {
      // A frame's distance to what it shares with others, and the beginning of its function.
      uint64_t to;
      uint32_t back = get32(b->old + i);
      if (offset >= a->frames_at + 4 && is_frame(a, offset - 4)) {
        if (back && mapped(a, b->old_site + i - back, &to)) put32(b->guess + i, b->new_site + i - to);
      } else if (offset >= a->frames_at + 8 && is_frame(a, offset - 8)) {
        if (i >= 4 && get32(b->old + i - 4)) relative32(b, i, b->old_site + i, b->new_site + i, true);
      }
      return 4;
    }
  }
  bool wide = a->old.bits == 64;
  if (wide ? left >= 8 && (offset & 7) == 0 : left >= 4 && (offset & 3) == 0)
    if (pointer(b, i, wide ? 8 : 4)) return wide ? 8 : 4;
  if (b->span->kind != SPAN_CODE) return wide ? 8 - (offset & 7) : 4 - (offset & 3);
  if (a->old.machine == EM_X86_64 || a->old.machine == EM_386) return x86(b, i);
  if (a->old.machine == EM_AARCH64) {
    if (left >= 4 && (offset & 3) == 0) aarch64(b, i);
    return 4 - (offset & 3);
  }
  if (left >= 4 && (offset & 3) == 0 && (b->old[i + 3] & 0xfe) == 0xea) return arm_branch(b, i, get32(b->old + i)), 4;
  if ((offset & 1) == 0) return thumb(b, i);
  return 1;
}

// Without `in` nothing is learned, and `out` is what is predicted.
static void block(Addresses *a, const Piece *piece, uint32_t from, const uint8_t *old, const uint8_t *in, uint8_t *out, size_t size, bool decode) {
  uint8_t guess[ADDRESS_BLOCK];
  a->piece = piece;
  Block b = {.a = a, .old = old, .in = in, .guess = guess, .size = size, .decode = decode, .old_at = piece->old + from, .new_at = piece->new + from};
  memcpy(guess, old, size);
  const Span *new_span = at_offset(&a->new, b.new_at);
  b.span = at_offset(&a->old, b.old_at);
  if (b.span && new_span) {
    b.old_site = b.old_at - b.span->offset + b.span->address;
    b.new_site = b.new_at - new_span->offset + new_span->address;
    uint64_t most = b.span->offset + b.span->size - b.old_at, new_most = new_span->offset + new_span->size - b.new_at;
    if (new_most < most) most = new_most;
    if (most < b.size) b.size = (size_t)most;
    for (size_t i = 0; i < b.size;) i += field(&b, i);
  }
  for (size_t i = 0; i < size; i++) out[i] = !in ? guess[i] : decode ? (uint8_t)(guess[i] + in[i]) : (uint8_t)(in[i] - guess[i]);
}

void addresses_block(Addresses *a, size_t number, uint32_t from, const uint8_t *old, const uint8_t *in, uint8_t *out, size_t size, bool decode) {
  block(a, &a->pieces[number], from, old, in, out, size, decode);
}

void addresses_moved(Addresses *a, const uint8_t *old, uint8_t *out, uint32_t size) {
  a->settled = true;
  for (size_t i = 0; i <= a->shift_count; i++) {
    uint32_t start = i ? a->shifts[i - 1].start : 0, end = i < a->shift_count ? a->shifts[i].start : size;
    const Piece piece = {start, start + (i ? a->shifts[i - 1].by : 0), end > start ? end - start : 0};
    for (uint32_t from = 0; from < piece.length; from += ADDRESS_BLOCK) {
      uint32_t n = piece.length - from < ADDRESS_BLOCK ? piece.length - from : ADDRESS_BLOCK;
      block(a, &piece, from, old + start + from, NULL, out + start + from, n, false);
    }
  }
}
