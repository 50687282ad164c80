/* The order of a convolution's weights, of each instruction set, against the plain formula. */
#include <stdlib.h>

#include "tests/kernels/tables.h"

static ag_real ordered(int64_t rows, int64_t row_step, int64_t depth_step, const ag_real *w, int64_t k, int64_t tap,
                       int64_t r)
{
    return r < rows ? w[r * row_step + k * depth_step + tap] : 0;
}

/* Weights of `size` reals in memory of exactly that size, in which a group has more channels than are ordered. */
static void check_order(const agk_table *t, int64_t rows, int64_t depth, int64_t taps, bool forward)
{
    const int64_t row_step = forward ? depth * taps : taps, depth_step = forward ? taps : (rows + 1) * taps;
    const int64_t size = (rows - 1) * row_step + (depth - 1) * depth_step + taps, n = depth * taps * AGK_CONV_ROWS;
    ag_real      *w = malloc((size_t)size * sizeof *w), *to = malloc((size_t)n * sizeof *to);
    fill(w, size, 1);
    fill(to, n, 2);
    t->conv_order(rows, depth, taps, w, row_step, depth_step, to);
    for (int64_t i = 0; i < n; i++) {
        const int64_t r = i % AGK_CONV_ROWS, k = i / AGK_CONV_ROWS % depth, tap = i / AGK_CONV_ROWS / depth;
        cr_assert(to[i] == ordered(rows, row_step, depth_step, w, k, tap, r), "%s, %d rows, depth %d, %d taps, %s",
                  t->name, (int)rows, (int)depth, (int)taps, forward ? "forward" : "backward");
    }
    free(w), free(to);
}

static void orders(const agk_table *t)
{
    static const int64_t depths[] = {1, 2, 3, 16, 19}, taps[] = {1, 2, 4, 9, 16, 25, 49};
    for (int64_t rows = 1; rows <= AGK_CONV_ROWS; rows++)
        for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
            for (size_t i = 0; i < sizeof taps / sizeof *taps; i++)
                for (int forward = 0; forward < 2; forward++)
                    check_order(t, rows, depths[d], taps[i], forward);
}

Test(conv, orders_weights)
{
    for_tables(orders);
}
