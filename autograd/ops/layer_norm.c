/* layer_norm: each row to mean 0 and deviation 1, then scaled and shifted. Saved: per row the mean and one over the
 * deviation; behind them, room for the weights' gradients of each part of the rows. */
#include <string.h>

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/norm_internal.h"

enum { X, WEIGHT, BIAS };

/* Where there are many rows, the gradients of weight and bias are summed by parts of them, which threads share. */
enum { PARTS = 8, PART_ROWS = 64 /* at least */ };

typedef struct layer_norm_plan {
    double  eps;
    int64_t rows, width;
} layer_norm_plan;

static int64_t parts_of(const layer_norm_plan *p)
{
    return p->rows >= PARTS * PART_ROWS ? PARTS : 1;
}

/* n reals, to the end of a cache line: threads write to lines of their own. */
static int64_t whole_lines(int64_t n)
{
    return (n + AGK_LANES - 1) / AGK_LANES * AGK_LANES;
}

/* Where the gradients of a part are saved: weight's, then bias'. */
static int64_t part_at(const layer_norm_plan *p, int64_t part)
{
    return whole_lines(2 * p->rows) + part * whole_lines(2 * p->width);
}

static bool layer_norm_shape(ag_node *node)
{
    layer_norm_plan *p = node->attr;
    const ag_shape  *x = &node->in[X]->shape;
    if (x->rank < 1)
        return ag_op_fail(node, "input %s, expected at least one dimension", AG_STR(x));
    p->width = x->dim[x->rank - 1];
    if (node->n_in > WEIGHT) {
        const ag_shape *w = &node->in[WEIGHT]->shape;
        ag_shape        last = ag_shape_of(w->rank <= x->rank ? w->rank : 0,
                                    x->dim + (w->rank <= x->rank ? x->rank - w->rank : 0));
        if (w->rank < 1 || w->rank > x->rank || !ag_shape_equal(w, &last) || !ag_shape_equal(w, &node->in[BIAS]->shape))
            return ag_op_fail(node, "weight %s and bias %s, expected both to be the last dimensions of input %s",
                              AG_STR(w), AG_STR(&node->in[BIAS]->shape), AG_STR(x));
        p->width = ag_numel(w);
    }
    p->rows = ag_numel(x) / p->width;
    node->out->shape = *x;
    return ag_op_save(node, node->n_in > WEIGHT && parts_of(p) > 1 ? part_at(p, PARTS) : 2 * p->rows);
}

static void forward_rows(void *context, int64_t begin, int64_t end)
{
    ag_node               *node = context;
    const layer_norm_plan *p = node->attr;
    const bool             affine = node->n_in > WEIGHT;
    agk()->layer_norm(end - begin, p->width, p->eps, node->in[X]->data + begin * p->width,
                      affine ? node->in[WEIGHT]->data : NULL, affine ? node->in[BIAS]->data : NULL,
                      node->out->data + begin * p->width, (ag_real *)node->saved + 2 * begin);
}

static void layer_norm_forward(ag_node *node)
{
    const layer_norm_plan *p = node->attr;
    agk_parallel(p->rows, 4096 / p->width + 1, forward_rows, node);
}

/* With u the normalised row and h = g weight: dx = inverse (h - mean h - u mean(h u)), dw = g u, db = g. */
typedef struct gradients {
    const ag_node *node;
    ag_grad_target dx;
    ag_real       *dw, *db;
} gradients;

static void input_rows(void *context, int64_t begin, int64_t end)
{
    const gradients       *j = context;
    const layer_norm_plan *p = j->node->attr;
    const int64_t          at = begin * p->width;
    agk()->layer_norm_gradient(end - begin, p->width, j->node->in[X]->data + at, j->node->out->grad + at,
                               j->node->n_in > WEIGHT ? j->node->in[WEIGHT]->data : NULL,
                               (const ag_real *)j->node->saved + 2 * begin, j->dx.add, j->dx.data + at);
}

/* Items are columns, a cache line of them each. */
static void weight_columns(void *context, int64_t begin, int64_t end)
{
    const gradients       *j = context;
    const layer_norm_plan *p = j->node->attr;
    const int64_t          at = begin * AGK_LANES, last = end * AGK_LANES < p->width ? end * AGK_LANES : p->width;
    agk()->layer_norm_weight_gradient(p->rows, last - at, p->width, j->node->in[X]->data + at, j->node->out->grad + at,
                                      j->node->saved, j->dw ? j->dw + at : NULL, j->db ? j->db + at : NULL);
}

static void weight_parts(void *context, int64_t begin, int64_t end)
{
    const gradients       *j = context;
    const layer_norm_plan *p = j->node->attr;
    for (int64_t part = begin; part < end; part++) {
        const int64_t first = part * p->rows / PARTS, last = (part + 1) * p->rows / PARTS, at = first * p->width;
        ag_real      *sums = (ag_real *)j->node->saved + part_at(p, part);
        memset(sums, 0, (size_t)(2 * p->width) * sizeof *sums);
        agk()->layer_norm_weight_gradient(last - first, p->width, p->width, j->node->in[X]->data + at,
                                          j->node->out->grad + at, (const ag_real *)j->node->saved + 2 * first, sums,
                                          sums + p->width);
    }
}

static void add_weights(gradients *j)
{
    const layer_norm_plan *p = j->node->attr;
    const int64_t          lines = whole_lines(p->width) / AGK_LANES;
    if (parts_of(p) == 1) {
        agk_parallel(lines, 8192 / (p->rows * AGK_LANES) + 1, weight_columns, j);
        return;
    }
    agk_parallel(PARTS, PARTS * 8192 / (p->rows * p->width) + 1, weight_parts, j);
    for (int64_t part = 0; part < PARTS; part++) {
        const ag_real *sums = (const ag_real *)j->node->saved + part_at(p, part);
        if (j->dw)
            agk()->add(p->width, sums, j->dw);
        if (j->db)
            agk()->add(p->width, sums + p->width, j->db);
    }
}

static void layer_norm_backward(const ag_node *node)
{
    const layer_norm_plan *p = node->attr;
    const bool             affine = node->n_in > WEIGHT;
    gradients              j = {node, ag_grad_open(node->in[X]), affine ? ag_grad(node->in[WEIGHT]) : NULL,
                   affine ? ag_grad(node->in[BIAS]) : NULL};
    if (j.dx.data)
        agk_parallel(p->rows, 4096 / p->width + 1, input_rows, &j);
    if (j.dw || j.db)
        add_weights(&j);
}

static const ag_op layer_norm_op = {"layer_norm", layer_norm_shape, layer_norm_forward, layer_norm_backward};

ag_tensor *ag_layer_norm(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, double eps)
{
    ag__norm_affine(x, &weight, &bias);
    ag_tensor      *in[] = {x, weight, bias};
    layer_norm_plan p = {.eps = eps};
    return ag_apply(&layer_norm_op, weight || bias ? 3 : 1, in, &p, sizeof p);
}
