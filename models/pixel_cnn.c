#include "models/pixel_cnn.h"

#include "autograd/op.h"

/* ---- A convolution that sees only what comes before. ---- */

typedef struct masked_conv {
    nn_module  base;
    ag_tensor *weight, *bias, *mask; /* weight and mask (out, in, kernel, kernel) */
    bool       sees_own;             /* its own place too: the paper's mask B */
} masked_conv;

static void masked_reset(nn_module *base, ag_rng *rng)
{
    masked_conv  *m = (masked_conv *)base;
    const int64_t kernel = m->mask->shape.dim[2], taps = kernel * kernel, own = taps / 2;
    nn_init_default(m->weight, m->bias, rng);
    for (int64_t i = 0; i < ag_numel(&m->mask->shape); i++)
        m->mask->data[i] = i % taps < own || (m->sees_own && i % taps == own);
}

static ag_tensor *masked_forward(nn_module *base, ag_tensor *x)
{
    masked_conv *m = (masked_conv *)base;
    if (ag_tensor_error(x))
        return x;
    const int64_t half = m->mask->shape.dim[2] / 2;
    return ag_conv2d(x, ag_mul(ag_on_tape(x->tape, m->weight), m->mask), m->bias,
                     (ag_conv_options){.padding = {half, half}});
}

static const nn_type masked_type = {
    .name = "MaskedConv2d", .size = sizeof(masked_conv), .forward = masked_forward, .reset = masked_reset};

/* `kernel` is odd. */
static nn_module *masked_conv_new(int64_t in, int64_t out, int64_t kernel, bool sees_own)
{
    masked_conv *m = nn_new(&masked_type);
    if (!m)
        return nn_failed("MaskedConv2d", "out of memory");
    m->sees_own = sees_own;
    NN_PARAMETER(m, weight, AG_SHAPE(out, in, kernel, kernel));
    NN_PARAMETER(m, bias, AG_SHAPE(out));
    NN_BUFFER(m, mask, AG_SHAPE(out, in, kernel, kernel));
    return &m->base;
}

/* ---- The network. ---- */

ag_tensor *pixel_cnn_forward(pixel_cnn *m, ag_tensor *index)
{
    ag_tensor *x = ag_permute(nn_forward(m->embedding, index), AG_AXES(0, 3, 1, 2));
    x = nn_forward(m->input, x);
    for (int64_t i = 0; i < m->config.blocks; i++)
        x = ag_add(x, nn_forward(nn_child_at(m->blocks, i), x));
    return nn_forward(m->output, x);
}

ag_tensor *pixel_cnn_loss(pixel_cnn *m, ag_tensor *index)
{
    ag_tensor *loss = ag_cross_entropy_loss(pixel_cnn_forward(m, index), index, AG_MEAN);
    return ag_scale(loss, (double)(m->config.height * m->config.width));
}

/* ---- Sampling. ---- */

/* The first number whose probability and those before it add up to more than u. */
static int64_t pick(const ag_real *p, int64_t stride, int64_t n, double u)
{
    int64_t i = 0;
    for (double sum = (double)p[0]; i + 1 < n && sum <= u; sum += (double)p[i * stride])
        i++;
    return i;
}

/* Draws the symbols of place `at` of n grids, into `grid` (n, places), by the rows down to it. */
static bool draw_place(pixel_cnn *m, ag_tape *tape, int64_t n, int64_t at, const ag_real *u, ag_real *grid)
{
    const pixel_cnn_config *c = &m->config;
    const int64_t           places = c->height * c->width, rows = at / c->width + 1, seen = rows * c->width;
    ag_tape_reset(tape);
    ag_tensor *all = ag_input(tape, AG_SHAPE(n, c->height, c->width), grid);
    ag_tensor *p = ag_softmax(pixel_cnn_forward(m, ag_slice(all, 1, 0, rows)), 1); /* (n, symbols, rows, width) */
    if (ag_error(tape))
        return false;
    for (int64_t i = 0; i < n; i++)
        grid[i * places + at] = (ag_real)pick(p->data + i * c->symbols * seen + at, seen, c->symbols,
                                              (double)u[i * places + at]);
    return true;
}

ag_tensor *pixel_cnn_sample(pixel_cnn *m, ag_tape *tape, int64_t n)
{
    enum { AT_A_TIME = 250 }; /* grids in a pass */
    const int64_t places = m->config.height * m->config.width;
    ag_tensor    *u = ag_rand(tape, AG_SHAPE(n, places)), *grid = ag_zeros(tape, AG_SHAPE(n, places));
    ag_tape      *passes = ag_tape_new(0); /* of the network: one for each place, in the same memory */
    if (!passes)
        return ag_fail(tape, "pixel_cnn: out of memory");
    ag_set_training(passes, false);
    ag_set_grad_enabled(passes, false);
    for (int64_t first = 0; first < n && !ag_error(tape); first += AT_A_TIME) {
        const int64_t some = n - first < AT_A_TIME ? n - first : AT_A_TIME;
        for (int64_t at = 0; at < places && !ag_error(tape); at++)
            if (!draw_place(m, passes, some, at, u->data + first * places, grid->data + first * places))
                grid = ag_fail(tape, "%s", ag_error(passes));
    }
    ag_tape_free(passes);
    return grid;
}

/* ---- The module. ---- */

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return pixel_cnn_forward((pixel_cnn *)m, x);
}

static const nn_type pixel_cnn_type = {.name = "PixelCNN", .size = sizeof(pixel_cnn), .forward = forward};

pixel_cnn *pixel_cnn_new(pixel_cnn_config c)
{
    pixel_cnn *m = nn_new(&pixel_cnn_type);
    if (!m)
        return NULL;
    m->config = c;
    const int64_t inside = c.channels, outside = 2 * c.channels;
    NN_CHILD(m, embedding, nn_embedding(c.symbols, inside));
    NN_CHILD(m, input, masked_conv_new(inside, outside, 5, false));
    NN_CHILD(m, blocks, nn_module_list_of(0, NULL));
    for (int64_t i = 0; i < c.blocks; i++)
        nn_append(m->blocks, nn_sequential(nn_relu(), nn_conv2d(outside, inside, 1, 1, 0), nn_relu(),
                                           masked_conv_new(inside, inside, 3, true), nn_relu(),
                                           nn_conv2d(inside, outside, 1, 1, 0)));
    NN_CHILD(m, output,
             nn_sequential(nn_relu(), nn_conv2d(outside, outside, 1, 1, 0), nn_relu(),
                           nn_conv2d(outside, c.symbols, 1, 1, 0)));
    return m;
}
