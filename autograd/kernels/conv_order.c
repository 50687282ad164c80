/* The order of weights. */
#include "autograd/kernels/conv_order_internal.h"

#include "autograd/kernels/threadpool.h"

typedef struct order_job {
    const agk_conv *c;
    bool            forward;
    int64_t         taps, depth, rows, blocks; /* in a group */
    const ag_real  *w;
    ag_real        *to;
} order_job;

static order_job order_of(const agk_conv *c, bool forward)
{
    const int64_t in = c->in_channels / c->groups, out = c->out_channels / c->groups, rows = forward ? out : in;
    return (order_job){.c = c,
                       .forward = forward,
                       .taps = c->kernel[0] * c->kernel[1],
                       .depth = forward ? in : out,
                       .rows = rows,
                       .blocks = (rows + AGK_CONV_ROWS - 1) / AGK_CONV_ROWS};
}

int64_t agk__group_weights(const agk_conv *c, bool forward)
{
    const order_job j = order_of(c, forward);
    return j.blocks * AGK_CONV_ROWS * j.depth * j.taps;
}

static void order_block(const order_job *j, int64_t i, ag_real *to)
{
    const int64_t row_step = j->forward ? j->depth * j->taps : j->taps,
                  depth_step = j->forward ? j->taps : j->rows * j->taps;
    const int64_t g = i / j->blocks, r = i % j->blocks * AGK_CONV_ROWS, left = j->rows - r;
    agk()->conv_order(left < AGK_CONV_ROWS ? left : AGK_CONV_ROWS, j->depth, j->taps,
                      j->w + g * j->rows * j->depth * j->taps + r * row_step, row_step, depth_step, to);
}

void agk__order_block(const agk_conv *c, bool forward, const ag_real *w, int64_t block, ag_real *to)
{
    order_job j = order_of(c, forward);
    j.w = w;
    order_block(&j, block, to);
}

/* Items are blocks of all groups. */
static void order_blocks(void *context, int64_t begin, int64_t end)
{
    const order_job *j = context;
    for (int64_t i = begin; i < end; i++)
        order_block(j, i, j->to + i * AGK_CONV_ROWS * j->depth * j->taps);
}

void agk__order_weights(const agk_conv *c, bool forward, const ag_real *w, ag_real *to)
{
    order_job j = order_of(c, forward);
    j.w = w;
    j.to = to;
    agk_parallel(c->groups * j.blocks, AGK_THREAD_COPIES / (AGK_CONV_ROWS * j.depth * j.taps) + 1, order_blocks, &j);
}
