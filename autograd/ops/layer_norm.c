/* layer_norm: each row to mean 0 and deviation 1, then scaled and shifted. Saved: per row the mean and one over the
 * deviation. */
#include <math.h>

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/pool.h"
#include "autograd/op.h"
#include "autograd/ops.h"

enum { X, WEIGHT, BIAS };

typedef struct layer_norm_plan {
    double  eps;
    int64_t rows, width;
} layer_norm_plan;

static bool layer_norm_shape(ag_node *node)
{
    layer_norm_plan *p = node->attr;
    const ag_shape *x = &node->in[X]->shape;
    if (x->rank < 1)
        return ag_op_fail(node, "input %s, expected at least one dimension", AG_STR(x));
    p->width = x->dim[x->rank - 1];
    if (node->n_in > WEIGHT) {
        const ag_shape *w = &node->in[WEIGHT]->shape;
        ag_shape last = ag_shape_of(w->rank <= x->rank ? w->rank : 0, x->dim + (x->rank - w->rank));
        if (w->rank < 1 || w->rank > x->rank || !ag_shape_equal(w, &last) || !ag_shape_equal(w, &node->in[BIAS]->shape))
            return ag_op_fail(node, "weight %s and bias %s, expected both to be the last dimensions of input %s", AG_STR(w),
                              AG_STR(&node->in[BIAS]->shape), AG_STR(x));
        p->width = ag_numel(w);
    }
    p->rows = ag_numel(x) / p->width;
    node->out->shape = *x;
    return ag_op_save(node, 2 * p->rows);
}

static void forward_rows(void *context, int64_t begin, int64_t end)
{
    ag_node *node = context;
    const layer_norm_plan *p = node->attr;
    const ag_real *w = node->n_in > WEIGHT ? node->in[WEIGHT]->data : NULL;
    const ag_real *b = node->n_in > WEIGHT ? node->in[BIAS]->data : NULL;
    for (int64_t r = begin; r < end; r++) {
        const ag_real *x = node->in[X]->data + r * p->width;
        ag_real *y = node->out->data + r * p->width, *saved = (ag_real *)node->saved + 2 * r;
        ag_real mean = agk()->sum(p->width, x) / (ag_real)p->width;
        for (int64_t i = 0; i < p->width; i++)
            y[i] = x[i] - mean;
        double variance = (double)agk()->sum_squares(p->width, y) / (double)p->width;
        ag_real inverse = (ag_real)(1 / sqrt(variance + p->eps));
        for (int64_t i = 0; i < p->width; i++)
            y[i] = w ? y[i] * inverse * w[i] + b[i] : y[i] * inverse;
        saved[0] = mean;
        saved[1] = inverse;
    }
}

static void layer_norm_forward(ag_node *node)
{
    const layer_norm_plan *p = node->attr;
    agk_parallel(p->rows, 4096 / p->width + 1, forward_rows, node);
}

/* With u the normalised row and h = g weight: dx = inverse (h - mean h - u mean(h u)), dw = g u, db = g. */
static void layer_norm_backward(const ag_node *node)
{
    const layer_norm_plan *p = node->attr;
    const ag_real *w = node->n_in > WEIGHT ? node->in[WEIGHT]->data : NULL;
    ag_real *dx = ag_grad(node->in[X]), *dw = w ? ag_grad(node->in[WEIGHT]) : NULL, *db = w ? ag_grad(node->in[BIAS]) : NULL;
    for (int64_t r = 0; r < p->rows; r++) {
        const ag_real *x = node->in[X]->data + r * p->width, *g = node->out->grad + r * p->width;
        const ag_real *saved = (const ag_real *)node->saved + 2 * r;
        double sum = 0, product = 0, n = (double)p->width;
        for (int64_t i = 0; i < p->width; i++) {
            ag_real u = (x[i] - saved[0]) * saved[1], h = w ? g[i] * w[i] : g[i];
            sum += (double)h;
            product += (double)h * (double)u;
            if (dw)
                dw[i] += g[i] * u;
            if (db)
                db[i] += g[i];
        }
        ag_real mean = (ag_real)(sum / n), slope = (ag_real)(product / n);
        for (int64_t i = 0; dx && i < p->width; i++) {
            ag_real u = (x[i] - saved[0]) * saved[1], h = w ? g[i] * w[i] : g[i];
            dx[r * p->width + i] += saved[1] * (h - mean - u * slope);
        }
    }
}

static const ag_op layer_norm_op = {"layer_norm", layer_norm_shape, layer_norm_forward, layer_norm_backward};

ag_tensor *ag_layer_norm(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, double eps)
{
    ag_tensor *in[] = {x, weight, bias};
    layer_norm_plan p = {.eps = eps};
    return ag_apply(&layer_norm_op, weight || bias ? 3 : 1, in, &p, sizeof p);
}
