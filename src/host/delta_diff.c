// Differences between two files as instructions, on the pool.
#include <fcntl.h>
#include <zstd.h>

#include "delta_plan.h"

#define WINDOW ((int64_t)64 << 20) // of the new file at a time: memory is nine times as much
#define PART_BYTES (256 * 1024) // of streams, so that whoever packs them can stop anywhere
#define STEP_BYTES (64 * 1024)  // of files at a time
#define COPY_LEAST 1024            // equal bytes that are worth an instruction of their own
#define GAP_LEAST 24           // zeros between differences that are worth a pair of numbers of their own
#define PLAY_BYTES (4 << 20)   // of a planned file, with one instruction
#define PLAN_PIECES 4096       // with one instruction
#define ROUNDS_BYTES (16 << 20) // of an old program that is compared three times; larger ones twice
#define SKETCH 8

static void fail(Work *w, int err, const char *call) { w->err = err, w->failed = call; }

static int read_at(int fd, uint8_t *p, size_t size, int64_t offset) {
  for (size_t done = 0; done < size;) {
    ssize_t n = pread(fd, p + done, size - done, offset + (int64_t)done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    if (n == 0) return -EIO; // shorter than it was
    done += (size_t)n;
  }
  return 0;
}

// --- what is found --------------------------------------------------------------------------------------------------------------
typedef struct Part {
  Buffer lanes[LANE_COUNT];
  uint64_t makes; // bytes of the new file
} Part;

typedef struct Parts {
  Part *list;
  size_t count;
  uint64_t cost;
} Parts;

typedef struct Match {
  int64_t old, new, size;
} Match;

typedef struct Diff {
  Work work;
  int old_fd, new_fd;
  int64_t old_size, new_size;
  int64_t old_start, new_start; // of the window that is compared
  Match *matches;
  size_t count;
  Parts parts;
} Diff;

static void parts_free(Parts *d) {
  for (size_t i = 0; i < d->count; i++)
    for (int lane = 0; lane < LANE_COUNT; lane++) free(d->list[i].lanes[lane].p);
  free(d->list);
  *d = (Parts){0};
}

static int put(Parts *d, Lane lane, uint64_t value) {
  uint8_t bytes[10];
  size_t n = 0;
  for (; value >= 128; value >>= 7) bytes[n++] = (uint8_t)(value | 128);
  bytes[n++] = (uint8_t)value;
  return buffer_add(&d->list[d->count - 1].lanes[lane], bytes, n);
}

static int put_signed(Parts *d, Lane lane, int64_t value) { return put(d, lane, (uint64_t)value << 1 ^ (uint64_t)(value >> 63)); }

// An instruction that makes so many bytes and takes `data` in the streams; begins a new part when the current one is full.
static int begin(Parts *d, Op op, uint64_t makes, size_t data) {
  size_t used = 0;
  for (int i = 0; d->count && i < LANE_COUNT; i++) used += d->list[d->count - 1].lanes[i].size;
  if (!d->count || used + data + 16 > PART_BYTES) {
    Part *more = realloc(d->list, sizeof *more * (d->count + 1));
    if (!more) return -ENOMEM;
    d->list = more;
    more[d->count++] = (Part){0};
  }
  uint8_t code = (uint8_t)op;
  d->list[d->count - 1].makes += makes;
  return buffer_add(&d->list[d->count - 1].lanes[LANE_OPS], &code, 1);
}

static Buffer *lane_of(Parts *d, Lane lane) { return &d->list[d->count - 1].lanes[lane]; }

static int emit_raw(Parts *d, const uint8_t *p, size_t size) {
  if (begin(d, OP_RAW, size, size) || put(d, LANE_RAWS, size)) return -ENOMEM;
  return buffer_add(lane_of(d, LANE_LITERAL), p, size);
}

static int emit_add(Parts *d, const uint8_t *old, const uint8_t *new, size_t size) {
  if (!size) return 0;
  if (begin(d, OP_ADD, size, size) || put(d, LANE_LENGTHS, size)) return -ENOMEM;
  Buffer *lane = lane_of(d, LANE_DIFF);
  if (buffer_reserve(lane, size)) return -ENOMEM;
  for (size_t i = 0; i < size; i++) lane->p[lane->size + i] = (uint8_t)(new[i] - old[i]);
  lane->size += size;
  return 0;
}

// `size` bytes that resemble each other: long equal runs are copied, what lies between them gets its differences.
static int emit_similar(Parts *d, const uint8_t *old, const uint8_t *new, size_t size, bool all) {
  size_t done = 0;
  for (size_t i = 0; i < size;) {
    size_t run = i;
    while (run < size && old[run] == new[run]) run++;
    bool whole = all && done == 0 && run == size && size >= 32;
    if (run - i >= COPY_LEAST || whole) {
      if (emit_add(d, old + done, new + done, i - done) || begin(d, OP_COPY, run - i, 0) || put(d, LANE_LENGTHS, run - i)) return -ENOMEM;
      done = run;
    }
    i = run + 1;
  }
  return emit_add(d, old + done, new + done, size - done);
}

typedef struct Scratch {
  uint8_t old[STEP_BYTES], new[STEP_BYTES];
} Scratch;

// Literal bytes and pieces one after the other.
static int plain(const Diff *d, Parts *parts, Scratch *s) {
  int64_t old_at = 0;
  int r = 0;
  for (size_t i = 0; i <= d->count && !r; i++) {
    Match last = {old_at, d->new_size, 0}, m = i < d->count ? d->matches[i] : last;
    int64_t at = i ? d->matches[i - 1].new + d->matches[i - 1].size : 0;
    for (; at < m.new && !r; at += STEP_BYTES) {
      size_t n = m.new - at < STEP_BYTES ? (size_t)(m.new - at) : STEP_BYTES;
      r = read_at(d->new_fd, s->new, n, at);
      if (!r) r = emit_raw(parts, s->new, n);
    }
    if (m.old != old_at && !r) r = begin(parts, OP_SKIP, 0, 0) || put_signed(parts, LANE_MOVES, m.old - old_at) ? -ENOMEM : 0;
    for (int64_t done = 0; done < m.size && !r; done += STEP_BYTES) {
      size_t n = m.size - done < STEP_BYTES ? (size_t)(m.size - done) : STEP_BYTES;
      r = read_at(d->old_fd, s->old, n, m.old + done);
      if (!r) r = read_at(d->new_fd, s->new, n, m.new + done);
      if (!r) r = emit_similar(parts, s->old, s->new, n, m.size <= STEP_BYTES);
    }
    old_at = m.old + m.size;
  }
  return r;
}

// --- programs ------------------------------------------------------------------------------------------------------------------------
// What one PLAY makes, before it is written.
typedef struct Play {
  Buffer differences, literal;
  uint64_t makes;
  size_t dense; // at least what the differences will take
} Play;

// Where the next gap begins.
static size_t dense_end(const uint8_t *d, size_t from, size_t size) {
  size_t to = from;
  for (size_t i = from; i < size && i - to < GAP_LEAST; i++)
    if (d[i]) to = i + 1;
  return to;
}

static int emit_play(Parts *parts, Play *p) {
  if (!p->makes) return 0;
  const uint8_t *d = p->differences.p;
  size_t size = p->differences.size;
  if (begin(parts, OP_PLAY, p->makes, p->dense + p->literal.size) || put(parts, LANE_RAWS, p->makes) || buffer_add(lane_of(parts, LANE_LITERAL), p->literal.p, p->literal.size)) return -ENOMEM;
  for (size_t done = 0; done < size;) {
    size_t from = done, to;
    while (from < size && !d[from]) from++;
    to = dense_end(d, from, size);
    if (put(parts, LANE_GAPS, from - done) || put(parts, LANE_GAPS, to - from) || buffer_add(lane_of(parts, LANE_DIFF), d + from, to - from)) return -ENOMEM;
    done = to;
  }
  p->differences.size = p->literal.size = p->dense = 0, p->makes = 0;
  return 0;
}
static int play_literal(const Diff *d, Parts *parts, Play *play, Scratch *s, int64_t at, int64_t end) {
  int r = 0;
  for (; at < end && !r; at += STEP_BYTES) {
    size_t n = end - at < STEP_BYTES ? (size_t)(end - at) : STEP_BYTES;
    r = read_at(d->new_fd, s->new, n, at);
    if (!r) r = buffer_add(&play->literal, s->new, n);
    play->makes += n;
    if (!r && play->dense + play->literal.size >= PART_BYTES / 2) r = emit_play(parts, play);
  }
  return r;
}

static int play_piece(const Diff *d, Parts *parts, Play *play, Scratch *s, Addresses *addresses, size_t number) {
  const Match *m = &d->matches[number];
  int r = 0;
  for (int64_t done = 0; done < m->size && !r; done += ADDRESS_BLOCK) {
    size_t n = m->size - done < ADDRESS_BLOCK ? (size_t)(m->size - done) : ADDRESS_BLOCK;
    r = read_at(d->old_fd, s->old, n, m->old + done);
    if (!r) r = read_at(d->new_fd, s->new, n, m->new + done);
    if (!r) r = buffer_reserve(&play->differences, n);
    if (r) return r;
    uint8_t *differences = play->differences.p + play->differences.size;
    addresses_block(addresses, number, (uint32_t)done, s->old, s->new, differences, n, false);
    play->differences.size += n, play->makes += n, play->dense += 2 * GAP_LEAST;
    for (size_t i = 0; i < n; i++) {
      if (!differences[i]) continue;
      size_t to = dense_end(differences, i, n);
      play->dense += to - i + 8;
      i = to;
    }
    if (play->dense + play->literal.size >= PART_BYTES / 2 || play->makes >= PLAY_BYTES) r = emit_play(parts, play);
  }
  return r;
}

static int read_old(void *with, uint8_t *into, size_t size, uint64_t at) { return read_at(((const Diff *)with)->old_fd, into, size, (int64_t)at); }

static int emit_plan(const Diff *d, Parts *parts, const Layout *old, const Layout *new, const Piece *pieces, size_t count) {
  if (begin(parts, OP_LAYOUT, 0, sizeof *new)) return -ENOMEM;
  for (int i = 0; i < new->count; i++) {
    const Span *a = &old->spans[i], *b = &new->spans[i];
    int64_t by[] = {(int64_t)(b->offset - a->offset), (int64_t)(b->address - a->address), (int64_t)(b->size - a->size), (int64_t)(b->memory - a->memory)};
    for (size_t k = 0; k < COUNT(by); k++)
      if (put_signed(parts, LANE_MOVES, by[k])) return -ENOMEM;
  }
  int64_t old_at = 0, new_at = 0;
  for (size_t i = 0; i < count; i++) {
    size_t together = count - i < PLAN_PIECES ? count - i : PLAN_PIECES;
    if (i % PLAN_PIECES == 0 && (begin(parts, OP_PLAN, 0, together * 15) || put(parts, LANE_RAWS, together))) return -ENOMEM;
    const Piece *p = &pieces[i];
    if (put(parts, LANE_RAWS, p->new - (uint64_t)new_at) || put_signed(parts, LANE_MOVES, p->old - old_at) || put(parts, LANE_LENGTHS, p->length)) return -ENOMEM;
    old_at = (int64_t)p->old + p->length, new_at = (int64_t)p->new + p->length;
  }
  return d->new_size > (int64_t)ADDRESS_FILE_MAX ? -EFBIG : 0;
}

static Piece *pieces_of(const Diff *d) {
  Piece *pieces = malloc(sizeof *pieces * (d->count + 1));
  if (!pieces) return NULL;
  for (size_t i = 0; i < d->count; i++) pieces[i] = (Piece){(uint32_t)d->matches[i].old, (uint32_t)d->matches[i].new, (uint32_t)d->matches[i].size};
  // A last piece of nothing has what comes behind all others.
  Piece last = d->count ? pieces[d->count - 1] : (Piece){0};
  pieces[d->count] = (Piece){last.old + last.length, (uint32_t)d->new_size, 0};
  return pieces;
}

// The old program as it would be with its pieces where they go: what that has in common with the new one is what counts.
static int move_program(const Diff *d, Scratch *s, const Layout *old, const Layout *new, uint8_t *moved) {
  CLEANUP_FREE Piece *pieces = pieces_of(d);
  CLEANUP_FREE uint8_t *bytes = malloc((size_t)d->old_size);
  if (!pieces || !bytes) return -ENOMEM;
  Addresses *addresses = NULL;
  int r = read_at(d->old_fd, bytes, (size_t)d->old_size, 0);
  if (!r) r = addresses_new(&addresses, old, new, pieces, d->count, read_old, (void *)d);
  for (size_t i = 0; i < d->count && !r; i++) {
    for (uint32_t from = 0; from < pieces[i].length && !r; from += ADDRESS_BLOCK) {
      size_t n = pieces[i].length - from < ADDRESS_BLOCK ? pieces[i].length - from : ADDRESS_BLOCK;
      r = read_at(d->new_fd, s->new, n, (int64_t)pieces[i].new + from);
      if (!r) addresses_block(addresses, i, from, bytes + pieces[i].old + from, s->new, s->old, n, false);
    }
  }
  if (!r) addresses_moved(addresses, bytes, moved, (uint32_t)d->old_size);
  addresses_free(addresses);
  return r;
}

static int found(void *with, int64_t old_at, int64_t new_at, int64_t size) {
  Diff *d = with;
  if ((d->count & (d->count - 1)) == 0) {
    Match *more = realloc(d->matches, sizeof *more * (d->count ? 2 * d->count : 1));
    if (!more) return -ENOMEM;
    d->matches = more;
  }
  d->matches[d->count++] = (Match){d->old_start + old_at, d->new_start + new_at, size};
  return 0;
}

// Matches of the program that was moved: where addresses were all that differed there are longer ones, and tables of addresses find their lines again.
static int match_moved(Diff *d, Scratch *s, const Layout *old, const Layout *new_layout) {
  CLEANUP_FREE uint8_t *moved = malloc((size_t)d->old_size);
  int r = moved ? move_program(d, s, old, new_layout, moved) : -ENOMEM;
  if (r) return r;
  CLEANUP_FREE uint8_t *new = malloc((size_t)d->new_size);
  CLEANUP_FREE int32_t *order = malloc(sizeof *order * ((size_t)d->old_size + 1));
  if (!new || !order) return -ENOMEM;
  d->count = 0, d->old_start = d->new_start = 0;
  r = read_at(d->new_fd, new, (size_t)d->new_size, 0);
  if (!r) r = delta_sort(moved, order, (int32_t)d->old_size);
  return r ? r : delta_match(moved, d->old_size, new, d->new_size, order, found, d);
}

// 0 without parts when the files are no programs of the same kind.
static int planned(Diff *d, Parts *parts, Scratch *s) {
  Layout old, new;
  size_t old_head = d->old_size < ADDRESS_HEAD ? (size_t)d->old_size : ADDRESS_HEAD, new_head = d->new_size < ADDRESS_HEAD ? (size_t)d->new_size : ADDRESS_HEAD;
  int r = read_at(d->old_fd, s->old, old_head, 0);
  if (!r) r = read_at(d->new_fd, s->new, new_head, 0);
  if (r) return r;
  if (d->old_size > (int64_t)ADDRESS_FILE_MAX || d->new_size > (int64_t)ADDRESS_FILE_MAX || d->count >= ADDRESS_PIECES_MAX) return 0;
  if (!layout_read(&old, s->old, old_head) || !layout_read(&new, s->new, new_head) || !layout_alike(&old, &new)) return 0;
  int rounds = d->old_size > WINDOW || d->new_size > WINDOW ? 0 : d->old_size > ROUNDS_BYTES ? 1 : 2;
  for (int i = 0; i < rounds && !r; i++) r = match_moved(d, s, &old, &new);
  if (r || d->count >= ADDRESS_PIECES_MAX) return r;
  CLEANUP_FREE Piece *pieces = pieces_of(d);
  if (!pieces) return -ENOMEM;
  Addresses *addresses = NULL;
  Play play = {0};
  r = emit_plan(d, parts, &old, &new, pieces, d->count + 1);
  if (!r) r = addresses_new(&addresses, &old, &new, pieces, d->count + 1, read_old, (void *)d);
  for (size_t i = 0; i <= d->count && !r; i++) {
    int64_t before = i ? d->matches[i - 1].new + d->matches[i - 1].size : 0;
    r = play_literal(d, parts, &play, s, before, pieces[i].new);
    if (!r && i < d->count) r = play_piece(d, parts, &play, s, addresses, i);
  }
  if (!r) r = emit_play(parts, &play);
  addresses_free(addresses);
  free(play.differences.p);
  free(play.literal.p);
  return r;
}

// --- both ----------------------------------------------------------------------------------------------------------------------------
// About what they take.
static int estimate(Parts *d) {
  CLEANUP_FREE uint8_t *packed = malloc(ZSTD_compressBound(PART_BYTES + 64 * 1024));
  ZSTD_CCtx *c = ZSTD_createCCtx();
  for (size_t i = 0; packed && c && i < d->count; i++) {
    for (int lane = 0; lane < LANE_COUNT; lane++) {
      Buffer *b = &d->list[i].lanes[lane];
      size_t n = b->size ? ZSTD_compressCCtx(c, packed, ZSTD_compressBound(PART_BYTES + 64 * 1024), b->p, b->size, 3) : 0;
      d->cost += ZSTD_isError(n) ? b->size : n;
    }
  }
  bool done = packed && c;
  ZSTD_freeCCtx(c);
  return done ? 0 : -ENOMEM;
}

// Of large files a window is compared with the same place of the old one and what lies around it.
static int match(Diff *d) {
  for (int64_t start = 0; start < d->new_size && d->old_size > 0; start += WINDOW) {
    int64_t margin = d->old_size > WINDOW ? WINDOW / 8 : 0, from = start > margin ? start - margin : 0;
    int64_t length = d->new_size - start < WINDOW ? d->new_size - start : WINDOW;
    if (d->old_size <= WINDOW + WINDOW / 4) from = 0;
    if (from >= d->old_size) from = d->old_size > WINDOW ? d->old_size - WINDOW : 0;
    int64_t most = WINDOW + WINDOW / 4, reach = d->old_size - from < most ? d->old_size - from : most;
    CLEANUP_FREE uint8_t *old = malloc((size_t)reach + 1), *new = malloc((size_t)length + 1);
    CLEANUP_FREE int32_t *order = malloc(sizeof *order * ((size_t)reach + 1));
    if (!old || !new || !order) return -ENOMEM;
    d->old_start = from, d->new_start = start;
    int r = read_at(d->old_fd, old, (size_t)reach, from);
    if (!r) r = read_at(d->new_fd, new, (size_t)length, start);
    if (!r) r = delta_sort(old, order, (int32_t)reach);
    if (!r) r = delta_match(old, reach, new, length, order, found, d);
    if (r) return r;
  }
  return 0;
}

static void diff_run(Work *w) {
  Diff *d = (Diff *)w;
  CLEANUP_FREE Scratch *scratch = malloc(sizeof *scratch);
  Parts other = {0};
  int r = scratch ? match(d) : -ENOMEM;
  if (!r) r = plain(d, &d->parts, scratch);
  if (!r) r = estimate(&d->parts);
  if (!r && d->old_size > 0) r = planned(d, &other, scratch);
  if (!r && other.count) r = estimate(&other);
  if (!r && other.count && other.cost < d->parts.cost) {
    Parts swap = d->parts;
    d->parts = other, other = swap;
  }
  parts_free(&other);
  if (r) fail(w, -r, "diff");
}

static JSValue diff_result(JSContext *ctx, Work *w) {
  Diff *d = (Diff *)w;
  JSValue o = JS_NewObject(ctx), list = JS_NewArray(ctx);
  for (size_t i = 0; i < d->parts.count; i++) {
    JSValue piece = JS_NewObject(ctx), lanes = JS_NewArray(ctx);
    for (int lane = 0; lane < LANE_COUNT; lane++) {
      Buffer *b = &d->parts.list[i].lanes[lane];
      JS_SetPropertyUint32(ctx, lanes, (uint32_t)lane, new_bytes(ctx, b->p, b->size));
      free(b->p);
      *b = (Buffer){0};
    }
    set(ctx, piece, "lanes", lanes);
    set(ctx, piece, "sizeBytes", JS_NewInt64(ctx, (int64_t)d->parts.list[i].makes));
    JS_SetPropertyUint32(ctx, list, (uint32_t)i, piece);
  }
  set(ctx, o, "pieces", list);
  set(ctx, o, "costBytes", JS_NewInt64(ctx, (int64_t)d->parts.cost));
  return o;
}

static void diff_destroy(Work *w) {
  Diff *d = (Diff *)w;
  parts_free(&d->parts);
  free(d->matches);
  if (d->old_fd >= 0) close(d->old_fd);
  if (d->new_fd >= 0) close(d->new_fd);
}

HOST_FN(delta_diff) {
  (void)self;
  int old_fd, new_fd;
  int64_t old_size, new_size;
  if (arg_int(ctx, ARG(0), -1, &old_fd) || arg_i64(ctx, ARG(1), 0, &old_size) || arg_int(ctx, ARG(2), -1, &new_fd) || arg_i64(ctx, ARG(3), 0, &new_size)) return JS_EXCEPTION;
  if (old_size < 0 || new_size < 0) return JS_ThrowRangeError(ctx, "a size is negative");
  Diff *d = calloc(1, sizeof *d);
  if (!d) return JS_ThrowOutOfMemory(ctx);
  d->work = (Work){.run = diff_run, .result = diff_result, .destroy = diff_destroy};
  d->old_size = old_size, d->new_size = new_size;
  d->old_fd = fcntl(old_fd, F_DUPFD_CLOEXEC, 3);
  d->new_fd = fcntl(new_fd, F_DUPFD_CLOEXEC, 3);
  if (d->old_fd < 0 || d->new_fd < 0) {
    int err = errno;
    diff_destroy(&d->work);
    free(d);
    return throw_errno(ctx, err, "diff", NULL);
  }
  return work_start(ctx, &d->work);
}

// --- what files resemble each other ---------------------------------------------------------------------------------------------------
typedef struct Fingerprint {
  Work work;
  int fd;
  int64_t size;
  uint8_t hash[32];
  uint32_t sketch[SKETCH]; // the smallest hashes of pieces whose limits the content sets
  int count;
} Fingerprint;

static void sketch_add(Fingerprint *f, uint32_t value) {
  int i = f->count;
  for (int k = 0; k < f->count; k++)
    if (f->sketch[k] == value) return;
  if (i == SKETCH) {
    if (value >= f->sketch[SKETCH - 1]) return;
    i--;
  } else f->count++;
  for (; i > 0 && f->sketch[i - 1] > value; i--) f->sketch[i] = f->sketch[i - 1];
  f->sketch[i] = value;
}

static void fingerprint_run(Work *w) {
  Fingerprint *f = (Fingerprint *)w;
  size_t room = 128 * 1024;
  CLEANUP_FREE uint8_t *p = malloc(room);
  if (!p) return fail(w, ENOMEM, "fingerprint");
  Sha256 hash;
  sha256_init(&hash);
  uint64_t roll = 0, piece = 14695981039346656037u;
  size_t length = 0;
  for (int64_t done = 0; done < f->size;) {
    size_t n = f->size - done < (int64_t)room ? (size_t)(f->size - done) : room;
    int r = read_at(f->fd, p, n, done);
    if (r) return fail(w, -r, "fingerprint");
    sha256_update(&hash, p, n);
    for (size_t i = 0; i < n; i++) {
      roll = (roll << 1) + (p[i] + 1) * UINT64_C(0x9e3779b97f4a7c15);
      piece = (piece ^ p[i]) * 1099511628211u;
      length++;
      if (roll >> 57 == 0 || length >= 2048) {
        if (length > 32) sketch_add(f, (uint32_t)(piece * UINT64_C(0x9e3779b97f4a7c15) >> 32));
        length = 0;
        piece = 14695981039346656037u;
      }
    }
    done += (int64_t)n;
  }
  sha256_final(&hash, f->hash, NULL);
}

static JSValue fingerprint_result(JSContext *ctx, Work *w) {
  Fingerprint *f = (Fingerprint *)w;
  char hex[64];
  hex_digits(f->hash, 32, hex);
  JSValue o = JS_NewObject(ctx), sketch = JS_NewArray(ctx);
  set(ctx, o, "sha256", JS_NewStringLen(ctx, hex, sizeof hex));
  for (int i = 0; i < f->count; i++) JS_SetPropertyUint32(ctx, sketch, (uint32_t)i, JS_NewUint32(ctx, f->sketch[i]));
  set(ctx, o, "sketch", sketch);
  return o;
}

static void fingerprint_destroy(Work *w) { close(((Fingerprint *)w)->fd); }

HOST_FN(delta_fingerprint) {
  (void)self;
  int fd;
  int64_t size;
  if (arg_int(ctx, ARG(0), -1, &fd) || arg_i64(ctx, ARG(1), 0, &size)) return JS_EXCEPTION;
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return throw_errno(ctx, errno, "fingerprint", NULL);
  Fingerprint *f = calloc(1, sizeof *f);
  if (!f) {
    close(copy);
    return JS_ThrowOutOfMemory(ctx);
  }
  f->work = (Work){.run = fingerprint_run, .result = fingerprint_result, .destroy = fingerprint_destroy};
  f->fd = copy;
  f->size = size;
  return work_start(ctx, &f->work);
}
