/* What max_pool2d and avg_pool2d share. */
#ifndef AG_POOL_INTERNAL_H
#define AG_POOL_INTERNAL_H

#include "autograd/kernels/kernels.h"
#include "autograd/op.h"
#include "autograd/ops.h"

typedef struct ag__pool_plan {
    ag_pool_options o;
    bool            adaptive; /* out is given */
    agk_pool        p;
} ag__pool_plan;

/* Completes the plan, whose options are given, and the output's shape. */
bool ag__pool_shape(ag_node *node);

/* Planes go by groups of AGK_LANES. */
int64_t ag__pool_groups(const ag_node *node);

/* Calls body for the groups, on several threads where there is enough to do. */
void ag__pool_each_group(const ag_node *node, void (*body)(void *context, int64_t begin, int64_t end), void *context);

/* Planes of a group, and where its first begins in the input and in the output. */
int64_t ag__pool_group(const ag_node *node, int64_t group, int64_t *in, int64_t *out);

/* What a backward pass works on. */
typedef struct ag__pool_gradient {
    const ag_node *node;
    ag_grad_target dx;
} ag__pool_gradient;

#endif
