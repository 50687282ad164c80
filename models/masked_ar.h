/* A masked autoregressive network: Germain, Gregor, Murray, Larochelle: "MADE: masked autoencoder for distribution
 * estimation", 2015. Output i depends on the inputs before i, in their order or in the reverse, and,
 * except for the first, on the context. */
#ifndef MODELS_MASKED_AR_H
#define MODELS_MASKED_AR_H

#include "nn/nn.h"

typedef struct masked_ar {
    nn_module  base;
    nn_module *input, *context, *hidden, *mean, *gate;
} masked_ar;

typedef struct masked_ar_output {
    ag_tensor *mean, *gate; /* like the input */
} masked_ar_output;

/* For inputs of `size` numbers (at least 2) and contexts of `context`; two hidden layers. `reversed`: from the last
 * number to the first. Without values, NULL if memory runs out; nn_error tells anything else. Freed by
 * nn_module_free(&m->base). */
masked_ar *masked_ar_new(int64_t size, int64_t hidden, int64_t context, bool reversed);

masked_ar_output masked_ar_forward(masked_ar *m, ag_tensor *x,
                                   ag_tensor *context); /* x (N, size), context (N, context) */

#endif
