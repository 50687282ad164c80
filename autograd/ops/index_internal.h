/* Ops that take places: whole numbers in reals. And an axis of a tensor, seen from both sides. */
#ifndef AG_INDEX_INTERNAL_H
#define AG_INDEX_INTERNAL_H

#include "autograd/op.h"

/* Whether an input holds whole numbers 0 .. size-1; else fails, naming it as `what`. To be called from shape. */
bool ag__places_valid(ag_node *node, const ag_tensor *places, const char *what, int64_t size);

/* A copy of them, as they were when they were checked, as node->saved. */
bool ag__places_save(ag_node *node, const ag_tensor *places);

/* Rows of `from`, of `width` numbers, by n places: copied to `to` (n, width); or rows of `from` (n, width) added to
 * those of `to` at the places. Threads share the work. */
void ag__rows_copy(int64_t n, int64_t width, const ag_real *places, const ag_real *from, ag_real *to);
void ag__rows_add(int64_t n, int64_t width, const ag_real *places, const ag_real *from, ag_real *to);

/* x as (outer, size, inner) around an axis. */
typedef struct ag__axis {
    int     axis; /* 0 .. rank-1 */
    int64_t outer, size, inner;
} ag__axis;

/* False if x has no such axis. */
bool ag__axis_of(const ag_shape *x, int axis, ag__axis *out);

#endif
