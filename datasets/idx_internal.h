#ifndef DS_IDX_INTERNAL_H
#define DS_IDX_INTERNAL_H

#include "datasets/idx.h"

/* Reads and checks the header of a file of `size` bytes, of which those of a header of this rank are at b, as far as
 * there are so many; returns its length, or 0 on failure. */
size_t ds__idx_header(const uint8_t *b, size_t size, const char *path, int rank, ds_idx *out, tl_error *why);

#endif
