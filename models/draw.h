/* The pictures and tables that the demo programs leave in their folder. Each returns false, with the reason on stderr, when a
 * pass has failed or a file cannot be written. Images are rows of tensors on the session's tape, in the program's pixel
 * range, which drawing turns to 0..1 in place. */
#ifndef MODELS_DRAW_H
#define MODELS_DRAW_H

#include "models/train.h"

/* Rows of `columns` images, taken in turn from kinds[0 .. n-1], each (count, pixels): input above output, and the like. */
bool draw_rows(train_session *s, const char *name, int n, ag_tensor *const *kinds, int64_t columns);

/* The same of plain arrays of `count` images with values 0..1, into the file `path`. */
bool draw_images(train_session *s, const char *path, int n, const float *const *kinds, int64_t count, int64_t columns);

/* images (count, pixels) as a grid, row by row. */
bool draw_grid(train_session *s, const char *name, ag_tensor *images, int64_t columns);

/* The codes (count, 2 or more) of the first test images as a scatter plot of their first two numbers, coloured by digit. */
bool draw_codes(train_session *s, const char *name, ag_tensor *codes);

/* codes.tsv and labels.tsv, as the TensorFlow embedding projector loads them. */
bool draw_tables(train_session *s, ag_tensor *codes);

#endif
