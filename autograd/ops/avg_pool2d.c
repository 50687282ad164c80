/* avg_pool2d, adaptive_avg_pool2d. Saved: by how much each row of windows divides, and each column. */
#include "autograd/ops/pool_internal.h"

/* Positions that window i of an axis counts: all inside the input, and in the padding where that counts. */
static int64_t count_of(const ag__pool_plan *plan, int axis, int64_t i)
{
    const agk_pool *p = &plan->p;
    const int64_t   in = p->in[axis], out = p->out[axis], padding = p->padding[axis];
    if (plan->adaptive)
        return ((i + 1) * in + out - 1) / out - i * in / out;
    const int64_t start = i * p->stride[axis] - padding, stop = start + p->kernel[axis];
    const int64_t end = plan->o.exclude_pad ? in : in + padding;
    return (stop < end ? stop : end) - (plan->o.exclude_pad && start < 0 ? 0 : start);
}

static bool avg_pool2d_shape(ag_node *node)
{
    const ag__pool_plan *plan = node->attr;
    const int64_t       *out = plan->p.out;
    ag_real             *count = ag__pool_shape(node) ? ag_op_save(node, out[0] + out[1]) : NULL;
    for (int axis = 0; count && axis < 2; axis++)
        for (int64_t i = 0; i < out[axis]; i++)
            count[axis * out[0] + i] = (ag_real)count_of(plan, axis, i);
    return count != NULL;
}

static bool is_whole_plane(const agk_pool *p)
{
    return p->kernel[0] == 0 && p->out[0] * p->out[1] == 1;
}

static void forward_groups(void *context, int64_t begin, int64_t end)
{
    const ag_node  *node = context;
    const agk_pool *p = &((const ag__pool_plan *)node->attr)->p;
    const ag_real  *count = node->saved;
    const int64_t   size = p->in[0] * p->in[1];
    for (int64_t i = begin, in, out; i < end; i++) {
        const int64_t  planes = ag__pool_group(node, i, &in, &out);
        const ag_real *x = node->in[0]->data + in;
        ag_real       *y = node->out->data + out;
        if (!is_whole_plane(p)) {
            agk()->mean_planes(planes, p, count, count + p->out[0], x, y);
            continue;
        }
        agk()->sum_rows(planes, size, x, y);
        for (int64_t k = 0; k < planes; k++)
            y[k] /= (ag_real)size;
    }
}

static void backward_groups(void *context, int64_t begin, int64_t end)
{
    const ag__pool_gradient *j = context;
    const agk_pool          *p = &((const ag__pool_plan *)j->node->attr)->p;
    const ag_real           *count = j->node->saved;
    for (int64_t i = begin, in, out; i < end; i++) {
        const int64_t planes = ag__pool_group(j->node, i, &in, &out);
        agk()->mean_planes_backward(planes, p, count, count + p->out[0], j->node->out->grad + out, j->dx.add,
                                    j->dx.data + in);
    }
}

static void avg_pool2d_forward(ag_node *node)
{
    ag__pool_each_group(node, forward_groups, node);
}

static void avg_pool2d_backward(const ag_node *node)
{
    ag__pool_gradient j = {node, ag_grad_open(node->in[0])};
    if (j.dx.data)
        ag__pool_each_group(node, backward_groups, &j);
}

static const ag_op avg_pool2d_op = {"avg_pool2d", avg_pool2d_shape, avg_pool2d_forward, avg_pool2d_backward};
static const ag_op adaptive_avg_pool2d_op = {"adaptive_avg_pool2d", avg_pool2d_shape, avg_pool2d_forward,
                                             avg_pool2d_backward};

ag_tensor *ag_avg_pool2d(ag_tensor *x, ag_pool_options options)
{
    ag__pool_plan plan = {.o = options};
    plan.o.dilation[0] = plan.o.dilation[1] = 1;
    return ag_apply(&avg_pool2d_op, 1, &x, &plan, sizeof plan);
}

ag_tensor *ag_adaptive_avg_pool2d(ag_tensor *x, int64_t height, int64_t width)
{
    ag__pool_plan plan = {.adaptive = true, .p = {.out = {height, width}}};
    return ag_apply(&adaptive_avg_pool2d_op, 1, &x, &plan, sizeof plan);
}
