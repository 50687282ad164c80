/* Convolutions as matrix products with the matrix of patches, of which only a block is ever written out.
 *
 * The matrix of patches of one group has a row for each tap (channel, ky, kx) and a column for each pixel of each image's
 * output. A block of it is small enough for the second cache level. Sums run over taps, channels or pixels in one
 * order, whatever the blocks, the threads or the instruction set; where a block's size does matter for the order (the scatter of
 * the input's gradient), it is the same everywhere. */
#include "autograd/kernels/conv.h"

#include <string.h>

#include "autograd/kernels/pool.h"

enum {
    TAPS = 128,    /* rows of a block of patches */
    PIXELS = 64,   /* columns */
    CHANNELS = 128 /* of the output, done at a time */
};

typedef struct conv_job {
    const agk_conv *c;
    const ag_real  *x, *w, *g, *bias;
    bool            add;
    ag_real        *to;
} conv_job;

static int64_t area(const int64_t *size)
{
    return size[0] * size[1];
}

static int64_t group_taps(const agk_conv *c)
{
    return c->in_channels / c->groups * area(c->kernel);
}

/* ---- Patches. ---- */

/* A run of output pixels of one row of one image: ox0 .. ox0+n-1, at columns column.. of the block. */
typedef struct run {
    int64_t image, oy, ox0, n, column;
} run;

/* The first run at or after pixel `at` of the block [first, first + count); pixels count through the whole batch. */
static run run_at(const agk_conv *c, int64_t first, int64_t count, int64_t at)
{
    int64_t pixel = first + at, in_image = pixel % area(c->out);
    run r = {pixel / area(c->out), in_image / c->out[1], in_image % c->out[1], 0, at};
    r.n = c->out[1] - r.ox0 < count - at ? c->out[1] - r.ox0 : count - at;
    return r;
}

/* One tap's input row for a run, and the range of the run's pixels for which it is not padding. */
typedef struct tap_row {
    const ag_real *x; /* of pixel ox0; valid from begin on */
    int64_t        begin, end;
} tap_row;

static tap_row tap_of_run(const agk_conv *c, const ag_real *x, int64_t channel, int64_t ky, int64_t kx, const run *r)
{
    int64_t iy = r->oy * c->stride[0] + ky * c->dilation[0] - c->padding[0];
    int64_t ix = r->ox0 * c->stride[1] + kx * c->dilation[1] - c->padding[1], s = c->stride[1], width = c->in[1];
    tap_row t = {NULL, 0, 0};
    if (iy < 0 || iy >= c->in[0])
        return t;
    t.begin = ix < 0 ? (-ix + s - 1) / s : 0;
    t.end = ix < width ? (width - ix + s - 1) / s : 0;
    t.end = t.end < r->n ? t.end : r->n;
    t.begin = t.begin < t.end ? t.begin : t.end;
    t.x = x + ((r->image * c->in_channels + channel) * c->in[0] + iy) * width + ix + t.begin * s;
    return t;
}

/* Writes taps k0 .. k0+taps-1 of group `group` for `count` pixels from `first` on: tap k, pixel j to
 * to[(k - k0) * tap_step + j * pixel_step]. */
static void write_patches(const agk_conv *c, const ag_real *x, int64_t group, int64_t k0, int64_t taps, int64_t first,
                          int64_t count, ag_real *to, int64_t tap_step, int64_t pixel_step)
{
    int64_t channels = c->in_channels / c->groups, s = c->stride[1];
    for (int64_t at = 0; at < count;) {
        run r = run_at(c, first, count, at);
        for (int64_t k = k0; k < k0 + taps; k++) {
            int64_t tap = k % area(c->kernel), channel = group * channels + k / area(c->kernel);
            tap_row t = tap_of_run(c, x, channel, tap / c->kernel[1], tap % c->kernel[1], &r);
            ag_real *p = to + (k - k0) * tap_step + at * pixel_step;
            for (int64_t i = 0; i < t.begin; i++)
                p[i * pixel_step] = 0;
            for (int64_t i = t.begin; i < t.end; i++)
                p[i * pixel_step] = t.x[(i - t.begin) * s];
            for (int64_t i = t.end; i < r.n; i++)
                p[i * pixel_step] = 0;
        }
        at += r.n;
    }
}

/* The reverse: adds the block to the input positions that the taps were read from. */
static void add_patches(const agk_conv *c, const ag_real *from, int64_t group, int64_t k0, int64_t taps, int64_t first,
                        int64_t count, ag_real *dx)
{
    int64_t channels = c->in_channels / c->groups, s = c->stride[1];
    for (int64_t k = k0; k < k0 + taps; k++)
        for (int64_t at = 0; at < count;) {
            run r = run_at(c, first, count, at);
            int64_t tap = k % area(c->kernel), channel = group * channels + k / area(c->kernel);
            tap_row t = tap_of_run(c, dx, channel, tap / c->kernel[1], tap % c->kernel[1], &r);
            ag_real *to = dx + (t.x ? t.x - dx : 0);
            const ag_real *p = from + (k - k0) * PIXELS + at;
            for (int64_t i = t.begin; i < t.end; i++)
                to[(i - t.begin) * s] += p[i];
            at += r.n;
        }
}

/* ---- Blocks of the output: `rows` channels from `channel` on, `count` pixels from `first` on, as a matrix. ---- */

static void copy_block(const agk_conv *c, ag_real *y, int64_t channel, int64_t rows, int64_t first, int64_t count,
                       ag_real *block, bool to_output)
{
    for (int64_t at = 0, n; at < count; at += n) {
        int64_t pixel = first + at, in_image = pixel % area(c->out);
        n = area(c->out) - in_image < count - at ? area(c->out) - in_image : count - at;
        ag_real *image = y + (pixel / area(c->out) * c->out_channels + channel) * area(c->out) + in_image;
        for (int64_t r = 0; r < rows; r++) {
            ag_real *there = image + r * area(c->out), *here = block + r * PIXELS + at;
            memcpy(to_output ? there : here, to_output ? here : there, (size_t)n * sizeof *here);
        }
    }
}

static void set_block(const ag_real *bias, int64_t rows, ag_real *block)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < PIXELS; j++)
            block[r * PIXELS + j] = bias ? bias[r] : 0;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- Forward. ---- */

static void forward_block(const conv_job *j, int64_t group, int64_t channel, int64_t rows, int64_t first, int64_t count)
{
    const agk_conv *c = j->c;
    ag_real patches[TAPS * PIXELS], block[CHANNELS * PIXELS];
    int64_t taps = group_taps(c);
    if (j->add)
        copy_block(c, j->to, channel, rows, first, count, block, false);
    else
        set_block(j->bias ? j->bias + channel : NULL, rows, block);
    for (int64_t k = 0; k < taps; k += TAPS) {
        int64_t depth = least(taps - k, TAPS);
        write_patches(c, j->x, group, k, depth, first, count, patches, PIXELS, 1);
        agk()->gemm(rows, count, depth, (agk_matrix){j->w + channel * taps + k, taps, 1},
                    (agk_matrix){patches, PIXELS, 1}, block, PIXELS, block, PIXELS);
    }
    copy_block(c, j->to, channel, rows, first, count, block, true);
}

static void forward_pixels(void *context, int64_t begin, int64_t end)
{
    const conv_job *j = context;
    int64_t channels = j->c->out_channels / j->c->groups;
    for (int64_t first = begin; first < end; first += PIXELS)
        for (int64_t group = 0; group < j->c->groups; group++)
            for (int64_t o = 0; o < channels; o += CHANNELS)
                forward_block(j, group, group * channels + o, least(channels - o, CHANNELS), first,
                              least(end - first, PIXELS));
}

void agk_conv_forward(const agk_conv *c, const ag_real *x, const ag_real *w, const ag_real *bias, bool add, ag_real *y)
{
    conv_job j = {.c = c, .x = x, .w = w, .bias = bias, .add = add, .to = y};
    int64_t work = group_taps(c) * c->out_channels; /* per pixel */
    agk_parallel(c->batch * area(c->out), 200000 / work + PIXELS, forward_pixels, &j);
}

/* ---- Gradient of the input. ---- */

/* Pixels first .. first+count-1 of one group: patches = w^T g, added to where they came from. */
static void input_gradient_block(const conv_job *j, int64_t group, int64_t first, int64_t count)
{
    const agk_conv *c = j->c;
    ag_real patches[TAPS * PIXELS], block[CHANNELS * PIXELS];
    int64_t taps = group_taps(c), channels = c->out_channels / c->groups;
    for (int64_t k = 0; k < taps; k += TAPS) {
        int64_t rows = least(taps - k, TAPS);
        for (int64_t o = 0; o < channels; o += CHANNELS) {
            int64_t depth = least(channels - o, CHANNELS), channel = group * channels + o;
            copy_block(c, (ag_real *)j->g, channel, depth, first, count, block, false);
            agk()->gemm(rows, count, depth, (agk_matrix){j->w + channel * taps + k, 1, taps},
                        (agk_matrix){block, PIXELS, 1}, o > 0 ? patches : NULL, PIXELS, patches, PIXELS);
        }
        add_patches(c, patches, group, k, rows, first, count, j->to);
    }
}

/* A block holds whole images, or is a part of one that begins at a multiple of PIXELS. */
static void input_gradient_images(void *context, int64_t begin, int64_t end)
{
    const conv_job *j = context;
    const agk_conv *c = j->c;
    int64_t image = c->in_channels * area(c->in), pixels = area(c->out);
    int64_t together = pixels < PIXELS ? PIXELS / pixels : 1;
    if (!j->add)
        memset(j->to + begin * image, 0, (size_t)((end - begin) * image) * sizeof *j->to);
    for (int64_t n = begin; n < end; n += together)
        for (int64_t group = 0; group < c->groups; group++)
            for (int64_t at = 0; at < (together > 1 ? 1 : pixels); at += PIXELS)
                input_gradient_block(j, group, n * pixels + at,
                                     together > 1 ? least(end - n, together) * pixels : least(pixels - at, PIXELS));
}

void agk_conv_input_gradient(const agk_conv *c, const ag_real *g, const ag_real *w, bool add, ag_real *dx)
{
    conv_job j = {.c = c, .g = g, .w = w, .add = add, .to = dx};
    int64_t work = group_taps(c) * c->out_channels * area(c->out); /* per image */
    agk_parallel(c->batch, 200000 / work + 1, input_gradient_images, &j);
}

/* ---- Gradient of the weight: a sum over all pixels of the batch, in order. Threads share out the taps. ---- */

static void weight_gradient_block(const conv_job *j, int64_t group, int64_t k, int64_t taps, int64_t first, int64_t count)
{
    const agk_conv *c = j->c;
    ag_real patches[TAPS * PIXELS], block[CHANNELS * PIXELS];
    int64_t channels = c->out_channels / c->groups, row = group_taps(c);
    write_patches(c, j->x, group, k, taps, first, count, patches, 1, TAPS);
    for (int64_t o = 0; o < channels; o += CHANNELS) {
        int64_t rows = least(channels - o, CHANNELS), channel = group * channels + o;
        ag_real *dw = j->to + channel * row + k;
        copy_block(c, (ag_real *)j->g, channel, rows, first, count, block, false);
        agk()->gemm(rows, taps, count, (agk_matrix){block, PIXELS, 1}, (agk_matrix){patches, TAPS, 1},
                    first > 0 || j->add ? dw : NULL, row, dw, row);
    }
}

static void weight_gradient_taps(void *context, int64_t begin, int64_t end)
{
    const conv_job *j = context;
    int64_t pixels = j->c->batch * area(j->c->out);
    for (int64_t group = 0; group < j->c->groups; group++)
        for (int64_t k = begin; k < end; k += TAPS)
            for (int64_t first = 0; first < pixels; first += PIXELS)
                weight_gradient_block(j, group, k, least(end - k, TAPS), first, least(pixels - first, PIXELS));
}

void agk_conv_weight_gradient(const agk_conv *c, const ag_real *x, const ag_real *g, bool add, ag_real *dw)
{
    conv_job j = {.c = c, .x = x, .g = g, .add = add, .to = dw};
    int64_t work = c->out_channels * c->batch * area(c->out); /* per tap */
    agk_parallel(group_taps(c), 200000 / work + 8, weight_gradient_taps, &j);
}
