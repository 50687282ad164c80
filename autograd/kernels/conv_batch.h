/* The three products of a convolution of a whole batch: blocks of images interleaved (conv.h), and the rest, or all
 * images where that is faster, as they lie (conv_direct.h). An image's result does not depend on which. Internal. */
#ifndef AG_CONV_BATCH_H
#define AG_CONV_BATCH_H

#include "autograd/kernels/conv_direct.h"

/* The convolution of both parts of the batch, of which one may be empty. */
typedef struct agk_conv_batch {
    agk_conv blocks, rest;
} agk_conv_batch;

agk_conv_batch agk_conv_batch_of(const agk_conv *c, bool needs_input_gradient);

/* Reals of memory that the following work in, or -1 where that is beyond all reason. */
int64_t agk_conv_batch_size(const agk_conv_batch *b);

/* Interleave the input, or the gradient of the output. Both stay in memory until forward writes over the one of the
 * output, or the input's gradient over that of the input. */
void agk_conv_batch_take_input(const agk_conv_batch *b, const ag_real *x, ag_real *memory);
void agk_conv_batch_take_output(const agk_conv_batch *b, const ag_real *dy, ag_real *memory);

/* y = x * w + bias (out_channels), which may be NULL; or added. x has been taken. */
void agk_conv_batch_forward(const agk_conv_batch *b, const ag_real *x, const ag_real *w, const ag_real *bias, bool add,
                            ag_real *y, ag_real *memory);

/* dx = the gradient of the input, plus bias (in_channels), which may be NULL; or added. dy has been taken. */
void agk_conv_batch_input_gradient(const agk_conv_batch *b, const ag_real *dy, const ag_real *w, const ag_real *bias,
                                   bool add, ag_real *dx, ag_real *memory);

/* dw = the gradient of the weight; or added. x and dy have been taken. */
void agk_conv_batch_weight_gradient(const agk_conv_batch *b, const ag_real *x, const ag_real *dy, bool add, ag_real *dw,
                                    ag_real *memory);

/* db += the sum over images and pixels of dy, which has been taken; or, for a transposed convolution, of x. */
void agk_conv_batch_output_sum(const agk_conv_batch *b, const ag_real *dy, ag_real *db, ag_real *memory);
void agk_conv_batch_input_sum(const agk_conv_batch *b, const ag_real *x, ag_real *db, ag_real *memory);

#endif
