/* The inside of a tape, for tape.c, op.c and tensor.c. */
#ifndef AG_TAPE_INTERNAL_H
#define AG_TAPE_INTERNAL_H

#include "autograd/arena.h"
#include "autograd/op.h"

struct ag_tape {
    ag_arena     arena;
    ag_node     *last; /* the newest node; the others hang on its `previous` */
    ag_rng       rng;
    ag_trace_fn *listener;
    void        *listener_context;
    ag_tensor    poison;
    ag_real      poison_value; /* NaN: what the poison tensor holds */
    bool         training, recording, failed, backward_done;
    char         error[512];
};

/* The tape of expressions that are on none. It has failed from the start, and is never written to. */
ag_tape *ag_no_tape(void);

/* A tensor of `shape` on the tape with its data, undefined, in the arena. Fails the tape as `who`. */
ag_tensor *ag_tensor_on(ag_tape *tape, const char *who, ag_shape shape, ag_real *data);

#endif
