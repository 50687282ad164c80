/* cumsum, argmax and argmin: along one axis of x, seen as (outer, size, inner). */
#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/index_internal.h"

#define GRAIN 4096

typedef struct axis_plan {
    ag__axis at;
    bool     keepdim; /* argmax only */
} axis_plan;

static bool plan_axis(ag_node *node)
{
    axis_plan      *p = node->attr;
    const ag_shape *x = &node->in[0]->shape;
    const int       axis = p->at.axis;
    node->out->shape = *x;
    return ag__axis_of(x, axis, &p->at) || ag_op_fail(node, "%s has no axis %d", AG_STR(x), axis);
}

static int64_t grain(const axis_plan *p)
{
    return GRAIN / (p->at.size * p->at.inner) + 1;
}

static void cumsum_some(void *context, int64_t begin, int64_t end)
{
    const ag_node   *node = context;
    const axis_plan *p = node->attr;
    for (int64_t o = begin, block = p->at.size * p->at.inner; o < end; o++)
        agk()->cumsum(p->at.size, p->at.inner, node->in[0]->data + o * block, false, false,
                      node->out->data + o * block);
}

static void cumsum_forward(ag_node *node)
{
    const axis_plan *p = node->attr;
    agk_parallel(p->at.outer, grain(p), cumsum_some, node);
}

typedef struct cumsum_gradient {
    const ag_node *node;
    ag_grad_target dx;
} cumsum_gradient;

static void cumsum_backward_some(void *context, int64_t begin, int64_t end)
{
    const cumsum_gradient *c = context;
    const axis_plan       *p = c->node->attr;
    for (int64_t o = begin, block = p->at.size * p->at.inner; o < end; o++)
        agk()->cumsum(p->at.size, p->at.inner, c->node->out->grad + o * block, true, c->dx.add, c->dx.data + o * block);
}

static void cumsum_backward(const ag_node *node)
{
    const axis_plan *p = node->attr;
    cumsum_gradient  c = {node, ag_grad_open(node->in[0])};
    if (c.dx.data)
        agk_parallel(p->at.outer, grain(p), cumsum_backward_some, &c);
}

static const ag_op cumsum_op = {"cumsum", plan_axis, cumsum_forward, cumsum_backward};

ag_tensor *ag_cumsum(ag_tensor *x, int axis)
{
    axis_plan p = {.at = {.axis = axis}};
    return ag_apply(&cumsum_op, 1, &x, &p, sizeof p);
}

/* ---- Places of the largest and the smallest. ---- */

static bool argmax_shape(ag_node *node)
{
    const axis_plan *p = node->attr;
    ag_shape        *out = &node->out->shape;
    if (!plan_axis(node))
        return false;
    out->dim[p->at.axis] = 1;
    for (int d = p->at.axis; !p->keepdim && d + 1 < out->rank; d++)
        out->dim[d] = out->dim[d + 1];
    out->rank -= !p->keepdim;
    return true;
}

static void argmax_some(void *context, int64_t begin, int64_t end)
{
    const ag_node   *node = context;
    const axis_plan *p = node->attr;
    for (int64_t o = begin; o < end; o++)
        agk()->argmax(p->at.size, p->at.inner, node->in[0]->data + o * p->at.size * p->at.inner,
                      node->out->data + o * p->at.inner);
}

static void argmax_forward(ag_node *node)
{
    const axis_plan *p = node->attr;
    agk_parallel(p->at.outer, grain(p), argmax_some, node);
}

static const ag_op argmax_op = {"argmax", argmax_shape, argmax_forward, NULL};
static const ag_op argmin_op = {"argmin", argmax_shape, argmax_forward, NULL}; /* of -x */

ag_tensor *ag_argmax(ag_tensor *x, int axis, bool keepdim)
{
    axis_plan p = {.at = {.axis = axis}, .keepdim = keepdim};
    return ag_apply(&argmax_op, 1, &x, &p, sizeof p);
}

ag_tensor *ag_argmin(ag_tensor *x, int axis, bool keepdim)
{
    axis_plan  p = {.at = {.axis = axis}, .keepdim = keepdim};
    ag_tensor *less = ag_neg(x);
    return ag_apply(&argmin_op, 1, &less, &p, sizeof p);
}
