#include "autograd/tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/tape_internal.h"

/* On a pass that has failed: memory of its own, as it may be written to before the failure is noticed. */
static ag_tensor *stand_in(ag_tape *tape, ag_shape shape, ag_real *data)
{
    const int64_t n = data ? 0 : ag_numel(&shape);
    ag_tensor    *t = ag__arena_alloc(&tape->tensors[tape->pass % 2], sizeof *t);
    if (t && !data)
        data = ag__arena_alloc(&tape->arena, (size_t)n * sizeof *data);
    if (!t || !data)
        return ag__poison(tape);
    for (int64_t i = 0; i < n; i++)
        data[i] = (ag_real)NAN;
    *t = (ag_tensor){.shape = shape, .data = data, .tape = tape, .pass = tape->pass};
    return t;
}

ag_tensor *ag__tensor_on(ag_tape *tape, const char *who, ag_shape shape, ag_real *data)
{
    if (!tape)
        tape = ag__no_tape();
    int64_t n = ag_numel(&shape);
    if (n < 0)
        return ag_fail(tape, "%s: %s is no shape: expected up to %d dimensions of at least 1", who, AG_STR(&shape),
                       AG_MAX_RANK);
    if (tape->failed && tape != ag__no_tape())
        return stand_in(tape, shape, data);
    ag_tensor *t = ag__tensor_new(tape);
    if (t && !data)
        data = ag_tape_alloc(tape, (size_t)n * sizeof *data);
    if (!t || !data)
        return ag__poison(tape);
    t->shape = shape;
    t->data = data;
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
    ag_tensor *t = ag__tensor_on(tape, "input", shape, NULL);
    if (!is_poison(t))
        memcpy(t->data, data, (size_t)ag_numel(&shape) * sizeof *data);
    return t;
}

ag_tensor *ag_wrap(ag_tape *tape, ag_shape shape, ag_real *data)
{
    if (!data)
        return ag_fail(tape, "wrap: the data is NULL");
    return ag__tensor_on(tape, "wrap", shape, data);
}

ag_tensor *ag_empty(ag_tape *tape, ag_shape shape)
{
    return ag__tensor_on(tape, "empty", shape, NULL);
}

ag_tensor *ag_full(ag_tape *tape, ag_shape shape, double value)
{
    ag_tensor *t = ag__tensor_on(tape, "full", shape, NULL);
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
    if (!t || !t->tape || t->tape->failed || ag__is_stale(t, "requires_grad"))
        return t ? t : ag__poison(ag__no_tape());
    t->needs_grad = true;
    return t;
}

ag_tensor *ag_retain_grad(ag_tensor *t)
{
    if (!t || !t->tape || t->tape->failed || ag__is_stale(t, "retain_grad"))
        return t ? t : ag__poison(ag__no_tape());
    t->retains_grad = true;
    return t;
}

double ag_item(const ag_tensor *t)
{
    if (!t || (t->tape && (t->pass != t->tape->pass || is_poison(t))) || ag_numel(&t->shape) != 1)
        return NAN;
    return (double)t->data[0];
}

/* A parameter: the tensor, then its data and its gradient in the same block, each aligned for the widest vectors. */
typedef struct parameter {
    ag_tensor tensor;
    void     *block;
} parameter;

/* Memory comes zeroed from the system, which gives a page when it is first touched: a large model costs nothing until
 * its values are set, and no gradient costs anything where none is computed. */
ag_tensor *ag_parameter_new(ag_shape shape)
{
    const size_t unit = 64;
    int64_t      n = ag_numel(&shape);
    if (n < 0)
        return NULL;
    size_t head = (sizeof(parameter) + unit - 1) / unit * unit;
    size_t body = ((size_t)n * sizeof(ag_real) + unit - 1) / unit * unit;
    char  *block = calloc(1, head + 2 * body + unit);
    if (!block)
        return NULL;
    char      *begin = block + (unit - (uintptr_t)block % unit);
    parameter *p = (parameter *)(void *)begin;
    p->block = block;
    p->tensor = (ag_tensor){
        .shape = shape,
        .data = (ag_real *)(void *)(begin + head),
        .grad_buffer = (ag_real *)(void *)(begin + head + body),
        .needs_grad = true,
    };
    return &p->tensor;
}

void ag_parameter_free(ag_tensor *p)
{
    if (p && !p->tape)
        free(((parameter *)p)->block);
}

void ag_zero_grad(ag_tensor *p)
{
    if (!p || p->tape)
        return;
    p->grad = NULL;
    p->zeroed = ag__now();
}

void ag_written(ag_tensor *p)
{
    if (p && p->tape != ag__no_tape())
        p->version++;
}
