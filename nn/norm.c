/* BatchNorm1d, BatchNorm2d, LayerNorm, GroupNorm. */
#include <inttypes.h>
#include <math.h>

#include "autograd/ops.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "nn/module_internal.h"

static const double EPS = 1e-5, MOMENTUM = 0.1; /* PyTorch's */

typedef struct norm {
    nn_module  base;
    ag_tensor *weight, *bias;
    ag_tensor *running_mean, *running_var, *num_batches_tracked; /* BatchNorm only */
    int        rank_least, rank_most;                            /* of the input */
    int64_t    size;                                             /* channels, or elements that share a mean */
    ag_shape   shape;                                            /* of those, for a layer norm */
    int64_t    groups;                                           /* for a group norm */
    double     eps, momentum;
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
    const norm *n = (const norm *)m;
    if (n->groups)
        nn__describe(text, size, "%" PRId64, n->groups);
    if (n->shape.rank > 1)
        nn__describe(text, size, "%s", AG_STR(&n->shape));
    else
        nn__describe(text, size, "%" PRId64, n->size);
    if (n->eps != EPS)
        nn__describe(text, size, "eps=%g", n->eps);
    if (n->running_mean && n->momentum != MOMENTUM)
        nn__describe(text, size, "momentum=%g", n->momentum);
    if (!n->weight)
        nn__describe(text, size, n->running_mean || n->groups ? "affine=False" : "elementwise_affine=False");
}

static ag_tensor *batch_norm_forward(nn_module *m, ag_tensor *x)
{
    norm *n = (norm *)m;
    if (x->shape.rank < n->rank_least || x->shape.rank > n->rank_most)
        return ag_fail(x->tape, "%s: input %s, expected %d%s dimensions", m->type->name, AG_STR(&x->shape),
                       n->rank_least, n->rank_most > n->rank_least ? " or 3" : "");
    ag_tensor *y = ag_batch_norm(x, n->weight, n->bias, n->running_mean, n->running_var, n->momentum, n->eps);
    if (!ag_tensor_error(y) && ag_is_training(y->tape))
        n->num_batches_tracked->data[0] += 1;
    return y;
}

static ag_tensor *layer_norm_forward(nn_module *m, ag_tensor *x)
{
    const norm     *n = (norm *)m;
    const ag_shape *s = &x->shape;
    const int       first = s->rank - n->shape.rank;
    ag_shape        last = ag_shape_of(first >= 0 ? n->shape.rank : 0, s->dim + (first >= 0 ? first : 0));
    if (first < 0 || !ag_shape_equal(&last, &n->shape))
        return ag_fail(x->tape, "LayerNorm: input %s, expected it to end with %s", AG_STR(s), AG_STR(&n->shape));
    if (n->weight)
        return ag_layer_norm(x, n->weight, n->bias, n->eps);
    return ag_reshape(ag_layer_norm(ag_reshape(x, AG_SHAPE(-1, n->size)), NULL, NULL, n->eps), *s);
}

static ag_tensor *group_norm_forward(nn_module *m, ag_tensor *x)
{
    norm *n = (norm *)m;
    if (x->shape.rank < 2 || x->shape.dim[1] != n->size)
        return ag_fail(x->tape, "GroupNorm: input %s, expected (N, %" PRId64 ", ...)", AG_STR(&x->shape), n->size);
    return ag_group_norm(x, n->groups, n->weight, n->bias, n->eps);
}

static const nn_type group_norm_type = {"GroupNorm", sizeof(norm), group_norm_forward, norm_reset, describe};
static const nn_type batch_norm1d_type = {"BatchNorm1d", sizeof(norm), batch_norm_forward, norm_reset, describe};
static const nn_type batch_norm2d_type = {"BatchNorm2d", sizeof(norm), batch_norm_forward, norm_reset, describe};
static const nn_type layer_norm_type = {"LayerNorm", sizeof(norm), layer_norm_forward, norm_reset, describe};

/* What all norms have; NULL, with *failed the module to return, when an option is wrong or memory runs out. */
static norm *norm_new(const nn_type *type, ag_shape shape, nn_norm_options o, nn_module **failed)
{
    if (!(o.eps >= 0) || isinf(o.eps) || !(o.momentum >= 0 && o.momentum <= 1)) {
        *failed = nn_failed(type->name, "eps %g and momentum %g, expected eps of at least 0 and momentum 0 to 1", o.eps,
                            o.momentum);
        return NULL;
    }
    norm *n = nn_new(type);
    if (!n) {
        *failed = nn_failed(type->name, "out of memory");
        return NULL;
    }
    n->size = ag_numel(&shape);
    n->eps = o.eps > 0 ? o.eps : EPS;
    n->momentum = o.momentum > 0 ? o.momentum : MOMENTUM;
    if (!o.no_affine) {
        NN_PARAMETER(n, weight, shape);
        NN_PARAMETER(n, bias, shape);
    }
    return n;
}

static nn_module *batch_norm_new(const nn_type *type, int64_t channels, int rank_least, int rank_most,
                                 nn_norm_options o)
{
    nn_module *failed = NULL;
    if (channels < 1)
        return nn_failed(type->name, "%" PRId64 " channels, expected at least 1", channels);
    norm *n = norm_new(type, AG_SHAPE(channels), o, &failed);
    if (!n)
        return failed;
    n->rank_least = rank_least;
    n->rank_most = rank_most;
    NN_BUFFER(n, running_mean, AG_SHAPE(channels));
    NN_BUFFER(n, running_var, AG_SHAPE(channels));
    NN_COUNTER(n, num_batches_tracked);
    return &n->base;
}

nn_module *nn_batch_norm1d_with(int64_t channels, nn_norm_options options)
{
    return batch_norm_new(&batch_norm1d_type, channels, 2, 3, options);
}

nn_module *nn_batch_norm2d_with(int64_t channels, nn_norm_options options)
{
    return batch_norm_new(&batch_norm2d_type, channels, 4, 4, options);
}

nn_module *nn_layer_norm_with(ag_shape shape, nn_norm_options options)
{
    nn_module *failed = NULL;
    if (shape.rank < 1 || ag_numel(&shape) < 0)
        return nn_failed("LayerNorm", "%s: expected the last dimensions of the input", AG_STR(&shape));
    norm *n = norm_new(&layer_norm_type, shape, options, &failed);
    if (!n)
        return failed;
    n->shape = shape;
    return &n->base;
}

nn_module *nn_batch_norm1d(int64_t channels)
{
    return nn_batch_norm1d_with(channels, (nn_norm_options){0});
}

nn_module *nn_batch_norm2d(int64_t channels)
{
    return nn_batch_norm2d_with(channels, (nn_norm_options){0});
}

nn_module *nn_layer_norm(ag_shape shape)
{
    return nn_layer_norm_with(shape, (nn_norm_options){0});
}

nn_module *nn_group_norm_with(int64_t groups, int64_t channels, nn_norm_options options)
{
    nn_module *failed = NULL;
    if (groups < 1 || channels < 1 || channels % groups)
        return nn_failed("GroupNorm", "%" PRId64 " channels do not divide into %" PRId64 " groups", channels, groups);
    norm *n = norm_new(&group_norm_type, AG_SHAPE(channels), options, &failed);
    if (!n)
        return failed;
    n->groups = groups;
    return &n->base;
}

nn_module *nn_group_norm(int64_t groups, int64_t channels)
{
    return nn_group_norm_with(groups, channels, (nn_norm_options){0});
}
