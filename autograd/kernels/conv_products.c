/* The gradient of a convolution's weight, for few images of few channels or pixels, by matrix products. The pixels that
 * each tap of the kernel meets are copied into a panel, whose rows are in the order of the weights,
 *
 *        gradient (channels x (depth, taps))  =  output's (channels x pixels)  *  panel^T (pixels x (depth, taps))
 *
 * for so many pixels at a time that the panel stays in the second cache level. */
#include <string.h>

#include "autograd/kernels/conv_border_internal.h"
#include "autograd/kernels/threadpool.h"

enum {
    PANEL = 65536, /* reals, about */
    FEWEST = 64    /* pixels of a panel */
};

/* Pixels `begin` .. `begin + n - 1` of the output of one group of one image. */
typedef struct panel_job {
    const agk__conv_job *j;
    const agk__phase    *v, *h;
    const ag_real       *source; /* the group's channels */
    int64_t              begin, n;
    ag_real             *panel;
} panel_job;

/* Rows begin .. end-1 of a panel: row (k, tap). */
static void panel_rows(void *context, int64_t begin, int64_t end)
{
    const panel_job     *p = context;
    const agk__conv_job *j = p->j;
    for (int64_t row = begin; row < end; row++) {
        const int64_t taps = agk__area(j->c->kernel), k = row / taps, tap = row % taps, tv = tap / p->h->taps,
                      th = tap % p->h->taps;
        const ag_real *plane = p->source + k * agk__area(j->from);
        ag_real       *to = p->panel + row * p->n;
        for (int64_t at = p->begin, end_at = p->begin + p->n, n; at < end_at; at += n, to += n) {
            const int64_t y = at / p->h->count, x = at % p->h->count, from = p->v->base[tv] + y * p->v->advance;
            n = agk__least(p->h->count - x, end_at - at);
            if (from < 0 || from >= j->from[0])
                memset(to, 0, (size_t)n * sizeof *to);
            else
                agk__border_row(plane + from * j->from[1], j->from[1], p->h->base[th] + x * p->h->advance,
                                p->h->advance, n, to);
        }
    }
}

/* Pixels of a panel. */
static int64_t panel_pixels(const agk_conv *c)
{
    const int64_t rows = agk__area(c->kernel) * (c->in_channels / c->groups), n = PANEL / rows / FEWEST * FEWEST;
    return agk__least(n > FEWEST ? n : FEWEST, agk__area(c->out));
}

void agk__conv_products_weight(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw)
{
    const agk_conv  *c = j->c;
    const int64_t    row = agk__area(c->kernel) * j->depth, pixels = agk__area(c->out), most = panel_pixels(c);
    const agk__phase v = agk__phase_of(c, true, 0, 0), h = agk__phase_of(c, true, 1, 0);
    for (int64_t i = 0; i < c->batch * c->groups; i++) {
        ag_real  *to = dw + i % c->groups * j->rows * row;
        panel_job p = {j, &v, &h, j->source + i * j->depth * agk__area(j->from), 0, 0, j->workspace};
        for (; p.begin < pixels; p.begin += p.n) {
            p.n = agk__least(most, pixels - p.begin);
            agk_parallel(row, AGK_CONV_GRAIN / p.n + 1, panel_rows, &p);
            const bool first = !add && i < c->groups && p.begin == 0;
            agk_gemm(j->rows, row, p.n, (agk_matrix){dy + i * j->rows * pixels + p.begin, pixels, 1},
                     (agk_matrix){p.panel, 1, p.n}, first ? NULL : to, row, to, row);
        }
    }
}

double agk__conv_products_workspace_size(const agk_conv *c)
{
    return (double)panel_pixels(c) * (double)(agk__area(c->kernel) * (c->in_channels / c->groups));
}
