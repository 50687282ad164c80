/* Pooling and upsampling: layers without parameters, on pictures. */
#include <string.h>

#include "autograd/ops.h"
#include "nn/layers.h"
#include "nn/module_internal.h"

typedef struct pool {
    nn_module       base;
    ag_pool_options options; /* kernel: of adaptive pooling the output's size, of upsampling the factors */
} pool;

static ag_tensor *max_forward(nn_module *m, ag_tensor *x)
{
    return ag_max_pool2d(x, ((pool *)m)->options);
}

static ag_tensor *max1d_forward(nn_module *m, ag_tensor *x)
{
    return ag_max_pool1d(x, ((pool *)m)->options);
}

static ag_tensor *avg_forward(nn_module *m, ag_tensor *x)
{
    return ag_avg_pool2d(x, ((pool *)m)->options);
}

static ag_tensor *adaptive_forward(nn_module *m, ag_tensor *x)
{
    const int64_t *size = ((pool *)m)->options.kernel;
    return ag_adaptive_avg_pool2d(x, size[0], size[1]);
}

static ag_tensor *upsample_forward(nn_module *m, ag_tensor *x)
{
    const int64_t *factor = ((pool *)m)->options.kernel;
    return ag_upsample_nearest2d(x, factor[0], factor[1]);
}

static const nn_type avg_type;

static void describe(const nn_module *m, char *text, size_t size)
{
    const ag_pool_options *o = &((const pool *)m)->options;
    const int              axes = strstr(m->type->name, "1d") ? 1 : 2;
    const int64_t          zero[2] = {0, 0}, one[2] = {1, 1};
    nn__describe_sizes(text, size, "kernel_size", axes, o->kernel, zero);
    nn__describe_sizes(text, size, "stride", axes, o->stride, o->kernel);
    nn__describe_sizes(text, size, "padding", axes, o->padding, zero);
    if (m->type != &avg_type)
        nn__describe_sizes(text, size, "dilation", axes, o->dilation, one);
    if (o->ceil_mode)
        nn__describe(text, size, "ceil_mode=True");
    if (m->type == &avg_type && o->exclude_pad)
        nn__describe(text, size, "count_include_pad=False");
}

static void adaptive_describe(const nn_module *m, char *text, size_t size)
{
    nn__describe_sizes(text, size, "output_size", 2, ((const pool *)m)->options.kernel, (const int64_t[]){0, 0});
}

static void upsample_describe(const nn_module *m, char *text, size_t size)
{
    nn__describe_sizes(text, size, "scale_factor", 2, ((const pool *)m)->options.kernel, (const int64_t[]){0, 0});
}

static const nn_type max_type = {"MaxPool2d", sizeof(pool), max_forward, NULL, describe};
static const nn_type max1d_type = {"MaxPool1d", sizeof(pool), max1d_forward, NULL, describe};
static const nn_type avg_type = {"AvgPool2d", sizeof(pool), avg_forward, NULL, describe};
static const nn_type adaptive_type = {"AdaptiveAvgPool2d", sizeof(pool), adaptive_forward, NULL, adaptive_describe};
static const nn_type upsample_type = {"Upsample", sizeof(pool), upsample_forward, NULL, upsample_describe};

static nn_module *pool_new(const nn_type *type, ag_pool_options options)
{
    pool *p = nn_new(type);
    if (!p)
        return nn_failed(type->name, "out of memory");
    p->options = options;
    return &p->base;
}

nn_module *nn_max_pool2d(int64_t kernel, int64_t stride)
{
    return pool_new(&max_type, (ag_pool_options){.kernel = {kernel, kernel}, .stride = {stride, stride}});
}

nn_module *nn_max_pool2d_with(ag_pool_options options)
{
    return pool_new(&max_type, options);
}

nn_module *nn_max_pool1d(int64_t kernel, int64_t stride)
{
    return pool_new(&max1d_type, (ag_pool_options){.kernel = {kernel, 0}, .stride = {stride, 0}});
}

nn_module *nn_avg_pool2d(int64_t kernel, int64_t stride)
{
    return pool_new(&avg_type, (ag_pool_options){.kernel = {kernel, kernel}, .stride = {stride, stride}});
}

nn_module *nn_avg_pool2d_with(ag_pool_options options)
{
    return pool_new(&avg_type, options);
}

nn_module *nn_adaptive_avg_pool2d(int64_t height, int64_t width)
{
    return pool_new(&adaptive_type, (ag_pool_options){.kernel = {height, width}});
}

nn_module *nn_upsample_nearest2d(int64_t factor)
{
    return pool_new(&upsample_type, (ag_pool_options){.kernel = {factor, factor}});
}
