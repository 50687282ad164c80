#include "models/train/draw_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/images_internal.h"
#include "models/train/rows_internal.h"
#include "tools/file.h"
#include "tools/memory.h"
#include "tools/picture.h"
#include "tools/png.h"
#include "tools/text.h"

enum { SCALE = 2 /* pixels of a picture to those of an image */, TRAVERSED = 10 };

static bool passed(train_images *m, tl_error *why)
{
    const char *error = ag_error(m->job->run.tape);
    return !error || tl_fail(why, "%s", error);
}

bool train__can(const train_images *m, bool encode, bool decode, const char *what, tl_error *why)
{
    if (!m)
        return tl_fail(why, "%s: no images", what);
    if ((!encode || m->program->encode) && (!decode || m->program->decode))
        return true;
    return tl_fail(why, "%s: the program has no %s function", what,
                   encode && !m->program->encode ? "encode" : "decode");
}

bool train__picture_path(train_images *m, const char *name, char *path, size_t size, tl_error *why)
{
    return passed(m, why) && train_folder_file(&m->job->folder, name, path, size, why);
}

bool train__write_png(const char *path, const uint8_t *pixels, int64_t width, int64_t height, int channels,
                      tl_error *why)
{
    tl_output f;
    if (!tl_output_open(&f, path, why))
        return false;
    if (tl_png_write(f.stream, pixels, width, height, channels) || ferror(f.stream))
        return tl_output_close(&f, why);
    tl_output_abandon(&f);
    return tl_fail_at(
        why, path,
        "%lld x %lld pixels: too large for a picture, or memory runs out; expected fewer images (numbers, with "
        "--output FILE.npy, may be of any count)",
        (long long)width, (long long)height);
}

/* ---- Images. ---- */

const char *const train_digits[10] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

bool train_draw_arrays(train_images *m, const char *path, const tl_labels *labels, int n, const ag_real *const *kinds,
                       int64_t count, int64_t columns, tl_error *why)
{
    if (!m || !path || !kinds || n < 1 || count < 1 || columns < 1)
        return tl_fail(why, "%s: no images to draw", path ? path : "train_draw_arrays");
    for (int k = 0; k < n; k++)
        if (!kinds[k])
            return tl_fail(why, "%s: images of kind %d are NULL", path, k);
    tl_picture    p;
    const int64_t size = m->height * m->width;
    columns = count < columns ? count : columns;
    float *image = tl_array(size, 1, sizeof *image); /* in double precision the numbers are converted */
    bool   ok = image &&
              tl_picture_init(&p, n * ((count + columns - 1) / columns), columns, m->height, m->width, SCALE, labels);
    for (int k = 0; ok && k < n; k++)
        for (int64_t i = 0; i < count; i++) {
            for (int64_t j = 0; j < size; j++)
                image[j] = (float)kinds[k][i * size + j];
            tl_picture_put(&p, i / columns * n + k, i % columns, image);
        }
    free(image);
    if (!ok)
        return tl_fail(why, "out of memory");
    ok = train__write_png(path, p.pixels, p.width, p.height, 1, why);
    tl_picture_free(&p);
    return ok;
}

/* A copy on the tape, so that what was drawn can go on being computed with. */
static const ag_real *unit_copy(train_images *m, const ag_tensor *t)
{
    ag_tensor *copy = ag_input(t->tape, t->shape, t->data);
    if (!ag_error(t->tape))
        train_to_unit(m, t->shape.dim[0], copy->data);
    return copy->data;
}

bool train_draw_rows(train_images *m, const char *name, const tl_labels *labels, int n, ag_tensor *const *kinds,
                     int64_t columns, tl_error *why)
{
    if (!m || !name || !kinds)
        return tl_fail(why, "%s: no images to draw", name ? name : "train_draw_rows");
    enum { MOST = 8 };
    char           path[4200];
    const ag_real *pixels[MOST];
    if (n < 1 || n > MOST)
        return tl_fail(why, "%s: %d kinds of images, expected 1 to %d", name, n, MOST);
    if (!train__picture_path(m, name, path, sizeof path, why))
        return false;
    for (int k = 0; k < n; k++) {
        if (!kinds[k] || ag_numel(&kinds[k]->shape) != kinds[0]->shape.dim[0] * m->height * m->width)
            return tl_fail(why, "%s: images of kind %d are not as many of %lld x %lld pixels as the first", name, k,
                           (long long)m->height, (long long)m->width);
        pixels[k] = unit_copy(m, kinds[k]);
    }
    return passed(m, why) && train_draw_arrays(m, path, labels, n, pixels, kinds[0]->shape.dim[0], columns, why);
}

bool train_draw_grid(train_images *m, const char *name, const char *caption, ag_tensor *grid, int64_t columns,
                     tl_error *why)
{
    return train_draw_rows(m, name, &(tl_labels){.caption = caption}, 1, &grid, columns, why);
}

bool train_draw_reconstructions(train_images *m, tl_error *why)
{
    enum { SHOWN = 64, COLUMNS = 16 };
    if (!train__can(m, true, true, "reconstructions", why))
        return false;
    void           *context = m->program->context;
    train_batch     b = train_test_images(m, 0, SHOWN);
    ag_tensor      *both[] = {b.x, m->program->decode(context, m->program->encode(context, &b))};
    const tl_labels labels = {"test images, and what is decoded from their codes", 2, 0,
                              (const char *const[]){"image", "decoded"}, NULL};
    return train_draw_rows(m, "reconstructions.png", &labels, 2, both, COLUMNS, why);
}

bool train_draw_manifold(train_images *m, tl_error *why)
{
    enum { SIDE = 20 };
    ag_real     z[SIDE * SIDE * 2];
    tl_text     text[2 * SIDE];
    const char *row[SIDE], *column[SIDE];
    if (!train__can(m, false, true, "the plane of codes", why))
        return false;
    for (int i = 0; i < SIDE * SIDE; i++) {
        z[2 * i] = (ag_real)(-2 + 4.0 * (i % SIDE) / (SIDE - 1));
        z[2 * i + 1] = (ag_real)(2 - 4.0 * (double)(i / SIDE) / (SIDE - 1));
    }
    for (int i = 0; i < SIDE; i++) {
        text[2 * i] = tl_number_text((double)z[2 * i], 2);
        text[2 * i + 1] = tl_number_text((double)z[2 * i * SIDE + 1], 2);
        column[i] = text[2 * i].s;
        row[i] = text[2 * i + 1].s;
    }
    ag_tensor *plane = ag_input(train_image_tape(m), AG_SHAPE(SIDE * SIDE, 2), z),
              *images = m->program->decode(m->program->context, plane);
    return train_draw_rows(m, "manifold.png",
                           &(tl_labels){"decoded from codes z1 (across) and z2 (up)", SIDE, SIDE, row, column}, 1,
                           &images, SIDE, why);
}

bool train_draw_interpolations(train_images *m, tl_error *why)
{
    enum { ROWS = 8, STEPS = 16 };
    if (!train__can(m, true, true, "interpolations", why))
        return false;
    void         *context = m->program->context;
    const int64_t ends = m->test.count / 2 < ROWS ? m->test.count / 2 : ROWS;
    if (ends < 1)
        return tl_fail(why, "interpolations need at least two test images");
    train_batch b = train_test_images(m, 0, 2 * ends);
    ag_tensor  *codes = m->program->encode(context, &b);
    ag_tensor  *from = ag_reshape(ag_slice(codes, 0, 0, ends), AG_SHAPE(ends, 1, m->code));
    ag_tensor  *to = ag_reshape(ag_slice(codes, 0, ends, 2 * ends), AG_SHAPE(ends, 1, m->code));
    ag_real     t[STEPS];
    for (int i = 0; i < STEPS; i++)
        t[i] = (ag_real)i / (STEPS - 1);
    ag_tensor *along = ag_input(codes->tape, AG_SHAPE(1, STEPS, 1), t);
    ag_tensor *z = ag_reshape(ag_add(from, ag_mul(ag_sub(to, from), along)), AG_SHAPE(-1, m->code));
    return train_draw_grid(m, "interpolations.png", "from one test image to another, on a line of codes",
                           m->program->decode(context, z), STEPS, why);
}

static double variance(const ag_tensor *codes, int64_t k)
{
    const int64_t n = codes->shape.dim[0], width = codes->shape.dim[1];
    double        sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        const double z = (double)codes->data[i * width + k];
        sum += z / (double)n;
        squares += z * z / (double)n;
    }
    return squares - sum * sum;
}

/* Which of the codes' numbers vary most, but for those in number[0 .. n-1]. */
static int most_varied(const ag_tensor *codes, int n, const int *number)
{
    int    best = 0;
    double most = -1;
    for (int k = 0; k < codes->shape.dim[1]; k++) {
        const double v = variance(codes, k);
        bool         taken = false;
        for (int i = 0; i < n; i++)
            taken = taken || number[i] == k;
        if (!taken && v > most) {
            most = v;
            best = k;
        }
    }
    return best;
}

bool train_draw_traversals(train_images *m, tl_error *why)
{
    enum { STEPS = 13, IMAGES = 500 };
    int         number[TRAVERSED];
    tl_text     text[STEPS];
    char        name[TRAVERSED][24];
    const char *row[TRAVERSED], *column[STEPS];
    if (!train__can(m, true, true, "traversals", why))
        return false;
    train_batch      b = train_test_images(m, 0, IMAGES);
    const ag_tensor *codes = m->program->encode(m->program->context, &b);
    if (!passed(m, why))
        return false;
    const int  rows = m->code < TRAVERSED ? (int)m->code : TRAVERSED;
    ag_tensor *z = ag_zeros(b.x->tape, AG_SHAPE(rows * STEPS, m->code));
    if (!passed(m, why))
        return false;
    for (int i = 0; i < rows; i++) {
        number[i] = most_varied(codes, i, number);
        snprintf(name[i], sizeof name[i], "z%d", number[i] + 1);
        row[i] = name[i];
    }
    for (int64_t i = 0; i < rows * STEPS; i++) {
        memcpy(z->data + i * m->code, codes->data, (size_t)m->code * sizeof *z->data);
        z->data[i * m->code + number[i / STEPS]] = (ag_real)(-3 + 6.0 * (double)(i % STEPS) / (STEPS - 1));
    }
    for (int i = 0; i < STEPS; i++) {
        text[i] = tl_number_text(-3 + 6.0 * i / (STEPS - 1), 2);
        column[i] = text[i].s;
    }
    ag_tensor *images = m->program->decode(m->program->context, z);
    return train_draw_rows(m, "traversals.png",
                           &(tl_labels){"one number of a code at a time", rows, STEPS, row, column}, 1, &images, STEPS,
                           why);
}
