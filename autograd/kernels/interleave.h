/* Interleaved images: a batch is cut into blocks of AGK_INTERLEAVED_BLOCK images, the last of them of half as many
 * where that suffices; within a block, number k of all images comes before number k + 1 of any. So a vector holds the
 * same pixel of many images, and no width, stride or border leaves a part of it idle. Images beyond the batch are zero.
 * Internal. */
#ifndef AG_INTERLEAVE_H
#define AG_INTERLEAVE_H

#include "autograd/kernels/kernels.h"

#define AGK_INTERLEAVED_BLOCK (2 * AGK_LANES)

/* Reals that `batch` images of `size` take; how many blocks; and how many images the block has room for. */
int64_t agk_interleaved(int64_t batch, int64_t size);
int64_t agk_interleaved_blocks(int64_t batch);
int64_t agk_interleaved_lanes(int64_t batch, int64_t block);

/* Images x (batch, size), as they lie, to interleaved ones and back; back with `add` adds to what x holds. */
void agk_interleave(int64_t batch, int64_t size, const ag_real *x, ag_real *interleaved);
void agk_deinterleave(int64_t batch, int64_t size, const ag_real *interleaved, bool add, ag_real *x);

#endif
