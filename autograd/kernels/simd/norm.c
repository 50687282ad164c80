/* Batch norm and layer norm. Sums run over a fixed number of lanes; short of a row they are added up in double. */
#include "autograd/kernels/simd/math.h"

enum { PART = 4096 }; /* elements that are summed in ag_real */

/* The sums of a(i) and of b(i) over i < n, by lanes. */
#define SUM_TWO(n, a, b, first, second)                                                                                        \
    for (int64_t from = 0; from < (n); from += PART) {                                                                         \
        ag_real s[LANES] = {0}, t[LANES] = {0};                                                                                \
        int64_t end = (n) - from < PART ? (n) : from + PART, i = from;                                                         \
        for (; i + LANES <= end; i += LANES)                                                                                   \
            for (int l = 0; l < LANES; l++) {                                                                                  \
                ag_real p = a(i + l), q = b(i + l);                                                                            \
                s[l] += p;                                                                                                     \
                t[l] = r_fma(p, q, t[l]);                                                                                      \
            }                                                                                                                  \
        for (int l = 0; i + l < end; l++) {                                                                                    \
            ag_real p = a(i + l), q = b(i + l);                                                                                \
            s[l] += p;                                                                                                         \
            t[l] = r_fma(p, q, t[l]);                                                                                          \
        }                                                                                                                      \
        *(first) += (double)lanes_total(s);                                                                                    \
        *(second) += (double)lanes_total(t);                                                                                   \
    }

#define CENTRED(i) (x[i] - centre)
#define G(i)       (g[i])
#define GW(i)      (g[i] * w[i])

void AGK(norm_sums)(int64_t n, const ag_real *x, ag_real centre, double *sum, double *squares)
{
    SUM_TWO(n, CENTRED, CENTRED, sum, squares)
}

void AGK(norm_gradient_sums)(int64_t n, const ag_real *x, const ag_real *g, const ag_real *w, ag_real centre, double *sum,
                             double *product)
{
    if (w)
        SUM_TWO(n, GW, CENTRED, sum, product)
    else
        SUM_TWO(n, G, CENTRED, sum, product)
}

void AGK(norm_apply)(int64_t n, const ag_real *x, ag_real centre, ag_real scale, ag_real shift, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - centre) * scale + shift;
}

void AGK(norm_apply_to_each)(int64_t n, const ag_real *x, ag_real centre, ag_real scale, const ag_real *w, const ag_real *b,
                             ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - centre) * scale * w[i] + b[i];
}

void AGK(norm_gradient)(int64_t n, const ag_real *x, const ag_real *g, const ag_real *w, const agk_norm *o, bool add, ag_real *dx)
{
    const ag_real centre = o->centre, mean = o->mean, slope = o->slope, scale = o->scale;
    for (int64_t i = 0; !w && !add && i < n; i++)
        dx[i] = scale * (g[i] - mean - (x[i] - centre) * slope);
    for (int64_t i = 0; !w && add && i < n; i++)
        dx[i] += scale * (g[i] - mean - (x[i] - centre) * slope);
    for (int64_t i = 0; w && !add && i < n; i++)
        dx[i] = scale * (g[i] * w[i] - mean - (x[i] - centre) * slope);
    for (int64_t i = 0; w && add && i < n; i++)
        dx[i] += scale * (g[i] * w[i] - mean - (x[i] - centre) * slope);
}

/* ---- Channels side by side. ---- */

void AGK(norm_columns_sums)(int64_t rows, int64_t n, int64_t stride, const ag_real *x, const ag_real *centre, double *sum,
                            double *squares)
{
    for (int64_t r = 0; r < rows; r++, x += stride)
        for (int64_t j = 0; j < n; j++) {
            double d = (double)x[j] - (double)centre[j];
            sum[j] += d;
            squares[j] += d * d;
        }
}

void AGK(norm_columns_gradient_sums)(int64_t rows, int64_t n, int64_t stride, const ag_real *x, const ag_real *g,
                                     const ag_real *centre, double *sum, double *product)
{
    for (int64_t r = 0; r < rows; r++, x += stride, g += stride)
        for (int64_t j = 0; j < n; j++) {
            sum[j] += (double)g[j];
            product[j] += (double)g[j] * ((double)x[j] - (double)centre[j]);
        }
}

void AGK(norm_columns_apply)(int64_t rows, int64_t n, int64_t stride, const ag_real *x, const ag_real *centre, const ag_real *scale,
                             const ag_real *shift, ag_real *y)
{
    for (int64_t r = 0; r < rows; r++, x += stride, y += stride)
        for (int64_t j = 0; j < n; j++)
            y[j] = (x[j] - centre[j]) * scale[j] + shift[j];
}

void AGK(norm_columns_gradient)(int64_t rows, int64_t n, int64_t stride, const ag_real *x, const ag_real *g, const ag_real *centre,
                                const ag_real *mean, const ag_real *slope, const ag_real *scale, bool add, ag_real *dx)
{
    for (int64_t r = 0; r < rows; r++, x += stride, g += stride, dx += stride)
        if (add)
            for (int64_t j = 0; j < n; j++)
                dx[j] += scale[j] * (g[j] - mean[j] - (x[j] - centre[j]) * slope[j]);
        else
            for (int64_t j = 0; j < n; j++)
                dx[j] = scale[j] * (g[j] - mean[j] - (x[j] - centre[j]) * slope[j]);
}

void AGK(norm_weight_gradient)(int64_t rows, int64_t n, int64_t stride, const ag_real *x, const ag_real *g, const ag_real *saved,
                               ag_real *dw, ag_real *db)
{
    for (int64_t r = 0; r < rows; r++, x += stride, g += stride) {
        const ag_real centre = saved[2 * r], inverse = saved[2 * r + 1];
        for (int64_t j = 0; dw && j < n; j++)
            dw[j] += g[j] * ((x[j] - centre) * inverse);
        for (int64_t j = 0; db && j < n; j++)
            db[j] += g[j];
    }
}
