/* The direct ways of a convolution: the choice, and the entries. */
#include "autograd/kernels/conv_border_internal.h"
#include "autograd/kernels/conv_weight_internal.h"
#include "autograd/kernels/threadpool.h"

/* ---- Which pixels meet. ---- */

agk__phase agk__phase_of(const agk_conv *c, bool forward, int axis, int64_t remainder)
{
    const int64_t stride = c->stride[axis], padding = c->padding[axis], to = forward ? c->out[axis] : c->in[axis];
    agk__phase    p = {remainder, forward ? 1 : stride, 0, 0, forward ? stride : 1, {0}, {0}};
    p.count = remainder < to ? (to - remainder + p.step - 1) / p.step : 0;
    for (int64_t t = 0; t < c->kernel[axis]; t++) {
        const int64_t shift = t * c->dilation[axis];
        if (forward || (remainder + padding - shift) % stride == 0) {
            p.tap[p.taps] = t;
            p.base[p.taps++] = forward ? shift - padding : (remainder + padding - shift) / stride;
        }
    }
    return p;
}

agk__conv_job agk__conv_job_of(const agk_conv *c, bool forward)
{
    const int64_t in = c->in_channels / c->groups, out = c->out_channels / c->groups;
    return (agk__conv_job){.c = c,
                           .forward = forward,
                           .depth = forward ? in : out,
                           .rows = forward ? out : in,
                           .from = forward ? c->in : c->out,
                           .to = forward ? c->out : c->in};
}

/* ---- The choice, and the entries. ---- */

/* Whether the source with its border, as the direct ways copy it, is not much larger than the images are: wide padding
 * and dilation may make it so. */
static bool has_small_borders(const agk_conv *c)
{
    const double most = 4 * ((double)agk__area(c->in) + (double)agk__area(c->out)) + 4096;
    if (c->stride[0] > AGK_MOST_STRIDE || c->stride[1] > AGK_MOST_STRIDE)
        return false;
    for (int forward = 0; forward < 2; forward++) {
        const agk__conv_job j = agk__conv_job_of(c, forward);
        const agk__border   b = agk__border_of(&j);
        if ((double)(b.phases[0] * b.part[0]) * (double)(b.phases[1] * b.part[1]) > most)
            return false;
    }
    return true;
}

/* Whether the way of planes is open. */
static bool fits_planes(const agk_conv *c)
{
    return agk__area(c->kernel) <= AGK_MOST_AREA && has_small_borders(c);
}

/* Groups of few channels, whose products would be of thin matrices. */
static bool by_rows(const agk_conv *c)
{
    const int64_t in = c->in_channels / c->groups, out = c->out_channels / c->groups;
    return in * out <= 2 && c->groups > 1 && agk__area(c->kernel) * in * out <= AGK_ROW_TAPS && has_small_borders(c);
}

/* Whether lanes that are pixels cost less than lanes that are images, of fewer images than a block has. Of the former
 * some lie between rows, of the latter some are beyond the batch; the former reach about four fifths of the speed, as
 * measured. */
static bool by_planes(const agk_conv *c)
{
    if (c->batch >= AGK_LANES || !fits_planes(c))
        return false;
    const agk__conv_job j = agk__conv_job_of(c, true);
    const int64_t       line = (c->out[0] - 1) * agk__border_of(&j).part[1] + c->out[1];
    const int64_t       pixels = (line + AGK_LANES - 1) / AGK_LANES * AGK_LANES;
    return 5 * (double)c->batch * (double)pixels <= 4 * (double)AGK_LANES * (double)agk__area(c->out);
}

/* Groups of few channels: interleaving them costs more than their products. */
static bool of_thin_groups(const agk_conv *c)
{
    const int64_t few_channels = 8, many_pixels = 400;
    return c->groups > 1 && c->in_channels / c->groups <= few_channels && c->out_channels / c->groups <= few_channels &&
           agk__area(c->out) >= many_pixels && fits_planes(c);
}

/* Images of few channels, such as colours: there is less to do than to move, if the input needs no gradient. */
static bool of_images(const agk_conv *c)
{
    const int64_t many_channels = 16, many_pixels = 196;
    return agk__conv_has_pairs(c) && c->out_channels / c->groups >= many_channels && agk__area(c->out) >= many_pixels &&
           fits_planes(c);
}

bool agk_conv_is_direct(const agk_conv *c, bool needs_input_gradient)
{
    if (agk__conv_is_patches(c))
        return true;
    if (c->kernel[0] > AGK_MOST_TAPS || c->kernel[1] > AGK_MOST_TAPS)
        return false;
    return by_rows(c) || agk__conv_is_pointwise(c) || by_planes(c) || of_thin_groups(c) ||
           (!needs_input_gradient && of_images(c));
}

typedef struct way {
    double (*workspace_size)(const agk_conv *c);
    void (*target)(const agk__conv_job *j);
    void (*weight)(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw);
} way;

static bool weight_by_products(const agk_conv *c)
{
    const int64_t few_pixels = 128, pixel[2] = {1, 1};
    return agk__conv_has_pairs(c) ? agk__conv_pairs_size(c, pixel) > AGK_PAIRS_PIXEL : agk__area(c->out) < few_pixels;
}

static double planes_workspace_size(const agk_conv *c)
{
    const double planes = agk__conv_planes_workspace_size(c);
    const double weight = weight_by_products(c) ? agk__conv_products_workspace_size(c)
                                                : agk__conv_planes_weight_workspace_size(c);
    return planes > weight ? planes : weight;
}

static way way_of(const agk_conv *c)
{
    if (agk__conv_is_patches(c))
        return (way){agk__conv_patches_workspace_size, agk__conv_patches, agk__conv_patches_weight};
    if (by_rows(c))
        return (way){agk__conv_rows_workspace_size, agk__conv_rows, agk__conv_rows_weight};
    if (agk__conv_is_pointwise(c))
        return (way){agk__conv_pointwise_workspace_size, agk__conv_pointwise, agk__conv_pointwise_weight};
    return (way){planes_workspace_size, agk__conv_planes,
                 weight_by_products(c) ? agk__conv_products_weight : agk__conv_planes_weight};
}

int64_t agk_conv_direct_workspace_size(const agk_conv *c)
{
    const double most = 1e15, planes = (double)c->batch * (double)(c->in_channels + c->out_channels);
    const double weights = (double)(c->in_channels / c->groups) * (double)c->out_channels *
                           (double)agk__area(c->kernel);
    if (weights > most || planes * (double)(agk__area(c->in) + agk__area(c->out)) > most)
        return -1;
    const double size = way_of(c).workspace_size(c);
    return size > most ? -1 : (int64_t)size;
}

void agk_conv_direct_forward(const agk_conv *c, const ag_real *x, const ag_real *w, const ag_real *bias, bool add,
                             ag_real *y, ag_real *workspace)
{
    agk__conv_job j = agk__conv_job_of(c, true);
    j.source = x;
    j.w = w;
    j.bias = bias;
    j.add = add;
    j.target = y;
    j.workspace = workspace;
    way_of(c).target(&j);
}

void agk_conv_direct_input_gradient(const agk_conv *c, const ag_real *dy, const ag_real *w, const ag_real *bias,
                                    bool add, ag_real *dx, ag_real *workspace)
{
    agk__conv_job j = agk__conv_job_of(c, false);
    j.source = dy;
    j.w = w;
    j.bias = bias;
    j.add = add;
    j.target = dx;
    j.workspace = workspace;
    way_of(c).target(&j);
}

void agk_conv_direct_weight_gradient(const agk_conv *c, const ag_real *x, const ag_real *dy, bool add, ag_real *dw,
                                     ag_real *workspace)
{
    agk__conv_job j = agk__conv_job_of(c, true);
    j.source = x;
    j.workspace = workspace;
    way_of(c).weight(&j, dy, add, dw);
}

typedef struct bias_job {
    int64_t        batch, channels, pixels;
    const ag_real *g;
    ag_real       *db;
} bias_job;

static void sum_channels(void *context, int64_t begin, int64_t end)
{
    const bias_job *b = context;
    for (int64_t c = begin; c < end; c++)
        for (int64_t image = 0; image < b->batch; image++)
            b->db[c] += agk()->sum(b->pixels, b->g + (image * b->channels + c) * b->pixels);
}

void agk_conv_direct_bias_gradient(int64_t batch, int64_t channels, int64_t pixels, const ag_real *g, ag_real *db)
{
    bias_job b = {batch, channels, pixels, g, db};
    agk_parallel(channels, AGK_CONV_GRAIN / (batch * pixels) + 1, sum_channels, &b);
}
