/* A planar flow, which pushes codes along one direction by how far they lie along another: Rezende, Mohamed:
 * "Variational inference with normalizing flows", 2015, equations 10 to 12. */
#ifndef MODELS_PLANAR_FLOW_H
#define MODELS_PLANAR_FLOW_H

#include "nn/nn.h"

typedef struct planar_flow {
    nn_module  base;
    nn_module *push, *normal, *offset; /* the paper's u, w and b, each from the context */
} planar_flow;

/* For codes of `size` numbers and contexts of `context`. Without values, NULL if memory runs out; nn_error tells
 * anything else. Freed by nn_module_free(&m->base). */
planar_flow *planar_flow_new(int64_t size, int64_t context);

/* z (N, size), context (N, context): z + u tanh(w.z + b), (N, size). *log_det is log |d result / dz|, (N). */
ag_tensor *planar_flow_carry(planar_flow *m, ag_tensor *z, ag_tensor *context, ag_tensor **log_det);

#endif
