/* Reads files of golden values that hold cases: a line "case NAME NUMBER", then lines of a label, rank, dimensions and
 * values. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include <stdio.h>

#include "autograd/autograd.h"

#ifdef AG_DOUBLE
#define GOLDEN_TOLERANCE 1e-9
#else
#define GOLDEN_TOLERANCE 2e-5
#endif

typedef struct golden {
    ag_shape shape;
    double   value[1024];
} golden;

/* Goes to the line after "case NAME NUMBER"; false if there is no such case. */
bool golden_find(FILE *f, const char *name, int number);

/* Reads the next line, which must have this label. */
void golden_read(FILE *f, const char *label, golden *g);

/* Reads the next line into a tensor, which must be of its shape. */
void golden_read_into(FILE *f, const char *label, ag_tensor *t);

/* Reads the next line and compares: the test fails if it is not what `got`, an array of this shape, holds. `what` says
 * in the message what was computed. */
void golden_check(FILE *f, const char *label, const char *what, const ag_shape *shape, const ag_real *got);

#endif
