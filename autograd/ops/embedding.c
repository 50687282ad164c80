/* embedding: rows of a table. Saved: the index, as it was when it was checked. */
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/index_internal.h"

static bool embedding_shape(ag_node *node)
{
    const ag_tensor *index = node->in[0];
    const ag_shape  *w = &node->in[1]->shape;
    if (w->rank != 2)
        return ag_op_fail(node, "weight %s, expected two dimensions (rows, width)", AG_STR(w));
    if (index->shape.rank == AG_MAX_RANK)
        return ag_op_fail(node, "index %s has no room for one more dimension", AG_STR(&index->shape));
    if (!ag__places_valid(node, index, "index", w->dim[0]))
        return false;
    node->out->shape = index->shape;
    node->out->shape.dim[node->out->shape.rank++] = w->dim[1];
    return ag__places_save(node, index);
}

static void embedding_forward(ag_node *node)
{
    const ag_tensor *w = node->in[1];
    ag__rows_copy(ag_numel(&node->in[0]->shape), w->shape.dim[1], node->saved, w->data, node->out->data);
}

static void embedding_backward(const ag_node *node)
{
    ag_real *dw = ag_grad(node->in[1]);
    if (dw)
        ag__rows_add(ag_numel(&node->in[0]->shape), node->in[1]->shape.dim[1], node->saved, node->out->grad, dw);
}

static const ag_op embedding_op = {"embedding", embedding_shape, embedding_forward, embedding_backward};

ag_tensor *ag_embedding(ag_tensor *index, ag_tensor *weight)
{
    ag_tensor *in[] = {index, weight};
    return ag_apply(&embedding_op, 2, in, NULL, 0);
}
