#include "datasets/idx_internal.h"

#include <stdlib.h>
#include <string.h>

#include "tools/file.h"

static int64_t big_endian(const uint8_t *b)
{
    return (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

size_t ds__idx_header(const uint8_t *b, size_t size, const char *path, int rank, ds_idx *out, tl_error *why)
{
    size_t length = 4 + 4 * (size_t)rank;
    if (size > 1 && b[0] == 0x1f && b[1] == 0x8b)
        return tl_fail_at(why, path, "compressed by gzip; unpack it with gunzip");
    if (size < length)
        return tl_fail_at(why, path, "too short for an IDX header of %zu bytes", length);
    if (b[0] || b[1])
        return tl_fail_at(why, path, "not an IDX file: begins with %02x %02x, expected 00 00", b[0], b[1]);
    if (b[2] != 8)
        return tl_fail_at(why, path, "its type is %02x, expected 08, unsigned bytes", b[2]);
    if (b[3] != rank)
        return tl_fail_at(why, path, "has %d dimensions, expected %d", b[3], rank);
    int64_t bytes = 1;
    out->rank = rank;
    for (int i = 0; i < rank; i++) {
        int64_t n = out->dim[i] = big_endian(b + 4 + 4 * i);
        if (n == 0 || bytes > INT64_MAX / n)
            return tl_fail_at(why, path, "dimension %d is %lld", i, (long long)n);
        bytes *= n;
    }
    if ((uint64_t)bytes != size - length)
        return tl_fail_at(why, path, "has %zu bytes of data, its header says %lld", size - length, (long long)bytes);
    return length;
}

bool ds_idx_parse(const uint8_t *bytes, size_t size, const char *path, int rank, ds_idx *out, tl_error *why)
{
    if (!out)
        return tl_fail_at(why, path, "no place for the result");
    *out = (ds_idx){0};
    if (!bytes || rank < 1 || rank > DS_IDX_MAX_RANK)
        return tl_fail_at(why, path, "no bytes, or rank %d is not 1 to %d", rank, DS_IDX_MAX_RANK);
    size_t header = ds__idx_header(bytes, size, path, rank, out, why);
    out->data = header ? malloc(size - header) : NULL;
    if (!header)
        return false;
    if (!out->data)
        return tl_fail_at(why, path, "out of memory (%zu bytes)", size - header);
    memcpy(out->data, bytes + header, size - header);
    return true;
}

bool ds_idx_read(const char *path, int rank, ds_idx *out, tl_error *why)
{
    if (!out)
        return tl_fail_at(why, path, "no place for the result");
    size_t size = 0;
    *out = (ds_idx){0};
    uint8_t *bytes = tl_read_file(path, &size, why);
    bool     ok = bytes && ds_idx_parse(bytes, size, path, rank, out, why);
    free(bytes);
    return ok;
}
