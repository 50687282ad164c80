/* What slice works out, for who reads a graph. */
#ifndef AG_SLICE_INTERNAL_H
#define AG_SLICE_INTERNAL_H

#include <stdint.h>

typedef struct ag__slice_plan {
    int     axis;
    int64_t begin, end;
    int64_t blocks, block, piece, offset; /* of each `block` elements of x, `piece` from `offset` on are taken */
} ag__slice_plan;

#endif
