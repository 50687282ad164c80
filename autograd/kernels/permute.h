/* The axes of an array in another order, by blocks that both sides read and write whole cache lines of. Internal. */
#ifndef AG_KERNELS_PERMUTE_H
#define AG_KERNELS_PERMUTE_H

#include "autograd/kernels/kernels.h"

enum { AGK_PERMUTE_AXES = 8 };

/* y, contiguous with dimensions dim[0 .. rank-1], from x, in which axis i has stride from[i]; with `add` added to what
 * y holds. x has as many elements as y, each of them once. */
void agk_permute(int rank, const int64_t *dim, const int64_t *from, const ag_real *x, bool add, ag_real *y);

#endif
