/* Reductions of one row, and plain vector updates. */
#include "autograd/kernels/simd/math.h"

ag_real AGK(sum)(int64_t n, const ag_real *x)
{
    ag_real lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += x[i + l];
    for (int l = 0; i + l < n; l++)
        lane[l] += x[i + l];
    return lanes_total(lane);
}

ag_real AGK(sum_squares)(int64_t n, const ag_real *x)
{
    ag_real lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] = r_fma(x[i + l], x[i + l], lane[l]);
    for (int l = 0; i + l < n; l++)
        lane[l] = r_fma(x[i + l], x[i + l], lane[l]);
    return lanes_total(lane);
}

ag_real AGK(max)(int64_t n, const ag_real *x)
{
    ag_real lane[LANES];
    for (int l = 0; l < LANES; l++)
        lane[l] = x[l < n ? l : 0];
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] = r_max(x[i + l], lane[l]);
    for (int l = 0; i + l < n; l++)
        lane[l] = r_max(x[i + l], lane[l]);
    for (int l = 1; l < LANES; l++)
        lane[0] = r_max(lane[l], lane[0]);
    return lane[0];
}

void AGK(sum_columns)(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    for (int64_t j = 0; j < n; j += LANES) {
        int64_t width = n - j < LANES ? n - j : LANES;
        double lane[LANES] = {0};
        if (width == LANES)
            for (int64_t r = 0; r < rows; r++)
                for (int l = 0; l < LANES; l++)
                    lane[l] += (double)x[r * n + j + l];
        else
            for (int64_t r = 0; r < rows; r++)
                for (int64_t l = 0; l < width; l++)
                    lane[l] += (double)x[r * n + j + l];
        for (int64_t l = 0; l < width; l++)
            y[j + l] += (ag_real)lane[l];
    }
}

void AGK(add)(int64_t n, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i];
}

void AGK(add_scaled)(int64_t n, ag_real s, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = r_fma(s, x[i], y[i]);
}

void AGK(add_constant)(int64_t n, ag_real s, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += s;
}

void AGK(add_product)(int64_t n, const ag_real *a, const ag_real *b, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = r_fma(a[i], b[i], y[i]);
}

void AGK(add_exp_scaled)(int64_t n, ag_real s, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = r_fma(s, r_exp(x[i]), y[i]);
}

void AGK(max_into)(int64_t n, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = r_max(x[i], y[i]);
}

/* A loop for each small step, which the compiler then knows. */
#define FOR_STEPS(statement)                                                                          \
    switch (step) {                                                                                   \
    case 1:  for (int64_t i = 0; i < n; i++) { const int64_t at = i; statement; } break;              \
    case 2:  for (int64_t i = 0; i < n; i++) { const int64_t at = i * 2; statement; } break;          \
    case 3:  for (int64_t i = 0; i < n; i++) { const int64_t at = i * 3; statement; } break;          \
    case 4:  for (int64_t i = 0; i < n; i++) { const int64_t at = i * 4; statement; } break;          \
    default: for (int64_t i = 0; i < n; i++) { const int64_t at = i * step; statement; } break;       \
    }

void AGK(gather_add)(int64_t n, int64_t step, const ag_real *restrict x, ag_real *restrict y)
{
    FOR_STEPS(y[i] += x[at])
}

void AGK(scatter_add)(int64_t n, int64_t step, const ag_real *restrict x, ag_real *restrict y)
{
    FOR_STEPS(y[at] += x[i])
}

void AGK(scatter)(int64_t n, int64_t step, const ag_real *restrict x, ag_real *restrict y)
{
    FOR_STEPS(y[at] = x[i])
}

void AGK(divide)(int64_t n, ag_real by, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] /= by;
}
