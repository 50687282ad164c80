/* Sums over a whole array that threads may share. Internal. */
#ifndef AG_CHUNKS_H
#define AG_CHUNKS_H

#include "autograd/real.h"

#include <stdint.h>

/* The sum over elements begin .. end-1. */
typedef ag_real agk_partial(const void *context, int64_t begin, int64_t end);

/* The sum over 0 .. n-1 as chunks of a fixed size, whatever the number of threads, added up in order and in
 * double. `scratch` has agk_chunks(n) elements. */
ag_real agk_sum_chunks(int64_t n, agk_partial *partial, const void *context, ag_real *scratch);
int64_t agk_chunks(int64_t n);

/* y[j] += the sum of column j of x (rows, n). Threads share out columns. */
void agk_sum_columns(int64_t rows, int64_t n, const ag_real *x, ag_real *y);

#endif
