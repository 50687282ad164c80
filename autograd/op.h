/* For authors of ops: what an op is, and how it is applied. Built-in ops and users' own use the same struct. */
#ifndef AG_OP_H
#define AG_OP_H

#include <stddef.h>

#include "autograd/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ag_node ag_node;

typedef struct ag_op {
    const char *name;
    /* Checks the inputs and sets out->shape; may set out->data to memory of an input (a view) and take memory with
     * ag_op_save. On failure returns ag_op_fail(...). */
    bool (*shape)(ag_node *node);
    /* Computes out->data. NULL when shape has done all. */
    void (*forward)(ag_node *node);
    /* Adds to the inputs' gradients, from out->grad, which is there. Must not fail. NULL: no gradient flows. */
    void (*backward)(const ag_node *node);
} ag_op;

struct ag_node {
    const ag_op *op;
    ag_tensor   *out;
    ag_tensor  **in;
    int          n_in;
    void        *attr;  /* the op's parameters: the node's own copy of what ag_apply was given */
    void        *saved; /* what ag_op_save gave last; other gradients may lie there after backward */

    /* ---- Private. ---- */
    int64_t  saved_size;
    ag_node *previous; /* on the tape */
    uint64_t versions; /* of the inputs, added up */
    bool     training; /* the mode that it was recorded in */
    bool     reached;  /* by the backward pass */
};

/* Applies op to in[0 .. n_in-1] on the tape that they share; parameters go with any tape. `attr` (attr_size bytes)
 * is copied. Returns the output, or the poison tensor on failure. */
ag_tensor *ag_apply(const ag_op *op, int n_in, ag_tensor *const *in, const void *attr, size_t attr_size);

/* The same for ops that may have no input, such as random numbers. */
ag_tensor *ag_apply_on(ag_tape *tape, const ag_op *op, int n_in, ag_tensor *const *in, const void *attr,
                       size_t attr_size);

/* Fails the tape with "<op>: <message>". Returns false. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
bool ag_op_fail(ag_node *node, const char *format, ...);

/* Memory of the pass for `count` reals that forward keeps for backward, as node->saved. NULL, and the tape fails, when
 * memory runs out. To be called from shape. */
ag_real *ag_op_save(ag_node *node, int64_t count);

/* The gradient of t to add to: zero-filled at its first use, NULL where none is wanted. */
ag_real *ag_grad(ag_tensor *t);

/* The same without the zeros, for kernels that can store as well as add: when `add` is false this is the first use
 * and every element must be written. `data` is NULL where no gradient is wanted. */
typedef struct ag_grad_target {
    ag_real *data;
    bool     add;
} ag_grad_target;
ag_grad_target ag_grad_open(ag_tensor *t);

/* Calls visit for each node of the tape's recording, the newest first, until it returns false: for what reads a graph.
 * Returns whether all were visited. */
bool ag_visit_nodes(const ag_tape *tape, bool (*visit)(void *context, const ag_node *node), void *context);

/* Adds g, in t's layout, to the gradient of t if one is wanted. */
void ag_grad_add(ag_tensor *t, const ag_real *g);

/* The backward of an op whose output has the numbers of its first input in another shape: hands the gradient on. The
 * walk knows this function: where the input has no gradient yet, the output's becomes the input's, and nothing is
 * copied. */
void ag_view_backward(const ag_node *node);

#ifdef __cplusplus
}
#endif
#endif
