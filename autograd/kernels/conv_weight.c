/* The gradient of a convolution's weight, on interleaved images. Threads share out patches of its channels; for each of
 * them a tap's products with all images are added up, one sum for each lane. */
#include <string.h>

#include "autograd/kernels/conv.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/kernels/workspace.h"

enum {
    THREAD_WORK = 200000, /* multiply-adds that are worth a thread */
    SOME_TAPS = 16,       /* done together, */
    BAND = 32,            /* over so many pixels: what they read stays in the first cache level */
    WORTH_COPYING = 6,    /* taps, at least, that a copy serves */
    COLUMNS = AGK_CONV_GRAD_COLUMNS,
    TALLEST = 2 * AGK_CONV_GRAD_ROWS, /* output channels of a patch, at most, */
    WIDEST = 4 * COLUMNS,             /* and input channels, */
    MANY_ITEMS = 12,                  /* where so many patches are left to share out */
    PATCH = TALLEST * COLUMNS,
    SUMS = PATCH * AGK_LANES,
    WORKSPACE_SUMS = WIDEST / COLUMNS * SOME_TAPS * SUMS,
    COPIES = AGK_WORKSPACE - WORKSPACE_SUMS /* reals of the workspace that are left */
};

_Static_assert(COPIES > 0, "the sums fit the workspace");

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t parts(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

typedef struct weight_gradient {
    const agk_conv *c;
    agk_conv_room   room;
    bool            add;
    ag_real        *dw;
} weight_gradient;

/* What one tap pairs along one axis: outputs [begin, end), the first with input position `partner`; the rest is border.
 */
typedef struct overlap {
    int64_t begin, end, partner;
} overlap;

static overlap overlap_of(const agk_conv *c, int axis, int64_t tap)
{
    int64_t stride = c->stride[axis], shift = tap * c->dilation[axis] - c->padding[axis];
    int64_t begin = shift < 0 ? (-shift + stride - 1) / stride : 0;
    int64_t end = shift < c->in[axis] ? agk__least((c->in[axis] - shift + stride - 1) / stride, c->out[axis]) : 0;
    return (overlap){begin, end, begin * stride + shift};
}

/* Some channels of output and input: `rows` from `channel` on by `columns` from `from` on. */
typedef struct patch {
    int64_t channel, rows, from, columns;
} patch;

/* Rows of pixels of AGK_LANES images, from row `first` on: channel c, row y, column x is at
 * at + c * channel + (y - first) * row + x * pixel. */
typedef struct pixels {
    const ag_real *at;
    int64_t        channel, first, row, pixel;
} pixels;

static pixels pixels_of(const ag_real *images, int64_t block, int64_t channels, int64_t channel, const int64_t *size)
{
    const int64_t pixel = channels * AGK_LANES;
    return (pixels){images + block * agk__area(size) * pixel + channel * AGK_LANES, AGK_LANES, 0, size[1] * pixel,
                    pixel};
}

/* Rows [first, first + rows), copied to `to` without the other channels. */
static pixels copied(const pixels *p, int64_t channels, int64_t first, int64_t rows, int64_t width, ag_real *to)
{
    const int64_t row = width * AGK_LANES;
    for (int64_t y = 0; y < rows; y++)
        agk()->conv_copy(width, channels, p->at + (first + y) * p->row, p->pixel, to + y * row, rows * row);
    return (pixels){to, rows * row, first, row, AGK_LANES};
}

/* What is done for one patch: some taps, over bands of rows. */
typedef struct patch_job {
    const agk_conv *c;
    const patch    *p;
    int64_t         taps;
    overlap         tap[SOME_TAPS][2];
    ag_real        *sums;   /* (columns / COLUMNS, taps, SUMS) */
    ag_real        *copies; /* COPIES reals, or NULL */
} patch_job;

/* Adds the products of output rows [top, bottom) to the sums of one tap and the input channels of x. */
static void correlate(const patch_job *j, int64_t columns, const overlap tap[2], int64_t top, int64_t bottom,
                      const pixels *g, const pixels *x, ag_real *sums)
{
    const agk_conv *c = j->c;
    const int64_t   begin = most(tap[0].begin, top), end = agk__least(tap[0].end, bottom);
    if (begin >= end || tap[1].begin >= tap[1].end)
        return;
    const int64_t    y = tap[0].partner + (begin - tap[0].begin) * c->stride[0];
    const agk_window w = {end - begin,           tap[1].end - tap[1].begin, g->channel, g->row, g->pixel, x->channel,
                          x->row * c->stride[0], x->pixel * c->stride[1]};
    agk()->conv_correlate(j->p->rows, columns, &w, g->at + (begin - g->first) * g->row + tap[1].begin * g->pixel,
                          x->at + (y - x->first) * x->row + tap[1].partner * x->pixel, sums);
}

/* Output rows [top, bottom), of which g is the gradient. What all taps read is copied first, if there is room: pixels
 * lie as far apart as they have channels, often at the same places of the cache. */
static void correlate_band(const patch_job *j, int64_t top, int64_t bottom, pixels g, pixels x)
{
    const agk_conv *c = j->c;
    const int64_t   reach = (c->kernel[0] - 1) * c->dilation[0], rows = bottom - top;
    const int64_t   first = most(top * c->stride[0] - c->padding[0], 0);
    const int64_t   end = agk__least((bottom - 1) * c->stride[0] - c->padding[0] + reach + 1, c->in[0]);
    const int64_t   of_g = j->p->rows * rows * c->out[1] * AGK_LANES, left = j->copies ? COPIES - of_g : 0;
    const int64_t   of_x = COLUMNS * most(end - first, 1) * c->in[1] * AGK_LANES;
    const int64_t   fit = j->taps >= WORTH_COPYING && left > 0 ? left / of_x * COLUMNS : 0; /* channels of x */
    ag_real        *sums = j->sums;
    if (end <= first)
        return;
    if (fit)
        g = copied(&g, j->p->rows, top, rows, c->out[1], j->copies);
    pixels some = x;
    for (int64_t k = 0; k < j->p->columns; k += COLUMNS, some.at += COLUMNS * some.channel) {
        if (fit && k % fit == 0) {
            const pixels from = {x.at + k * x.channel, x.channel, x.first, x.row, x.pixel};
            some = copied(&from, agk__least(j->p->columns - k, fit), first, end - first, c->in[1], j->copies + of_g);
        }
        for (int64_t i = 0; i < j->taps; i++, sums += SUMS)
            correlate(j, agk__least(j->p->columns - k, COLUMNS), j->tap[i], top, bottom, &g, &some, sums);
    }
}

/* The whole batch. */
static void correlate_batch(const patch_job *j, agk_conv_room room)
{
    const agk_conv *c = j->c;
    const int64_t   height = c->out[1] < BAND ? BAND / c->out[1] : 1;
    for (int64_t block = 0; block < agk_interleaved_blocks(c->batch); block++) {
        const pixels g = pixels_of(room.y, block, c->out_channels, j->p->channel, c->out);
        const pixels x = pixels_of(room.x, block, c->in_channels, j->p->from, c->in);
        for (int64_t top = 0; top < c->out[0]; top += height)
            correlate_band(j, top, agk__least(top + height, c->out[0]), g, x);
    }
}

/* Taps t .. t + n - 1 of a patch of n totals each. */
static void put_totals(const weight_gradient *j, const patch *p, int64_t t, int64_t n, const ag_real *totals)
{
    const int64_t taps = agk__area(j->c->kernel), depth = j->c->in_channels / j->c->groups;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t k = 0; k < p->columns; k++) {
            ag_real       *dw = j->dw + ((p->channel + r) * depth + p->from % depth + k) * taps + t;
            const ag_real *sum = totals + r * COLUMNS + k;
            for (int64_t i = 0; i < n; i++)
                dw[i] = j->add ? dw[i] + sum[i * PATCH] : sum[i * PATCH];
        }
}

/* Some taps of a patch. */
static void weight_taps(const weight_gradient *j, const patch *p, int64_t t, int64_t n, ag_real *sums, ag_real *copies)
{
    _Alignas(64) ag_real totals[SOME_TAPS * PATCH];
    patch_job            job = {.c = j->c, .p = p, .taps = n, .sums = sums, .copies = copies};
    for (int64_t i = 0; i < n; i++) {
        job.tap[i][0] = overlap_of(j->c, 0, (t + i) / j->c->kernel[1]);
        job.tap[i][1] = overlap_of(j->c, 1, (t + i) % j->c->kernel[1]);
    }
    memset(sums, 0, (size_t)(parts(p->columns, COLUMNS) * n * SUMS) * sizeof *sums);
    correlate_batch(&job, j->room);
    for (int64_t k = 0; k < p->columns; k += COLUMNS, sums += n * SUMS) {
        agk()->conv_totals(n * PATCH, sums, totals);
        put_totals(j, &(patch){p->channel, p->rows, p->from + k, agk__least(p->columns - k, COLUMNS)}, t, n, totals);
    }
}

/* All taps of a patch; without workspace, one tap and few columns at a time. */
static void weight_patch(const weight_gradient *j, const patch *p)
{
    _Alignas(64) ag_real small[SUMS];
    ag_real             *workspace = agk_workspace();
    const int64_t        taps = agk__area(j->c->kernel), some = workspace ? SOME_TAPS : 1;
    const int64_t        columns = workspace ? WIDEST : COLUMNS;
    for (int64_t k = 0; k < p->columns; k += columns) {
        const patch part = {p->channel, p->rows, p->from + k, agk__least(p->columns - k, columns)};
        for (int64_t t = 0; t < taps; t += some)
            weight_taps(j, &part, t, agk__least(taps - t, some), workspace ? workspace : small,
                        workspace ? workspace + WORKSPACE_SUMS : NULL);
    }
}

/* Items are patches: as large as leaves enough of them for the threads. */
typedef struct patches {
    weight_gradient gradient;
    int64_t         tall, wide, rows, columns; /* in each group, and the channels of one */
} patches;

static void weight_patches(void *context, int64_t begin, int64_t end)
{
    const patches *a = context;
    const int64_t  out = a->gradient.c->out_channels / a->gradient.c->groups,
                  in = a->gradient.c->in_channels / a->gradient.c->groups;
    for (int64_t i = begin; i < end; i++) {
        const int64_t group = i / (a->tall * a->wide), r = i / a->wide % a->tall * a->rows,
                      k = i % a->wide * a->columns;
        weight_patch(&a->gradient, &(patch){group * out + r, agk__least(out - r, a->rows), group * in + k,
                                            agk__least(in - k, a->columns)});
    }
}

void agk_conv_weight_gradient(const agk_conv *c, agk_conv_room room, bool add, ag_real *dw)
{
    const int64_t in = c->in_channels / c->groups, out = c->out_channels / c->groups;
    patches       a = {{c, room, add, dw}, 0, 0, TALLEST, WIDEST};
    if (c->groups * parts(out, a.rows) * parts(in, a.columns) < MANY_ITEMS)
        a.rows = AGK_CONV_GRAD_ROWS;
    if (c->groups * parts(out, a.rows) * parts(in, a.columns) < MANY_ITEMS)
        a.columns = COLUMNS;
    a.tall = parts(out, a.rows);
    a.wide = parts(in, a.columns);
    const int64_t work = a.rows * a.columns * agk__area(c->kernel) * agk__area(c->out) * c->batch; /* per item */
    agk_parallel(c->groups * a.tall * a.wide, THREAD_WORK / work + 1, weight_patches, &a);
}
