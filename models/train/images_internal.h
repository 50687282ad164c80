/* Images, for the program around them. */
#ifndef TRAIN_IMAGES_INTERNAL_H
#define TRAIN_IMAGES_INTERNAL_H

#include "models/train/images.h"

#define TRAIN_DEFAULT_DATA "data/mnist"
#define TRAIN_SYNTHETIC    "synthetic"
#define TRAIN_TEST_IMAGES  "test" /* --reconstruct test: those of --data */

/* Reads the images that the job needs, or only their size, and makes the sources. */
bool train__open_images(train_images *m, tl_error *why);
void train__close_images(train_images *m);

/* Images index[0 .. n-1] of a set with their labels, as a batch; pixels 0..1. */
bool train__load_unit(const ds_dataset *d, ag_tape *tape, const int64_t *index, int64_t n, train_batch *out);

/* As train_result_path, but the file may be there: to be read, or written anew. */
bool train__result_place(train_images *m, const char *name, char *path, size_t size, tl_error *why);

/* The first n test images side by side in a grid, as grey pixels, to be freed; NULL when memory runs out. */
uint8_t *train__sprite(const train_images *m, int64_t n, int64_t rows, int64_t columns);

#endif
