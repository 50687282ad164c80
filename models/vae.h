/* The variational autoencoder of pytorch/examples: 784-400-(20, 20)-400-784. Kingma, Welling: "Auto-encoding
 * variational Bayes", 2014. */
#ifndef MODELS_VAE_H
#define MODELS_VAE_H

#include "nn/nn.h"

typedef struct vae_config {
    int64_t input, hidden, latent;
} vae_config;

typedef struct vae {
    nn_module  base;
    vae_config config;
    nn_module *fc1, *fc21, *fc22, *fc3, *fc4;
} vae;

typedef struct vae_output {
    ag_tensor *logits;      /* (N, input): the reconstruction before its sigmoid */
    ag_tensor *mu, *logvar; /* (N, latent) */
} vae_output;

/* The two outputs of an encoder; (N, latent) each. */
typedef struct vae_code {
    ag_tensor *mu, *logvar;
} vae_code;

typedef struct vae_losses {
    ag_tensor *total, *bce, *kld; /* sums over the batch; total = bce + beta kld */
    vae_code   code;              /* that they are of */
} vae_losses;

/* What the variants of the VAE have in common, for programs that offer several. */
typedef struct vae_kind {
    const char *name;           /* of its recipe: recipes.def */
    const char *reconstruction; /* its error: "bce", "mse" */
    nn_module *(*make)(int64_t height, int64_t width,
                       const int64_t *size); /* sizes as in the recipe, from its second */
    vae_losses (*loss)(nn_module *m, ag_tensor *x,
                       double beta);                  /* of images x (N, pixels); bce is the reconstruction's error */
    bool is_mean;                                     /* the losses are means over the batch, not sums */
    vae_code (*encode)(nn_module *m, ag_tensor *x);   /* each (N, latent) */
    ag_tensor *(*decode)(nn_module *m, ag_tensor *z); /* images (N, pixels), 0..1 */
} vae_kind;

extern const vae_kind vae_standard; /* and in chunked_vae.h, conv_vae.h */

/* Without values: nn_reset_parameters gives them. NULL when memory runs out; nn_error tells anything else. Freed by
 * nn_module_free(&m->base). */
vae *vae_new(vae_config config);

vae_code vae_encode(vae *m, ag_tensor *x); /* x (N, input) */

/* The KL divergence from N(0, 1) of each number of the code, in nats: (N, latent). Kingma, Welling, appendix B. */
ag_tensor *vae_divergence(vae_code code);

/* What the divergence (N, latent) of each number, as a mean over the batch, lacks of `nats`, summed over the numbers
 * and the batch. Added to a loss, so much divergence costs nothing: the free bits of Kingma et al.: "Improved
 * variational inference with inverse autoregressive flow", 2016, appendix C.8. */
ag_tensor *vae_free_bits(ag_tensor *divergence, double nats);

/* -2 log N(z; mu, exp(logvar)) of each number of z, but for log 2 pi. */
ag_tensor *vae_deviance(ag_tensor *z, vae_code of);

/* mu + exp(logvar / 2) times a draw from N(0, 1): the reparameterization trick. */
ag_tensor *vae_sample(ag_tensor *mu, ag_tensor *logvar);

vae_output vae_forward(vae *m, ag_tensor *x); /* x (N, input), values 0..1 */
ag_tensor *vae_decode(vae *m, ag_tensor *z);  /* z (N, latent); returns logits (N, input) */

/* beta 1 is the paper's loss; above 1: Higgins et al.: "beta-VAE", 2017. */
vae_losses vae_loss(vae_output out, ag_tensor *x, double beta);

#endif
