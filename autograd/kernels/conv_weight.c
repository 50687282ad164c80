/* The gradient of a convolution's weight, on interleaved images or on images as they lie, by products: for each tap of
 * the kernel
 *
 *        gradient (output channels x input channels)  =  sum over pixels and images of  output's gradient  x  input
 *
 * Every element is one chain of multiply-adds, by blocks of images, then pixels row by row, then images; or, where
 * there are few weights, the sum of several chains, each of a part of the batch. Patches, bands and threads do not
 * change it. */
#include "autograd/kernels/conv_weight_internal.h"

#include "autograd/kernels/conv_direct_internal.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/kernels/workspace.h"
#include "autograd/runtime.h"

enum {
    THREAD_WORK = 200000, /* multiply-adds that are worth a thread */
    BAND = 256, /* pixels of images that are done together, about: a panel of them fits the first cache level */
    LANES = AGK_LANES,
    MOST = 4 * LANES, /* channels of either side of a patch, at most */
    GATHERED = 3,     /* input channels, at most, whose taps count as channels */
    SEGMENTS = 4,     /* of the batch, summed apart where there are too few weights to share out: */
    FEW = 8192        /* of them, at most */
};

/* ---- Patches. ---- */

static int64_t patches(const agk__weight_plan *p)
{
    return p->c->groups * agk__parts(p->out, p->some_out) * agk__parts(p->in, p->some_in) * p->taps / p->some_taps *
           p->segments;
}

/* Without workspace: pixel by pixel, tap by tap. */
static void weight_patch_sparingly(const agk__weight_plan *p, const agk__weight_patch *at)
{
    _Alignas(64) ag_real memory[2 * AGK_PANEL_PIXEL + AGK_PAIRS_PIXEL];
    agk__weight_plan     least = *p;
    least.some_out = least.some_in = LANES;
    least.some_taps = least.band[0] = least.band[1] = 1;
    for (int64_t o = 0; o < at->n_out; o += LANES)
        for (int64_t k = 0; k < at->n_in; k += LANES)
            for (int64_t t = 0; t < at->n_taps; t++)
                agk__weight_patch_gradient(
                    &least,
                    &(agk__weight_patch){at->group, at->out + o, agk__least(at->n_out - o, LANES), at->in + k,
                                         agk__least(at->n_in - k, LANES), at->tap + t, 1, at->segment},
                    memory);
}

/* Patch i of a plan. */
static agk__weight_patch patch_at(const agk__weight_plan *p, int64_t i)
{
    const int64_t taps = p->taps / p->some_taps, wide = agk__parts(p->in, p->some_in),
                  tall = agk__parts(p->out, p->some_out);
    const int64_t     tap = i % taps, in = i / taps % wide * p->some_in, out = i / taps / wide % tall * p->some_out;
    const int64_t     rest = i / taps / wide / tall, groups = p->c->groups;
    agk__weight_patch at = {.group = rest % groups,
                            .segment = rest / groups,
                            .out = out,
                            .in = in,
                            .tap = tap * p->some_taps,
                            .n_taps = p->some_taps};
    at.n_out = agk__least(p->out - out, p->some_out);
    at.n_in = agk__least(p->in - in, p->some_in);
    return at;
}

static void weight_patches(void *context, int64_t begin, int64_t end)
{
    const agk__weight_plan *p = context;
    ag_real                *workspace = agk_workspace();
    for (int64_t i = begin; i < end; i++) {
        const agk__weight_patch at = patch_at(p, i);
        if (workspace)
            agk__weight_patch_gradient(p, &at, workspace);
        else
            weight_patch_sparingly(p, &at);
    }
}

/* ---- The plan. ---- */

/* Halves the channels of a patch. Whether there was something to halve. */
static bool halve_channels(agk__weight_plan *p)
{
    int64_t *most = p->some_in >= p->some_out ? &p->some_in : &p->some_out;
    if (*most <= LANES)
        return false;
    *most = agk__parts(*most / LANES, 2) * LANES;
    return true;
}

/* Makes patches, then bands, smaller until the panels and sums of one fit the workspace. */
static void fit(agk__weight_plan *p)
{
    while (agk__weight_patch_size(p) > AGK_WORKSPACE)
        if (halve_channels(p))
            continue;
        else if (p->some_taps > 1)
            p->some_taps = p->some_taps > p->c->kernel[1] ? p->c->kernel[1] : 1;
        else
            p->band[p->band[0] == 1] = agk__parts(p->band[p->band[0] == 1], 2);
}

/* Makes patches smaller until there are enough of them for the threads. */
static void share(agk__weight_plan *p, int64_t threads)
{
    while (patches(p) < threads || (patches(p) % threads && patches(p) < 4 * threads))
        if (halve_channels(p))
            continue;
        else if (p->some_taps > p->c->kernel[1])
            p->some_taps = p->c->kernel[1];
        else
            return;
}

/* The side with more channels to fill vectors gives the columns of the products; fewer rows than four do not keep a
 * processor busy. */
static bool rows_are_in(int64_t out, int64_t in)
{
    const int64_t few = 4;
    return agk__parts(out, LANES) * (in < few ? few : in) <= agk__parts(in, LANES) * (out < few ? few : out);
}

static int64_t weights_of(const agk_conv *c)
{
    return c->in_channels / c->groups * c->out_channels * agk__area(c->kernel);
}

static int64_t segments_of(const agk_conv *c, int64_t block)
{
    return weights_of(c) <= FEW && agk__parts(c->batch, block) * c->out[0] >= SEGMENTS ? SEGMENTS : 1;
}

int64_t agk__weight_sums(const agk_conv *c, int64_t block)
{
    const int64_t segments = segments_of(c, block);
    return segments > 1 ? segments * weights_of(c) : 0;
}

bool agk__conv_has_pairs(const agk_conv *c)
{
    return c->in_channels / c->groups <= GATHERED && agk__area(c->kernel) > 1;
}

static agk__weight_plan plan_of(const agk_conv *c, int64_t block)
{
    const int64_t out = c->out_channels / c->groups, in = c->in_channels / c->groups, taps = agk__area(c->kernel),
                  band = BAND / block;
    agk__weight_plan p = {
        .c = c, .block = block, .out = out, .in = in, .taps = taps, .segments = segments_of(c, block)};
    p.gathered = agk__conv_has_pairs(c);
    if (p.gathered) {
        p.in *= taps;
        p.taps = 1;
    }
    p.rows_are_in = rows_are_in(p.out, p.in);
    p.some_out = agk__least(agk__parts(p.out, LANES) * LANES, MOST);
    p.some_in = agk__least(agk__parts(p.in, LANES) * LANES, p.gathered && block == 1 ? AGK_MOST_PAIRS : MOST);
    p.some_taps = p.taps;
    p.band[1] = agk__parts(c->out[1], agk__parts(c->out[1], band));
    p.band[0] = p.band[1] < c->out[1] ? 1
                                      : agk__least(band / p.band[1], c->out[0]); /* several rows, if they are whole */
    fit(&p);
    share(&p, ag_threads());
    return p;
}

/* sums (segments, n): the first, and then all, pair by pair. */
static void add_segments(int64_t n, int64_t segments, ag_real *sums)
{
    for (int64_t step = 1; step < segments; step *= 2)
        for (int64_t s = 0; s + step < segments; s += 2 * step)
            agk()->add(n, sums + (s + step) * n, sums + s * n);
}

static void gradient(agk__weight_plan *p, bool add, ag_real *dw, ag_real *sums)
{
    const int64_t n = weights_of(p->c);
    const double  work = (double)n * (double)agk__area(p->c->out) * (double)p->c->batch /
                        (double)patches(p); /* of each */
    p->dw = p->segments > 1 ? sums : dw;
    p->add = p->segments == 1 && add;
    agk_parallel(patches(p), (int64_t)(THREAD_WORK / (work + 1)) + 1, weight_patches, p);
    if (p->segments > 1) {
        add_segments(n, p->segments, sums);
        agk()->copy_rows(1, n, sums, n, add, dw, n);
    }
}

void agk_conv_weight_gradient(const agk_conv *c, agk_conv_images images, bool add, ag_real *dw)
{
    agk__weight_plan p = plan_of(c, AGK_LANES);
    p.x = images.x;
    p.g = images.y;
    gradient(&p, add, dw, images.sums);
}

void agk__conv_planes_weight(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw)
{
    agk__weight_plan p = plan_of(j->c, 1);
    p.x = j->source;
    p.g = dy;
    gradient(&p, add, dw, j->workspace);
}

double agk__conv_planes_weight_workspace_size(const agk_conv *c)
{
    return (double)agk__weight_sums(c, 1);
}
