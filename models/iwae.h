/* The importance-weighted autoencoder with one or two stochastic layers: Burda, Grosse, Salakhutdinov: "Importance
 * weighted autoencoders", 2016. With one sample it is the VAE. The doubly reparameterised estimator of the encoder's
 * gradient is that of Tucker, Lawson, Gu, Maddison: "Doubly reparameterized gradient estimators for Monte Carlo
 * objectives", 2019.
 */
#ifndef MODELS_IWAE_H
#define MODELS_IWAE_H

#include "models/iwae_upper.h"

typedef struct iwae_config {
    int64_t        input, hidden, latent;
    const ag_real *mean; /* of each number of the input over the training set: the output's bias begins with its logit.
                            NULL: 0. It must live until the model has its values. */
    int64_t upper_hidden, upper; /* of the second stochastic layer; upper 0: there is none */
} iwae_config;

typedef struct iwae {
    nn_module   base;
    iwae_config config;
    nn_module  *encoder, *mu, *logvar, *decoder, *upper; /* upper NULL: p(z) is N(0, 1) */
} iwae;

/* Without values. NULL if memory runs out; nn_error tells anything else. Freed by nn_module_free(&m->base). */
iwae *iwae_new(iwae_config config);

vae_code   iwae_encode(iwae *m, ag_tensor *x); /* x (N, input) */
ag_tensor *iwae_decode(iwae *m, ag_tensor *z); /* z (..., latent); returns logits (..., input) */

/* log p(x, z) - log q(z | x) of k codes z (N, k, latent) for each x (N, input) of zeros and ones: (N, k). Equation 7's
 * log w_i. `q` is the code that z was drawn from. With a second layer, which is drawn here, z stands for both. */
ag_tensor *iwae_log_weights(iwae *m, ag_tensor *x, vae_code q, ag_tensor *z);

/* k codes for each example: mu + exp(logvar / 2) eps, (N, k, latent). */
ag_tensor *iwae_sample(vae_code q, int64_t k);

/* The bound L_k of each example, log (1/k sum_i w_i), (N): equation 8. */
ag_tensor *iwae_bound(ag_tensor *log_weights);

/* n codes drawn from the prior, (n, latent); and the KL divergence of a code's numbers from it, (N, latent): with a
 * second layer, from p(z | u) at the mean u of the code's mean. */
ag_tensor *iwae_prior_sample(iwae *m, ag_tape *tape, int64_t n);
ag_tensor *iwae_divergence(iwae *m, vae_code q);

/* The loss -L_k as a mean over the examples, where beta weighs log p(z) - log q(z | x): 1 in the paper. Its gradient is
 * the paper's (equation 14), or for the encoder the doubly reparameterised one, which is offered for one layer and
 * beta 1.
 */
ag_tensor *iwae_loss(iwae *m, ag_tensor *x, int64_t k, double beta);
ag_tensor *iwae_dreg_loss(iwae *m, ag_tensor *x, int64_t k);

#endif
