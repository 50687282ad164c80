#define _POSIX_C_SOURCE 200809L
#include "datasets/idx_files.h"

#include <stdlib.h>
#include <string.h>

#include "datasets/idx_internal.h"
#include "tools/file.h"
#include "tools/text.h"

struct ds_idx_part {
    char   *path;
    int     file;
    int64_t begin, count; /* rows: where in all of them its own begin, and how many */
    int64_t header;       /* bytes */
};

/* The file's header, of whatever rank it says. */
static bool read_header(struct ds_idx_part *p, int64_t size, ds_idx *header, tl_error *why)
{
    uint8_t      b[4 + 4 * DS_IDX_MAX_RANK] = {0};
    const size_t n = (uint64_t)size < sizeof b ? (size_t)size : sizeof b;
    if (!tl_file_read(p->file, p->path, 0, b, n, why))
        return false;
    if (n >= 4 && !b[0] && !b[1] && b[2] == 8 && (b[3] < 1 || b[3] > DS_IDX_MAX_RANK))
        return tl_fail_at(why, p->path, "has %d dimensions, expected 1 to %d", b[3], DS_IDX_MAX_RANK);
    const int rank = b[3] >= 1 && b[3] <= DS_IDX_MAX_RANK ? b[3] : 1;
    p->header = (int64_t)ds__idx_header(b, (size_t)size, p->path, rank, header, why);
    return p->header > 0;
}

/* Adds a file's rows; the first one says what a row is. */
static bool add_part(ds_idx_files *f, struct ds_idx_part *p, const char *path, tl_error *why)
{
    int64_t size;
    ds_idx  header;
    p->path = strdup(path ? path : "");
    if (!p->path)
        return tl_fail(why, "out of memory");
    p->file = tl_file_open(p->path, &size, why);
    if (p->file < 0 || !read_header(p, size, &header, why))
        return false;
    if (f->n == 1) {
        f->rank = header.rank - 1;
        f->row = 1;
        for (int i = 0; i < f->rank; i++)
            f->row *= f->dim[i] = header.dim[i + 1];
    }
    if (header.rank != f->rank + 1 || memcmp(header.dim + 1, f->dim, (size_t)f->rank * sizeof *f->dim) != 0)
        return tl_fail_at(why, path, "its rows have another shape than those of %s", f->part[0].path);
    p->begin = f->count;
    p->count = header.dim[0];
    f->count += p->count;
    return true;
}

bool ds_idx_files_open(ds_idx_files *f, int n, const char *const *paths, tl_error *why)
{
    if (!f)
        return tl_fail(why, "no place for the files");
    *f = (ds_idx_files){0};
    if (n < 1 || n > 1 << 20 || !paths)
        return tl_fail(why, "no IDX files to open");
    f->part = calloc((size_t)n, sizeof *f->part);
    if (!f->part)
        return tl_fail(why, "out of memory");
    for (int i = 0; i < n; i++) {
        f->n = i + 1;
        f->part[i].file = -1;
        if (!add_part(f, &f->part[i], paths[i], why))
            return false;
    }
    return true;
}

void ds_idx_files_close(ds_idx_files *f)
{
    if (!f)
        return;
    for (int i = 0; i < f->n; i++) {
        tl_file_close(f->part[i].file);
        free(f->part[i].path);
    }
    free(f->part);
    *f = (ds_idx_files){0};
}

/* The file that has a row: the last one that does not begin after it. */
static const struct ds_idx_part *part_of(const ds_idx_files *f, int64_t row)
{
    int low = 0, high = f->n - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (f->part[middle].begin <= row)
            low = middle;
        else
            high = middle - 1;
    }
    return &f->part[low];
}

bool ds_idx_files_read(const ds_idx_files *f, const int64_t *index, int64_t n, uint8_t *rows, tl_error *why)
{
    if (!f || !f->part || n < 0 || (n > 0 && (!index || !rows)))
        return tl_fail(why, "no files, or no rows of them");
    for (int64_t i = 0; i < n; i++) {
        if (index[i] < 0 || index[i] >= f->count)
            return tl_fail(why, "row %lld of %lld rows", (long long)index[i], (long long)f->count);
        const struct ds_idx_part *p = part_of(f, index[i]);
        if (!tl_file_read(p->file, p->path, p->header + (index[i] - p->begin) * f->row, rows + i * f->row,
                          (size_t)f->row, why))
            return false;
    }
    return true;
}

bool ds_idx_files_hash(const ds_idx_files *f, uint64_t *hash, tl_error *why)
{
    uint8_t block[1 << 14];
    if (!f || !f->part || !hash)
        return tl_fail(why, "no files to hash");
    *hash = tl_hash_numbers(TL_HASH, f->dim, f->rank, sizeof *f->dim);
    for (int i = 0; i < f->n; i++) {
        const struct ds_idx_part *p = &f->part[i];
        const int64_t             bytes = p->count * f->row;
        for (int64_t at = 0; at < bytes; at += (int64_t)sizeof block) {
            const size_t n = bytes - at < (int64_t)sizeof block ? (size_t)(bytes - at) : sizeof block;
            if (!tl_file_read(p->file, p->path, p->header + at, block, n, why))
                return false;
            *hash = tl_hash(*hash, block, n);
        }
    }
    return true;
}
