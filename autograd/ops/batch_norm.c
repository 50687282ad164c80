/* batch_norm: each channel to mean 0 and deviation 1, then scaled and shifted. Saved: per channel the mean that was taken off
 * and one over the deviation. */
#include <math.h>

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/pool.h"
#include "autograd/op.h"
#include "autograd/ops.h"

enum { X, RUNNING_MEAN, RUNNING_VAR, WEIGHT, BIAS }; /* the inputs; the last two may be missing */

typedef struct batch_norm_plan {
    double  momentum, eps;
    bool    training;
    int64_t batch, channels, pixels;
} batch_norm_plan;

static bool batch_norm_shape(ag_node *node)
{
    static const char *const names[] = {"input", "running_mean", "running_var", "weight", "bias"};
    batch_norm_plan *p = node->attr;
    const ag_shape *x = &node->in[X]->shape;
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

/* Where the pixels of image n and channel c begin. */
static int64_t plane(const batch_norm_plan *p, int64_t n, int64_t c)
{
    return (n * p->channels + c) * p->pixels;
}

static double square_of(double x)
{
    return x * x;
}

/* The mean and the biased variance of a channel, in double. */
static void moments(const ag_node *node, int64_t c, double *mean, double *variance)
{
    const batch_norm_plan *p = node->attr;
    const ag_real *x = node->in[X]->data;
    double count = (double)(p->batch * p->pixels), sum = 0, squares = 0;
    for (int64_t n = 0; n < p->batch; n++)
        sum += (double)agk()->sum(p->pixels, x + plane(p, n, c));
    *mean = sum / count;
    for (int64_t n = 0; n < p->batch; n++)
        for (int64_t i = 0; i < p->pixels; i++)
            squares += square_of((double)x[plane(p, n, c) + i] - *mean);
    *variance = squares / count;
}

static void update_running(ag_node *node, int64_t c, double mean, double variance)
{
    const batch_norm_plan *p = node->attr;
    double count = (double)(p->batch * p->pixels);
    ag_real *m = node->in[RUNNING_MEAN]->data + c, *v = node->in[RUNNING_VAR]->data + c;
    *m = (ag_real)((1 - p->momentum) * (double)*m + p->momentum * mean);
    *v = (ag_real)((1 - p->momentum) * (double)*v + p->momentum * variance * count / (count - 1));
}

static void forward_channels(void *context, int64_t begin, int64_t end)
{
    ag_node *node = context;
    const batch_norm_plan *p = node->attr;
    ag_real *saved = node->saved;
    for (int64_t c = begin; c < end; c++) {
        double mean = (double)node->in[RUNNING_MEAN]->data[c], variance = (double)node->in[RUNNING_VAR]->data[c];
        if (p->training) {
            moments(node, c, &mean, &variance);
            update_running(node, c, mean, variance);
        }
        ag_real inverse = (ag_real)(1 / sqrt(variance + p->eps)), centre = (ag_real)mean;
        ag_real scale = node->n_in > WEIGHT ? inverse * node->in[WEIGHT]->data[c] : inverse;
        ag_real shift = node->n_in > WEIGHT ? node->in[BIAS]->data[c] : 0;
        saved[2 * c] = centre;
        saved[2 * c + 1] = inverse;
        for (int64_t n = 0; n < p->batch; n++)
            for (int64_t i = plane(p, n, c), last = i + p->pixels; i < last; i++)
                node->out->data[i] = (node->in[X]->data[i] - centre) * scale + shift;
    }
}

static void batch_norm_forward(ag_node *node)
{
    const batch_norm_plan *p = node->attr;
    agk_parallel(p->channels, 8192 / (p->batch * p->pixels) + 1, forward_channels, node);
}

/* With u the normalised input: db = sum g, dw = sum g u, dx = scale (g - mean g - u mean(g u)) in training, scale g in
 * evaluation. */
static void backward_channel(const ag_node *node, int64_t c, ag_real *dx, ag_real *dw, ag_real *db)
{
    const batch_norm_plan *p = node->attr;
    const ag_real *x = node->in[X]->data, *g = node->out->grad, *saved = node->saved;
    double centre = (double)saved[2 * c], inverse = (double)saved[2 * c + 1], sum = 0, product = 0;
    double count = (double)(p->batch * p->pixels), scale = inverse;
    for (int64_t n = 0; n < p->batch; n++)
        for (int64_t i = plane(p, n, c), last = i + p->pixels; i < last; i++) {
            sum += (double)g[i];
            product += (double)g[i] * ((double)x[i] - centre) * inverse;
        }
    if (dw)
        dw[c] += (ag_real)product;
    if (db)
        db[c] += (ag_real)sum;
    if (node->n_in > WEIGHT)
        scale *= (double)node->in[WEIGHT]->data[c];
    double mean = p->training ? sum / count : 0, slope = p->training ? product / count * inverse : 0;
    for (int64_t n = 0; dx && n < p->batch; n++)
        for (int64_t i = plane(p, n, c), last = i + p->pixels; i < last; i++)
            dx[i] += (ag_real)(scale * ((double)g[i] - mean - ((double)x[i] - centre) * slope));
}

static void batch_norm_backward(const ag_node *node)
{
    const batch_norm_plan *p = node->attr;
    ag_real *dx = ag_grad(node->in[X]);
    ag_real *dw = node->n_in > WEIGHT ? ag_grad(node->in[WEIGHT]) : NULL;
    ag_real *db = node->n_in > WEIGHT ? ag_grad(node->in[BIAS]) : NULL;
    for (int64_t c = 0; c < p->channels; c++)
        backward_channel(node, c, dx, dw, db);
}

static const ag_op batch_norm_op = {"batch_norm", batch_norm_shape, batch_norm_forward, batch_norm_backward};

ag_tensor *ag_batch_norm(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_tensor *running_mean,
                         ag_tensor *running_var, double momentum, double eps)
{
    ag_tensor *in[] = {x, running_mean, running_var, weight, bias};
    batch_norm_plan p = {.momentum = momentum, .eps = eps};
    return ag_apply(&batch_norm_op, weight || bias ? 5 : 3, in, &p, sizeof p);
}
