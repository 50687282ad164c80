/* What the readers of pictures share. */
#ifndef DS_PICTURE_INTERNAL_H
#define DS_PICTURE_INTERNAL_H

#include "datasets/picture.h"

/* Whether a picture may have this size; false with the reason if not. */
bool ds__picture_check_size(uint64_t height, uint64_t width, const char *path, tl_error *why);

/* Storage for a picture of a size that has been checked. */
bool ds__picture_init(ds_picture *p, int64_t height, int64_t width, const char *path, tl_error *why);

/* The grey of a pixel whose samples are 0..most, most at most 65535: luma over white, rounded once. */
static inline uint8_t ds__picture_grey(uint64_t red, uint64_t green, uint64_t blue, uint64_t alpha, uint64_t most)
{
    uint64_t luma = 299 * red + 587 * green + 114 * blue, white = 1000 * most;
    uint64_t composed = luma * alpha + white * (most - alpha), whole = white * most;
    return (uint8_t)((composed * 255 + whole / 2) / whole);
}

#endif
