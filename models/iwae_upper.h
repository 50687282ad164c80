/* The second stochastic layer of an importance-weighted autoencoder, above the codes: Burda, Grosse, Salakhutdinov:
 * "Importance weighted autoencoders", 2016, equations 1 and 2 with L = 2. Codes z are drawn from p(z | u), Gaussian,
 * and the u from N(0, 1); q(u | z) is the Gaussian that an encoder gives. */
#ifndef MODELS_IWAE_UPPER_H
#define MODELS_IWAE_UPPER_H

#include "models/vae.h"

typedef struct iwae_upper {
    nn_module  base;
    nn_module *encoder, *mu, *logvar;             /* of q(u | z) */
    nn_module *decoder, *prior_mu, *prior_logvar; /* of p(z | u) */
} iwae_upper;

/* Without values; never NULL: as a layer, it carries its error. Two hidden layers in encoder and decoder. */
nn_module *iwae_upper_new(int64_t latent, int64_t hidden, int64_t size);

vae_code iwae_upper_encode(iwae_upper *m, ag_tensor *z); /* z (..., latent); (..., size) each */
vae_code iwae_upper_prior(iwae_upper *m, ag_tensor *u);  /* u (..., size); (..., latent) each */

/* log p(u) p(z | u) / q(u | z) for a draw of u for each code z (..., latent): (...). It lacks what is 2 pi in p(z | u).
 */
ag_tensor *iwae_upper_log_weights(iwae_upper *m, ag_tensor *z);

#endif
