/* The cases of ops.def, parsed. */
#ifndef BENCH_OP_CASE_H
#define BENCH_OP_CASE_H

#include <stdbool.h>
#include <stdint.h>

#include "autograd/shape.h"

enum { OP_MAX_INPUTS = 8, OP_MAX_ATTRIBUTES = 8, OP_MAX_LINE = 160 };

/* What fills an input: see ops.def. OP_REAL and OP_UNIT want a gradient. */
typedef enum op_kind { OP_REAL, OP_UNIT, OP_DATA, OP_INDEX, OP_MASK } op_kind;

typedef struct op_case {
    const char *line; /* as in ops.def: the name of the case */
    char        text[OP_MAX_LINE];
    const char *op;
    int         inputs, attributes;
    op_kind     kind[OP_MAX_INPUTS];
    ag_shape    shape[OP_MAX_INPUTS];
    const char *key[OP_MAX_ATTRIBUTES], *value[OP_MAX_ATTRIBUTES]; /* in `text` */
    bool        forward_only;
} op_case;

/* Parses a line. False if it is malformed. c points into itself afterwards and must not be copied. */
bool op_case_parse(op_case *c, const char *line);

/* An attribute's value, or `otherwise` if the case does not have it. */
const char *op_text(const op_case *c, const char *key, const char *otherwise);
double      op_number(const op_case *c, const char *key, double otherwise);
ag_axes     op_axes(const op_case *c, const char *key);           /* one digit per axis; AG_ALL if absent */
ag_shape    op_shape(const op_case *c, const char *key);          /* "128x784" */
void op_pair(const op_case *c, const char *key, int64_t pair[2]); /* "3" is 3, 3; "3x1" is 3, 1; zeros if absent */

#endif
