/* cross_entropy_loss: softmax cross entropy of logits and class numbers. */
#include <string.h>

#include "autograd/kernels/copy.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/index_internal.h"
#include "autograd/ops/reduction_internal.h"

/* Logits (N, C, ...), target (N, ...): (outer, classes, inner) and (outer, inner). */
typedef struct cross_entropy_plan {
    ag_reduction reduction;
    int64_t      outer, classes, inner;
} cross_entropy_plan;

/* Saved: the log of the softmax, then the target as it was when it was checked. */
static bool cross_entropy_shape(ag_node *node)
{
    const ag_shape     *x = &node->in[0]->shape, *t = &node->in[1]->shape;
    cross_entropy_plan *p = node->attr;
    ag_shape            expected = *x;
    for (int i = 2; i < x->rank; i++)
        expected.dim[i - 1] = x->dim[i];
    expected.rank--;
    if (x->rank < 2 || !ag_shape_equal(t, &expected))
        return ag_op_fail(node, "logits %s and target %s, expected (N, C, ...) and (N, ...)", AG_STR(x), AG_STR(t));
    if (!ag__is_reduction(p->reduction))
        return ag_op_fail(node, AG__REDUCTIONS, (int)p->reduction);
    p->outer = x->dim[0];
    p->classes = x->dim[1];
    p->inner = ag_numel(x) / (p->outer * p->classes);
    if (!ag__places_valid(node, node->in[1], "target", p->classes))
        return false;
    node->out->shape = p->reduction == AG_NONE ? *t : AG_SCALAR;
    ag_real *saved = ag_op_save(node, ag_numel(x) + ag_numel(t));
    if (saved)
        memcpy(saved + ag_numel(x), node->in[1]->data, (size_t)ag_numel(t) * sizeof *saved);
    return saved != NULL;
}

static const ag_real *saved_target(const ag_node *node)
{
    return (const ag_real *)node->saved + ag_numel(&node->in[0]->shape);
}

/* The logit of the target at pixel i of example n. */
static int64_t place_of(const cross_entropy_plan *p, const ag_real *target, int64_t n, int64_t i)
{
    return (n * p->classes + (int64_t)target[n * p->inner + i]) * p->inner + i;
}

static void log_softmax_some(void *context, int64_t begin, int64_t end)
{
    const ag_node            *node = context;
    const cross_entropy_plan *p = node->attr;
    const int64_t             size = p->classes * p->inner;
    const ag_real            *x = node->in[0]->data;
    ag_real                  *log_p = node->saved;
    if (p->inner == 1)
        agk()->log_softmax(end - begin, p->classes, x + begin * size, log_p + begin * size);
    for (int64_t n = begin; p->inner > 1 && n < end; n++)
        agk()->log_softmax_columns(p->classes, p->inner, p->inner, x + n * size, log_p + n * size);
}

static void cross_entropy_forward(ag_node *node)
{
    const cross_entropy_plan *p = node->attr;
    const ag_real            *log_p = node->saved, *target = saved_target(node);
    const int64_t             count = p->outer * p->inner;
    agk_parallel(p->outer, 2048 / (p->classes * p->inner) + 1, log_softmax_some, node);
    double total = 0;
    for (int64_t n = 0; n < p->outer; n++)
        for (int64_t i = 0; i < p->inner; i++) {
            const ag_real loss = -log_p[place_of(p, target, n, i)];
            if (p->reduction == AG_NONE)
                node->out->data[n * p->inner + i] = loss;
            total += (double)loss;
        }
    if (p->reduction != AG_NONE)
        node->out->data[0] = (ag_real)(p->reduction == AG_MEAN ? total / (double)count : total);
}

typedef struct gradient {
    const ag_node *node;
    ag_real        weight; /* of every example, unless each has its own */
    ag_grad_target dx;
} gradient;

/* dx = g (softmax - one at the target) of some examples: exp(log_p) times their weight, or the one that each place has.
 */
static void examples_backward(const gradient *j, int64_t begin, int64_t end)
{
    const cross_entropy_plan *p = j->node->attr;
    const ag_real            *log_p = j->node->saved, *target = saved_target(j->node), *g = j->node->out->grad;
    const int64_t             size = p->classes * p->inner;
    const bool                alike = p->reduction != AG_NONE;
    if (!j->dx.add)
        agk_zero_rows(1, (end - begin) * size, j->dx.data + begin * size, 0);
    if (alike)
        agk()->add_exp_scaled((end - begin) * size, j->weight, log_p + begin * size, j->dx.data + begin * size);
    for (int64_t n = begin; !alike && n < end; n++)
        for (int64_t at = n * size; at < (n + 1) * size; at += p->inner)
            agk()->add_exp_product(p->inner, g + n * p->inner, log_p + at, j->dx.data + at);
    for (int64_t n = begin; n < end; n++)
        for (int64_t i = 0; i < p->inner; i++)
            j->dx.data[place_of(p, target, n, i)] -= alike ? j->weight : g[n * p->inner + i];
}

/* By as many examples as the first cache has room for. */
static void backward_some(void *context, int64_t begin, int64_t end)
{
    const gradient           *j = context;
    const cross_entropy_plan *p = j->node->attr;
    const int64_t             most = AGK_ZEROED / (p->classes * p->inner) + 1;
    for (; begin < end; begin += most)
        examples_backward(j, begin, end - begin < most ? end : begin + most);
}

static void cross_entropy_backward(const ag_node *node)
{
    const cross_entropy_plan *p = node->attr;
    const ag_real             g = node->out->grad[0], count = (ag_real)(p->outer * p->inner);
    gradient                  j = {node, p->reduction == AG_MEAN ? g / count : g, ag_grad_open(node->in[0])};
    if (j.dx.data)
        agk_parallel(p->outer, 2048 / (p->classes * p->inner) + 1, backward_some, &j);
}

static const ag_op cross_entropy_op = {"cross_entropy_loss", cross_entropy_shape, cross_entropy_forward,
                                       cross_entropy_backward};

ag_tensor *ag_cross_entropy_loss(ag_tensor *logits, ag_tensor *target, ag_reduction reduction)
{
    ag_tensor         *in[] = {logits, target};
    cross_entropy_plan p = {.reduction = reduction};
    return ag_apply(&cross_entropy_op, 2, in, &p, sizeof p);
}
