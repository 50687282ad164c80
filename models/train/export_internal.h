/* --export: a model's encoder or decoder as a C file. */
#ifndef TRAIN_EXPORT_INTERNAL_H
#define TRAIN_EXPORT_INTERNAL_H

#include "models/train/images.h"

/* The words of --export that the program has parts for, "encoder|decoder", or one of them; NULL for none. */
const char *train__exports(const train_images *images);

/* Writes the part that `images->exported` names to `path`: void PROGRAM_encoder(const float *x, float *z) from pixels
 * in 0..1, or void PROGRAM_decoder(const float *z, float *x) to such. */
bool train__export(train_images *images, const char *path, tl_error *why);

#endif
