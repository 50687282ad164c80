#include "tools/picture.h"

#include <stdlib.h>
#include <string.h>

#include "tools/memory.h"

#define GREY 48 /* of the gaps */

bool tl_picture_init(tl_picture *p, int64_t rows, int64_t columns, int64_t image_height, int64_t image_width,
                     int64_t scale)
{
    const int64_t sizes[] = {rows, columns, image_height, image_width, scale}, most = 1 << 20;
    if (!p)
        return false;
    *p = (tl_picture){rows, columns, image_height, image_width, scale, 0, 0, NULL};
    for (int i = 0; i < 5; i++)
        if (sizes[i] < 1 || sizes[i] > most)
            return false;
    p->height = rows * (image_height * scale + TL_PICTURE_GAP) + TL_PICTURE_GAP;
    p->width = columns * (image_width * scale + TL_PICTURE_GAP) + TL_PICTURE_GAP;
    p->pixels = tl_array(p->height, p->width, 1);
    if (p->pixels)
        memset(p->pixels, GREY, (size_t)(p->height * p->width));
    return p->pixels != NULL;
}

void tl_picture_free(tl_picture *p)
{
    if (!p)
        return;
    free(p->pixels);
    *p = (tl_picture){0};
}

void tl_picture_put(tl_picture *p, int64_t row, int64_t column, const float *image)
{
    if (!p || !p->pixels || !image || row < 0 || row >= p->rows || column < 0 || column >= p->columns)
        return;
    int64_t top = TL_PICTURE_GAP + row * (p->image_height * p->scale + TL_PICTURE_GAP),
            left = TL_PICTURE_GAP + column * (p->image_width * p->scale + TL_PICTURE_GAP);
    for (int64_t y = 0; y < p->image_height * p->scale; y++)
        for (int64_t x = 0; x < p->image_width * p->scale; x++) {
            float   v = image[y / p->scale * p->image_width + x / p->scale];
            uint8_t byte = v >= 1 ? 255 : v > 0 ? (uint8_t)(v * 255.0f + 0.5f) : 0;
            p->pixels[(top + y) * p->width + left + x] = byte;
        }
}
