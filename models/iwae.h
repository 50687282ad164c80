/* The importance-weighted autoencoder with one stochastic layer: Burda, Grosse, Salakhutdinov: "Importance weighted
 * autoencoders", 2016. With one sample it is the VAE. The doubly reparameterised estimator of the encoder's gradient is
 * that of Tucker, Lawson, Gu, Maddison: "Doubly reparameterized gradient estimators for Monte Carlo objectives", 2019.
 */
#ifndef MODELS_IWAE_H
#define MODELS_IWAE_H

#include "models/vae.h"

typedef struct iwae_config {
    int64_t        input, hidden, latent;
    const ag_real *mean; /* of each number of the input over the training set: the output's bias begins with its logit.
                            NULL: 0. It must live until the model has its values. */
} iwae_config;

typedef struct iwae {
    nn_module   base;
    iwae_config config;
    nn_module  *encoder, *mu, *logvar, *decoder;
} iwae;

/* Without values. NULL if memory runs out; nn_error tells anything else. Freed by nn_module_free(&m->base). */
iwae *iwae_new(iwae_config config);

vae_code   iwae_encode(iwae *m, ag_tensor *x); /* x (N, input) */
ag_tensor *iwae_decode(iwae *m, ag_tensor *z); /* z (..., latent); returns logits (..., input) */

/* log p(x, z) - log q(z | x) of k codes z (N, k, latent) for each x (N, input) of zeros and ones: (N, k). Equation 7's
 * log w_i. `q` is the code that z was drawn from. */
ag_tensor *iwae_log_weights(iwae *m, ag_tensor *x, vae_code q, ag_tensor *z);

/* k codes for each example: mu + exp(logvar / 2) eps, (N, k, latent). */
ag_tensor *iwae_sample(vae_code q, int64_t k);

/* The bound L_k of each example, log (1/k sum_i w_i), (N): equation 8. */
ag_tensor *iwae_bound(ag_tensor *log_weights);

/* The loss -L_k as a mean over the examples; its gradient is the paper's (equation 14), or for the encoder the doubly
 * reparameterised one. */
ag_tensor *iwae_loss(iwae *m, ag_tensor *x, int64_t k);
ag_tensor *iwae_dreg_loss(iwae *m, ag_tensor *x, int64_t k);

#endif
