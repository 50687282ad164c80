/* A distribution over grids of symbols, each given those above it and to its left: van den Oord, Kalchbrenner,
 * Kavukcuoglu: "Pixel recurrent neural networks", 2016, section 3.4 and figure 5. */
#ifndef MODELS_PIXEL_CNN_H
#define MODELS_PIXEL_CNN_H

#include "nn/nn.h"

typedef struct pixel_cnn_config {
    int64_t height, width, symbols;
    int64_t channels, blocks; /* residual blocks, with `channels` inside and twice as many outside */
} pixel_cnn_config;

typedef struct pixel_cnn {
    nn_module        base;
    pixel_cnn_config config;
    nn_module       *embedding, *input, *blocks, *output;
} pixel_cnn;

/* Without values. NULL if memory runs out; nn_error tells anything else. Freed by nn_module_free(&m->base). */
pixel_cnn *pixel_cnn_new(pixel_cnn_config config);

/* Symbols 0 .. symbols-1, grids (N, height, width): logits (N, symbols, height, width). Rows at the bottom may be left
 * out, of both. */
ag_tensor *pixel_cnn_forward(pixel_cnn *m, ag_tensor *index);

/* -log p of the grids (N, height, width), in nats, as a mean over them. */
ag_tensor *pixel_cnn_loss(pixel_cnn *m, ag_tensor *index);

/* n grids drawn symbol after symbol, as (n, height width) on `tape`, whose random numbers it takes. */
ag_tensor *pixel_cnn_sample(pixel_cnn *m, ag_tape *tape, int64_t n);

#endif
