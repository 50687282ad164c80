/* softmax, log_softmax, logsumexp: along the last axis; another axis is brought there first. */
#include "autograd/kernels/kernels.h"
#include "autograd/kernels/pool.h"
#include "autograd/op.h"
#include "autograd/ops.h"

static int64_t width_of(const ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    return x->dim[x->rank - 1];
}

static void for_rows(const ag_node *node, agk_body *body, void *context)
{
    int64_t n = width_of(node);
    agk_parallel(ag_numel(&node->in[0]->shape) / n, 2048 / n + 1, body, context);
}

static bool same_shape(ag_node *node)
{
    node->out->shape = node->in[0]->shape;
    return true;
}

typedef struct rows_job {
    const ag_node *node;
    ag_real       *dx;
} rows_job;

/* ---- softmax. ---- */

static void softmax_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    int64_t n = width_of(node);
    agk()->softmax(end - begin, n, node->in[0]->data + begin * n, node->out->data + begin * n);
}

static void softmax_forward(ag_node *node)
{
    for_rows(node, softmax_rows, node);
}

static void softmax_backward_rows(void *context, int64_t begin, int64_t end)
{
    const rows_job *j = context;
    int64_t at = begin * width_of(j->node);
    agk()->softmax_backward(end - begin, width_of(j->node), j->node->out->data + at, j->node->out->grad + at,
                            j->dx + at);
}

static void softmax_backward(const ag_node *node)
{
    rows_job j = {node, ag_grad(node->in[0])};
    if (j.dx)
        for_rows(node, softmax_backward_rows, &j);
}

static const ag_op softmax_op = {"softmax", same_shape, softmax_forward, softmax_backward};

/* ---- log_softmax. ---- */

static void log_softmax_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    int64_t n = width_of(node);
    agk()->log_softmax(end - begin, n, node->in[0]->data + begin * n, node->out->data + begin * n);
}

static void log_softmax_forward(ag_node *node)
{
    for_rows(node, log_softmax_rows, node);
}

static void log_softmax_backward_rows(void *context, int64_t begin, int64_t end)
{
    const rows_job *j = context;
    int64_t at = begin * width_of(j->node);
    agk()->log_softmax_backward(end - begin, width_of(j->node), j->node->out->data + at, j->node->out->grad + at,
                                j->dx + at);
}

static void log_softmax_backward(const ag_node *node)
{
    rows_job j = {node, ag_grad(node->in[0])};
    if (j.dx)
        for_rows(node, log_softmax_backward_rows, &j);
}

static const ag_op log_softmax_op = {"log_softmax", same_shape, log_softmax_forward, log_softmax_backward};

/* ---- logsumexp. Saved: the softmax of the input, which is its derivative. ---- */

static bool logsumexp_shape(ag_node *node)
{
    node->out->shape = node->in[0]->shape;
    node->out->shape.rank--;
    return ag_op_save(node, ag_numel(&node->in[0]->shape));
}

static void logsumexp_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    int64_t n = width_of(node);
    agk()->logsumexp(end - begin, n, node->in[0]->data + begin * n, node->out->data + begin);
    agk()->softmax(end - begin, n, node->in[0]->data + begin * n, (ag_real *)node->saved + begin * n);
}

static void logsumexp_forward(ag_node *node)
{
    for_rows(node, logsumexp_rows, node);
}

static void logsumexp_backward(const ag_node *node)
{
    int64_t n = width_of(node), rows = ag_numel(&node->out->shape);
    const ag_real *p = node->saved;
    ag_real *dx = ag_grad(node->in[0]);
    for (int64_t r = 0; dx && r < rows; r++)
        agk()->add_scaled(n, node->out->grad[r], p + r * n, dx + r * n);
}

static const ag_op logsumexp_op = {"logsumexp", logsumexp_shape, logsumexp_forward, logsumexp_backward};

/* ---- Entries. ---- */

/* The index of the axis, or -1 with the error recorded. */
static int checked_axis(const char *name, ag_tensor *x, int axis)
{
    int index = x ? ag_axis_index(&x->shape, axis) : -1;
    if (index < 0)
        ag_fail(x ? x->tape : NULL, "%s: %s has no axis %d", name, x ? AG_STR(&x->shape) : "NULL", axis);
    return index;
}

static ag_tensor *along(const ag_op *op, ag_tensor *x, int axis)
{
    int index = checked_axis(op->name, x, axis);
    if (index < 0 || index == x->shape.rank - 1)
        return ag_apply(op, 1, &x, NULL, 0);
    ag_tensor *last = ag_transpose(x, index, -1);
    return ag_transpose(ag_apply(op, 1, &last, NULL, 0), index, -1);
}

ag_tensor *ag_softmax(ag_tensor *x, int axis)
{
    return along(&softmax_op, x, axis);
}

ag_tensor *ag_log_softmax(ag_tensor *x, int axis)
{
    return along(&log_softmax_op, x, axis);
}

ag_tensor *ag_logsumexp(ag_tensor *x, int axis)
{
    int index = checked_axis("logsumexp", x, axis);
    if (index < 0 || index == x->shape.rank - 1)
        return ag_apply(&logsumexp_op, 1, &x, NULL, 0);
    /* Bring the axis to the end with the order of the others kept. */
    ag_axes order = {x->shape.rank, {0}};
    for (int i = 0, to = 0; i < x->shape.rank; i++)
        if (i != index)
            order.axis[to++] = i;
    order.axis[x->shape.rank - 1] = index;
    ag_tensor *last = ag_permute(x, order);
    return ag_apply(&logsumexp_op, 1, &last, NULL, 0);
}
