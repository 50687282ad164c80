/* A codebook: vectors, of which the nearest takes the place of what an encoder gives. Van den Oord, Vinyals,
 * Kavukcuoglu: "Neural discrete representation learning", 2017. The vectors are parameters, moved by a loss; or the
 * moving averages of what they took the place of (appendix A.1). */
#ifndef MODELS_CODEBOOK_H
#define MODELS_CODEBOOK_H

#include "nn/nn.h"

typedef struct codebook {
    nn_module  base;
    ag_tensor *weight;      /* (vectors, size); NULL where there are averages */
    ag_tensor *count, *sum; /* (vectors), (vectors, size): a vector is its sum over its count; NULL without averages */
} codebook;

/* Without values; never NULL: as a layer, it carries its error. */
nn_module *codebook_new(int64_t vectors, int64_t size, bool averages);

/* The vectors on a tape, (vectors, size). */
ag_tensor *codebook_vectors(codebook *m, ag_tape *tape);

/* The number of the vector nearest to each row of z (M, size): (M). The first of several at the same distance. No
 * gradient flows. */
ag_tensor *codebook_nearest(codebook *m, ag_tensor *z);

/* The vectors of these numbers (...): (..., size). */
ag_tensor *codebook_lookup(codebook *m, ag_tensor *index);

/* For averages: how often each vector was the nearest to a row of z, and the sum of those rows, as one tensor
 * (vectors, 1 + size) without gradient. */
ag_tensor *codebook_tally(ag_tensor *z, ag_tensor *index, int64_t vectors);

/* For averages: a loss whose gradient is minus the tally. A step of SGD with the learning rate 1 - decay and a weight
 * decay of 1 then makes of each average m: decay m + (1 - decay) tally. */
ag_tensor *codebook_loss(codebook *m, ag_tensor *tally);

#endif
