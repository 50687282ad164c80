/* The elementwise kernels and sums of each instruction set against plain references, and against each other bit for
 * bit. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/kernels/tables.h"

/* ---- Elementwise. The references are the table's formulas in double, with libm's functions. ---- */

#define r_abs(x)                fabs(x)
#define r_sign(x)               ((double)((x) > 0) - (double)((x) < 0))
#define r_exp(x)                exp(x)
#define r_expm1(x)              expm1(x)
#define r_log(x)                log(x)
#define r_log1p(x)              log1p(x)
#define r_sqrt(x)               sqrt(x)
#define r_tanh(x)               tanh(x)
#define r_pow(x, p)             pow(x, p)
#define r_square(x)             ((x) * (x))
#define r_sin(x)                sin(x)
#define r_cos(x)                cos(x)
#define r_erf(x)                erf(x)
#define r_floor(x)              floor(x)
#define r_round(x)              nearbyint(x)
#define r_smooth_l1(d)          (fabs(d) < 1 ? (d) * (d) / 2 : fabs(d) - 0.5)
#define r_max(a, b)             fmax(a, b)
#define r_min(a, b)             fmin(a, b)
#define r_sigmoid(x)            (1 / (1 + exp(-(x))))
#define r_softplus(x)           log1p(exp(x))
#define r_gauss_cdf(x)          (erfc(-(x) / sqrt(2)) / 2)
#define r_gauss_pdf(x)          (exp(-(x) * (x) / 2) / sqrt(2 * 3.14159265358979323846))
#define r_pow_gradient(g, x, p) ((g) * (p)*pow(x, (p)-1))
#define r_log_floor(x)          fmax(log(x), -100)
#define r_log_rest_floor(x)     fmax(log1p(-(x)), -100)
#define r_bce(x, t)             (-(t)*log(x) - (1 - (t)) * log(1 - (x)))
#define r_bce_with_logits(x, t) (log1p(exp(x)) - (x) * (t))

typedef double reference(double a, double b, double y, double g, double p, double q);

#define DEFINE(name, first, expression)                                                                                \
    static double name(double first, double b, double y, double g, double p, double q)                                 \
    {                                                                                                                  \
        (void)first, (void)b, (void)y, (void)g, (void)p, (void)q;                                                      \
        return expression;                                                                                             \
    }
#define UNARY(name, domain, y, dx)      DEFINE(name##_y, x, y) DEFINE(name##_dx, x, dx)
#define BINARY(name, domain, y, da, db) DEFINE(name##_y, a, y) DEFINE(name##_da, a, da) DEFINE(name##_db, a, db)
#define LOSS                            BINARY
#include "autograd/kernels/elementwise.def"

typedef struct reference_op {
    const char *name;
    reference  *y, *da, *db;
} reference_op;

static const reference_op unary[] = {
#define UNARY(name, domain, y, dx) {#name, name##_y, name##_dx, NULL},
#include "autograd/kernels/elementwise.def"
};
static const reference_op binary[] = {
#define BINARY(name, domain, y, da, db) {#name, name##_y, name##_da, name##_db},
#include "autograd/kernels/elementwise.def"
};
static const reference_op losses[] = {
#define LOSS(name, domain, y, da, db) {#name, name##_y, name##_da, name##_db},
#include "autograd/kernels/elementwise.def"
};

static ag_real       a[MOST], b[MOST], y[MOST], g[MOST], d[MOST], portable[MOST];
static const ag_real pq[2] = {(ag_real)0.25, (ag_real)0.75};

static void inputs(void)
{
    fill(a, MOST, 1);
    fill(b, MOST, 2);
    fill(g, MOST, 3);
    fill(d, MOST, 4);
}

/* f at element i, the operands with strides. */
static double at(reference *f, int64_t i, int sa, int sb)
{
    return f((double)a[i * sa], (double)b[i * sb], (double)y[i], (double)g[i], (double)pq[0], (double)pq[1]);
}

static void check_vector(const agk_table *t, const char *name, int64_t n, const ag_real *got, reference *f, int sa,
                         int sb, const ag_real *added_to)
{
    double wanted[MOST];
    char   what[96];
    snprintf(what, sizeof what, "%s %s of %lld", t->name, name, (long long)n);
    for (int64_t i = 0; i < n; i++)
        wanted[i] = at(f, i, sa, sb) + (added_to ? (double)added_to[i] : 0);
    check_close(what, n, got, wanted, TOLERANCE);
}

static void check_unary(const agk_table *t)
{
    const agk_table *plain = agk_find("portable");
    ag_real          old[MOST];
    for (int op = 0; op < AGK_UNARY_COUNT; op++)
        for (int l = 0; l < LENGTHS; l++) {
            int64_t n = lengths[l];
            inputs();
            t->unary(op, n, a, pq, y);
            check_vector(t, unary[op].name, n, y, unary[op].y, 1, 1, NULL);
            plain->unary(op, n, a, pq, portable);
            cr_assert(same_bits(y, portable, n), "%s: %s differs from portable", t->name, unary[op].name);
            memcpy(old, d, sizeof d);
            t->unary_backward(op, n, a, y, g, pq, true, d);
            check_vector(t, unary[op].name, n, d, unary[op].da, 1, 1, old);
            plain->unary_backward(op, n, a, y, g, pq, true, old);
            cr_assert(same_bits(d, old, n), "%s: the gradient of %s differs", t->name, unary[op].name);
            t->unary_backward(op, n, a, y, g, pq, false, d);
            check_vector(t, unary[op].name, n, d, unary[op].da, 1, 1, NULL);
        }
}

Test(kernels, unary)
{
    for_tables(check_unary);
}

static double total_at(reference *f, int64_t n, int sa, int sb)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += at(f, i, sa, sb);
    return sum;
}

/* The gradient of one operand: elements, or, of an operand with stride 0, a sum that is added. */
static void check_binary_gradient(const agk_table *t, int op, int which, int64_t n, int sa, int sb)
{
    const agk_table *plain = agk_find("portable");
    reference       *f = which ? binary[op].db : binary[op].da;
    int              own = which ? sb : sa;
    ag_real          old[MOST];
    memcpy(old, d, sizeof d);
    double sum = (double)d[0] + total_at(f, n, sa, sb);
    (which ? t->binary_backward_b : t->binary_backward_a)(op, 1, n, (agk_operand){a, sa, 0}, (agk_operand){b, sb, 0}, y,
                                                          g, 0, !own, d);
    if (own)
        check_vector(t, binary[op].name, n, d, f, sa, sb, NULL);
    else
        check_close(binary[op].name, 1, d, &sum, 10 * TOLERANCE);
    (which ? plain->binary_backward_b : plain->binary_backward_a)(op, 1, n, (agk_operand){a, sa, 0},
                                                                  (agk_operand){b, sb, 0}, y, g, 0, !own, old);
    cr_assert(same_bits(d, old, own ? n : 1), "%s: gradient %d of %s differs", t->name, which, binary[op].name);
}

static void check_binary(const agk_table *t)
{
    for (int op = 0; op < AGK_BINARY_COUNT; op++)
        for (int l = 0; l < LENGTHS; l++)
            for (int strides = 0; strides < 4; strides++) {
                int64_t n = lengths[l];
                int     sa = strides & 1, sb = strides >> 1;
                inputs();
                t->binary(op, 1, n, (agk_operand){a, sa, 0}, (agk_operand){b, sb, 0}, y, 0);
                check_vector(t, binary[op].name, n, y, binary[op].y, sa, sb, NULL);
                agk_find("portable")->binary(op, 1, n, (agk_operand){a, sa, 0}, (agk_operand){b, sb, 0}, portable, 0);
                cr_assert(same_bits(y, portable, n), "%s: %s differs from portable", t->name, binary[op].name);
                check_binary_gradient(t, op, 0, n, sa, sb);
                check_binary_gradient(t, op, 1, n, sa, sb);
            }
}

/* Rows in one call are the same rows one by one, whatever the operands' strides along them and between them. */
static void check_rows_of_binary(const agk_table *t)
{
    enum { ROWS = 5, APART = 40 };
    for (int op = 0; op < AGK_BINARY_COUNT; op++)
        for (int kind = 0; kind < 72; kind++) {
            const int64_t     n = kind < 36 ? 33 : 21, down[] = {0, 1, kind < 36 ? 35 : n};
            const agk_operand of_a = {a, kind & 1, down[kind / 4 % 3]}, of_b = {b, kind >> 1 & 1, down[kind / 12 % 3]};
            ag_real           one[MOST], da[MOST], db[MOST], one_da[MOST], one_db[MOST];
            inputs();
            memcpy(y, d, sizeof y), memcpy(one, d, sizeof d), memcpy(da, d, sizeof d), memcpy(db, d, sizeof d);
            memcpy(one_da, d, sizeof d), memcpy(one_db, d, sizeof d);
            t->binary(op, ROWS, n, of_a, of_b, y, APART);
            t->binary_backward_a(op, ROWS, n, of_a, of_b, y, g, APART, true, da);
            t->binary_backward_b(op, ROWS, n, of_a, of_b, y, g, APART, true, db);
            for (int64_t r = 0, at = 0; r < ROWS; r++, at += APART) {
                const agk_operand row_a = {a + r * of_a.row, of_a.step, 0}, row_b = {b + r * of_b.row, of_b.step, 0};
                t->binary(op, 1, n, row_a, row_b, one + at, 0);
                t->binary_backward_a(op, 1, n, row_a, row_b, y + at, g + at, 0, true, one_da + r * of_a.row);
                t->binary_backward_b(op, 1, n, row_a, row_b, y + at, g + at, 0, true, one_db + r * of_b.row);
            }
            cr_assert(same_bits(y, one, MOST) && same_bits(da, one_da, MOST) && same_bits(db, one_db, MOST),
                      "%s: rows of %s, %d", t->name, binary[op].name, kind);
        }
}

Test(kernels, rows_of_binary_ops)
{
    for_tables(check_rows_of_binary);
}

Test(kernels, binary)
{
    for_tables(check_binary);
}

static void check_loss(const agk_table *t)
{
    const agk_table *plain = agk_find("portable");
    ag_real          old[MOST];
    for (int op = 0; op < AGK_LOSS_COUNT; op++)
        for (int l = 0; l < LENGTHS; l++) {
            int64_t n = lengths[l];
            inputs();
            t->loss(op, n, a, b, y);
            check_vector(t, losses[op].name, n, y, losses[op].y, 1, 1, NULL);
            double  sum = total_at(losses[op].y, n, 1, 1);
            ag_real got = t->loss_sum(op, n, a, b), plain_sum = plain->loss_sum(op, n, a, b);
            check_close(losses[op].name, 1, &got, &sum, 10 * TOLERANCE);
            cr_assert(same_bits(&got, &plain_sum, 1), "%s: the sum of %s differs", t->name, losses[op].name);
            t->loss_backward_a(op, n, a, b, g, 1, 1, false, d);
            check_vector(t, losses[op].name, n, d, losses[op].da, 1, 1, NULL);
            t->loss_backward_b(op, n, a, b, g, 1, 1, false, d);
            check_vector(t, losses[op].name, n, d, losses[op].db, 1, 1, NULL);
            plain->loss_backward_b(op, n, a, b, g, 1, 1, false, old);
            cr_assert(same_bits(d, old, n), "%s: the gradient of %s differs", t->name, losses[op].name);
            for (int64_t i = 0; i < n; i++)
                g[i] = g[0];
            t->loss_backward_a(op, n, a, b, g, 0, 1, false, d);
            check_vector(t, losses[op].name, n, d, losses[op].da, 1, 1, NULL);
        }
}

Test(kernels, losses)
{
    for_tables(check_loss);
}

/* ---- Sums, vector updates, softmax. ---- */

static void check_sums(const agk_table *t)
{
    const agk_table *plain = agk_find("portable");
    for (int l = 0; l < LENGTHS; l++) {
        int64_t n = lengths[l];
        double  sum = 0, squares = 0, product = 0, most = -1;
        inputs();
        for (int64_t i = 0; i < n; i++) {
            sum += (double)a[i];
            squares += (double)a[i] * (double)a[i];
            product += (double)a[i] * (double)b[i];
            most = most < (double)a[i] ? (double)a[i] : most;
        }
        ag_real got[4] = {t->sum(n, a), t->dot(n, a, a), t->dot(n, a, b), t->max(n, a)};
        ag_real same[4] = {plain->sum(n, a), plain->dot(n, a, a), plain->dot(n, a, b), plain->max(n, a)};
        check_close("sums", 4, got, (double[]){sum, squares, product, most}, TOLERANCE);
        cr_assert(same_bits(got, same, 4), "%s: sums of %lld differ", t->name, (long long)n);
        a[n / 2] = (ag_real)NAN;
        cr_assert(isnan(t->max(n, a)), "%s: max hides a NaN", t->name);
    }
}

Test(kernels, sums)
{
    for_tables(check_sums);
}

/* Of many rows, short and long, the last in a group of its own. */
static void check_rows(const agk_table *t)
{
    enum { ROWS = 19, LONGEST = 70 };
    static ag_real   x[ROWS * LONGEST], got[2][ROWS];
    const agk_table *plain = agk_find("portable");
    fill(x, ROWS * LONGEST, 1);
    for (int64_t n = 1; n <= LONGEST; n++) {
        t->sum_rows(ROWS, n, x, got[0]);
        plain->sum_rows(ROWS, n, x, got[1]);
        cr_assert(same_bits(got[0], got[1], ROWS), "%s: sums of rows of %lld differ", t->name, (long long)n);
        for (int64_t r = 0; r < ROWS; r++) {
            const ag_real sum = t->sum(n, x + r * n);
            cr_assert(same_bits(&got[0][r], &sum, 1), "%s: row %lld of %lld", t->name, (long long)r, (long long)n);
        }
        t->max_rows(ROWS, n, x, got[0]);
        for (int64_t r = 0; r < ROWS; r++)
            cr_assert(got[0][r] == t->max(n, x + r * n), "%s: row %lld of %lld", t->name, (long long)r, (long long)n);
    }
}

Test(kernels, sums_and_maxima_of_rows)
{
    for_tables(check_rows);
}

static void check_equal(const agk_table *t)
{
    for (int l = 0; l < LENGTHS; l++) {
        const int64_t n = lengths[l];
        double        wanted[MOST];
        inputs();
        for (int64_t i = 0; i < n; i++) {
            a[i] = (ag_real)(i % 3);
            y[i] = (ag_real)(i % 2);
            wanted[i] = (double)d[i] + (i % 3 == 1 ? 2 : 0.5) + (i % 3 == i % 2 ? (double)b[i] / 4 : 0);
        }
        cr_assert(t->count_equal(n, a, 1) == (ag_real)((n + 1) / 3), "%s: of %lld", t->name, (long long)n);
        t->add_where_equal(n, a, 1, 2, (ag_real)0.5, d);
        ag_real four[MOST];
        for (int64_t i = 0; i < n; i++)
            four[i] = i % 3 == i % 2 ? 3 : 4;
        t->count_equal_columns(n, a, y, four);
        t->add_where_equal_columns(n, a, y, b, four, d);
        check_close("where equal", n, d, wanted, TOLERANCE);
    }
}

/* Rows of maxima 1, of which each has one more than the one before. */
static void check_max_rows_gradient(const agk_table *t)
{
    static const int64_t counts[] = {1, 5, 16, 37}, widths[] = {1, 3, 16, 23, 24, 25, 40};
    for (size_t k = 0; k < sizeof counts / sizeof *counts * sizeof widths / sizeof *widths; k++) {
        const int64_t rows = counts[k % 4], n = widths[k / 4];
        ag_real       x[40 * 37], dx[40 * 37], most[37], gradient[37];
        for (int64_t r = 0; r < rows; r++) {
            most[r] = r == 3 ? (ag_real)NAN : 1;
            gradient[r] = (ag_real)(r + 1);
            for (int64_t i = 0; i < n; i++) {
                x[r * n + i] = i <= r ? most[r] : (ag_real)-2;
                dx[r * n + i] = 5;
            }
        }
        t->max_rows_gradient(rows, n, x, most, gradient, dx);
        for (int64_t i = 0; i < rows * n; i++) {
            const int64_t r = i / n, equal = r < n ? r + 1 : n;
            const ag_real wanted = 5 + (i % n <= r ? (ag_real)(r + 1) / (ag_real)equal : 0);
            cr_assert(r == 3 ? dx[i] != dx[i] : dx[i] == wanted, "%s: %g at %d of rows of %d", t->name, (double)dx[i],
                      (int)i, (int)n);
        }
    }
}

Test(kernels, sharing_among_equals)
{
    for_tables(check_equal);
    for_tables(check_max_rows_gradient);
}

static void check_updates(const agk_table *t)
{
    double        wanted[MOST];
    const ag_real one = 1;
    for (int l = 0; l < LENGTHS; l++) {
        int64_t n = lengths[l];
        inputs();
        for (int64_t i = 0; i < n; i++) {
            double x = (double)a[i], first = (double)d[i] + x, scaled = first + 0.25 * x;
            wanted[i] = fmax(x, (scaled + 0.25 + x * (double)b[i]) + (0.25 + (double)b[i]) * exp(x));
        }
        t->add(n, a, d);
        t->spread(1, n, (ag_real)0.25, (agk_operand){a, 1, 0}, true, d);
        t->spread(1, n, (ag_real)0.25, (agk_operand){&one, 0, 0}, true, d);
        t->add_product(n, a, b, d);
        t->add_exp_scaled(n, (ag_real)0.25, a, d);
        t->add_exp_product(n, b, a, d);
        t->max_into(n, a, d);
        check_close("updates", n, d, wanted, TOLERANCE);
    }
}

Test(kernels, vector_updates)
{
    for_tables(check_updates);
}

static void check_softmax(const agk_table *t)
{
    const agk_table *plain = agk_find("portable");
    for (int l = 0; l < LENGTHS; l++) {
        int64_t n = lengths[l] > 100 ? 100 : lengths[l], rows = 3;
        double  soft[MOST], logs[MOST], total[3];
        inputs();
        for (int64_t r = 0; r < rows; r++) {
            double sum = 0;
            for (int64_t i = 0; i < n; i++)
                sum += exp((double)a[r * n + i]);
            total[r] = log(sum);
            for (int64_t i = 0; i < n; i++) {
                logs[r * n + i] = (double)a[r * n + i] - total[r];
                soft[r * n + i] = exp(logs[r * n + i]);
            }
        }
        t->softmax(rows, n, a, y);
        check_close("softmax", rows * n, y, soft, TOLERANCE);
        plain->softmax(rows, n, a, portable);
        cr_assert(same_bits(y, portable, rows * n), "%s: softmax differs", t->name);
        t->log_softmax(rows, n, a, y);
        check_close("log_softmax", rows * n, y, logs, TOLERANCE);
        plain->log_softmax(rows, n, a, portable);
        cr_assert(same_bits(y, portable, rows * n), "%s: log_softmax differs", t->name);
        t->logsumexp(rows, n, a, y);
        check_close("logsumexp", rows, y, total, TOLERANCE);
    }
}

Test(kernels, softmax)
{
    for_tables(check_softmax);
}
