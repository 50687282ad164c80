/* Shapes of poolings. */
#include "autograd/kernels/threadpool.h"
#include "autograd/ops/pool_internal.h"

static bool options_complete(ag_node *node, ag_pool_options *o)
{
    const int64_t most = 1 << 24;
    for (int i = 0; i < 2; i++) {
        o->stride[i] = o->stride[i] ? o->stride[i] : o->kernel[i];
        o->dilation[i] = o->dilation[i] ? o->dilation[i] : 1;
        if (o->kernel[i] < 1 || o->stride[i] < 1 || o->dilation[i] < 1 || o->kernel[i] > most || o->stride[i] > most ||
            o->dilation[i] > most)
            return ag_op_fail(node, "kernel %lld, stride %lld, dilation %lld: expected 1 to %lld",
                              (long long)o->kernel[i], (long long)o->stride[i], (long long)o->dilation[i],
                              (long long)most);
        if (o->padding[i] < 0 || o->padding[i] > o->kernel[i] / 2)
            return ag_op_fail(node, "padding %lld, expected at most half the kernel of %lld", (long long)o->padding[i],
                              (long long)o->kernel[i]);
    }
    return true;
}

/* With ceil_mode the last window must begin inside the input or its left padding. */
static int64_t output_size(const ag_pool_options *o, int axis, int64_t in)
{
    int64_t positions = in + 2 * o->padding[axis] - o->dilation[axis] * (o->kernel[axis] - 1) - 1, s = o->stride[axis];
    positions += o->ceil_mode ? s - 1 : 0;
    if (positions < 0)
        return 0;
    int64_t out = positions / s + 1;
    return o->ceil_mode && (out - 1) * s >= in + o->padding[axis] ? out - 1 : out;
}

/* Windows of one size, side by side, where the input's size is a multiple of the output's. */
static bool adaptive_is_even(const agk_pool *p)
{
    return p->out[0] * p->out[1] > 1 && p->in[0] % p->out[0] == 0 && p->in[1] % p->out[1] == 0;
}

bool ag__pool_shape(ag_node *node)
{
    ag__pool_plan   *plan = node->attr;
    agk_pool        *p = &plan->p;
    ag_pool_options *o = &plan->o;
    const ag_shape  *x = &node->in[0]->shape;
    if (x->rank != 4)
        return ag_op_fail(node, "input %s, expected four dimensions (N, C, H, W)", AG_STR(x));
    if (!plan->adaptive && !options_complete(node, o))
        return false;
    for (int i = 0; i < 2; i++) {
        p->in[i] = x->dim[2 + i];
        if (!plan->adaptive)
            p->out[i] = output_size(o, i, p->in[i]);
        if (p->out[i] < 1 && plan->adaptive)
            return ag_op_fail(node, "a result of %lld x %lld, expected at least 1 x 1", (long long)p->out[0],
                              (long long)p->out[1]);
        if (p->out[i] < 1)
            return ag_op_fail(node, "input %s is smaller than the window of %lld x %lld%s", AG_STR(x),
                              (long long)o->kernel[0], (long long)o->kernel[1],
                              o->dilation[0] > 1 || o->dilation[1] > 1 ? ", dilated" : "");
    }
    node->out->shape = AG_SHAPE(x->dim[0], x->dim[1], p->out[0], p->out[1]);
    if (ag_numel(&node->out->shape) < 0)
        return ag_op_fail(node, "the result's shape %s is too large", AG_STR(&node->out->shape));
    for (int i = 0; i < 2; i++) {
        if (plan->adaptive && adaptive_is_even(p))
            o->kernel[i] = o->stride[i] = p->in[i] / p->out[i];
        p->kernel[i] = o->kernel[i];
        p->stride[i] = o->stride[i];
        p->padding[i] = o->padding[i];
        p->dilation[i] = o->dilation[i] ? o->dilation[i] : 1;
    }
    return true;
}

static int64_t planes_of(const ag_node *node)
{
    return node->out->shape.dim[0] * node->out->shape.dim[1];
}

int64_t ag__pool_groups(const ag_node *node)
{
    return (planes_of(node) + AGK_LANES - 1) / AGK_LANES;
}

void ag__pool_each_group(const ag_node *node, void (*body)(void *context, int64_t begin, int64_t end), void *context)
{
    const agk_pool *p = &((const ag__pool_plan *)node->attr)->p;
    agk_parallel(ag__pool_groups(node), 8192 / (p->in[0] * p->in[1] * AGK_LANES) + 1, body, context);
}

int64_t ag__pool_group(const ag_node *node, int64_t group, int64_t *in, int64_t *out)
{
    const agk_pool *p = &((const ag__pool_plan *)node->attr)->p;
    const int64_t   first = group * AGK_LANES, left = planes_of(node) - first;
    *in = first * p->in[0] * p->in[1];
    *out = first * p->out[0] * p->out[1];
    return left < AGK_LANES ? left : AGK_LANES;
}
