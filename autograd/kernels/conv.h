/* The three products of a convolution: of input and weight, and their gradients. A transposed convolution is the same three
 * with the roles exchanged. Internal.
 *
 * They work on interleaved images: a batch is cut into blocks of 2 * AGK_CONV_LANES images, the last of them of AGK_CONV_LANES
 * where that suffices; within a block, number k of all images comes before number k + 1 of any. So a vector holds one pixel of
 * many images, and no kernel, stride, border or channel count leaves a part of it idle. Images beyond the batch are zero. */
#ifndef AG_CONV_H
#define AG_CONV_H

#include "autograd/kernels/kernels.h"

/* Input x (batch, in_channels, in[0], in[1]), weight w (out_channels, in_channels / groups, kernel[0], kernel[1]), output
 * y (batch, out_channels, out[0], out[1]). Index 0 is the vertical axis. */
typedef struct agk_conv {
    int64_t batch, in_channels, out_channels, groups;
    int64_t in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];
} agk_conv;

/* Where a convolution works: the interleaved input and output, and the weight in the order of the kernels. */
typedef struct agk_conv_room {
    ag_real *x, *y, *w;
} agk_conv_room;

/* How many reals of memory it needs, or -1 where that is out of all reason; and its parts. */
int64_t       agk_conv_room_size(const agk_conv *c);
agk_conv_room agk_conv_room_in(const agk_conv *c, ag_real *memory);

/* Images x (batch, size), as they lie, to interleaved ones and back; back with `add` adds to what x holds. */
void agk_interleave(int64_t batch, int64_t size, const ag_real *x, ag_real *interleaved);
void agk_deinterleave(int64_t batch, int64_t size, const ag_real *interleaved, bool add, ag_real *x);

/* room.y = room.x * w + bias (out_channels), which may be NULL. */
void agk_conv_forward(const agk_conv *c, agk_conv_room room, const ag_real *w, const ag_real *bias);

/* room.x = the gradient of the input, given that of the output in room.y, plus bias (in_channels), which may be NULL. */
void agk_conv_input_gradient(const agk_conv *c, agk_conv_room room, const ag_real *w, const ag_real *bias);

/* dw = the gradient of the weight, given the input in room.x and the gradient of the output in room.y; or added. */
void agk_conv_weight_gradient(const agk_conv *c, agk_conv_room room, bool add, ag_real *dw);

#endif
