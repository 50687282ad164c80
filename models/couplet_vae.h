/* A variational autoencoder of couplets, of embeddings and gated convolutions. Kingma, Welling: "Auto-encoding
 * variational Bayes", 2014; Dauphin et al.: "Language modeling with gated convolutional networks", 2017; as put
 * together by Su Jianlin (github.com/bojone/vae). */
#ifndef MODELS_COUPLET_VAE_H
#define MODELS_COUPLET_VAE_H

#include "nn/nn.h"

typedef struct couplet_vae_config {
    int64_t characters, length; /* different characters; characters of a couplet */
    int64_t width, latent;      /* of an embedding, and so the channels of the convolutions; of a code */
} couplet_vae_config;

typedef struct couplet_vae {
    nn_module          base;
    couplet_vae_config config;
    ag_tensor         *characters; /* a buffer (characters): their code points */
    const uint32_t    *code_points;
    nn_module         *embedding, *conv1, *conv2, *mu, *logvar, *expand, *conv3, *output;
} couplet_vae;

typedef struct couplet_vae_output {
    ag_tensor *logits;      /* (N, length, characters) */
    ag_tensor *mu, *logvar; /* (N, latent) */
} couplet_vae_output;

/* Sums over the batch, in nats; total = reconstruction + kl_weight kld. */
typedef struct couplet_vae_losses {
    ag_tensor *total, *reconstruction, *kld;
} couplet_vae_losses;

/* Without values: nn_reset_parameters gives them, and `characters` the code points, an array that must last until then,
 * if it is not NULL. NULL when memory runs out; nn_error tells anything else. */
couplet_vae *couplet_vae_new(couplet_vae_config config, const uint32_t *code_points);

/* x (N, length): tokens, as whole numbers. */
couplet_vae_output couplet_vae_forward(couplet_vae *m, ag_tensor *x);
ag_tensor         *couplet_vae_encode(couplet_vae *m, ag_tensor *x); /* mu (N, latent) */
ag_tensor         *couplet_vae_decode(couplet_vae *m, ag_tensor *z); /* logits (N, length, characters) */
couplet_vae_losses couplet_vae_loss(couplet_vae_output out, ag_tensor *x, double kl_weight);

#endif
