/* A variational autoencoder of binary images with a diagonal Gaussian posterior, or one that flows make richer: inverse
 * autoregressive ones (Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling: "Improved variational inference with
 * inverse autoregressive flow", 2016) or planar ones (planar_flow.h). */
#ifndef MODELS_FLOW_VAE_H
#define MODELS_FLOW_VAE_H

#include "models/masked_ar.h"
#include "models/planar_flow.h"

enum { FLOW_VAE_MOST_FLOWS = 32 };

typedef struct flow_vae_config {
    int64_t input, hidden, layers, latent; /* `layers` hidden layers (1 to 4) in encoder and decoder */
    int64_t flows;                         /* 0: the Gaussian alone */
    bool    planar;                        /* they are planar, not autoregressive */
} flow_vae_config;

typedef struct flow_vae {
    nn_module       base;
    flow_vae_config config;
    nn_module      *encoder, *mu, *deviation, *decoder;
    nn_module      *flow[FLOW_VAE_MOST_FLOWS]; /* masked_ar or planar_flow */
} flow_vae;

/* Without values. NULL if memory runs out; nn_error tells anything else. Freed by nn_module_free(&m->base). */
flow_vae *flow_vae_new(flow_vae_config config);

/* What the encoder gives to the posterior of x (N, input): the Gaussian's mean and deviation (N, latent), and the
 * hidden layer (N, hidden) that the flows take as context. */
typedef struct flow_vae_code {
    ag_tensor *mu, *deviation, *context;
} flow_vae_code;

flow_vae_code flow_vae_encode(flow_vae *m, ag_tensor *x);
ag_tensor    *flow_vae_decode(flow_vae *m, ag_tensor *z); /* z (N, latent); returns logits (N, input) */

/* z0 (N, latent) carried through the flows; *log_det, if not NULL, is log |dz / dz0| (N). */
ag_tensor *flow_vae_carry(flow_vae *m, ag_tensor *z0, ag_tensor *context, ag_tensor **log_det);

/* log p(x, z) - log q(z | x) of k codes drawn for each x (N, input) of zeros and ones: (N, k). The mean is the bound on
 * log p(x). */
ag_tensor *flow_vae_log_weights(flow_vae *m, ag_tensor *x, int64_t k);

/* The negative of the bound as a mean over the examples, of one code each, where beta weighs the divergence: log q(z |
 * x) - log p(z) of the code that was drawn, (N, 1). */
typedef struct flow_vae_losses {
    ag_tensor *total, *divergence;
} flow_vae_losses;

flow_vae_losses flow_vae_loss(flow_vae *m, ag_tensor *x, double beta);

#endif
