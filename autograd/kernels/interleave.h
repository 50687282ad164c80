/* Interleaved images: a batch is cut into blocks of AGK_LANES images, and a block is (pixels, channels, images). So a
 * vector holds the same number of many images, and no width, stride or border leaves a part of it idle; and the
 * channels of a pixel lie together, whatever the size of the image. Images beyond the batch are zero. Internal. */
#ifndef AG_INTERLEAVE_H
#define AG_INTERLEAVE_H

#include "autograd/kernels/kernels.h"

/* Reals that `batch` images of `size` take, and how many blocks they are. */
int64_t agk_interleaved(int64_t batch, int64_t size);
int64_t agk_interleaved_blocks(int64_t batch);

/* Images x (batch, channels, pixels), as they lie, to interleaved ones and back; back with `add` adds to what x holds.
 */
void agk_interleave(int64_t batch, int64_t channels, int64_t pixels, const ag_real *x, ag_real *interleaved);
void agk_deinterleave(int64_t batch, int64_t channels, int64_t pixels, const ag_real *interleaved, bool add,
                      ag_real *x);

#endif
