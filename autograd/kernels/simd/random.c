/* Random draws: Philox 4x32-10 (see autograd/rng.h), sixteen blocks at a time. Within a group of 64 elements, word w
 * of block b is element 16 w + b, so that every loop runs over contiguous memory. */
#include "autograd/kernels/simd/math.h"

#define BLOCKS (AGK_RANDOM_GROUP / 4)

/* The 4 x 16 words of one group. */
static void philox(uint64_t seed, uint64_t draw, uint64_t group, uint32_t word[4][BLOCKS])
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (uint64_t b = 0; b < BLOCKS; b++) {
        uint64_t block = group * BLOCKS + b;
        word[0][b] = (uint32_t)block;
        word[1][b] = (uint32_t)(block >> 32);
        word[2][b] = (uint32_t)draw;
        word[3][b] = (uint32_t)(draw >> 32);
    }
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (int b = 0; b < BLOCKS; b++) {
            uint64_t p = (uint64_t)0xD2511F53u * word[0][b], q = (uint64_t)0xCD9E8D57u * word[2][b];
            uint32_t w0 = (uint32_t)(q >> 32) ^ word[1][b] ^ k0, w2 = (uint32_t)(p >> 32) ^ word[3][b] ^ k1;
            word[1][b] = (uint32_t)q;
            word[3][b] = (uint32_t)p;
            word[0][b] = w0;
            word[2][b] = w2;
        }
}

/* In [0, 1): the upper 24 bits, which float holds exactly. */
INLINE ag_real unit(uint32_t word)
{
    return (ag_real)(int32_t)(word >> 8) * (ag_real)5.9604644775390625e-8;
}

/* Writes one whole group to y[0 .. 63]. */
typedef void group_fn(uint64_t seed, uint64_t draw, uint64_t group, ag_real a, ag_real b, ag_real *y);

static void uniform_group(uint64_t seed, uint64_t draw, uint64_t group, ag_real low, ag_real high, ag_real *y)
{
    uint32_t word[4][BLOCKS];
    philox(seed, draw, group, word);
    for (int w = 0; w < 4; w++)
        for (int b = 0; b < BLOCKS; b++)
            y[w * BLOCKS + b] = r_fma(unit(word[w][b]), high - low, low);
}

/* Box, Muller: "A note on the generation of random normal deviates", 1958. */
static void normal_group(uint64_t seed, uint64_t draw, uint64_t group, ag_real mean, ag_real deviation, ag_real *y)
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

static void bernoulli_group(uint64_t seed, uint64_t draw, uint64_t group, ag_real p, ag_real value, ag_real *y)
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
