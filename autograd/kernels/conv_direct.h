/* The three products of a convolution on images as they lie, for what interleaved images (conv.h) are slow at: few
 * images, which leave most of the 16 interleaved ones empty, and groups of few channels. Each element of an output and
 * of an input's gradient adds up in the order of conv.h, with the same bits; a weight's gradient adds up in another
 * order. Internal. */
#ifndef AG_CONV_DIRECT_H
#define AG_CONV_DIRECT_H

#include "autograd/kernels/conv.h"

/* Whether this is the faster way. */
bool agk_conv_is_direct(const agk_conv *c, bool needs_input_gradient);

/* Reals of memory that each of the following needs to work in, or -1 where that is beyond all reason. */
int64_t agk_conv_direct_workspace_size(const agk_conv *c);

/* y = x * w + bias (out_channels), which may be NULL; or added. */
void agk_conv_direct_forward(const agk_conv *c, const ag_real *x, const ag_real *w, const ag_real *bias, bool add,
                             ag_real *y, ag_real *workspace);

/* dx = the gradient of the input, given that of the output, plus bias (in_channels), which may be NULL; or added. */
void agk_conv_direct_input_gradient(const agk_conv *c, const ag_real *dy, const ag_real *w, const ag_real *bias,
                                    bool add, ag_real *dx, ag_real *workspace);

/* dw = the gradient of the weight; or added. */
void agk_conv_direct_weight_gradient(const agk_conv *c, const ag_real *x, const ag_real *dy, bool add, ag_real *dw,
                                     ag_real *workspace);

/* db (channels) += the sum over images and pixels of g (batch, channels, pixels). */
void agk_conv_direct_bias_gradient(int64_t batch, int64_t channels, int64_t pixels, const ag_real *g, ag_real *db);

#endif
