/* An autoencoder whose code is a grid of numbers of a codebook's vectors: van den Oord, Vinyals, Kavukcuoglu: "Neural
 * discrete representation learning", 2017. */
#ifndef MODELS_VQ_VAE_H
#define MODELS_VQ_VAE_H

#include "models/codebook.h"

typedef struct vq_vae_config {
    int64_t height, width; /* of an image, of one channel; both divide by 4 */
    int64_t first, second; /* channels: 32, 64 */
    int64_t vectors, size; /* of the codebook: 64 vectors of 16 numbers */
    bool    averages;      /* its vectors are moving averages */
} vq_vae_config;

typedef struct vq_vae {
    nn_module     base;
    vq_vae_config config;
    nn_module    *encoder, *codebook, *decoder;
} vq_vae;

/* Without values. NULL if memory runs out; nn_error tells anything else. Freed by nn_module_free(&m->base). */
vq_vae *vq_vae_new(vq_vae_config config);

/* Places of a code, (height / 4) (width / 4). */
int64_t vq_vae_places(const vq_vae *m);

/* M is N times the places. z: what the encoder gives; quantised: the vectors in its place; index: their numbers. The
 * decoder sees the vectors, and its gradient goes to z as if it saw that (the straight-through estimator). */
typedef struct vq_vae_output {
    ag_tensor *reconstruction;        /* (N, pixels) */
    ag_tensor *z, *quantised, *index; /* (M, size), (M, size), (M) */
} vq_vae_output;

vq_vae_output vq_vae_forward(vq_vae *m, ag_tensor *x); /* x (N, pixels) */

ag_tensor *vq_vae_encode(vq_vae *m, ag_tensor *x);     /* the numbers (N, places), row by row of the grid */
ag_tensor *vq_vae_decode(vq_vae *m, ag_tensor *index); /* of (N, places): (N, pixels) */

/* Equation 3. `error` is the mean squared error over the pixels' variance; `commitment`, weighted by beta, keeps the
 * encoder near the vectors; `codebook` moves the vectors to what the encoder gives: NULL where they are averages. */
typedef struct vq_vae_losses {
    ag_tensor *total, *error, *commitment, *codebook;
} vq_vae_losses;

vq_vae_losses vq_vae_loss(vq_vae *m, vq_vae_output o, ag_tensor *x, double variance, double beta);

/* exp of the entropy of how often each of the vectors was taken: how many are in use, as if evenly. */
double vq_vae_perplexity(const ag_tensor *index, int64_t vectors);

#endif
