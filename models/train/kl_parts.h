/* What the KL divergence of a variational autoencoder's codes is made of. */
#ifndef TRAIN_KL_PARTS_H
#define TRAIN_KL_PARTS_H

#include "models/train/images.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In nats, as means over draws from the codes of n images, of which q(z) is the mixture: kl = information + correlation
 * + dimensions. `information` is the mutual information of image and code, at most log n; `correlation` the total
 * correlation, KL(q(z) || prod_j q(z_j)); `dimensions` the sum over j of KL(q(z_j) || N(0, 1)). Hoffman, Johnson: "ELBO
 * surgery", 2016; Chen, Li, Grosse, Duvenaud: "Isolating sources of disentanglement in variational autoencoders", 2018,
 * equation 2. Codes that tell the images apart have an information near log n, however much more there is: the
 * correlation then holds the rest, and is that of n images, not of all that there could be. */
typedef struct train_kl_parts {
    double kl, information, correlation, dimensions;
} train_kl_parts;

/* By `draws` draws, one from each of the first images' codes N(mu, exp(logvar)); mu, logvar (n, size). Passes are made
 * on `tape`, which is reset; all NaN if one fails, with the error on the tape, or if there is nothing to draw from. */
train_kl_parts train_split_kl(ag_tape *tape, int64_t n, int64_t size, const ag_real *mu, const ag_real *logvar,
                              int64_t draws);

/* The code of images x (N, pixels): *mu and *logvar (N, code). */
typedef void train_posterior_fn(void *context, ag_tensor *x, ag_tensor **mu, ag_tensor **logvar);

/* kl.csv: the parts over the test images, by draws from 500 of them. */
bool train_draw_kl_parts(train_images *images, train_posterior_fn *posterior, void *context, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif
