/* sum, mean and max over axes.
 *
 * Neighbouring axes that are both kept or both reduced are one loop. The innermost loop is a row; the loops outside
 * it say where each row's result goes. Rows are added in order, so that the result does not depend on threads. */
#include <math.h>
#include <string.h>

#include "autograd/kernels/chunks.h"
#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"

typedef struct reduce_plan {
    ag_axes axes;
    bool    keepdim;
    int     loops;                                /* all, the row included; at least 1 */
    int64_t count[AG_MAX_RANK], out[AG_MAX_RANK]; /* turns, and strides in the output: 0 where reduced */
    int64_t rows, width, reduced;                 /* reduced: inputs per output */
} reduce_plan;

static bool mark_axes(ag_node *node, bool *is_reduced)
{
    const ag_shape *x = &node->in[0]->shape;
    const ag_axes  *axes = &((const reduce_plan *)node->attr)->axes;
    if (axes->count < AG_ALL_AXES || axes->count > AG_MAX_RANK)
        return ag_op_fail(node, "more than %d axes given", AG_MAX_RANK);
    for (int i = 0; i < x->rank; i++)
        is_reduced[i] = axes->count == AG_ALL_AXES;
    for (int i = 0; i < axes->count; i++) {
        int axis = ag_axis_index(x, axes->axis[i]);
        if (axis < 0 || is_reduced[axis])
            return ag_op_fail(node, "axis %d of %s: out of range, or named twice", axes->axis[i], AG_STR(x));
        is_reduced[axis] = true;
    }
    return true;
}

static void plan_loops(reduce_plan *p, const ag_shape *x, const bool *is_reduced)
{
    int64_t stride = 1;
    p->reduced = 1;
    for (int i = x->rank - 1; i >= 0; i--) { /* innermost first, turned around below */
        int64_t out = is_reduced[i] ? 0 : stride;
        bool    joins = p->loops > 0 && (p->out[p->loops - 1] == 0) == is_reduced[i];
        if (joins) {
            p->count[p->loops - 1] *= x->dim[i];
        } else {
            p->out[p->loops] = out;
            p->count[p->loops++] = x->dim[i];
        }
        if (is_reduced[i])
            p->reduced *= x->dim[i];
        else
            stride *= x->dim[i];
    }
    for (int i = 0, j = p->loops - 1; i < j; i++, j--) {
        int64_t count = p->count[i], out = p->out[i];
        p->count[i] = p->count[j], p->out[i] = p->out[j];
        p->count[j] = count, p->out[j] = out;
    }
    if (p->loops == 0) { /* a scalar */
        p->count[p->loops] = 1;
        p->out[p->loops++] = 0;
    }
    p->width = p->count[p->loops - 1];
    p->rows = ag_numel(x) / p->width;
}

static bool reduce_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    reduce_plan    *p = node->attr;
    bool            is_reduced[AG_MAX_RANK];
    if (!mark_axes(node, is_reduced))
        return false;
    ag_shape *out = &node->out->shape;
    for (int i = 0; i < x->rank; i++)
        if (!is_reduced[i])
            out->dim[out->rank++] = x->dim[i];
        else if (p->keepdim)
            out->dim[out->rank++] = 1;
    plan_loops(p, x, is_reduced);
    return true;
}

/* Where row r's result goes. */
static int64_t row_out(const reduce_plan *p, int64_t r)
{
    int64_t at = 0;
    for (int i = p->loops - 2; i > 0; i--) {
        at += r % p->count[i] * p->out[i];
        r /= p->count[i];
    }
    return p->loops > 1 ? at + r * p->out[0] : at;
}

static bool row_is_reduced(const reduce_plan *p)
{
    return p->out[p->loops - 1] == 0;
}

/* ---- sum and mean. ---- */

static bool sum_shape(ag_node *node)
{
    return reduce_shape(node) && ag_op_save(node, agk_chunks(ag_numel(&node->in[0]->shape)));
}

static ag_real sum_partial(const void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    return agk()->sum(end - begin, node->in[0]->data + begin);
}

/* Rows that follow each other and have one result: the turns of the innermost loop but one, if it is reduced. */
static int64_t rows_of_result(const reduce_plan *p)
{
    return p->loops > 1 && p->out[p->loops - 2] == 0 ? p->count[p->loops - 2] : 1;
}

/* Adds rows to the row of results. */
static void sum_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node     *node = context;
    const reduce_plan *p = node->attr;
    const int64_t      step = row_is_reduced(p) ? 1 : rows_of_result(p);
    for (int64_t r = begin; r < end; r += step) {
        const ag_real *x = node->in[0]->data + r * p->width;
        ag_real       *y = node->out->data + row_out(p, r);
        if (row_is_reduced(p))
            y[0] += agk()->sum(p->width, x);
        else
            agk()->add_rows(step, p->width, x, p->width, y);
    }
}

static void sum_last_axis(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    const int64_t  n = ((const reduce_plan *)node->attr)->width;
    agk()->sum_rows(end - begin, n, node->in[0]->data + begin * n, node->out->data + begin);
}

static void fill(ag_tensor *t, ag_real value)
{
    for (int64_t i = 0, n = ag_numel(&t->shape); i < n; i++)
        t->data[i] = value;
}

/* Rows, of each turn of the outermost loop. */
typedef struct turns {
    int64_t   rows;
    agk_body *body;
    void     *context;
} turns;

static void some_turns(void *context, int64_t begin, int64_t end)
{
    const turns *t = context;
    t->body(t->context, begin * t->rows, end * t->rows);
}

/* Where the outermost loop is kept its turns have results of their own, and may run at once. */
static void reduce_rows(const reduce_plan *p, agk_body *body, void *context)
{
    turns t = {p->rows / p->count[0], body, context};
    if (p->loops > 1 && p->out[0] != 0)
        agk_parallel(p->count[0], 8192 / (t.rows * p->width) + 1, some_turns, &t);
    else
        body(context, 0, p->rows);
}

static bool is_last_axis(const reduce_plan *p)
{
    return p->loops == 2 && row_is_reduced(p);
}

static void sum_forward(ag_node *node)
{
    const reduce_plan *p = node->attr;
    int64_t            n = ag_numel(&node->in[0]->shape);
    if (p->loops == 1 && row_is_reduced(p)) {
        node->out->data[0] = agk_sum_chunks(n, sum_partial, node, node->saved);
        return;
    }
    if (is_last_axis(p)) {
        reduce_rows(p, sum_last_axis, node);
        return;
    }
    fill(node->out, 0);
    if (p->loops == 2 && p->out[0] == 0) /* columns */
        agk_sum_columns(p->rows, p->width, node->in[0]->data, node->out->data);
    else
        reduce_rows(p, sum_rows, node);
}

/* What a backward pass works on. */
typedef struct gradient {
    const ag_node *node;
    ag_real        scale;
    bool           add; /* to what dx holds */
    ag_real       *dx, *count;
} gradient;

static void share_sum(void *context, int64_t begin, int64_t end)
{
    const gradient    *j = context;
    const reduce_plan *p = j->node->attr;
    const int          last = p->loops - 1;
    const int64_t      inner = last > 0 ? p->count[last - 1] : 1, step = last > 0 ? p->out[last - 1] : 0;
    for (int64_t r = begin, rows; r < end; r += rows) {
        rows = inner - r % inner < end - r ? inner - r % inner : end - r;
        const agk_operand g = {j->node->out->grad + row_out(p, r), p->out[last] != 0, step};
        agk()->spread(rows, p->width, j->scale, g, j->add, j->dx + r * p->width);
    }
}

/* Of a tensor of one row: all of it has one result, or each of its numbers has its own. */
static void share_sum_of_row(void *context, int64_t begin, int64_t end)
{
    const gradient *j = context;
    const bool      own = !row_is_reduced(j->node->attr);
    agk()->spread(1, end - begin, j->scale, (agk_operand){j->node->out->grad + (own ? begin : 0), own, 0}, j->add,
                  j->dx + begin);
}

static void sum_backward_scaled(const ag_node *node, ag_real scale)
{
    const reduce_plan *p = node->attr;
    ag_grad_target     to = ag_grad_open(node->in[0]);
    gradient           j = {node, scale, to.add, to.data, NULL};
    if (j.dx && p->loops == 1)
        agk_parallel(p->width, 8192, share_sum_of_row, &j);
    else if (j.dx)
        agk_parallel(p->rows, 8192 / p->width + 1, share_sum, &j);
}

static void sum_backward(const ag_node *node)
{
    sum_backward_scaled(node, 1);
}

static void mean_forward(ag_node *node)
{
    const reduce_plan *p = node->attr;
    sum_forward(node);
    for (int64_t i = 0, n = ag_numel(&node->out->shape); i < n; i++)
        node->out->data[i] /= (ag_real)p->reduced;
}

static void mean_backward(const ag_node *node)
{
    sum_backward_scaled(node, 1 / (ag_real)((const reduce_plan *)node->attr)->reduced);
}

/* ---- max. ---- */

/* Saved: for each output, how many inputs equal it; along the last axis the kernel counts them. */
static bool max_shape(ag_node *node)
{
    return reduce_shape(node) && (is_last_axis(node->attr) || ag_op_save(node, ag_numel(&node->out->shape)));
}

static void max_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node     *node = context;
    const reduce_plan *p = node->attr;
    for (int64_t r = begin; r < end; r++) {
        const ag_real *x = node->in[0]->data + r * p->width;
        ag_real       *y = node->out->data + row_out(p, r);
        if (row_is_reduced(p)) {
            ag_real m = agk()->max(p->width, x);
            agk()->max_into(1, &m, y);
        } else {
            agk()->max_into(p->width, x, y);
        }
    }
}

static void max_last_axis(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    const int64_t  n = ((const reduce_plan *)node->attr)->width;
    agk()->max_rows(end - begin, n, node->in[0]->data + begin * n, node->out->data + begin);
}

static void max_forward(ag_node *node)
{
    const reduce_plan *p = node->attr;
    if (is_last_axis(p)) {
        reduce_rows(p, max_last_axis, node);
        return;
    }
    fill(node->out, -(ag_real)INFINITY);
    reduce_rows(p, max_rows, node);
}

static void count_equal(void *context, int64_t begin, int64_t end)
{
    const gradient    *j = context;
    const reduce_plan *p = j->node->attr;
    for (int64_t r = begin; r < end; r++) {
        const ag_real *x = j->node->in[0]->data + r * p->width, *most = j->node->out->data + row_out(p, r);
        ag_real       *count = j->count + row_out(p, r);
        if (row_is_reduced(p))
            *count += agk()->count_equal(p->width, x, *most);
        else
            agk()->count_equal_columns(p->width, x, most, count);
    }
}

/* Where the maximum is NaN nothing equals it, and 0 / 0 gives NaN, as in PyTorch. */
static void share_max(void *context, int64_t begin, int64_t end)
{
    const gradient    *j = context;
    const reduce_plan *p = j->node->attr;
    for (int64_t r = begin; r < end; r++) {
        const int64_t  at = row_out(p, r);
        const ag_real *x = j->node->in[0]->data + r * p->width, *most = j->node->out->data + at;
        const ag_real *g = j->node->out->grad + at, *count = j->count + at;
        if (row_is_reduced(p))
            agk()->add_where_equal(p->width, x, *most, *g / *count, 0 / *count, j->dx + r * p->width);
        else
            agk()->add_where_equal_columns(p->width, x, most, g, count, j->dx + r * p->width);
    }
}

static void share_max_last_axis(void *context, int64_t begin, int64_t end)
{
    const gradient *j = context;
    const int64_t   n = ((const reduce_plan *)j->node->attr)->width;
    agk()->max_rows_gradient(end - begin, n, j->node->in[0]->data + begin * n, j->node->out->data + begin,
                             j->node->out->grad + begin, j->dx + begin * n);
}

static void max_backward(const ag_node *node)
{
    const reduce_plan *p = node->attr;
    gradient           j = {node, 1, true, ag_grad(node->in[0]), node->saved};
    if (!j.dx)
        return;
    if (is_last_axis(p)) {
        agk_parallel(p->rows, 8192 / p->width + 1, share_max_last_axis, &j);
        return;
    }
    for (int64_t i = 0, n = ag_numel(&node->out->shape); i < n; i++)
        j.count[i] = 0;
    reduce_rows(p, count_equal, &j);
    agk_parallel(p->rows, 8192 / p->width + 1, share_max, &j);
}

static const ag_op sum_op = {"sum", sum_shape, sum_forward, sum_backward};
static const ag_op mean_op = {"mean", sum_shape, mean_forward, mean_backward};
static const ag_op max_op = {"max", max_shape, max_forward, max_backward};

static ag_tensor *reduce(const ag_op *op, ag_tensor *x, ag_axes axes, bool keepdim)
{
    reduce_plan p = {.axes = axes, .keepdim = keepdim};
    return ag_apply(op, 1, &x, &p, sizeof p);
}

ag_tensor *ag_sum(ag_tensor *x, ag_axes axes, bool keepdim)
{
    return reduce(&sum_op, x, axes, keepdim);
}

ag_tensor *ag_mean(ag_tensor *x, ag_axes axes, bool keepdim)
{
    return reduce(&mean_op, x, axes, keepdim);
}

ag_tensor *ag_max(ag_tensor *x, ag_axes axes, bool keepdim)
{
    return reduce(&max_op, x, axes, keepdim);
}
