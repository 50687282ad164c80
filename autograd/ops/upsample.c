/* upsample_nearest2d: each pixel repeated. */
#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"

static bool upsample_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    const int64_t  *factor = node->attr, most = 1 << 24;
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

typedef struct rows_job {
    const ag_node *node;
    ag_real       *dx;
} rows_job;

static void forward_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    const int64_t *factor = node->attr, width = node->in[0]->shape.dim[3], size = factor[0] * factor[1] * width;
    agk()->repeat(end - begin, width, factor[0], factor[1], node->in[0]->data + begin * width,
                  node->out->data + begin * size);
}

static void backward_rows(void *context, int64_t begin, int64_t end)
{
    const rows_job *j = context;
    const int64_t  *factor = j->node->attr, width = j->node->in[0]->shape.dim[3], size = factor[0] * factor[1] * width;
    agk()->repeat_backward(end - begin, width, factor[0], factor[1], j->node->out->grad + begin * size,
                           j->dx + begin * width);
}

static void for_rows(const ag_node *node, agk_body *body, void *context)
{
    const int64_t *in = node->in[0]->shape.dim, *factor = node->attr;
    agk_parallel(in[0] * in[1] * in[2], 8192 / (in[3] * factor[0] * factor[1]) + 1, body, context);
}

static void upsample_forward(ag_node *node)
{
    for_rows(node, forward_rows, node);
}

static void upsample_backward(const ag_node *node)
{
    rows_job j = {node, ag_grad(node->in[0])};
    if (j.dx)
        for_rows(node, backward_rows, &j);
}

static const ag_op upsample_op = {"upsample_nearest2d", upsample_shape, upsample_forward, upsample_backward};

ag_tensor *ag_upsample_nearest2d(ag_tensor *x, int64_t vertical, int64_t horizontal)
{
    int64_t factor[] = {vertical, horizontal};
    return ag_apply(&upsample_op, 1, &x, factor, sizeof factor);
}
