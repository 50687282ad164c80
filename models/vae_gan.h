/* A variational autoencoder whose decoder is also a GAN's generator, and whose error is measured in what the
 * discriminator sees, not in pixels. Larsen, Sonderby, Larochelle, Winther: "Autoencoding beyond pixels using a learned
 * similarity metric", 2016. */
#ifndef MODELS_VAE_GAN_H
#define MODELS_VAE_GAN_H

#include "models/vae.h"

typedef struct vae_gan_config {
    int64_t input, hidden, latent;
} vae_gan_config;

/* Each part has two blocks of Linear, BatchNorm1d and ReLU, `hidden` wide. */
typedef struct vae_gan {
    nn_module      base;
    vae_gan_config config;
    nn_module     *encoder; /* of the next three */
    nn_module     *body, *mu, *logvar;
    nn_module     *decoder;       /* to logits */
    nn_module     *discriminator; /* of the next two */
    nn_module     *features, *verdict;
} vae_gan;

/* Without values. NULL when memory runs out; nn_error tells anything else. */
vae_gan *vae_gan_new(vae_gan_config config);

vae_code   vae_gan_encode(vae_gan *m, ag_tensor *x); /* x (N, input) in 0..1 */
ag_tensor *vae_gan_decode(vae_gan *m, ag_tensor *z); /* z (N, latent); images (N, input) in 0..1 */

/* The three losses of a step, each of a pass of its own, sums over the batch of images x:
 *
 *     part            minimises                                               reached by no gradient of
 *     encoder         KL term + error of the features                         the adversary
 *     discriminator   its binary cross entropy, half of it on real images,    the error of the features
 *                     a quarter on reconstructions, a quarter on samples
 *     decoder         weight * error of the features + (1 - weight) *         the KL term
 *                     the cross entropy of being taken for real
 *
 * The error of the features is half the squared distance between those of x and of its reconstruction. x, its
 * reconstructions and as many samples go through the discriminator as one batch: that is what its batch norm sees.
 *
 * Two things differ from the authors' code: the decoder maximises log D rather than minimising log (1 - D), whose
 * gradient is gone once the discriminator is sure; and the balance below looks at the mean of the two costs. A third is
 * the program's: RMSprop averages over the last hundred steps (alpha 0.99), not over four. */
typedef struct vae_gan_losses {
    ag_tensor *encoder, *kld, *error;
    vae_code   code; /* that kld is of */
} vae_gan_losses;

typedef struct vae_gan_verdict {
    ag_tensor *discriminator, *real, *fake; /* the last two: mean cross entropies on real and on made images */
} vae_gan_verdict;

vae_gan_losses  vae_gan_encoder_loss(vae_gan *m, ag_tensor *x);
vae_gan_verdict vae_gan_discriminator_loss(vae_gan *m, ag_tensor *x);
ag_tensor      *vae_gan_decoder_loss(vae_gan *m, ag_tensor *x, double weight);

/* Whether the discriminator, and the decoder, make their step: the one that is too far ahead of the other waits.
 * Equilibrium and margin of the mean cost are the authors': 0.68 and 0.35. With the costs looked at one by one, a
 * discriminator that is sure of real images and fooled by made ones would not learn. */
typedef struct vae_gan_balance {
    bool discriminator, decoder;
} vae_gan_balance;
vae_gan_balance vae_gan_balance_of(double real, double fake);

#endif
