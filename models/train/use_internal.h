/* What a trained model of images is used for: --generate, --encode, --decode, --reconstruct, --denoise. */
#ifndef TRAIN_USE_INTERNAL_H
#define TRAIN_USE_INTERNAL_H

#include "models/train/images.h"

/* The options that the program's model can serve, into a table that has room for all, and for its end: images->uses. */
void train__use_options(train_images *images, tl_option *to);

/* Whether exactly one use is asked for, and can be had. */
bool train__check_uses(const train_images *images, tl_error *why);

bool train__use_model(train_images *images, tl_error *why);

#endif
