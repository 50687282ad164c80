#include "models/train/source.h"

#include <string.h>

#include "tools/text.h"

/* Rows index[0 .. n-1] of an array as (n, shape), copied. */
static ag_tensor *take_rows(ag_tape *tape, ag_shape shape, const ag_real *from, const int64_t *index, int64_t n)
{
    const int64_t size = ag_numel(&shape);
    if (shape.rank < 0 || shape.rank >= AG_MAX_RANK)
        return ag_fail(tape, "rows: %s is not the shape of an example", AG_STR(&shape));
    ag_shape all = {shape.rank + 1, {n}};
    memcpy(all.dim + 1, shape.dim, (size_t)shape.rank * sizeof *shape.dim);
    ag_tensor *t = ag_zeros(tape, all);
    for (int64_t i = 0; i < n && !ag_error(tape); i++)
        memcpy(t->data + i * size, from + index[i] * size, (size_t)size * sizeof *from);
    return t;
}

static bool load_rows(void *self, ag_tape *tape, const int64_t *index, int64_t n, train_batch *out)
{
    const train_rows *r = self;
    out->n = n;
    out->x = take_rows(tape, r->x_shape, r->x, index, n);
    out->y = r->y ? take_rows(tape, r->y_shape, r->y, index, n) : NULL;
    return !ag_error(tape);
}

static uint64_t hash_rows(void *self)
{
    const train_rows *r = self;
    uint64_t          hash = tl_hash_numbers(TL_HASH, r->x, r->count * ag_numel(&r->x_shape), sizeof *r->x);
    return r->y ? tl_hash_numbers(hash, r->y, r->count * ag_numel(&r->y_shape), sizeof *r->y) : hash;
}

train_source train_rows_source(train_rows *rows)
{
    if (!rows)
        return (train_source){0};
    return (train_source){rows->count, load_rows, hash_rows, rows};
}

/* ---- Files. ---- */

/* Rows index[0 .. n-1] as numbers, divided by `range`: (n, bytes of a row), or (n) for labels. */
static ag_tensor *take_bytes(ag_tape *tape, const ds_idx_files *f, const int64_t *index, int64_t n, ag_real range)
{
    tl_error   why = {""};
    ag_tensor *t = ag_zeros(tape, f->rank > 0 ? AG_SHAPE(n, f->row) : AG_SHAPE(n));
    uint8_t   *bytes = ag_error(tape) ? NULL : ag_tape_alloc(tape, (size_t)(n * f->row));
    if (!bytes)
        return t;
    if (!ds_idx_files_read(f, index, n, bytes, &why))
        return ag_fail(tape, "%s", why.text);
    for (int64_t i = 0; i < n * f->row; i++)
        t->data[i] = (ag_real)bytes[i] / range;
    return t;
}

static bool load_files(void *self, ag_tape *tape, const int64_t *index, int64_t n, train_batch *out)
{
    const train_files *f = self;
    out->n = n;
    out->x = take_bytes(tape, &f->images, index, n, 255);
    out->y = f->labels.count > 0 ? take_bytes(tape, &f->labels, index, n, 1) : NULL;
    return !ag_error(tape);
}

/* 0 if a file cannot be read: then neither can its examples. */
static uint64_t hash_files(void *self)
{
    const train_files *f = self;
    uint64_t           images = 0, labels = 0;
    if (!ds_idx_files_hash(&f->images, &images, NULL) ||
        (f->labels.count > 0 && !ds_idx_files_hash(&f->labels, &labels, NULL)))
        return 0;
    return tl_hash_numbers(images, &labels, 1, sizeof labels);
}

train_source train_files_source(train_files *files)
{
    if (!files || (files->labels.count > 0 && files->labels.count != files->images.count))
        return (train_source){0};
    return (train_source){files->images.count, load_files, hash_files, files};
}
