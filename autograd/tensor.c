#include "autograd/tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/tape_internal.h"

ag_tensor *ag_tensor_on(ag_tape *tape, const char *who, ag_shape shape, ag_real *data)
{
    if (!tape)
        tape = ag_no_tape();
    int64_t n = ag_numel(&shape);
    if (n < 0)
        return ag_fail(tape, "%s: %s is no shape: expected up to %d dimensions of at least 1", who, AG_STR(&shape),
                       AG_MAX_RANK);
    ag_tensor *t = ag_tape_alloc(tape, sizeof *t);
    if (t && !data)
        data = ag_tape_alloc(tape, (size_t)n * sizeof *data);
    if (!t || !data)
        return &tape->poison;
    *t = (ag_tensor){.shape = shape, .data = data, .tape = tape};
    return t;
}

static bool is_poison(const ag_tensor *t)
{
    return t->tape->failed;
}

ag_tensor *ag_input(ag_tape *tape, ag_shape shape, const ag_real *data)
{
    if (!data)
        return ag_fail(tape, "input: the data is NULL");
    ag_tensor *t = ag_tensor_on(tape, "input", shape, NULL);
    if (!is_poison(t))
        memcpy(t->data, data, (size_t)ag_numel(&shape) * sizeof *data);
    return t;
}

ag_tensor *ag_wrap(ag_tape *tape, ag_shape shape, ag_real *data)
{
    if (!data)
        return ag_fail(tape, "wrap: the data is NULL");
    return ag_tensor_on(tape, "wrap", shape, data);
}

ag_tensor *ag_full(ag_tape *tape, ag_shape shape, double value)
{
    ag_tensor *t = ag_tensor_on(tape, "full", shape, NULL);
    if (!is_poison(t))
        for (int64_t i = 0, n = ag_numel(&shape); i < n; i++)
            t->data[i] = (ag_real)value;
    return t;
}

ag_tensor *ag_zeros(ag_tape *tape, ag_shape shape)
{
    return ag_full(tape, shape, 0);
}

ag_tensor *ag_ones(ag_tape *tape, ag_shape shape)
{
    return ag_full(tape, shape, 1);
}

ag_tensor *ag_scalar(ag_tape *tape, double value)
{
    return ag_full(tape, AG_SCALAR, value);
}

ag_tensor *ag_requires_grad(ag_tensor *t)
{
    if (!t || !t->tape || t->tape->failed)
        return t ? t : &ag_no_tape()->poison;
    t->needs_grad = true;
    return t;
}

ag_tensor *ag_retain_grad(ag_tensor *t)
{
    if (!t || !t->tape || t->tape->failed)
        return t ? t : &ag_no_tape()->poison;
    t->retains_grad = true;
    return t;
}

double ag_item(const ag_tensor *t)
{
    if (!t || (t->tape && is_poison(t)) || ag_numel(&t->shape) != 1)
        return NAN;
    return (double)t->data[0];
}

/* One block: the tensor, its data, its gradient, each aligned for the widest vectors. */
ag_tensor *ag_parameter_new(ag_shape shape)
{
    const size_t unit = 64;
    int64_t n = ag_numel(&shape);
    if (n < 0)
        return NULL;
    size_t head = (sizeof(ag_tensor) + unit - 1) / unit * unit;
    size_t body = ((size_t)n * sizeof(ag_real) + unit - 1) / unit * unit;
    char *block = aligned_alloc(unit, head + 2 * body);
    if (!block)
        return NULL;
    memset(block, 0, head + 2 * body);
    ag_tensor *p = (ag_tensor *)(void *)block;
    *p = (ag_tensor){
        .shape = shape,
        .data = (ag_real *)(void *)(block + head),
        .grad_buffer = (ag_real *)(void *)(block + head + body),
        .needs_grad = true,
    };
    return p;
}

void ag_parameter_free(ag_tensor *p)
{
    free(p);
}

void ag_zero_grad(ag_tensor *p)
{
    if (p && !p->tape)
        p->grad = NULL;
}
