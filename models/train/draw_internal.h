/* What the drawing of images and of codes share. */
#ifndef TRAIN_DRAW_INTERNAL_H
#define TRAIN_DRAW_INTERNAL_H

#include "models/train/draw.h"

/* Whether the program can do what a picture needs. */
bool train__can(const train_images *images, bool encode, bool decode, const char *what, tl_error *why);

/* Where a picture of the run's folder goes; false if the pass that made it has failed. */
bool train__picture_path(train_images *images, const char *name, char *path, size_t size, tl_error *why);

/* Rows of pixels of 1 or 3 bytes. */
bool train__write_png(const char *path, const uint8_t *pixels, int64_t width, int64_t height, int channels,
                      tl_error *why);

#endif
