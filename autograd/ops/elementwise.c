/* All elementwise ops. elementwise.def makes the entries; the shape rules and the walks over the data stand here once.
 */
#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/broadcast_internal.h"
#include "autograd/ops/written_internal.h"

#define GRAIN 8192 /* elements that are worth a thread */

/* ---- One input. ---- */

static bool unary_shape(ag_node *node)
{
    node->out->shape = node->in[0]->shape;
    return true;
}

static int unary_index(const ag_node *node)
{
    return (int)(node->op - ag__unary_ops);
}

static void unary_part(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    agk()->unary(unary_index(node), end - begin, node->in[0]->data + begin, node->attr, node->out->data + begin);
}

static void unary_forward(ag_node *node)
{
    agk_parallel(ag_numel(&node->out->shape), GRAIN, unary_part, node);
}

typedef struct unary_gradient {
    const ag_node *node;
    ag_grad_target dx;
} unary_gradient;

static void unary_backward_part(void *context, int64_t begin, int64_t end)
{
    const unary_gradient *u = context;
    const ag_node        *node = u->node;
    const ag_tensor      *out = node->out;
    agk()->unary_backward(unary_index(node), end - begin, node->in[0]->data + begin, out->data + begin,
                          out->grad + begin, node->attr, u->dx.add, u->dx.data + begin);
}

static void unary_backward(const ag_node *node)
{
    unary_gradient u = {node, ag_grad_open(node->in[0])};
    if (u.dx.data)
        agk_parallel(ag_numel(&node->out->shape), GRAIN, unary_backward_part, &u);
}

const ag_op ag__unary_ops[AGK_UNARY_COUNT] = {
#define UNARY(name, domain, y, dx) {#name, unary_shape, unary_forward, unary_backward},
#include "autograd/kernels/elementwise.def"
};

/* The exponents that people write most are products and roots. */
static int simple_power(double p)
{
    return p == 2 ? AGK_UNARY_square : p == 0.5 ? AGK_UNARY_sqrt : p == -1 ? AGK_UNARY_reciprocal : AGK_UNARY_pow;
}

static ag_tensor *unary(int op, ag_tensor *x, double p, double q)
{
    if (op == AGK_UNARY_pow && p == 3)
        return ag_mul(ag_square(x), x);
    op = op == AGK_UNARY_pow ? simple_power(p) : op;
    ag_real pq[2] = {(ag_real)p, (ag_real)q};
    return ag_apply(&ag__unary_ops[op], 1, &x, pq, sizeof pq);
}

#define UNARY(name, domain, y, dx)                                                                                     \
    ag_tensor *ag_##name(ag_tensor *x)                                                                                 \
    {                                                                                                                  \
        return unary(AGK_UNARY_##name, x, 0, 0);                                                                       \
    }
#define UNARY_P(name, domain, y, dx)                                                                                   \
    ag_tensor *ag_##name(ag_tensor *x, double p)                                                                       \
    {                                                                                                                  \
        return unary(AGK_UNARY_##name, x, p, 0);                                                                       \
    }
#define UNARY_PQ(name, domain, y, dx)                                                                                  \
    ag_tensor *ag_##name(ag_tensor *x, double p, double q)                                                             \
    {                                                                                                                  \
        return unary(AGK_UNARY_##name, x, p, q);                                                                       \
    }
#include "autograd/kernels/elementwise.def"

/* ---- Two inputs, with broadcasting. ---- */

static bool binary_shape(ag_node *node)
{
    const ag_shape *a = &node->in[0]->shape, *b = &node->in[1]->shape;
    ag_broadcast   *plan = node->attr;
    if (!ag__broadcast_plan(a, b, plan))
        return ag_op_fail(node,
                          "shapes %s and %s do not broadcast: each pair of dimensions, from the last, must be "
                          "equal or hold a 1",
                          AG_STR(a), AG_STR(b));
    node->out->shape = plan->shape;
    return true;
}

static int binary_index(const ag_node *node)
{
    return (int)(node->op - ag__binary_ops);
}

/* An operand from element `at` on; `row` is how far its next row of the innermost loop is. */
static agk_operand operand(const ag_node *node, int which, int64_t at)
{
    const ag_broadcast *plan = node->attr;
    const int64_t      *row = which ? plan->b : plan->a;
    return (agk_operand){node->in[which]->data + at, which ? plan->b_step : plan->a_step,
                         plan->loops ? row[plan->loops - 1] : 0};
}

/* Operands of one shape are one long row, of which each thread takes a part. */
static void binary_row_part(void *context, int64_t begin, int64_t end)
{
    const ag_node      *node = context;
    const ag_broadcast *plan = node->attr;
    agk()->binary(binary_index(node), 1, end - begin, operand(node, 0, begin * plan->a_step),
                  operand(node, 1, begin * plan->b_step), node->out->data + begin, 0);
}

static void binary_some_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node      *node = context;
    const ag_broadcast *plan = node->attr;
    for (int64_t r = begin, rows; r < end; r += rows) {
        const ag_row at = ag__broadcast_row(plan, r);
        rows = ag__broadcast_together(plan, r, end);
        agk()->binary(binary_index(node), rows, plan->width, operand(node, 0, at.a), operand(node, 1, at.b),
                      node->out->data + r * plan->width, plan->width);
    }
}

static void binary_forward(ag_node *node)
{
    const ag_broadcast *plan = node->attr;
    if (plan->rows == 1)
        agk_parallel(plan->width, GRAIN, binary_row_part, node);
    else
        agk_parallel(plan->rows, GRAIN / plan->width + 1, binary_some_rows, node);
}

typedef struct binary_gradient {
    const ag_node *node;
    int            which; /* input 0 or 1 */
    ag_grad_target d;
} binary_gradient;

/* Elements begin .. end-1 of some rows of one turn of the innermost loop. */
static void binary_backward_rows(const binary_gradient *g, int64_t row, int64_t rows, int64_t begin, int64_t end)
{
    const ag_node      *node = g->node;
    const ag_broadcast *plan = node->attr;
    const ag_tensor    *out = node->out;
    const ag_row        at = ag__broadcast_row(plan, row);
    const int64_t       a = at.a + begin * plan->a_step, b = at.b + begin * plan->b_step, y = row * plan->width + begin;
    (g->which == 0 ? agk()->binary_backward_a : agk()->binary_backward_b)(
        binary_index(node), rows, end - begin, operand(node, 0, a), operand(node, 1, b), out->data + y, out->grad + y,
        plan->width, g->d.add, g->d.data + (g->which == 0 ? a : b));
}

static void binary_backward_row_part(void *context, int64_t begin, int64_t end)
{
    binary_backward_rows(context, 0, 1, begin, end);
}

static void binary_backward_some_rows(void *context, int64_t begin, int64_t end)
{
    const binary_gradient *g = context;
    const ag_broadcast    *plan = g->node->attr;
    for (int64_t r = begin, rows; r < end; r += rows) {
        rows = ag__broadcast_together(plan, r, end);
        binary_backward_rows(g, r, rows, 0, plan->width);
    }
}

/* An operand that repeats collects sums, each in an order that the shapes decide. */
typedef struct repeated_gradient {
    binary_gradient of;
    ag_turns        turns;
} repeated_gradient;

static void repeated_part(void *context, int64_t begin, int64_t end)
{
    const repeated_gradient *r = context;
    const ag_turns          *t = &r->turns;
    for (int64_t o = 0; o < t->outer; o++)
        binary_backward_some_rows((void *)&r->of, (o * t->count + begin) * t->inner, (o * t->count + end) * t->inner);
}

/* Where all rows go to the same elements, threads share these. */
static void repeated_columns(void *context, int64_t begin, int64_t end)
{
    const repeated_gradient *r = context;
    const ag_broadcast      *plan = r->of.node->attr;
    for (int64_t row = 0, rows; row < plan->rows; row += rows) {
        rows = ag__broadcast_together(plan, row, plan->rows);
        binary_backward_rows(&r->of, row, rows, begin, end);
    }
}

static void repeated_backward(const binary_gradient *g, const int64_t *stride, int step)
{
    const ag_broadcast *plan = g->node->attr;
    repeated_gradient   r = {*g, ag__broadcast_turns(plan, stride)};
    if (r.turns.outer == plan->rows && step > 0)
        agk_parallel(plan->width, GRAIN / plan->rows + 64, repeated_columns, &r);
    else
        agk_parallel(r.turns.count, GRAIN / (r.turns.outer * r.turns.inner * plan->width) + 1, repeated_part, &r);
}

static void binary_backward_of(const ag_node *node, int which)
{
    const ag_broadcast *plan = node->attr;
    const bool          repeats = which == 0 ? plan->a_repeats : plan->b_repeats;
    binary_gradient     g = {node, which, {NULL, true}};
    if (repeats)
        g.d.data = ag_grad(node->in[which]);
    else
        g.d = ag_grad_open(node->in[which]);
    if (!g.d.data)
        return;
    if (repeats)
        repeated_backward(&g, which == 0 ? plan->a : plan->b, which == 0 ? plan->a_step : plan->b_step);
    else if (plan->rows == 1)
        agk_parallel(plan->width, GRAIN, binary_backward_row_part, &g);
    else
        agk_parallel(plan->rows, GRAIN / plan->width + 1, binary_backward_some_rows, &g);
}

static void binary_backward(const ag_node *node)
{
    binary_backward_of(node, 0);
    binary_backward_of(node, 1);
}

const ag_op ag__binary_ops[AGK_BINARY_COUNT] = {
#define BINARY(name, domain, y, da, db) {#name, binary_shape, binary_forward, binary_backward},
#include "autograd/kernels/elementwise.def"
};

static ag_tensor *binary(int op, ag_tensor *a, ag_tensor *b)
{
    ag_tensor   *in[] = {a, b};
    ag_broadcast plan = {.rows = 0};
    return ag_apply(&ag__binary_ops[op], 2, in, &plan, sizeof plan);
}

#define BINARY(name, domain, y, da, db)                                                                                \
    ag_tensor *ag_##name(ag_tensor *a, ag_tensor *b)                                                                   \
    {                                                                                                                  \
        return binary(AGK_BINARY_##name, a, b);                                                                        \
    }
#include "autograd/kernels/elementwise.def"
