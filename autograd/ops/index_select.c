/* index_select: slices along one axis by their places. Saved: the index, as it was when it was checked. */
#include "autograd/kernels/copy.h"
#include "autograd/kernels/threadpool.h"
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

/* Slices of one number lie in rows, each of which is gone through by the whole index. */
static void select_in_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node  *node = context;
    const ag__axis *p = node->attr;
    const int64_t   n = node->in[1]->shape.dim[0];
    for (int64_t row = begin; row < end; row++)
        agk()->gather(n, node->in[0]->data + row * p->size, 1, node->saved, 0, false, node->out->data + row * n);
}

static void add_in_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node  *node = context;
    const ag__axis *p = node->attr;
    const int64_t   n = node->in[1]->shape.dim[0];
    for (int64_t row = begin; row < end; row++)
        agk()->scatter_add(n, node->out->grad + row * n, 1, node->saved, 0, node->in[0]->grad + row * p->size);
}

static void index_select_forward(ag_node *node)
{
    const ag__axis *p = node->attr;
    const int64_t   n = node->in[1]->shape.dim[0];
    const ag_real  *index = node->saved;
    if (p->inner == 1) {
        agk_parallel(p->outer, AGK_THREAD_COPIES / (n + 1) + 1, select_in_rows, node);
        return;
    }
    if (p->outer == 1) {
        ag__rows_copy(n, p->inner, index, node->in[0]->data, node->out->data);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        agk_copy_rows(p->outer, p->inner, node->in[0]->data + (int64_t)index[i] * p->inner, p->size * p->inner, false,
                      node->out->data + i * p->inner, n * p->inner);
}

static void index_select_backward(const ag_node *node)
{
    const ag__axis *p = node->attr;
    const int64_t   n = node->in[1]->shape.dim[0];
    const ag_real  *index = node->saved;
    ag_real        *dx = ag_grad(node->in[0]);
    if (dx && p->inner == 1) {
        agk_parallel(p->outer, AGK_THREAD_COPIES / (n + 1) + 1, add_in_rows, (void *)node);
        return;
    }
    if (dx && p->outer == 1) {
        ag__rows_add(n, p->inner, index, node->out->grad, dx);
        return;
    }
    for (int64_t i = 0; dx && i < n; i++)
        agk_copy_rows(p->outer, p->inner, node->out->grad + i * p->inner, n * p->inner, true,
                      dx + (int64_t)index[i] * p->inner, p->size * p->inner);
}

static const ag_op index_select_op = {"index_select", index_select_shape, index_select_forward, index_select_backward};

ag_tensor *ag_index_select(ag_tensor *x, int axis, ag_tensor *index)
{
    ag__axis p = {.axis = axis};
    return ag_apply(&index_select_op, 2, (ag_tensor *[]){x, index}, &p, sizeof p);
}
