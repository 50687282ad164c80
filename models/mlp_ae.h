/* A fully connected autoencoder: input - ... - code - ... - input. Hinton, Salakhutdinov: "Reducing the dimensionality
 * of data with neural networks", 2006. */
#ifndef MODELS_MLP_AE_H
#define MODELS_MLP_AE_H

#include "nn/nn.h"

#define MLP_AE_MOST 8 /* widths */

typedef struct mlp_ae_config {
    int     widths; /* 784, 256, 64, 20: from the input to the code; the decoder mirrors it */
    int64_t width[MLP_AE_MOST];
    nn_module *(*activation)(void);
    bool activate_code;         /* an activation after the code too */
    nn_module *(*output)(void); /* after the last layer */
    bool   xavier;              /* Keras's initialisation in place of PyTorch's: Xavier uniform, biases zero */
    double dropout;             /* after each activation of the encoder, if above 0 */
} mlp_ae_config;

typedef struct mlp_ae {
    nn_module  base;
    nn_module *encoder, *decoder;
    bool       xavier;
} mlp_ae;

typedef struct mlp_ae_output {
    ag_tensor *reconstruction; /* (N, input) */
    ag_tensor *code;           /* (N, code) */
} mlp_ae_output;

/* Without values: nn_reset_parameters gives them. NULL when memory runs out; nn_error tells anything else. */
mlp_ae *mlp_ae_new(const mlp_ae_config *config);

mlp_ae_output mlp_ae_forward(mlp_ae *m, ag_tensor *x); /* x (N, input) */

/* The mean squared error, plus sparsity times the mean absolute value of the code: Ng: "Sparse autoencoder", 2011. */
ag_tensor *mlp_ae_loss(mlp_ae_output out, ag_tensor *x, double sparsity);

#endif
