/* Labelled images, kept as bytes and made into numbers batch by batch. */
#ifndef DS_DATASET_H
#define DS_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "autograd/real.h"
#include "tools/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ds_dataset {
    int64_t  count, height, width;
    uint8_t *pixels; /* (count, height, width) */
    uint8_t *labels; /* (count) */
} ds_dataset;

void ds_dataset_free(ds_dataset *d);

/* Pixels of images index[0 .. n-1] as value / 255, in 0..1: out is (n, height * width). */
void ds_images(const ds_dataset *d, const int64_t *index, int64_t n, ag_real *out);

/* Reads labelled images from a folder: PART-images-idx3-ubyte and PART-labels-idx1-ubyte. */
bool ds_part_read(const char *folder, const char *part, ds_dataset *d, tl_error *why);

/* MNIST's training images, or, if `train` is false, its test images. */
bool ds_mnist_read(const char *folder, bool train, ds_dataset *d, tl_error *why);

/* Makes `count` digits like handwritten ones, 28 x 28, ten classes in equal parts: strokes with random shape, pen,
 * slant, size and place. Image i is a function of (seed, i) alone, the same on every machine. */
bool ds_digits_make(int64_t count, uint64_t seed, ds_dataset *d, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif
