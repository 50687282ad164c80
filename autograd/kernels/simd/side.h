/* Short rows, SIDE of them side by side: element i of row r at [i][r]. Lanes are rows, so that sums and maxima need
 * nothing across a vector, and no part of one stays empty. Each row adds up in the order of AGK(sum). */
#ifndef AGK_SIDE_H
#define AGK_SIDE_H

#include <string.h>

#include "autograd/kernels/simd/lanes.h"
#include "autograd/kernels/simd/transpose.h"

enum {
    SIDE = 16,
    SHORT = 24 /* elements of a short row, at most */
};

typedef ag_real side[SIDE];

INLINE int64_t side_rows(int64_t rows)
{
    return rows < SIDE ? rows : SIDE;
}

/* Loads `rows` rows of n; the other lanes are zero. Rows narrower than a vector are read beyond their ends, from a copy. */
INLINE void side_load(int64_t rows, int64_t n, const ag_real *x, side *to)
{
    ag_real flat[SIDE * VL + VL];
    if (rows == SIDE && n >= VL) {
        transpose(SIDE, n, x, n, false, to[0], SIDE);
    } else if (n < VL) {
        memcpy(flat, x, (size_t)(rows * n) * sizeof *x);
        memset(flat + rows * n, 0, (size_t)((SIDE - rows) * n + VL) * sizeof *x);
        ag_real wide[VL][SIDE];
        for (int r = 0; r < SIDE; r += VL)
            transpose_block(VL, flat + r * n, n, false, wide[0] + r, SIDE);
        memcpy(to, wide, (size_t)n * sizeof *to);
    } else {
        for (int64_t i = 0; i < n; i++)
            for (int64_t r = 0; r < SIDE; r++)
                to[i][r] = r < rows ? x[r * n + i] : 0;
    }
}

/* The way back. A row narrower than a vector is stored with too much, over which the next is stored. */
INLINE void side_store(int64_t rows, int64_t n, side *from, ag_real *y)
{
    ag_real flat[SIDE * VL + VL];
    if (rows == SIDE && n >= VL) {
        transpose(n, SIDE, from[0], SIDE, false, y, n);
    } else if (n < VL) {
        ag_real wide[VL][SIDE];
        memcpy(wide, from, (size_t)n * sizeof *from);
        memset(wide[n], 0, (size_t)(VL - n) * sizeof *from);
        for (int r = 0; r < SIDE; r += VL)
            transpose_block(VL, wide[0] + r, SIDE, false, flat + r * n, n);
        memcpy(y, flat, (size_t)(rows * n) * sizeof *y);
    } else {
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < n; i++)
                y[r * n + i] = from[i][r];
    }
}

/* Adds up n partial sums as if there were LANES. None is -0, so that those left out change nothing. */
INLINE void side_total(int64_t n, side *lane, ag_real *total)
{
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int64_t l = 0; l < half && l + half < n; l++)
            for (int r = 0; r < SIDE; r++)
                lane[l][r] += lane[l + half][r];
    memcpy(total, lane[0], sizeof lane[0]);
}

_Static_assert(SHORT <= LANES, "each element of a short row is a partial sum of its own");

INLINE void side_sum(int64_t n, side *x, ag_real *total)
{
    side lane[SHORT];
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < SIDE; r++)
            lane[i][r] = x[i][r] + 0; /* + 0 makes -0 positive */
    side_total(n, lane, total);
}

INLINE void side_dot(int64_t n, side *x, side *y, ag_real *total)
{
    side lane[SHORT];
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < SIDE; r++)
            lane[i][r] = r_fma(x[i][r], y[i][r], 0);
    side_total(n, lane, total);
}

INLINE void side_max(int64_t n, side *x, ag_real *most)
{
    for (int v = 0; v < SIDE; v += VL) {
        vec m = vec_load(x[0] + v);
        for (int64_t i = 1; i < n; i++)
            m = vec_max(vec_load(x[i] + v), m);
        vec_store(most + v, m);
    }
}

#endif
