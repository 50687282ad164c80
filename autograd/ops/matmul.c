/* matmul: matrix products, in batches that broadcast; and the product of two vectors, which is one long sum. */
#include "autograd/kernels/chunks.h"
#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/broadcast_internal.h"
#include "autograd/runtime.h"

enum {
    THREAD_WORK = 400000, /* multiply-adds that are worth a thread */
    LEAST_WORK = 500,     /* what a small product takes besides */
    LARGE = 1000000       /* of a product worth splitting */
};

typedef struct matmul_plan {
    int64_t      m, n, k;
    ag_broadcast batch; /* its elements are matrices */
} matmul_plan;

/* The axes before the last two. */
static ag_shape batch_of(const ag_shape *s)
{
    return ag_shape_of(s->rank > 2 ? s->rank - 2 : 0, s->dim);
}

/* A vector is a matrix of one row (left) or one column (right). */
static ag_shape as_matrix(const ag_shape *s, bool left)
{
    if (s->rank != 1)
        return *s;
    return left ? AG_SHAPE(1, s->dim[0]) : AG_SHAPE(s->dim[0], 1);
}

static bool is_dot(const ag_node *node)
{
    return node->in[0]->shape.rank == 1 && node->in[1]->shape.rank == 1;
}

static bool matmul_shape(ag_node *node)
{
    const ag_shape *given_a = &node->in[0]->shape, *given_b = &node->in[1]->shape;
    matmul_plan    *plan = node->attr;
    if (given_a->rank < 1 || given_b->rank < 1)
        return ag_op_fail(node, "inputs %s and %s, expected at least one dimension each", AG_STR(given_a),
                          AG_STR(given_b));
    ag_shape a = as_matrix(given_a, true), b = as_matrix(given_b, false);
    plan->m = a.dim[a.rank - 2];
    plan->k = a.dim[a.rank - 1];
    plan->n = b.dim[b.rank - 1];
    if (b.dim[b.rank - 2] != plan->k)
        return ag_op_fail(node, "inner dimensions of %s and %s differ: %lld and %lld", AG_STR(given_a), AG_STR(given_b),
                          (long long)plan->k, (long long)b.dim[b.rank - 2]);
    ag_shape batch_a = batch_of(&a), batch_b = batch_of(&b);
    if (is_dot(node) && !ag_op_save(node, agk_chunks(plan->k)))
        return false;
    if (!ag__broadcast_plan(&batch_a, &batch_b, &plan->batch))
        return ag_op_fail(node, "batch dimensions of %s and %s do not broadcast", AG_STR(given_a), AG_STR(given_b));
    if (!plan->batch.b_step && plan->batch.rows == 1 && !plan->batch.a_repeats) { /* one B: one taller product */
        plan->m *= plan->batch.width;
        plan->batch.width = 1;
        plan->batch.b_repeats = false;
    }
    ag_shape *out = &node->out->shape;
    *out = plan->batch.shape;
    if (given_a->rank > 1)
        out->dim[out->rank++] = a.dim[a.rank - 2];
    if (given_b->rank > 1)
        out->dim[out->rank++] = plan->n;
    return true;
}

/* One of the three products, C += or = A B, for one matrix of the batch. */
typedef enum matmul_product { FORWARD, GRADIENT_A, GRADIENT_B } matmul_product;

typedef struct matmul_job {
    const ag_node *node;
    matmul_product product;
    bool           add;
    ag_real       *to;
} matmul_job;

/* `count` matrices from number at.a and at.b of the inputs on, and number `index` of the output. */
static void some_of_a_row(const matmul_job *j, ag_row at, int64_t index, int64_t count)
{
    const matmul_plan *p = j->node->attr;
    const int64_t      m = p->m, n = p->n, k = p->k;
    const int64_t      a_step = p->batch.a_step * m * k, b_step = p->batch.b_step * k * n, step = m * n;
    const ag_real     *a = j->node->in[0]->data + at.a * m * k, *b = j->node->in[1]->data + at.b * k * n;
    const ag_real     *g = j->product == FORWARD ? NULL : j->node->out->grad + index * step;
    switch (j->product) {
    case FORWARD:
        agk_gemm_batch(count, m, n, k, (agk_matrix){a, k, 1}, a_step, (agk_matrix){b, n, 1}, b_step, false,
                       j->to + index * step, step);
        break;
    case GRADIENT_A:
        agk_gemm_batch(count, m, k, n, (agk_matrix){g, n, 1}, step, (agk_matrix){b, 1, n}, b_step, j->add,
                       j->to + at.a * m * k, a_step);
        break;
    case GRADIENT_B:
        agk_gemm_batch(count, k, n, m, (agk_matrix){a, 1, k}, a_step, (agk_matrix){g, n, 1}, step, j->add,
                       j->to + at.b * k * n, b_step);
        break;
    }
}

static void some_matrices(void *context, int64_t begin, int64_t end)
{
    const matmul_job  *j = context;
    const matmul_plan *p = j->node->attr;
    const int64_t      width = p->batch.width;
    for (int64_t i = begin, next; i < end; i = next) {
        const int64_t row = i / width, along = i % width;
        ag_row        at = ag__broadcast_row(&p->batch, row);
        next = (row + 1) * width < end ? (row + 1) * width : end;
        at.a += along * p->batch.a_step;
        at.b += along * p->batch.b_step;
        some_of_a_row(j, at, i, next - i);
    }
}

/* Small matrices, and many, are shared out whole; a few large ones one after the other, each cut. */
static void all_matrices(matmul_job *j, bool in_order)
{
    const matmul_plan *p = j->node->attr;
    int64_t            batch = p->batch.rows * p->batch.width, work = p->m * p->n * p->k;
    if (in_order || (work > LARGE && batch < 4 * ag_threads()))
        some_matrices(j, 0, batch);
    else
        agk_parallel(batch, THREAD_WORK / (work + LEAST_WORK) + 1, some_matrices, j);
}

static ag_real dot_partial(const void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    return agk()->dot(end - begin, node->in[0]->data + begin, node->in[1]->data + begin);
}

static void matmul_forward(ag_node *node)
{
    const matmul_plan *p = node->attr;
    if (is_dot(node))
        node->out->data[0] = agk_sum_chunks(p->k, dot_partial, node, node->saved);
    else
        all_matrices(&(matmul_job){node, FORWARD, false, node->out->data}, false);
}

static void matmul_backward_of(const ag_node *node, int which, matmul_product product, bool repeats)
{
    matmul_job j = {node, product, true, NULL};
    if (repeats) {
        j.to = ag_grad(node->in[which]);
    } else {
        ag_grad_target d = ag_grad_open(node->in[which]);
        j.to = d.data;
        j.add = d.add;
    }
    if (j.to)
        all_matrices(&j, repeats);
}

/* Of a vector: g times the other. */
static void dot_backward_of(const ag_node *node, int which)
{
    const int64_t  k = node->in[0]->shape.dim[0];
    ag_grad_target d = ag_grad_open(node->in[which]);
    if (d.data)
        agk_gemm(1, k, 1, (agk_matrix){node->out->grad, 1, 1}, (agk_matrix){node->in[1 - which]->data, k, 1},
                 d.add ? d.data : NULL, k, d.data, k);
}

static void matmul_backward(const ag_node *node)
{
    const matmul_plan *p = node->attr;
    if (is_dot(node)) {
        dot_backward_of(node, 0);
        dot_backward_of(node, 1);
        return;
    }
    matmul_backward_of(node, 0, GRADIENT_A, p->batch.a_repeats);
    matmul_backward_of(node, 1, GRADIENT_B, p->batch.b_repeats);
}

static const ag_op matmul_op = {"matmul", matmul_shape, matmul_forward, matmul_backward};

ag_tensor *ag_matmul(ag_tensor *a, ag_tensor *b)
{
    ag_tensor  *in[] = {a, b};
    matmul_plan plan = {.m = 0};
    return ag_apply(&matmul_op, 2, in, &plan, sizeof plan);
}
