/* where and masked_fill: one of two tensors, element by element. */
#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/broadcast_internal.h"

#define GRAIN 8192

/* Inputs: condition, a, b, of one shape. */
static bool where_shape(ag_node *node)
{
    node->out->shape = node->in[0]->shape;
    return true;
}

static void where_part(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    agk()->select(end - begin, node->in[0]->data + begin, node->in[1]->data + begin, node->in[2]->data + begin,
                  node->out->data + begin);
}

static void where_forward(ag_node *node)
{
    agk_parallel(ag_numel(&node->out->shape), GRAIN, where_part, node);
}

typedef struct where_gradient {
    const ag_node *node;
    bool           of_a;
    ag_grad_target d;
} where_gradient;

static void where_backward_part(void *context, int64_t begin, int64_t end)
{
    const where_gradient *w = context;
    agk()->select_gradient(end - begin, w->node->in[0]->data + begin, w->of_a, w->node->out->grad + begin, w->d.add,
                           w->d.data + begin);
}

static void where_backward(const ag_node *node)
{
    for (int i = 1; i <= 2; i++) {
        where_gradient w = {node, i == 1, ag_grad_open(node->in[i])};
        if (w.d.data)
            agk_parallel(ag_numel(&node->out->shape), GRAIN, where_backward_part, &w);
    }
}

static const ag_op where_op = {"where", where_shape, where_forward, where_backward};

static bool common_shape(const ag_shape *a, const ag_shape *b, ag_shape *common)
{
    ag_broadcast plan;
    if (!ag__broadcast_plan(a, b, &plan))
        return false;
    *common = plan.shape;
    return true;
}

ag_tensor *ag_where(ag_tensor *condition, ag_tensor *a, ag_tensor *b)
{
    ag_tensor *in[] = {condition, a, b};
    ag_tape   *tape = NULL;
    ag_shape   shape = AG_SCALAR;
    bool       fits = true;
    for (int i = 0; i < 3; i++) {
        if (!in[i])
            return ag_apply(&where_op, 3, in, NULL, 0); /* which says so on the others' tape */
        tape = in[i]->tape ? in[i]->tape : tape;
        fits = fits && common_shape(&shape, &in[i]->shape, &shape);
    }
    if (!fits)
        return ag_fail(tape, "where: shapes %s, %s and %s do not broadcast", AG_STR(&condition->shape),
                       AG_STR(&a->shape), AG_STR(&b->shape));
    for (int i = 0; i < 3; i++)
        if (!ag_shape_equal(&in[i]->shape, &shape))
            in[i] = ag_expand(ag_on_tape(tape, in[i]), shape);
    return ag_apply(&where_op, 3, in, NULL, 0);
}

ag_tensor *ag_masked_fill(ag_tensor *x, ag_tensor *mask, double value)
{
    ag_tape *tape = x && x->tape ? x->tape : mask ? mask->tape : NULL;
    return ag_where(mask, ag_scalar(tape, value), x);
}
