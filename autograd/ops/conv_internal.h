/* What conv2d and conv_transpose2d share: the options, completed and checked. */
#ifndef AG_CONV_INTERNAL_H
#define AG_CONV_INTERNAL_H

#include "autograd/kernels/conv_batch.h"
#include "autograd/op.h"
#include "autograd/ops.h"

/* A node's parameters: what was asked for, and the convolution that it comes to. */
typedef struct ag_conv_plan {
    ag_conv_options options;
    agk_conv        conv;
    agk_conv_batch  batch;      /* the same, in parts */
    bool            input_lost; /* its interleaved copy: backward has put the gradient there */
} ag_conv_plan;

/* Puts the defaults for zeros and refuses negative numbers. */
bool ag__conv_options_complete(ag_node *node, ag_conv_options *options);

/* Refuses a bias that is not (channels), and a weight or an input that is not of rank 4. */
bool ag__conv_ranks(ag_node *node);
bool ag__conv_bias(ag_node *node, int64_t channels);

/* Takes the memory that the convolution works in, as node->saved. To be called last in the shape rule; with whether the
 * gradient of the convolution's input will be asked for, which is a transposed one's output. */
bool ag__conv_take_workspace(ag_node *node, bool needs_input_gradient);

#endif
