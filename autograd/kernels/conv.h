/* The three products of a convolution: of input and weight, and their gradients. A transposed convolution is the same
 * three with the roles exchanged. Internal. They work on interleaved images. */
#ifndef AG_CONV_H
#define AG_CONV_H

#include "autograd/kernels/interleave.h"

/* Input x (batch, in_channels, in[0], in[1]), weight w (out_channels, in_channels / groups, kernel[0], kernel[1]),
 * output y (batch, out_channels, out[0], out[1]). Index 0 is the vertical axis. */
typedef struct agk_conv {
    int64_t batch, in_channels, out_channels, groups;
    int64_t in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];
} agk_conv;

static inline int64_t agk__least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t agk__area(const int64_t *size)
{
    return size[0] * size[1];
}

/* Where a convolution works: the interleaved input and output, the weight in the order of the kernels, and sums of its
 * gradient. */
typedef struct agk_conv_images {
    ag_real *x, *y, *w, *sums;
} agk_conv_images;

/* How many reals of memory it needs, or -1 where that is out of all reason; and its parts. */
int64_t         agk_conv_images_size(const agk_conv *c);
agk_conv_images agk_conv_images_in(const agk_conv *c, ag_real *memory);

/* images.y = images.x * w + bias (out_channels), which may be NULL. */
void agk_conv_forward(const agk_conv *c, agk_conv_images images, const ag_real *w, const ag_real *bias);

/* images.x = the gradient of the input, given that of the output in images.y, plus bias (in_channels), which may
 * be NULL.
 */
void agk_conv_input_gradient(const agk_conv *c, agk_conv_images images, const ag_real *w, const ag_real *bias);

/* dw = the gradient of the weight, given the input in images.x and the gradient of the output in images.y; or
 * added. */
void agk_conv_weight_gradient(const agk_conv *c, agk_conv_images images, bool add, ag_real *dw);

/* db (channels) += the sum over the batch and the pixels of g, interleaved images of channels * pixels numbers. */
void agk_conv_bias_gradient(int64_t batch, int64_t channels, int64_t pixels, const ag_real *g, ag_real *db);

#endif
