/* Softmax and layer norm of many rows against one row at a time; sums of rows in their order. */
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

/* Sums down columns: the order of the additions is part of the promise, so the bits are those of the plain loop. */
static void check_sums_of_rows(const agk_table *t)
{
    enum { ROWS = 11, LONGEST = 1100, LD = LONGEST + 3 };
    static ag_real       x[ROWS * LD], got[LONGEST], wanted[LONGEST];
    static const int64_t widths[] = {1, 3, 16, 17, 64, 511, 512, 513, LONGEST};
    fill(x, ROWS * LD, 1);
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (int64_t rows = 0; rows <= ROWS; rows++) {
            const int64_t n = widths[w];
            fill(got, n, 2);
            memcpy(wanted, got, (size_t)n * sizeof *got);
            for (int64_t j = 0; j < n; j++)
                for (int64_t r = 0; r < rows; r++)
                    wanted[j] += x[r * LD + j];
            t->add_rows(rows, n, x, LD, got);
            cr_assert(same_bits(got, wanted, n), "%s: add_rows, %lld of %lld", t->name, (long long)rows, (long long)n);

            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t r = 0; r < rows; r++)
                    sum += (double)x[r * LD + j];
                wanted[j] += (ag_real)sum;
            }
            t->sum_columns(rows, n, x, LD, got);
            cr_assert(same_bits(got, wanted, n), "%s: sum_columns, %lld of %lld", t->name, (long long)rows,
                      (long long)n);
        }
}

Test(kernels, sums_of_rows_in_order)
{
    for_tables(check_sums_of_rows);
}

static ag_real fused(ag_real a, ag_real b, ag_real c)
{
    return sizeof a == sizeof(float) ? (ag_real)fmaf((float)a, (float)b, (float)c) : (ag_real)fma(a, b, c);
}

/* Rows that are an operand's times a number, stored and added. */
static void check_spread(const agk_table *t)
{
    enum { ROWS = 5, LONGEST = 70 };
    static ag_real x[ROWS * LONGEST], got[ROWS * LONGEST], wanted[ROWS * LONGEST];
    fill(x, ROWS * LONGEST, 1);
    for (int64_t n = 1; n <= LONGEST; n += 3)
        for (int kind = 0; kind < 8; kind++) {
            const bool        add = kind & 1;
            const agk_operand from = {x, (kind & 2) != 0, kind & 4 ? n : 0};
            const ag_real     s = (ag_real)-0.75;
            fill(got, ROWS * n, 2);
            memcpy(wanted, got, (size_t)(ROWS * n) * sizeof *got);
            for (int64_t k = 0; k < ROWS * n; k++) {
                const ag_real value = x[k / n * from.row + k % n * from.step], before = add ? wanted[k] : 0;
                wanted[k] = from.step ? fused(s, value, before) : before + s * value;
            }
            t->spread(ROWS, n, s, from, add, got);
            cr_assert(same_bits(got, wanted, ROWS * n), "%s: spread, kind %d of %lld", t->name, kind, (long long)n);
        }
}

Test(kernels, spread)
{
    for_tables(check_spread);
}
