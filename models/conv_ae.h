/* A convolutional autoencoder: two strided convolutions and pools, and three transposed convolutions back. */
#ifndef MODELS_CONV_AE_H
#define MODELS_CONV_AE_H

#include "nn/nn.h"

typedef struct conv_ae_config {
    int64_t channels, height, width; /* of an image; at least 16 pixels high and wide */
    int64_t first, second;           /* channels inside: 16 and 8 in the tutorial */
} conv_ae_config;

typedef struct conv_ae {
    nn_module      base;
    conv_ae_config config;
    nn_module     *encoder, *decoder;
} conv_ae;

/* Without values: nn_reset_parameters gives them. NULL when memory runs out; nn_error tells anything else. */
conv_ae *conv_ae_new(conv_ae_config config);

/* Height or width of the code of images with such a side. */
int64_t conv_ae_code_side(int64_t side);

ag_tensor *conv_ae_encode(conv_ae *m, ag_tensor *x); /* x (N, pixels) or (N, C, H, W); returns (N, second, h, w) */
ag_tensor *conv_ae_decode(conv_ae   *m,
                          ag_tensor *code); /* the code, flat or not; returns (N, C * H * W), values -1..1 */
ag_tensor *conv_ae_forward(conv_ae *m, ag_tensor *x);

#endif
