/* IDX files, MNIST's format: bytes 0, 0, type, rank; big-endian 32-bit sizes; data. Of unsigned bytes only. */
#ifndef DS_IDX_H
#define DS_IDX_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DS_IDX_MAX_RANK 4

typedef struct ds_idx {
    int      rank;
    int64_t  dim[DS_IDX_MAX_RANK];
    uint8_t *data; /* to be freed by the caller */
} ds_idx;

/* Reads a file of the given rank. False when it cannot be read, is no such file, or is shorter or longer than it says.
 */
bool ds_idx_read(const char *path, int rank, ds_idx *out, tl_error *why);

/* The same from bytes; `path` is for the message. */
bool ds_idx_parse(const uint8_t *bytes, size_t size, const char *path, int rank, ds_idx *out, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif
