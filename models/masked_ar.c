#include "models/masked_ar.h"

/* ---- A linear layer, some of whose weights are always zero. ---- */

typedef enum mask_kind { FROM_INPUT, BETWEEN, TO_OUTPUT } mask_kind;

typedef struct masked_linear {
    nn_module  base;
    ag_tensor *weight, *bias, *mask; /* weight and mask (out, in) */
    mask_kind  kind;
    int64_t    size; /* numbers that the network is autoregressive in */
    bool       reversed;
} masked_linear;

/* Degrees: number i of the input has i + 1 (or counts from the end), hidden units have 1 to size - 1 in turn. A unit
 * sees what has at most its own degree, an output what has less. */
static int64_t degree_of(const masked_linear *m, bool hidden, int64_t i)
{
    return hidden ? i % (m->size - 1) + 1 : m->reversed ? m->size - i : i + 1;
}

static void masked_reset(nn_module *base, ag_rng *rng)
{
    masked_linear *m = (masked_linear *)base;
    const int64_t  out = m->mask->shape.dim[0], in = m->mask->shape.dim[1];
    nn_init_default(m->weight, m->bias, rng);
    for (int64_t i = 0; i < out; i++)
        for (int64_t k = 0; k < in; k++) {
            const int64_t to = degree_of(m, m->kind != TO_OUTPUT, i), from = degree_of(m, m->kind != FROM_INPUT, k);
            m->mask->data[i * in + k] = m->kind == TO_OUTPUT ? to > from : to >= from;
        }
}

static ag_tensor *masked_forward(nn_module *base, ag_tensor *x)
{
    masked_linear *m = (masked_linear *)base;
    if (ag_tensor_error(x))
        return x;
    return ag_linear(x, ag_mul(ag_on_tape(x->tape, m->weight), m->mask), m->bias);
}

static const nn_type masked_type = {
    .name = "MaskedLinear", .size = sizeof(masked_linear), .forward = masked_forward, .reset = masked_reset};

static nn_module *masked_linear_new(int64_t in, int64_t out, mask_kind kind, int64_t size, bool reversed)
{
    if (in < 1 || out < 1 || size < 2)
        return nn_failed("MaskedLinear", "%lld to %lld features, autoregressive in %lld, expected at least 1, 1, 2",
                         (long long)in, (long long)out, (long long)size);
    masked_linear *m = nn_new(&masked_type);
    if (!m)
        return nn_failed("MaskedLinear", "out of memory");
    m->kind = kind;
    m->size = size;
    m->reversed = reversed;
    NN_PARAMETER(m, weight, AG_SHAPE(out, in));
    NN_PARAMETER(m, bias, AG_SHAPE(out));
    m->mask = nn_add_buffer(&m->base, "mask", AG_SHAPE(out, in));
    return &m->base;
}

/* ---- The network. ---- */

masked_ar_output masked_ar_forward(masked_ar *m, ag_tensor *x, ag_tensor *context)
{
    ag_tensor *h = ag_relu(ag_add(nn_forward(m->input, x), nn_forward(m->context, context)));
    h = ag_relu(nn_forward(m->hidden, h));
    ag_tensor *mean = nn_forward(m->mean, h), *gate = nn_forward(m->gate, h);
    return (masked_ar_output){mean, gate};
}

static const nn_type masked_ar_type = {.name = "MaskedAR", .size = sizeof(masked_ar)};

masked_ar *masked_ar_new(int64_t size, int64_t hidden, int64_t context, bool reversed)
{
    masked_ar *m = nn_new(&masked_ar_type);
    if (!m)
        return NULL;
    NN_CHILD(m, input, masked_linear_new(size, hidden, FROM_INPUT, size, reversed));
    NN_CHILD(m, context, nn_linear_without_bias(context, hidden));
    NN_CHILD(m, hidden, masked_linear_new(hidden, hidden, BETWEEN, size, reversed));
    NN_CHILD(m, mean, masked_linear_new(hidden, size, TO_OUTPUT, size, reversed));
    NN_CHILD(m, gate, masked_linear_new(hidden, size, TO_OUTPUT, size, reversed));
    return m;
}
