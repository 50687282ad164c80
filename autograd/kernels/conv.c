/* Convolutions on interleaved images: which pixels and weights meet, forward and for the gradient of the input.
 * simd/conv.c multiplies them. */
#include "autograd/kernels/conv_order_internal.h"

#include <stddef.h>

#include "autograd/kernels/pool.h"

enum {
    BLOCK = AGK_INTERLEAVED_BLOCK,
    THREAD_WORK = 200000 /* multiply-adds that are worth a thread */
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

static direction direction_of(const agk_conv *c, bool forward, agk_conv_room room, const ag_real *bias)
{
    int64_t in = c->in_channels / c->groups, out = c->out_channels / c->groups;
    if (forward)
        return (direction){c,      true,   in,   out,   c->in, c->out, {1, 1}, {c->dilation[0], c->dilation[1]},
                           room.x, room.w, bias, room.y};
    int64_t v = gcd(c->stride[0], c->dilation[0]), h = gcd(c->stride[1], c->dilation[1]);
    return (direction){c,
                       false,
                       out,
                       in,
                       c->out,
                       c->in,
                       {c->stride[0] / v, c->stride[1] / h},
                       {-c->dilation[0] / v, -c->dilation[1] / h},
                       room.y,
                       room.w,
                       bias,
                       room.x};
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

/* One pixel of the target, of all channels, for one block of images. */
static void target_pixel(const direction *d, int64_t block, const meeting *v, int64_t y, int64_t x)
{
    const agk_conv *c = d->c;
    const meeting   h = meeting_of(d, 1, x);
    int64_t         lanes = agk_interleaved_lanes(c->batch, block), from = agk__area(d->from) * lanes,
            to = agk__area(d->to) * lanes;
    int64_t  per_tap = d->depth * AGK_CONV_ROWS, per_group = agk__group_weights(c, d->forward);
    agk_taps taps = {v->count,
                     h.count,
                     (v->tap * c->kernel[1] + h.tap) * per_tap,
                     d->tap_step[0] * c->kernel[1] * per_tap,
                     d->tap_step[1] * per_tap,
                     (v->partner * d->from[1] + h.partner) * lanes,
                     d->partner_step[0] * d->from[1] * lanes,
                     d->partner_step[1] * lanes};
    for (int64_t g = 0; g < c->groups; g++) {
        const ag_real *source = d->source + block * BLOCK * agk__area(d->from) * d->depth * c->groups +
                                g * d->depth * from;
        for (int64_t r = 0; r < d->rows; r += AGK_CONV_ROWS) {
            int64_t  channel = g * d->rows + r;
            ag_real *target = d->target + block * BLOCK * agk__area(d->to) * d->rows * c->groups + channel * to +
                              (y * d->to[1] + x) * lanes;
            agk()->conv_pixel(agk__least(d->rows - r, AGK_CONV_ROWS), lanes, &taps, d->depth, from,
                              d->weight + g * per_group + r * agk__area(c->kernel) * d->depth, source,
                              d->bias ? d->bias + channel : NULL, target, to);
        }
    }
}

/* Items are the pixels of the target in each block. */
static void target_pixels(void *context, int64_t begin, int64_t end)
{
    const direction *d = context;
    const int64_t    width = d->to[1];
    for (int64_t i = begin, next; i < end; i = next) {
        const int64_t row = i / width, y = row % d->to[0];
        const meeting v = meeting_of(d, 0, y);
        next = agk__least((row + 1) * width, end);
        for (int64_t x = i % width; i < next; i++, x++)
            target_pixel(d, row / d->to[0], &v, y, x);
    }
}

static void run(direction d, const ag_real *w, ag_real *ordered)
{
    const agk_conv *c = d.c;
    agk__order_weights(c, d.forward, w, ordered);
    int64_t work = c->in_channels / c->groups * c->out_channels * agk__area(c->kernel) * BLOCK; /* about, per item */
    agk_parallel(agk_interleaved_blocks(c->batch) * agk__area(d.to), THREAD_WORK / work + 1, target_pixels, &d);
}

void agk_conv_forward(const agk_conv *c, agk_conv_room room, const ag_real *w, const ag_real *bias)
{
    run(direction_of(c, true, room, bias), w, room.w);
}

void agk_conv_input_gradient(const agk_conv *c, agk_conv_room room, const ag_real *w, const ag_real *bias)
{
    run(direction_of(c, false, room, bias), w, room.w);
}

/* ---- The gradient of the bias. ---- */

typedef struct bias_gradient {
    int64_t        batch, channels, pixels;
    const ag_real *g;
    ag_real       *db;
} bias_gradient;

static void sum_channels(void *context, int64_t begin, int64_t end)
{
    const bias_gradient *b = context;
    for (int64_t block = 0; block < agk_interleaved_blocks(b->batch); block++) {
        int64_t        size = b->pixels * agk_interleaved_lanes(b->batch, block);
        const ag_real *g = b->g + block * BLOCK * b->channels * b->pixels;
        for (int64_t c = begin; c < end; c++)
            b->db[c] += agk()->sum(size, g + c * size);
    }
}

void agk_conv_bias_gradient(int64_t batch, int64_t channels, int64_t pixels, const ag_real *g, ag_real *db)
{
    bias_gradient b = {batch, channels, pixels, g, db};
    agk_parallel(channels, THREAD_WORK / (batch * pixels) + 1, sum_channels, &b);
}

/* ---- Room. ---- */

static int64_t ordered_weights(const agk_conv *c)
{
    const int64_t forward = agk__group_weights(c, true), backward = agk__group_weights(c, false);
    return c->groups * (forward > backward ? forward : backward);
}

int64_t agk_conv_room_size(const agk_conv *c)
{
    const double most = 1e15;
    double       images = (double)c->batch + AGK_LANES;
    double       in = (double)c->in_channels * (double)c->in[0] * (double)c->in[1];
    double       out = (double)c->out_channels * (double)c->out[0] * (double)c->out[1];
    if (images * (in + out) > most || (double)ordered_weights(c) > most)
        return -1;
    return agk_interleaved(c->batch, c->in_channels * agk__area(c->in) + c->out_channels * agk__area(c->out)) +
           ordered_weights(c);
}

agk_conv_room agk_conv_room_in(const agk_conv *c, ag_real *memory)
{
    int64_t  images = round_up(c->batch, AGK_LANES);
    ag_real *y = memory + images * c->in_channels * agk__area(c->in);
    return (agk_conv_room){memory, y, y + images * c->out_channels * agk__area(c->out)};
}
