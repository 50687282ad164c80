/* Convolutions on interleaved images: which pixels and weights meet, forward and for the gradient of the input.
 * simd/conv.c multiplies them. */
#include "autograd/kernels/conv_order_internal.h"
#include "autograd/kernels/conv_weight_internal.h"

#include <stddef.h>

#include "autograd/kernels/threadpool.h"

enum {
    THREAD_WORK = 200000,        /* multiply-adds that are worth a thread */
    TOGETHER = 2,                /* blocks of images that share the reading of weights, or pixels of one block, */
    SUMS = TOGETHER * AGK_LANES, /* and whose numbers add up side by side to the gradient of a bias, */
    SOME_CHANNELS = 32           /* so many channels at a time */
};

static int64_t round_up(int64_t n, int64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* ---- One direction: from the pixels of the source to those of the target. Forward, that is from x to y; for the
 * gradient of the input, from y to x. ---- */

typedef struct direction {
    const agk_conv *c;
    bool            forward;
    int64_t         depth, rows; /* channels of a group: of the source, of the target */
    const int64_t  *from, *to;   /* sizes of the images */
    int64_t         tap_step[2], partner_step[2];
    const ag_real  *source, *weight, *bias;
    ag_real        *target;
} direction;

static direction direction_of(const agk_conv *c, bool forward, agk_conv_images images, const ag_real *bias)
{
    int64_t in = c->in_channels / c->groups, out = c->out_channels / c->groups;
    if (forward)
        return (direction){c,        true,     in,   out,     c->in, c->out, {1, 1}, {c->dilation[0], c->dilation[1]},
                           images.x, images.w, bias, images.y};
    int64_t v = gcd(c->stride[0], c->dilation[0]), h = gcd(c->stride[1], c->dilation[1]);
    return (direction){c,
                       false,
                       out,
                       in,
                       c->out,
                       c->in,
                       {c->stride[0] / v, c->stride[1] / h},
                       {-c->dilation[0] / v, -c->dilation[1] / h},
                       images.y,
                       images.w,
                       bias,
                       images.x};
}

/* Along one axis: the taps that meet one position of the target. The first is `tap`, at position `partner` of the
 * source; to the next it is tap_step and partner_step. */
typedef struct meeting {
    int64_t tap, partner, count;
} meeting;

static meeting meeting_of(const direction *d, int axis, int64_t at)
{
    const agk_conv *c = d->c;
    int64_t         stride = c->stride[axis], shifted = at + c->padding[axis];
    int64_t         step = d->tap_step[axis], move = d->partner_step[axis], from = d->from[axis];
    meeting         m = {0, at * stride - c->padding[axis], c->kernel[axis]};
    if (!d->forward) {
        while (m.tap < agk__least(step, c->kernel[axis]) && (shifted - m.tap * c->dilation[axis]) % stride)
            m.tap++;
        m.partner = (shifted - m.tap * c->dilation[axis]) / stride;
        m.count = m.tap < step ? (c->kernel[axis] - m.tap + step - 1) / step : 0;
    }
    while (m.count > 0 && (m.partner < 0 || m.partner >= from))
        m = (meeting){m.tap + step, m.partner + move, m.count - 1};
    for (int64_t last = m.partner + (m.count - 1) * move; m.count > 0 && (last < 0 || last >= from); last -= move)
        m.count--;
    return m;
}

/* What a tile works on: two blocks of images of one pixel of the target; or one block, of one pixel or of two that meet
 * the same taps. */
typedef struct pair {
    int64_t count, source, target; /* from the one to the other: of what they read, and of what they write */
} pair;

/* One pixel of the target, of all channels, for the images of a block from `first` on; and what is paired with it. */
static void target_pixel(const direction *d, int64_t first, const meeting *v, const meeting *h, int64_t y, int64_t x,
                         const pair *p)
{
    const agk_conv *c = d->c;
    const int64_t   from = c->groups * d->depth * AGK_LANES, to = c->groups * d->rows * AGK_LANES; /* of a pixel */
    const int64_t   from_block = agk__area(d->from) * from, to_block = agk__area(d->to) * to;
    const int64_t   per_tap = d->depth * AGK_CONV_ROWS, per_group = agk__group_weights(c, d->forward);
    const agk_taps  taps = {v->count,
                            h->count,
                            (v->tap * c->kernel[1] + h->tap) * per_tap,
                            d->tap_step[0] * c->kernel[1] * per_tap,
                            d->tap_step[1] * per_tap,
                            (v->partner * d->from[1] + h->partner) * from,
                            d->partner_step[0] * d->from[1] * from,
                            d->partner_step[1] * from};
    for (int64_t g = 0; g < c->groups; g++) {
        const ag_real *source = d->source + first * from_block + g * d->depth * AGK_LANES;
        for (int64_t r = 0; r < d->rows; r += AGK_CONV_ROWS) {
            const int64_t channel = g * d->rows + r;
            agk()->conv_pixel(agk__least(d->rows - r, AGK_CONV_ROWS), p->count, &taps, d->depth,
                              d->weight + g * per_group + r * agk__area(c->kernel) * d->depth, source, p->source,
                              d->bias ? d->bias + channel : NULL,
                              d->target + first * to_block + (y * d->to[1] + x) * to + channel * AGK_LANES, p->target);
        }
    }
}

/* What is paired with a pixel: the next block, or if there is none the pixel `step` to the right of it, if it meets the
 * same taps. */
static pair pair_of(const direction *d, int64_t blocks, const meeting *h, int64_t x, int64_t step, int64_t right)
{
    const agk_conv *c = d->c;
    const int64_t   from = c->groups * d->depth * AGK_LANES, to = c->groups * d->rows * AGK_LANES;
    if (blocks > 1)
        return (pair){blocks, agk__area(d->from) * from, agk__area(d->to) * to};
    const meeting next = meeting_of(d, 1, x + step);
    const bool    alike = x + step < right && next.tap == h->tap && next.count == h->count && h->count > 0;
    return (pair){alike ? 2 : 1, (next.partner - h->partner) * from, step * to};
}

/* Pixels left .. right - 1 of a row, for one block of images or two. Those `step` apart meet the same taps, but at
 * the borders. */
static void target_row(const direction *d, int64_t first, const meeting *v, int64_t y, int64_t left, int64_t right)
{
    const int64_t blocks = agk__least(agk_interleaved_blocks(d->c->batch) - first, TOGETHER);
    const int64_t step = d->forward ? 1 : d->c->stride[1];
    for (int64_t phase = left; phase < agk__least(left + step, right); phase++)
        for (int64_t x = phase, pixels; x < right; x += pixels * step) {
            const meeting h = meeting_of(d, 1, x);
            const pair    p = pair_of(d, blocks, &h, x, step, right);
            pixels = blocks > 1 ? 1 : p.count;
            target_pixel(d, first, v, &h, y, x, &p);
        }
}

static int64_t block_groups(int64_t batch)
{
    return (agk_interleaved_blocks(batch) + TOGETHER - 1) / TOGETHER;
}

/* Items are the pixels of the target in each group of blocks. */
static void target_pixels(void *context, int64_t begin, int64_t end)
{
    const direction *d = context;
    const int64_t    width = d->to[1];
    for (int64_t i = begin, next; i < end; i = next) {
        const int64_t row = i / width, y = row % d->to[0], left = i % width;
        const meeting v = meeting_of(d, 0, y);
        next = agk__least((row + 1) * width, end);
        target_row(d, row / d->to[0] * TOGETHER, &v, y, left, left + next - i);
    }
}

static void run(direction d, const ag_real *w, ag_real *ordered)
{
    const agk_conv *c = d.c;
    agk__order_weights(c, d.forward, w, ordered);
    int64_t work = c->in_channels / c->groups * c->out_channels * agk__area(c->kernel) * TOGETHER *
                   AGK_LANES; /* about, per item */
    agk_parallel(block_groups(c->batch) * agk__area(d.to), THREAD_WORK / work + 1, target_pixels, &d);
}

void agk_conv_forward(const agk_conv *c, agk_conv_images images, const ag_real *w, const ag_real *bias)
{
    run(direction_of(c, true, images, bias), w, images.w);
}

void agk_conv_input_gradient(const agk_conv *c, agk_conv_images images, const ag_real *w, const ag_real *bias)
{
    run(direction_of(c, false, images, bias), w, images.w);
}

/* ---- The gradient of the bias. ---- */

typedef struct bias_gradient {
    int64_t        batch, channels, pixels;
    const ag_real *g;
    ag_real       *db;
} bias_gradient;

/* Adds up n channels of some blocks. The sums of a channel are those of the images of two blocks; or, where one is
 * left, those of every other pixel. */
static void add_channels(const bias_gradient *b, int64_t blocks, int64_t n, const ag_real *g, ag_real *db)
{
    _Alignas(64) ag_real sums[SOME_CHANNELS * SUMS] = {0};
    const int64_t        pixel = b->channels * AGK_LANES;
    for (int64_t i = 0; i < b->pixels; i++)
        for (int64_t k = 0; k < blocks; k++)
            agk()->copy_rows(n, AGK_LANES, g + (k * b->pixels + i) * pixel, AGK_LANES, true,
                             sums + (blocks > 1 ? k : i % TOGETHER) * AGK_LANES, SUMS);
    for (int64_t c = 0; c < n; c++)
        db[c] += agk()->sum(SUMS, sums + c * SUMS);
}

static void sum_channels(void *context, int64_t begin, int64_t end)
{
    const bias_gradient *b = context;
    const int64_t        blocks = agk_interleaved_blocks(b->batch);
    for (int64_t block = 0; block < blocks; block += TOGETHER)
        for (int64_t c = begin; c < end; c += SOME_CHANNELS)
            add_channels(b, agk__least(blocks - block, TOGETHER), agk__least(end - c, SOME_CHANNELS),
                         b->g + (block * b->pixels * b->channels + c) * AGK_LANES, b->db + c);
}

void agk_conv_bias_gradient(int64_t batch, int64_t channels, int64_t pixels, const ag_real *g, ag_real *db)
{
    bias_gradient b = {batch, channels, pixels, g, db};
    agk_parallel(channels, THREAD_WORK / (batch * pixels) + 1, sum_channels, &b);
}

/* ---- Memory for interleaved images. ---- */

static int64_t ordered_weights(const agk_conv *c)
{
    const int64_t forward = agk__group_weights(c, true), backward = agk__group_weights(c, false);
    return c->groups * (forward > backward ? forward : backward);
}

int64_t agk_conv_images_size(const agk_conv *c)
{
    const double most = 1e15;
    double       images = (double)c->batch + AGK_LANES;
    double       in = (double)c->in_channels * (double)c->in[0] * (double)c->in[1];
    double       out = (double)c->out_channels * (double)c->out[0] * (double)c->out[1];
    if (images * (in + out) > most || (double)ordered_weights(c) > most)
        return -1;
    return agk_interleaved(c->batch, c->in_channels * agk__area(c->in) + c->out_channels * agk__area(c->out)) +
           round_up(ordered_weights(c), AGK_LANES) + agk__weight_sums(c, AGK_LANES);
}

agk_conv_images agk_conv_images_in(const agk_conv *c, ag_real *memory)
{
    int64_t  batch = round_up(c->batch, AGK_LANES);
    ag_real *y = memory + batch * c->in_channels * agk__area(c->in);
    ag_real *w = y + batch * c->out_channels * agk__area(c->out);
    return (agk_conv_images){memory, y, w, w + round_up(ordered_weights(c), AGK_LANES)};
}
