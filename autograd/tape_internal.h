/* The inside of a tape, for autograd, and for nn, which says in which layer an error was. */
#ifndef AG_TAPE_INTERNAL_H
#define AG_TAPE_INTERNAL_H

#include "autograd/arena.h"
#include "autograd/op.h"

struct ag_tape {
    ag_arena     arena;
    ag_arena     tensors[2]; /* the tensors of this pass and of the last: one that is used too late can still be told */
    uint64_t     pass;       /* counts resets */
    ag_node     *last;       /* the newest node; the others hang on its `previous` */
    ag_rng       rng;
    ag_trace_fn *listener;
    void        *listener_context;
    ag_tensor    poison[2];    /* of this pass and of the last, as `tensors` */
    ag_real      poison_value; /* NaN: what they hold */
    bool         training, recording, failed, backward_done;
    bool         retained;  /* backward may be called again */
    bool         located;   /* the error names the module that it happened in */
    bool         unusable;  /* from the start: the environment asks for what this machine cannot do */
    int64_t      failed_at; /* when a recording pass last failed; nanoseconds */
    char         error[512];
};

/* The tape of expressions that are on none. It has failed from the start, and is never written to. */
ag_tape *ag__no_tape(void);

/* The poison tensor of the tape's pass. */
ag_tensor *ag__poison(ag_tape *tape);

/* Whether t is of a pass that its tape has left behind; if so the tape fails as `who`. */
bool ag__is_stale(const ag_tensor *t, const char *who);

/* An empty tensor of the tape's pass; NULL, and the tape fails, when memory runs out. */
ag_tensor *ag__tensor_new(ag_tape *tape);

/* Whether ag_view_backward is the node's backward, and can be. */
bool ag__is_view(const ag_node *node);

/* Nanoseconds on a clock that does not go back. */
int64_t ag__now(void);

/* Puts "<where>: " before the error, once: where in a model it happened. */
void ag__locate_error(ag_tape *tape, const char *where);

/* A tensor of `shape` on the tape with its data, undefined, in the arena. Fails the tape as `who`. */
ag_tensor *ag__tensor_on(ag_tape *tape, const char *who, ag_shape shape, ag_real *data);

#endif
