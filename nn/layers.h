/* The layers. Each constructor returns a module, never NULL (see module.h); names and semantics are torch.nn's. */
#ifndef NN_LAYERS_H
#define NN_LAYERS_H

#include "nn/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x (..., in) to (..., out): x weight^T + bias; weight (out, in), bias (out). */
nn_module *nn_linear(int64_t in, int64_t out);
nn_module *nn_linear_without_bias(int64_t in, int64_t out);

/* In training zeroes elements with probability p and scales the others by 1 / (1 - p). */
nn_module *nn_dropout(double p);

/* Axes 1 to last made into one; and the last axis made into several. */
nn_module *nn_flatten(void);
nn_module *nn_unflatten(ag_shape shape);

/* Activations. */
nn_module *nn_relu(void);
nn_module *nn_leaky_relu(double slope);
nn_module *nn_elu(double alpha);
nn_module *nn_gelu(void);
nn_module *nn_silu(void);
nn_module *nn_softplus(void);
nn_module *nn_sigmoid(void);
nn_module *nn_tanh(void);
nn_module *nn_softmax(int axis);
nn_module *nn_log_softmax(int axis);

/* Modules one after the other, named "0", "1", ...: nn_sequential(nn_linear(784, 64), nn_relu(), nn_linear(64, 10)). */
nn_module *nn_sequential_of(int n, nn_module *const *modules);

#ifdef __cplusplus
}
template <class... M> inline nn_module *nn_sequential(M *...m)
{
    nn_module *const modules[] = {m...};
    return nn_sequential_of(static_cast<int>(sizeof...(M)), modules);
}
#else
#define nn_sequential(...)                                                                                             \
    nn_sequential_of((int)(sizeof((nn_module *[]){__VA_ARGS__}) / sizeof(nn_module *)), (nn_module *[]){__VA_ARGS__})
#endif
#endif
