/* Selecting, gathering, scattering, running sums, places of the largest. */
#include "autograd/kernels/simd/isa.h"

void AGK(select)(int64_t n, const ag_real *condition, const ag_real *a, const ag_real *b, ag_real *y)
{
    for (int64_t i = 0; i < n; i++) {
        ag_real u = a[i], v = b[i];
        y[i] = condition[i] != 0 ? u : v;
    }
}

void AGK(select_gradient)(int64_t n, const ag_real *condition, bool where_true, const ag_real *g, bool add, ag_real *d)
{
    for (int64_t i = 0; i < n; i++) {
        ag_real u = (condition[i] != 0) == where_true ? g[i] : 0;
        d[i] = add ? d[i] + u : u;
    }
}

void AGK(gather)(int64_t n, const ag_real *x, int64_t stride, const ag_real *index, int64_t step, bool add,
                 ag_real *y)
{
    for (int64_t i = 0; i < n; i++) {
        ag_real v = x[(int64_t)index[i] * stride + i * step];
        y[i] = add ? y[i] + v : v;
    }
}

void AGK(scatter_add)(int64_t n, const ag_real *x, int64_t stride, const ag_real *index, int64_t step, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[(int64_t)index[i] * stride + i * step] += x[i];
}

enum { COLUMNS = 64 }; /* that are gone down together */

/* Along the last axis: one chain, in double as in PyTorch. */
static void cumsum_row(int64_t size, const ag_real *x, bool reverse, bool add, ag_real *y)
{
    const int64_t step = reverse ? -1 : 1;
    double        sum = 0;
    for (int64_t k = 0, at = reverse ? size - 1 : 0; k < size; k++, at += step) {
        sum += (double)x[at];
        y[at] = add ? y[at] + (ag_real)sum : (ag_real)sum;
    }
}

void AGK(cumsum)(int64_t size, int64_t inner, const ag_real *x, bool reverse, bool add, ag_real *y)
{
    if (inner == 1) {
        cumsum_row(size, x, reverse, add, y);
        return;
    }
    for (int64_t first = 0; first < inner; first += COLUMNS) {
        const int64_t n = inner - first < COLUMNS ? inner - first : COLUMNS;
        double        sum[COLUMNS] = {0};
        for (int64_t k = 0; k < size; k++) {
            const int64_t at = (reverse ? size - 1 - k : k) * inner + first;
            for (int64_t j = 0; j < n; j++) {
                sum[j] += (double)x[at + j];
                y[at + j] = add ? y[at + j] + (ag_real)sum[j] : (ag_real)sum[j];
            }
        }
    }
}

/* Whether one of n elements is `most`, or NaN. */
INLINE bool has(int64_t n, const ag_real *x, ag_real most)
{
    int any = 0;
    for (int64_t i = 0; i < n; i++)
        any |= (x[i] == most) | (x[i] != x[i]);
    return any;
}

/* The place of the largest of n elements, the first of equals; of the first NaN if there is one. */
static int64_t place_of(int64_t n, const ag_real *x, ag_real most)
{
    enum { BLOCK = 32 };
    int64_t i = 0;
    while (i + BLOCK <= n && !has(BLOCK, x + i, most))
        i += BLOCK;
    while (i < n - 1 && !has(1, x + i, most))
        i++;
    return i;
}

/* The place of the largest of a short row, or of the first NaN. */
static int64_t first_largest(int64_t n, const ag_real *x)
{
    int64_t place = 0;
    for (int64_t k = 1; k < n && x[place] == x[place]; k++)
        if (!(x[k] <= x[place]))
            place = k;
    return place;
}

void AGK(argmax)(int64_t size, int64_t inner, const ag_real *x, ag_real *y)
{
    if (inner == 1) {
        y[0] = (ag_real)(size < LANES ? first_largest(size, x) : place_of(size, x, AGK(max)(size, x)));
        return;
    }
    for (int64_t first = 0; first < inner; first += COLUMNS) {
        const int64_t n = inner - first < COLUMNS ? inner - first : COLUMNS;
        ag_real       largest[COLUMNS];
        for (int64_t j = 0; j < n; j++) {
            largest[j] = x[first + j];
            y[first + j] = 0;
        }
        for (int64_t k = 1; k < size; k++)
            for (int64_t j = 0; j < n; j++) {
                const ag_real v = x[k * inner + first + j], m = largest[j];
                const bool    larger = m == m && (v > m || v != v);
                largest[j] = larger ? v : m;
                y[first + j] = larger ? (ag_real)k : y[first + j];
            }
    }
}
