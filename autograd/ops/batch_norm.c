/* batch_norm: each channel to mean 0 and deviation 1, then scaled and shifted. Saved: per channel the mean that was
 * taken off and one over the deviation. */
#include <math.h>
#include <string.h>

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/norm_internal.h"
#include "autograd/ops/written_internal.h"

enum { X, RUNNING_MEAN, RUNNING_VAR, WEIGHT, BIAS }; /* the inputs; the last two may be missing */

enum { THREAD_ELEMENTS = 8192 }; /* that are worth a thread */

typedef struct batch_norm_plan {
    double  momentum, eps;
    bool    training;
    int64_t batch, channels, pixels;
} batch_norm_plan;

static bool batch_norm_shape(ag_node *node)
{
    static const char *const names[] = {"input", "running_mean", "running_var", "weight", "bias"};
    batch_norm_plan         *p = node->attr;
    const ag_shape          *x = &node->in[X]->shape;
    if (x->rank < 2)
        return ag_op_fail(node, "input %s, expected (N, C, ...)", AG_STR(x));
    for (int i = RUNNING_MEAN; i < node->n_in; i++)
        if (node->in[i]->shape.rank != 1 || node->in[i]->shape.dim[0] != x->dim[1])
            return ag_op_fail(node, "%s %s, expected (%lld) for input %s", names[i], AG_STR(&node->in[i]->shape),
                              (long long)x->dim[1], AG_STR(x));
    p->training = ag_is_training(node->out->tape);
    p->batch = x->dim[0];
    p->channels = x->dim[1];
    p->pixels = ag_numel(x) / (p->batch * p->channels);
    if (p->training && p->batch * p->pixels < 2)
        return ag_op_fail(node, "input %s has one value per channel; training needs at least two", AG_STR(x));
    node->out->shape = *x;
    return ag_op_save(node, 2 * p->channels);
}

/* Elements from a channel's pixels in one image to those in the next. */
static int64_t image_size(const batch_norm_plan *p)
{
    return p->channels * p->pixels;
}

/* ---- Channels one after the other, each a row of pixels in every image. ---- */

/* NaN stays NaN, other than by fmax. */
static double at_least_zero(double x)
{
    return x < 0 ? 0 : x;
}

/* The mean and the biased variance of a channel: the variance around a first estimate of the mean, then put right. */
static void moments(const ag_node *node, int64_t c, double *mean, double *variance)
{
    const batch_norm_plan *p = node->attr;
    const ag_real         *x = node->in[X]->data + c * p->pixels, estimate = x[0];
    double                 count = (double)(p->batch * p->pixels), sum = 0, squares = 0;
    agk()->norm_sums(p->batch, p->pixels, image_size(p), x, estimate, &sum, &squares);
    *mean = (double)estimate + (isfinite(sum) ? sum / count : 0);
    const ag_real centre = (ag_real)*mean;
    sum = squares = 0;
    agk()->norm_sums(p->batch, p->pixels, image_size(p), x, centre, &sum, &squares);
    const double off = sum / count; /* of the mean from its rounded value */
    *mean = (double)centre + off;
    *variance = at_least_zero(squares / count - off * off);
}

static void update_running(ag_node *node, int64_t c, double mean, double variance)
{
    const batch_norm_plan *p = node->attr;
    double                 count = (double)(p->batch * p->pixels);
    ag_real               *m = node->in[RUNNING_MEAN]->data + c, *v = node->in[RUNNING_VAR]->data + c;
    *m = (ag_real)((1 - p->momentum) * (double)*m + p->momentum * mean);
    *v = (ag_real)((1 - p->momentum) * (double)*v + p->momentum * variance * count / (count - 1));
}

/* Keeps what backward needs of a channel; returns what x - centre is multiplied with. */
static ag_real save_channel(ag_node *node, int64_t c, double mean, double variance)
{
    const batch_norm_plan *p = node->attr;
    ag_real               *saved = node->saved, inverse = (ag_real)(1 / sqrt(variance + p->eps));
    saved[2 * c] = (ag_real)mean;
    saved[2 * c + 1] = inverse;
    return node->n_in > WEIGHT ? inverse * node->in[WEIGHT]->data[c] : inverse;
}

static void forward_channels(void *context, int64_t begin, int64_t end)
{
    ag_node               *node = context;
    const batch_norm_plan *p = node->attr;
    for (int64_t c = begin; c < end; c++) {
        double mean = (double)node->in[RUNNING_MEAN]->data[c], variance = (double)node->in[RUNNING_VAR]->data[c];
        if (p->training) {
            moments(node, c, &mean, &variance);
            update_running(node, c, mean, variance);
        }
        const ag_real scale = save_channel(node, c, mean, variance),
                      shift = node->n_in > WEIGHT ? node->in[BIAS]->data[c] : 0;
        agk()->norm_apply(p->batch, p->pixels, image_size(p), node->in[X]->data + c * p->pixels, (ag_real)mean, scale,
                          shift, node->out->data + c * p->pixels);
    }
}

/* What backward works on. */
typedef struct gradients {
    const ag_node *node;
    ag_grad_target dx;
    ag_real       *dw, *db;
} gradients;

/* With u the normalised input: db = sum g, dw = sum g u, dx = scale (g - mean g - u mean(g u)) in training, scale g in
 * evaluation. Adds a channel's dw and db, and gives what dx is made of. */
static agk_norm channel_gradient(const gradients *j, int64_t c, double sum, double product)
{
    const batch_norm_plan *p = j->node->attr;
    const ag_real         *saved = j->node->saved;
    const double           count = (double)(p->batch * p->pixels), inverse = (double)saved[2 * c + 1];
    if (j->dw)
        j->dw[c] += (ag_real)(product * inverse);
    if (j->db)
        j->db[c] += (ag_real)sum;
    const ag_real weight = j->node->n_in > WEIGHT ? j->node->in[WEIGHT]->data[c] : 1;
    return (agk_norm){saved[2 * c], (ag_real)(p->training ? sum / count : 0),
                      (ag_real)(p->training ? product / count * inverse * inverse : 0), saved[2 * c + 1] * weight};
}

/* In evaluation dx alone has no sums in it. */
static bool needs_sums(const gradients *j)
{
    return ((const batch_norm_plan *)j->node->attr)->training || j->dw || j->db;
}

static void backward_channels(void *context, int64_t begin, int64_t end)
{
    const gradients       *j = context;
    const batch_norm_plan *p = j->node->attr;
    const ag_real         *saved = j->node->saved;
    for (int64_t c = begin; c < end; c++) {
        const ag_real *x = j->node->in[X]->data + c * p->pixels, *g = j->node->out->grad + c * p->pixels;
        double         sum = 0, product = 0;
        if (needs_sums(j))
            agk()->norm_gradient_sums(p->batch, p->pixels, image_size(p), x, g, saved[2 * c], &sum, &product);
        const agk_norm o = channel_gradient(j, c, sum, product);
        if (j->dx.data)
            agk()->norm_gradient(p->batch, p->pixels, image_size(p), x, g, &o, j->dx.add, j->dx.data + c * p->pixels);
    }
}

/* ---- Inputs of (N, C), or of few pixels: channels side by side, with their pixels COLUMNS at a time. Many rows are
 * summed in PARTS, whatever the number of threads. ---- */

enum { COLUMNS = 64, FEW_PIXELS = 16, PARTS = 8, MANY_ROWS = 1024 };

/* Some channels: x, g, y and dx begin at the first pixel of the first one, and have n columns, as the other arrays. */
typedef struct columns {
    int64_t        rows, n, stride;
    const ag_real *x, *g, *centre, *mean, *slope, *scale, *shift;
    ag_real       *y, *dx;
    bool           add;
    double (*sums)[2][COLUMNS]; /* of each part: of x - centre and its square; or of g and g (x - centre) */
} columns;

static int64_t parts_of(int64_t rows)
{
    return rows < MANY_ROWS ? 1 : PARTS;
}

static void sum_some(void *context, int64_t begin, int64_t end)
{
    const columns *c = context;
    for (int64_t i = begin, parts = parts_of(c->rows); i < end; i++) {
        const int64_t first = i * c->rows / parts, rows = (i + 1) * c->rows / parts - first, at = first * c->stride;
        double       *a = c->sums[i][0], *b = c->sums[i][1];
        if (c->g)
            agk()->norm_columns_gradient_sums(rows, c->n, c->stride, c->x + at, c->g + at, c->centre, a, b);
        else
            agk()->norm_columns_sums(rows, c->n, c->stride, c->x + at, c->centre, a, b);
    }
}

static void sum_columns(columns c, double sums[2][COLUMNS])
{
    double        all[PARTS][2][COLUMNS] = {0};
    const int64_t parts = parts_of(c.rows);
    c.sums = all;
    agk_parallel(parts, THREAD_ELEMENTS * PARTS / (c.rows * c.n) + 1, sum_some, &c);
    memcpy(sums, all, sizeof *all);
    for (int64_t i = 1; i < parts; i++)
        for (int64_t k = 0; k < c.n; k++) {
            sums[0][k] += all[i][0][k];
            sums[1][k] += all[i][1][k];
        }
}

static void apply_some(void *context, int64_t begin, int64_t end)
{
    const columns *c = context;
    const int64_t  at = begin * c->stride;
    if (c->g)
        agk()->norm_columns_gradient(end - begin, c->n, c->stride, c->x + at, c->g + at, c->centre, c->mean, c->slope,
                                     c->scale, c->add, c->dx + at);
    else
        agk()->norm_columns_apply(end - begin, c->n, c->stride, c->x + at, c->centre, c->scale, c->shift, c->y + at);
}

static void apply(columns *c)
{
    agk_parallel(c->rows, THREAD_ELEMENTS / c->n + 1, apply_some, c);
}

/* Channels c .. c + n - 1. */
static columns columns_of(const ag_node *node, int64_t c, int64_t n)
{
    const batch_norm_plan *p = node->attr;
    const int64_t          at = c * p->pixels;
    return (columns){.rows = p->batch, .n = n * p->pixels, .stride = image_size(p), .x = node->in[X]->data + at};
}

/* The same number for all pixels of a channel. */
static void put(ag_real *column, int64_t channel, int64_t pixels, ag_real value)
{
    for (int64_t k = 0; k < pixels; k++)
        column[channel * pixels + k] = value;
}

/* The sums of the columns to those of their channels. */
static void sum_channels(columns c, int64_t pixels, double sums[2][COLUMNS])
{
    sum_columns(c, sums);
    for (int64_t s = 0; pixels > 1 && s < 2; s++)
        for (int64_t i = 0; i * pixels < c.n; i++) {
            double sum = 0;
            for (int64_t k = 0; k < pixels; k++)
                sum += sums[s][i * pixels + k];
            sums[s][i] = sum;
        }
}

static void forward_columns(ag_node *node, int64_t c, int64_t n)
{
    const batch_norm_plan *p = node->attr;
    const double           count = (double)(p->batch * p->pixels);
    double                 sums[2][COLUMNS];
    ag_real                centre[COLUMNS], scale[COLUMNS], shift[COLUMNS];
    columns                j = columns_of(node, c, n);
    j.y = node->out->data + c * p->pixels;
    j.centre = centre;
    j.scale = scale;
    j.shift = shift;
    for (int64_t i = 0; i < n; i++)
        put(centre, i, p->pixels, j.x[i * p->pixels]); /* an estimate of the mean */
    if (p->training)
        sum_channels(j, p->pixels, sums);
    for (int64_t i = 0; i < n; i++) {
        double mean = (double)node->in[RUNNING_MEAN]->data[c + i],
               variance = (double)node->in[RUNNING_VAR]->data[c + i];
        if (p->training) {
            const double off = sums[0][i] / count;
            mean = (double)centre[i * p->pixels] + off;
            variance = at_least_zero(sums[1][i] / count - off * off);
            update_running(node, c + i, mean, variance);
        }
        put(centre, i, p->pixels, (ag_real)mean);
        put(scale, i, p->pixels, save_channel(node, c + i, mean, variance));
        put(shift, i, p->pixels, node->n_in > WEIGHT ? node->in[BIAS]->data[c + i] : 0);
    }
    apply(&j);
}

static void backward_columns(const gradients *j, int64_t c, int64_t n)
{
    const batch_norm_plan *p = j->node->attr;
    const ag_real         *saved = j->node->saved;
    double                 sums[2][COLUMNS] = {0};
    ag_real                centre[COLUMNS], mean[COLUMNS], slope[COLUMNS], scale[COLUMNS];
    columns                k = columns_of(j->node, c, n);
    k.g = j->node->out->grad + c * p->pixels;
    k.centre = centre;
    k.mean = mean;
    k.slope = slope;
    k.scale = scale;
    for (int64_t i = 0; i < n; i++)
        put(centre, i, p->pixels, saved[2 * (c + i)]);
    if (needs_sums(j))
        sum_channels(k, p->pixels, sums);
    for (int64_t i = 0; i < n; i++) {
        const agk_norm o = channel_gradient(j, c + i, sums[0][i], sums[1][i]);
        put(mean, i, p->pixels, o.mean);
        put(slope, i, p->pixels, o.slope);
        put(scale, i, p->pixels, o.scale);
    }
    if (!j->dx.data)
        return;
    k.dx = j->dx.data + c * p->pixels;
    k.add = j->dx.add;
    apply(&k);
}

/* Channels of a block. */
static int64_t block_size(const batch_norm_plan *p)
{
    return COLUMNS / p->pixels;
}

static int64_t channels_in(const batch_norm_plan *p, int64_t block)
{
    const int64_t size = block_size(p), left = p->channels - block * size;
    return left < size ? left : size;
}

static void forward_blocks(void *context, int64_t begin, int64_t end)
{
    ag_node               *node = context;
    const batch_norm_plan *p = node->attr;
    for (int64_t b = begin; b < end; b++)
        forward_columns(node, b * block_size(p), channels_in(p, b));
}

static void backward_blocks(void *context, int64_t begin, int64_t end)
{
    const gradients       *j = context;
    const batch_norm_plan *p = j->node->attr;
    for (int64_t b = begin; b < end; b++)
        backward_columns(j, b * block_size(p), channels_in(p, b));
}

/* ---- Both. ---- */

static void for_channels(const batch_norm_plan *p, agk_body *channels, agk_body *blocks, void *context)
{
    if (p->pixels >= FEW_PIXELS) {
        agk_parallel(p->channels, THREAD_ELEMENTS / (p->batch * p->pixels) + 1, channels, context);
        return;
    }
    const int64_t n = (p->channels + block_size(p) - 1) / block_size(p);
    if (p->batch >= MANY_ROWS) /* one after the other, each shared by rows */
        blocks(context, 0, n);
    else
        agk_parallel(n, THREAD_ELEMENTS / (p->batch * COLUMNS) + 1, blocks, context);
}

static void batch_norm_forward(ag_node *node)
{
    for_channels(node->attr, forward_channels, forward_blocks, node);
}

static void batch_norm_backward(const ag_node *node)
{
    const bool affine = node->n_in > WEIGHT;
    gradients  j = {node, ag_grad_open(node->in[X]), affine ? ag_grad(node->in[WEIGHT]) : NULL,
                   affine ? ag_grad(node->in[BIAS]) : NULL};
    for_channels(node->attr, backward_channels, backward_blocks, &j);
}

const ag_op ag__batch_norm_op = {"batch_norm", batch_norm_shape, batch_norm_forward, batch_norm_backward};

ag_tensor *ag_batch_norm(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_tensor *running_mean,
                         ag_tensor *running_var, double momentum, double eps)
{
    ag__norm_affine(x, &weight, &bias);
    ag_tensor      *in[] = {x, running_mean, running_var, weight, bias};
    batch_norm_plan p = {.momentum = momentum, .eps = eps};
    return ag_apply(&ag__batch_norm_op, weight || bias ? 5 : 3, in, &p, sizeof p);
}
