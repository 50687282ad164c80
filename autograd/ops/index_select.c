/* index_select: slices along one axis by their places. Saved: the index, as it was when it was checked. */
#include "autograd/kernels/kernels.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/index_internal.h"

/* attr: the axis. */
static bool index_select_shape(ag_node *node)
{
    ag__axis       *p = node->attr;
    const ag_shape *x = &node->in[0]->shape, *index = &node->in[1]->shape;
    const int       axis = p->axis;
    if (!ag__axis_of(x, axis, p) || index->rank != 1)
        return ag_op_fail(node, "%s along axis %d by index %s: expected an axis of it and an index of one dimension",
                          AG_STR(x), axis, AG_STR(index));
    node->out->shape = *x;
    node->out->shape.dim[p->axis] = index->dim[0];
    return ag__places_valid(node, node->in[1], "index", p->size) && ag__places_save(node, node->in[1]);
}

static void index_select_forward(ag_node *node)
{
    const ag__axis *p = node->attr;
    const int64_t   n = node->in[1]->shape.dim[0];
    const ag_real  *index = node->saved;
    for (int64_t i = 0; i < n; i++)
        agk()->copy_rows(p->outer, p->inner, node->in[0]->data + (int64_t)index[i] * p->inner, p->size * p->inner,
                         false, node->out->data + i * p->inner, n * p->inner);
}

static void index_select_backward(const ag_node *node)
{
    const ag__axis *p = node->attr;
    const int64_t   n = node->in[1]->shape.dim[0];
    const ag_real  *index = node->saved;
    ag_real        *dx = ag_grad(node->in[0]);
    for (int64_t i = 0; dx && i < n; i++)
        agk()->copy_rows(p->outer, p->inner, node->out->grad + i * p->inner, n * p->inner, true,
                         dx + (int64_t)index[i] * p->inner, p->size * p->inner);
}

static const ag_op index_select_op = {"index_select", index_select_shape, index_select_forward, index_select_backward};

ag_tensor *ag_index_select(ag_tensor *x, int axis, ag_tensor *index)
{
    ag__axis p = {.axis = axis};
    return ag_apply(&index_select_op, 2, (ag_tensor *[]){x, index}, &p, sizeof p);
}
