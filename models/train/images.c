#define _POSIX_C_SOURCE 200809L
#include "models/train/images_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/file.h"
#include "tools/memory.h"
#include "tools/text.h"

#define SYNTHETIC_TRAIN 60000
#define SYNTHETIC_TEST  10000
#define SYNTHETIC_SEED  1

enum { WIDEST = 1500 }; /* pixels of an image's side: 20 of them fit the widest picture */

/* ---- Data. ---- */

static bool same_size(const ds_dataset *a, const ds_dataset *b)
{
    return a->height == b->height && a->width == b->width;
}

static bool has_validation(const train_images *m)
{
    char        path[4200];
    struct stat st;
    const int   n = snprintf(path, sizeof path, "%s/valid-images-idx3-ubyte", m->data);
    return n > 0 && (size_t)n < sizeof path && stat(path, &st) == 0;
}

static bool read_images(train_images *m, tl_error *why)
{
    if (!strcmp(m->data, TRAIN_SYNTHETIC))
        return ds_digits_make(SYNTHETIC_TRAIN, SYNTHETIC_SEED, &m->train, why) &&
               ds_digits_make(SYNTHETIC_TEST, SYNTHETIC_SEED + 1, &m->test, why);
    if (!ds_mnist_read(m->data, true, &m->train, why) || !ds_mnist_read(m->data, false, &m->test, why))
        return false;
    if (m->job->options.keep_best && has_validation(m) && !ds_part_read(m->data, "valid", &m->validation, why))
        return false;
    return (same_size(&m->train, &m->test) && (m->validation.count < 1 || same_size(&m->train, &m->validation))) ||
           tl_fail_at(why, m->data, "training, validation and test images differ in size");
}

static void keep_last(ds_dataset *d, int64_t last)
{
    int64_t image = d->height * d->width, dropped = d->count - last;
    if (last < 1 || dropped < 1)
        return;
    memmove(d->pixels, d->pixels + dropped * image, (size_t)(last * image));
    memmove(d->labels, d->labels + dropped, (size_t)last);
    d->count = last;
}

/* Mean and deviation of each pixel of the training images; a pixel that never changes keeps a deviation of 1. */
static void measure_pixels(train_images *m)
{
    const int64_t image = m->height * m->width;
    for (int64_t k = 0; k < image; k++) {
        double sum = 0, squares = 0, n = (double)m->trained;
        for (int64_t i = 0; i < m->trained; i++) {
            double x = m->train.pixels[i * image + k] / 255.0;
            sum += x;
            squares += x * x;
        }
        double variance = squares / n - sum / n * (sum / n);
        m->mean[k] = (ag_real)(sum / n);
        m->deviation[k] = variance > 1e-12 ? (ag_real)sqrt(variance) : 1;
    }
}

static bool set_range(train_images *m, tl_error *why)
{
    const int64_t image = m->height * m->width;
    m->mean = tl_array(image, 1, sizeof *m->mean);
    m->deviation = tl_array(image, 1, sizeof *m->deviation);
    if (!m->mean || !m->deviation)
        return tl_fail(why, "out of memory");
    for (int64_t k = 0; k < image; k++) {
        m->mean[k] = m->use.pixels == TRAIN_SIGNED ? (ag_real)0.5 : 0;
        m->deviation[k] = m->use.pixels == TRAIN_SIGNED ? (ag_real)0.5 : 1;
    }
    if (m->use.pixels == TRAIN_STANDARD)
        measure_pixels(m);
    return true;
}

void train_to_range(const train_images *m, int64_t rows, ag_real *x)
{
    const int64_t image = m && x ? m->height * m->width : 0;
    for (int64_t i = 0; image > 0 && i < rows && m->use.pixels != TRAIN_UNIT; i++)
        for (int64_t k = 0; k < image; k++)
            x[i * image + k] = (x[i * image + k] - m->mean[k]) / m->deviation[k];
}

void train_to_unit(const train_images *m, int64_t rows, ag_real *x)
{
    const int64_t image = m && x ? m->height * m->width : 0;
    for (int64_t i = 0; image > 0 && i < rows; i++)
        for (int64_t k = 0; k < image; k++)
            x[i * image + k] = x[i * image + k] * m->deviation[k] + m->mean[k];
}

/* ---- The images as sources. ---- */

bool train__load_unit(const ds_dataset *d, ag_tape *tape, const int64_t *index, int64_t n, train_batch *out)
{
    *out = (train_batch){n, ag_empty(tape, AG_SHAPE(n, d->height * d->width)), ag_empty(tape, AG_SHAPE(n))};
    if (ag_error(tape))
        return false;
    ds_images(d, index, n, out->x->data);
    for (int64_t i = 0; i < n; i++)
        out->y->data[i] = d->labels[index[i]];
    return true;
}

static bool load_images(const train_images *m, const ds_dataset *d, ag_tape *tape, const int64_t *index, int64_t n,
                        train_batch *out)
{
    if (!train__load_unit(d, tape, index, n, out))
        return false;
    train_to_range(m, n, out->x->data);
    return true;
}

static bool load_train(void *self, ag_tape *tape, const int64_t *index, int64_t n, train_batch *out)
{
    const train_images *m = self;
    return load_images(m, &m->train, tape, index, n, out);
}

static bool load_test(void *self, ag_tape *tape, const int64_t *index, int64_t n, train_batch *out)
{
    const train_images *m = self;
    return load_images(m, &m->test, tape, index, n, out);
}

/* What chooses the best epoch is neither trained on nor the test that is reported in the end. */
static bool load_validation(void *self, ag_tape *tape, const int64_t *index, int64_t n, train_batch *out)
{
    const train_images *m = self;
    if (m->validation.count > 0)
        return load_images(m, &m->validation, tape, index, n, out);
    int64_t *at = ag_tape_alloc(tape, (size_t)n * sizeof *at);
    for (int64_t i = 0; at && i < n; i++)
        at[i] = m->trained + index[i];
    return at && load_images(m, &m->train, tape, at, n, out);
}

static uint64_t hash_train(void *self)
{
    const train_images *m = self;
    const uint64_t      hash = tl_hash(TL_HASH, m->train.pixels, (size_t)(m->trained * m->height * m->width));
    return tl_hash(hash, m->train.labels, (size_t)m->trained);
}

ag_tape *train_image_tape(train_images *m)
{
    return m ? train_evaluate(&m->job->run) : NULL;
}

train_batch train_test_images(train_images *m, int64_t first, int64_t n)
{
    train_batch b = {.x = NULL};
    ag_tape    *tape = train_image_tape(m);
    if (!tape) {
        b.x = b.y = ag_fail(NULL, "train_test_images: no images");
        return b;
    }
    n = n < m->test.count - first ? n : m->test.count - first;
    int64_t *index = first >= 0 && n > 0 ? ag_tape_alloc(tape, (size_t)n * sizeof *index) : NULL;
    for (int64_t i = 0; index && i < n; i++)
        index[i] = first + i;
    if (index && load_images(m, &m->test, tape, index, n, &b))
        return b;
    b.x = b.y = ag_fail(tape, "test images from %lld on cannot be loaded: there are %lld, or memory runs out",
                        (long long)first, (long long)m->test.count);
    return b;
}

train_batch train_next_test_images(train_images *m, int64_t first, int64_t n)
{
    ag_rng           *rng = m ? ag_tape_rng(m->job->run.tape) : NULL;
    const ag_rng      before = rng ? *rng : (ag_rng){0};
    const train_batch b = train_test_images(m, first, n);
    if (rng)
        *rng = before;
    return b;
}

/* ---- Opening them. ---- */

/* A model that is used needs images only to compare itself with, or for their mean and deviation. */
static bool needs_images(const train_images *m)
{
    return !m->job->options.load || m->score || m->edit || m->use.pixels == TRAIN_STANDARD ||
           (m->reconstruct && !strcmp(m->reconstruct, TRAIN_TEST_IMAGES)) ||
           (m->denoise && !strcmp(m->denoise, TRAIN_TEST_IMAGES));
}

/* The size of the images that the loaded model was trained on; false if its file does not say. */
static bool size_of_model(const train_images *m, int64_t *height, int64_t *width)
{
    const nn_safetensors *f = &m->job->file;
    return tl_parse_int(nn_safetensors_text(f, "image.height"), height) &&
           tl_parse_int(nn_safetensors_text(f, "image.width"), width) && *height > 0 && *width > 0 &&
           *height <= WIDEST && *width <= WIDEST;
}

static int64_t validated(const train_images *m)
{
    return m->validation.count > 0 ? m->validation.count : m->train.count - m->trained;
}

static void print_counts(const train_images *m)
{
    printf("data: %s (%lld training, ", strcmp(m->data, TRAIN_SYNTHETIC) ? m->data : "synthetic digits",
           (long long)m->trained);
    if (validated(m) > 0)
        printf("%lld validation, ", (long long)validated(m));
    printf("%lld test images)\n", (long long)m->test.count);
}

static bool fits_model(const train_images *m, tl_error *why)
{
    int64_t height, width;
    return !size_of_model(m, &height, &width) || (height == m->height && width == m->width) ||
           tl_fail_at(why, m->data, "images of %lld x %lld, the model was trained on %lld x %lld", (long long)m->height,
                      (long long)m->width, (long long)height, (long long)width);
}

/* What --keep-best or the recipe needs for validation, unless the data have images for that. */
static bool hold_out(train_images *m, tl_error *why)
{
    const int64_t share = m->use.held_out > 0 ? m->use.held_out : m->job->options.keep_best ? 10 : 0;
    const int64_t count = m->train.count, part = share > 0 && count >= share ? count / share : 1;
    m->trained = count - (share > 0 && m->validation.count < 1 ? part : 0);
    return m->trained > 0 || m->job->options.load ||
           tl_fail_at(why, m->data, "one training image, which would be held out for validation");
}

static bool load_or_describe(train_images *m, tl_error *why)
{
    char height[24], width[24];
    if (!needs_images(m)) {
        if (!size_of_model(m, &m->height, &m->width))
            m->height = m->width = 28; /* MNIST's */
        return set_range(m, why);
    }
    if (!read_images(m, why))
        return false;
    m->height = m->train.height;
    m->width = m->train.width;
    if (m->height > WIDEST || m->width > WIDEST)
        return tl_fail_at(why, m->data, "images of %lld x %lld pixels; pictures of many can be made of at most %d x %d",
                          (long long)m->height, (long long)m->width, WIDEST, WIDEST);
    if (m->job->options.load && !fits_model(m, why))
        return false;
    keep_last(&m->train, m->use.last);
    if (!hold_out(m, why))
        return false;
    if (!m->job->options.quiet && !m->job->options.load)
        print_counts(m);
    snprintf(height, sizeof height, "%lld", (long long)m->height);
    snprintf(width, sizeof width, "%lld", (long long)m->width);
    return train_keep_text(m->job, "image.height", height, why) && train_keep_text(m->job, "image.width", width, why) &&
           set_range(m, why);
}

bool train__open_images(train_images *m, tl_error *why)
{
    if (!load_or_describe(m, why))
        return false;
    m->training = (train_source){m->trained > 0 ? m->trained : 1, load_train, hash_train, m};
    m->testing = validated(m) > 0 ? (train_source){validated(m), load_validation, NULL, m}
                                  : (train_source){m->test.count > 0 ? m->test.count : 1, load_test, NULL, m};
    return true;
}

void train__close_images(train_images *m)
{
    ds_dataset_free(&m->train);
    ds_dataset_free(&m->test);
    ds_dataset_free(&m->validation);
    free(m->mean);
    free(m->deviation);
}

uint8_t *train__sprite(const train_images *m, int64_t n, int64_t rows, int64_t columns)
{
    const int64_t h = m->height, w = m->width;
    uint8_t      *pixels = calloc((size_t)(rows * h), (size_t)(columns * w));
    for (int64_t i = 0; pixels && i < n; i++)
        for (int64_t y = 0; y < h; y++)
            memcpy(pixels + ((i / columns * h + y) * columns + i % columns) * w, m->test.pixels + (i * h + y) * w,
                   (size_t)w);
    return pixels;
}

bool train__result_place(train_images *m, const char *name, char *path, size_t size, tl_error *why)
{
    const train_options *o = &m->job->options;
    if (!o->load)
        return train_folder_file(&m->job->folder, name, path, size, why);
    if (!o->out)
        return tl_beside(o->load, name, path, size, why);
    const int n = snprintf(path, size, "%s/%s", o->out, name);
    if (n < 1 || (size_t)n >= size)
        return tl_fail(why, "%.60s: the path is too long", name);
    return tl_make_folder(o->out, why);
}

bool train_result_path(train_images *m, const char *name, char *path, size_t size, tl_error *why)
{
    struct stat st;
    if (!m || !name || !path)
        return tl_fail(why, "train_result_path: no images, no name, or no place for the path");
    const train_options *o = &m->job->options;
    return train__result_place(m, name, path, size, why) &&
           (!o->load || o->overwrite || lstat(path, &st) != 0 ||
            tl_fail_at(why, path, "is there already; --out names another folder, --overwrite replaces it"));
}
