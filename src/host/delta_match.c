// What two byte strings have in common: the longest matches by a suffix array, extended over scattered changes (Percival's bsdiff).
#include "delta.h"

typedef struct Pair {
  const uint8_t *old, *new;
  int64_t old_size, new_size;
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

int delta_match(const uint8_t *old, int64_t old_size, const uint8_t *new, int64_t new_size, const int32_t *order, MatchFound found, void *with) {
  const Pair pair = {.old = old, .new = new, .old_size = old_size, .new_size = new_size, .order = order}, *p = &pair;
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
    if (forward > 0) {
      int r = found(with, done_old, done_new, forward);
      if (r) return r;
    }
    done_new = scan - backward;
    done_old = where - backward;
    shift = where - scan;
  }
  return 0;
}
