/* For groups of several channels: matrix products. The pixels that each tap of the kernel meets are copied into a
 * panel, whose rows are tap by tap the channels of the source,
 *
 *        target (channels x pixels)  =  weights (channels x (taps, depth))  *  panel ((taps, depth) x pixels)
 *
 * for so many pixels at a time that the panel stays in the second cache level. Backward of a strided convolution,
 * pixels whose position leaves the same remainder meet the same taps: each such phase is a product of its own.
 *
 * For groups of one or two channels (depthwise convolutions): each row of the target is a weighted sum of rows of the
 * source, which is copied once with a border of zeros, and with columns of one phase side by side. */
#include "autograd/kernels/conv_direct.h"

#include <string.h>

#include "autograd/kernels/pool.h"
#include "autograd/kernels/workspace.h"

enum {
    PANEL = 65536,   /* reals, about */
    FEWEST = 64,     /* pixels of a panel */
    MOST_TAPS = 121, /* of a kernel in the row-by-row way */
    LINE = 1024,     /* reals of rows that are computed as one */
    SLACK = 64,      /* reals that may be read beyond a plane */
    GRAIN = 16384    /* multiply-adds or copies that are worth a thread */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t area(const int64_t *size)
{
    return size[0] * size[1];
}

/* ---- Which pixels meet. Forward, the source is the input; for the gradient of the input, it is that of the output.
 * ---- */

/* Along one axis: positions first, first + step, ... of the target, `count` of them, and the taps that they meet. Tap
 * tap[t] of position i finds the source at base[t] + i * advance. */
typedef struct phase {
    int64_t first, step, count, taps, advance;
    int64_t tap[MOST_TAPS], base[MOST_TAPS];
} phase;

/* Phase `remainder` of an axis: of 1 forward, of `stride` backward. */
static phase phase_of(const agk_conv *c, bool forward, int axis, int64_t remainder)
{
    const int64_t stride = c->stride[axis], padding = c->padding[axis], to = forward ? c->out[axis] : c->in[axis];
    phase         p = {remainder, forward ? 1 : stride, 0, 0, forward ? stride : 1, {0}, {0}};
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

/* One direction of a convolution. */
typedef struct job {
    const agk_conv *c;
    bool            forward, add;
    int64_t         depth, rows; /* channels of a group: of the source, of the target */
    const int64_t  *from, *to;
    const ag_real  *source, *w, *bias;
    ag_real        *target, *room;
} job;

static job job_of(const agk_conv *c, bool forward)
{
    const int64_t in = c->in_channels / c->groups, out = c->out_channels / c->groups;
    return (job){.c = c,
                 .forward = forward,
                 .depth = forward ? in : out,
                 .rows = forward ? out : in,
                 .from = forward ? c->in : c->out,
                 .to = forward ? c->out : c->in};
}

/* ---- Panels. ---- */

/* Pixels `begin` .. `begin + n - 1`, counted through the rows of a phase, of one group of one image. */
typedef struct panel_job {
    const job     *j;
    const phase   *v, *h;
    const ag_real *source; /* the group's channels */
    int64_t        begin, n;
    ag_real       *panel;
} panel_job;

/* to[i] = the source's row at column base + (x + i) * advance, 0 beyond its ends. */
static void copy_row(const ag_real *row, int64_t width, int64_t base, int64_t advance, int64_t x, int64_t n,
                     ag_real *to)
{
    int64_t at = base + x * advance, i = 0;
    for (; i < n && at < 0; i++, at += advance)
        to[i] = 0;
    int64_t inside = at < width ? least((width - at + advance - 1) / advance, n - i) : 0;
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
    const panel_job *p = context;
    const job       *j = p->j;
    for (int64_t row = begin; row < end; row++) {
        const int64_t  k = row % j->depth, tap = row / j->depth, tv = tap / p->h->taps, th = tap % p->h->taps;
        const ag_real *plane = p->source + k * area(j->from);
        ag_real       *to = p->panel + row * p->n;
        for (int64_t at = p->begin, end_at = p->begin + p->n, n; at < end_at; at += n, to += n) {
            const int64_t y = at / p->h->count, x = at % p->h->count, from = p->v->base[tv] + y * p->v->advance;
            n = least(p->h->count - x, end_at - at);
            if (from < 0 || from >= j->from[0])
                memset(to, 0, (size_t)n * sizeof *to);
            else
                copy_row(plane + from * j->from[1], j->from[1], p->h->base[th], p->h->advance, x, n, to);
        }
    }
}

static void make_panel(const panel_job *p)
{
    agk_parallel(p->v->taps * p->h->taps * p->j->depth, GRAIN / p->n + 1, panel_rows, (void *)p);
}

/* Pixels of a panel of so many rows. */
static int64_t panel_pixels(int64_t rows, int64_t pixels)
{
    int64_t n = PANEL / rows / FEWEST * FEWEST;
    return least(n > FEWEST ? n : FEWEST, pixels);
}

/* ---- Weights, in the order of a panel's rows: (group, channel of the target, tap, depth). ---- */

static void order_channels(void *context, int64_t begin, int64_t end)
{
    const job    *j = context;
    const int64_t taps = area(j->c->kernel), size = taps * j->depth;
    for (int64_t r = begin; r < end; r++)
        agk()->transpose(j->depth, taps, j->w + r * size, taps, false, j->room + r * size, j->depth);
}

/* Returns them; the given weights where they are in that order. */
static const ag_real *order_weights(const job *j)
{
    const int64_t taps = area(j->c->kernel), group = j->rows * j->depth * taps;
    if (j->forward && (taps == 1 || j->depth == 1))
        return j->w;
    if (j->forward)
        agk_parallel(j->c->groups * j->rows, GRAIN / (taps * j->depth) + 1, order_channels, (void *)j);
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
    const job    *j = p->j;
    const int64_t taps = area(j->c->kernel), row = taps * j->depth, used = p->v->taps * p->h->taps;
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
    const job    *j = p->j;
    const int64_t step = p->h->step;
    for (int64_t r = 0; r < j->rows; r++, target += area(j->to))
        for (int64_t at = p->begin, n; at < p->begin + p->n; at += n, result += n) {
            const int64_t y = at / p->h->count, x = at % p->h->count;
            ag_real      *to = target + (p->v->first + y * p->v->step) * j->to[1] + p->h->first + x * step;
            n = least(p->h->count - x, p->begin + p->n - at);
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
    return c->in_channels / c->groups * c->out_channels * area(c->kernel);
}

/* All pixels of one phase of one group of one image. */
static void run_phase(const job *j, const phase *v, const phase *h, int64_t image, int64_t g, const ag_real *w)
{
    const agk_conv *c = j->c;
    const int64_t   pixels = v->count * h->count, rows = v->taps * h->taps * j->depth;
    const bool      in_place = v->step == 1 && h->step == 1 && !j->add;
    ag_real        *target = j->target + ((image * c->groups + g) * j->rows) * area(j->to);
    panel_job       p = {
              j, v, h, j->source + ((image * c->groups + g) * j->depth) * area(j->from), 0, 0, j->room + weights_size(c)};
    const int64_t most = panel_pixels(rows > 0 ? rows : 1, pixels);
    for (; p.begin < pixels; p.begin += p.n) {
        p.n = least(most, pixels - p.begin);
        ag_real      *to = in_place ? target + p.begin : p.panel + rows * p.n;
        const int64_t ld = in_place ? area(j->to) : p.n;
        if (rows > 0)
            make_panel(&p);
        fill_bias(j->bias ? j->bias + g * j->rows : NULL, j->rows, p.n, to, ld);
        if (rows > 0)
            multiply(&p, w + g * j->rows * j->depth * area(c->kernel), to, ld);
        if (!in_place)
            scatter(&p, to, target);
    }
}

static void run_products(const job *j)
{
    const agk_conv *c = j->c;
    const ag_real  *w = order_weights(j);
    const int64_t   across = j->forward ? 1 : c->stride[1], down = j->forward ? 1 : c->stride[0];
    for (int64_t a = 0; a < down; a++)
        for (int64_t b = 0; b < across; b++) {
            const phase v = phase_of(c, j->forward, 0, a), h = phase_of(c, j->forward, 1, b);
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
    const int64_t      taps = area(u->c->kernel), depth = u->c->in_channels / u->c->groups, size = taps * depth;
    for (int64_t r = begin; r < end; r++)
        agk()->transpose(taps, depth, u->from + r * size, depth, u->add, u->dw + r * size, taps);
}

static void weight_products(const job *j, const ag_real *dy, bool add, ag_real *dw)
{
    const agk_conv *c = j->c;
    const int64_t   taps = area(c->kernel), row = taps * j->depth, pixels = area(c->out);
    const phase     v = phase_of(c, true, 0, 0), h = phase_of(c, true, 1, 0);
    const bool      in_place = taps == 1 || j->depth == 1;
    ag_real        *sums = in_place ? dw : j->room;
    if (!in_place || !add)
        memset(sums, 0, (size_t)weights_size(c) * sizeof *sums);
    for (int64_t i = 0; i < c->batch * c->groups; i++) {
        const int64_t g = i % c->groups;
        panel_job     p = {j, &v, &h, j->source + i * j->depth * area(j->from), 0, 0, j->room + weights_size(c)};
        const int64_t most = panel_pixels(row, pixels);
        for (; p.begin < pixels; p.begin += p.n) {
            p.n = least(most, pixels - p.begin);
            make_panel(&p);
            ag_real *to = sums + g * j->rows * row;
            agk_gemm(j->rows, row, p.n, (agk_matrix){dy + i * j->rows * pixels + p.begin, pixels, 1},
                     (agk_matrix){p.panel, 1, p.n}, to, row, to, row);
        }
    }
    if (!in_place)
        agk_parallel(c->out_channels, GRAIN / row + 1, unorder_channels, &(unorder_job){c, sums, add, dw});
}

/* ---- Row by row. ---- */

/* The source with a border of zeros: `before` rows and columns on the low side. Forward, rows and columns are sorted by
 * their remainder by the stride, so that what one tap meets lies side by side: phases[0] by phases[1] parts of part[0]
 * rows by part[1] columns. */
typedef struct border {
    int64_t before[2], phases[2], part[2];
    int64_t size; /* of a plane, reals */
} border;

static border border_of(const job *j)
{
    const agk_conv *c = j->c;
    border          b = {.size = 1};
    for (int i = 0; i < 2; i++) {
        const int64_t reach = c->dilation[i] * (c->kernel[i] - 1);
        int64_t       size;
        if (j->forward) {
            b.before[i] = c->padding[i];
            size = (c->out[i] - 1) * c->stride[i] + reach + 1;
        } else { /* the target's position 0 meets the source from (padding - reach) / stride, rounded down, on */
            const int64_t low = reach - c->padding[i];
            b.before[i] = low > 0 ? (low + c->stride[i] - 1) / c->stride[i] : 0;
            size = b.before[i] + (c->in[i] - 1 + c->padding[i]) / c->stride[i] + 1;
        }
        size = size > b.before[i] + j->from[i] ? size : b.before[i] + j->from[i];
        b.phases[i] = j->forward ? c->stride[i] : 1;
        b.part[i] = (size + b.phases[i] - 1) / b.phases[i];
        b.size *= b.phases[i] * b.part[i];
    }
    b.size = (b.size + SLACK + SLACK - 1) / SLACK * SLACK;
    return b;
}

/* Where row y, column x of the bordered source lies. */
static int64_t place_of(const border *b, int64_t y, int64_t x)
{
    if (b->phases[0] == 1 &&
        b->phases[1] == 1) /* without divisions, which would take longer than what there is to do */
        return y * b->part[1] + x;
    const int64_t part = y % b->phases[0] * b->phases[1] + x % b->phases[1];
    return (part * b->part[0] + y / b->phases[0]) * b->part[1] + x / b->phases[1];
}

/* Where tap (tv, th) of the phases finds what meets the target's first position. */
static int64_t tap_place(const border *b, const phase *v, int64_t tv, const phase *h, int64_t th)
{
    return place_of(b, v->base[tv] + b->before[0], h->base[th] + b->before[1]);
}

typedef struct row_job {
    const job     *j;
    border         b;
    const phase   *v, *h; /* phases of the target: [stride], of which forward has one */
    const ag_real *dy;    /* for the weight's gradient */
    ag_real       *dw;
    bool           add;
} row_job;

/* to[i] = from[2 i], and its neighbours. */
static void copy_pairs(int64_t n, const ag_real *restrict from, ag_real *restrict even, ag_real *restrict odd)
{
    for (int64_t i = 0; i < n; i++) {
        even[i] = from[2 * i];
        odd[i] = from[2 * i + 1];
    }
}

static void copy_columns(const border *b, int64_t width, const ag_real *from, int64_t y, ag_real *to)
{
    const int64_t phases = b->phases[1];
    int64_t       done = 0;
    if (phases == 1)
        memcpy(to + place_of(b, y, b->before[1]), from, (size_t)(done = width) * sizeof *to);
    else if (phases == 2)
        copy_pairs((done = width / 2 * 2) / 2, from, to + place_of(b, y, b->before[1]),
                   to + place_of(b, y, b->before[1] + 1));
    for (int64_t x = done; x < width && x < done + phases; x++) {
        ag_real *row = to + place_of(b, y, x + b->before[1]);
        for (int64_t i = x; i < width; i += phases)
            *row++ = from[i];
    }
}

/* Plane p of the source, with its border. */
static void copy_plane(const job *j, const border *b, int64_t p, ag_real *to)
{
    const ag_real *from = j->source + p * area(j->from);
    memset(to, 0, (size_t)b->size * sizeof *to);
    for (int64_t y = 0; y < j->from[0]; y++, from += j->from[1])
        copy_columns(b, j->from[1], from, y + b->before[0], to);
}

/* Room for `planes` bordered planes: the thread's own, which stays in a cache, or else the place of item i's in the
 * op's. */
static ag_real *room_for(const row_job *r, int64_t planes, int64_t i)
{
    ag_real *workspace = planes * r->b.size <= AGK_WORKSPACE ? agk_workspace() : NULL;
    return workspace ? workspace : r->j->room + i * planes * r->b.size;
}

/* How many rows of a phase are computed as one: as many as a line has room for. */
static int64_t rows_at_once(const phase *v, const border *b, int64_t y)
{
    const int64_t fit = (LINE - SLACK) / b->part[1];
    return least(fit > 1 ? fit : 1, v->count - y);
}

/* A row of the target from a line; its pixels may lie apart. */
static void put_row(const ag_real *restrict line, int64_t n, int64_t step, bool add, ag_real *restrict to)
{
    if (step == 1 && !add)
        memcpy(to, line, (size_t)n * sizeof *to);
    else if (step == 1)
        agk()->add(n, line, to);
    else if (add)
        for (int64_t x = 0; x < n; x++, to += step)
            *to += line[x];
    else
        for (int64_t x = 0; x < n; x++, to += step)
            *to = line[x];
}

/* What a phase of a target's channel adds up: taps of the bordered planes of its group, and their weights. */
typedef struct weighted_taps {
    int64_t        n;
    const ag_real *from[MOST_TAPS];
    ag_real        weight[MOST_TAPS];
} weighted_taps;

static void find_taps(const row_job *r, const phase *v, const phase *h, int64_t g, int64_t row, const ag_real *source,
                      weighted_taps *w)
{
    const job     *j = r->j;
    const int64_t  taps = area(j->c->kernel), size = j->rows * j->depth * taps;
    const int64_t  step = (j->forward ? 1 : j->rows) * taps; /* from a channel of the source to the next */
    const ag_real *weight = j->w + g * size + row * (j->forward ? j->depth : 1) * taps;
    w->n = 0;
    for (int64_t tv = 0; tv < v->taps; tv++)
        for (int64_t th = 0; th < h->taps; th++)
            for (int64_t k = 0; k < j->depth; k++, w->n++) {
                w->from[w->n] = source + k * r->b.size + tap_place(&r->b, v, tv, h, th);
                w->weight[w->n] = weight[k * step + v->tap[tv] * j->c->kernel[1] + h->tap[th]];
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
static void put_phases(const phase *h, int64_t phases, ag_real line[][LINE], int64_t at, int64_t x, int64_t wide,
                       bool add, ag_real *to)
{
    int64_t pairs = 0;
    if (phases == 2) {
        pairs = least(wide, h[1].count - x);
        put_pairs(line[0] + at, line[1] + at, pairs, add, to + 2 * x);
    }
    for (int64_t i = 0; i < phases; i++)
        if (least(wide, h[i].count - x) > pairs)
            put_row(line[i] + at + pairs, least(wide, h[i].count - x) - pairs, h[i].step, add,
                    to + h[i].first + (x + pairs) * h[i].step);
}

/* One phase of the rows, and `phases` of the columns, of one plane of the target. */
static void target_plane(const row_job *r, const phase *v, const phase *h, int64_t phases, int64_t plane,
                         const ag_real *source)
{
    _Alignas(64) ag_real line[2][LINE];
    weighted_taps        w[2];
    const job           *j = r->j;
    const int64_t        channel = plane % (j->c->groups * j->rows), pitch = r->b.part[1];
    const ag_real        bias = j->bias ? j->bias[channel] : 0;
    for (int64_t i = 0; i < phases; i++)
        find_taps(r, v, &h[i], channel / j->rows, channel % j->rows, source, &w[i]);
    for (int64_t y = 0, many; y < v->count; y += many) {
        many = rows_at_once(v, &r->b, y);
        for (int64_t x = 0, wide; x < h->count; x += wide) {
            wide = many > 1 ? h->count : least(h->count - x, LINE - SLACK);
            for (int64_t i = 0; i < phases; i++)
                agk()->conv_row((many - 1) * pitch + wide, w[i].n, w[i].weight, w[i].from, y * pitch + x, bias,
                                line[i]);
            for (int64_t k = 0; k < many; k++)
                put_phases(h, phases, line, k * pitch, x, wide, j->add,
                           j->target + plane * area(j->to) + (v->first + (y + k) * v->step) * j->to[1]);
        }
    }
}

static void target_planes(void *context, int64_t begin, int64_t end)
{
    const row_job *r = context;
    const job     *j = r->j;
    const int64_t  down = j->forward ? 1 : j->c->stride[0], across = j->forward ? 1 : j->c->stride[1];
    const int64_t  phases = across == 2 ? 2 : 1; /* at once */
    for (int64_t p = begin; p < end; p++) {
        ag_real *source = room_for(r, j->depth, p);
        for (int64_t k = 0; k < j->depth; k++)
            copy_plane(j, &r->b, p / j->rows * j->depth + k, source + k * r->b.size);
        for (int64_t a = 0; a < down; a++)
            for (int64_t b = 0; b < across; b += phases)
                target_plane(r, &r->v[a], &r->h[b], phases, p, source);
    }
}

enum { MOST_STRIDE = 8 };

static void run_rows(const job *j)
{
    const agk_conv *c = j->c;
    phase           v[MOST_STRIDE], h[MOST_STRIDE];
    row_job         r = {.j = j, .b = border_of(j), .v = v, .h = h};
    for (int64_t i = 0; i < (j->forward ? 1 : c->stride[0]); i++)
        v[i] = phase_of(c, j->forward, 0, i);
    for (int64_t i = 0; i < (j->forward ? 1 : c->stride[1]); i++)
        h[i] = phase_of(c, j->forward, 1, i);
    agk_parallel(c->batch * c->groups * j->rows, GRAIN / (area(j->to) * area(c->kernel) * j->depth) + 1, target_planes,
                 &r);
}

/* What one plane of the output's gradient adds to the sums of its taps: rows with the pitch of the bordered source,
 * zeros between. */
static void add_products(const row_job *r, const ag_real *g, const ag_real *const *from, int64_t taps, ag_real *sums)
{
    _Alignas(64) ag_real line[LINE];
    const int64_t        pitch = r->b.part[1];
    for (int64_t y = 0, many; y < r->v->count; y += many) {
        many = rows_at_once(r->v, &r->b, y);
        for (int64_t x = 0, wide; x < r->h->count; x += wide) {
            wide = many > 1 ? r->h->count : least(r->h->count - x, LINE - SLACK);
            const int64_t n = (many - 1) * pitch + wide;
            memset(line, 0, (size_t)(n + AGK_LANES) * sizeof *line);
            for (int64_t k = 0; k < many; k++)
                memcpy(line + k * pitch, g + (y + k) * r->h->count + x, (size_t)wide * sizeof *line);
            agk()->conv_row_products(n, taps, line, from, y * pitch + x, sums);
        }
    }
}

/* Items are the weights' (out channel, in channel of its group). */
static void weight_planes(void *context, int64_t begin, int64_t end)
{
    const row_job       *r = context;
    const job           *j = r->j;
    const agk_conv      *c = j->c;
    const int64_t        taps = area(c->kernel);
    _Alignas(64) ag_real sums[MOST_TAPS * AGK_LANES], totals[MOST_TAPS + AGK_CONV_GRAD_ROWS];
    for (int64_t item = begin; item < end; item++) {
        const int64_t  o = item / j->depth, k = item % j->depth, g = o / j->rows;
        const int64_t  padded = (taps + AGK_CONV_GRAD_ROWS - 1) / AGK_CONV_GRAD_ROWS * AGK_CONV_GRAD_ROWS;
        const ag_real *from[MOST_TAPS];
        ag_real       *source = room_for(r, 1, item);
        for (int64_t t = 0; t < taps; t++)
            from[t] = source + tap_place(&r->b, r->v, t / c->kernel[1], r->h, t % c->kernel[1]);
        memset(sums, 0, sizeof sums);
        for (int64_t image = 0; image < c->batch; image++) {
            copy_plane(j, &r->b, (image * c->groups + g) * j->depth + k, source);
            add_products(r, r->dy + (image * c->out_channels + o) * area(c->out), from, taps, sums);
        }
        agk()->conv_totals(padded, sums, totals);
        for (int64_t t = 0; t < taps; t++)
            r->dw[item * taps + t] = r->add ? r->dw[item * taps + t] + totals[t] : totals[t];
    }
}

static void weight_rows(const job *j, const ag_real *dy, bool add, ag_real *dw)
{
    const agk_conv *c = j->c;
    const phase     v = phase_of(c, true, 0, 0), h = phase_of(c, true, 1, 0);
    row_job         r = {j, border_of(j), &v, &h, dy, dw, add};
    agk_parallel(c->out_channels * j->depth, GRAIN / (c->batch * area(c->out) * area(c->kernel)) + 1, weight_planes,
                 &r);
}

/* ---- The choice, and the entries. ---- */

/* Groups of few channels, whose products would be of thin matrices. */
static bool by_rows(const agk_conv *c)
{
    const int64_t in = c->in_channels / c->groups, out = c->out_channels / c->groups;
    return in * out <= 2 && c->groups > 1 && area(c->kernel) * in * out <= MOST_TAPS - AGK_CONV_GRAD_ROWS &&
           c->stride[0] <= MOST_STRIDE && c->stride[1] <= MOST_STRIDE;
}

/* Batches up to this size: interleaved, fewer than AGK_LANES images cost as much as that many, while products cost by
 * the image, and are slower where there are few channels. Measured. */
static int64_t largest_batch(const agk_conv *c)
{
    const int64_t in = c->in_channels / c->groups, out = c->out_channels / c->groups, channels = least(in, out);
    const bool    wide = area(c->out) >= 400 || area(c->in) >= 1600; /* panels of many pixels are multiplied fast */
    return wide ? AGK_LANES - 1 : channels >= 64 ? 8 : channels >= 16 ? 4 : 3;
}

bool agk_conv_is_direct(const agk_conv *c)
{
    if (c->kernel[0] > MOST_TAPS || c->kernel[1] > MOST_TAPS)
        return false;
    return by_rows(c) || c->batch <= largest_batch(c);
}

int64_t agk_conv_direct_room(const agk_conv *c)
{
    const job    f = job_of(c, true), b = job_of(c, false);
    const double most = 1e15, planes = (double)c->batch * (double)(c->in_channels + c->out_channels);
    if ((double)weights_size(c) > most || planes * (double)(area(c->in) + area(c->out)) > most)
        return -1;
    if (by_rows(c)) {
        const border forward = border_of(&f), backward = border_of(&b);
        if (planes * (double)(forward.size + backward.size) > most)
            return -1;
        const int64_t most_of_two = forward.size > backward.size ? forward.size : backward.size;
        return c->batch * c->groups * f.depth * b.depth * most_of_two;
    }
    const int64_t taps = area(c->kernel), forward = taps * f.depth, backward = taps * b.depth;
    const int64_t n = panel_pixels(forward, area(c->out)) * (forward + f.rows),
                  m = panel_pixels(1, area(c->in)) * b.rows;
    int64_t k = m + PANEL + FEWEST * backward +
                FEWEST * b.rows; /* a phase may have few taps, and so panels of many pixels */
    return weights_size(c) + (n > k ? n : k);
}

void agk_conv_direct_forward(const agk_conv *c, const ag_real *x, const ag_real *w, const ag_real *bias, bool add,
                             ag_real *y, ag_real *room)
{
    job j = job_of(c, true);
    j.source = x;
    j.w = w;
    j.bias = bias;
    j.add = add;
    j.target = y;
    j.room = room;
    (by_rows(c) ? run_rows : run_products)(&j);
}

void agk_conv_direct_input_gradient(const agk_conv *c, const ag_real *dy, const ag_real *w, const ag_real *bias,
                                    bool add, ag_real *dx, ag_real *room)
{
    job j = job_of(c, false);
    j.source = dy;
    j.w = w;
    j.bias = bias;
    j.add = add;
    j.target = dx;
    j.room = room;
    (by_rows(c) ? run_rows : run_products)(&j);
}

void agk_conv_direct_weight_gradient(const agk_conv *c, const ag_real *x, const ag_real *dy, bool add, ag_real *dw,
                                     ag_real *room)
{
    job j = job_of(c, true);
    j.source = x;
    j.room = room;
    (by_rows(c) ? weight_rows : weight_products)(&j, dy, add, dw);
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
    agk_parallel(channels, GRAIN / (batch * pixels) + 1, sum_channels, &b);
}
