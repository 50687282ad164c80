#include "autograd/kernels/conv_batch.h"

#include <stddef.h>

/* Images beyond whole blocks would leave lanes of a block empty. They are left out of it where the direct way is faster
 * for so few. */
agk_conv_batch agk_conv_batch_of(const agk_conv *c, bool needs_input_gradient)
{
    agk_conv_batch b = {*c, *c};
    if (!agk_conv_is_direct(c, needs_input_gradient)) {
        b.rest.batch %= AGK_LANES;
        if (b.rest.batch > 0 && !agk_conv_is_direct(&b.rest, needs_input_gradient))
            b.rest.batch = 0;
    }
    b.blocks.batch -= b.rest.batch;
    return b;
}

/* Reals that the blocks take, up to where the direct way works. */
static int64_t blocks_size(const agk_conv_batch *b)
{
    const int64_t size = b->blocks.batch > 0 ? agk_conv_images_size(&b->blocks) : 0;
    return size < 0 ? -1 : (size + AGK_LANES - 1) / AGK_LANES * AGK_LANES;
}

int64_t agk_conv_batch_size(const agk_conv_batch *b)
{
    const int64_t blocks = blocks_size(b), rest = b->rest.batch > 0 ? agk_conv_direct_workspace_size(&b->rest) : 0;
    return blocks < 0 || rest < 0 ? -1 : blocks + rest;
}

/* Where the rest of input and output begins. */
static int64_t rest_in(const agk_conv_batch *b)
{
    return b->blocks.batch * b->blocks.in_channels * agk__area(b->blocks.in);
}

static int64_t rest_out(const agk_conv_batch *b)
{
    return b->blocks.batch * b->blocks.out_channels * agk__area(b->blocks.out);
}

void agk_conv_batch_take_input(const agk_conv_batch *b, const ag_real *x, ag_real *memory)
{
    const agk_conv *c = &b->blocks;
    if (c->batch > 0)
        agk_interleave(c->batch, c->in_channels, agk__area(c->in), x, agk_conv_images_in(c, memory).x);
}

void agk_conv_batch_take_output(const agk_conv_batch *b, const ag_real *dy, ag_real *memory)
{
    const agk_conv *c = &b->blocks;
    if (c->batch > 0)
        agk_interleave(c->batch, c->out_channels, agk__area(c->out), dy, agk_conv_images_in(c, memory).y);
}

void agk_conv_batch_forward(const agk_conv_batch *b, const ag_real *x, const ag_real *w, const ag_real *bias, bool add,
                            ag_real *y, ag_real *memory)
{
    const agk_conv *c = &b->blocks;
    if (c->batch > 0) {
        const agk_conv_images images = agk_conv_images_in(c, memory);
        agk_conv_forward(c, images, w, bias);
        agk_deinterleave(c->batch, c->out_channels, agk__area(c->out), images.y, add, y);
    }
    if (b->rest.batch > 0)
        agk_conv_direct_forward(&b->rest, x + rest_in(b), w, bias, add, y + rest_out(b), memory + blocks_size(b));
}

void agk_conv_batch_input_gradient(const agk_conv_batch *b, const ag_real *dy, const ag_real *w, const ag_real *bias,
                                   bool add, ag_real *dx, ag_real *memory)
{
    const agk_conv *c = &b->blocks;
    if (c->batch > 0) {
        const agk_conv_images images = agk_conv_images_in(c, memory);
        agk_conv_input_gradient(c, images, w, bias);
        agk_deinterleave(c->batch, c->in_channels, agk__area(c->in), images.x, add, dx);
    }
    if (b->rest.batch > 0)
        agk_conv_direct_input_gradient(&b->rest, dy + rest_out(b), w, bias, add, dx + rest_in(b),
                                       memory + blocks_size(b));
}

void agk_conv_batch_weight_gradient(const agk_conv_batch *b, const ag_real *x, const ag_real *dy, bool add, ag_real *dw,
                                    ag_real *memory)
{
    const agk_conv *c = &b->blocks;
    if (c->batch > 0)
        agk_conv_weight_gradient(c, agk_conv_images_in(c, memory), add, dw);
    if (b->rest.batch > 0)
        agk_conv_direct_weight_gradient(&b->rest, x + rest_in(b), dy + rest_out(b), add || c->batch > 0, dw,
                                        memory + blocks_size(b));
}

/* db += the sum over images and pixels of x (batch, channels, size), of which `blocks` has the interleaved part. */
static void add_sum(const agk_conv_batch *b, int64_t channels, const int64_t *size, const ag_real *blocks,
                    const ag_real *x, ag_real *db)
{
    const int64_t images = b->blocks.batch, pixels = agk__area(size);
    if (images > 0)
        agk_conv_bias_gradient(images, channels, pixels, blocks, db);
    if (b->rest.batch > 0)
        agk_conv_direct_bias_gradient(b->rest.batch, channels, pixels, x + images * channels * pixels, db);
}

void agk_conv_batch_output_sum(const agk_conv_batch *b, const ag_real *dy, ag_real *db, ag_real *memory)
{
    const agk_conv *c = &b->blocks;
    add_sum(b, c->out_channels, c->out, agk_conv_images_in(c, memory).y, dy, db);
}

void agk_conv_batch_input_sum(const agk_conv_batch *b, const ag_real *x, ag_real *db, ag_real *memory)
{
    const agk_conv *c = &b->blocks;
    add_sum(b, c->in_channels, c->in, agk_conv_images_in(c, memory).x, x, db);
}
