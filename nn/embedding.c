/* Embedding. */
#include <inttypes.h>
#include <stdio.h>

#include "autograd/ops.h"
#include "nn/init.h"
#include "nn/layers.h"

typedef struct embedding {
    nn_module  base;
    ag_tensor *weight; /* (rows, width) */
} embedding;

static ag_tensor *embedding_forward(nn_module *m, ag_tensor *x)
{
    return ag_embedding(x, ((embedding *)m)->weight);
}

static void embedding_reset(nn_module *m, ag_rng *rng)
{
    nn_init_normal(((embedding *)m)->weight, 0, 1, rng);
}

static void embedding_describe(const nn_module *m, char *text, size_t size)
{
    const int64_t *n = ((const embedding *)m)->weight->shape.dim;
    snprintf(text, size, "%" PRId64 ", %" PRId64, n[0], n[1]);
}

static const nn_type embedding_type = {"Embedding", sizeof(embedding), embedding_forward, embedding_reset,
                                       embedding_describe};

nn_module *nn_embedding(int64_t rows, int64_t width)
{
    if (rows < 1 || width < 1)
        return nn_failed("Embedding", "%" PRId64 " rows of %" PRId64 ", expected at least 1 each", rows, width);
    embedding *e = nn_new(&embedding_type);
    if (!e)
        return nn_failed("Embedding", "out of memory");
    NN_PARAMETER(e, weight, AG_SHAPE(rows, width));
    return &e->base;
}
