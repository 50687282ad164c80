/* Broadcasting, resolved once into loops: numpy's rules for two operands.
 *
 * The result is walked as rows: the innermost loop has `width` elements, along which each operand advances by its
 * stride of 0 or 1; the outer loops give where each row of each operand begins. Axes that behave alike in both
 * operands are one loop, so that operands of one shape are a single row. */
#ifndef AG_BROADCAST_H
#define AG_BROADCAST_H

#include "autograd/shape.h"

typedef struct ag_broadcast {
    ag_shape shape; /* of the result */
    int      loops; /* outer loops */
    int64_t  rows, width;
    int64_t  count[AG_MAX_RANK], a[AG_MAX_RANK], b[AG_MAX_RANK]; /* outer loops: turns, strides of the operands */
    int      a_step, b_step;                                     /* strides along a row: 0 or 1 */
    bool     a_repeats, b_repeats; /* some element of the operand is used more than once */
} ag_broadcast;

/* False when the shapes do not broadcast, or the result is too large. */
bool ag__broadcast_plan(const ag_shape *a, const ag_shape *b, ag_broadcast *plan);

/* Where a row of each operand begins. */
typedef struct ag_row {
    int64_t a, b;
} ag_row;
ag_row ag__broadcast_row(const ag_broadcast *plan, int64_t row);

/* How many of the rows from `row` up to `end` are of one turn of the innermost loop, and so equally far apart. */
int64_t ag__broadcast_together(const ag_broadcast *plan, int64_t row, int64_t end);

/* The rows as (outer, count, inner), so that different places of `count` go to different elements of an operand with
 * these strides of the outer loops: they are what threads share when its gradient is summed. With outer = rows all go
 * to the same. */
typedef struct ag_turns {
    int64_t outer, count, inner;
} ag_turns;
ag_turns ag__broadcast_turns(const ag_broadcast *plan, const int64_t *stride);

#endif
