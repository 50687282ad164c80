/* Pictures of many small grey images, in a grid. */
#ifndef TOOLS_PICTURE_H
#define TOOLS_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct picture {
    int64_t  rows, columns, image_height, image_width, scale; /* each pixel of an image is scale x scale */
    int64_t  height, width;
    uint8_t *pixels;
} picture;

/* A dark grid for rows x columns images. False when memory is out. */
bool picture_init(picture *p, int64_t rows, int64_t columns, int64_t image_height, int64_t image_width, int64_t scale);
void picture_free(picture *p);

/* Puts an image of values 0..1 (cut to that) into a place of the grid. */
void picture_put(picture *p, int64_t row, int64_t column, const float *image);

#endif
