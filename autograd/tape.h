/* The tape: the record of one pass, the memory of all that the pass makes, and its first error.
 *
 * An op computes at once and appends a node; backward reads the nodes from last to first. Between passes the tape is
 * reset, which keeps its memory: a step that was made once makes no further call to malloc.
 *
 * Errors are sticky. The first failure of an op is kept with a message, the op returns the tape's poison tensor (one
 * NaN, never NULL), every later op on the tape does nothing, and backward returns false. Checking once per pass is
 * enough. A tape and its tensors belong to one thread at a time. */
#ifndef AG_TAPE_H
#define AG_TAPE_H

#include <stddef.h>

#include "autograd/rng.h"
#include "autograd/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A new tape, training and recording, whose random draws follow `seed`. NULL if memory runs out. If
 * HOURGLASS_ISA or HOURGLASS_THREADS is invalid, every pass on the tape fails with that reason. */
ag_tape *ag_tape_new(uint64_t seed);
void     ag_tape_free(ag_tape *tape);

/* Forgets all nodes, tensors and the error of the last pass. Modes and random state stay. Using a tensor of the
 * pass just ended is a sticky error of the tape; one kept over two resets is not detected, as its memory is in use. */
void ag_tape_reset(ag_tape *tape);

/* Modes of the pass. Training (true at first) is what dropout and batch norm look at: PyTorch's train() and eval().
 * With gradients disabled nothing is recorded: PyTorch's no_grad(). */
void ag_set_training(ag_tape *tape, bool training);
void ag_set_grad_enabled(ag_tape *tape, bool enabled);
bool ag_is_training(const ag_tape *tape);
bool ag_is_grad_enabled(const ag_tape *tape);

/* The random state, to save, restore or draw from. NULL for a NULL tape. */
ag_rng *ag_tape_rng(ag_tape *tape);

/* Gradients of a one-element loss with respect to everything it depends on that wants one. They are added to those
 * already there. Returns false, and leaves all gradients as they were, when the pass has failed, the loss has more
 * than one element or depends on nothing that wants a gradient, a parameter was changed since the pass used it, memory
 * runs out, or backward was already called. Gradients of gradients are not offered. */
bool ag_backward(ag_tensor *loss);

/* The same, but backward may be called again on the recording, of this loss or another: PyTorch's retain_graph=True.
 * What ops have saved is kept, so the pass takes more memory. */
bool ag_backward_retain(ag_tensor *loss);

/* The same from a tensor of any shape; `gradient` has its layout. */
bool ag_backward_from(ag_tensor *t, const ag_real *gradient);

/* Whether backward has run on this recording, without failure: what an optimizer step asks. */
bool ag_backward_done(const ag_tape *tape);

/* What went wrong first on this tape, or NULL. For a NULL tape: that memory ran out when it was made. */
const char *ag_error(const ag_tape *tape);

/* The same, found through any tensor of the pass. */
const char *ag_tensor_error(const ag_tensor *t);

/* Records an error on the tape, if it has none yet. For layers and models that check what no op checks. Returns
 * the tape's poison tensor. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
ag_tensor *
ag_fail(ag_tape *tape, const char *format, ...);

/* Bytes that the tape holds from the system. */
size_t ag_tape_bytes(const ag_tape *tape);

/* `size` bytes that live until the next reset; NULL, and the tape fails, when memory runs out. */
void *ag_tape_alloc(ag_tape *tape, size_t size);

/* A listener for what passes through named parts of a model: ag_trace(t, subject) calls it. Used by summaries. */
typedef void ag_trace_fn(void *context, const void *subject, const ag_tensor *t);
void         ag_set_trace(ag_tape *tape, ag_trace_fn *listener, void *context);
void         ag_trace(const ag_tensor *t, const void *subject);

#ifdef __cplusplus
}
#endif
#endif
