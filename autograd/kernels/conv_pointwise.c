/* Convolutions of 1 by 1 pixels, stride 1 and no padding: a product of weights and pixels for each image and group,
 *
 *        target (channels x pixels)  =  weights (channels x depth)  *  source (depth x pixels)
 *
 * of matrices as they lie. */
#include <stddef.h>

#include "autograd/kernels/conv_direct_internal.h"
#include "autograd/kernels/pool.h"

enum {
    LEAST_PIXELS = 32, /* products with fewer columns are slow */
    MANY_ITEMS = 8     /* enough for a thread to have whole products */
};

bool agk__conv_is_pointwise(const agk_conv *c)
{
    for (int i = 0; i < 2; i++)
        if (c->kernel[i] != 1 || c->stride[i] != 1 || c->padding[i] != 0)
            return false;
    return agk__area(c->out) >= LEAST_PIXELS;
}

typedef struct pointwise_job {
    const agk__conv_job *j;
    const ag_real       *w; /* (groups, rows, depth) */
} pointwise_job;

/* Item i is a group of an image. */
static void product(const pointwise_job *p, int64_t i, ag_real *to)
{
    const agk__conv_job *j = p->j;
    const int64_t        pixels = agk__area(j->to), g = i % j->c->groups;
    const agk_matrix     w = {p->w + g * j->rows * j->depth, j->depth, 1};
    const agk_matrix     x = {j->source + i * j->depth * pixels, pixels, 1};
    for (int64_t r = 0; j->bias && r < j->rows; r++)
        for (int64_t k = 0; k < pixels; k++)
            to[r * pixels + k] = j->bias[g * j->rows + r];
    agk_gemm(j->rows, pixels, j->depth, w, x, j->bias ? to : NULL, pixels, to, pixels);
}

static void products(void *context, int64_t begin, int64_t end)
{
    const pointwise_job *p = context;
    for (int64_t i = begin; i < end; i++)
        product(p, i, p->j->target + i * p->j->rows * agk__area(p->j->to));
}

static int64_t weights_size(const agk_conv *c)
{
    return c->out_channels * (c->in_channels / c->groups);
}

void agk__conv_pointwise(const agk__conv_job *j)
{
    const int64_t items = j->c->batch * j->c->groups, size = j->rows * agk__area(j->to);
    pointwise_job p = {j, j->w};
    if (!j->forward) { /* (out, in) to (in, out) */
        for (int64_t g = 0, n = j->rows * j->depth; g < j->c->groups; g++)
            agk()->transpose(j->depth, j->rows, j->w + g * n, j->rows, false, j->room + g * n, j->depth);
        p.w = j->room;
    }
    if (j->add)
        for (int64_t i = 0; i < items; i++) {
            ag_real *result = j->room + weights_size(j->c);
            product(&p, i, result);
            agk()->add(size, result, j->target + i * size);
        }
    else if (items >= MANY_ITEMS)
        agk_parallel(items, AGK_CONV_GRAIN / (size * j->depth) + 1, products, &p);
    else
        products(&p, 0, items);
}

void agk__conv_pointwise_weight(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw)
{
    const int64_t pixels = agk__area(j->to), size = j->rows * j->depth;
    for (int64_t i = 0; i < j->c->batch * j->c->groups; i++) {
        const int64_t g = i % j->c->groups;
        ag_real      *to = dw + g * size;
        agk_gemm(j->rows, j->depth, pixels, (agk_matrix){dy + i * j->rows * pixels, pixels, 1},
                 (agk_matrix){j->source + i * j->depth * pixels, 1, pixels}, add || i >= j->c->groups ? to : NULL,
                 j->depth, to, j->depth);
    }
}

double agk__conv_pointwise_room(const agk_conv *c)
{
    const int64_t channels = c->in_channels > c->out_channels ? c->in_channels : c->out_channels;
    return (double)weights_size(c) + (double)(channels / c->groups) * (double)agk__area(c->out);
}
