/* Every op, optimizer and model at several shapes: the cases of ops.def. */
#ifndef BENCH_OPS_H
#define BENCH_OPS_H

#include <stdio.h>

#include "datasets/dataset.h"
#include "tools/bench/kernels.h"
#include "tools/bench/op_case.h"

/* Prints a table of the cases whose line contains `filter`, and writes them to csv unless that is NULL. Returns their
 * number; -1 when one fails. */
int bench_ops(const yardstick *y, const char *filter, const ds_dataset *data, FILE *csv);

/* The same of the cases in a file, one a line. Those that fail are left out, with a message. */
int bench_ops_in(const char *path, const yardstick *y, const char *filter, const ds_dataset *data, FILE *csv);

/* Median microseconds of a case; OP_FAILED, with a message, on failure; OP_UNKNOWN if the op is not one of its own. */
enum { OP_FAILED = -1, OP_UNKNOWN = -2 };
double time_op(const op_case *c, double seconds);
double time_update(const op_case *c, double seconds);
double time_step(const op_case *c, double seconds);
double time_model(const op_case *c, const ds_dataset *data, double seconds);

#endif
