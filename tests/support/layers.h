/* A sample of every layer: how to make it, and the shape of its input. The gradient check and the comparison with
 * PyTorch go through this table; a test fails if a constructor of nn/layers.h is not in it. */
#ifndef TESTS_LAYERS_H
#define TESTS_LAYERS_H

#include "nn/nn.h"

typedef struct layer_sample {
    const char *name; /* "linear" for nn_linear */
    nn_module *(*make)(void);
    int     rank;
    int64_t dim[4];
    bool    is_index; /* the input is whole numbers 0..2, and has no gradient */
} layer_sample;

extern const layer_sample layer_samples[];
extern const int          layer_sample_count;

/* How many samples of the same layer stand before sample i: with the name, what its golden values go by. */
int layer_sample_number(int i);

#endif
