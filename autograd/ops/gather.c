/* gather and scatter_add: elements along one axis by their places. Saved: the index, as it was when it was checked. */
#include <string.h>

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/index_internal.h"

/* Rows of the index along its last axis; x is what is gathered from or scattered to. */
typedef struct gather_plan {
    int      axis;
    ag_shape x;
    int64_t  stride[AG_MAX_RANK]; /* of x */
    bool     whole;               /* the axis is the last one, and the index has all rows of x */
} gather_plan;

/* Whether the index goes with x, in[0]; saves it. */
static bool plan_rows(ag_node *node, const ag_tensor *index)
{
    gather_plan *p = node->attr;
    const int    axis = ag_axis_index(&node->in[0]->shape, p->axis);
    p->x = node->in[0]->shape;
    bool fits = axis >= 0 && index->shape.rank == p->x.rank;
    for (int d = 0; fits && d < p->x.rank; d++)
        fits = d == axis || index->shape.dim[d] <= p->x.dim[d];
    if (!fits)
        return ag_op_fail(node, "%s along axis %d by index %s: expected as many dimensions, none larger but the axis",
                          AG_STR(&p->x), p->axis, AG_STR(&index->shape));
    p->axis = axis;
    p->whole = axis == p->x.rank - 1;
    for (int d = p->x.rank - 1, first = d; d >= 0; d--) {
        p->stride[d] = d == first ? 1 : p->stride[d + 1] * p->x.dim[d + 1];
        p->whole = p->whole && (d == axis || index->shape.dim[d] == p->x.dim[d]);
    }
    return ag__places_valid(node, index, "index", p->x.dim[axis]) && ag__places_save(node, index);
}

/* Where in x the first element of a row of the index lies, but for its place along the axis. */
static int64_t row_offset(const gather_plan *p, const ag_shape *index, int64_t row)
{
    int64_t offset = 0;
    if (p->whole)
        return row * p->x.dim[p->axis];
    for (int d = index->rank - 2; d >= 0; row /= index->dim[d], d--)
        offset += d == p->axis ? 0 : row % index->dim[d] * p->stride[d];
    return offset;
}

/* Rows of the index: what it picks from `wide`, a tensor like x, goes to `picked`, one like the index, stored or added;
 * or, to scatter, `picked` is added to `wide`. */
typedef struct gather_job {
    const ag_node *node;
    ag_real       *wide, *picked;
    bool           scatter, add;
} gather_job;

static void some_rows(void *context, int64_t begin, int64_t end)
{
    const gather_job  *j = context;
    const gather_plan *p = j->node->attr;
    const ag_shape    *shape = &j->node->in[1]->shape;
    const int64_t      stride = p->stride[p->axis], width = shape->dim[shape->rank - 1];
    const bool         column = p->whole && width == 1; /* one place of each row of x: rows are a run of their own */
    const int64_t      n = column ? end - begin : width;
    const int64_t      step = column ? p->x.dim[p->axis] : p->axis < shape->rank - 1;
    for (int64_t row = begin; row < end; row += column ? n : 1) {
        const ag_real *index = (const ag_real *)j->node->saved + row * width;
        ag_real       *wide = j->wide + row_offset(p, shape, row), *picked = j->picked + row * width;
        if (j->scatter)
            agk()->scatter_add(n, picked, stride, index, step, wide);
        else
            agk()->gather(n, wide, stride, index, step, j->add, picked);
    }
}

/* Rows of the index along the axis scatter to rows of their own, which threads may share. */
static void all_rows(gather_job *j)
{
    const gather_plan *p = j->node->attr;
    const ag_shape    *shape = &j->node->in[1]->shape;
    const int64_t      n = shape->dim[shape->rank - 1], rows = ag_numel(shape) / n;
    if (j->scatter && p->axis < shape->rank - 1)
        some_rows(j, 0, rows);
    else
        agk_parallel(rows, AGK_THREAD_COPIES / n + 1, some_rows, j);
}

static void gather_rows(const ag_node *node, const ag_real *x, bool add, ag_real *y)
{
    all_rows(&(gather_job){node, (ag_real *)x, y, false, add});
}

static void scatter_rows(const ag_node *node, const ag_real *x, ag_real *y)
{
    all_rows(&(gather_job){node, y, (ag_real *)x, true, true});
}

/* ---- gather: inputs x, index. ---- */

static bool gather_shape(ag_node *node)
{
    node->out->shape = node->in[1]->shape;
    return plan_rows(node, node->in[1]);
}

static void gather_forward(ag_node *node)
{
    gather_rows(node, node->in[0]->data, false, node->out->data);
}

static void gather_backward(const ag_node *node)
{
    ag_real *dx = ag_grad(node->in[0]);
    if (dx)
        scatter_rows(node, node->out->grad, dx);
}

static const ag_op gather_op = {"gather", gather_shape, gather_forward, gather_backward};

ag_tensor *ag_gather(ag_tensor *x, int axis, ag_tensor *index)
{
    gather_plan p = {.axis = axis};
    return ag_apply(&gather_op, 2, (ag_tensor *[]){x, index}, &p, sizeof p);
}

/* ---- scatter_add: inputs x, index, source. ---- */

static bool scatter_shape(ag_node *node)
{
    if (!ag_shape_equal(&node->in[1]->shape, &node->in[2]->shape))
        return ag_op_fail(node, "index %s and source %s differ in shape", AG_STR(&node->in[1]->shape),
                          AG_STR(&node->in[2]->shape));
    node->out->shape = node->in[0]->shape;
    return plan_rows(node, node->in[1]);
}

static void scatter_forward(ag_node *node)
{
    memcpy(node->out->data, node->in[0]->data, (size_t)ag_numel(&node->out->shape) * sizeof(ag_real));
    scatter_rows(node, node->in[2]->data, node->out->data);
}

static void scatter_backward(const ag_node *node)
{
    ag_grad_add(node->in[0], node->out->grad); /* before the other is opened: they may be one tensor */
    ag_grad_target source = ag_grad_open(node->in[2]);
    if (source.data)
        gather_rows(node, node->out->grad, source.add, source.data);
}

static const ag_op scatter_op = {"scatter_add", scatter_shape, scatter_forward, scatter_backward};

ag_tensor *ag_scatter_add(ag_tensor *x, int axis, ag_tensor *index, ag_tensor *source)
{
    gather_plan p = {.axis = axis};
    return ag_apply(&scatter_op, 3, (ag_tensor *[]){x, index, source}, &p, sizeof p);
}
