/* The layers. Each constructor returns a module, never NULL (see module.h); names and semantics are torch.nn's. */
#ifndef NN_LAYERS_H
#define NN_LAYERS_H

#include "autograd/ops.h"
#include "nn/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x (..., in) to (..., out): x weight^T + bias; weight (out, in), bias (out). */
nn_module *nn_linear(int64_t in, int64_t out);
nn_module *nn_linear_without_bias(int64_t in, int64_t out);

/* Convolutions on x (N, C, H, W), with a square kernel: channels in and out, kernel, stride, padding. */
nn_module *nn_conv2d(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding);
nn_module *nn_conv_transpose2d(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding);

/* The same in full; 0 stands for PyTorch's default, as in ag_conv_options. Pairs are vertical, horizontal; for
 * nn_conv1d and nn_conv_transpose1d, on x (N, C, L), the first counts. output_padding is the transposed one's. */
typedef struct nn_conv_options {
    int64_t in, out, kernel[2], stride[2], padding[2], dilation[2], output_padding[2], groups;
    bool    no_bias;
} nn_conv_options;
nn_module *nn_conv1d(nn_conv_options options);
nn_module *nn_conv_transpose1d(nn_conv_options options);
nn_module *nn_conv2d_with(nn_conv_options options);
nn_module *nn_conv_transpose2d_with(nn_conv_options options);

/* Pooling with a square window; a stride of 0 is the window's size. */
nn_module *nn_max_pool1d(int64_t kernel, int64_t stride); /* on x (N, C, L) */
nn_module *nn_max_pool2d(int64_t kernel, int64_t stride);
nn_module *nn_max_pool2d_with(ag_pool_options options);
nn_module *nn_avg_pool2d(int64_t kernel, int64_t stride);
nn_module *nn_avg_pool2d_with(ag_pool_options options);
nn_module *nn_adaptive_avg_pool2d(int64_t height, int64_t width);
nn_module *nn_upsample_nearest2d(int64_t factor);

/* Batch norm on x (N, C) or (N, C, L), and (N, C, H, W): eps 1e-5, momentum 0.1; the state dict has running_mean,
 * running_var and num_batches_tracked. Layer norm over the last dimensions, of this shape; eps 1e-5. Group norm on x
 * (N, C, ...), over each of the groups that the channels divide into (Wu, He: "Group normalization", 2018); eps 1e-5.
 */
nn_module *nn_batch_norm1d(int64_t channels);
nn_module *nn_batch_norm2d(int64_t channels);
nn_module *nn_layer_norm(ag_shape shape);
nn_module *nn_group_norm(int64_t groups, int64_t channels);

/* The same in full; 0 stands for PyTorch's default. */
typedef struct nn_norm_options {
    double eps, momentum; /* momentum: batch norm only */
    bool   no_affine;     /* PyTorch's affine=False, elementwise_affine=False: no weight and bias */
} nn_norm_options;
nn_module *nn_batch_norm1d_with(int64_t channels, nn_norm_options options);
nn_module *nn_batch_norm2d_with(int64_t channels, nn_norm_options options);
nn_module *nn_layer_norm_with(ag_shape shape, nn_norm_options options);
nn_module *nn_group_norm_with(int64_t groups, int64_t channels, nn_norm_options options);

/* Rows of a table: input of whole numbers 0 .. rows-1, of any shape; one axis of `width` is added. */
nn_module *nn_embedding(int64_t rows, int64_t width);

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
template <class... M> inline nn_module *nn_module_list(M *...m)
{
    nn_module *const modules[] = {m...};
    return nn_module_list_of(static_cast<int>(sizeof...(M)), modules);
}
#else
#define NN_LIST(f, ...)                                                                                                \
    f((int)(sizeof((nn_module *[]){__VA_ARGS__}) / sizeof(nn_module *)), (nn_module *[]){__VA_ARGS__})
#define nn_sequential(...)  NN_LIST(nn_sequential_of, __VA_ARGS__)
#define nn_module_list(...) NN_LIST(nn_module_list_of, __VA_ARGS__)
#endif
#endif
