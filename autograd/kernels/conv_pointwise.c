/* Convolutions of 1 by 1 pixels without padding: a product of weights and pixels for each image and group,
 *
 *        target (channels x pixels)  =  weights (channels x depth)  *  source (depth x pixels)
 *
 * of matrices as they lie. With a stride, the pixels of the input that it meets are copied from their planes, and the
 * gradient's to them. */
#include <stddef.h>

#include "autograd/kernels/conv_border_internal.h"
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
        if (c->kernel[i] != 1 || c->padding[i] != 0)
            return false;
    return agk__area(c->out) >= LEAST_PIXELS;
}

static bool is_strided(const agk_conv *c)
{
    return c->stride[0] > 1 || c->stride[1] > 1;
}

/* ---- Pixels that a stride meets. Items are planes of the input. ---- */

typedef struct planes {
    const agk__conv_job *j;
    int64_t              first;  /* plane */
    ag_real             *picked; /* of it and the following ones */
} planes;

static void pick_planes(void *context, int64_t begin, int64_t end)
{
    const planes   *p = context;
    const agk_conv *c = p->j->c;
    for (int64_t i = begin; i < end; i++)
        for (int64_t y = 0; y < c->out[0]; y++)
            agk__border_row(p->j->source + (i * c->in[0] + y * c->stride[0]) * c->in[1], c->in[1], 0, c->stride[1],
                            c->out[1], p->picked + (i * c->out[0] + y) * c->out[1]);
}

static void spread_row(const agk_conv *c, const ag_real *from, bool add, ag_real *to)
{
    for (int64_t x = 0; !add && x < c->out[1]; x++)
        to[x * c->stride[1]] = from[x];
    for (int64_t x = 0; add && x < c->out[1]; x++)
        to[x * c->stride[1]] += from[x];
}

/* Other pixels of the target get the bias. */
static void spread_planes(void *context, int64_t begin, int64_t end)
{
    const planes        *p = context;
    const agk__conv_job *j = p->j;
    const agk_conv      *c = j->c;
    for (int64_t i = begin; i < end; i++) {
        const int64_t plane = p->first + i, pixels = agk__area(c->in);
        ag_real      *to = j->target + plane * pixels;
        const ag_real bias = j->bias ? j->bias[plane % c->in_channels] : 0;
        for (int64_t k = 0; !j->add && k < pixels; k++)
            to[k] = bias;
        for (int64_t y = 0; y < c->out[0]; y++)
            spread_row(c, p->picked + (i * c->out[0] + y) * c->out[1], j->add, to + y * c->stride[0] * c->in[1]);
    }
}

static void for_planes(const planes *p, int64_t n, agk_body *body)
{
    agk_parallel(n, AGK_CONV_GRAIN / agk__area(p->j->c->in) + 1, body, (void *)p);
}

/* ---- Products. ---- */

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
    const int64_t        pixels = agk__area(j->c->out), g = i % j->c->groups;
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
        product(p, p->first + i, p->to + i * p->j->rows * agk__area(p->j->c->out));
}

/* The products of n items from p->first on, to p->to. */
static void all_products(pointwise_job *p, int64_t n)
{
    if (n >= MANY_ITEMS)
        agk_parallel(n, AGK_CONV_GRAIN / (p->j->rows * agk__area(p->j->c->out) * p->j->depth) + 1, products, p);
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

/* Where products wait, and behind them the pixels that a stride meets. */
static ag_real *waiting_in(const agk__conv_job *j)
{
    return j->workspace + weights_size(j->c);
}

static int64_t waiting_size(const agk_conv *c)
{
    const int64_t channels = c->in_channels > c->out_channels ? c->in_channels : c->out_channels;
    const int64_t size = channels / c->groups * agk__area(c->out), all = c->batch * c->groups * size;
    return size > SUMS ? size : all < SUMS ? all : SUMS;
}

/* The pixels of the input that are met. */
static const ag_real *picked(const agk__conv_job *j)
{
    const planes p = {j, 0, waiting_in(j) + waiting_size(j->c)};
    if (!is_strided(j->c))
        return j->source;
    for_planes(&p, j->c->batch * j->c->in_channels, pick_planes);
    return p.picked;
}

/* Whether the products of a job are a part of the target's pixels. */
static bool is_spread(const agk__conv_job *j)
{
    return !j->forward && is_strided(j->c);
}

static void put_products(const agk__conv_job *j, int64_t first, int64_t n, ag_real *from)
{
    const int64_t size = j->rows * agk__area(j->c->out);
    if (is_spread(j))
        for_planes(&(planes){j, first * j->rows, from}, n * j->rows, spread_planes);
    else
        agk_copy_rows(1, n * size, from, 0, true, j->target + first * size, 0);
}

/* The weights as (groups, rows, depth): backward, transposed. */
static const ag_real *weights_of(const agk__conv_job *j)
{
    const int64_t n = j->rows * j->depth;
    for (int64_t g = 0; !j->forward && g < j->c->groups; g++)
        agk()->transpose(j->depth, j->rows, j->w + g * n, j->rows, false, j->workspace + g * n, j->depth);
    return j->forward ? j->w : j->workspace;
}

void agk__conv_pointwise(const agk__conv_job *j)
{
    const int64_t items = j->c->batch * j->c->groups, size = j->rows * agk__area(j->c->out);
    agk__conv_job met = *j;
    met.source = j->forward ? picked(j) : j->source;
    pointwise_job p = {&met, weights_of(j), 0, j->target};
    if (!j->add && !is_spread(j)) {
        all_products(&p, items);
        return;
    }
    p.to = waiting_in(j);
    for (const int64_t some = items_at_once(items, size); p.first < items; p.first += some) {
        const int64_t n = agk__least(some, items - p.first);
        all_products(&p, n);
        put_products(j, p.first, n, p.to);
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
    agk__conv_job met = *j;
    met.source = picked(j);
    weight_job    q = {&met, dy, add, dw};
    const int64_t work = j->c->batch * j->c->groups * j->depth * agk__area(j->to); /* of a row of each group */
    agk_parallel(j->rows, AGK_CONV_GRAIN / work + 1, weight_rows, &q);
}

double agk__conv_pointwise_workspace_size(const agk_conv *c)
{
    const double picked = (double)(c->batch * c->in_channels) * (double)agk__area(c->out);
    return (double)weights_size(c) + (double)waiting_size(c) + (is_strided(c) ? picked : 0);
}
