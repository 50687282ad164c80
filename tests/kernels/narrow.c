/* Rows of a few elements, which kernels take some at a time as one long row. */
#include <math.h>

#include "tests/kernels/tables.h"

enum { ROWS = 1500, WIDEST = 40, ALL = ROWS * WIDEST };

static const int64_t widths[] = {1, 2, 3, 4, 5, 17, 31, 32, 33, WIDEST}, heights[] = {2, 8, 85, 300, 1023, 1024, ROWS};

typedef void check(const agk_table *t, int64_t rows, int64_t n);

static ag_real a[ALL], b[ALL], steep[ALL], g[ALL], got[ALL], wanted[ALL], portable[ALL];

static void inputs(void)
{
    fill(a, ALL, 1);
    fill(b, ALL, 2);
    fill(g, ALL, 3);
    for (int64_t i = 0; i < ALL; i++)
        steep[i] = 2000 * b[i];
}

static void each_shape(check *f, const agk_table *t)
{
    inputs();
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t h = 0; h < sizeof heights / sizeof *heights; h++)
            f(t, heights[h], widths[w]);
}

/* The same numbers in `got`, `wanted` and `portable`, to be added to. */
static void begin(void)
{
    fill(got, ALL, 4);
    memcpy(wanted, got, sizeof got);
    memcpy(portable, got, sizeof got);
}

static void close_to_wanted(const agk_table *t, const char *what, int64_t rows, int64_t n, int64_t count)
{
    cr_assert(same_bits(got, portable, ALL), "%s: %s of %lld rows of %lld differs from portable", t->name, what,
              (long long)rows, (long long)n);
    for (int64_t i = 0; i < count; i++)
        cr_assert(fabs((double)(got[i] - wanted[i])) <= 5 * TOLERANCE * (1 + fabs((double)wanted[i])),
                  "%s: %s of %lld rows of %lld: %g, not %g", t->name, what, (long long)rows, (long long)n,
                  (double)got[i], (double)wanted[i]);
}

/* One operand is the same in all rows: results and the other's gradient are those of the rows one by one, its own
 * gradient a sum. */
static void check_operands(const agk_table *t, int op, bool same_a, int64_t rows, int64_t n)
{
    const agk_table  *plain = agk_find("portable");
    const agk_operand left = {a, 1, same_a ? 0 : n}, right = {b, 1, same_a ? n : 0};
    begin();
    t->binary(op, rows, n, left, right, got, n);
    for (int64_t r = 0; r < rows; r++)
        t->binary(op, 1, n, (agk_operand){a + r * left.row, 1, 0}, (agk_operand){b + r * right.row, 1, 0},
                  wanted + r * n, n);
    cr_assert(same_bits(got, wanted, ALL), "%s: op %d of %lld rows of %lld", t->name, op, (long long)rows,
              (long long)n);
    for (int of_a = 0; of_a < 2; of_a++) {
        double sum[WIDEST];
        begin();
        for (int64_t j = 0; j < n; j++)
            sum[j] = (double)wanted[j];
        (of_a ? t->binary_backward_a : t->binary_backward_b)(op, rows, n, left, right, a, g, n, true, got);
        (of_a ? plain->binary_backward_a : plain->binary_backward_b)(op, rows, n, left, right, a, g, n, true, portable);
        for (int64_t r = 0; r < rows; r++) {
            const agk_operand row_a = {a + r * left.row, 1, 0}, row_b = {b + r * right.row, 1, 0};
            ag_real           one[WIDEST], *d = of_a == same_a ? one : wanted + r * n;
            (of_a ? t->binary_backward_a : t->binary_backward_b)(op, 1, n, row_a, row_b, a + r * n, g + r * n, n,
                                                                 d != one, d);
            for (int64_t j = 0; j < n && d == one; j++)
                sum[j] += (double)one[j];
        }
        for (int64_t j = 0; j < n && of_a == same_a; j++)
            wanted[j] = (ag_real)sum[j];
        close_to_wanted(t, of_a ? "gradient of a" : "gradient of b", rows, n, rows * n);
        cr_assert(of_a == same_a || same_bits(got, wanted, ALL));
    }
}

static void check_binary(const agk_table *t, int64_t rows, int64_t n)
{
    for (int op = 0; op < AGK_BINARY_COUNT && (rows < 500 || op < 3); op++)
        for (int same_a = 0; same_a < 2; same_a++)
            check_operands(t, op, same_a, rows, n);
}

static void binary_of_each_shape(const agk_table *t)
{
    each_shape(check_binary, t);
}

Test(narrow, binary)
{
    for_tables(binary_of_each_shape);
}

static void check_sums(const agk_table *t, int64_t rows, int64_t n)
{
    for (int in_order = 0; in_order < 2; in_order++) {
        begin();
        for (int64_t j = 0; j < n; j++) {
            double sum = (double)wanted[j];
            for (int64_t r = 0; r < rows; r++)
                sum += (double)a[r * n + j];
            wanted[j] = (ag_real)sum;
        }
        (in_order ? t->add_rows : t->sum_columns)(rows, n, a, n, got);
        (in_order ? agk_find("portable")->add_rows : agk_find("portable")->sum_columns)(rows, n, a, n, portable);
        close_to_wanted(t, in_order ? "add_rows" : "sum_columns", rows, n, ALL);
    }
}

static void sums_of_each_shape(const agk_table *t)
{
    each_shape(check_sums, t);
}

Test(narrow, sums)
{
    for_tables(sums_of_each_shape);
}

/* Copies, of the same row and of others, and what is spread: plain loops give the same bits. */
static void check_copies(const agk_table *t, int64_t rows, int64_t n)
{
    for (int kind = 0; kind < 6; kind++) {
        const bool    add = kind & 1;
        const int64_t ldx = kind < 2 ? 0 : n, ldy = kind < 4 || n == WIDEST ? n : n + 1;
        begin();
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; j < n; j++)
                wanted[r * ldy + j] = add ? wanted[r * ldy + j] + a[r * ldx + j] : a[r * ldx + j];
        t->copy_rows(rows, n, a, ldx, add, got, ldy);
        cr_assert(same_bits(got, wanted, ALL), "%s: copy %d of %lld rows of %lld", t->name, kind, (long long)rows,
                  (long long)n);
        begin();
        for (int64_t k = 0; k < rows * n; k++)
            wanted[k] = (add ? wanted[k] : 0) + a[k % n]; /* times 1: not rounded */
        t->spread(rows, n, 1, (agk_operand){a, 1, 0}, add, got);
        cr_assert(same_bits(got, wanted, ALL), "%s: spread, %d, %lld rows of %lld", t->name, add, (long long)rows,
                  (long long)n);
    }
}

static void copies_of_each_shape(const agk_table *t)
{
    each_shape(check_copies, t);
}

Test(narrow, copies)
{
    for_tables(copies_of_each_shape);
}

/* Function `kind` along columns. */
static void columns(const agk_table *t, int kind, int64_t rows, int64_t n, int64_t stride, const ag_real *x, ag_real *y)
{
    kind == 0   ? t->softmax_columns(rows, n, stride, x, y)
    : kind == 1 ? t->log_softmax_columns(rows, n, stride, x, y)
    : kind == 2 ? t->logsumexp_columns(rows, n, stride, x, y)
    : kind == 3 ? t->softmax_columns_backward(rows, n, stride, x, g, y)
                : t->log_softmax_columns_backward(rows, n, stride, x, g, y);
}

/* The same of one column, as a row. */
static void one_column(const agk_table *t, int kind, int64_t rows, int64_t stride, const ag_real *x, const ag_real *gy,
                       ag_real *to)
{
    ag_real row[ROWS], g_row[ROWS], y[ROWS];
    for (int64_t r = 0; r < rows; r++)
        row[r] = x[r * stride], g_row[r] = gy[r * stride], y[r] = to[r * stride];
    kind == 0   ? t->softmax(1, rows, row, y)
    : kind == 1 ? t->log_softmax(1, rows, row, y)
    : kind == 2 ? t->logsumexp(1, rows, row, y)
    : kind == 3 ? t->softmax_backward(1, rows, row, g_row, y)
                : t->log_softmax_backward(1, rows, row, g_row, y);
    for (int64_t r = 0; r < (kind == 2 ? 1 : rows); r++)
        to[r * stride] = y[r];
}

/* Forward with numbers so large that another than the largest, taken off, would not do. */
static void check_softmax(const agk_table *t, int64_t rows, int64_t n)
{
    for (int kind = 0; kind < 10; kind++) {
        const int64_t  stride = kind < 5 || n == WIDEST ? n : n + 1;
        const ag_real *x = kind % 5 < 3 ? steep : a;
        begin();
        columns(t, kind % 5, rows, n, stride, x, got);
        columns(agk_find("portable"), kind % 5, rows, n, stride, x, portable);
        for (int64_t j = 0; j < n; j++)
            one_column(t, kind % 5, rows, stride, x + j, g + j, wanted + j);
        close_to_wanted(t, "softmax's function along columns", rows, n, ALL);
    }
}

static void softmax_of_each_shape(const agk_table *t)
{
    each_shape(check_softmax, t);
}

Test(narrow, softmax_along_columns)
{
    for_tables(softmax_of_each_shape);
}
