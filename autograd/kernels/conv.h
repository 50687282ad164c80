/* The three products of a convolution: of input and weight, and their gradients. A transposed convolution is the same three
 * with the roles exchanged. Internal. */
#ifndef AG_CONV_H
#define AG_CONV_H

#include "autograd/kernels/kernels.h"

/* Input x (batch, in_channels, in[0], in[1]), weight w (out_channels, in_channels / groups, kernel[0], kernel[1]), output
 * y (batch, out_channels, out[0], out[1]). Index 0 is the vertical axis. */
typedef struct agk_conv {
    int64_t batch, in_channels, out_channels, groups;
    int64_t in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];
} agk_conv;

/* y = x * w, plus bias (out_channels) if not NULL; with `add` added to what y holds, and bias must be NULL. */
void agk_conv_forward(const agk_conv *c, const ag_real *x, const ag_real *w, const ag_real *bias, bool add, ag_real *y);

/* The gradient of the input from g, that of the output; stored, or added with `add`. */
void agk_conv_input_gradient(const agk_conv *c, const ag_real *g, const ag_real *w, bool add, ag_real *dx);

/* The gradient of the weight; stored, or added with `add`. */
void agk_conv_weight_gradient(const agk_conv *c, const ag_real *x, const ag_real *g, bool add, ag_real *dw);

#endif
