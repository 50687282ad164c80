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
    WORTH_COPYING = 2,    /* taps, at least, that a copy serves */
    COLUMNS = AGK_CONV_GRAD_COLUMNS,
    TALLEST = 2 * AGK_CONV_GRAD_ROWS, /* output channels of a patch, at most, */
    WIDE = 4 * COLUMNS,               /* and input channels, or more of fewer taps, */
    MANY_ITEMS = 12,                  /* where so many patches are left to share out */
    PATCH = TALLEST * COLUMNS,
    SUMS = PATCH * AGK_LANES,
    WORKSPACE_SUMS = WIDE / COLUMNS * SOME_TAPS * SUMS,
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
    agk_conv_images images;
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

/* Pixels of AGK_LANES images, from row first[0] and column first[1] on: channel c, row y, column x is at
 * at + c * channel + (y - first[0]) * row + (x - first[1]) * pixel. */
typedef struct pixels {
    const ag_real *at;
    int64_t        channel, first[2], row, pixel;
} pixels;

static pixels pixels_of(const ag_real *images, int64_t block, int64_t channels, int64_t channel, const int64_t *size)
{
    const int64_t pixel = channels * AGK_LANES;
    return (pixels){
        images + block * agk__area(size) * pixel + channel * AGK_LANES, AGK_LANES, {0, 0}, size[1] * pixel, pixel};
}

/* Pixels [begin, end) along each axis. */
typedef struct area {
    int64_t begin[2], end[2];
} area;

static int64_t area_size(const area *a)
{
    return (a->end[0] - a->begin[0]) * (a->end[1] - a->begin[1]);
}

/* An area, copied to `to` without the other channels. */
static pixels copied(const pixels *p, int64_t channels, const area *a, ag_real *to)
{
    const int64_t  width = a->end[1] - a->begin[1], row = width * AGK_LANES, channel = area_size(a) * AGK_LANES;
    const ag_real *from = p->at + (a->begin[0] - p->first[0]) * p->row + (a->begin[1] - p->first[1]) * p->pixel;
    for (int64_t y = 0; y < a->end[0] - a->begin[0]; y++)
        agk()->conv_copy(width, channels, from + y * p->row, p->pixel, to + y * row, channel);
    return (pixels){to, channel, {a->begin[0], a->begin[1]}, row, AGK_LANES};
}

/* What is done for one patch: some taps, over bands of output pixels. */
typedef struct patch_job {
    const agk_conv *c;
    const patch    *p;
    int64_t         taps;
    overlap         tap[SOME_TAPS][2];
    ag_real        *sums;   /* (columns / COLUMNS, taps, SUMS) */
    ag_real        *copies; /* COPIES reals, or NULL */
} patch_job;

/* Adds the products of a band to the sums of one tap and the input channels of x. */
static void correlate(const patch_job *j, int64_t columns, const overlap tap[2], const area *band, const pixels *g,
                      const pixels *x, ag_real *sums)
{
    const agk_conv *c = j->c;
    int64_t         begin[2], n[2], partner[2];
    for (int i = 0; i < 2; i++) {
        begin[i] = most(tap[i].begin, band->begin[i]);
        n[i] = agk__least(tap[i].end, band->end[i]) - begin[i];
        partner[i] = tap[i].partner + (begin[i] - tap[i].begin) * c->stride[i] - x->first[i];
        begin[i] -= g->first[i];
    }
    if (n[0] <= 0 || n[1] <= 0)
        return;
    const agk_window w = {
        n[0], n[1], g->channel, g->row, g->pixel, x->channel, x->row * c->stride[0], x->pixel * c->stride[1]};
    agk()->conv_correlate(j->p->rows, columns, &w, g->at + begin[0] * g->row + begin[1] * g->pixel,
                          x->at + partner[0] * x->row + partner[1] * x->pixel, sums);
}

/* What the taps read for a band. */
static area input_area(const agk_conv *c, const area *band)
{
    area a;
    for (int i = 0; i < 2; i++) {
        a.begin[i] = most(band->begin[i] * c->stride[i] - c->padding[i], 0);
        a.end[i] = agk__least(
            (band->end[i] - 1) * c->stride[i] - c->padding[i] + (c->kernel[i] - 1) * c->dilation[i] + 1, c->in[i]);
    }
    return a;
}

/* A band of output pixels, of which g is the gradient. What all taps read is copied first, if it fits the workspace:
 * pixels lie as far apart as they have channels, often at the same places of the cache. */
static void correlate_band(const patch_job *j, const area *band, pixels g, pixels x)
{
    const area read = input_area(j->c, band);
    if (read.end[0] <= read.begin[0] || read.end[1] <= read.begin[1])
        return;
    const int64_t of_g = j->p->rows * area_size(band) * AGK_LANES, left = j->copies ? COPIES - of_g : 0;
    const int64_t of_x = COLUMNS * area_size(&read) * AGK_LANES;
    const int64_t fit = j->taps >= WORTH_COPYING && left > 0 ? left / of_x * COLUMNS : 0; /* channels of x */
    ag_real      *sums = j->sums;
    if (fit)
        g = copied(&g, j->p->rows, band, j->copies);
    pixels some = x;
    for (int64_t k = 0; k < j->p->columns; k += COLUMNS, some.at += COLUMNS * some.channel) {
        if (fit && k % fit == 0) {
            const pixels from = {x.at + k * x.channel, x.channel, {x.first[0], x.first[1]}, x.row, x.pixel};
            some = copied(&from, agk__least(j->p->columns - k, fit), &read, j->copies + of_g);
        }
        for (int64_t i = 0; i < j->taps; i++, sums += SUMS)
            correlate(j, agk__least(j->p->columns - k, COLUMNS), j->tap[i], band, &g, &some, sums);
    }
}

/* The whole batch, pixels of each image in their order. */
static void correlate_batch(const patch_job *j, agk_conv_images images)
{
    const agk_conv *c = j->c;
    const int64_t   height = c->out[1] < BAND ? BAND / c->out[1] : 1, width = c->out[1] < 2 * BAND ? c->out[1] : BAND;
    for (int64_t block = 0; block < agk_interleaved_blocks(c->batch); block++) {
        const pixels g = pixels_of(images.y, block, c->out_channels, j->p->channel, c->out);
        const pixels x = pixels_of(images.x, block, c->in_channels, j->p->from, c->in);
        for (int64_t top = 0; top < c->out[0]; top += height)
            for (int64_t left = 0; left < c->out[1]; left += width) {
                const area band = {{top, left},
                                   {agk__least(top + height, c->out[0]), agk__least(left + width, c->out[1])}};
                correlate_band(j, &band, g, x);
            }
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
    correlate_batch(&job, j->images);
    for (int64_t k = 0; k < p->columns; k += COLUMNS, sums += n * SUMS) {
        agk()->conv_totals(n * PATCH, sums, totals);
        put_totals(j, &(patch){p->channel, p->rows, p->from + k, agk__least(p->columns - k, COLUMNS)}, t, n, totals);
    }
}

/* The most input channels of a patch whose sums fit the workspace. */
static int64_t widest(const agk_conv *c)
{
    return SOME_TAPS / agk__least(agk__area(c->kernel), SOME_TAPS) * WIDE;
}

/* All taps of a patch; without workspace, one tap and few columns at a time. */
static void weight_patch(const weight_gradient *j, const patch *p)
{
    _Alignas(64) ag_real small[SUMS];
    ag_real             *workspace = agk_workspace();
    const int64_t        taps = agk__area(j->c->kernel), some = workspace ? SOME_TAPS : 1;
    const int64_t        columns = workspace ? widest(j->c) : COLUMNS;
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

void agk_conv_weight_gradient(const agk_conv *c, agk_conv_images images, bool add, ag_real *dw)
{
    const int64_t in = c->in_channels / c->groups, out = c->out_channels / c->groups;
    patches       a = {{c, images, add, dw}, 0, 0, TALLEST, widest(c)};
    while (a.columns > WIDE && c->groups * parts(out, a.rows) * parts(in, a.columns) < MANY_ITEMS)
        a.columns -= WIDE;
    if (c->groups * parts(out, a.rows) * parts(in, a.columns) < MANY_ITEMS)
        a.rows = AGK_CONV_GRAD_ROWS;
    if (c->groups * parts(out, a.rows) * parts(in, a.columns) < MANY_ITEMS)
        a.columns = COLUMNS;
    a.tall = parts(out, a.rows);
    a.wide = parts(in, a.columns);
    const int64_t work = agk__least(a.rows, out) * agk__least(a.columns, in) * agk__area(c->kernel) *
                         agk__area(c->out) * c->batch; /* per item */
    agk_parallel(c->groups * a.tall * a.wide, THREAD_WORK / work + 1, weight_patches, &a);
}
