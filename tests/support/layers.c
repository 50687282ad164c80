#include "tests/support/layers.h"

#include <string.h>

#define MAKE(name, expression)                                                                                         \
    static nn_module *make_##name(void)                                                                                \
    {                                                                                                                  \
        return expression;                                                                                             \
    }

MAKE(linear, nn_linear(4, 3))
MAKE(linear_without_bias, nn_linear_without_bias(4, 3))
MAKE(dropout, nn_dropout(0.3))
MAKE(flatten, nn_flatten())
MAKE(unflatten, nn_unflatten(AG_SHAPE(2, 3)))
MAKE(relu, nn_relu())
MAKE(leaky_relu, nn_leaky_relu(0.1))
MAKE(elu, nn_elu(0.7))
MAKE(gelu, nn_gelu())
MAKE(silu, nn_silu())
MAKE(softplus, nn_softplus())
MAKE(sigmoid, nn_sigmoid())
MAKE(tanh, nn_tanh())
MAKE(softmax, nn_softmax(1))
MAKE(log_softmax, nn_log_softmax(-1))
MAKE(sequential_of,
     nn_sequential(nn_linear(4, 6), nn_tanh(), nn_sequential(nn_dropout(0.2), nn_linear(6, 2)), nn_flatten()))

MAKE(conv1d, nn_conv1d((nn_conv_options){.in = 2, .out = 3, .kernel = {3}, .stride = {2}, .padding = {1}}))
MAKE(conv2d, nn_conv2d(1, 2, 3, 2, 1))
MAKE(conv2d_with, nn_conv2d_with((nn_conv_options){.in = 2, .out = 4, .kernel = {2, 3}, .groups = 2, .no_bias = true}))
MAKE(conv_transpose2d, nn_conv_transpose2d(2, 1, 3, 2, 1))
MAKE(conv_transpose2d_with, nn_conv_transpose2d_with((nn_conv_options){
                                .in = 2, .out = 2, .kernel = {2, 3}, .stride = {2, 2}, .output_padding = {1, 0}}))
MAKE(conv_transpose1d,
     nn_conv_transpose1d((nn_conv_options){.in = 2, .out = 3, .kernel = {3}, .stride = {2}, .output_padding = {1}}))
MAKE(max_pool1d, nn_max_pool1d(3, 2))
MAKE(max_pool2d, nn_max_pool2d(2, 0))
MAKE(max_pool2d_with, nn_max_pool2d_with((ag_pool_options){.kernel = {2, 3}, .stride = {1, 2}, .ceil_mode = true}))
MAKE(avg_pool2d, nn_avg_pool2d(2, 1))
MAKE(avg_pool2d_with, nn_avg_pool2d_with((ag_pool_options){.kernel = {2, 2}, .padding = {1, 1}, .exclude_pad = true}))
MAKE(adaptive_avg_pool2d, nn_adaptive_avg_pool2d(1, 1))
MAKE(upsample_nearest2d, nn_upsample_nearest2d(2))
MAKE(batch_norm1d, nn_batch_norm1d(3))
MAKE(batch_norm2d, nn_batch_norm2d(2))
MAKE(layer_norm, nn_layer_norm(AG_SHAPE(4)))
MAKE(batch_norm1d_with, nn_batch_norm1d_with(3, (nn_norm_options){.no_affine = true, .eps = 0.01}))
MAKE(batch_norm2d_with, nn_batch_norm2d_with(2, (nn_norm_options){.momentum = 0.5}))
MAKE(layer_norm_with, nn_layer_norm_with(AG_SHAPE(4), (nn_norm_options){.no_affine = true}))
MAKE(group_norm, nn_group_norm(2, 6))
MAKE(group_norm_with, nn_group_norm_with(3, 3, (nn_norm_options){.no_affine = true, .eps = 0.01}))
MAKE(embedding, nn_embedding(3, 4))

const layer_sample layer_samples[] = {
    {"conv1d", make_conv1d, 3, {2, 2, 7}, false},
    {"conv2d", make_conv2d, 4, {2, 1, 5, 4}, false},
    {"conv2d_with", make_conv2d_with, 4, {1, 2, 3, 4}, false},
    {"conv_transpose2d", make_conv_transpose2d, 4, {1, 2, 3, 2}, false},
    {"conv_transpose2d_with", make_conv_transpose2d_with, 4, {2, 2, 2, 2}, false},
    {"max_pool2d", make_max_pool2d, 4, {2, 2, 4, 5}, false},
    {"max_pool2d_with", make_max_pool2d_with, 4, {1, 1, 4, 6}, false},
    {"avg_pool2d", make_avg_pool2d, 4, {1, 2, 4, 5}, false},
    {"avg_pool2d_with", make_avg_pool2d_with, 4, {1, 2, 4, 5}, false},
    {"adaptive_avg_pool2d", make_adaptive_avg_pool2d, 4, {2, 3, 4, 5}, false},
    {"upsample_nearest2d", make_upsample_nearest2d, 4, {1, 2, 2, 3}, false},
    {"batch_norm1d", make_batch_norm1d, 2, {5, 3}, false},
    {"batch_norm1d", make_batch_norm1d, 3, {3, 3, 2}, false},
    {"batch_norm2d", make_batch_norm2d, 4, {2, 2, 3, 2}, false},
    {"layer_norm", make_layer_norm, 3, {2, 3, 4}, false},
    {"batch_norm1d_with", make_batch_norm1d_with, 2, {5, 3}, false},
    {"batch_norm2d_with", make_batch_norm2d_with, 4, {2, 2, 3, 2}, false},
    {"layer_norm_with", make_layer_norm_with, 3, {2, 3, 4}, false},
    {"embedding", make_embedding, 2, {2, 3}, true},
    {"linear", make_linear, 2, {5, 4}, false},
    {"linear", make_linear, 3, {2, 3, 4}, false},
    {"linear", make_linear, 1, {4}, false},
    {"linear_without_bias", make_linear_without_bias, 2, {3, 4}, false},
    {"dropout", make_dropout, 2, {6, 7}, false},
    {"flatten", make_flatten, 3, {2, 3, 4}, false},
    {"unflatten", make_unflatten, 2, {2, 6}, false},
    {"relu", make_relu, 2, {3, 4}, false},
    {"leaky_relu", make_leaky_relu, 2, {3, 4}, false},
    {"elu", make_elu, 2, {3, 4}, false},
    {"gelu", make_gelu, 2, {3, 4}, false},
    {"silu", make_silu, 2, {3, 4}, false},
    {"softplus", make_softplus, 2, {3, 4}, false},
    {"sigmoid", make_sigmoid, 2, {3, 4}, false},
    {"tanh", make_tanh, 2, {3, 4}, false},
    {"softmax", make_softmax, 3, {2, 3, 2}, false},
    {"log_softmax", make_log_softmax, 2, {3, 4}, false},
    {"sequential_of", make_sequential_of, 2, {3, 4}, false},
    {"conv_transpose1d", make_conv_transpose1d, 3, {2, 2, 4}, false},
    {"max_pool1d", make_max_pool1d, 3, {2, 2, 7}, false},
    {"group_norm", make_group_norm, 4, {2, 6, 3, 2}, false},
    {"group_norm", make_group_norm, 2, {3, 6}, false},
    {"group_norm_with", make_group_norm_with, 3, {2, 3, 4}, false},
};
const int layer_sample_count = sizeof layer_samples / sizeof *layer_samples;

int layer_sample_number(int i)
{
    int n = 0;
    for (int j = 0; j < i; j++)
        n += !strcmp(layer_samples[j].name, layer_samples[i].name);
    return n;
}
