/* Random draws: known values of Philox, the same bits everywhere, and the moments of the distributions. */
#include <math.h>
#include <string.h>

#include "autograd/kernels/kernels.h"
#include "tests/test.h"

enum { N = 1 << 20 };
static ag_real x[N], z[N];

/* The known answer of Random123 for a counter and key of zeros is 6627e8d5 e169c58d bc57ac4c 9b00dbd8. Words 0 to 3 of
 * block 0 are elements 0, 16, 32, 48 of a draw. */
Test(random, philox_known_answer)
{
    static const uint32_t word[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    agk()->uniform(0, 0, 0, 64, 0, 1, x);
    for (int w = 0; w < 4; w++)
        cr_assert((double)x[16 * w] == (double)(word[w] >> 8) / 16777216);
}

static void check_moments(const ag_real *v, double mean, double variance, double fourth)
{
    double m1 = 0, m2 = 0, m4 = 0;
    for (int i = 0; i < N; i++)
        m1 += (double)v[i] / N;
    for (int i = 0; i < N; i++) {
        double d = (double)v[i] - m1;
        m2 += d * d / N;
        m4 += d * d * d * d / N;
    }
    cr_assert(fabs(m1 - mean) < 5 * sqrt(variance / N), "mean %g, expected %g", m1, mean);
    cr_assert(fabs(m2 / variance - 1) < 0.01, "variance %g, expected %g", m2, variance);
    cr_assert(fabs(m4 / fourth - 1) < 0.03, "fourth moment %g, expected %g", m4, fourth);
}

Test(random, moments)
{
    ag_rng r = {7, 0};
    ag_rng_uniform(&r, N, 2, 6, x);
    check_moments(x, 4, 16.0 / 12, 16.0 * 16 / 80);
    ag_rng_normal(&r, N, 1, 3, x);
    check_moments(x, 1, 9, 3 * 81);
    ag_rng_bernoulli(&r, N, (ag_real)0.25, 4, x);
    check_moments(x, 1, 3, 16 * 0.25 * 0.75 * (1 - 3 * 0.25 * 0.75) * 16);
    cr_assert(r.draw == 3);
}

/* Normal numbers of one draw are not correlated at any short distance: pairs come from one point of the plane. */
Test(random, normal_is_white)
{
    ag_rng_normal(&(ag_rng){11, 0}, N, 0, 1, x);
    for (int lag = 1; lag <= 64; lag++) {
        double sum = 0;
        for (int i = 0; i + lag < N; i++)
            sum += (double)x[i] * (double)x[i + lag];
        cr_assert(fabs(sum / N) < 5 / sqrt(N), "correlation %g at distance %d", sum / N, lag);
    }
}

Test(random, same_bits_for_any_kernel_and_thread_count)
{
    const char *name;
    ag_set_threads(1);
    ag_rng_normal(&(ag_rng){3, 9}, 100003, 0, 1, x);
    ag_set_threads(4);
    ag_rng_normal(&(ag_rng){3, 9}, 100003, 0, 1, z);
    cr_assert(memcmp(x, z, 100003 * sizeof *x) == 0, "threads");
    ag_set_threads(1);
    for (int i = 0; (name = agk_name(i)); i++) {
        if (!agk_find(name))
            continue;
        agk_find(name)->normal(3, 9, 0, 100003, 0, 1, z);
        cr_assert(memcmp(x, z, 100003 * sizeof *x) == 0, "%s", name);
    }
}

Test(random, all_bits_of_seed_and_draw_count)
{
    const uint64_t high = (uint64_t)1 << 32;
    ag_real        first[4];
    const ag_rng   states[4] = {{0, 0}, {high, 0}, {0, high}, {1, 0}};
    for (int i = 0; i < 4; i++) {
        ag_rng r = states[i];
        ag_rng_uniform(&r, 1, 0, 1, &first[i]);
    }
    cr_assert(first[0] < first[1] || first[0] > first[1]);
    cr_assert(first[0] < first[2] || first[0] > first[2]);
}
