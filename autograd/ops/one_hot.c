/* one_hot: whole numbers to rows with a single one. No gradient flows. */
#include "autograd/kernels/copy.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/index_internal.h"

static bool one_hot_shape(ag_node *node)
{
    const ag_tensor *index = node->in[0];
    const int64_t    classes = *(const int64_t *)node->attr;
    if (classes < 1)
        return ag_op_fail(node, "%lld classes, expected at least 1", (long long)classes);
    if (index->shape.rank == AG_MAX_RANK)
        return ag_op_fail(node, "index %s has no room for one more dimension", AG_STR(&index->shape));
    if (!ag__places_valid(node, index, "index", classes))
        return false;
    node->out->shape = index->shape;
    node->out->shape.dim[node->out->shape.rank++] = classes;
    return true;
}

static void one_hot_forward(ag_node *node)
{
    const ag_tensor *index = node->in[0];
    const int64_t    classes = *(const int64_t *)node->attr, n = ag_numel(&index->shape);
    agk_zero_rows(1, n * classes, node->out->data, 0);
    for (int64_t i = 0; i < n; i++)
        node->out->data[i * classes + (int64_t)index->data[i]] = 1;
}

static const ag_op one_hot_op = {"one_hot", one_hot_shape, one_hot_forward, NULL};

ag_tensor *ag_one_hot(ag_tensor *index, int64_t classes)
{
    return ag_apply(&one_hot_op, 1, &index, &classes, sizeof classes);
}
