/* upsample_nearest2d: each pixel repeated. */
#include "autograd/op.h"
#include "autograd/ops.h"

static bool upsample_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    const int64_t *factor = node->attr, most = 1 << 24;
    if (x->rank != 4)
        return ag_op_fail(node, "input %s, expected four dimensions (N, C, H, W)", AG_STR(x));
    if (factor[0] < 1 || factor[1] < 1 || factor[0] > most || factor[1] > most)
        return ag_op_fail(node, "factors %lld and %lld, expected 1 to %lld", (long long)factor[0], (long long)factor[1],
                          (long long)most);
    node->out->shape = *x;
    node->out->shape.dim[2] *= factor[0];
    node->out->shape.dim[3] *= factor[1];
    return true;
}

static void upsample_forward(ag_node *node)
{
    const int64_t *factor = node->attr, *in = node->in[0]->shape.dim;
    ag_real *y = node->out->data;
    for (int64_t row = 0; row < in[0] * in[1] * in[2]; row++)
        for (int64_t i = 0; i < factor[0]; i++)
            for (int64_t k = 0; k < in[3] * factor[1]; k++)
                *y++ = node->in[0]->data[row * in[3] + k / factor[1]];
}

static void upsample_backward(const ag_node *node)
{
    const int64_t *factor = node->attr, *in = node->in[0]->shape.dim;
    const ag_real *g = node->out->grad;
    ag_real *dx = ag_grad(node->in[0]);
    for (int64_t row = 0; dx && row < in[0] * in[1] * in[2]; row++)
        for (int64_t i = 0; i < factor[0]; i++)
            for (int64_t k = 0; k < in[3] * factor[1]; k++)
                dx[row * in[3] + k / factor[1]] += *g++;
}

static const ag_op upsample_op = {"upsample_nearest2d", upsample_shape, upsample_forward, upsample_backward};

ag_tensor *ag_upsample_nearest2d(ag_tensor *x, int64_t vertical, int64_t horizontal)
{
    int64_t factor[] = {vertical, horizontal};
    return ag_apply(&upsample_op, 1, &x, factor, sizeof factor);
}
