/* The elementwise losses: the LOSS lines of elementwise.def, reduced without keeping the elements. */
#include "autograd/kernels/chunks.h"
#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/reduction_internal.h"

#define GRAIN 4096

static const ag_op loss_ops[AGK_LOSS_COUNT];

static int loss_index(const ag_node *node)
{
    return (int)(node->op - loss_ops);
}

static ag_reduction reduction_of(const ag_node *node)
{
    return *(const ag_reduction *)node->attr;
}

static bool loss_shape(ag_node *node)
{
    const ag_shape *a = &node->in[0]->shape, *b = &node->in[1]->shape;
    ag_reduction    reduction = reduction_of(node);
    if (!ag_shape_equal(a, b))
        return ag_op_fail(node, "input %s and target %s differ in shape", AG_STR(a), AG_STR(b));
    if (!ag__is_reduction(reduction))
        return ag_op_fail(node, AG__REDUCTIONS, (int)reduction);
    node->out->shape = reduction == AG_NONE ? *a : AG_SCALAR;
    return reduction == AG_NONE || ag_op_save(node, agk_chunks(ag_numel(a)));
}

static ag_real loss_partial(const void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    return agk()->loss_sum(loss_index(node), end - begin, node->in[0]->data + begin, node->in[1]->data + begin);
}

static void loss_part(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    agk()->loss(loss_index(node), end - begin, node->in[0]->data + begin, node->in[1]->data + begin,
                node->out->data + begin);
}

static void loss_forward(ag_node *node)
{
    int64_t n = ag_numel(&node->in[0]->shape);
    if (reduction_of(node) == AG_NONE) {
        agk_parallel(n, GRAIN, loss_part, node);
        return;
    }
    ag_real sum = agk_sum_chunks(n, loss_partial, node, node->saved);
    node->out->data[0] = reduction_of(node) == AG_MEAN ? sum / (ag_real)n : sum;
}

typedef struct loss_gradient {
    const ag_node *node;
    int            which;
    ag_real        weight;
    ag_grad_target d;
} loss_gradient;

static void loss_backward_part(void *context, int64_t begin, int64_t end)
{
    const loss_gradient *l = context;
    const ag_node       *node = l->node;
    int                  sg = reduction_of(node) == AG_NONE;
    const ag_real       *a = node->in[0]->data + begin, *b = node->in[1]->data + begin;
    const ag_real       *g = node->out->grad + begin * sg;
    if (l->which == 0)
        agk()->loss_backward_a(loss_index(node), end - begin, a, b, g, sg, l->weight, l->d.add, l->d.data + begin);
    else
        agk()->loss_backward_b(loss_index(node), end - begin, a, b, g, sg, l->weight, l->d.add, l->d.data + begin);
}

static void loss_backward(const ag_node *node)
{
    int64_t n = ag_numel(&node->in[0]->shape);
    ag_real weight = reduction_of(node) == AG_MEAN ? 1 / (ag_real)n : 1;
    for (int which = 0; which < 2; which++) {
        loss_gradient l = {node, which, weight, ag_grad_open(node->in[which])};
        if (l.d.data)
            agk_parallel(n, GRAIN, loss_backward_part, &l);
    }
}

static const ag_op loss_ops[AGK_LOSS_COUNT] = {
#define LOSS(name, domain, y, da, db) {#name "_loss", loss_shape, loss_forward, loss_backward},
#include "autograd/kernels/elementwise.def"
};

static ag_tensor *loss(int op, ag_tensor *a, ag_tensor *b, ag_reduction reduction)
{
    ag_tensor *in[] = {a, b};
    return ag_apply(&loss_ops[op], 2, in, &reduction, sizeof reduction);
}

#define LOSS(name, domain, y, da, db)                                                                                  \
    ag_tensor *ag_##name##_loss(ag_tensor *a, ag_tensor *b, ag_reduction reduction)                                    \
    {                                                                                                                  \
        return loss(AGK_LOSS_##name, a, b, reduction);                                                                 \
    }
#include "autograd/kernels/elementwise.def"
