/* index_select: slices along one axis by their places. Saved: the index, as it was when it was checked. */
#include <string.h>

#include "autograd/kernels/kernels.h"
#include "autograd/op.h"
#include "autograd/ops.h"

/* x as (outer, size, inner). */
typedef struct index_select_plan {
    int     axis;
    int64_t outer, size, inner;
} index_select_plan;

static bool index_select_shape(ag_node *node)
{
    index_select_plan *p = node->attr;
    const ag_shape    *x = &node->in[0]->shape, *index = &node->in[1]->shape;
    const int          axis = ag_axis_index(x, p->axis);
    if (axis < 0 || index->rank != 1)
        return ag_op_fail(node, "%s along axis %d by index %s: expected an axis of it and an index of one dimension",
                          AG_STR(x), p->axis, AG_STR(index));
    p->size = x->dim[axis];
    p->outer = p->inner = 1;
    for (int d = 0; d < x->rank; d++)
        if (d != axis)
            *(d < axis ? &p->outer : &p->inner) *= x->dim[d];
    for (int64_t i = 0; i < index->dim[0]; i++) {
        const ag_real k = node->in[1]->data[i];
        if (!(k >= 0 && k < (ag_real)p->size && k == (ag_real)(int64_t)k))
            return ag_op_fail(node, "index %lld is %g, expected a whole number from 0 to %lld", (long long)i, (double)k,
                              (long long)p->size - 1);
    }
    node->out->shape = *x;
    node->out->shape.dim[axis] = index->dim[0];
    ag_real *saved = ag_op_save(node, index->dim[0]);
    if (saved)
        memcpy(saved, node->in[1]->data, (size_t)index->dim[0] * sizeof *saved);
    return saved != NULL;
}

static void index_select_forward(ag_node *node)
{
    const index_select_plan *p = node->attr;
    const int64_t            n = node->in[1]->shape.dim[0];
    const ag_real           *index = node->saved;
    for (int64_t i = 0; i < n; i++)
        agk()->copy_rows(p->outer, p->inner, node->in[0]->data + (int64_t)index[i] * p->inner, p->size * p->inner,
                         false, node->out->data + i * p->inner, n * p->inner);
}

static void index_select_backward(const ag_node *node)
{
    const index_select_plan *p = node->attr;
    const int64_t            n = node->in[1]->shape.dim[0];
    const ag_real           *index = node->saved;
    ag_real                 *dx = ag_grad(node->in[0]);
    for (int64_t i = 0; dx && i < n; i++)
        agk()->copy_rows(p->outer, p->inner, node->out->grad + i * p->inner, n * p->inner, true,
                         dx + (int64_t)index[i] * p->inner, p->size * p->inner);
}

static const ag_op index_select_op = {"index_select", index_select_shape, index_select_forward, index_select_backward};

ag_tensor *ag_index_select(ag_tensor *x, int axis, ag_tensor *index)
{
    index_select_plan p = {.axis = axis};
    return ag_apply(&index_select_op, 2, (ag_tensor *[]){x, index}, &p, sizeof p);
}
