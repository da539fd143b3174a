// Differences between two files, on the pool: the longest matches by a suffix array, extended over scattered changes (Percival's bsdiff).
#include <fcntl.h>
#include <zstd.h>

#include "delta.h"

#define WINDOW ((int64_t)64 << 20) // of the new file at a time: memory is nine times as much
#define PIECE_BYTES (256 * 1024)   // of streams, so that whoever packs them can stop anywhere
#define COPY_LEAST 1024            // equal bytes that are worth an instruction of their own
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
typedef struct Piece {
  Buffer lanes[LANE_COUNT];
  uint64_t makes; // bytes of the new file
} Piece;

typedef struct Diff {
  Work work;
  int old_fd, new_fd;
  int64_t old_size, new_size, at; // at: where in the old file the instructions stand
  Piece *pieces;
  size_t count;
  uint64_t cost;
} Diff;

static int put(Diff *d, Lane lane, uint64_t value) {
  uint8_t bytes[10];
  size_t n = 0;
  for (; value >= 128; value >>= 7) bytes[n++] = (uint8_t)(value | 128);
  bytes[n++] = (uint8_t)value;
  return buffer_add(&d->pieces[d->count - 1].lanes[lane], bytes, n);
}

// An instruction that makes so many bytes and takes `data` in the streams; begins a new piece when the current one is full.
static int begin(Diff *d, Op op, size_t makes, size_t data) {
  size_t used = 0;
  for (int i = 0; d->count && i < LANE_COUNT; i++) used += d->pieces[d->count - 1].lanes[i].size;
  if (!d->count || used + data + 16 > PIECE_BYTES) {
    Piece *more = realloc(d->pieces, sizeof *more * (d->count + 1));
    if (!more) return -ENOMEM;
    d->pieces = more;
    more[d->count++] = (Piece){0};
  }
  uint8_t code = (uint8_t)op;
  d->pieces[d->count - 1].makes += makes;
  return buffer_add(&d->pieces[d->count - 1].lanes[LANE_OPS], &code, 1);
}

static int emit_skip(Diff *d, int64_t to) {
  int64_t by = to - d->at;
  if (by == 0) return 0;
  d->at = to;
  if (begin(d, OP_SKIP, 0, 0)) return -ENOMEM;
  return put(d, LANE_MOVES, (uint64_t)by << 1 ^ (uint64_t)(by >> 63));
}

static int emit_raw(Diff *d, const uint8_t *p, size_t size) {
  while (size > 0) {
    size_t n = size < PIECE_BYTES / 4 ? size : PIECE_BYTES / 4;
    if (begin(d, OP_RAW, n, n) || put(d, LANE_RAWS, n) || buffer_add(&d->pieces[d->count - 1].lanes[LANE_LITERAL], p, n)) return -ENOMEM;
    p += n, size -= n;
  }
  return 0;
}

static int emit_add(Diff *d, const uint8_t *old, const uint8_t *new, size_t size) {
  while (size > 0) {
    size_t n = size < PIECE_BYTES / 4 ? size : PIECE_BYTES / 4;
    if (begin(d, OP_ADD, n, n) || put(d, LANE_LENGTHS, n)) return -ENOMEM;
    Buffer *lane = &d->pieces[d->count - 1].lanes[LANE_DIFF];
    if (buffer_reserve(lane, n)) return -ENOMEM;
    for (size_t i = 0; i < n; i++) lane->p[lane->size + i] = (uint8_t)(new[i] - old[i]);
    lane->size += n;
    old += n, new += n, size -= n;
  }
  return 0;
}

// `size` bytes that resemble each other: long equal runs are copied, what lies between them gets its differences.
static int emit_similar(Diff *d, const uint8_t *old, const uint8_t *new, size_t size) {
  size_t done = 0;
  for (size_t i = 0; i < size;) {
    size_t run = i;
    while (run < size && old[run] == new[run]) run++;
    bool whole = done == 0 && run == size && size >= 32;
    if (run - i >= COPY_LEAST || whole) {
      if (emit_add(d, old + done, new + done, i - done) || begin(d, OP_COPY, run - i, 0) || put(d, LANE_LENGTHS, run - i)) return -ENOMEM;
      done = run;
    }
    i = run + 1;
  }
  d->at += (int64_t)size;
  return done < size ? emit_add(d, old + done, new + done, size - done) : 0;
}

// --- finding it -------------------------------------------------------------------------------------------------------------------
typedef struct Pair {
  const uint8_t *old, *new;
  int64_t old_size, new_size, old_offset;
  const int32_t *order;
} Pair;

static int64_t common(const Pair *p, int64_t a, int64_t b, int64_t from) {
  int64_t most = p->old_size - a < p->new_size - b ? p->old_size - a : p->new_size - b, n = from;
  while (n + 8 <= most && !memcmp(p->old + a + n, p->new + b + n, 8)) n += 8;
  while (n < most && p->old[a + n] == p->new[b + n]) n++;
  return n;
}

// The longest match of what stands at `scan`.
static int64_t longest(const Pair *p, int64_t scan, int64_t *where) {
  int64_t low = 0, high = p->old_size - 1, low_same = 0, high_same = 0;
  while (high - low >= 2) {
    int64_t middle = low + (high - low) / 2, a = p->order[middle];
    int64_t same = common(p, a, scan, low_same < high_same ? low_same : high_same);
    bool less = a + same == p->old_size || (scan + same < p->new_size && p->old[a + same] < p->new[scan + same]);
    if (less) low = middle, low_same = same;
    else high = middle, high_same = same;
  }
  int64_t a = common(p, p->order[low], scan, 0), b = common(p, p->order[high], scan, 0);
  *where = p->order[a > b ? low : high];
  return a > b ? a : b;
}

static inline bool same_shifted(const Pair *p, int64_t i, int64_t shift) {
  return i + shift >= 0 && i + shift < p->old_size && p->old[i + shift] == p->new[i];
}

static int compare_window(Diff *d, const Pair *p) {
  int64_t scan = 0, length = 0, where = 0, done_new = 0, done_old = 0, shift = 0;
  while (scan < p->new_size) {
    int64_t matched = 0, ahead = scan += length;
    for (length = 0; scan < p->new_size; scan++) {
      length = longest(p, scan, &where);
      for (; ahead < scan + length; ahead++) matched += same_shifted(p, ahead, shift);
      // Either the current shift does as well, or the new match is clearly better.
      if ((length == matched && length != 0) || length > matched + 8) break;
      matched -= same_shifted(p, scan, shift);
    }
    if (length == matched && scan < p->new_size) continue;
    // From the end of what is done forwards, and from the new match backwards, as far as half of the bytes agree.
    int64_t forward = 0, backward = 0;
    for (int64_t i = 0, same = 0, best = 0; done_new + i < scan && done_old + i < p->old_size;) {
      same += p->old[done_old + i] == p->new[done_new + i];
      i++;
      if (same * 2 - i > best) best = same * 2 - i, forward = i;
    }
    if (scan < p->new_size) {
      for (int64_t i = 1, same = 0, best = 0; scan >= done_new + i && where >= i; i++) {
        same += p->old[where - i] == p->new[scan - i];
        if (same * 2 - i > best) best = same * 2 - i, backward = i;
      }
    }
    int64_t overlap = done_new + forward - (scan - backward);
    if (overlap > 0) {
      int64_t split = 0;
      for (int64_t i = 0, gain = 0, best = 0; i < overlap; i++) {
        gain += p->new[done_new + forward - overlap + i] == p->old[done_old + forward - overlap + i];
        gain -= p->new[scan - backward + i] == p->old[where - backward + i];
        if (gain > best) best = gain, split = i + 1;
      }
      forward += split - overlap;
      backward -= split;
    }
    int64_t literal = scan - backward - (done_new + forward);
    if (forward > 0 && (emit_skip(d, p->old_offset + done_old) || emit_similar(d, p->old + done_old, p->new + done_new, (size_t)forward))) return -ENOMEM;
    if (literal > 0 && emit_raw(d, p->new + done_new + forward, (size_t)literal)) return -ENOMEM;
    done_new = scan - backward;
    done_old = where - backward;
    shift = where - scan;
  }
  return 0;
}

static void diff_run(Work *w) {
  Diff *d = (Diff *)w;
  // Of large files a window is compared with the same place of the old one and what lies around it.
  for (int64_t start = 0; start < d->new_size; start += WINDOW) {
    int64_t margin = d->old_size > WINDOW ? WINDOW / 8 : 0, from = start > margin ? start - margin : 0;
    int64_t length = d->new_size - start < WINDOW ? d->new_size - start : WINDOW;
    if (d->old_size <= WINDOW + WINDOW / 4) from = 0;
    if (from >= d->old_size) from = d->old_size > WINDOW ? d->old_size - WINDOW : 0;
    int64_t most = WINDOW + WINDOW / 4, reach = d->old_size - from < most ? d->old_size - from : most;
    CLEANUP_FREE uint8_t *old = malloc((size_t)reach + 1), *new = malloc((size_t)length + 1);
    CLEANUP_FREE int32_t *order = malloc(sizeof *order * ((size_t)reach + 1));
    if (!old || !new || !order) return fail(w, ENOMEM, "diff");
    int r = read_at(d->old_fd, old, (size_t)reach, from);
    if (!r) r = read_at(d->new_fd, new, (size_t)length, start);
    if (!r && reach > 0) r = delta_sort(old, order, (int32_t)reach);
    Pair pair = {.old = old, .new = new, .old_size = reach, .new_size = length, .old_offset = from, .order = order};
    if (!r) r = reach > 0 ? compare_window(d, &pair) : emit_raw(d, new, (size_t)length);
    if (r) return fail(w, -r, "diff");
  }
  CLEANUP_FREE uint8_t *packed = malloc(ZSTD_compressBound(PIECE_BYTES + 64));
  ZSTD_CCtx *c = ZSTD_createCCtx();
  for (size_t i = 0; packed && c && i < d->count; i++) {
    for (int lane = 0; lane < LANE_COUNT; lane++) {
      Buffer *b = &d->pieces[i].lanes[lane];
      size_t n = b->size ? ZSTD_compressCCtx(c, packed, ZSTD_compressBound(PIECE_BYTES + 64), b->p, b->size, 3) : 0;
      d->cost += ZSTD_isError(n) ? b->size : n;
    }
  }
  ZSTD_freeCCtx(c);
}

static JSValue diff_result(JSContext *ctx, Work *w) {
  Diff *d = (Diff *)w;
  JSValue o = JS_NewObject(ctx), list = JS_NewArray(ctx);
  for (size_t i = 0; i < d->count; i++) {
    JSValue piece = JS_NewObject(ctx), lanes = JS_NewArray(ctx);
    for (int lane = 0; lane < LANE_COUNT; lane++) {
      Buffer *b = &d->pieces[i].lanes[lane];
      JS_SetPropertyUint32(ctx, lanes, (uint32_t)lane, new_bytes(ctx, b->p, b->size));
      free(b->p);
      *b = (Buffer){0};
    }
    set(ctx, piece, "lanes", lanes);
    set(ctx, piece, "sizeBytes", JS_NewInt64(ctx, (int64_t)d->pieces[i].makes));
    JS_SetPropertyUint32(ctx, list, (uint32_t)i, piece);
  }
  set(ctx, o, "pieces", list);
  set(ctx, o, "costBytes", JS_NewInt64(ctx, (int64_t)d->cost));
  return o;
}

static void diff_destroy(Work *w) {
  Diff *d = (Diff *)w;
  for (size_t i = 0; i < d->count; i++)
    for (int lane = 0; lane < LANE_COUNT; lane++) free(d->pieces[i].lanes[lane].p);
  free(d->pieces);
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
