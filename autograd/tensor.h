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
 * `data` and `grad` may be read and written between ops (after writing to a parameter's data by hand, call ag_written);
 * the other fields are for reading. */
typedef struct ag_tensor {
    ag_shape shape;
    ag_real *data; /* contiguous, row-major; 64-byte aligned but for views and ag_wrap */
    ag_real *grad; /* same layout; NULL where backward left none (see ag_retain_grad) */
    ag_tape *tape; /* NULL for a parameter */
    bool     needs_grad;

    /* ---- Private. ---- */
    bool     retains_grad;
    bool     unrecorded;  /* made of what wants a gradient, in part by ops that no backward goes through */
    ag_real *grad_buffer; /* storage reserved for `grad`, */
    int64_t  grad_size;   /* and its size in reals */
    ag_real *kept_grad;   /* in a second backward: what the first one left */
    uint64_t pass;        /* of its tape, that made it: another one means that the tape was reset since */
    uint64_t version;     /* of a parameter's data: raised by all that writes to it */
    int64_t  zeroed;      /* when a parameter's gradient was last forgotten; nanoseconds */
} ag_tensor;

/* ---- On a tape. Each returns the tape's poison tensor on failure, never NULL; see tape.h. On a pass that has failed
 * before, they still return memory of their own, which may be written to; where memory has run out or the tape is NULL,
 * `data` holds one number: check ag_tensor_error before writing to it. ---- */

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

/* Makes a leaf, a tensor that no op made, require a gradient: PyTorch's requires_grad_(). Returns t. */
ag_tensor *ag_requires_grad(ag_tensor *t);

/* Keeps an intermediate tensor's gradient after backward. Without this, as in PyTorch, it is dropped as soon as it has
 * been used, and its memory is reused. Returns t. */
ag_tensor *ag_retain_grad(ag_tensor *t);

/* The number in a tensor of one element; NaN when it has more, or is poison, or NULL. */
double ag_item(const ag_tensor *t);

/* ---- Parameters. ---- */

/* A zero-filled tensor that belongs to no tape and wants a gradient. NULL if the shape is invalid or memory runs out.
 */
ag_tensor *ag_parameter_new(ag_shape shape);
void       ag_parameter_free(ag_tensor *p);

/* Forgets the gradient: the next backward starts from zero (PyTorch's zero_grad with set_to_none). */
void ag_zero_grad(ag_tensor *p);

/* Says that p's data were written to by hand. Backward refuses passes that used the values from before, as their
 * gradients would be computed with the new ones. Optimizers, initialisers and loading say it themselves. */
void ag_written(ag_tensor *p);

#ifdef __cplusplus
}
#endif
#endif
