/* A denoising autoencoder: it learns to reconstruct clean images from noisy ones. Vincent et al.: "Extracting and
 * composing robust features with denoising autoencoders", 2008.
 *
 * Below the model stands a trainer with what the tutorial's class offers: partial_fit, total cost, transform, generate,
 * reconstruct. */
#ifndef MODELS_DENOISING_AE_H
#define MODELS_DENOISING_AE_H

#include "nn/nn.h"

typedef enum denoising_noise {
    DENOISING_VECTOR,    /* level * N(0, 1), one image's worth per pass, added to every image: the tutorial's */
    DENOISING_GAUSSIAN,  /* level * N(0, 1) added to each pixel */
    DENOISING_MASKING,   /* each pixel 0 with probability level */
    DENOISING_SALTPEPPER /* each pixel 0 or 1, as likely, with probability level */
} denoising_noise;

typedef struct denoising_ae_config {
    int64_t channels, height, width; /* of an image */
    int64_t latent;
    int64_t hidden; /* units between image and code; 0: the tutorial's shallow net, softplus and a linear output */
    bool    conv;   /* convolutions in place of the hidden layer */
    denoising_noise noise;
    double          level;
} denoising_ae_config;

typedef struct denoising_ae {
    nn_module           base;
    denoising_ae_config config;
    nn_module          *encoder, *decoder;
} denoising_ae;

/* Without values: nn_reset_parameters gives them. NULL when memory runs out; nn_error tells anything else. */
denoising_ae *denoising_ae_new(denoising_ae_config config);

ag_tensor *denoising_ae_corrupt(denoising_ae *m, ag_tensor *x);   /* x (N, pixels) with noise from the tape's state */
ag_tensor *denoising_ae_encode(denoising_ae *m, ag_tensor *x);    /* returns (N, latent) */
ag_tensor *denoising_ae_decode(denoising_ae *m, ag_tensor *code); /* returns (N, pixels) */
ag_tensor *denoising_ae_forward(denoising_ae *m, ag_tensor *x);   /* of x as it is: corrupt it first to train */
ag_tensor *denoising_ae_loss(denoising_ae *m, ag_tensor *x);      /* 0.5 sum((r - x)^2), r from x with noise */

/* ---- The trainer. Each function returns false, or NaN, when its pass fails; denoiser_error says why. ---- */

typedef struct denoiser {
    denoising_ae *model;
    nn_optimizer *optimizer;
    ag_tape      *tape;
    double        cost; /* of the last partial fit */
} denoiser;

/* Adam with learning rate lr. False when it could not be made. */
bool        denoiser_init(denoiser *d, denoising_ae_config config, double lr, uint64_t seed);
void        denoiser_free(denoiser *d);
const char *denoiser_error(const denoiser *d);

/* One step on n images x (n, pixels); the cost before it. */
double denoiser_partial_fit(denoiser *d, const ag_real *x, int64_t n);

/* The cost without a step. */
double denoiser_total_cost(denoiser *d, const ag_real *x, int64_t n);

/* x (n, pixels) to code (n, latent); code to images, where a NULL code is drawn from N(0, 1); images through both. */
bool denoiser_transform(denoiser *d, const ag_real *x, int64_t n, ag_real *code);
bool denoiser_generate(denoiser *d, const ag_real *code, int64_t n, ag_real *images);
bool denoiser_reconstruct(denoiser *d, const ag_real *x, int64_t n, ag_real *images);

/* The tutorial's getWeights and getBiases: of the encoder's first layer. NULL when it has none. */
const ag_tensor *denoiser_weights(const denoiser *d);
const ag_tensor *denoiser_biases(const denoiser *d);

#endif
