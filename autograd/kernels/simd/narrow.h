/* Narrow rows that follow each other, some at a time as one long row, so that vectors need not end where a row does. */
#ifndef AGK_NARROW_H
#define AGK_NARROW_H

#include "autograd/kernels/simd/math.h"

enum {
    NARROW = 32, /* elements of a narrow row, at most */
    LONG = 256   /* of a long one */
};

/* How many of the rows make a long one. */
INLINE int64_t rows_abreast(int64_t rows, int64_t n)
{
    return rows < LONG / n ? rows : LONG / n;
}

/* y = x, `times` times over. */
INLINE void repeat_row(int64_t times, int64_t n, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < times; i++)
        for (int64_t j = 0; j < n; j++)
            y[i * n + j] = x[j];
}

/* y += each of the `times` rows in x. */
INLINE void add_repeats(int64_t times, int64_t n, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < times; i++)
        for (int64_t j = 0; j < n; j++)
            y[j] += x[i * n + j];
}

#endif
