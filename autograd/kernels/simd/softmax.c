/* Softmax and its relatives, over the rows of a matrix. */
#include "autograd/kernels/simd/narrow.h"
#include "autograd/kernels/simd/side.h"

/* Of each element. */
INLINE vec vec_exp(vec x)
{
    _Alignas(VECTOR_BYTES) ag_real part[VL];
    vec_store(part, x);
    for (int l = 0; l < VL; l++)
        part[l] = r_exp(part[l]);
    return vec_load(part);
}

/* y = exp(x - shift); returns the sum. A loop would take the numbers of the last vector one by one. */
static ag_real exp_row(int64_t n, const ag_real *x, ag_real shift, ag_real *y)
{
    const int64_t whole = n / VL * VL;
    for (int64_t i = 0; i < whole; i++)
        y[i] = r_exp(x[i] - shift);
    if (whole < n)
        vec_store_part(n - whole, y + whole, vec_exp(vec_load_part(n - whole, x + whole, shift) - shift));
    return AGK(sum)(n, y);
}

/* The sum of exp(x - shift), with no room to write to: in the order of exp_row. */
static ag_real exp_sum(int64_t n, const ag_real *x, ag_real shift)
{
    enum { PART = 16 * LANES };
    _Static_assert(SUMMED % PART == 0, "parts end where AGK(sum) begins anew");
    ag_real part[PART], lane[LANES];
    double  total = 0;
    lanes_zero(lane);
    for (int64_t i = 0; i < n; i += PART) {
        if (i > 0 && i % SUMMED == 0) {
            total += (double)lanes_total(lane);
            lanes_zero(lane);
        }
        const int64_t width = n - i < PART ? n - i : PART;
        for (int64_t k = 0; k < width; k++)
            part[k] = r_exp(x[i + k] - shift);
        for (int64_t k = width; k % LANES; k++)
            part[k] = 0;
        for (int64_t k = 0; k < width; k += LANES)
            for (int l = 0; l < LANES; l++)
                lane[l] += part[k + l];
    }
    return n <= SUMMED ? lanes_total(lane) : (ag_real)(total + (double)lanes_total(lane));
}

/* What is taken off before exp: the largest element. As +0 where it is -0: of zeros either may be found. */
static ag_real shift_of(int64_t n, const ag_real *x)
{
    return AGK(max)(n, x) + 0;
}

/* The same, but 0 where it is infinite, and subtracting it would give NaN from two infinities. */
INLINE ag_real finite_shift(ag_real m)
{
    return m == INFINITY || m == -INFINITY ? 0 : m;
}

/* Short rows go side by side, unless there are few of them. The bits are the same. */
static bool side_by_side(int64_t rows, int64_t n)
{
    return n <= SHORT && (rows > 4 || n < 16);
}

/* x becomes exp(x - shift). */
INLINE void side_exp(int64_t n, side *x, const ag_real *shift, side *y)
{
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < SIDE; r++)
            y[i][r] = r_exp(x[i][r] - shift[r]);
}

static void side_softmax(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    side a[SHORT], most, sum;
    side_load(rows, n, x, a);
    side_max(n, a, most);
    for (int r = 0; r < SIDE; r++)
        most[r] += 0;
    side_exp(n, a, most, a);
    side_sum(n, a, sum);
    for (int r = 0; r < SIDE; r++)
        sum[r] = 1 / sum[r];
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < SIDE; r++)
            a[i][r] *= sum[r];
    side_store(rows, n, a, y);
}

void AGK(softmax)(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    if (side_by_side(rows, n)) {
        for (; rows > 0; rows -= SIDE, x += SIDE * n, y += SIDE * n)
            side_softmax(side_rows(rows), n, x, y);
        return;
    }
    for (; rows > 0; rows--, x += n, y += n) {
        const ag_real inverse = 1 / exp_row(n, x, shift_of(n, x), y);
        for (int64_t i = 0; i < n; i += VL)
            vec_store_up_to(n - i, y + i, vec_load_up_to(n - i, y + i, 0) * inverse);
    }
}

/* a: short rows, as loaded. Gives what is taken off, and the logarithm of the sum of what is left's exponentials. */
INLINE void side_log_sum(int64_t n, side *a, bool finite, ag_real *shift, ag_real *log_sum)
{
    side b[SHORT];
    side_max(n, a, shift);
    for (int r = 0; r < SIDE; r++)
        shift[r] = finite ? finite_shift(shift[r] + 0) : shift[r] + 0;
    side_exp(n, a, shift, b);
    side_sum(n, b, log_sum);
    for (int r = 0; r < SIDE; r++)
        log_sum[r] = r_log(log_sum[r]);
}

static void side_logsumexp(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    side a[SHORT], shift, log_sum;
    side_load(rows, n, x, a);
    side_log_sum(n, a, true, shift, log_sum);
    for (int64_t r = 0; r < rows; r++)
        y[r] = shift[r] + log_sum[r];
}

void AGK(logsumexp)(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    if (side_by_side(rows, n)) {
        for (; rows > 0; rows -= SIDE, x += SIDE * n, y += SIDE)
            side_logsumexp(side_rows(rows), n, x, y);
        return;
    }
    for (; rows > 0; rows--, x += n, y++) {
        ag_real m = finite_shift(shift_of(n, x));
        *y = m + r_log(exp_sum(n, x, m));
    }
}

static void side_log_softmax(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    side a[SHORT], shift, log_sum;
    side_load(rows, n, x, a);
    side_log_sum(n, a, false, shift, log_sum);
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < SIDE; r++)
            a[i][r] = (a[i][r] - shift[r]) - log_sum[r];
    side_store(rows, n, a, y);
}

void AGK(log_softmax)(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    if (side_by_side(rows, n)) {
        for (; rows > 0; rows -= SIDE, x += SIDE * n, y += SIDE * n)
            side_log_softmax(side_rows(rows), n, x, y);
        return;
    }
    for (; rows > 0; rows--, x += n, y += n) {
        const ag_real m = shift_of(n, x), log_sum = r_log(exp_row(n, x, m, y));
        for (int64_t i = 0; i < n; i += VL)
            vec_store_up_to(n - i, y + i, (vec_load_up_to(n - i, x + i, 0) - m) - log_sum);
    }
}

/* dx += y (g - sum(g y)). */
static void side_softmax_backward(int64_t rows, int64_t n, const ag_real *y, const ag_real *g, ag_real *dx)
{
    side a[SHORT], b[SHORT], d[SHORT], dot;
    side_load(rows, n, y, a);
    side_load(rows, n, g, b);
    side_load(rows, n, dx, d);
    side_dot(n, b, a, dot);
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < SIDE; r++)
            d[i][r] = r_fma(a[i][r], b[i][r] - dot[r], d[i][r]);
    side_store(rows, n, d, dx);
}

void AGK(softmax_backward)(int64_t rows, int64_t n, const ag_real *y, const ag_real *g, ag_real *dx)
{
    if (side_by_side(rows, n)) {
        for (; rows > 0; rows -= SIDE, y += SIDE * n, g += SIDE * n, dx += SIDE * n)
            side_softmax_backward(side_rows(rows), n, y, g, dx);
        return;
    }
    for (; rows > 0; rows--, y += n, g += n, dx += n) {
        const ag_real dot = lanes_dot(n, g, y);
        for (int64_t i = 0; i < n; i += VL) {
            const vec change = vec_load_up_to(n - i, g + i, 0) - dot;
            vec_store_up_to(n - i, dx + i, vec_fma(vec_load_up_to(n - i, y + i, 0), change, vec_load_up_to(n - i, dx + i, 0)));
        }
    }
}

/* dx += g - exp(y) sum(g). */
static void side_log_softmax_backward(int64_t rows, int64_t n, const ag_real *y, const ag_real *g, ag_real *dx)
{
    side a[SHORT], b[SHORT], d[SHORT], total;
    side_load(rows, n, y, a);
    side_load(rows, n, g, b);
    side_load(rows, n, dx, d);
    side_sum(n, b, total);
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < SIDE; r++)
            d[i][r] += r_fma(-r_exp(a[i][r]), total[r], b[i][r]);
    side_store(rows, n, d, dx);
}

void AGK(log_softmax_backward)(int64_t rows, int64_t n, const ag_real *y, const ag_real *g, ag_real *dx)
{
    if (side_by_side(rows, n)) {
        for (; rows > 0; rows -= SIDE, y += SIDE * n, g += SIDE * n, dx += SIDE * n)
            side_log_softmax_backward(side_rows(rows), n, y, g, dx);
        return;
    }
    for (; rows > 0; rows--, y += n, g += n, dx += n) {
        const vec total = vec_splat(AGK(sum)(n, g));
        for (int64_t i = 0; i < n; i += VL) {
            const vec p = vec_exp(vec_load_up_to(n - i, y + i, 0));
            vec_store_up_to(n - i, dx + i, vec_load_up_to(n - i, dx + i, 0) + vec_fma(-p, total, vec_load_up_to(n - i, g + i, 0)));
        }
    }
}

/* ---- Along columns: COLUMNS of them at a time, so that what is kept of each stays in registers or the first cache level. Of a matrix
 * that is much taller than wide, some narrow rows make a long one. ---- */

enum { COLUMNS = 256, TALL_COLUMNS = 256 };

/* `n` rows of `width` numbers, the last of `last`, that begin `stride` apart. Each has a number of a column `times` times. */
typedef struct columns {
    int64_t n, width, last, stride, times;
} columns;

static columns columns_from(int64_t from, int64_t n, int64_t width, int64_t stride)
{
    const int64_t some = width - from < COLUMNS ? width - from : COLUMNS, times = COLUMNS / some;
    if (some > NARROW || stride != width || n < TALL_COLUMNS)
        return (columns){n, some, some, stride, 1};
    const int64_t rows = (n + times - 1) / times;
    return (columns){rows, times * some, (n - (rows - 1) * times) * some, times * some, times};
}

typedef struct column_state {
    ag_real most[COLUMNS], sum[COLUMNS];
} column_state;

/* What is done with the row that begins at x[at]: x and g are read, y is written. */
typedef void column_row(int64_t at, int64_t width, const ag_real *x, const ag_real *g, ag_real *y, column_state *s);

INLINE void each_row(column_row *f, const columns *c, const ag_real *x, const ag_real *g, ag_real *y, column_state *s)
{
    int64_t at = 0;
    for (int64_t i = 0; i < c->n - 1; i++, at += c->stride)
        f(at, c->width, x, g, y, s);
    f(at, c->last, x, g, y, s);
}

INLINE void row_most(int64_t at, int64_t width, const ag_real *x, const ag_real *g, ag_real *y, column_state *s)
{
    (void)g, (void)y;
    for (int64_t j = 0; j < width; j++)
        s->most[j] = r_max(x[at + j], s->most[j]);
}

INLINE void row_exp_sum(int64_t at, int64_t width, const ag_real *x, const ag_real *g, ag_real *y, column_state *s)
{
    (void)g, (void)y;
    for (int64_t j = 0; j < width; j++)
        s->sum[j] += r_exp(x[at + j] - s->most[j]);
}

INLINE void row_softmax(int64_t at, int64_t width, const ag_real *x, const ag_real *g, ag_real *y, column_state *s)
{
    (void)g;
    INDEPENDENT
    for (int64_t j = 0; j < width; j++)
        y[at + j] = r_exp(x[at + j] - s->most[j]) * s->sum[j];
}

INLINE void row_log_softmax(int64_t at, int64_t width, const ag_real *x, const ag_real *g, ag_real *y, column_state *s)
{
    (void)g;
    INDEPENDENT
    for (int64_t j = 0; j < width; j++)
        y[at + j] = (x[at + j] - s->most[j]) - s->sum[j];
}

INLINE void row_dot(int64_t at, int64_t width, const ag_real *x, const ag_real *g, ag_real *y, column_state *s)
{
    (void)y;
    for (int64_t j = 0; j < width; j++)
        s->sum[j] = r_fma(g[at + j], x[at + j], s->sum[j]);
}

INLINE void row_sum(int64_t at, int64_t width, const ag_real *x, const ag_real *g, ag_real *y, column_state *s)
{
    (void)x, (void)y;
    for (int64_t j = 0; j < width; j++)
        s->sum[j] += g[at + j];
}

INLINE void row_softmax_gradient(int64_t at, int64_t width, const ag_real *x, const ag_real *g, ag_real *y, column_state *s)
{
    INDEPENDENT
    for (int64_t j = 0; j < width; j++)
        y[at + j] = r_fma(x[at + j], g[at + j] - s->sum[j], y[at + j]);
}

INLINE void row_log_softmax_gradient(int64_t at, int64_t width, const ag_real *x, const ag_real *g, ag_real *y, column_state *s)
{
    INDEPENDENT
    for (int64_t j = 0; j < width; j++)
        y[at + j] += r_fma(-r_exp(x[at + j]), s->sum[j], g[at + j]);
}

/* Brings together what a long row knows of each column, and gives it to all its places. */
INLINE void join_columns(const columns *c, bool largest, ag_real *x)
{
    const int64_t width = c->width / c->times;
    for (int64_t i = width; i < c->width; i++)
        x[i % width] = largest ? r_max(x[i], x[i % width]) : x[i % width] + x[i];
    for (int64_t i = width; i < c->width; i++)
        x[i] = x[i - width];
}

/* The largest of each column, and the sum of exp(x - that). */
INLINE void column_sums(const columns *c, const ag_real *x, bool safe, column_state *s)
{
    for (int64_t j = 0; j < c->width; j++) {
        s->most[j] = x[j];
        s->sum[j] = 0;
    }
    each_row(row_most, c, x, NULL, NULL, s);
    join_columns(c, true, s->most);
    for (int64_t j = 0; safe && j < c->width; j++)
        s->most[j] = finite_shift(s->most[j]);
    each_row(row_exp_sum, c, x, NULL, NULL, s);
    join_columns(c, false, s->sum);
}

void AGK(softmax_columns)(int64_t n, int64_t width, int64_t stride, const ag_real *x, ag_real *y)
{
    column_state s;
    for (int64_t from = 0; from < width; from += COLUMNS) {
        const columns c = columns_from(from, n, width, stride);
        column_sums(&c, x + from, false, &s);
        for (int64_t j = 0; j < c.width; j++)
            s.sum[j] = 1 / s.sum[j];
        each_row(row_softmax, &c, x + from, NULL, y + from, &s);
    }
}

void AGK(log_softmax_columns)(int64_t n, int64_t width, int64_t stride, const ag_real *x, ag_real *y)
{
    column_state s;
    for (int64_t from = 0; from < width; from += COLUMNS) {
        const columns c = columns_from(from, n, width, stride);
        column_sums(&c, x + from, false, &s);
        for (int64_t j = 0; j < c.width; j++)
            s.sum[j] = r_log(s.sum[j]);
        each_row(row_log_softmax, &c, x + from, NULL, y + from, &s);
    }
}

void AGK(logsumexp_columns)(int64_t n, int64_t width, int64_t stride, const ag_real *x, ag_real *y)
{
    column_state s;
    for (int64_t from = 0; from < width; from += COLUMNS) {
        const columns c = columns_from(from, n, width, stride);
        column_sums(&c, x + from, true, &s);
        for (int64_t j = 0; j < c.width / c.times; j++)
            y[from + j] = s.most[j] + r_log(s.sum[j]);
    }
}

void AGK(softmax_columns_backward)(int64_t n, int64_t width, int64_t stride, const ag_real *y, const ag_real *g, ag_real *dx)
{
    for (int64_t from = 0; from < width; from += COLUMNS) {
        const columns c = columns_from(from, n, width, stride);
        column_state  s = {.sum = {0}};
        each_row(row_dot, &c, y + from, g + from, NULL, &s);
        join_columns(&c, false, s.sum);
        each_row(row_softmax_gradient, &c, y + from, g + from, dx + from, &s);
    }
}

void AGK(log_softmax_columns_backward)(int64_t n, int64_t width, int64_t stride, const ag_real *y, const ag_real *g, ag_real *dx)
{
    for (int64_t from = 0; from < width; from += COLUMNS) {
        const columns c = columns_from(from, n, width, stride);
        column_state  s = {.sum = {0}};
        each_row(row_sum, &c, NULL, g + from, NULL, &s);
        join_columns(&c, false, s.sum);
        each_row(row_log_softmax_gradient, &c, y + from, g + from, dx + from, &s);
    }
}
