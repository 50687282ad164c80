/* expand: a tensor repeated to a larger shape. */
#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/broadcast_internal.h"

#define GRAIN 8192 /* elements that are worth a thread */

typedef struct expand_plan {
    ag_shape     shape;
    ag_broadcast rows; /* operand a is the input, b the shape asked for */
} expand_plan;

static bool expand_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    expand_plan    *p = node->attr;
    ag_shape        s = p->shape;
    for (int i = 0; i < s.rank && s.rank <= AG_MAX_RANK; i++) {
        int own = i - (s.rank - x->rank);
        if (s.dim[i] == -1 && own >= 0)
            s.dim[i] = x->dim[own];
    }
    if (ag_numel(&s) < 0 || !ag__broadcast_plan(x, &s, &p->rows) || !ag_shape_equal(&p->rows.shape, &s))
        return ag_op_fail(node, "%s does not repeat to %s", AG_STR(x), AG_STR(&p->shape));
    node->out->shape = s;
    return true;
}

/* Rows that follow each other in the innermost loop repeat one row of the input, or each the next of its numbers: all
 * else would be a single row. */
static void forward_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node      *node = context;
    const ag_broadcast *p = &((const expand_plan *)node->attr)->rows;
    for (int64_t r = begin, rows; r < end; r += rows) {
        const ag_real *x = node->in[0]->data + ag__broadcast_row(p, r).a;
        ag_real       *y = node->out->data + r * p->width;
        rows = ag__broadcast_together(p, r, end);
        if (p->a_step)
            agk()->copy_rows(rows, p->width, x, 0, false, y, p->width);
        else
            agk()->spread(rows, p->width, 1, (agk_operand){x, 0, 1}, false, y);
    }
}

static void expand_forward(ag_node *node)
{
    const ag_broadcast *p = &((const expand_plan *)node->attr)->rows;
    agk_parallel(p->rows, GRAIN / p->width + 1, forward_rows, node);
}

typedef struct gradient {
    const ag_node *node;
    ag_real       *dx;
    ag_turns       turns;
} gradient;

static void backward_rows(const gradient *j, int64_t begin, int64_t end)
{
    const ag_broadcast *p = &((const expand_plan *)j->node->attr)->rows;
    for (int64_t r = begin, rows; r < end; r += rows) {
        const ag_real *g = j->node->out->grad + r * p->width;
        ag_real       *to = j->dx + ag__broadcast_row(p, r).a;
        rows = ag__broadcast_together(p, r, end);
        if (p->a_step)
            agk()->add_rows(rows, p->width, g, p->width, to);
        else
            for (int64_t i = 0; i < rows; i++)
                to[i] += agk()->sum(p->width, g + i * p->width);
    }
}

static void backward_part(void *context, int64_t begin, int64_t end)
{
    const gradient *j = context;
    const ag_turns *t = &j->turns;
    for (int64_t o = 0; o < t->outer; o++)
        backward_rows(j, (o * t->count + begin) * t->inner, (o * t->count + end) * t->inner);
}

/* Where all rows go to the same numbers, threads share these. */
static void backward_columns(void *context, int64_t begin, int64_t end)
{
    const gradient     *j = context;
    const ag_broadcast *p = &((const expand_plan *)j->node->attr)->rows;
    for (int64_t r = 0, rows; r < p->rows; r += rows) {
        rows = ag__broadcast_together(p, r, p->rows);
        agk()->add_rows(rows, end - begin, j->node->out->grad + r * p->width + begin, p->width, j->dx + begin);
    }
}

static void expand_backward(const ag_node *node)
{
    const ag_broadcast *p = &((const expand_plan *)node->attr)->rows;
    gradient            j = {node, ag_grad(node->in[0]), ag__broadcast_turns(p, p->a)};
    if (j.dx && j.turns.outer == p->rows && p->a_step)
        agk_parallel(p->width, GRAIN / p->rows + 64, backward_columns, &j);
    else if (j.dx)
        agk_parallel(j.turns.count, GRAIN / (j.turns.outer * j.turns.inner * p->width) + 1, backward_part, &j);
}

static const ag_op expand_op = {"expand", expand_shape, expand_forward, expand_backward};

ag_tensor *ag_expand(ag_tensor *x, ag_shape shape)
{
    expand_plan p = {.shape = shape};
    return ag_apply(&expand_op, 1, &x, &p, sizeof p);
}
