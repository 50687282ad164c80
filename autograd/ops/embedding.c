/* embedding: rows of a table. Saved: the index, as it was when it was checked. */
#include <string.h>

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/pool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/index_internal.h"

enum { LEAST_COLUMNS = 32 }; /* of a row that are added at a time */

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

/* Of one pass; forward `from` is the table, backward the output's gradient. */
typedef struct embedding_job {
    int64_t        n, width;
    const ag_real *index, *from;
    ag_real       *to;
} embedding_job;

/* Items are indices. */
static void copy_rows(void *context, int64_t begin, int64_t end)
{
    const embedding_job *j = context;
    for (int64_t i = begin; i < end; i++)
        memcpy(j->to + i * j->width, j->from + (int64_t)j->index[i] * j->width, (size_t)j->width * sizeof *j->to);
}

/* Items are columns: rows may be asked for more than once. */
static void add_columns(void *context, int64_t begin, int64_t end)
{
    const embedding_job *j = context;
    for (int64_t i = 0; i < j->n; i++)
        agk()->add(end - begin, j->from + i * j->width + begin, j->to + (int64_t)j->index[i] * j->width + begin);
}

static void embedding_forward(ag_node *node)
{
    const ag_tensor *w = node->in[1];
    embedding_job    j = {ag_numel(&node->in[0]->shape), w->shape.dim[1], node->saved, w->data, node->out->data};
    agk_parallel(j.n, AGK_THREAD_COPIES / j.width + 1, copy_rows, &j);
}

static void embedding_backward(const ag_node *node)
{
    embedding_job j = {ag_numel(&node->in[0]->shape), node->in[1]->shape.dim[1], node->saved, node->out->grad,
                       ag_grad(node->in[1])};
    const int64_t grain = AGK_THREAD_COPIES / j.n + 1;
    if (j.to)
        agk_parallel(j.width, grain > LEAST_COLUMNS ? grain : LEAST_COLUMNS, add_columns, &j);
}

static const ag_op embedding_op = {"embedding", embedding_shape, embedding_forward, embedding_backward};

ag_tensor *ag_embedding(ag_tensor *index, ag_tensor *weight)
{
    ag_tensor *in[] = {index, weight};
    return ag_apply(&embedding_op, 2, in, NULL, 0);
}
