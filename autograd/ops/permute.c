/* permute and transpose: the axes in another order. */
#include "autograd/kernels/permute.h"
#include "autograd/op.h"
#include "autograd/ops.h"

typedef struct permute_plan {
    ag_axes order;
    int64_t stride[AG_MAX_RANK]; /* in the input, of each axis of the output */
} permute_plan;

static bool permute_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    permute_plan   *p = node->attr;
    bool            used[AG_MAX_RANK] = {false};
    if (p->order.count != x->rank)
        return ag_op_fail(node, "%d axes given for %s, expected %d", p->order.count, AG_STR(x), x->rank);
    node->out->shape = *x;
    for (int i = 0; i < x->rank; i++) {
        int axis = ag_axis_index(x, p->order.axis[i]);
        if (axis < 0 || used[axis])
            return ag_op_fail(node, "axis %d of %s: out of range, or named twice", p->order.axis[i], AG_STR(x));
        used[axis] = true;
        node->out->shape.dim[i] = x->dim[axis];
        p->stride[i] = 1;
        for (int later = axis + 1; later < x->rank; later++)
            p->stride[i] *= x->dim[later];
    }
    return true;
}

static void permute_forward(ag_node *node)
{
    const permute_plan *p = node->attr;
    const ag_shape     *s = &node->out->shape;
    agk_permute(s->rank, s->dim, p->stride, node->in[0]->data, false, node->out->data);
}

/* Axis k of the input is axis i of the output, whose stride there is the product of the dimensions after it. */
static void permute_backward(const ag_node *node)
{
    const permute_plan *p = node->attr;
    const ag_shape     *in = &node->in[0]->shape, *out = &node->out->shape;
    int64_t             from[AG_MAX_RANK];
    ag_grad_target      dx = ag_grad_open(node->in[0]);
    if (!dx.data)
        return;
    for (int64_t i = out->rank - 1, stride = 1; i >= 0; stride *= out->dim[i--])
        from[ag_axis_index(in, p->order.axis[i])] = stride;
    agk_permute(in->rank, in->dim, from, node->out->grad, dx.add, dx.data);
}

static const ag_op permute_op = {"permute", permute_shape, permute_forward, permute_backward};

ag_tensor *ag_permute(ag_tensor *x, ag_axes order)
{
    permute_plan p = {.order = order};
    return ag_apply(&permute_op, 1, &x, &p, sizeof p);
}

ag_tensor *ag_transpose(ag_tensor *x, int axis0, int axis1)
{
    ag_axes order = {x ? x->shape.rank : 0, {0, 1, 2, 3, 4, 5, 6, 7}};
    int     i = x ? ag_axis_index(&x->shape, axis0) : 0, j = x ? ag_axis_index(&x->shape, axis1) : 0;
    if (i < 0 || j < 0)
        return ag_fail(x->tape, "transpose: axes %d and %d of %s: out of range", axis0, axis1, AG_STR(&x->shape));
    order.axis[i] = j;
    order.axis[j] = i;
    return ag_permute(x, order);
}
