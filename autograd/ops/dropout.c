/* dropout: zeroes elements at random in training. Saved: the mask, 0 or 1 / (1 - p). */
#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/written_internal.h"

#define GRAIN 16384

static bool dropout_shape(ag_node *node)
{
    double     p = *(const double *)node->attr;
    ag_tensor *x = node->in[0];
    if (!(p >= 0 && p <= 1))
        return ag_op_fail(node, "probability is %g, expected 0 to 1", p);
    node->out->shape = x->shape;
    if (p > 0 && ag_is_training(node->out->tape))
        return ag_op_save(node, ag_numel(&x->shape));
    node->out->data = x->data;
    return true;
}

static void dropout_part(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    const ag_real *mask = node->saved;
    agk()->binary(AGK_BINARY_mul, 1, end - begin, (agk_operand){node->in[0]->data + begin, 1, 0},
                  (agk_operand){mask + begin, 1, 0}, node->out->data + begin, 0);
}

static void dropout_forward(ag_node *node)
{
    double  keep = 1 - *(const double *)node->attr;
    int64_t n = ag_numel(&node->out->shape);
    if (!node->saved)
        return;
    ag_rng_bernoulli(ag_tape_rng(node->out->tape), n, (ag_real)keep, keep > 0 ? (ag_real)(1 / keep) : 0, node->saved);
    agk_parallel(n, GRAIN, dropout_part, node);
}

static void dropout_backward(const ag_node *node)
{
    if (!node->saved) {
        ag_grad_add(node->in[0], node->out->grad);
        return;
    }
    ag_real *dx = ag_grad(node->in[0]);
    if (dx)
        agk()->add_product(ag_numel(&node->out->shape), node->out->grad, node->saved, dx);
}

const ag_op ag__dropout_op = {"dropout", dropout_shape, dropout_forward, dropout_backward};

ag_tensor *ag_dropout(ag_tensor *x, double p)
{
    return ag_apply(&ag__dropout_op, 1, &x, &p, sizeof p);
}
