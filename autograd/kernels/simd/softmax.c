/* Softmax and its relatives, over the rows of a matrix. */
#include "autograd/kernels/simd/math.h"

/* y = exp(x - shift); returns the sum. */
static ag_real exp_row(int64_t n, const ag_real *x, ag_real shift, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = r_exp(x[i] - shift);
    return AGK(sum)(n, y);
}

/* The sum of exp(x - shift), with no room to write to. */
static ag_real exp_sum(int64_t n, const ag_real *x, ag_real shift)
{
    ag_real part[LANES], lane[LANES] = {0};
    for (int64_t i = 0; i < n; i += LANES) {
        int64_t width = n - i < LANES ? n - i : LANES;
        for (int64_t l = 0; l < width; l++)
            part[l] = r_exp(x[i + l] - shift);
        for (int64_t l = 0; l < width; l++)
            lane[l] += part[l];
    }
    return lanes_total(lane);
}

/* The largest element, or 0 when subtracting it would give NaN from two infinities. */
static ag_real shift_of(int64_t n, const ag_real *x)
{
    ag_real m = AGK(max)(n, x);
    return m == INFINITY || m == -INFINITY ? 0 : m;
}

void AGK(softmax)(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    for (; rows > 0; rows--, x += n, y += n) {
        ag_real inverse = 1 / exp_row(n, x, AGK(max)(n, x), y);
        for (int64_t i = 0; i < n; i++)
            y[i] *= inverse;
    }
}

void AGK(logsumexp)(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    for (; rows > 0; rows--, x += n, y++) {
        ag_real m = shift_of(n, x);
        *y = m + r_log(exp_sum(n, x, m));
    }
}

void AGK(log_softmax)(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    for (; rows > 0; rows--, x += n, y += n) {
        ag_real m = AGK(max)(n, x), log_sum = r_log(exp_sum(n, x, m));
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - m) - log_sum;
    }
}

/* dx += y (g - sum(g y)). */
void AGK(softmax_backward)(int64_t rows, int64_t n, const ag_real *y, const ag_real *g, ag_real *dx)
{
    for (; rows > 0; rows--, y += n, g += n, dx += n) {
        ag_real lane[LANES] = {0};
        for (int64_t i = 0; i < n; i += LANES)
            for (int64_t l = 0; l < LANES && i + l < n; l++)
                lane[l] = r_fma(g[i + l], y[i + l], lane[l]);
        ag_real dot = lanes_total(lane);
        for (int64_t i = 0; i < n; i++)
            dx[i] = r_fma(y[i], g[i] - dot, dx[i]);
    }
}

/* dx += g - exp(y) sum(g). */
void AGK(log_softmax_backward)(int64_t rows, int64_t n, const ag_real *y, const ag_real *g, ag_real *dx)
{
    for (; rows > 0; rows--, y += n, g += n, dx += n) {
        ag_real total = AGK(sum)(n, g);
        for (int64_t i = 0; i < n; i++)
            dx[i] += r_fma(-r_exp(y[i]), total, g[i]);
    }
}

/* ---- Along columns: COLUMNS of them at a time, so that what is kept of each stays in registers or the first cache level. ---- */

enum { COLUMNS = 64 };

typedef struct column_state {
    ag_real most[COLUMNS], sum[COLUMNS];
} column_state;

INLINE int64_t some_columns(int64_t from, int64_t width)
{
    return width - from < COLUMNS ? width - from : COLUMNS;
}

/* The largest of each column, and the sum of exp(x - that), from the first row to the last. */
INLINE void column_sums(int64_t n, int64_t width, int64_t stride, const ag_real *x, bool safe, column_state *s)
{
    for (int64_t j = 0; j < width; j++) {
        s->most[j] = x[j];
        s->sum[j] = 0;
    }
    for (int64_t i = 1; i < n; i++)
        for (int64_t j = 0; j < width; j++)
            s->most[j] = r_max(x[i * stride + j], s->most[j]);
    for (int64_t j = 0; safe && j < width; j++)
        s->most[j] = s->most[j] == INFINITY || s->most[j] == -INFINITY ? 0 : s->most[j];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j++)
            s->sum[j] += r_exp(x[i * stride + j] - s->most[j]);
}

void AGK(softmax_columns)(int64_t n, int64_t width, int64_t stride, const ag_real *x, ag_real *y)
{
    column_state s;
    for (int64_t from = 0; from < width; from += COLUMNS) {
        const int64_t some = some_columns(from, width);
        column_sums(n, some, stride, x + from, false, &s);
        for (int64_t j = 0; j < some; j++)
            s.sum[j] = 1 / s.sum[j];
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < some; j++)
                y[i * stride + from + j] = r_exp(x[i * stride + from + j] - s.most[j]) * s.sum[j];
    }
}

void AGK(log_softmax_columns)(int64_t n, int64_t width, int64_t stride, const ag_real *x, ag_real *y)
{
    column_state s;
    for (int64_t from = 0; from < width; from += COLUMNS) {
        const int64_t some = some_columns(from, width);
        column_sums(n, some, stride, x + from, false, &s);
        for (int64_t j = 0; j < some; j++)
            s.sum[j] = r_log(s.sum[j]);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < some; j++)
                y[i * stride + from + j] = (x[i * stride + from + j] - s.most[j]) - s.sum[j];
    }
}

void AGK(logsumexp_columns)(int64_t n, int64_t width, int64_t stride, const ag_real *x, ag_real *y)
{
    column_state s;
    for (int64_t from = 0; from < width; from += COLUMNS) {
        const int64_t some = some_columns(from, width);
        column_sums(n, some, stride, x + from, true, &s);
        for (int64_t j = 0; j < some; j++)
            y[from + j] = s.most[j] + r_log(s.sum[j]);
    }
}

void AGK(softmax_columns_backward)(int64_t n, int64_t width, int64_t stride, const ag_real *y, const ag_real *g, ag_real *dx)
{
    for (int64_t from = 0; from < width; from += COLUMNS) {
        const int64_t some = some_columns(from, width);
        ag_real dot[COLUMNS] = {0};
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < some; j++)
                dot[j] = r_fma(g[i * stride + from + j], y[i * stride + from + j], dot[j]);
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = i * stride + from, j = 0; j < some; j++)
                dx[k + j] = r_fma(y[k + j], g[k + j] - dot[j], dx[k + j]);
    }
}

void AGK(log_softmax_columns_backward)(int64_t n, int64_t width, int64_t stride, const ag_real *y, const ag_real *g, ag_real *dx)
{
    for (int64_t from = 0; from < width; from += COLUMNS) {
        const int64_t some = some_columns(from, width);
        ag_real total[COLUMNS] = {0};
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < some; j++)
                total[j] += g[i * stride + from + j];
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = i * stride + from, j = 0; j < some; j++)
                dx[k + j] += r_fma(-r_exp(y[k + j]), total[j], g[k + j]);
    }
}
