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
