/* A convolutional variational autoencoder; its output and loss are the VAE's of models/vae.h. */
#ifndef MODELS_CONV_VAE_H
#define MODELS_CONV_VAE_H

#include "models/vae.h"

typedef struct conv_vae_config {
    int64_t channels, height, width; /* of an image; height and width divide by 4 */
    int64_t first, second, latent;   /* 32, 64 channels; 32 numbers in the code */
} conv_vae_config;

typedef struct conv_vae {
    nn_module       base;
    conv_vae_config config;
    nn_module      *encoder, *mu, *logvar, *expand, *decoder;
} conv_vae;

/* Without values: nn_reset_parameters gives them. NULL when memory runs out; nn_error tells anything else. */
conv_vae *conv_vae_new(conv_vae_config config);

vae_code   conv_vae_encode(conv_vae *m, ag_tensor *x);
vae_output conv_vae_forward(conv_vae *m, ag_tensor *x); /* x (N, pixels) or (N, C, H, W); logits (N, pixels) */
ag_tensor *conv_vae_decode(conv_vae *m, ag_tensor *z);  /* z (N, latent); returns logits (N, pixels) */

extern const vae_kind vae_conv;

#endif
