/* A classifier whose layers are trained one by one before the whole is: each as a denoising autoencoder of what the
 * layers below make of the images. Bengio et al.: "Greedy layer-wise training of deep networks", 2007; Vincent et al.:
 * "Stacked denoising autoencoders", 2010. */
#ifndef MODELS_STACKED_AE_H
#define MODELS_STACKED_AE_H

#include "nn/nn.h"

enum { STACKED_AE_MOST = 8 };

typedef struct stacked_ae_config {
    int64_t input, classes;
    int     layers;
    int64_t width[STACKED_AE_MOST];
    double  corruption[STACKED_AE_MOST]; /* share of a layer's inputs that is set to 0 while it is pre-trained */
} stacked_ae_config;

typedef struct stacked_ae {
    nn_module         base;
    stacked_ae_config config;
    nn_module        *layers; /* a list: each a sigmoid layer, and the bias of the decoder that mirrors it */
    nn_module        *output; /* Linear(width of the last, classes) */
} stacked_ae;

/* Weights start as U(-a, a) with a = 4 sqrt(6 / (in + out)) (Glorot, Bengio: "Understanding the difficulty of training
 * deep feedforward neural networks", 2010, for sigmoids), those of the output and all biases as 0. NULL when memory
 * runs out; nn_error tells anything else. */
stacked_ae *stacked_ae_new(const stacked_ae_config *config);

ag_tensor *stacked_ae_encode(stacked_ae *m, ag_tensor *x, int layers); /* x (N, input) in 0..1; (N, width) of a layer */
ag_tensor *stacked_ae_forward(stacked_ae *m, ag_tensor *x);            /* logits (N, classes) */

/* Of one layer as an autoencoder with tied weights: the cross entropy of its input, which is what the layers below make
 * of x, against what it makes of the corrupted input; summed over the input, the mean over x. No gradient reaches the
 * layers below. */
ag_tensor *stacked_ae_layer_loss(stacked_ae *m, ag_tensor *x, int layer);

#endif
