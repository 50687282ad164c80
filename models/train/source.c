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
