/* Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d. */
#include <inttypes.h>
#include <string.h>

#include "autograd/ops.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "nn/module_internal.h"

typedef struct conv {
    nn_module       base;
    ag_tensor      *weight; /* (out, in / groups, kH, kW); transposed: (in, out / groups, kH, kW) */
    ag_tensor      *bias;   /* (out), or NULL */
    nn_conv_options options;
} conv;

static ag_conv_options op_options(const nn_conv_options *o)
{
    return (ag_conv_options){{o->stride[0], o->stride[1]},
                             {o->padding[0], o->padding[1]},
                             {o->dilation[0], o->dilation[1]},
                             {o->output_padding[0], o->output_padding[1]},
                             o->groups};
}

static ag_tensor *conv1d_forward(nn_module *m, ag_tensor *x)
{
    conv *c = (conv *)m;
    return ag_conv1d(x, c->weight, c->bias, op_options(&c->options));
}

static ag_tensor *conv2d_forward(nn_module *m, ag_tensor *x)
{
    conv *c = (conv *)m;
    return ag_conv2d(x, c->weight, c->bias, op_options(&c->options));
}

static ag_tensor *conv_transpose1d_forward(nn_module *m, ag_tensor *x)
{
    conv *c = (conv *)m;
    return ag_conv_transpose1d(x, c->weight, c->bias, op_options(&c->options));
}

static ag_tensor *conv_transpose2d_forward(nn_module *m, ag_tensor *x)
{
    conv *c = (conv *)m;
    return ag_conv_transpose2d(x, c->weight, c->bias, op_options(&c->options));
}

/* fan_in is that of dimension 1 of the weight, for the transposed convolution too, as in PyTorch. */
static void conv_reset(nn_module *m, ag_rng *rng)
{
    conv *c = (conv *)m;
    nn_init_default(c->weight, c->bias, rng);
}

static void conv_describe(const nn_module *m, char *text, size_t size)
{
    const nn_conv_options *o = &((const conv *)m)->options;
    const int              axes = strstr(m->type->name, "1d") ? 1 : 2;
    const int64_t          zero[2] = {0, 0}, one[2] = {1, 1};
    nn__describe(text, size, "%" PRId64 ", %" PRId64, o->in, o->out);
    nn__describe_sizes(text, size, "kernel_size", axes, o->kernel, zero);
    nn__describe_sizes(text, size, "stride", axes, o->stride, one);
    nn__describe_sizes(text, size, "padding", axes, o->padding, zero);
    if (strstr(m->type->name, "Transpose"))
        nn__describe_sizes(text, size, "output_padding", axes, o->output_padding, zero);
    nn__describe_sizes(text, size, "groups", 1, &o->groups, one);
    nn__describe_sizes(text, size, "dilation", axes, o->dilation, one);
    if (o->no_bias)
        nn__describe(text, size, "bias=False");
}

static const nn_type conv1d_type = {"Conv1d", sizeof(conv), conv1d_forward, conv_reset, conv_describe};
static const nn_type conv2d_type = {"Conv2d", sizeof(conv), conv2d_forward, conv_reset, conv_describe};
static const nn_type conv_transpose1d_type = {"ConvTranspose1d", sizeof(conv), conv_transpose1d_forward, conv_reset,
                                              conv_describe};
static const nn_type conv_transpose2d_type = {"ConvTranspose2d", sizeof(conv), conv_transpose2d_forward, conv_reset,
                                              conv_describe};

static bool options_fit(const nn_conv_options *o, int64_t groups)
{
    bool fit = o->in > 0 && o->out > 0 && groups > 0 && o->in % groups == 0 && o->out % groups == 0;
    for (int i = 0; i < 2; i++)
        fit = fit && o->kernel[i] > 0 && o->stride[i] >= 0 && o->padding[i] >= 0 && o->dilation[i] >= 0 &&
              o->output_padding[i] >= 0;
    return fit;
}

static nn_module *conv_new(const nn_type *type, nn_conv_options o)
{
    int64_t groups = o.groups ? o.groups : 1;
    bool    transposed = type == &conv_transpose1d_type || type == &conv_transpose2d_type;
    bool    flat = type == &conv1d_type || type == &conv_transpose1d_type;
    if (!options_fit(&o, groups))
        return nn_failed(type->name,
                         "%" PRId64 " to %" PRId64 " channels in %" PRId64 " groups, kernel %" PRId64 " x %" PRId64
                         ": expected channels that divide into the groups, a kernel of at least 1, nothing negative",
                         o.in, o.out, groups, o.kernel[0], o.kernel[1]);
    conv *c = nn_new(type);
    if (!c)
        return nn_failed(type->name, "out of memory");
    c->options = o;
    int64_t first = transposed ? o.in : o.out, second = (transposed ? o.out : o.in) / groups;
    NN_PARAMETER(c, weight,
                 flat ? AG_SHAPE(first, second, o.kernel[0]) : AG_SHAPE(first, second, o.kernel[0], o.kernel[1]));
    if (!o.no_bias)
        NN_PARAMETER(c, bias, AG_SHAPE(o.out));
    return &c->base;
}

static nn_conv_options square(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding)
{
    return (nn_conv_options){in, out, {kernel, kernel}, {stride, stride}, {padding, padding}, {0, 0}, {0, 0}, 0, false};
}

nn_module *nn_conv1d(nn_conv_options options)
{
    options.kernel[1] = 1;
    return conv_new(&conv1d_type, options);
}

nn_module *nn_conv2d(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding)
{
    return conv_new(&conv2d_type, square(in, out, kernel, stride, padding));
}

nn_module *nn_conv2d_with(nn_conv_options options)
{
    return conv_new(&conv2d_type, options);
}

nn_module *nn_conv_transpose2d(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding)
{
    return conv_new(&conv_transpose2d_type, square(in, out, kernel, stride, padding));
}

nn_module *nn_conv_transpose2d_with(nn_conv_options options)
{
    return conv_new(&conv_transpose2d_type, options);
}

nn_module *nn_conv_transpose1d(nn_conv_options options)
{
    options.kernel[1] = 1;
    return conv_new(&conv_transpose1d_type, options);
}
