/* Pooling and upsampling: layers without parameters, on pictures. */
#include <inttypes.h>
#include <stdio.h>

#include "autograd/ops.h"
#include "nn/layers.h"

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

static void describe(const nn_module *m, char *text, size_t size)
{
    const ag_pool_options *o = &((const pool *)m)->options;
    snprintf(text, size, "%" PRId64, o->kernel[o->kernel[1] ? 1 : 0]);
}

static const nn_type max_type = {"MaxPool2d", sizeof(pool), max_forward, NULL, describe};
static const nn_type max1d_type = {"MaxPool1d", sizeof(pool), max1d_forward, NULL, describe};
static const nn_type avg_type = {"AvgPool2d", sizeof(pool), avg_forward, NULL, describe};
static const nn_type adaptive_type = {"AdaptiveAvgPool2d", sizeof(pool), adaptive_forward, NULL, describe};
static const nn_type upsample_type = {"Upsample", sizeof(pool), upsample_forward, NULL, describe};

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
