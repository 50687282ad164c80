/* Interleaving, convolutions and max pooling of each instruction set against plain loops, and against each other bit
 * for bit. */
#include "autograd/kernels/conv_batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/kernels/workspace.h"
#include "tests/support/malloc.h"
#include "tests/test.h"

#ifdef AG_DOUBLE
#define TOLERANCE 1e-12
#else
#define TOLERANCE 1e-4
#endif

static ag_real *numbers(int64_t n, uint64_t seed)
{
    ag_real *x = malloc((size_t)n * sizeof *x);
    ag_rng_uniform(&(ag_rng){seed, 0}, n, -1, 1, x);
    return x;
}

static int64_t area(const int64_t *size)
{
    return size[0] * size[1];
}

/* ---- Interleaving. ---- */

static void check_interleaving(int64_t batch, int64_t channels, int64_t pixels)
{
    const int64_t size = channels * pixels, all = agk_interleaved(batch, size);
    ag_real      *x = numbers(batch * size, 1), *y = numbers(batch * size, 2), *in = numbers(all, 3),
            *before = numbers(batch * size, 2), *sum = numbers(batch * size, 2);
    double total = 0, wanted = 0; /* images beyond the batch are zero */
    agk_interleave(batch, channels, pixels, x, in);
    for (int64_t k = 0; k < all; k++)
        total += fabs((double)in[k]);
    for (int64_t k = 0; k < batch * size; k++) {
        wanted += fabs((double)x[k]);
        const int64_t image = k / size, block = image / AGK_LANES, c = k % size / pixels, p = k % pixels;
        const int64_t at = (block * size + p * channels + c) * AGK_LANES + image % AGK_LANES;
        cr_assert(at < all && in[at] == x[k], "batch %d, %d by %d", (int)batch, (int)channels, (int)pixels);
    }
    cr_assert(fabs(total - wanted) < 1e-3 * wanted, "batch %d, %d by %d", (int)batch, (int)channels, (int)pixels);
    agk_deinterleave(batch, channels, pixels, in, false, y);
    cr_assert(!memcmp(x, y, (size_t)(batch * size) * sizeof *x));
    agk_deinterleave(batch, channels, pixels, in, true, sum);
    for (int64_t k = 0; k < batch * size; k++)
        cr_assert(sum[k] == before[k] + x[k]);
    free(x), free(y), free(in), free(sum), free(before);
}

Test(interleave, there_and_back)
{
    const agk_table     *before_all = agk();
    static const int64_t batches[] = {1, 5, 16, 17, 31, 32, 33, 47, 49, 64, 70};
    static const int64_t shapes[][2] = {{1, 1},  {1, 3},  {3, 1},  {1, 25},  {16, 1},  {8, 4},   {33, 7},
                                        {3, 16}, {2, 49}, {5, 33}, {1, 600}, {70, 17}, {1200, 2}};
    for (int i = 0; agk_name(i); i++)
        for (size_t b = 0; agk_find(agk_name(i)) && b < sizeof batches / sizeof *batches; b++)
            for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
                agk_use(agk_find(agk_name(i)));
                check_interleaving(batches[b], shapes[s][0], shapes[s][1]);
            }
    agk_use(before_all);
}

/* ---- Convolutions. ---- */

/* Calls f for each product of one pixel of x, one weight and one pixel of y. */
typedef void product_fn(double *x, double *w, double *y);

static void for_products(const agk_conv *c, double *x, double *w, double *y, product_fn *f)
{
    int64_t in = c->in_channels / c->groups, out = c->out_channels / c->groups;
    for (int64_t n = 0; n < c->batch; n++)
        for (int64_t o = 0; o < c->out_channels; o++)
            for (int64_t i = 0; i < in; i++)
                for (int64_t t = 0; t < area(c->kernel); t++)
                    for (int64_t p = 0; p < area(c->out); p++) {
                        int64_t iy = p / c->out[1] * c->stride[0] + t / c->kernel[1] * c->dilation[0] - c->padding[0];
                        int64_t ix = p % c->out[1] * c->stride[1] + t % c->kernel[1] * c->dilation[1] - c->padding[1];
                        if (iy >= 0 && iy < c->in[0] && ix >= 0 && ix < c->in[1])
                            f(&x[((n * c->in_channels + o / out * in + i) * c->in[0] + iy) * c->in[1] + ix],
                              &w[(o * in + i) * area(c->kernel) + t], &y[(n * c->out_channels + o) * area(c->out) + p]);
                    }
}

static void to_y(double *x, double *w, double *y)
{
    *y += *x * *w;
}
static void to_x(double *x, double *w, double *y)
{
    *x += *y * *w;
}
static void to_w(double *x, double *w, double *y)
{
    *w += *x * *y;
}

static double *doubles(const ag_real *x, int64_t n)
{
    double *d = calloc((size_t)n, sizeof *d);
    for (int64_t i = 0; x && i < n; i++)
        d[i] = (double)x[i];
    return d;
}

/* The products of one convolution with the table in use: y, dx, twice dw, twice db in one array. */
static void compute(const agk_conv *c, const ag_real *x, const ag_real *w, const ag_real *g, const ag_real *bias,
                    ag_real *all)
{
    int64_t         in = c->in_channels * area(c->in), out = c->out_channels * area(c->out);
    int64_t         nx = c->batch * in, ny = c->batch * out;
    ag_real        *memory = malloc((size_t)agk_conv_images_size(c) * sizeof *memory), *dw = all + ny + nx;
    agk_conv_images images = agk_conv_images_in(c, memory);
    agk_interleave(c->batch, c->in_channels, area(c->in), x, images.x);
    agk_conv_forward(c, images, w, bias);
    agk_deinterleave(c->batch, c->out_channels, area(c->out), images.y, false, all);
    agk_interleave(c->batch, c->out_channels, area(c->out), g, images.y);
    agk_conv_weight_gradient(c, images, false, dw);
    agk_conv_weight_gradient(c, images, true, dw); /* twice as much */
    agk_conv_input_gradient(c, images, w, NULL);
    agk_deinterleave(c->batch, c->in_channels, area(c->in), images.x, false, all + ny);
    ag_real *db = dw + c->out_channels * c->in_channels / c->groups * area(c->kernel);
    memset(db, 0, (size_t)c->out_channels * sizeof *db);
    for (int twice = 0; twice < 2; twice++)
        agk_conv_bias_gradient(c->batch, c->out_channels, area(c->out), images.y, db);
    free(memory);
}

/* What a kernel reads without having written it shows. */
static void spoil(int64_t n, ag_real *memory)
{
    for (int64_t i = 0; memory && i < n; i++)
        memory[i] = (ag_real)NAN;
}

/* The same by the direct way, of which `add` adds to what is there; without the bias' gradient. */
static void compute_directly(const agk_conv *c, const ag_real *x, const ag_real *w, const ag_real *g,
                             const ag_real *bias, bool add, ag_real *all)
{
    int64_t  nx = c->batch * c->in_channels * area(c->in), ny = c->batch * c->out_channels * area(c->out);
    ag_real *workspace = malloc((size_t)agk_conv_direct_workspace_size(c) * sizeof *workspace);
    spoil(agk_conv_direct_workspace_size(c), workspace);
    spoil(AGK_WORKSPACE, agk_workspace());
    agk_conv_direct_forward(c, x, w, bias, add, all, workspace);
    agk_conv_direct_input_gradient(c, g, w, NULL, add, all + ny, workspace);
    agk_conv_direct_weight_gradient(c, x, g, false, all + ny + nx, workspace);
    agk_conv_direct_weight_gradient(c, x, g, true, all + ny + nx, workspace); /* twice as much */
    free(workspace);
}

/* Large windows that overlap: the gradient of the input adds up in another order, whatever the batch. */
static bool adds_up_by_patches(const agk_conv *c)
{
    const bool large = c->stride[0] > 8 || c->stride[1] > 8 || c->kernel[0] > 121 || c->kernel[1] > 121 ||
                       area(c->kernel) > 400;
    return large && c->dilation[0] == 1 && (c->kernel[0] > c->stride[0] || c->kernel[1] > c->stride[1]);
}

/* The input's gradient with a bias, as a transposed convolution has it. */
static void check_input_bias(const agk_conv *c, const ag_real *w, const ag_real *g, const double *gx)
{
    const int64_t n = c->batch * c->in_channels * area(c->in);
    ag_real      *bias = numbers(c->in_channels, 5), *dx = malloc((size_t)n * sizeof *dx);
    ag_real      *workspace = malloc((size_t)agk_conv_direct_workspace_size(c) * sizeof *workspace);
    double       *wanted = doubles(NULL, n);
    for (int64_t i = 0; i < n; i++)
        wanted[i] = gx[i] + (double)bias[i / area(c->in) % c->in_channels];
    agk_conv_direct_input_gradient(c, g, w, bias, false, dx, workspace);
    check_close("direct dx and bias", n, dx, wanted, TOLERANCE);
    free(bias), free(dx), free(workspace), free(wanted);
}

/* With the bits of the interleaved way, which are in `expected`, but for the weight's gradient. */
static void check_direct_way(const agk_conv *c, const ag_real *x, const ag_real *w, const ag_real *g,
                             const ag_real *bias, const ag_real *expected, const double *gx, const double *gw)
{
    const int64_t nx = c->batch * c->in_channels * area(c->in), ny = c->batch * c->out_channels * area(c->out);
    const int64_t same = adds_up_by_patches(c) ? ny : nx + ny;
    const int64_t weights = c->out_channels * c->in_channels / c->groups * area(c->kernel), total = nx + ny + weights;
    ag_real      *all = malloc((size_t)total * sizeof *all), *first = malloc((size_t)total * sizeof *first);
    int           compared = 0;
    for (int i = 0; agk_name(i) && !(ONE_TABLE && compared); i++)
        for (int threads = compared ? 3 : 1; agk_find(agk_name(i)) && threads < 4; threads += 2) {
            agk_use(agk_find(agk_name(i)));
            ag_set_threads(threads);
            compute_directly(c, x, w, g, bias, false, all);
            cr_assert(!memcmp(all, expected, (size_t)same * sizeof *all), "%s, %d threads: direct", agk_name(i),
                      threads);
            if (!compared++)
                memcpy(first, all, (size_t)total * sizeof *first);
            cr_assert(!memcmp(all, first, (size_t)total * sizeof *first), "%s: direct", agk_name(i));
            compute_directly(c, x, w, g, bias, true, all);
            for (int64_t k = 0; k < same; k++)
                cr_assert(all[k] == expected[k] + expected[k], "%s: direct, added, at %lld", agk_name(i), (long long)k);
            for (int64_t k = same; k < nx + ny; k++)
                cr_assert(fabs((double)all[k] / 2 - gx[k - ny]) < TOLERANCE, "%s: direct, added, at %lld", agk_name(i),
                          (long long)k);
        }
    check_input_bias(c, w, g, gx);
    ag_set_threads(1);
    agk_workspace_free();
    malloc_watch(1);
    compute_directly(c, x, w, g, bias, false, all);
    malloc_unwatch();
    cr_assert(!memcmp(all, first, (size_t)total * sizeof *all), "direct, without workspace");
    check_close("direct dx", nx, first + ny, gx, TOLERANCE);
    check_close("direct dw", weights, first + nx + ny, gw, TOLERANCE * sqrt((double)(c->batch * area(c->out))));
    free(all), free(first);
}

/* Memory has run out, but for what `compute` takes itself: the kernels make do without a workspace. */
static void check_without_workspace(const agk_conv *c, const ag_real *x, const ag_real *w, const ag_real *g,
                                    const ag_real *bias, const ag_real *expected, ag_real *all, int64_t total)
{
    agk_workspace_free();
    malloc_watch(1);
    compute(c, x, w, g, bias, all);
    malloc_unwatch();
    cr_assert(!memcmp(all, expected, (size_t)total * sizeof *all), "without workspace");
}

/* The whole batch, part of it interleaved and the rest not: y and dx with the bits of the interleaved way, the
 * gradients of weight and bias with those of any table and number of threads; the gradients are added twice. */
static void check_parts(const agk_conv *c, const ag_real *x, const ag_real *w, const ag_real *g, const ag_real *bias,
                        const ag_real *expected, const double *gw, const double *gb)
{
    const int64_t nx = c->batch * c->in_channels * area(c->in), ny = c->batch * c->out_channels * area(c->out);
    const int64_t weights = c->out_channels * c->in_channels / c->groups * area(c->kernel), total = nx + ny + weights;
    const agk_conv_batch b = agk_conv_batch_of(c, c->batch % 2 > 0);
    ag_real     *all = malloc((size_t)(total + c->out_channels) * sizeof *all), *dw = all + ny + nx, *db = dw + weights;
    ag_real     *memory = malloc((size_t)agk_conv_batch_size(&b) * sizeof *memory);
    const size_t gradients = (size_t)(weights + c->out_channels) * sizeof *dw;
    ag_real     *first = malloc(gradients);
    int          compared = 0;
    for (int i = 0; agk_name(i) && !(ONE_TABLE && compared); i++)
        for (int threads = compared ? 3 : 1; agk_find(agk_name(i)) && threads < 4; threads += 2) {
            agk_use(agk_find(agk_name(i)));
            ag_set_threads(threads);
            memset(db, 0, (size_t)c->out_channels * sizeof *db);
            agk_conv_batch_take_input(&b, x, memory);
            agk_conv_batch_forward(&b, x, w, bias, false, all, memory);
            agk_conv_batch_take_output(&b, g, memory);
            for (int twice = 0; twice < 2; twice++) {
                agk_conv_batch_weight_gradient(&b, x, g, twice > 0, dw, memory);
                agk_conv_batch_output_sum(&b, g, db, memory);
            }
            agk_conv_batch_input_gradient(&b, g, w, NULL, false, all + ny, memory);
            cr_assert(!memcmp(all, expected, (size_t)(adds_up_by_patches(c) ? ny : ny + nx) * sizeof *all), "%s: parts",
                      agk_name(i));
            if (!compared++)
                memcpy(first, dw, gradients);
            cr_assert(!memcmp(first, dw, gradients), "%s, %d threads: parts", agk_name(i), threads);
        }
    check_close("dw of parts", weights, dw, gw, TOLERANCE * sqrt((double)(c->batch * area(c->out))));
    check_close("db of parts", c->out_channels, db, gb, TOLERANCE * sqrt((double)(c->batch * area(c->out))));
    free(all), free(memory), free(first);
}

static void check_convolution(const agk_conv *c)
{
    int64_t in = c->batch * c->in_channels * area(c->in), out = c->batch * c->out_channels * area(c->out);
    int64_t weights = c->out_channels * c->in_channels / c->groups * area(c->kernel),
            total = in + out + weights + c->out_channels;
    ag_real *x = numbers(in, 1), *w = numbers(weights, 2), *g = numbers(out, 3), *bias = numbers(c->out_channels, 4);
    ag_real *first = malloc((size_t)total * sizeof *first), *again = malloc((size_t)total * sizeof *again);
    double  *dx = doubles(x, in), *dw = doubles(w, weights), *dg = doubles(g, out), *y = doubles(NULL, out),
           *gx = doubles(NULL, in), *gw = doubles(NULL, weights);
    for (int64_t i = 0; i < out; i++)
        y[i] = (double)bias[i / area(c->out) % c->out_channels];
    for_products(c, dx, dw, y, to_y);
    for_products(c, gx, dw, dg, to_x);
    for_products(c, dx, gw, dg, to_w);
    for (int64_t i = 0; i < weights; i++)
        gw[i] *= 2;
    double *gb = doubles(NULL, c->out_channels);
    for (int64_t i = 0; i < out; i++)
        gb[i / area(c->out) % c->out_channels] += 2 * dg[i];
    int              compared = 0;
    const agk_table *before = agk();
    for (int i = 0; agk_name(i) && !(ONE_TABLE && compared); i++)
        for (int threads = compared ? 3 : 1; agk_find(agk_name(i)) && threads < 4; threads += 2) {
            agk_use(agk_find(agk_name(i)));
            ag_set_threads(threads);
            compute(c, x, w, g, bias, compared ? again : first);
            cr_assert(!compared++ || !memcmp(first, again, (size_t)total * sizeof *first), "%s, %d threads differ",
                      agk_name(i), threads);
        }
    const double images = (double)(in + out), some = 1e6; /* room for a border of wide padding would be far more */
    if (agk_conv_is_direct(c, false))
        cr_assert((double)agk_conv_direct_workspace_size(c) <= 20 * images + 4 * (double)weights + some);
    if (agk_conv_is_direct(c, false))
        check_direct_way(c, x, w, g, bias, first, gx, gw);
    check_parts(c, x, w, g, bias, first, gw, gb);
    agk_use(before);
    ag_set_threads(1);
    check_without_workspace(c, x, w, g, bias, first, again, total);
    check_close("y", out, first, y, TOLERANCE);
    check_close("dx", in, first + out, gx, TOLERANCE);
    check_close("dw", weights, first + out + in, gw, TOLERANCE * sqrt((double)(c->batch * area(c->out))));
    check_close("db", c->out_channels, first + out + in + weights, gb,
                TOLERANCE * sqrt((double)(c->batch * area(c->out))));
    free(x), free(w), free(g), free(bias), free(first), free(again), free(gb);
    free(dx), free(dw), free(dg), free(y), free(gx), free(gw);
}

/* Channels beyond a tile and beyond a patch, a kernel of more taps than are done at a time, blocks that are not full,
 * groups, borders, kernels of one pixel, sums of those that wait to be added in several turns, rows and strides too
 * long for the memory that a band of pixels has, planes of many bands, rows of whole vectors, weights of few pixels in
 * parts, borders and reaches wider than the slack behind a plane, results wider than the bordered input. */
Test(conv, every_table_as_plain_loops)
{
    static const int64_t cases[][13] = {
        /* batch, in, out, groups, height, width, kernel h, w, stride h, w, padding h, w, dilation */
        {1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 0, 0, 1},         {3, 1, 16, 1, 9, 10, 3, 3, 3, 3, 1, 1, 1},
        {17, 5, 13, 1, 6, 7, 2, 3, 1, 2, 1, 0, 1},       {33, 8, 9, 1, 7, 8, 3, 3, 2, 2, 1, 1, 1},
        {50, 25, 26, 1, 4, 5, 2, 2, 1, 1, 0, 0, 1},      {5, 6, 9, 3, 8, 9, 3, 2, 1, 2, 2, 1, 2},
        {2, 4, 4, 4, 10, 11, 5, 5, 1, 1, 2, 2, 1},       {2, 2, 3, 1, 12, 13, 9, 9, 1, 1, 4, 4, 1},
        {70, 3, 2, 1, 5, 6, 1, 1, 2, 3, 0, 0, 1},        {4, 4, 4, 1, 40, 41, 3, 3, 1, 1, 1, 1, 1},
        {2, 3, 5, 1, 7, 8, 4, 4, 5, 4, 3, 3, 1},         {18, 13, 57, 1, 5, 6, 3, 3, 1, 2, 1, 0, 1},
        {18, 26, 43, 1, 6, 7, 3, 3, 2, 1, 2, 1, 2},      {20, 5, 7, 1, 6, 7, 1, 1, 1, 1, 0, 0, 1},
        {3, 6, 9, 3, 8, 9, 1, 1, 1, 1, 0, 0, 1},         {20, 8, 8, 8, 12, 13, 3, 3, 2, 1, 1, 1, 1},
        {40, 4, 8, 4, 5, 6, 3, 3, 1, 1, 1, 1, 1},        {3, 4, 4, 4, 70, 71, 5, 5, 2, 2, 2, 2, 1},
        {1, 2, 2, 2, 9, 331, 3, 2, 2, 1, 1, 1, 1},       {1, 70, 14, 1, 9, 21, 3, 3, 1, 1, 1, 1, 1},
        {2, 6, 26, 2, 9, 10, 3, 3, 2, 2, 1, 1, 2},       {1, 2, 3, 1, 7, 301, 2, 5, 1, 1, 0, 3, 1},
        {9, 5, 13, 1, 14, 15, 5, 4, 3, 2, 2, 1, 1},      {1, 3, 4, 1, 1, 2, 3, 3, 1, 1, 900, 900, 900},
        {1, 3, 3, 3, 1, 2, 3, 3, 1, 1, 900, 900, 900},   {13, 6, 66, 2, 12, 13, 1, 1, 1, 1, 0, 0, 1},
        {3, 70, 13, 1, 4, 5, 4, 4, 1, 1, 0, 0, 1},       {2, 6, 9, 3, 40, 41, 16, 11, 16, 12, 3, 2, 1},
        {1, 2, 3, 1, 150, 151, 3, 130, 3, 200, 0, 0, 1}, {18, 2, 3, 1, 30, 31, 21, 20, 2, 9, 3, 5, 1},
        {2, 4, 6, 2, 40, 41, 3, 19, 10, 11, 1, 2, 1},    {5, 8, 6, 2, 3, 4, 3, 2, 2, 3, 1, 0, 1},
        {18, 38, 70, 1, 5, 6, 3, 3, 1, 2, 1, 1, 1},      {1, 38, 70, 1, 63, 41, 3, 3, 60, 1, 0, 1, 1},
        {1, 80, 194, 2, 62, 63, 1, 2, 60, 1, 0, 0, 1},   {3, 5, 5, 5, 20, 21, 11, 11, 1, 1, 5, 5, 1},
        {2, 3, 3, 3, 19, 20, 8, 16, 2, 1, 4, 7, 1},      {2, 3, 6, 3, 14, 15, 8, 8, 1, 2, 3, 4, 1},
        {17, 70, 3, 1, 3, 4, 3, 3, 1, 1, 1, 1, 1},       {3, 17, 4, 1, 5, 6, 9, 9, 1, 1, 4, 4, 1},
        {2, 4, 3, 1, 24, 25, 21, 20, 1, 1, 0, 0, 1},     {1, 4, 3, 1, 2, 230, 1, 210, 1, 1, 0, 0, 1},
        {1, 4, 3, 1, 2, 420, 1, 1, 1, 28, 0, 0, 1},      {18, 2, 3, 1, 1, 262, 1, 130, 1, 1, 0, 0, 2},
        {18, 3, 17, 1, 15, 16, 3, 3, 1, 1, 1, 1, 1},     {17, 2, 33, 1, 29, 28, 5, 4, 2, 2, 1, 2, 1},
        {16, 1, 18, 1, 14, 17, 3, 5, 1, 1, 2, 4, 2},     {2, 3, 16, 1, 13, 21, 11, 11, 1, 1, 6, 5, 1},
        {2, 3, 4, 1, 16, 15, 15, 15, 1, 1, 7, 7, 1},     {3, 6, 12, 2, 13, 14, 2, 3, 1, 1, 0, 1, 1},
        {17, 5, 7, 1, 13, 14, 1, 1, 2, 2, 0, 0, 1},      {3, 6, 9, 3, 20, 23, 1, 1, 3, 2, 0, 0, 1},
        {4, 40, 20, 1, 33, 32, 1, 1, 1, 2, 0, 0, 1},     {2, 3, 14, 1, 60, 48, 3, 5, 1, 1, 1, 2, 1},
        {3, 4, 13, 1, 9, 32, 3, 3, 1, 1, 1, 1, 1},       {1, 4, 14, 2, 40, 131, 3, 3, 1, 1, 1, 1, 1},
        {3, 4, 13, 1, 9, 24, 3, 3, 1, 1, 1, 1, 1},       {2, 3, 13, 1, 9, 32, 4, 4, 2, 2, 1, 1, 1},
        {1, 130, 171, 1, 4, 3, 5, 5, 1, 1, 2, 2, 1},     {1, 16, 24, 1, 29, 29, 3, 3, 1, 1, 3, 3, 1},
        {1, 16, 24, 1, 30, 30, 2, 2, 1, 1, 2, 2, 1},     {1, 16, 16, 1, 1, 500, 1, 99, 1, 1, 0, 0, 1},
        {1, 4, 4, 1, 1, 1000, 1, 3, 1, 1, 0, 300, 300},  {1, 4, 4, 4, 1, 1000, 1, 3, 1, 1, 0, 300, 300},
        {1, 4, 5, 1, 1, 1200, 1, 3, 1, 1, 0, 256, 128},  {1, 2, 2, 2, 2, 2, 1, 1, 1, 1, 0, 478, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int64_t *v = cases[i];
        agk_conv       c = {.batch = v[0],
                            .in_channels = v[1],
                            .out_channels = v[2],
                            .groups = v[3],
                            .in = {v[4], v[5]},
                            .kernel = {v[6], v[7]},
                            .stride = {v[8], v[9]},
                            .padding = {v[10], v[11]},
                            .dilation = {v[12], v[12]}};
        for (int k = 0; k < 2; k++)
            c.out[k] = (c.in[k] + 2 * c.padding[k] - c.dilation[k] * (c.kernel[k] - 1) - 1) / c.stride[k] + 1;
        check_convolution(&c);
    }
}
