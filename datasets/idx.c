#include "datasets/idx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t big_endian(const uint8_t *b)
{
    return ((int64_t)b[0] << 24) | (b[1] << 16) | (b[2] << 8) | b[3];
}

static int64_t file_size(FILE *f)
{
    if (fseek(f, 0, SEEK_END) != 0)
        return -1;
    long size = ftell(f);
    rewind(f);
    return size;
}

/* Reads and checks the header; returns the number of data bytes, or -1. */
static int64_t read_header(FILE *f, const char *path, int rank, ds_idx *out, ds_error *error)
{
    uint8_t b[4 + 4 * DS_IDX_MAX_RANK];
    size_t length = 4 + 4 * (size_t)rank;
    if (fread(b, 1, length, f) != length) {
        snprintf(error->text, sizeof error->text, "%s: too short for an IDX header of %zu bytes", path, length);
        return -1;
    }
    if (b[0] || b[1] || b[2] != 8 || b[3] != rank) {
        snprintf(error->text, sizeof error->text, "%s: begins with %02x %02x %02x %02x, expected 00 00 08 %02x", path,
                 b[0], b[1], b[2], b[3], (unsigned)rank);
        return -1;
    }
    int64_t bytes = 1;
    out->rank = rank;
    for (int i = 0; i < rank; i++) {
        int64_t n = out->dim[i] = big_endian(b + 4 + 4 * i);
        if (n == 0 || bytes > INT64_MAX / n) {
            snprintf(error->text, sizeof error->text, "%s: dimension %d is %lld", path, i, (long long)n);
            return -1;
        }
        bytes *= n;
    }
    return bytes;
}

static bool read_open(FILE *f, const char *path, int rank, ds_idx *out, ds_error *error)
{
    int64_t bytes = read_header(f, path, rank, out, error);
    if (bytes < 0)
        return false;
    int64_t header = 4 + 4 * rank, size = file_size(f);
    if (size < 0 || bytes > size || size - header != bytes) {
        snprintf(error->text, sizeof error->text, "%s: has %lld bytes of data, its header says %lld", path,
                 (long long)(size - header), (long long)bytes);
        return false;
    }
    out->data = malloc((size_t)bytes);
    if (!out->data) {
        snprintf(error->text, sizeof error->text, "%s: out of memory (%lld bytes)", path, (long long)bytes);
        return false;
    }
    if (fseek(f, (long)header, SEEK_SET) == 0 && fread(out->data, 1, (size_t)bytes, f) == (size_t)bytes)
        return true;
    snprintf(error->text, sizeof error->text, "%s: cannot be read: %s", path, strerror(errno));
    free(out->data);
    out->data = NULL;
    return false;
}

bool ds_idx_read(const char *path, int rank, ds_idx *out, ds_error *error)
{
    *out = (ds_idx){0};
    if (!path || rank < 1 || rank > DS_IDX_MAX_RANK) {
        snprintf(error->text, sizeof error->text, "IDX: no path, or rank %d is not 1 to %d", rank, DS_IDX_MAX_RANK);
        return false;
    }
    FILE *f = fopen(path, "rb");
    if (!f) {
        snprintf(error->text, sizeof error->text, "%s: %s", path, strerror(errno));
        return false;
    }
    bool ok = read_open(f, path, rank, out, error);
    fclose(f);
    return ok;
}
