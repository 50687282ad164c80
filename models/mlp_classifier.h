/* A classifier with one hidden layer, or none: softmax regression. */
#ifndef MODELS_MLP_CLASSIFIER_H
#define MODELS_MLP_CLASSIFIER_H

#include "nn/nn.h"

typedef struct mlp_classifier_config {
    int64_t input, hidden, classes; /* hidden 0: none */
    double  dropout;                /* of the hidden layer */
} mlp_classifier_config;

typedef struct mlp_classifier {
    nn_module  base;
    nn_module *layers;
    int64_t    hidden;
} mlp_classifier;

/* The first of two layers starts as a truncated normal of deviation 0.1, all else as zero: the tutorial's choice. NULL
 * when memory runs out; see nn_error for anything else. */
mlp_classifier *mlp_classifier_new(mlp_classifier_config config);

ag_tensor *mlp_classifier_forward(mlp_classifier *m, ag_tensor *x); /* x (N, input); returns logits (N, classes) */

/* How many rows of logits (N, classes) are largest at their label (N). */
int64_t mlp_classifier_correct(const ag_tensor *logits, const ag_tensor *labels);

#endif
