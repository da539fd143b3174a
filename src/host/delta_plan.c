// Playing a program that is made from another one by a plan: all its pieces are known before the first byte comes out (docs/delta-format.md, "Plans").
// What is played comes from strangers: every number is checked against what is there.
#include "delta_plan.h"

struct Plan {
  Layout old, new;
  Piece *pieces;
  size_t count, room;
  uint64_t base_size, old_end, new_end; // where the last piece ends in both files
  Addresses *addresses;                 // from the first byte on
  size_t number;                        // of the piece that is being played
  uint32_t from;                        // in that piece
  uint64_t made, gap, run;              // gap and run: what is left of the last pair
  size_t given, held;                   // of the block
  uint8_t block[ADDRESS_BLOCK], old_bytes[ADDRESS_BLOCK], differences[ADDRESS_BLOCK];
};

static int wrong(const char **why, const char *what) { return *why = what, -1; }

void plan_free(Plan *p) {
  if (!p) return;
  addresses_free(p->addresses);
  free(p->pieces);
  free(p);
}

int plan_new(Plan **made, uint64_t base_size, AddressRead read, void *with, Stream *moves, const char **why) {
  uint8_t head[ADDRESS_HEAD];
  size_t size = base_size < sizeof head ? (size_t)base_size : sizeof head;
  Plan *p = calloc(1, sizeof *p);
  if (!p) return ENOMEM;
  int r = -read(with, head, size, 0);
  if (!r && (base_size > ADDRESS_FILE_MAX || !layout_read(&p->old, head, size))) r = ESTALE;
  p->new = p->old;
  p->base_size = base_size;
  for (int i = 0; !r && i < p->new.count; i++) {
    Span *s = &p->new.spans[i];
    uint64_t *values[] = {&s->offset, &s->address, &s->size, &s->memory};
    for (size_t k = 0; !r && k < COUNT(values); k++) {
      uint64_t by;
      if (!stream_number(moves, &by)) r = wrong(why, "a number is cut short");
      else *values[k] += (uint64_t)stream_signed(by);
    }
  }
  if (!r && !layout_possible(&p->new)) r = wrong(why, "a program has an impossible layout");
  if (r) return plan_free(p), r;
  *made = p;
  return 0;
}

int plan_add(Plan *p, uint64_t count, Stream *lanes, const char **why) {
  if (p->addresses) return wrong(why, "a plan grows while it is played");
  for (; count > 0; count--) {
    uint64_t literal, by, length;
    if (!stream_number(&lanes[LANE_RAWS], &literal) || !stream_number(&lanes[LANE_MOVES], &by) || !stream_number(&lanes[LANE_LENGTHS], &length)) return wrong(why, "a number is cut short");
    uint64_t old = p->old_end + (uint64_t)stream_signed(by), new = p->new_end + literal;
    if (old > p->base_size || length > p->base_size - old) return wrong(why, "a plan leaves the base file");
    if (literal > ADDRESS_FILE_MAX || new + length > ADDRESS_FILE_MAX) return wrong(why, "a plan is too long");
    if (p->count == ADDRESS_PIECES_MAX) return wrong(why, "a plan has too many pieces");
    if (p->count == p->room) {
      size_t room = p->room ? p->room * 2 : 256;
      Piece *more = realloc(p->pieces, sizeof *more * room);
      if (!more) return ENOMEM;
      p->pieces = more, p->room = room;
    }
    p->pieces[p->count++] = (Piece){(uint32_t)old, (uint32_t)new, (uint32_t)length};
    p->old_end = old + length, p->new_end = new + length;
  }
  return 0;
}

// The differences of a block, which are pairs of how many zeros and how many bytes of the differences follow.
static int fill(Plan *p, Stream *lanes, size_t size, const char **why) {
  for (size_t at = 0; at < size;) {
    if (!p->gap && !p->run && (!stream_number(&lanes[LANE_GAPS], &p->gap) || !stream_number(&lanes[LANE_GAPS], &p->run) || (!p->gap && !p->run))) return wrong(why, "differences are missing");
    uint64_t *left = p->gap ? &p->gap : &p->run;
    size_t n = *left < size - at ? (size_t)*left : size - at;
    if (p->gap) memset(p->differences + at, 0, n);
    else if (!stream_bytes(&lanes[LANE_DIFF], p->differences + at, n)) return wrong(why, "differences are missing");
    *left -= n, at += n;
  }
  return 0;
}

int plan_give(Plan *p, Stream *lanes, AddressRead read, void *with, uint8_t *out, size_t room, size_t *gave, const char **why) {
  int r;
  if (!p->addresses && (r = addresses_new(&p->addresses, &p->old, &p->new, p->pieces, p->count, read, with))) return -r;
  *gave = 0;
  while (p->given == p->held) {
    if (p->number == p->count) return wrong(why, "a plan ends too early");
    const Piece *piece = &p->pieces[p->number];
    if (p->made < piece->new) {
      size_t n = piece->new - p->made < room ? (size_t)(piece->new - p->made) : room;
      if (!stream_bytes(&lanes[LANE_LITERAL], out, n)) return wrong(why, "literal bytes are missing");
      p->made += n, *gave = n;
      return 0;
    }
    if (p->from == piece->length) {
      p->number++, p->from = 0;
      continue;
    }
    size_t n = piece->length - p->from < ADDRESS_BLOCK ? piece->length - p->from : ADDRESS_BLOCK;
    if ((r = fill(p, lanes, n, why))) return r;
    if ((r = read(with, p->old_bytes, n, (uint64_t)piece->old + p->from))) return -r;
    addresses_block(p->addresses, p->number, p->from, p->old_bytes, p->differences, p->block, n, true);
    p->from += (uint32_t)n, p->made += n;
    p->given = 0, p->held = n;
  }
  *gave = p->held - p->given < room ? p->held - p->given : room;
  memcpy(out, p->block + p->given, *gave);
  p->given += *gave;
  return 0;
}

bool plan_rests(const Plan *p) { return p->given == p->held && !p->gap && !p->run; }
