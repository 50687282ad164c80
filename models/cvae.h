/* A conditional variational autoencoder: the VAE of vae.h with the class beside x and beside z, as one-hot rows. Sohn,
 * Lee, Yan: "Learning structured output representation using deep conditional generative models", 2015. */
#ifndef MODELS_CVAE_H
#define MODELS_CVAE_H

#include "models/vae.h"

typedef struct cvae_config {
    int64_t input, hidden, latent, classes;
} cvae_config;

typedef struct cvae {
    nn_module   base;
    cvae_config config;
    nn_module  *fc1, *fc21, *fc22, *fc3, *fc4;
} cvae;

/* Without values. NULL if memory runs out; nn_error tells anything else. Freed by nn_module_free(&m->base). */
cvae *cvae_new(cvae_config config);

/* x (N, input), values 0..1; c (N, classes): ag_one_hot of the labels. vae_loss is the loss. */
vae_code   cvae_encode(cvae *m, ag_tensor *x, ag_tensor *c);
vae_output cvae_forward(cvae *m, ag_tensor *x, ag_tensor *c);
ag_tensor *cvae_decode(cvae *m, ag_tensor *z, ag_tensor *c); /* z (N, latent); returns logits (N, input) */

#endif
