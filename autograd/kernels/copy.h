/* Rows of one matrix to those of another, by all threads. Internal. */
#ifndef AG_KERNELS_COPY_H
#define AG_KERNELS_COPY_H

#include "autograd/kernels/kernels.h"

/* rows x n numbers: y = x, or with `add` y += x; rows of x and y are ldx and ldy apart. The kernel copy_rows, shared
 * out by rows, or if there are few by columns. */
void agk_copy_rows(int64_t rows, int64_t n, const ag_real *x, int64_t ldx, bool add, ag_real *y, int64_t ldy);

/* Reals of a gradient that are best zeroed at a time: the first cache still has them when they are added to. */
enum { AGK_ZEROED = 4096 };

/* y = 0, of rows that are ldy apart. */
void agk_zero_rows(int64_t rows, int64_t n, ag_real *y, int64_t ldy);

#endif
