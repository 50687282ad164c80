/* cross_entropy_loss: softmax cross entropy of logits and class numbers. */
#include <string.h>

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/pool.h"
#include "autograd/op.h"
#include "autograd/ops.h"

/* Logits (N, C), target (N). Saved: the log of the softmax (N, C), then the target as it was when it was checked. */
static bool cross_entropy_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape, *t = &node->in[1]->shape;
    ag_reduction    reduction = *(const ag_reduction *)node->attr;
    if (x->rank != 2 || t->rank != 1 || t->dim[0] != x->dim[0])
        return ag_op_fail(node, "logits %s and target %s, expected (N, C, ...) and (N, ...)", AG_STR(x), AG_STR(t));
    if (reduction != AG_MEAN && reduction != AG_SUM && reduction != AG_NONE)
        return ag_op_fail(node, "reduction is %d, expected AG_MEAN, AG_SUM or AG_NONE", (int)reduction);
    for (int64_t i = 0; i < t->dim[0]; i++) {
        ag_real c = node->in[1]->data[i];
        if (!(c >= 0 && c < (ag_real)x->dim[1] && c == (ag_real)(int64_t)c))
            return ag_op_fail(node, "target %lld is %g, expected a whole number from 0 to %lld", (long long)i,
                              (double)c, (long long)x->dim[1] - 1);
    }
    node->out->shape = reduction == AG_NONE ? *t : AG_SCALAR;
    ag_real *saved = ag_op_save(node, ag_numel(x) + t->dim[0]);
    if (saved)
        memcpy(saved + ag_numel(x), node->in[1]->data, (size_t)t->dim[0] * sizeof *saved);
    return saved != NULL;
}

static void log_softmax_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    int64_t        n = node->in[0]->shape.dim[1];
    agk()->log_softmax(end - begin, n, node->in[0]->data + begin * n, (ag_real *)node->saved + begin * n);
}

static void cross_entropy_forward(ag_node *node)
{
    int64_t        rows = node->in[0]->shape.dim[0], classes = node->in[0]->shape.dim[1];
    ag_reduction   reduction = *(const ag_reduction *)node->attr;
    const ag_real *log_p = node->saved, *target = log_p + rows * classes;
    agk_parallel(rows, 2048 / classes + 1, log_softmax_rows, node);
    double total = 0;
    for (int64_t r = 0; r < rows; r++) {
        ag_real loss = -log_p[r * classes + (int64_t)target[r]];
        if (reduction == AG_NONE)
            node->out->data[r] = loss;
        total += (double)loss;
    }
    if (reduction != AG_NONE)
        node->out->data[0] = (ag_real)(reduction == AG_MEAN ? total / (double)rows : total);
}

/* dx = g (softmax - one at the target): the backward of log_softmax for a gradient of -g at the target. */
static void cross_entropy_backward(const ag_node *node)
{
    int64_t        rows = node->in[0]->shape.dim[0], classes = node->in[0]->shape.dim[1];
    ag_reduction   reduction = *(const ag_reduction *)node->attr;
    const ag_real *log_p = node->saved, *target = log_p + rows * classes, *g = node->out->grad;
    ag_real       *dx = ag_grad(node->in[0]);
    for (int64_t r = 0; dx && r < rows; r++) {
        ag_real  weight = reduction == AG_NONE ? g[r] : reduction == AG_MEAN ? g[0] / (ag_real)rows : g[0];
        ag_real *row = dx + r * classes;
        agk()->add_exp_scaled(classes, weight, log_p + r * classes, row);
        row[(int64_t)target[r]] -= weight;
    }
}

static const ag_op cross_entropy_op = {"cross_entropy_loss", cross_entropy_shape, cross_entropy_forward,
                                       cross_entropy_backward};

/* Further axes become rows: (N, C, d) to (N d, C). */
static ag_tensor *classes_last(ag_tensor *x)
{
    ag_axes order = {x->shape.rank, {0}};
    if (x->shape.rank < 3) /* poison */
        return x;
    for (int i = 2; i < x->shape.rank; i++)
        order.axis[i - 1] = i;
    order.axis[x->shape.rank - 1] = 1;
    return ag_reshape(ag_permute(x, order), AG_SHAPE(-1, x->shape.dim[1]));
}

ag_tensor *ag_cross_entropy_loss(ag_tensor *logits, ag_tensor *target, ag_reduction reduction)
{
    bool deep = logits && target && logits->shape.rank > 2 && target->shape.rank == logits->shape.rank - 1;
    if (!deep) {
        ag_tensor *in[] = {logits, target};
        return ag_apply(&cross_entropy_op, 2, in, &reduction, sizeof reduction);
    }
    ag_tape *tape = logits->tape ? logits->tape : target->tape;
    ag_shape expected = logits->shape;
    for (int i = 1; i < target->shape.rank; i++)
        expected.dim[i] = logits->shape.dim[i + 1];
    expected.rank--;
    if (!ag_shape_equal(&expected, &target->shape))
        return ag_fail(tape, "cross_entropy_loss: logits %s and target %s, expected (N, C, ...) and (N, ...)",
                       AG_STR(&logits->shape), AG_STR(&target->shape));
    ag_tensor *in[] = {classes_last(ag_on_tape(tape, logits)), ag_reshape(ag_on_tape(tape, target), AG_SHAPE(-1))};
    ag_tensor *loss = ag_apply(&cross_entropy_op, 2, in, &reduction, sizeof reduction);
    return reduction == AG_NONE ? ag_reshape(loss, expected) : loss;
}
