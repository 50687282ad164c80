/* Random draws: Philox 4x32-10 (see autograd/rng.h), sixteen blocks at a time. Within a group of 64 elements, word w
 * of block b is element 16 w + b, so that every loop runs over contiguous memory. */
#include "autograd/kernels/simd/math.h"
#include "autograd/kernels/simd/vector.h"

#define BLOCKS (AGK_RANDOM_GROUP / 4)

/* Words in the lower halves of 64-bit lanes, where a product finds room; upper halves are of no account. */
#define WIDE ((int)(VECTOR_BYTES / sizeof(uint64_t)))
typedef uint64_t words __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t halves __attribute__((vector_size(VECTOR_BYTES / 2), aligned(4), may_alias));

/* The products of the lower halves. Intrinsics, as no compiler sees that one instruction does it; the last branch is their twin. */
INLINE words product(words x, uint32_t y)
{
#if VECTOR_BYTES == 64
    return (words)_mm512_mul_epu32((__m512i)x, _mm512_set1_epi64(y));
#elif VECTOR_BYTES == 32
    return (words)_mm256_mul_epu32((__m256i)x, _mm256_set1_epi64x(y));
#elif defined(__aarch64__)
    return (words)vmull_u32(vmovn_u64((uint64x2_t)x), vdup_n_u32(y));
#else
    return (x & 0xffffffffu) * y;
#endif
}

/* The 4 x 16 words of one group, two vectors of blocks at a time. */
INLINE void philox(uint64_t seed, uint64_t draw, uint64_t group, uint32_t word[4][BLOCKS])
{
    static const uint64_t number[BLOCKS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int first = 0; first < BLOCKS; first += 2 * WIDE) {
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        words    w[4][2];
        memcpy(w[0], number + first, sizeof w[0]);
        UNROLL for (int v = 0; v < 2; v++) {
            w[0][v] += group * BLOCKS;
            w[1][v] = w[0][v] >> 32;
            w[2][v] = (words){0} + draw;
            w[3][v] = w[2][v] >> 32;
        }
        for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
            UNROLL for (int v = 0; v < 2; v++) {
                words p = product(w[0][v], 0xD2511F53u), q = product(w[2][v], 0xCD9E8D57u);
                w[0][v] = (q >> 32) ^ w[1][v] ^ k0;
                w[2][v] = (p >> 32) ^ w[3][v] ^ k1;
                w[1][v] = q;
                w[3][v] = p;
            }
        UNROLL for (int i = 0; i < 4; i++)
            UNROLL for (int v = 0; v < 2; v++)
                *(halves *)(word[i] + first + v * WIDE) = __builtin_convertvector(w[i][v], halves);
    }
}

/* In [0, 1): the upper 24 bits, which float holds exactly. */
INLINE ag_real unit(uint32_t word)
{
    return (ag_real)(int32_t)(word >> 8) * (ag_real)5.9604644775390625e-8;
}

/* Writes one whole group to y[0 .. 63]. */
typedef void group_fn(uint64_t seed, uint64_t draw, uint64_t group, ag_real a, ag_real b, ag_real *y);

INLINE void uniform_group(uint64_t seed, uint64_t draw, uint64_t group, ag_real low, ag_real high, ag_real *y)
{
    uint32_t word[4][BLOCKS];
    philox(seed, draw, group, word);
    for (int w = 0; w < 4; w++)
        for (int b = 0; b < BLOCKS; b++)
            y[w * BLOCKS + b] = r_fma(unit(word[w][b]), high - low, low);
}

/* Box, Muller: "A note on the generation of random normal deviates", 1958. */
INLINE void normal_group(uint64_t seed, uint64_t draw, uint64_t group, ag_real mean, ag_real deviation, ag_real *y)
{
    uint32_t word[4][BLOCKS];
    philox(seed, draw, group, word);
    for (int w = 0; w < 4; w += 2)
        for (int b = 0; b < BLOCKS; b++) {
            ag_real cosine, sine, radius = r_sqrt(-2 * r_log(1 - unit(word[w][b])));
            r_cos_sin_turn(unit(word[w + 1][b]), &cosine, &sine);
            y[w * BLOCKS + b] = r_fma(deviation, radius * cosine, mean);
            y[(w + 1) * BLOCKS + b] = r_fma(deviation, radius * sine, mean);
        }
}

INLINE void bernoulli_group(uint64_t seed, uint64_t draw, uint64_t group, ag_real p, ag_real value, ag_real *y)
{
    uint32_t word[4][BLOCKS];
    philox(seed, draw, group, word);
    for (int w = 0; w < 4; w++)
        for (int b = 0; b < BLOCKS; b++)
            y[w * BLOCKS + b] = unit(word[w][b]) < p ? value : 0;
}

INLINE void fill(group_fn *f, uint64_t seed, uint64_t draw, int64_t first, int64_t n, ag_real a, ag_real b, ag_real *y)
{
    uint64_t group = (uint64_t)first / AGK_RANDOM_GROUP;
    int64_t  i = 0;
    for (; i + AGK_RANDOM_GROUP <= n; i += AGK_RANDOM_GROUP)
        f(seed, draw, group++, a, b, y + i);
    if (i < n) {
        ag_real last[AGK_RANDOM_GROUP];
        f(seed, draw, group, a, b, last);
        memcpy(y + i, last, (size_t)(n - i) * sizeof *y);
    }
}

void AGK(uniform)(uint64_t seed, uint64_t draw, int64_t first, int64_t n, ag_real low, ag_real high, ag_real *y)
{
    fill(uniform_group, seed, draw, first, n, low, high, y);
}

void AGK(normal)(uint64_t seed, uint64_t draw, int64_t first, int64_t n, ag_real mean, ag_real deviation, ag_real *y)
{
    fill(normal_group, seed, draw, first, n, mean, deviation, y);
}

void AGK(bernoulli)(uint64_t seed, uint64_t draw, int64_t first, int64_t n, ag_real p, ag_real value, ag_real *y)
{
    fill(bernoulli_group, seed, draw, first, n, p, value, y);
}
