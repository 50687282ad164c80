/* What a trained model is used for: --generate, --encode, --decode, --reconstruct. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/idx.h"
#include "datasets/npy.h"
#include "models/draw.h"
#include "models/train_internal.h"

/* Numbers on their way through the model: rows of `width`. */
typedef struct table {
    int64_t rows, width;
    float  *at;
} table;

static bool table_init(const train_session *s, table *t, int64_t rows, int64_t width)
{
    *t = (table){rows, width, malloc((size_t)(rows * width) * sizeof *t->at)};
    if (!t->at)
        train_fail(s, "out of memory");
    return t->at != NULL;
}

typedef ag_tensor *pass_fn(void *context, ag_tensor *x);

/* Rows through a function of the model, a batch at a time. */
static bool map_rows(train_session *s, const train_task *task, pass_fn *f, const table *from, table *to)
{
    int64_t batch = s->options.batch;
    *to = (table){0};
    for (int64_t i = 0; i < from->rows; i += batch) {
        int64_t n = from->rows - i < batch ? from->rows - i : batch;
        ag_tape *tape = i == 0 ? train_evaluating(s) : (ag_tape_reset(s->tape), s->tape);
        ag_tensor *y = f(task->context, ag_input(tape, AG_SHAPE(n, from->width), from->at + i * from->width));
        if (ag_error(tape)) {
            train_fail(s, "%s", ag_error(tape));
            return false;
        }
        if (i == 0 && !table_init(s, to, from->rows, ag_numel(&y->shape) / n))
            return false;
        memcpy(to->at + i * to->width, y->data, (size_t)(n * to->width) * sizeof *to->at);
    }
    return true;
}

static void all_to_unit(const train_session *s, table *images)
{
    for (int64_t i = 0; i < images->rows; i++)
        train_to_unit(s, images->at + i * images->width);
}

/* ---- Files. ---- */

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n >= m && !strcmp(path + n - m, end);
}

static bool write_npy(const train_session *s, const char *path, const table *t, bool images)
{
    const int64_t flat[] = {t->rows, t->width}, square[] = {t->rows, s->train.height, s->train.width};
    nn_message why;
    nn_whole_file f;
    bool ok = nn_whole_file_open(&f, path, &why);
    if (ok) {
        ds_npy_write(f.file, images ? 3 : 2, images ? square : flat, t->at);
        ok = nn_whole_file_close(&f, &why);
    }
    if (!ok)
        train_fail(s, "%s", why.text);
    return ok;
}

/* The place for a result: --output, or a name in the output folder. */
static const char *output_path(const train_session *s, const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", s->out, name);
    return s->options.output ? s->options.output : path;
}

static bool tell(const train_session *s, bool ok, const char *path)
{
    if (ok && !s->options.quiet)
        printf("%s\n", path);
    return ok;
}

/* Images (0..1): as a picture of `columns`, or as numbers. */
static bool write_images(train_session *s, const char *name, const table *images, int64_t columns)
{
    char room[4200];
    const char *path = output_path(s, name, room, sizeof room);
    if (ends_with(path, ".npy"))
        return tell(s, write_npy(s, path, images, true), path);
    if (ends_with(path, ".png"))
        return tell(s, draw_images(s, path, 1, (const float *const[]){images->at}, images->rows, columns), path);
    return train_fail(s, "--output %s: expected a name that ends in .npy or .png", path) == TRAIN_OK;
}

/* Pixels 0..1 from a file of images, in the program's range. */
static bool read_images(train_session *s, const char *path, table *t)
{
    const int64_t size = s->train.height * s->train.width;
    ds_error error;
    ds_npy npy = {0};
    ds_idx idx = {0};
    bool is_npy = ends_with(path, ".npy"), ok = is_npy ? ds_npy_read(path, &npy, &error) : ds_idx_read(path, 3, &idx, &error);
    if (!ok)
        return train_fail(s, "%s", error.text) == TRAIN_OK;
    int64_t rows = is_npy ? npy.dim[0] : idx.dim[0], count = is_npy ? npy.count : idx.dim[0] * idx.dim[1] * idx.dim[2];
    ok = count == rows * size && (!is_npy || npy.rank > 1);
    if (!ok)
        train_fail(s, "%s: images of %lld numbers, the model expects %lld x %lld", path, (long long)(count / (rows > 0 ? rows : 1)),
                   (long long)s->train.height, (long long)s->train.width);
    ok = ok && table_init(s, t, rows, size);
    for (int64_t i = 0; ok && i < count; i++) {
        float pixel = is_npy ? npy.data[i] : (float)idx.data[i] / 255.0f;
        t->at[i] = (pixel - s->mean[i % size]) / s->deviation[i % size];
    }
    ds_npy_free(&npy);
    free(idx.data);
    return ok;
}

static bool read_codes(train_session *s, const train_task *task, const char *path, table *t)
{
    ds_error error;
    ds_npy npy;
    if (!ds_npy_read(path, &npy, &error))
        return train_fail(s, "%s", error.text) == TRAIN_OK;
    *t = (table){npy.rank > 0 ? npy.dim[0] : 1, npy.rank > 0 ? npy.count / npy.dim[0] : 1, npy.data};
    if (t->width == task->code)
        return true;
    train_fail(s, "%s: codes of %lld numbers, the model's have %lld", path, (long long)t->width, (long long)task->code);
    ds_npy_free(&npy);
    *t = (table){0};
    return false;
}

/* ---- What is asked. ---- */

enum { COLUMNS = 16, SHOWN = 64 };

static bool decode_to(train_session *s, const train_task *task, const table *codes, const char *name)
{
    table images = {0};
    bool ok = map_rows(s, task, task->decode, codes, &images);
    if (ok) {
        all_to_unit(s, &images);
        ok = write_images(s, name, &images, COLUMNS);
    }
    free(images.at);
    return ok;
}

static bool generate(train_session *s, const train_task *task)
{
    table codes;
    if (!table_init(s, &codes, s->options.generate, task->code))
        return false;
    ag_rng_normal(ag_tape_rng(train_evaluating(s)), codes.rows * codes.width, 0, 1, codes.at);
    bool ok = decode_to(s, task, &codes, "generated.png");
    free(codes.at);
    return ok;
}

static bool decode(train_session *s, const train_task *task)
{
    table codes = {0};
    bool ok = read_codes(s, task, s->options.decode, &codes) && decode_to(s, task, &codes, "decoded.npy");
    free(codes.at);
    return ok;
}

static bool encode(train_session *s, const train_task *task)
{
    char room[4200];
    const char *path = output_path(s, "codes.npy", room, sizeof room);
    table images = {0}, codes = {0};
    if (!ends_with(path, ".npy"))
        return train_fail(s, "--output %s: expected a name that ends in .npy", path) == TRAIN_OK;
    bool ok = read_images(s, s->options.encode, &images) && map_rows(s, task, task->encode, &images, &codes) &&
              tell(s, write_npy(s, path, &codes, false), path);
    free(images.at);
    free(codes.at);
    return ok;
}

/* Rows of test images, each with the row of what comes out for it below. As .npy, what comes out for all of them. */
static bool reconstruct(train_session *s, const train_task *task)
{
    char room[4200];
    const bool all = ends_with(output_path(s, "reconstructed.png", room, sizeof room), ".npy");
    const int64_t n = all || s->test.count < SHOWN ? s->test.count : SHOWN, size = s->test.height * s->test.width;
    table x = {0}, codes = {0}, y = {0};
    bool ok = table_init(s, &x, n, size);
    for (int64_t i = 0; ok && i < n * size; i++)
        x.at[i] = ((float)s->test.pixels[i] / 255.0f - s->mean[i % size]) / s->deviation[i % size];
    ok = ok && map_rows(s, task, task->encode, &x, &codes) && map_rows(s, task, task->decode, &codes, &y);
    if (ok) {
        all_to_unit(s, &y);
        all_to_unit(s, &x);
        const char *path = s->options.output ? s->options.output : room;
        ok = all || !ends_with(path, ".png") ? write_images(s, "reconstructed.npy", &y, COLUMNS)
                                             : tell(s, draw_images(s, path, 2, (const float *const[]){x.at, y.at}, n, COLUMNS), path);
    }
    free(x.at);
    free(codes.at);
    free(y.at);
    return ok;
}

int train_apply(train_session *s, const train_task *task)
{
    const train_options *o = &s->options;
    const char *wrong = nn_error(task->model);
    if (wrong)
        return train_fail(s, "%s", wrong);
    bool ok = train_read_model(s, task) && (o->encode ? encode(s, task) : o->decode ? decode(s, task)
                                            : o->generate > 0 ? generate(s, task) : reconstruct(s, task));
    return ok ? TRAIN_OK : TRAIN_FAILED;
}
