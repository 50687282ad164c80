/* Batch norm and layer norm. Sums run over a fixed number of lanes, of about SUMMED elements in ag_real; these are added up in double. */
#include "autograd/kernels/simd/side.h"

/* Sums of p and of p q by lanes, q being x - centre, and p the same, or g, or g w. */
typedef struct two_sums {
    vec first[LANE_VECTORS], second[LANE_VECTORS];
} two_sums;

INLINE void add_vector(two_sums *s, int v, vec p, vec q)
{
    s->first[v] += p;
    s->second[v] = vec_fma(p, q, s->second[v]);
}

INLINE vec factor(vec q, const ag_real *g, const ag_real *w, int64_t n)
{
    if (!g)
        return q;
    const vec p = vec_load_up_to(n, g, 0);
    return !w ? p : p * vec_load_up_to(n, w, 0);
}

/* Some of a row; g and w, or w, may be NULL, at compile time. */
INLINE void add_row(int64_t n, const ag_real *x, const ag_real *g, const ag_real *w, ag_real centre, two_sums *s)
{
    const vec c = vec_splat(centre);
    int64_t   i = 0;
    for (; i + LANES <= n; i += LANES)
        UNROLL for (int v = 0; v < LANE_VECTORS; v++) {
            const int64_t at = i + v * VL;
            const vec     q = vec_load(x + at) - c;
            add_vector(s, v, factor(q, g ? g + at : NULL, w ? w + at : NULL, VL), q);
        }
    UNROLL for (int v = 0; v < LANE_VECTORS; v++, i += VL)
        if (i < n) {
            const vec q = vec_load_up_to(n - i, x + i, centre) - c;
            add_vector(s, v, factor(q, g ? g + i : NULL, w ? w + i : NULL, n - i), q);
        }
}

INLINE void flush(two_sums *s, double *first, double *second)
{
    *first += (double)vectors_total(s->first);
    *second += (double)vectors_total(s->second);
    *s = (two_sums){0};
}

/* Adds the sums over `rows` rows, `stride` apart. */
INLINE void add_rows(int64_t rows, int64_t n, int64_t stride, const ag_real *x, const ag_real *g, const ag_real *w,
                     ag_real centre, double *first, double *second)
{
    two_sums s = {0};
    int64_t  held = 0;
    for (int64_t r = 0; r < rows; r++, x += stride, g = g ? g + stride : NULL)
        for (int64_t from = 0, some; from < n; from += some) {
            some = n - from < SUMMED ? n - from : SUMMED;
            add_row(some, x + from, g ? g + from : NULL, w ? w + from : NULL, centre, &s);
            held += some;
            if (held >= SUMMED) {
                flush(&s, first, second);
                held = 0;
            }
        }
    if (held > 0)
        flush(&s, first, second);
}

/* ---- Batch norm: one channel, a row of pixels in every image. ---- */

void AGK(norm_sums)(int64_t rows, int64_t n, int64_t stride, const ag_real *x, ag_real centre, double *sum, double *squares)
{
    add_rows(rows, n, stride, x, NULL, NULL, centre, sum, squares);
}

void AGK(norm_gradient_sums)(int64_t rows, int64_t n, int64_t stride, const ag_real *x, const ag_real *g, ag_real centre, double *sum,
                             double *product)
{
    add_rows(rows, n, stride, x, g, NULL, centre, sum, product);
}

void AGK(norm_apply)(int64_t rows, int64_t n, int64_t stride, const ag_real *x, ag_real centre, ag_real scale, ag_real shift, ag_real *y)
{
    for (int64_t r = 0; r < rows; r++, x += stride, y += stride)
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - centre) * scale + shift;
}

void AGK(norm_gradient)(int64_t rows, int64_t n, int64_t stride, const ag_real *x, const ag_real *g, const agk_norm *o, bool add, ag_real *dx)
{
    const ag_real centre = o->centre, mean = o->mean, slope = o->slope, scale = o->scale;
    for (int64_t r = 0; r < rows; r++, x += stride, g += stride, dx += stride)
        if (add)
            for (int64_t i = 0; i < n; i++)
                dx[i] += scale * (g[i] - mean - (x[i] - centre) * slope);
        else
            for (int64_t i = 0; i < n; i++)
                dx[i] = scale * (g[i] - mean - (x[i] - centre) * slope);
}

void AGK(norm_group_gradient)(int64_t n, const ag_real *x, const ag_real *g, const agk_norm *o, bool add, ag_real *dx)
{
    const ag_real centre = o->centre, mean = o->mean, slope = o->slope, scale = o->scale;
    for (int64_t i = 0; i < n; i++) {
        const ag_real value = scale * g[i] - mean - (x[i] - centre) * slope;
        dx[i] = add ? dx[i] + value : value;
    }
}

/* ---- Layer norm: rows, each with statistics of its own. Short ones go side by side, unless there are few of them; the bits are the
 * same. ---- */

static bool side_by_side(int64_t rows, int64_t n)
{
    return n <= SHORT && rows > 4;
}

INLINE double inverse_deviation(double squares, int64_t n, double eps)
{
    return 1 / __builtin_sqrt(squares / (double)n + eps);
}

static void side_layer_norm(int64_t rows, int64_t n, double eps, const ag_real *x, const ag_real *w, const ag_real *b, ag_real *y,
                            ag_real *saved)
{
    side a[SHORT], mean, squares, inverse;
    side_load(rows, n, x, a);
    side_sum(n, a, mean);
    for (int r = 0; r < SIDE; r++)
        mean[r] /= (ag_real)n;
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < SIDE; r++)
            a[i][r] -= mean[r];
    side_dot(n, a, a, squares);
    for (int r = 0; r < SIDE; r++)
        inverse[r] = (ag_real)inverse_deviation((double)squares[r], n, eps);
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < SIDE; r++)
            a[i][r] = w ? a[i][r] * inverse[r] * w[i] + b[i] : a[i][r] * inverse[r];
    side_store(rows, n, a, y);
    for (int64_t r = 0; r < rows; r++) {
        saved[2 * r] = mean[r];
        saved[2 * r + 1] = inverse[r];
    }
}

static void row_layer_norm(int64_t n, double eps, const ag_real *x, const ag_real *w, const ag_real *b, ag_real *y, ag_real *saved)
{
    const ag_real mean = AGK(sum)(n, x) / (ag_real)n;
    double        sum = 0, squares = 0;
    add_rows(1, n, 0, x, NULL, NULL, mean, &sum, &squares);
    const ag_real inverse = (ag_real)inverse_deviation(squares, n, eps);
    for (int64_t i = 0; w && i < n; i++)
        y[i] = (x[i] - mean) * inverse * w[i] + b[i];
    for (int64_t i = 0; !w && i < n; i++)
        y[i] = (x[i] - mean) * inverse;
    saved[0] = mean;
    saved[1] = inverse;
}

void AGK(layer_norm)(int64_t rows, int64_t n, double eps, const ag_real *x, const ag_real *w, const ag_real *b, ag_real *y, ag_real *saved)
{
    for (; side_by_side(rows, n); rows -= SIDE, x += SIDE * n, y += SIDE * n, saved += 2 * SIDE)
        side_layer_norm(side_rows(rows), n, eps, x, w, b, y, saved);
    for (; rows > 0; rows--, x += n, y += n, saved += 2)
        row_layer_norm(n, eps, x, w, b, y, saved);
}

/* dx = inverse (h - mean h - (x - centre) inverse^2 mean(h (x - centre))), h being g w; or added. */
static void side_layer_norm_gradient(int64_t rows, int64_t n, const ag_real *x, const ag_real *g, const ag_real *w, const ag_real *saved,
                                     bool add, ag_real *dx)
{
    side a[SHORT], h[SHORT], d[SHORT], centre = {0}, inverse = {0}, mean, slope;
    for (int64_t r = 0; r < rows; r++) {
        centre[r] = saved[2 * r];
        inverse[r] = saved[2 * r + 1];
    }
    side_load(rows, n, x, a);
    side_load(rows, n, g, h);
    if (add)
        side_load(rows, n, dx, d);
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < SIDE; r++) {
            a[i][r] -= centre[r];
            h[i][r] *= w ? w[i] : 1;
        }
    side_sum(n, h, mean);
    side_dot(n, h, a, slope);
    for (int r = 0; r < SIDE; r++) {
        mean[r] = (ag_real)((double)mean[r] / (double)n);
        slope[r] = (ag_real)((double)slope[r] / (double)n * (double)inverse[r] * (double)inverse[r]);
    }
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < SIDE; r++) {
            const ag_real value = inverse[r] * (h[i][r] - mean[r] - a[i][r] * slope[r]);
            d[i][r] = add ? d[i][r] + value : value;
        }
    side_store(rows, n, d, dx);
}

static void row_layer_norm_gradient(int64_t n, const ag_real *x, const ag_real *g, const ag_real *w, const ag_real *saved, bool add,
                                    ag_real *dx)
{
    const ag_real centre = saved[0], scale = saved[1];
    double        sum = 0, product = 0;
    if (w)
        add_rows(1, n, 0, x, g, w, centre, &sum, &product);
    else
        add_rows(1, n, 0, x, g, NULL, centre, &sum, &product);
    const ag_real mean = (ag_real)(sum / (double)n),
                  slope = (ag_real)(product / (double)n * (double)scale * (double)scale);
    for (int64_t i = 0; !w && !add && i < n; i++)
        dx[i] = scale * (g[i] - mean - (x[i] - centre) * slope);
    for (int64_t i = 0; !w && add && i < n; i++)
        dx[i] += scale * (g[i] - mean - (x[i] - centre) * slope);
    for (int64_t i = 0; w && !add && i < n; i++)
        dx[i] = scale * (g[i] * w[i] - mean - (x[i] - centre) * slope);
    for (int64_t i = 0; w && add && i < n; i++)
        dx[i] += scale * (g[i] * w[i] - mean - (x[i] - centre) * slope);
}

void AGK(layer_norm_gradient)(int64_t rows, int64_t n, const ag_real *x, const ag_real *g, const ag_real *w, const ag_real *saved, bool add,
                              ag_real *dx)
{
    for (; side_by_side(rows, n); rows -= SIDE, x += SIDE * n, g += SIDE * n, dx += SIDE * n, saved += 2 * SIDE)
        side_layer_norm_gradient(side_rows(rows), n, x, g, w, saved, add, dx);
    for (; rows > 0; rows--, x += n, g += n, dx += n, saved += 2)
        row_layer_norm_gradient(n, x, g, w, saved, add, dx);
}

/* ---- Batch norm of (N, C): channels side by side. ---- */

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

void AGK(layer_norm_weight_gradient)(int64_t rows, int64_t n, int64_t stride, const ag_real *x, const ag_real *g, const ag_real *saved,
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
