/* The adversarial autoencoder: a discriminator learns to tell the codes from draws of a prior, and the encoder to make
 * it fail, so that the codes come to be distributed as the prior is. Makhzani et al.: "Adversarial autoencoders", 2015.
 */
#ifndef MODELS_ADVERSARIAL_AE_H
#define MODELS_ADVERSARIAL_AE_H

#include "nn/nn.h"

typedef struct adversarial_ae_config {
    int64_t input, hidden, latent;
    int64_t classes; /* above 0: the discriminator sees the class of each code, too */
    int64_t labels;  /* above 0: a code begins with so many probabilities, of classes; not together with `classes` */
} adversarial_ae_config;

typedef struct adversarial_ae {
    nn_module             base;
    adversarial_ae_config config;
    nn_module            *autoencoder;         /* of the two below */
    nn_module            *encoder, *decoder;   /* input-hidden-hidden-code, ReLU, linear code; mirrored, to logits */
    nn_module            *discriminator;       /* latent (+ classes)-hidden-hidden-1, ReLU, to a logit */
    nn_module            *of_labels, *of_rest; /* with labels the discriminator is these two, of a code's two parts */
} adversarial_ae;

/* What the discriminator makes of codes and of the prior's draws. */
typedef struct adversarial_ae_verdict {
    ag_tensor *loss;                /* of the discriminator: the mean of both parts' binary cross entropies */
    ag_tensor *on_prior, *on_codes; /* logits (N, 1); with labels (N, 2), of the probabilities and of the rest */
} adversarial_ae_verdict;

/* Without values. NULL when memory runs out; nn_error tells anything else. */
adversarial_ae *adversarial_ae_new(adversarial_ae_config config);

/* Codes (N, labels + latent) of images x (N, input). */
ag_tensor *adversarial_ae_encode(adversarial_ae *m, ag_tensor *x);

/* The three losses of a step, each of a pass of its own and for its own part: of images x (N, input) in 0..1, draws of
 * the prior z (N, labels + latent), and for a discriminator that sees classes the labels y (N), else NULL. The mean
 * binary cross entropy of a pixel, for the autoencoder; the discriminators', with no gradient to the encoder; and for
 * the encoder that of codes taken for the prior's. */
ag_tensor             *adversarial_ae_reconstruction(adversarial_ae *m, ag_tensor *x);
adversarial_ae_verdict adversarial_ae_judge(adversarial_ae *m, ag_tensor *x, ag_tensor *y, ag_tensor *z);
ag_tensor             *adversarial_ae_deceive(adversarial_ae *m, ag_tensor *x, ag_tensor *y);

/* With labels, logits (N, labels) of the classes of images x: their cross entropy on the images whose labels are known
 * is the fourth loss of a step (section 5 of the paper). */
ag_tensor *adversarial_ae_classify(adversarial_ae *m, ag_tensor *x);

/* Draws (n, 2) from a mixture of ten Gaussians, one of each class, around the origin like petals: the long axis, of
 * deviation 0.5, points outwards, the short one has 0.1, and the centre is at 1.4. y (n): the classes; NULL: drawn. */
ag_tensor *adversarial_ae_petals(ag_tape *tape, int64_t n, ag_tensor *y);

#endif
