/* Tensors: what the ops compute with. */
#ifndef AG_TENSOR_H
#define AG_TENSOR_H

#include "autograd/real.h"
#include "autograd/shape.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ag_tape ag_tape;

/* A tensor lives on a tape, until that tape is reset, or is a parameter, and lives until its owner frees it.
 * `data` and `grad` may be read and written between ops; the other fields are for reading. */
typedef struct ag_tensor {
    ag_shape shape;
    ag_real *data;        /* contiguous, row-major; 64-byte aligned but for views and ag_wrap */
    ag_real *grad;        /* same layout; NULL where backward left none (see ag_retain_grad) */
    ag_tape *tape;        /* NULL for a parameter */
    ag_real *grad_buffer; /* where `grad` will lie once it is there, */
    int64_t  grad_room;   /* and how many reals have room there */
    bool     needs_grad, retains_grad;
} ag_tensor;

/* ---- On a tape. Each returns the tape's poison tensor on failure, never NULL; see tape.h. ---- */

ag_tensor *ag_input(ag_tape *tape, ag_shape shape, const ag_real *data); /* a copy of data */
ag_tensor *ag_wrap(ag_tape *tape, ag_shape shape, ag_real *data);        /* data itself; it must outlive the pass */
ag_tensor *ag_empty(ag_tape *tape, ag_shape shape);                      /* undefined values, to be written */
ag_tensor *ag_full(ag_tape *tape, ag_shape shape, double value);
ag_tensor *ag_zeros(ag_tape *tape, ag_shape shape);
ag_tensor *ag_ones(ag_tape *tape, ag_shape shape);
ag_tensor *ag_scalar(ag_tape *tape, double value);

/* A parameter, or any tensor, as a tensor of this tape: what an expression of parameters alone starts with.
 * Gradients flow through it. */
ag_tensor *ag_on_tape(ag_tape *tape, ag_tensor *t);

/* The same values without history: no gradient flows back. */
ag_tensor *ag_detach(ag_tensor *t);

/* Asks for the gradient of a tensor that no op made. Returns t. */
ag_tensor *ag_requires_grad(ag_tensor *t);

/* Asks for the gradient of what an op made to stay after backward. Without that, as in PyTorch, it is gone as soon as it has been
 * used, and its memory serves the next. Returns t. */
ag_tensor *ag_retain_grad(ag_tensor *t);

/* The number in a tensor of one element; NaN when it has more, or is poison, or NULL. */
double ag_item(const ag_tensor *t);

/* ---- Parameters. ---- */

/* A zero-filled tensor that belongs to no tape and wants a gradient. NULL when the shape is none or memory is out. */
ag_tensor *ag_parameter_new(ag_shape shape);
void       ag_parameter_free(ag_tensor *p);

/* Forgets the gradient: the next backward starts from zero (PyTorch's zero_grad with set_to_none). */
void ag_zero_grad(ag_tensor *p);

#ifdef __cplusplus
}
#endif
#endif
