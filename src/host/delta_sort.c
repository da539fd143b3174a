// Suffix arrays in linear time by induced sorting (Nong, Zhang, Chan 2009): two bytes of work memory for each byte, and a bit.
#include "delta.h"

// The text of the first round is bytes, of the deeper ones ranks.
typedef struct Text {
  const uint8_t *bytes;
  const int32_t *ranks;
  int32_t size, highest; // of a character
} Text;

static inline int32_t at(const Text *t, int32_t i) { return t->bytes ? t->bytes[i] : t->ranks[i]; }
static inline bool is_small(const uint8_t *small, int32_t i) { return small[i >> 3] >> (i & 7) & 1; }

// Where the buckets begin: small suffixes (less than the next one) stand behind the large ones of the same character.
static void bucket_starts(const Text *t, const uint8_t *small, int32_t *large_start, int32_t *small_start) {
  memset(large_start, 0, sizeof *large_start * (size_t)(t->highest + 2));
  memset(small_start, 0, sizeof *small_start * (size_t)(t->highest + 2));
  for (int32_t i = 0; i < t->size; i++) {
    if (is_small(small, i)) large_start[at(t, i) + 1]++;
    else small_start[at(t, i)]++;
  }
  for (int32_t c = 0; c <= t->highest; c++) {
    small_start[c] += large_start[c];
    large_start[c + 1] += small_start[c];
  }
}

// Sorts all suffixes from the order of the leftmost small ones in `seeds`.
static void induce(const Text *t, const uint8_t *small, const int32_t *large_start, const int32_t *small_start, int32_t *next, const int32_t *seeds, int32_t count, int32_t *order) {
  size_t buckets = sizeof *next * (size_t)(t->highest + 2);
  for (int32_t i = 0; i < t->size; i++) order[i] = -1;
  memcpy(next, small_start, buckets);
  for (int32_t i = 0; i < count; i++) order[next[at(t, seeds[i])]++] = seeds[i];
  memcpy(next, large_start, buckets);
  order[next[at(t, t->size - 1)]++] = t->size - 1;
  for (int32_t i = 0; i < t->size; i++) {
    int32_t v = order[i] - 1;
    if (v >= 0 && !is_small(small, v)) order[next[at(t, v)]++] = v;
  }
  memcpy(next, large_start, buckets);
  for (int32_t i = t->size - 1; i >= 0; i--) {
    int32_t v = order[i] - 1;
    if (v >= 0 && is_small(small, v)) order[--next[at(t, v) + 1]] = v;
  }
}

static int sort(const Text *t, int32_t *order);

static bool same_part(const Text *t, int32_t a, int32_t a_end, int32_t b, int32_t b_end) {
  if (a_end - a != b_end - b) return false;
  while (a < a_end && at(t, a) == at(t, b)) a++, b++;
  return a == a_end && a < t->size && b < t->size && at(t, a) == at(t, b);
}

// The seeds in their order: by their parts, and where parts are equal by a round with ranks for characters.
static int sort_seeds(const Text *t, const int32_t *order, const int32_t *seeds, int32_t count, int32_t *sorted) {
  // Two seeds never stand side by side, so that half a position names one.
  CLEANUP_FREE int32_t *number = malloc(sizeof *number * ((size_t)t->size / 2 + 1)), *ranks = malloc(sizeof *ranks * (size_t)count);
  if (!number || !ranks) return -ENOMEM;
  memset(number, 0xff, sizeof *number * ((size_t)t->size / 2 + 1));
  for (int32_t i = 0; i < count; i++) number[seeds[i] >> 1] = i;
  int32_t filled = 0;
  for (int32_t i = 0; i < t->size; i++) {
    int32_t n = number[order[i] >> 1];
    if (n >= 0 && seeds[n] == order[i]) sorted[filled++] = order[i];
  }
  int32_t rank = 0;
  for (int32_t i = 0; i < count; i++) {
    int32_t n = number[sorted[i] >> 1];
    if (i > 0) {
      int32_t before = number[sorted[i - 1] >> 1];
      int32_t end = n + 1 < count ? seeds[n + 1] : t->size, before_end = before + 1 < count ? seeds[before + 1] : t->size;
      if (!same_part(t, sorted[i - 1], before_end, sorted[i], end)) rank++;
    }
    ranks[n] = rank;
  }
  free(STEAL_PTR(number));
  if (rank + 1 < count) {
    Text deeper = {.ranks = ranks, .size = count, .highest = rank};
    int r = sort(&deeper, sorted);
    if (r) return r;
    for (int32_t i = 0; i < count; i++) sorted[i] = seeds[sorted[i]];
  }
  return 0;
}

static int sort(const Text *t, int32_t *order) {
  if (t->size < 3) {
    for (int32_t i = 0; i < t->size; i++) order[i] = i;
    if (t->size == 2 && at(t, 0) >= at(t, 1)) order[0] = 1, order[1] = 0;
    return 0;
  }
  CLEANUP_FREE uint8_t *small = calloc((size_t)t->size / 8 + 1, 1);
  CLEANUP_FREE int32_t *large_start = malloc(sizeof(int32_t) * (size_t)(t->highest + 2)), *small_start = malloc(sizeof(int32_t) * (size_t)(t->highest + 2)),
                       *next = malloc(sizeof(int32_t) * (size_t)(t->highest + 2));
  if (!small || !large_start || !small_start || !next) return -ENOMEM;
  int32_t count = 0;
  for (int32_t i = t->size - 2; i >= 0; i--) {
    int32_t a = at(t, i), b = at(t, i + 1);
    if (a == b ? is_small(small, i + 1) : a < b) small[i >> 3] |= (uint8_t)(1 << (i & 7));
    else if (is_small(small, i + 1)) count++;
  }
  bucket_starts(t, small, large_start, small_start);
  CLEANUP_FREE int32_t *seeds = malloc(sizeof *seeds * ((size_t)count + 1)), *sorted = malloc(sizeof *sorted * ((size_t)count + 1));
  if (!seeds || !sorted) return -ENOMEM;
  for (int32_t i = 1, n = 0; i < t->size; i++)
    if (is_small(small, i) && !is_small(small, i - 1)) seeds[n++] = i;
  induce(t, small, large_start, small_start, next, seeds, count, order);
  if (count == 0) return 0;
  int r = sort_seeds(t, order, seeds, count, sorted);
  if (r) return r;
  induce(t, small, large_start, small_start, next, sorted, count, order);
  return 0;
}

int delta_sort(const uint8_t *text, int32_t *order, int32_t n) {
  Text t = {.bytes = text, .size = n, .highest = 255};
  return sort(&t, order);
}
