/* The gradient of a convolution's weight, for few images of few channels or pixels, by matrix products. The pixels that
 * each tap of the kernel meets are copied into a panel, whose rows are in the order of the weights,
 *
 *        gradient (channels x (depth, taps))  =  output's (channels x pixels)  *  panel^T (pixels x (depth, taps))
 *
 * for some of the depth's channels at a time, so that their gradient stays in the second cache level while the images
 * pass, and for so many pixels that the panel does. */
#include <string.h>

#include "autograd/kernels/conv_border_internal.h"
#include "autograd/kernels/conv_weight_internal.h"
#include "autograd/kernels/threadpool.h"

enum {
    PANEL = 65536, /* reals, about */
    PART = 131072, /* reals of a part's gradient */
    FEWEST = 64,   /* pixels of a panel */
    MANY = 8       /* parts that threads can share evenly */
};

/* One group. A part of the depth is `channels` of it, a panel has at most `pixels`. */
typedef struct products_job {
    const agk__conv_job *j;
    agk__phase           v, h;
    int64_t              group, channels, pixels;
    const ag_real       *dy;
    bool                 add;
    ag_real             *dw;
} products_job;

/* Pixels `begin` .. `begin + n - 1` of the output of one image, for channels of the input from `source` on. */
typedef struct panel {
    const products_job *p;
    const ag_real      *source;
    int64_t             begin, n;
    ag_real            *to;
} panel;

/* Rows begin .. end-1 of a panel: row (k, tap). */
static void panel_rows(void *context, int64_t begin, int64_t end)
{
    const panel         *q = context;
    const agk__conv_job *j = q->p->j;
    const agk__phase    *v = &q->p->v, *h = &q->p->h;
    for (int64_t row = begin; row < end; row++) {
        const int64_t  taps = agk__area(j->c->kernel), tap = row % taps, tv = tap / h->taps, th = tap % h->taps;
        const ag_real *plane = q->source + row / taps * agk__area(j->from);
        ag_real       *to = q->to + row * q->n;
        for (int64_t at = q->begin, end_at = q->begin + q->n, n; at < end_at; at += n, to += n) {
            const int64_t y = at / h->count, x = at % h->count, from = v->base[tv] + y * v->advance;
            n = agk__least(h->count - x, end_at - at);
            if (from < 0 || from >= j->from[0])
                memset(to, 0, (size_t)n * sizeof *to);
            else
                agk__border_row(plane + from * j->from[1], j->from[1], h->base[th] + x * h->advance, h->advance, n, to);
        }
    }
}

/* The gradient of one part of the depth. */
static void part_product(const products_job *p, int64_t part)
{
    const agk__conv_job *j = p->j;
    const int64_t        taps = agk__area(j->c->kernel), ld = taps * j->depth, pixels = agk__area(j->to);
    const int64_t        first = part * p->channels, rows = taps * agk__least(p->channels, j->depth - first);
    ag_real             *to = p->dw + p->group * j->rows * ld + first * taps;
    for (int64_t image = 0; image < j->c->batch; image++) {
        const int64_t i = image * j->c->groups + p->group;
        panel         q = {p, j->source + (i * j->depth + first) * agk__area(j->from), 0, 0,
                           j->workspace + first * taps * p->pixels};
        for (; q.begin < pixels; q.begin += q.n) {
            q.n = agk__least(p->pixels, pixels - q.begin);
            agk_parallel(rows, AGK_CONV_GRAIN / q.n + 1, panel_rows, &q);
            const bool is_first = !p->add && image == 0 && q.begin == 0;
            agk_gemm(j->rows, rows, q.n, (agk_matrix){p->dy + i * j->rows * pixels + q.begin, pixels, 1},
                     (agk_matrix){q.to, 1, q.n}, is_first ? NULL : to, ld, to, ld);
        }
    }
}

static void part_products(void *context, int64_t begin, int64_t end)
{
    for (int64_t part = begin; part < end; part++)
        part_product(context, part);
}

/* Channels of a part, and pixels of a panel. */
static products_job plan(const agk_conv *c)
{
    const int64_t taps = agk__area(c->kernel),
                  fit = PART / (c->out_channels / c->groups * taps) / AGK_LANES * AGK_LANES;
    products_job  p = {.channels = agk__least(fit > AGK_LANES ? fit : AGK_LANES, c->in_channels / c->groups)};
    const int64_t n = PANEL / (taps * p.channels) / FEWEST * FEWEST;
    p.pixels = agk__least(n > FEWEST ? n : FEWEST, agk__area(c->out));
    return p;
}

void agk__conv_products_weight(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw)
{
    products_job  p = plan(j->c);
    const int64_t parts = agk__parts(j->depth, p.channels);
    p.j = j;
    p.v = agk__phase_of(j->c, true, 0, 0);
    p.h = agk__phase_of(j->c, true, 1, 0);
    p.dy = dy;
    p.add = add;
    p.dw = dw;
    for (; p.group < j->c->groups; p.group++)
        agk_parallel(parts, parts < MANY ? parts : 1, part_products, &p);
}

double agk__conv_products_workspace_size(const agk_conv *c)
{
    return (double)plan(c).pixels * (double)(agk__area(c->kernel) * (c->in_channels / c->groups));
}
