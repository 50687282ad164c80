/* The pictures and tables that programs on images leave in their folder. Each function returns false, with the reason,
 * when a pass has failed or a file cannot be written. Images are rows of tensors on the job's tape, in the program's
 * range of pixels. */
#ifndef TRAIN_DRAW_H
#define TRAIN_DRAW_H

#include "models/train/images.h"
#include "tools/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Rows of `columns` images, taken in turn from kinds[0 .. n-1], each (count, pixels): input above output, and the like.
 * What the labels say stands around them; NULL for none. */
bool train_draw_rows(train_images *images, const char *name, const tl_labels *labels, int n, ag_tensor *const *kinds,
                     int64_t columns, tl_error *why);

/* images (count, pixels) as a grid, row by row, with a caption, or NULL. */
bool train_draw_grid(train_images *images, const char *name, const char *caption, ag_tensor *grid, int64_t columns,
                     tl_error *why);

/* Plain arrays of `count` images with values 0..1, into the file `path`. */
bool train_draw_arrays(train_images *images, const char *path, const tl_labels *labels, int n,
                       const ag_real *const *kinds, int64_t count, int64_t columns, tl_error *why);

/* "0" to "9", for rows or columns of digits. */
extern const char *const train_digits[10];

/* reconstructions.png: the first test images above what the program's encode and decode make of them. */
bool train_draw_reconstructions(train_images *images, tl_error *why);

/* manifold.png: the square from -2 to 2 of a plane of codes of two numbers. */
bool train_draw_manifold(train_images *images, tl_error *why);

/* interpolations.png: each row goes in a straight line of the space of codes from one test image to another. */
bool train_draw_interpolations(train_images *images, tl_error *why);

/* traversals.png: the first test image's code, one number of it going from -3 to 3 in each row: the ten numbers that
 * differ most over test images. */
bool train_draw_traversals(train_images *images, tl_error *why);

/* codes.png: the first 5,000 test images' codes, if they have two or three numbers, as a scatter plot (or all three
 * planes) coloured by digit; codes.tsv, labels.tsv and sprite.png, as the TensorFlow embedding projector loads them,
 * for codes of any length. train_image_main calls it for every program that encodes and decodes. */
bool train_draw_codes(train_images *images, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif
