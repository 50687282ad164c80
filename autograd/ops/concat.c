/* concat: tensors one after the other along an axis. */
#include "autograd/kernels/copy.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/written_internal.h"

typedef struct concat_plan {
    int     axis;
    int64_t blocks, block; /* the output is `blocks` times the inputs' pieces side by side, `block` elements */
} concat_plan;

static bool concat_shape(ag_node *node)
{
    const ag_shape *first = &node->in[0]->shape;
    concat_plan    *p = node->attr;
    int             axis = ag_axis_index(first, p->axis);
    if (axis < 0)
        return ag_op_fail(node, "%s has no axis %d", AG_STR(first), p->axis);
    ag_shape out = *first;
    for (int i = 1; i < node->n_in; i++) {
        ag_shape s = node->in[i]->shape, like = s;
        like.dim[axis] = first->dim[axis];
        if (!ag_shape_equal(&like, first))
            return ag_op_fail(node, "input %d is %s, expected %s in every axis but %d", i, AG_STR(&s), AG_STR(first),
                              axis);
        out.dim[axis] += s.dim[axis];
    }
    p->blocks = 1;
    for (int i = 0; i < axis; i++)
        p->blocks *= out.dim[i];
    node->out->shape = out;
    p->block = ag_numel(&out) / p->blocks;
    return true;
}

static void concat_forward(ag_node *node)
{
    const concat_plan *p = node->attr;
    ag_real           *to = node->out->data;
    for (int i = 0; i < node->n_in; i++) {
        const int64_t piece = ag_numel(&node->in[i]->shape) / p->blocks;
        agk_copy_rows(p->blocks, piece, node->in[i]->data, piece, false, to, p->block);
        to += piece;
    }
}

static void concat_backward(const ag_node *node)
{
    const concat_plan *p = node->attr;
    const ag_real     *from = node->out->grad;
    for (int i = 0; i < node->n_in; i++) {
        const int64_t  piece = ag_numel(&node->in[i]->shape) / p->blocks;
        ag_grad_target dx = ag_grad_open(node->in[i]);
        if (dx.data)
            agk_copy_rows(p->blocks, piece, from, p->block, dx.add, dx.data, piece);
        from += piece;
    }
}

const ag_op ag__concat_op = {"concat", concat_shape, concat_forward, concat_backward};

ag_tensor *ag_concat(int n, ag_tensor *const *x, int axis)
{
    concat_plan p = {.axis = axis};
    if (n < 1 || !x)
        return ag_fail(NULL, "concat: nothing to join");
    return ag_apply(&ag__concat_op, n, x, &p, sizeof p);
}
