#include "models/train/rows_internal.h"

#include <string.h>

#include "tools/memory.h"

bool train__table_init(train_table *t, int64_t rows, int64_t width, tl_error *why)
{
    *t = (train_table){rows, width, tl_array(rows, width, sizeof *t->at), NULL};
    return t->at || tl_fail(why, "out of memory for %lld x %lld numbers", (long long)rows, (long long)width);
}

static ag_tensor *encode_rows(void *program, const train_batch *b)
{
    const train_image_program *p = program;
    return p->encode(p->context, b);
}

static ag_tensor *decode_rows(void *program, const train_batch *b)
{
    const train_image_program *p = program;
    return p->decode(p->context, b->x);
}

static ag_tensor *corrupt_rows(void *program, const train_batch *b)
{
    const train_image_program *p = program;
    return p->corrupt(p->context, b->x);
}

static train_batch take_rows(ag_tape *tape, const train_table *from, int64_t first, int64_t n)
{
    train_batch b = {n, ag_input(tape, AG_SHAPE(n, from->width), from->at + first * from->width), NULL};
    if (from->labels)
        b.y = ag_zeros(tape, AG_SHAPE(n));
    for (int64_t i = 0; b.y && i < n && !ag_error(tape); i++)
        b.y->data[i] = from->labels[first + i];
    return b;
}

bool train__unit_images(const ds_dataset *d, int64_t most, train_table *t, tl_error *why)
{
    const int64_t n = d->count < most ? d->count : most, size = d->height * d->width;
    if (!train__table_init(t, n, size, why))
        return false;
    for (int64_t i = 0; i < n * size; i++)
        t->at[i] = (ag_real)d->pixels[i] / 255;
    t->labels = d->labels;
    return true;
}

bool train__map_rows(train_images *m, train_pass_fn *f, void *context, const train_table *from, train_table *to,
                     tl_error *why)
{
    const int64_t batch = m->job->options.batch;
    *to = (train_table){0};
    ag_tape *tape = train_image_tape(m);
    for (int64_t i = 0; i < from->rows; i += batch) {
        int64_t n = from->rows - i < batch ? from->rows - i : batch;
        ag_tape_reset(tape);
        train_batch b = take_rows(tape, from, i, n);
        ag_tensor  *y = f(context, &b);
        if (ag_error(tape))
            return tl_fail(why, "%s", ag_error(tape));
        if (i == 0 && !train__table_init(to, from->rows, ag_numel(&y->shape) / n, why))
            return false;
        memcpy(to->at + i * to->width, y->data, (size_t)(n * to->width) * sizeof *to->at);
    }
    to->labels = from->labels;
    return true;
}

bool train__encode(train_images *m, const train_table *images, train_table *codes, tl_error *why)
{
    return train__map_rows(m, encode_rows, (void *)m->program, images, codes, why);
}

bool train__decode(train_images *m, const train_table *codes, train_table *images, tl_error *why)
{
    return train__map_rows(m, decode_rows, (void *)m->program, codes, images, why);
}

bool train__corrupt(train_images *m, const train_table *images, train_table *noisy, tl_error *why)
{
    return train__map_rows(m, corrupt_rows, (void *)m->program, images, noisy, why);
}

bool train__sample(train_images *m, int64_t n, train_table *codes, tl_error *why)
{
    *codes = (train_table){0};
    ag_tensor *drawn = m->program->sample(m->program->context, train_image_tape(m), n);
    if (ag_tensor_error(drawn))
        return tl_fail(why, "%s", ag_tensor_error(drawn));
    if (ag_numel(&drawn->shape) != n * m->code)
        return tl_fail(why, "new codes %s, expected %lld of %lld numbers", AG_STR(&drawn->shape), (long long)n,
                       (long long)m->code);
    if (!train__table_init(codes, n, m->code, why))
        return false;
    memcpy(codes->at, drawn->data, (size_t)(n * m->code) * sizeof *codes->at);
    return true;
}
