/* Pictures of many small grey images, in a grid, with words around it. */
#ifndef TL_PICTURE_H
#define TL_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TL_PICTURE_GAP = 2 }; /* pixels between images */

/* What is written around a grid: a caption above it, a label beside each row and above each column. Labels of fewer
 * rows or columns are taken in turn. All zero: nothing is. */
typedef struct tl_labels {
    const char        *caption;
    int                n_rows, n_columns;
    const char *const *rows, *const *columns;
} tl_labels;

typedef struct tl_picture {
    int64_t  rows, columns, image_height, image_width, scale; /* each pixel of an image is scale x scale */
    int64_t  left, top;                                       /* pixels that words take beside the grid and above it */
    int64_t  height, width;
    uint8_t *pixels;
} tl_picture;

/* A dark grid for rows x columns images, with labels if they are not NULL; words that do not fit are cut off. False
 * when memory runs out. */
bool tl_picture_init(tl_picture *p, int64_t rows, int64_t columns, int64_t image_height, int64_t image_width,
                     int64_t scale, const tl_labels *labels);
void tl_picture_free(tl_picture *p);

/* Puts an image of values 0..1 (cut to that) into a place of the grid. */
void tl_picture_put(tl_picture *p, int64_t row, int64_t column, const float *image);

#ifdef __cplusplus
}
#endif
#endif
