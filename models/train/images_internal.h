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

#endif
