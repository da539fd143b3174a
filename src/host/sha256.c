// SHA-256 (FIPS 180-4), with the processor's instructions where there are some.
#include "host.h"

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// --- portable -----------------------------------------------------------------------------------------------------------------
static inline uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static inline uint32_t big_endian(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return __builtin_bswap32(v); // every architecture that we build for is little endian
}

#define ROUND(a, b, c, d, e, f, g, h, i)                                                                                        \
  do {                                                                                                                          \
    uint32_t t = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + K[i] + w[(i) & 15];                 \
    d += t;                                                                                                                     \
    h = t + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)));                                         \
  } while (0)

static void blocks_portable(uint32_t state[8], const uint8_t *data, size_t blocks) {
  uint32_t w[16];
  for (; blocks; blocks--, data += 64) {
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 16; i++) w[i] = big_endian(data + 4 * i);
    for (int i = 0; i < 64; i += 8) {
      if (i >= 16)
        for (int j = i; j < i + 8; j++) {
          uint32_t x = w[(j + 1) & 15], y = w[(j + 14) & 15];
          w[j & 15] += (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[(j + 9) & 15] + (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
        }
      ROUND(a, b, c, d, e, f, g, h, i);
      ROUND(h, a, b, c, d, e, f, g, i + 1);
      ROUND(g, h, a, b, c, d, e, f, i + 2);
      ROUND(f, g, h, a, b, c, d, e, i + 3);
      ROUND(e, f, g, h, a, b, c, d, i + 4);
      ROUND(d, e, f, g, h, a, b, c, i + 5);
      ROUND(c, d, e, f, g, h, a, b, i + 6);
      ROUND(b, c, d, e, f, g, h, a, i + 7);
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f, state[6] += g, state[7] += h;
  }
}

// --- x86 SHA extensions -----------------------------------------------------------------------------------------------------------
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <immintrin.h>

__attribute__((target("sha,sse4.1"))) static void blocks_native(uint32_t state[8], const uint8_t *data, size_t blocks) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
  // the instructions want the state as (a b e f) and (c d g h)
  __m128i dcba = _mm_loadu_si128((const __m128i *)state), hgfe = _mm_loadu_si128((const __m128i *)(state + 4));
  __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
  for (; blocks; blocks--, data += 64) {
    const __m128i abef0 = abef, cdgh0 = cdgh;
    __m128i w[4];
    for (int i = 0; i < 16; i++) {
      __m128i words;
      if (i < 4) {
        words = w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16 * i)), swap);
      } else {
        __m128i x = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]);
        x = _mm_add_epi32(x, _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
        words = w[i & 3] = _mm_sha256msg2_epu32(x, w[(i + 3) & 3]);
      }
      __m128i k = _mm_add_epi32(words, _mm_loadu_si128((const __m128i *)(K + 4 * i)));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0e));
    }
    abef = _mm_add_epi32(abef, abef0);
    cdgh = _mm_add_epi32(cdgh, cdgh0);
  }
  __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

#define NATIVE_NAME "sha-ni"
static bool native_there(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3)) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

// --- ARMv8 cryptography extension (both 64 and 32 bit) -----------------------------------------------------------------------------
#elif defined(__aarch64__) || defined(SHA256_ARM32_CRYPTO)
#include <arm_neon.h>
#include <sys/auxv.h>

#ifdef __aarch64__
__attribute__((target("+crypto")))
#endif
static void
blocks_native(uint32_t state[8], const uint8_t *data, size_t blocks) {
  uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);
  for (; blocks; blocks--, data += 64) {
    const uint32x4_t abcd0 = abcd, efgh0 = efgh;
    uint32x4_t w[4];
    for (int i = 0; i < 16; i++) {
      if (i < 4) w[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(data + 16 * i)));
      else w[i & 3] = vsha256su1q_u32(vsha256su0q_u32(w[i & 3], w[(i + 1) & 3]), w[(i + 2) & 3], w[(i + 3) & 3]);
      const uint32x4_t k = vaddq_u32(w[i & 3], vld1q_u32(K + 4 * i)), before = abcd;
      abcd = vsha256hq_u32(abcd, efgh, k);
      efgh = vsha256h2q_u32(efgh, before, k);
    }
    abcd = vaddq_u32(abcd, abcd0);
    efgh = vaddq_u32(efgh, efgh0);
  }
  vst1q_u32(state, abcd);
  vst1q_u32(state + 4, efgh);
}

#define NATIVE_NAME "armv8"
static bool native_there(void) {
#ifdef __aarch64__
  return getauxval(AT_HWCAP) & (1ul << 6); // HWCAP_SHA2
#else
  return getauxval(AT_HWCAP2) & (1ul << 3); // HWCAP2_SHA2
#endif
}
#endif

// --- choice ------------------------------------------------------------------------------------------------------------------------
Sha256Blocks *sha256_by_name(const char *name) {
#ifdef NATIVE_NAME
  if (!strcmp(name, NATIVE_NAME) && native_there()) return blocks_native;
#endif
  return strcmp(name, "portable") ? NULL : blocks_portable;
}

int sha256_names(const char **names, int room) {
  int n = 0;
#ifdef NATIVE_NAME
  if (n < room && native_there()) names[n++] = NATIVE_NAME;
#endif
  if (n < room) names[n++] = "portable";
  return n;
}

const char *sha256_name(void) {
  const char *best;
  sha256_names(&best, 1);
  return best;
}

static Sha256Blocks *chosen(void) {
  static Sha256Blocks *best; // threads that race here store the same value
  Sha256Blocks *blocks = __atomic_load_n(&best, __ATOMIC_RELAXED);
  if (!blocks) {
    blocks = sha256_by_name(sha256_name());
    __atomic_store_n(&best, blocks, __ATOMIC_RELAXED);
  }
  return blocks;
}

// --- padding ------------------------------------------------------------------------------------------------------------------------
void sha256_init(Sha256 *s) {
  *s = (Sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_update_with(Sha256 *s, const void *data, size_t size, Sha256Blocks *blocks) {
  const uint8_t *p = data;
  size_t filled = s->size % 64;
  s->size += size;
  if (filled) {
    size_t n = 64 - filled < size ? 64 - filled : size;
    memcpy(s->block + filled, p, n);
    p += n, size -= n;
    if (filled + n < 64) return;
    blocks(s->state, s->block, 1);
  }
  if (size >= 64) blocks(s->state, p, size / 64);
  memcpy(s->block, p + size / 64 * 64, size % 64);
}

void sha256_update(Sha256 *s, const void *p, size_t size) {
  if (size) sha256_update_with(s, p, size, chosen());
}

void sha256_final(const Sha256 *s, uint8_t out[32], Sha256Blocks *blocks) {
  Sha256 copy = *s;
  uint8_t padding[72] = {0x80};
  if (!blocks) blocks = chosen();
  size_t n = (s->size % 64 < 56 ? 56 : 120) - s->size % 64;
  for (int i = 0; i < 8; i++) padding[n + i] = (uint8_t)(s->size * 8 >> (56 - 8 * i));
  sha256_update_with(&copy, padding, n + 8, blocks);
  for (int i = 0; i < 8; i++) {
    uint32_t v = __builtin_bswap32(copy.state[i]);
    memcpy(out + 4 * i, &v, 4);
  }
}
