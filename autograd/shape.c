#include "autograd/shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A tensor of this many elements, its gradient and what an op keeps for it still fit a size_t. */
#define MAX_ELEMENTS ((int64_t)(SIZE_MAX / 32 < (uint64_t)1 << 56 ? SIZE_MAX / 32 : (uint64_t)1 << 56))

ag_shape ag_shape_of(int rank, const int64_t *dim)
{
    ag_shape s = {rank, {0}};
    if (rank < 0 || rank > AG_MAX_RANK || (rank > 0 && !dim))
        s.rank = -1;
    else if (rank > 0)
        memcpy(s.dim, dim, (size_t)rank * sizeof *dim);
    return s;
}

ag_axes ag_axes_of(int count, const int *axis)
{
    ag_axes a = {count, {0}};
    if (count == AG_ALL_AXES)
        return a;
    if (count < 0 || count > AG_MAX_RANK || (count > 0 && !axis))
        a.count = AG_BAD_AXES;
    else if (count > 0)
        memcpy(a.axis, axis, (size_t)count * sizeof *axis);
    return a;
}

bool ag_shape_equal(const ag_shape *a, const ag_shape *b)
{
    if (!a || !b)
        return false;
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

int64_t ag_numel(const ag_shape *s)
{
    if (!s)
        return -1;
    if (s->rank < 0 || s->rank > AG_MAX_RANK)
        return -1;
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] < 1 || s->dim[i] > MAX_ELEMENTS / n)
            return -1;
        n *= s->dim[i];
    }
    return n;
}

int ag_axis_index(const ag_shape *s, int axis)
{
    if (!s)
        return -1;
    if (axis < 0)
        axis += s->rank;
    return axis >= 0 && axis < s->rank ? axis : -1;
}

ag_text ag_shape_text(const ag_shape *s)
{
    if (!s)
        return (ag_text){"NULL"};
    ag_text t = {"(rank out of range)"};
    if (s->rank < 0 || s->rank > AG_MAX_RANK)
        return t;
    size_t at = (size_t)snprintf(t.s, sizeof t.s, "(");
    for (int i = 0; i < s->rank && at < sizeof t.s; i++)
        at += (size_t)snprintf(t.s + at, sizeof t.s - at, "%s%" PRId64, i ? ", " : "", s->dim[i]);
    if (at < sizeof t.s)
        snprintf(t.s + at, sizeof t.s - at, ")");
    return t;
}
