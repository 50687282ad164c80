/* permute and transpose: the axes in another order. */
#include "autograd/kernels/pool.h"
#include "autograd/op.h"
#include "autograd/ops.h"

typedef struct permute_plan {
    ag_axes order;
    int64_t stride[AG_MAX_RANK]; /* in the input, of each axis of the output */
} permute_plan;

static bool permute_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    permute_plan *p = node->attr;
    bool used[AG_MAX_RANK] = {false};
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

typedef struct permute_job {
    const ag_node *node;
    ag_real       *dx; /* NULL in the forward pass */
} permute_job;

/* Rows begin .. end-1 of the output, a row being its last axis. */
static void some_rows(void *context, int64_t begin, int64_t end)
{
    const permute_job *j = context;
    const permute_plan *p = j->node->attr;
    const ag_tensor *out = j->node->out;
    const ag_real *x = j->node->in[0]->data;
    int last = out->shape.rank - 1;
    int64_t width = out->shape.dim[last], step = p->stride[last];
    for (int64_t r = begin; r < end; r++) {
        int64_t from = 0, rest = r;
        for (int i = last - 1; i >= 0; i--) {
            from += rest % out->shape.dim[i] * p->stride[i];
            rest /= out->shape.dim[i];
        }
        if (j->dx)
            for (int64_t k = 0; k < width; k++)
                j->dx[from + k * step] += out->grad[r * width + k];
        else
            for (int64_t k = 0; k < width; k++)
                out->data[r * width + k] = x[from + k * step];
    }
}

static void permute(const ag_node *node, ag_real *dx)
{
    permute_job j = {node, dx};
    const ag_shape *s = &node->out->shape;
    if (s->rank == 0) {
        if (dx)
            dx[0] += node->out->grad[0];
        else
            node->out->data[0] = node->in[0]->data[0];
        return;
    }
    int64_t width = s->dim[s->rank - 1];
    agk_parallel(ag_numel(s) / width, 8192 / width + 1, some_rows, &j);
}

static void permute_forward(ag_node *node)
{
    permute(node, NULL);
}

static void permute_backward(const ag_node *node)
{
    ag_real *dx = ag_grad(node->in[0]);
    if (dx)
        permute(node, dx);
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
    int i = x ? ag_axis_index(&x->shape, axis0) : 0, j = x ? ag_axis_index(&x->shape, axis1) : 0;
    if (i < 0 || j < 0)
        return ag_fail(x->tape, "transpose: axes %d and %d of %s: out of range", axis0, axis1, AG_STR(&x->shape));
    order.axis[i] = j;
    order.axis[j] = i;
    return ag_permute(x, order);
}
