/* Rows of several IDX files, one after another, which are read when they are asked for: data larger than memory. */
#ifndef DS_IDX_FILES_H
#define DS_IDX_FILES_H

#include "datasets/idx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ds_idx_files {
    int64_t count; /* rows of all files: images, labels */
    int     rank;  /* of a row: 2 for images, 0 for labels */
    int64_t dim[DS_IDX_MAX_RANK];
    int64_t row; /* bytes of one */

    /* ---- Private. ---- */
    int                 n;
    struct ds_idx_part *part;
} ds_idx_files;

/* Opens n files, which stay open and must not change; their rows must have one shape. False with the reason; call
 * ds_idx_files_close in either case. */
bool ds_idx_files_open(ds_idx_files *f, int n, const char *const *paths, tl_error *why);
void ds_idx_files_close(ds_idx_files *f);

/* Rows index[0 .. n-1] as (n, row) bytes. Several threads may read at once. False for a row that is not there, or when
 * the file cannot be read. */
bool ds_idx_files_read(const ds_idx_files *f, const int64_t *index, int64_t n, uint8_t *rows, tl_error *why);

/* A hash of all rows, which reads all of them. False when a file cannot be read. */
bool ds_idx_files_hash(const ds_idx_files *f, uint64_t *hash, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif
