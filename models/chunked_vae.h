/* A variational autoencoder whose encoder ends in one layer of 2 x latent numbers: the first half is mu, the second
 * sigma. */
#ifndef MODELS_CHUNKED_VAE_H
#define MODELS_CHUNKED_VAE_H

#include "models/vae.h"

typedef struct chunked_vae_config {
    int64_t input, first, second, latent; /* 784, 256, 64, 10 */
} chunked_vae_config;

typedef struct chunked_vae {
    nn_module          base;
    chunked_vae_config config;
    nn_module         *encoder, *decoder;
} chunked_vae;

typedef struct chunked_vae_output {
    ag_tensor *reconstruction; /* (N, input), values 0..1 */
    ag_tensor *mu, *sigma;     /* (N, latent) */
} chunked_vae_output;

typedef struct chunked_vae_losses {
    ag_tensor *total, *mse, *kld; /* total = mse + beta kld */
} chunked_vae_losses;

/* Without values: nn_reset_parameters gives them. NULL when memory runs out; nn_error tells anything else. */
chunked_vae *chunked_vae_new(chunked_vae_config config);

chunked_vae_output chunked_vae_forward(chunked_vae *m, ag_tensor *x); /* x (N, input) */
ag_tensor         *chunked_vae_decode(chunked_vae *m, ag_tensor *z);

/* The mean squared error, and sum(mu^2 + sigma^2 - log(1e-8 + sigma^2) - 1) / 2 per pixel of the batch. */
chunked_vae_losses chunked_vae_loss(chunked_vae_output out, ag_tensor *x, double beta);

extern const vae_kind vae_chunked;

#endif
