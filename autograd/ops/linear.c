/* linear: y = x W^T + b. */
#include "autograd/kernels/chunks.h"
#include "autograd/kernels/kernels.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/written_internal.h"

/* x seen as a matrix: every axis but the last makes a row. */
static int64_t rows_of(const ag_tensor *x)
{
    return ag_numel(&x->shape) / x->shape.dim[x->shape.rank - 1];
}

static bool linear_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape, *w = &node->in[1]->shape;
    if (w->rank != 2)
        return ag_op_fail(node, "weight %s, expected two dimensions (out, in)", AG_STR(w));
    if (x->rank < 1 || x->dim[x->rank - 1] != w->dim[1])
        return ag_op_fail(node, "input %s has %lld features, weight %s expects %lld", AG_STR(x),
                          (long long)(x->rank < 1 ? 0 : x->dim[x->rank - 1]), AG_STR(w), (long long)w->dim[1]);
    if (node->n_in > 2) {
        const ag_shape *b = &node->in[2]->shape;
        if (b->rank != 1 || b->dim[0] != w->dim[0])
            return ag_op_fail(node, "bias %s, expected (%lld) for weight %s", AG_STR(b), (long long)w->dim[0],
                              AG_STR(w));
    }
    node->out->shape = *x;
    node->out->shape.dim[x->rank - 1] = w->dim[0];
    return true;
}

static void linear_forward(ag_node *node)
{
    const ag_tensor *x = node->in[0], *w = node->in[1];
    int64_t          out = w->shape.dim[0], in = w->shape.dim[1];
    const ag_real   *bias = node->n_in > 2 ? node->in[2]->data : NULL;
    agk_gemm(rows_of(x), out, in, (agk_matrix){x->data, in, 1}, (agk_matrix){w->data, 1, in}, bias, 0, node->out->data,
             out);
}

/* dW = g^T x, dx = g W, db = the sum of g's rows. */
static void linear_backward(const ag_node *node)
{
    ag_tensor     *x = node->in[0], *w = node->in[1];
    int64_t        m = rows_of(x), out = w->shape.dim[0], in = w->shape.dim[1];
    const ag_real *g = node->out->grad;
    ag_grad_target dw = ag_grad_open(w);
    if (dw.data)
        agk_gemm(out, in, m, (agk_matrix){g, 1, out}, (agk_matrix){x->data, in, 1}, dw.add ? dw.data : NULL, in,
                 dw.data, in);
    ag_grad_target dx = ag_grad_open(x);
    if (dx.data)
        agk_gemm(m, in, out, (agk_matrix){g, out, 1}, (agk_matrix){w->data, in, 1}, dx.add ? dx.data : NULL, in,
                 dx.data, in);
    ag_real *db = node->n_in > 2 ? ag_grad(node->in[2]) : NULL;
    if (db)
        agk_sum_columns(m, out, g, db);
}

const ag_op ag__linear_op = {"linear", linear_shape, linear_forward, linear_backward};

ag_tensor *ag_linear(ag_tensor *x, ag_tensor *weight, ag_tensor *bias)
{
    ag_tensor *in[] = {x, weight, bias};
    return ag_apply(&ag__linear_op, bias ? 3 : 2, in, NULL, 0);
}
