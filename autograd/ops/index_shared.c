#include <string.h>

#include "autograd/ops/index_internal.h"

bool ag__places_valid(ag_node *node, const ag_tensor *places, const char *what, int64_t size)
{
    for (int64_t i = 0, n = ag_numel(&places->shape); i < n; i++) {
        const ag_real k = places->data[i];
        if (!(k >= 0 && k < (ag_real)size && k == (ag_real)(int64_t)k))
            return ag_op_fail(node, "%s %lld is %g, expected a whole number from 0 to %lld", what, (long long)i,
                              (double)k, (long long)size - 1);
    }
    return true;
}

bool ag__places_save(ag_node *node, const ag_tensor *places)
{
    const int64_t n = ag_numel(&places->shape);
    ag_real      *saved = ag_op_save(node, n);
    if (saved)
        memcpy(saved, places->data, (size_t)n * sizeof *saved);
    return saved != NULL;
}

bool ag__axis_of(const ag_shape *x, int axis, ag__axis *out)
{
    const int at = ag_axis_index(x, axis);
    if (at < 0)
        return false;
    *out = (ag__axis){at, 1, x->dim[at], 1};
    for (int d = 0; d < x->rank; d++)
        if (d != at)
            *(d < at ? &out->outer : &out->inner) *= x->dim[d];
    return true;
}
