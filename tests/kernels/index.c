/* Selecting, gathering, running sums and places of the largest, of each instruction set, against plain loops; all give
 * the same bits. */
#include "autograd/kernels/kernels.h"

#include <math.h>
#include <string.h>

#include "tests/test.h"

enum { MOST = 7 * 150 };

static ag_real x[MOST], g[MOST], y[MOST], wanted[MOST];

static void inputs(void)
{
    ag_rng_uniform(&(ag_rng){1, 0}, MOST, -1, 1, x);
    ag_rng_uniform(&(ag_rng){2, 0}, MOST, -1, 1, g);
    memset(y, 0, sizeof y);
    memset(wanted, 0, sizeof wanted);
}

static void expect_bits(const agk_table *t, const char *what, int64_t n)
{
    cr_assert(!memcmp(y, wanted, (size_t)n * sizeof *y), "%s: %s of %lld", t->name, what, (long long)n);
}

static void check_select(const agk_table *t, int64_t n)
{
    ag_real condition[MOST];
    inputs();
    for (int64_t i = 0; i < n; i++) {
        condition[i] = i % 4 == 0 ? (ag_real)NAN : i % 4 == 1 ? 0 : i % 4 == 2 ? -(ag_real)0.0 : 3;
        wanted[i] = i % 4 == 0 || i % 4 == 3 ? x[i] : g[i];
    }
    t->select(n, condition, x, g, y);
    expect_bits(t, "select", n);
    for (int of = 0; of < 2; of++) {
        for (int64_t i = 0; i < n; i++)
            wanted[i] = (i % 4 == 0 || i % 4 == 3) == of ? g[i] : 0;
        t->select_gradient(n, condition, of, g, false, y);
        expect_bits(t, "select_gradient", n);
        for (int64_t i = 0; i < n; i++)
            wanted[i] += (i % 4 == 0 || i % 4 == 3) == of ? g[i] : 0;
        t->select_gradient(n, condition, of, g, true, y);
        expect_bits(t, "select_gradient, added", n);
    }
}

/* Along the last axis (stride 1, step 0) and along another. Places repeat, so that sums have an order. */
static void check_gather(const agk_table *t, int64_t n, int64_t stride, int64_t step)
{
    ag_real index[MOST];
    inputs();
    for (int64_t i = 0; i < n; i++) {
        index[i] = (ag_real)(i * 5 % 7);
        wanted[i] = x[i * 5 % 7 * stride + i * step];
    }
    t->gather(n, x, stride, index, step, false, y);
    expect_bits(t, "gather", n);
    for (int64_t i = 0; i < n; i++)
        wanted[i] += wanted[i];
    t->gather(n, x, stride, index, step, true, y);
    expect_bits(t, "gather, added", n);
    inputs();
    for (int64_t i = 0; i < n; i++)
        wanted[i * 5 % 7 * stride + i * step] += x[i];
    t->scatter_add(n, x, stride, index, step, y);
    expect_bits(t, "scatter_add", MOST);
}

static void check_cumsum(const agk_table *t, int64_t size, int64_t inner, bool reverse)
{
    inputs();
    for (int64_t j = 0; j < inner; j++) {
        double sum = 0;
        for (int64_t k = 0; k < size; k++) {
            const int64_t at = (reverse ? size - 1 - k : k) * inner + j;
            sum += (double)x[at];
            wanted[at] = (ag_real)sum;
        }
    }
    t->cumsum(size, inner, x, reverse, false, y);
    expect_bits(t, "cumsum", size * inner);
    for (int64_t i = 0; i < size * inner; i++)
        wanted[i] += wanted[i];
    t->cumsum(size, inner, x, reverse, true, y);
    expect_bits(t, "cumsum, added", size * inner);
}

static void check_argmax(const agk_table *t, int64_t size, int64_t inner)
{
    inputs();
    for (int64_t i = 0; i < size * inner; i++)
        x[i] = i % 31 == 17 ? (ag_real)NAN : (ag_real)(i * 7 % 5); /* equals, and NaN, of which the first counts */
    for (int64_t j = 0; j < inner; j++)
        for (int64_t k = size - 1, best = -1; k >= 0; k--) {
            const ag_real v = x[k * inner + j], m = best < 0 ? v : x[best * inner + j];
            best = best < 0 || isnan(v) || (!isnan(m) && v >= m) ? k : best;
            wanted[j] = (ag_real)best;
        }
    t->argmax(size, inner, x, y);
    expect_bits(t, "argmax", inner);
}

Test(kernels, places)
{
    static const int64_t lengths[] = {1, 2, 3, 7, 8, 15, 16, 17, 33, 63, 64, 65, 127, 128, 129, 150};
    for (int i = 0; agk_name(i); i++) {
        const agk_table *t = agk_find(agk_name(i));
        for (size_t l = 0; t && l < sizeof lengths / sizeof *lengths; l++) {
            const int64_t n = lengths[l];
            check_select(t, n);
            check_gather(t, n, 1, 0);
            check_gather(t, n, 150, 1);
            for (int reverse = 0; reverse < 2; reverse++) {
                check_cumsum(t, n, 1, reverse);
                check_cumsum(t, n, 3, reverse);
                check_cumsum(t, 5, n, reverse);
            }
            check_argmax(t, n, 1);
            check_argmax(t, 7, n);
        }
    }
}
