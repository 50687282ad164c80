/* Convolutions by matrix products, for groups of several channels. The pixels that each tap of the kernel meets are
 * copied into a panel, whose rows are tap by tap the channels of the source,
 *
 *        target (channels x pixels)  =  weights (channels x (taps, depth))  *  panel ((taps, depth) x pixels)
 *
 * for so many pixels at a time that the panel stays in the second cache level. Backward of a strided convolution,
 * pixels whose position leaves the same remainder meet the same taps: each such phase is a product of its own. */
#include <string.h>

#include "autograd/kernels/conv_direct_internal.h"
#include "autograd/kernels/pool.h"

enum {
    PANEL = 65536, /* reals, about */
    FEWEST = 64    /* pixels of a panel */
};

/* ---- Panels. ---- */

/* Pixels `begin` .. `begin + n - 1`, counted through the rows of a phase, of one group of one image. */
typedef struct panel_job {
    const agk__conv_job *j;
    const agk__phase    *v, *h;
    const ag_real       *source; /* the group's channels */
    int64_t              begin, n;
    ag_real             *panel;
} panel_job;

/* to[i] = the source's row at column base + (x + i) * advance, 0 beyond its ends. */
static void copy_row(const ag_real *row, int64_t width, int64_t base, int64_t advance, int64_t x, int64_t n,
                     ag_real *to)
{
    int64_t at = base + x * advance, i = 0;
    for (; i < n && at < 0; i++, at += advance)
        to[i] = 0;
    int64_t inside = at < width ? agk__least((width - at + advance - 1) / advance, n - i) : 0;
    if (advance == 1)
        memcpy(to + i, row + at, (size_t)inside * sizeof *to);
    else
        for (int64_t k = 0; k < inside; k++)
            to[i + k] = row[at + k * advance];
    memset(to + i + inside, 0, (size_t)(n - i - inside) * sizeof *to);
}

/* Rows begin .. end-1 of a panel: row (tap, k). */
static void panel_rows(void *context, int64_t begin, int64_t end)
{
    const panel_job     *p = context;
    const agk__conv_job *j = p->j;
    for (int64_t row = begin; row < end; row++) {
        const int64_t  k = row % j->depth, tap = row / j->depth, tv = tap / p->h->taps, th = tap % p->h->taps;
        const ag_real *plane = p->source + k * agk__area(j->from);
        ag_real       *to = p->panel + row * p->n;
        for (int64_t at = p->begin, end_at = p->begin + p->n, n; at < end_at; at += n, to += n) {
            const int64_t y = at / p->h->count, x = at % p->h->count, from = p->v->base[tv] + y * p->v->advance;
            n = agk__least(p->h->count - x, end_at - at);
            if (from < 0 || from >= j->from[0])
                memset(to, 0, (size_t)n * sizeof *to);
            else
                copy_row(plane + from * j->from[1], j->from[1], p->h->base[th], p->h->advance, x, n, to);
        }
    }
}

static void make_panel(const panel_job *p)
{
    agk_parallel(p->v->taps * p->h->taps * p->j->depth, AGK_CONV_GRAIN / p->n + 1, panel_rows, (void *)p);
}

/* Pixels of a panel of so many rows. */
static int64_t panel_pixels(int64_t rows, int64_t pixels)
{
    int64_t n = PANEL / rows / FEWEST * FEWEST;
    return agk__least(n > FEWEST ? n : FEWEST, pixels);
}

/* ---- Weights, in the order of a panel's rows: (group, channel of the target, tap, depth). ---- */

static void order_channels(void *context, int64_t begin, int64_t end)
{
    const agk__conv_job *j = context;
    const int64_t        taps = agk__area(j->c->kernel), size = taps * j->depth;
    for (int64_t r = begin; r < end; r++)
        agk()->transpose(j->depth, taps, j->w + r * size, taps, false, j->room + r * size, j->depth);
}

/* Returns them; the given weights where they are in that order. */
static const ag_real *order_weights(const agk__conv_job *j)
{
    const int64_t taps = agk__area(j->c->kernel), group = j->rows * j->depth * taps;
    if (j->forward && (taps == 1 || j->depth == 1))
        return j->w;
    if (j->forward)
        agk_parallel(j->c->groups * j->rows, AGK_CONV_GRAIN / (taps * j->depth) + 1, order_channels, (void *)j);
    for (int64_t g = 0; !j->forward && g < j->c->groups; g++) /* (out, in, tap) to (in, tap, out) */
        agk()->transpose(j->depth, j->rows * taps, j->w + g * group, j->rows * taps, false, j->room + g * group,
                         j->depth);
    return j->room;
}

/* ---- One product. ---- */

static void fill_bias(const ag_real *bias, int64_t rows, int64_t n, ag_real *to, int64_t ld)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n; i++)
            to[r * ld + i] = bias ? bias[r] : 0;
}

/* The phase's taps one after the other, as only all of a kernel's stand together. */
static void multiply(const panel_job *p, const ag_real *w, ag_real *to, int64_t ld)
{
    const agk__conv_job *j = p->j;
    const int64_t        taps = agk__area(j->c->kernel), row = taps * j->depth, used = p->v->taps * p->h->taps;
    if (used == taps) {
        agk_gemm(j->rows, p->n, row, (agk_matrix){w, row, 1}, (agk_matrix){p->panel, p->n, 1}, to, ld, to, ld);
        return;
    }
    for (int64_t t = 0; t < used; t++) {
        const int64_t tap = p->v->tap[t / p->h->taps] * j->c->kernel[1] + p->h->tap[t % p->h->taps];
        agk_gemm(j->rows, p->n, j->depth, (agk_matrix){w + tap * j->depth, row, 1},
                 (agk_matrix){p->panel + t * j->depth * p->n, p->n, 1}, to, ld, to, ld);
    }
}

/* From `result` (rows, n) to the places of the phase's pixels. */
static void scatter(const panel_job *p, const ag_real *result, ag_real *target)
{
    const agk__conv_job *j = p->j;
    const int64_t        step = p->h->step;
    for (int64_t r = 0; r < j->rows; r++, target += agk__area(j->to))
        for (int64_t at = p->begin, n; at < p->begin + p->n; at += n, result += n) {
            const int64_t y = at / p->h->count, x = at % p->h->count;
            ag_real      *to = target + (p->v->first + y * p->v->step) * j->to[1] + p->h->first + x * step;
            n = agk__least(p->h->count - x, p->begin + p->n - at);
            if (j->add)
                for (int64_t i = 0; i < n; i++)
                    to[i * step] += result[i];
            else
                for (int64_t i = 0; i < n; i++)
                    to[i * step] = result[i];
        }
}

static int64_t weights_size(const agk_conv *c)
{
    return c->in_channels / c->groups * c->out_channels * agk__area(c->kernel);
}

/* All pixels of one phase of one group of one image. */
static void run_phase(const agk__conv_job *j, const agk__phase *v, const agk__phase *h, int64_t image, int64_t g,
                      const ag_real *w)
{
    const agk_conv *c = j->c;
    const int64_t   pixels = v->count * h->count, rows = v->taps * h->taps * j->depth;
    const bool      in_place = v->step == 1 && h->step == 1 && !j->add;
    ag_real        *target = j->target + ((image * c->groups + g) * j->rows) * agk__area(j->to);
    panel_job       p = {j,
                         v,
                         h,
                         j->source + ((image * c->groups + g) * j->depth) * agk__area(j->from),
                         0,
                         0,
                         j->room + weights_size(c)};
    const int64_t   most = panel_pixels(rows > 0 ? rows : 1, pixels);
    for (; p.begin < pixels; p.begin += p.n) {
        p.n = agk__least(most, pixels - p.begin);
        ag_real      *to = in_place ? target + p.begin : p.panel + rows * p.n;
        const int64_t ld = in_place ? agk__area(j->to) : p.n;
        if (rows > 0)
            make_panel(&p);
        fill_bias(j->bias ? j->bias + g * j->rows : NULL, j->rows, p.n, to, ld);
        if (rows > 0)
            multiply(&p, w + g * j->rows * j->depth * agk__area(c->kernel), to, ld);
        if (!in_place)
            scatter(&p, to, target);
    }
}

void agk__conv_products(const agk__conv_job *j)
{
    const agk_conv *c = j->c;
    const ag_real  *w = order_weights(j);
    const int64_t   across = j->forward ? 1 : c->stride[1], down = j->forward ? 1 : c->stride[0];
    for (int64_t a = 0; a < down; a++)
        for (int64_t b = 0; b < across; b++) {
            const agk__phase v = agk__phase_of(c, j->forward, 0, a), h = agk__phase_of(c, j->forward, 1, b);
            for (int64_t i = 0; i < c->batch * c->groups; i++)
                run_phase(j, &v, &h, i / c->groups, i % c->groups, w);
        }
}

/* ---- The gradient of the weight: output gradients by panels, transposed. ---- */

typedef struct unorder_job {
    const agk_conv *c;
    const ag_real  *from;
    bool            add;
    ag_real        *dw;
} unorder_job;

static void unorder_channels(void *context, int64_t begin, int64_t end)
{
    const unorder_job *u = context;
    const int64_t      taps = agk__area(u->c->kernel), depth = u->c->in_channels / u->c->groups, size = taps * depth;
    for (int64_t r = begin; r < end; r++)
        agk()->transpose(taps, depth, u->from + r * size, depth, u->add, u->dw + r * size, taps);
}

void agk__conv_products_weight(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw)
{
    const agk_conv  *c = j->c;
    const int64_t    taps = agk__area(c->kernel), row = taps * j->depth, pixels = agk__area(c->out);
    const agk__phase v = agk__phase_of(c, true, 0, 0), h = agk__phase_of(c, true, 1, 0);
    const bool       in_place = taps == 1 || j->depth == 1;
    ag_real         *sums = in_place ? dw : j->room;
    if (!in_place || !add)
        memset(sums, 0, (size_t)weights_size(c) * sizeof *sums);
    for (int64_t i = 0; i < c->batch * c->groups; i++) {
        const int64_t g = i % c->groups;
        panel_job     p = {j, &v, &h, j->source + i * j->depth * agk__area(j->from), 0, 0, j->room + weights_size(c)};
        const int64_t most = panel_pixels(row, pixels);
        for (; p.begin < pixels; p.begin += p.n) {
            p.n = agk__least(most, pixels - p.begin);
            make_panel(&p);
            ag_real *to = sums + g * j->rows * row;
            agk_gemm(j->rows, row, p.n, (agk_matrix){dy + i * j->rows * pixels + p.begin, pixels, 1},
                     (agk_matrix){p.panel, 1, p.n}, to, row, to, row);
        }
    }
    if (!in_place)
        agk_parallel(c->out_channels, AGK_CONV_GRAIN / row + 1, unorder_channels, &(unorder_job){c, sums, add, dw});
}
double agk__conv_products_room(const agk_conv *c)
{
    const agk__conv_job f = agk__conv_job_of(c, true), b = agk__conv_job_of(c, false);
    const int64_t       taps = agk__area(c->kernel), forward = taps * f.depth, backward = taps * b.depth;
    const int64_t       n = panel_pixels(forward, agk__area(c->out)) * (forward + f.rows),
                  m = panel_pixels(1, agk__area(c->in)) * b.rows;
    /* a phase may have few taps, and so panels of many pixels */
    const int64_t k = m + PANEL + FEWEST * backward + FEWEST * b.rows;
    return (double)weights_size(c) + (double)(n > k ? n : k);
}
