/* Convolutions row by row, for groups of one or two channels (depthwise convolutions): each row of the target is a
 * weighted sum of rows of the source, which is copied with a border of zeros. */
#include <string.h>

#include "autograd/kernels/conv_border_internal.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/kernels/workspace.h"

enum { LINE = 1024 }; /* reals of rows that are computed as one */

_Static_assert(AGK_ROW_TAPS % AGK_TOTALS == 0, "conv_totals works in groups of AGK_TOTALS");

typedef struct row_job {
    const agk__conv_job *j;
    agk__border          b;
    const agk__phase    *v, *h;               /* phases of the target: [stride], of which forward has one */
    int64_t              place[AGK_ROW_TAPS]; /* of each tap of the kernel */
    const ag_real       *dy;                  /* for the weight's gradient */
    ag_real             *dw;
    bool                 add;
} row_job;

/* Where `planes` bordered planes go, zeros unless it is `last`, the place before: the thread's workspace, which stays
 * in a cache, or else item i's part of the op's. */
static ag_real *planes_at(const row_job *r, int64_t planes, int64_t i, const ag_real *last)
{
    ag_real *own = planes * r->b.size <= AGK_WORKSPACE ? agk_workspace() : NULL;
    ag_real *at = own ? own : r->j->workspace + i * planes * r->b.size;
    if (at != last)
        memset(at, 0, (size_t)(planes * r->b.size) * sizeof *at);
    return at;
}

/* How many rows of a phase are computed as one: as many as fit a line. */
static int64_t rows_at_once(const agk__phase *v, const agk__phase *h, const agk__border *b, int64_t y)
{
    const int64_t fit = (LINE - AGK_BORDER_SLACK - h->count) / b->part[1] + 1;
    return agk__least(fit > 1 ? fit : 1, v->count - y);
}

/* A row of the target from a line; its pixels lie apart. */
static void put_row(const ag_real *restrict line, int64_t n, int64_t step, bool add, ag_real *restrict to)
{
    if (add)
        for (int64_t x = 0; x < n; x++, to += step)
            *to += line[x];
    else
        for (int64_t x = 0; x < n; x++, to += step)
            *to = line[x];
}

/* What a phase of a target's channel adds up: taps of the bordered planes of its group, and their weights. */
typedef struct weighted_taps {
    int64_t        n;
    const ag_real *from[AGK_ROW_TAPS];
    ag_real        weight[AGK_ROW_TAPS];
} weighted_taps;

static void find_taps(const row_job *r, const agk__phase *v, const agk__phase *h, int64_t g, int64_t row,
                      const ag_real *source, weighted_taps *w)
{
    const agk__conv_job *j = r->j;
    const int64_t        taps = agk__area(j->c->kernel), size = j->rows * j->depth * taps;
    const int64_t        step = (j->forward ? 1 : j->rows) * taps; /* from a channel of the source to the next */
    const ag_real       *weight = j->w + g * size + row * (j->forward ? j->depth : 1) * taps;
    w->n = 0;
    for (int64_t tv = 0; tv < v->taps; tv++)
        for (int64_t th = 0; th < h->taps; th++)
            for (int64_t k = 0; k < j->depth; k++, w->n++) {
                const int64_t tap = v->tap[tv] * j->c->kernel[1] + h->tap[th];
                w->from[w->n] = source + k * r->b.size + r->place[tap];
                w->weight[w->n] = weight[k * step + tap];
            }
}

/* Two rows of the target, whose pixels take turns. */
static void put_pairs(const ag_real *restrict even, const ag_real *restrict odd, int64_t n, bool add,
                      ag_real *restrict to)
{
    if (add)
        for (int64_t i = 0; i < n; i++) {
            to[2 * i] += even[i];
            to[2 * i + 1] += odd[i];
        }
    else
        for (int64_t i = 0; i < n; i++) {
            to[2 * i] = even[i];
            to[2 * i + 1] = odd[i];
        }
}

/* A row of the target's plane, from `phases` lines. */
static void put_phases(const agk__phase *h, int64_t phases, ag_real line[][LINE], int64_t at, int64_t x, int64_t wide,
                       bool add, ag_real *to)
{
    int64_t pairs = 0;
    if (phases == 2) {
        pairs = agk__least(wide, h[1].count - x);
        put_pairs(line[0] + at, line[1] + at, pairs, add, to + 2 * x);
    }
    for (int64_t i = 0; i < phases; i++)
        if (agk__least(wide, h[i].count - x) > pairs)
            put_row(line[i] + at + pairs, agk__least(wide, h[i].count - x) - pairs, h[i].step, add,
                    to + h[i].first + (x + pairs) * h[i].step);
}

/* One phase of the rows, and `phases` of the columns, of one plane of the target. */
static void target_plane(const row_job *r, const agk__phase *v, const agk__phase *h, int64_t phases, int64_t plane,
                         const ag_real *source)
{
    _Alignas(64) ag_real line[2][LINE];
    weighted_taps        w[2];
    const agk__conv_job *j = r->j;
    const int64_t        channel = plane % (j->c->groups * j->rows), pitch = r->b.part[1];
    const ag_real        bias = j->bias ? j->bias[channel] : 0;
    for (int64_t i = 0; i < phases; i++)
        find_taps(r, v, &h[i], channel / j->rows, channel % j->rows, source, &w[i]);
    for (int64_t y = 0, many; y < v->count; y += many) {
        many = rows_at_once(v, h, &r->b, y);
        for (int64_t x = 0, wide; x < h->count; x += wide) {
            wide = many > 1 ? h->count : agk__least(h->count - x, LINE - AGK_BORDER_SLACK);
            for (int64_t i = 0; i < phases; i++)
                agk()->conv_row((many - 1) * pitch + wide, w[i].n, w[i].weight, w[i].from, y * pitch + x, bias,
                                line[i]);
            ag_real *to = j->target + plane * agk__area(j->to) + (v->first + y * v->step) * j->to[1];
            if (h->step == 1)
                agk()->copy_rows(many, wide, line[0], pitch, j->add, to + x, v->step * j->to[1]);
            else
                for (int64_t k = 0; k < many; k++)
                    put_phases(h, phases, line, k * pitch, x, wide, j->add, to + k * v->step * j->to[1]);
        }
    }
}

static void target_planes(void *context, int64_t begin, int64_t end)
{
    const row_job       *r = context;
    const agk__conv_job *j = r->j;
    const int64_t        down = j->forward ? 1 : j->c->stride[0], across = j->forward ? 1 : j->c->stride[1];
    const int64_t        phases = across == 2 ? 2 : 1; /* at once */
    ag_real             *source = NULL;
    for (int64_t p = begin; p < end; p++) {
        source = planes_at(r, j->depth, p, source);
        for (int64_t k = 0; k < j->depth; k++)
            agk__border_fill(&r->b, j->from, 0, j->source + (p / j->rows * j->depth + k) * agk__area(j->from),
                             source + k * r->b.size);
        for (int64_t a = 0; a < down; a++)
            for (int64_t b = 0; b < across; b += phases)
                target_plane(r, &r->v[a], &r->h[b], phases, p, source);
    }
}

void agk__conv_rows(const agk__conv_job *j)
{
    const agk_conv *c = j->c;
    agk__phase      v[AGK_MOST_STRIDE], h[AGK_MOST_STRIDE];
    row_job         r = {.j = j, .b = agk__border_of(j), .v = v, .h = h};
    const int64_t   down = j->forward ? 1 : c->stride[0], across = j->forward ? 1 : c->stride[1];
    for (int64_t i = 0; i < down; i++)
        v[i] = agk__phase_of(c, j->forward, 0, i);
    for (int64_t i = 0; i < across; i++)
        h[i] = agk__phase_of(c, j->forward, 1, i);
    agk__border_places(&r.b, c, v, down, h, across, r.place);
    agk_parallel(c->batch * c->groups * j->rows,
                 AGK_CONV_GRAIN / (agk__area(j->to) * agk__area(c->kernel) * j->depth) + 1, target_planes, &r);
}

/* What one plane of the output's gradient adds to the sums of its taps: rows with the pitch of the bordered source, in
 * a line whose reals between them are zero. */
static void add_products(const row_job *r, const ag_real *g, const ag_real *const *from, int64_t taps, ag_real *line,
                         ag_real *sums)
{
    const int64_t pitch = r->b.part[1], width = r->h->count;
    for (int64_t y = 0, many; y < r->v->count; y += many) {
        many = rows_at_once(r->v, r->h, &r->b, y);
        for (int64_t x = 0, wide; x < width; x += wide) {
            wide = many > 1 ? width : agk__least(width - x, LINE - AGK_BORDER_SLACK);
            const int64_t n = (many - 1) * pitch + wide;
            agk()->copy_rows(many, wide, g + y * width + x, width, false, line, pitch);
            memset(line + n, 0, AGK_LANES * sizeof *line);
            agk()->conv_row_products(n, taps, line, from, y * pitch + x, sums);
        }
    }
}

/* Items are the weights' (out channel, in channel of its group). */
static void weight_planes(void *context, int64_t begin, int64_t end)
{
    const row_job       *r = context;
    const agk__conv_job *j = r->j;
    const agk_conv      *c = j->c;
    const int64_t        taps = agk__area(c->kernel);
    _Alignas(64) ag_real sums[AGK_ROW_TAPS * AGK_LANES], totals[AGK_ROW_TAPS], line[LINE] = {0};
    ag_real             *source = NULL;
    for (int64_t item = begin; item < end; item++) {
        const int64_t  o = item / j->depth, k = item % j->depth, g = o / j->rows;
        const int64_t  padded = (taps + AGK_TOTALS - 1) / AGK_TOTALS * AGK_TOTALS;
        const ag_real *from[AGK_ROW_TAPS];
        source = planes_at(r, 1, item, source);
        for (int64_t t = 0; t < taps; t++)
            from[t] = source + r->place[t];
        memset(sums, 0, sizeof sums);
        for (int64_t image = 0; image < c->batch; image++) {
            agk__border_fill(&r->b, j->from, 0,
                             j->source + ((image * c->groups + g) * j->depth + k) * agk__area(j->from), source);
            add_products(r, r->dy + (image * c->out_channels + o) * agk__area(c->out), from, taps, line, sums);
        }
        agk()->conv_totals(padded, sums, totals);
        for (int64_t t = 0; t < taps; t++)
            r->dw[item * taps + t] = r->add ? r->dw[item * taps + t] + totals[t] : totals[t];
    }
}

void agk__conv_rows_weight(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw)
{
    const agk_conv  *c = j->c;
    const agk__phase v = agk__phase_of(c, true, 0, 0), h = agk__phase_of(c, true, 1, 0);
    row_job          r = {.j = j, .b = agk__border_of(j), .v = &v, .h = &h, .dy = dy, .dw = dw, .add = add};
    agk__border_places(&r.b, c, &v, 1, &h, 1, r.place);
    agk_parallel(c->out_channels * j->depth, AGK_CONV_GRAIN / (c->batch * agk__area(c->out) * agk__area(c->kernel)) + 1,
                 weight_planes, &r);
}

double agk__conv_rows_workspace_size(const agk_conv *c)
{
    const agk__conv_job f = agk__conv_job_of(c, true), b = agk__conv_job_of(c, false);
    const agk__border   forward = agk__border_of(&f), backward = agk__border_of(&b);
    const double        size = (double)(forward.size > backward.size ? forward.size : backward.size);
    return (double)c->batch * (double)(c->groups * f.depth * b.depth) * size;
}
