#include "models/codebook.h"

#include <inttypes.h>
#include <stdio.h>

/* With averages, a vector that was never the nearest has a count that goes to 0: this keeps it above. */
static const double least_count = 1e-5;

ag_tensor *codebook_vectors(codebook *m, ag_tape *tape)
{
    const char *error = nn_error((const nn_module *)m);
    if (error)
        return ag_fail(tape, "codebook: %s", error);
    if (m->weight)
        return ag_on_tape(tape, m->weight);
    const int64_t vectors = m->count->shape.dim[0];
    ag_tensor    *count = ag_on_tape(tape, m->count), *all = ag_sum(count, AG_ALL, false);
    ag_tensor    *scale = ag_div(all, ag_shift(all, (double)vectors * least_count)); /* the sum of the counts stays */
    ag_tensor    *smoothed = ag_mul(ag_shift(count, least_count), scale);
    return ag_div(ag_on_tape(tape, m->sum), ag_reshape(smoothed, AG_SHAPE(vectors, 1)));
}

/* |z - e|^2 is least where z.e - |e|^2 / 2 is largest. */
ag_tensor *codebook_nearest(codebook *m, ag_tensor *z)
{
    if (ag_tensor_error(z))
        return z;
    ag_tensor *e = ag_detach(codebook_vectors(m, z->tape));
    ag_tensor *half = ag_scale(ag_sum(ag_square(e), AG_AXES(-1), false), -0.5);
    return ag_argmax(ag_linear(ag_detach(z), e, half), -1, false);
}

ag_tensor *codebook_lookup(codebook *m, ag_tensor *index)
{
    if (ag_tensor_error(index))
        return index;
    return ag_embedding(index, codebook_vectors(m, index->tape));
}

ag_tensor *codebook_tally(ag_tensor *z, ag_tensor *index, int64_t vectors)
{
    ag_tensor *taken = ag_one_hot(index, vectors); /* (M, vectors) */
    ag_tensor *counts = ag_reshape(ag_sum(taken, AG_AXES(0), false), AG_SHAPE(vectors, 1));
    ag_tensor *sums = ag_matmul(ag_transpose(taken, 0, 1), ag_detach(z));
    return ag_concat(2, (ag_tensor *[]){counts, sums}, 1);
}

ag_tensor *codebook_loss(codebook *m, ag_tensor *tally)
{
    if (ag_tensor_error(tally))
        return tally;
    if (nn_error((const nn_module *)m) || !m->count)
        return ag_fail(tally->tape, "codebook_loss: this codebook has no averages");
    ag_tensor *counts = ag_reshape(ag_slice(tally, 1, 0, 1), m->count->shape), *sums = ag_slice(tally, 1, 1, INT64_MAX);
    ag_tensor *of_counts = ag_sum(ag_mul(ag_on_tape(tally->tape, m->count), counts), AG_ALL, false);
    ag_tensor *of_sums = ag_sum(ag_mul(ag_on_tape(tally->tape, m->sum), sums), AG_ALL, false);
    return ag_neg(ag_add(of_counts, of_sums));
}

/* ---- The module. ---- */

/* Within 1 / vectors of 0. */
static void reset(nn_module *base, ag_rng *rng)
{
    codebook    *m = (codebook *)base;
    ag_tensor   *vectors = m->weight ? m->weight : m->sum;
    const double bound = 1.0 / (double)vectors->shape.dim[0];
    nn_init_uniform(vectors, -bound, bound, rng);
    nn_init_constant(m->count, 1);
}

static void describe(const nn_module *base, char *text, size_t size)
{
    const codebook  *m = (const codebook *)base;
    const ag_tensor *vectors = m->weight ? m->weight : m->sum;
    snprintf(text, size, "%" PRId64 ", %" PRId64, vectors->shape.dim[0], vectors->shape.dim[1]);
}

/* Each row of x (M, size) to the vector nearest to it. */
static ag_tensor *forward(nn_module *base, ag_tensor *x)
{
    codebook *m = (codebook *)base;
    return codebook_lookup(m, codebook_nearest(m, x));
}

static const nn_type codebook_type = {"Codebook", sizeof(codebook), forward, reset, describe};

nn_module *codebook_new(int64_t vectors, int64_t size, bool averages)
{
    if (vectors < 1 || size < 1)
        return nn_failed("Codebook", "%" PRId64 " vectors of %" PRId64 " numbers, expected at least 1 each", vectors,
                         size);
    codebook *m = nn_new(&codebook_type);
    if (!m)
        return nn_failed("Codebook", "out of memory");
    if (averages) {
        NN_PARAMETER(m, count, AG_SHAPE(vectors));
        NN_PARAMETER(m, sum, AG_SHAPE(vectors, size));
    } else {
        NN_PARAMETER(m, weight, AG_SHAPE(vectors, size));
    }
    return &m->base;
}
