/* NumPy's .npy files of float32 and float64 in C order (numpy.lib.format, versions 1.0 to 3.0). ds_npy_write
 * writes ag_real. */
#ifndef DS_NPY_H
#define DS_NPY_H

#include <stdint.h>
#include <stdio.h>

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DS_NPY_MAX_RANK 8

typedef struct ds_npy {
    int      rank;
    int64_t  dim[DS_NPY_MAX_RANK];
    int64_t  count; /* of numbers */
    ag_real *data;
} ds_npy;

/* Reads a file of little- or big-endian numbers. False with the reason for anything else: another dtype, Fortran order,
 * a file that is too short or too long, dimensions of 0. */
bool ds_npy_read(const char *path, ds_npy *out, tl_error *why);

/* The same from bytes; `path` is for the message. */
bool ds_npy_parse(const uint8_t *bytes, size_t size, const char *path, ds_npy *out, tl_error *why);
void ds_npy_free(ds_npy *a);

/* Writes an array as version 1.0, little-endian. False on write failure, and for dimensions below 1. */
bool ds_npy_write(FILE *f, int rank, const int64_t *dim, const ag_real *data);

#ifdef __cplusplus
}
#endif
#endif
