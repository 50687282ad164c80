/* Softmax and layer norm of many rows against one row at a time. */
#include "tests/kernels/tables.h"

/* Short rows go side by side where there are many: the bits are those of one alone, however the rows are shared out. */
static void check_softmax_rows(const agk_table *t)
{
    enum { ROWS = 21, LONGEST = 40 };
    static ag_real   x[ROWS * LONGEST], gy[ROWS * LONGEST], all[ROWS * LONGEST], one[ROWS * LONGEST];
    const agk_table *plain = agk_find("portable");
    fill(x, ROWS * LONGEST, 1);
    fill(gy, ROWS * LONGEST, 2);
    for (int64_t n = 1; n <= LONGEST; n++)
        for (int k = 0; k < 5; k++) {
            memset(all, 0, sizeof all);
            memset(one, 0, sizeof one);
            for (int64_t r = 0, at = 0; r < ROWS; r++, at += n)
                k == 0   ? plain->softmax(1, n, x + at, one + at)
                : k == 1 ? plain->log_softmax(1, n, x + at, one + at)
                : k == 2 ? plain->logsumexp(1, n, x + at, one + r)
                : k == 3 ? plain->softmax_backward(1, n, x + at, gy + at, one + at)
                         : plain->log_softmax_backward(1, n, x + at, gy + at, one + at);
            k == 0   ? t->softmax(ROWS, n, x, all)
            : k == 1 ? t->log_softmax(ROWS, n, x, all)
            : k == 2 ? t->logsumexp(ROWS, n, x, all)
            : k == 3 ? t->softmax_backward(ROWS, n, x, gy, all)
                     : t->log_softmax_backward(ROWS, n, x, gy, all);
            cr_assert(same_bits(all, one, ROWS * n), "%s: function %d of rows of %lld", t->name, k, (long long)n);
        }
}

Test(kernels, softmax_of_many_rows)
{
    for_tables(check_softmax_rows);
}

static void check_layer_norm_rows(const agk_table *t)
{
    enum { ROWS = 21, LONGEST = 40 };
    static ag_real x[ROWS * LONGEST], gy[ROWS * LONGEST], w[LONGEST], all[2][ROWS * LONGEST], one[2][ROWS * LONGEST];
    ag_real        saved[2 * ROWS], one_saved[2 * ROWS];
    fill(x, ROWS * LONGEST, 1);
    fill(gy, ROWS * LONGEST, 2);
    fill(w, LONGEST, 3);
    for (int64_t n = 1; n <= LONGEST; n++) {
        for (int64_t r = 0, at = 0; r < ROWS; r++, at += n) {
            t->layer_norm(1, n, 1e-5, x + at, w, w, one[0] + at, one_saved + 2 * r);
            t->layer_norm_gradient(1, n, x + at, gy + at, w, one_saved + 2 * r, false, one[1] + at);
        }
        t->layer_norm(ROWS, n, 1e-5, x, w, w, all[0], saved);
        t->layer_norm_gradient(ROWS, n, x, gy, w, saved, false, all[1]);
        for (int k = 0; k < 2; k++)
            cr_assert(same_bits(all[k], one[k], ROWS * n), "%s: layer norm of rows of %lld", t->name, (long long)n);
    }
}

Test(kernels, layer_norm_of_many_rows)
{
    for_tables(check_layer_norm_rows);
}
