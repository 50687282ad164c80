/* max_pool2d. Saved: where in its plane each output was found. */
#include "autograd/ops/pool_internal.h"
#include "autograd/ops/written_internal.h"

static bool max_pool2d_shape(ag_node *node)
{
    const agk_pool *p = &((const ag__pool_plan *)node->attr)->p;
    if (!ag__pool_shape(node))
        return false;
    if (p->in[0] * p->in[1] > INT32_MAX)
        return ag_op_fail(node, "input %s has more than %d pixels", AG_STR(&node->in[0]->shape), INT32_MAX);
    return ag_op_save(node, ag__pool_groups(node) * AGK_LANES * p->out[0] * p->out[1]);
}

static void forward_groups(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    for (int64_t i = begin, in, out; i < end; i++) {
        const int64_t planes = ag__pool_group(node, i, &in, &out);
        agk()->max_planes(planes, &((const ag__pool_plan *)node->attr)->p, node->in[0]->data + in,
                          node->out->data + out, (int32_t *)node->saved + out);
    }
}

static void backward_groups(void *context, int64_t begin, int64_t end)
{
    const ag__pool_gradient *j = context;
    for (int64_t i = begin, in, out; i < end; i++) {
        const int64_t planes = ag__pool_group(j->node, i, &in, &out);
        agk()->max_planes_backward(planes, &((const ag__pool_plan *)j->node->attr)->p,
                                   (const int32_t *)j->node->saved + out, j->node->out->grad + out, j->dx.add,
                                   j->dx.data + in);
    }
}

static void max_pool2d_forward(ag_node *node)
{
    ag__pool_each_group(node, forward_groups, node);
}

static void max_pool2d_backward(const ag_node *node)
{
    ag__pool_gradient j = {node, ag_grad_open(node->in[0])};
    if (j.dx.data)
        ag__pool_each_group(node, backward_groups, &j);
}

const ag_op ag__max_pool2d_op = {"max_pool2d", max_pool2d_shape, max_pool2d_forward, max_pool2d_backward};

ag_tensor *ag_max_pool2d(ag_tensor *x, ag_pool_options options)
{
    ag__pool_plan plan = {.o = options};
    return ag_apply(&ag__max_pool2d_op, 1, &x, &plan, sizeof plan);
}
