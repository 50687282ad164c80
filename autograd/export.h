/* A recorded computation as a C file that needs no library. */
#ifndef AG_EXPORT_H
#define AG_EXPORT_H

#include <stdio.h>

#include "autograd/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the computation that leads from `in` (which needs a gradient: see ag_requires_grad) to `out`, both of one tape
 * that recorded it in evaluation mode, as
 *
 *     void NAME(const float *x, float *y);
 *
 * (double, in the library for double): x has in's elements, y out's. All else that `out` depends on, parameters first
 * of all, is written as constants. The function allocates nothing, keeps nothing and gives the library's bits; link
 * with -lm. For linear, conv2d, conv_transpose2d, max_pool2d, batch_norm, slice, concat, changes of shape, and
 * elementwise ops on tensors of one shape.
 *
 * `name` is a C identifier that does not begin with op_ or r_. Returns false with the reason in `message` (size bytes,
 * which may be 0) if there is another op on the way, if `out` does not depend on `in` or in part by ops that no
 * backward goes through (ag_detach), after backward (but for ag_backward_retain), if memory runs out, or if the stream
 * fails. */
bool ag_export_c(FILE *to, const char *name, const ag_tensor *in, const ag_tensor *out, char *message, size_t size);

#ifdef __cplusplus
}
#endif
#endif
