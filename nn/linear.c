/* Linear. */
#include <inttypes.h>
#include <stdio.h>

#include "autograd/ops.h"
#include "nn/init.h"
#include "nn/layers.h"

typedef struct linear {
    nn_module  base;
    ag_tensor *weight; /* (out, in) */
    ag_tensor *bias;   /* (out), or NULL */
} linear;

static ag_tensor *linear_forward(nn_module *m, ag_tensor *x)
{
    linear *l = (linear *)m;
    return ag_linear(x, l->weight, l->bias);
}

static void linear_reset(nn_module *m, ag_rng *rng)
{
    linear *l = (linear *)m;
    nn_init_default(l->weight, l->bias, rng);
}

static void linear_describe(const nn_module *m, char *text, size_t size)
{
    const linear *l = (const linear *)m;
    snprintf(text, size, "%" PRId64 ", %" PRId64 "%s", l->weight->shape.dim[1], l->weight->shape.dim[0],
             l->bias ? "" : ", bias=False");
}

static const nn_type linear_type = {"Linear", sizeof(linear), linear_forward, linear_reset, linear_describe};

static nn_module *linear_new(int64_t in, int64_t out, bool with_bias)
{
    if (in < 1 || out < 1)
        return nn_failed("Linear", "%" PRId64 " to %" PRId64 " features, expected at least 1 each", in, out);
    linear *l = nn_new(&linear_type);
    if (!l)
        return nn_failed("Linear", "out of memory");
    NN_PARAMETER(l, weight, AG_SHAPE(out, in));
    if (with_bias)
        NN_PARAMETER(l, bias, AG_SHAPE(out));
    return &l->base;
}

nn_module *nn_linear(int64_t in, int64_t out)
{
    return linear_new(in, out, true);
}

nn_module *nn_linear_without_bias(int64_t in, int64_t out)
{
    return linear_new(in, out, false);
}
