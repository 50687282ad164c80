/* BatchNorm1d, BatchNorm2d, LayerNorm. */
#include <inttypes.h>
#include <stdio.h>

#include "autograd/ops.h"
#include "nn/init.h"
#include "nn/layers.h"

#define EPS      1e-5
#define MOMENTUM 0.1

typedef struct norm {
    nn_module  base;
    ag_tensor *weight, *bias;
    ag_tensor *running_mean, *running_var, *num_batches_tracked; /* BatchNorm only */
    int        rank_least, rank_most;                            /* of the input */
} norm;

static void norm_reset(nn_module *m, ag_rng *rng)
{
    norm *n = (norm *)m;
    (void)rng;
    nn_init_constant(n->weight, 1);
    nn_init_constant(n->bias, 0);
    nn_init_constant(n->running_mean, 0);
    nn_init_constant(n->running_var, 1);
    nn_init_constant(n->num_batches_tracked, 0);
}

static void describe(const nn_module *m, char *text, size_t size)
{
    snprintf(text, size, "%" PRId64, ag_numel(&((const norm *)m)->weight->shape));
}

static ag_tensor *batch_norm_forward(nn_module *m, ag_tensor *x)
{
    norm *n = (norm *)m;
    if (x->shape.rank < n->rank_least || x->shape.rank > n->rank_most)
        return ag_fail(x->tape, "%s: input %s, expected %d%s dimensions", m->type->name, AG_STR(&x->shape), n->rank_least,
                       n->rank_most > n->rank_least ? " or 3" : "");
    ag_tensor *y = ag_batch_norm(x, n->weight, n->bias, n->running_mean, n->running_var, MOMENTUM, EPS);
    if (!ag_tensor_error(y) && ag_is_training(y->tape))
        n->num_batches_tracked->data[0] += 1;
    return y;
}

static ag_tensor *layer_norm_forward(nn_module *m, ag_tensor *x)
{
    norm *n = (norm *)m;
    return ag_layer_norm(x, n->weight, n->bias, EPS);
}

static const nn_type batch_norm1d_type = {"BatchNorm1d", sizeof(norm), batch_norm_forward, norm_reset, describe};
static const nn_type batch_norm2d_type = {"BatchNorm2d", sizeof(norm), batch_norm_forward, norm_reset, describe};
static const nn_type layer_norm_type = {"LayerNorm", sizeof(norm), layer_norm_forward, norm_reset, describe};

static nn_module *batch_norm_new(const nn_type *type, int64_t channels, int rank_least, int rank_most)
{
    if (channels < 1)
        return nn_failed(type->name, "%" PRId64 " channels, expected at least 1", channels);
    norm *n = nn_new(type);
    if (!n)
        return nn_failed(type->name, "out of memory");
    n->rank_least = rank_least;
    n->rank_most = rank_most;
    NN_PARAMETER(n, weight, AG_SHAPE(channels));
    NN_PARAMETER(n, bias, AG_SHAPE(channels));
    NN_BUFFER(n, running_mean, AG_SHAPE(channels));
    NN_BUFFER(n, running_var, AG_SHAPE(channels));
    NN_COUNT(n, num_batches_tracked);
    return &n->base;
}

nn_module *nn_batch_norm1d(int64_t channels)
{
    return batch_norm_new(&batch_norm1d_type, channels, 2, 3);
}

nn_module *nn_batch_norm2d(int64_t channels)
{
    return batch_norm_new(&batch_norm2d_type, channels, 4, 4);
}

nn_module *nn_layer_norm(ag_shape shape)
{
    if (shape.rank < 1 || ag_numel(&shape) < 0)
        return nn_failed("LayerNorm", "%s: expected the last dimensions of the input", AG_STR(&shape));
    norm *n = nn_new(&layer_norm_type);
    if (!n)
        return nn_failed("LayerNorm", "out of memory");
    NN_PARAMETER(n, weight, shape);
    NN_PARAMETER(n, bias, shape);
    return &n->base;
}
