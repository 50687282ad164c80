/* Convolutions of 1 by 1 pixels, stride 1 and no padding: a product of weights and pixels for each image and group,
 *
 *        target (channels x pixels)  =  weights (channels x depth)  *  source (depth x pixels)
 *
 * of matrices as they lie. */
#include <stddef.h>

#include "autograd/kernels/conv_direct_internal.h"
#include "autograd/kernels/copy.h"
#include "autograd/kernels/threadpool.h"

enum {
    LEAST_PIXELS = 32, /* products with fewer columns are slow */
    MANY_ITEMS = 8,    /* enough for a thread to have whole products */
    SUMS = 1 << 16     /* reals of products that wait to be added to what is there */
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
    int64_t              first;
    ag_real             *to; /* of item `first` */
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
        product(p, p->first + i, p->to + i * p->j->rows * agk__area(p->j->to));
}

/* The products of n items from p->first on, to p->to. */
static void all_products(pointwise_job *p, int64_t n)
{
    if (n >= MANY_ITEMS)
        agk_parallel(n, AGK_CONV_GRAIN / (p->j->rows * agk__area(p->j->to) * p->j->depth) + 1, products, p);
    else
        products(p, 0, n);
}

static int64_t weights_size(const agk_conv *c)
{
    return c->out_channels * (c->in_channels / c->groups);
}

/* Of how many items the products wait at once to be added. */
static int64_t items_at_once(int64_t items, int64_t size)
{
    return size >= SUMS ? 1 : items < SUMS / size ? items : SUMS / size;
}

void agk__conv_pointwise(const agk__conv_job *j)
{
    const int64_t items = j->c->batch * j->c->groups, size = j->rows * agk__area(j->to);
    pointwise_job p = {j, j->w, 0, j->target};
    if (!j->forward) { /* (out, in) to (in, out) */
        for (int64_t g = 0, n = j->rows * j->depth; g < j->c->groups; g++)
            agk()->transpose(j->depth, j->rows, j->w + g * n, j->rows, false, j->workspace + g * n, j->depth);
        p.w = j->workspace;
    }
    if (!j->add) {
        all_products(&p, items);
        return;
    }
    p.to = j->workspace + weights_size(j->c);
    for (const int64_t some = items_at_once(items, size); p.first < items; p.first += some) {
        const int64_t n = agk__least(some, items - p.first);
        all_products(&p, n);
        agk_copy_rows(1, n * size, p.to, 0, true, j->target + p.first * size, 0);
    }
}

typedef struct weight_job {
    const agk__conv_job *j;
    const ag_real       *dy;
    bool                 add;
    ag_real             *dw;
} weight_job;

/* Rows `begin` to `end` of the weights of each group: the images' products one after the other. */
static void weight_rows(void *context, int64_t begin, int64_t end)
{
    const weight_job    *q = context;
    const agk__conv_job *j = q->j;
    const int64_t        pixels = agk__area(j->to);
    for (int64_t i = 0; i < j->c->batch * j->c->groups; i++) {
        const ag_real *dy = q->dy + (i * j->rows + begin) * pixels;
        ag_real       *to = q->dw + (i % j->c->groups * j->rows + begin) * j->depth;
        agk_gemm(end - begin, j->depth, pixels, (agk_matrix){dy, pixels, 1},
                 (agk_matrix){j->source + i * j->depth * pixels, 1, pixels}, q->add || i >= j->c->groups ? to : NULL,
                 j->depth, to, j->depth);
    }
}

void agk__conv_pointwise_weight(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw)
{
    weight_job    q = {j, dy, add, dw};
    const int64_t work = j->c->batch * j->c->groups * j->depth * agk__area(j->to); /* of a row of each group */
    agk_parallel(j->rows, AGK_CONV_GRAIN / work + 1, weight_rows, &q);
}

double agk__conv_pointwise_workspace_size(const agk_conv *c)
{
    const int64_t channels = c->in_channels > c->out_channels ? c->in_channels : c->out_channels;
    const double  size = (double)(channels / c->groups) * (double)agk__area(c->out);
    const double  all = (double)(c->batch * c->groups) * size;
    return (double)weights_size(c) + (size > SUMS ? size : all < SUMS ? all : SUMS);
}
