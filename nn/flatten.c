/* Flatten and Unflatten. */
#include <stdio.h>

#include "autograd/ops.h"
#include "nn/layers.h"

static ag_tensor *flatten_forward(nn_module *m, ag_tensor *x)
{
    (void)m;
    return ag_flatten(x, 1, -1);
}

static const nn_type flatten_type = {"Flatten", sizeof(nn_module), flatten_forward, NULL, NULL};

nn_module *nn_flatten(void)
{
    nn_module *m = nn_new(&flatten_type);
    return m ? m : nn_failed("Flatten", "out of memory");
}

typedef struct unflatten {
    nn_module base;
    ag_shape  shape; /* of what the last axis becomes */
} unflatten;

static ag_tensor *unflatten_forward(nn_module *m, ag_tensor *x)
{
    const ag_shape *to = &((const unflatten *)m)->shape;
    ag_shape        s = x->shape;
    if (s.rank < 1 || s.dim[s.rank - 1] != ag_numel(to) || s.rank - 1 + to->rank > AG_MAX_RANK)
        return ag_fail(x->tape, "Unflatten: the last axis of %s does not make %s", AG_STR(&s), AG_STR(to));
    s.rank--;
    for (int i = 0; i < to->rank; i++)
        s.dim[s.rank++] = to->dim[i];
    return ag_reshape(x, s);
}

static void unflatten_describe(const nn_module *m, char *text, size_t size)
{
    snprintf(text, size, "%s", AG_STR(&((const unflatten *)m)->shape));
}

static const nn_type unflatten_type = {"Unflatten", sizeof(unflatten), unflatten_forward, NULL, unflatten_describe};

nn_module *nn_unflatten(ag_shape shape)
{
    if (shape.rank < 1 || ag_numel(&shape) < 0)
        return nn_failed("Unflatten", "%s is no shape to unflatten to", AG_STR(&shape));
    unflatten *u = nn_new(&unflatten_type);
    if (!u)
        return nn_failed("Unflatten", "out of memory");
    u->shape = shape;
    return &u->base;
}
