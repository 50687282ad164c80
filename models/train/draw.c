#include "models/train/draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/images_internal.h"
#include "models/train/rows_internal.h"
#include "tools/chart.h"
#include "tools/file.h"
#include "tools/memory.h"
#include "tools/picture.h"
#include "tools/png.h"
#include "tools/text.h"

enum { SCALE = 2 }; /* pixels of a picture to those of an image */

static bool passed(train_images *m, tl_error *why)
{
    const char *error = ag_error(m->job->run.tape);
    return !error || tl_fail(why, "%s", error);
}

/* Whether the program can do what a picture needs. */
static bool can(const train_images *m, bool encode, bool decode, const char *what, tl_error *why)
{
    if ((!encode || m->program->encode) && (!decode || m->program->decode))
        return true;
    return tl_fail(why, "%s: the program has no %s function", what,
                   encode && !m->program->encode ? "encode" : "decode");
}

static bool file_path(train_images *m, const char *name, char *path, size_t size, tl_error *why)
{
    return passed(m, why) && train_folder_file(&m->job->folder, name, path, size, why);
}

static bool write_png(const char *path, const uint8_t *pixels, int64_t width, int64_t height, int channels,
                      tl_error *why)
{
    tl_output f;
    if (!tl_output_open(&f, path, why))
        return false;
    if (tl_png_write(f.stream, pixels, width, height, channels) || ferror(f.stream))
        return tl_output_close(&f, why);
    tl_output_abandon(&f);
    return tl_fail_at(why, path, "%lld x %lld pixels: too large for a picture, or memory is out; ask for fewer images",
                      (long long)width, (long long)height);
}

/* ---- Images. ---- */

bool train_draw_arrays(train_images *m, const char *path, int n, const ag_real *const *kinds, int64_t count,
                       int64_t columns, tl_error *why)
{
    tl_picture    p;
    const int64_t size = m->height * m->width;
    columns = count < columns ? count : columns;
    float *image = tl_array(size, 1, sizeof *image); /* in double precision the numbers are converted */
    bool ok = image && tl_picture_init(&p, n * ((count + columns - 1) / columns), columns, m->height, m->width, SCALE);
    for (int k = 0; ok && k < n; k++)
        for (int64_t i = 0; i < count; i++) {
            for (int64_t j = 0; j < size; j++)
                image[j] = (float)kinds[k][i * size + j];
            tl_picture_put(&p, i / columns * n + k, i % columns, image);
        }
    free(image);
    if (!ok)
        return tl_fail(why, "out of memory");
    ok = write_png(path, p.pixels, p.width, p.height, 1, why);
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

bool train_draw_rows(train_images *m, const char *name, int n, ag_tensor *const *kinds, int64_t columns, tl_error *why)
{
    enum { MOST = 8 };
    char           path[4200];
    const ag_real *pixels[MOST];
    if (n < 1 || n > MOST)
        return tl_fail(why, "%s: %d kinds of images, expected 1 to %d", name, n, MOST);
    if (!file_path(m, name, path, sizeof path, why))
        return false;
    for (int k = 0; k < n; k++)
        pixels[k] = unit_copy(m, kinds[k]);
    return passed(m, why) && train_draw_arrays(m, path, n, pixels, kinds[0]->shape.dim[0], columns, why);
}

bool train_draw_grid(train_images *m, const char *name, ag_tensor *grid, int64_t columns, tl_error *why)
{
    return train_draw_rows(m, name, 1, &grid, columns, why);
}

bool train_draw_reconstructions(train_images *m, tl_error *why)
{
    enum { SHOWN = 64, COLUMNS = 16 };
    void *context = m->program->context;
    if (!can(m, true, true, "reconstructions", why))
        return false;
    train_batch b = train_test_images(m, 0, SHOWN);
    ag_tensor  *both[] = {b.x, m->program->decode(context, m->program->encode(context, &b))};
    return train_draw_rows(m, "reconstructions.png", 2, both, COLUMNS, why);
}

bool train_draw_manifold(train_images *m, tl_error *why)
{
    enum { SIDE = 20 };
    ag_real z[SIDE * SIDE * 2];
    if (!can(m, false, true, "the plane of codes", why))
        return false;
    for (int i = 0; i < SIDE * SIDE; i++) {
        z[2 * i] = (ag_real)(-2 + 4.0 * (i % SIDE) / (SIDE - 1));
        z[2 * i + 1] = (ag_real)(2 - 4.0 * (double)(i / SIDE) / (SIDE - 1));
    }
    ag_tensor *plane = ag_input(train_image_tape(m), AG_SHAPE(SIDE * SIDE, 2), z);
    return train_draw_grid(m, "manifold.png", m->program->decode(m->program->context, plane), SIDE, why);
}

bool train_draw_interpolations(train_images *m, tl_error *why)
{
    enum { ROWS = 8, STEPS = 16 };
    void *context = m->program->context;
    if (!can(m, true, true, "interpolations", why))
        return false;
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
    return train_draw_grid(m, "interpolations.png", m->program->decode(context, z), STEPS, why);
}

/* ---- Codes. ---- */

enum { PLOT = 560, MARGIN = 26 /* the key is in it */, DOT = 3 };

static void colour_of(int label, uint8_t *colour)
{
    const unsigned long rgb = strtoul(tl_colour(label) + 1, NULL, 16);
    colour[0] = (uint8_t)(rgb >> 16);
    colour[1] = (uint8_t)(rgb >> 8);
    colour[2] = (uint8_t)rgb;
}

typedef struct range {
    ag_real low, high;
} range;

static range range_of(const train_table *codes, int64_t axis)
{
    range r = {codes->at[axis], codes->at[axis]};
    for (int64_t i = 1; i < codes->rows; i++) {
        ag_real v = codes->at[i * codes->width + axis];
        r.low = v < r.low ? v : r.low;
        r.high = v > r.high ? v : r.high;
    }
    return r;
}

static int place(range r, ag_real v)
{
    double t = r.high > r.low ? (double)((v - r.low) / (r.high - r.low)) : 0.5;
    return t >= 0 && t <= 1 ? MARGIN + (int)(t * (PLOT - 1 - 2 * MARGIN)) : -1;
}

static void put_square(uint8_t *pixels, int left, int top, int side, const uint8_t *colour)
{
    for (int y = top; y < top + side; y++)
        for (int x = left; x < left + side; x++)
            memcpy(pixels + 3 * (y * PLOT + x), colour, 3);
}

/* Digits of 3 x 5 squares, a row after the other, the highest bit first. */
static void put_digit(uint8_t *pixels, int left, int top, int digit)
{
    enum { SIDE = 3 };
    static const uint16_t font[10] = {075557, 026227, 071747, 071717, 055711, 074717, 074757, 071244, 075757, 075717};
    static const uint8_t  black[3] = {0, 0, 0};
    for (int i = 0; i < 15; i++)
        if (font[digit] >> (14 - i) & 1)
            put_square(pixels, left + i % 3 * SIDE, top + i / 3 * SIDE, SIDE, black);
}

/* A key in the upper left corner: each digit beside a square of its colour. */
static void put_key(uint8_t *pixels)
{
    for (int digit = 0; digit < 10; digit++) {
        uint8_t colour[3];
        colour_of(digit, colour);
        put_square(pixels, 4 + 40 * digit, 4, 15, colour);
        put_digit(pixels, 22 + 40 * digit, 4, digit);
    }
}

static bool draw_plot(train_images *m, const char *name, const train_table *codes, tl_error *why)
{
    char path[4200];
    if (!file_path(m, name, path, sizeof path, why))
        return false;
    uint8_t *pixels = malloc(3 * PLOT * PLOT);
    if (!pixels)
        return tl_fail(why, "out of memory");
    memset(pixels, 255, 3 * PLOT * PLOT);
    range rx = range_of(codes, 0), ry = range_of(codes, 1);
    for (int64_t i = 0; i < codes->rows; i++) {
        const ag_real *code = codes->at + i * codes->width;
        int            x = place(rx, code[0]), y = place(ry, code[1]);
        uint8_t        colour[3];
        colour_of(m->test.labels[i], colour);
        if (x >= 0 && y >= 0)
            put_square(pixels, x - DOT / 2, PLOT - 1 - y - DOT / 2, DOT, colour);
    }
    put_key(pixels);
    bool ok = write_png(path, pixels, PLOT, PLOT, 3, why);
    free(pixels);
    return ok;
}

static bool write_table(train_images *m, const char *name, const train_table *codes, bool labels, tl_error *why)
{
    char      path[4200];
    tl_output f;
    if (!file_path(m, name, path, sizeof path, why) || !tl_output_open(&f, path, why))
        return false;
    const int64_t width = codes->width;
    for (int64_t i = 0; i < codes->rows; i++) {
        if (labels)
            fprintf(f.stream, "%d\n", m->test.labels[i]);
        for (int64_t k = 0; !labels && k < width; k++)
            fprintf(f.stream, "%s%c", TL_NUMBER((double)codes->at[i * width + k], 6), k + 1 < width ? '\t' : '\n');
    }
    return tl_output_close(&f, why);
}

/* sprite.png: the images beside the codes, a square of rows without gaps. */
static bool write_sprite(train_images *m, int64_t n, tl_error *why)
{
    enum { WIDEST_SPRITE = 8192 }; /* that the projector takes */
    char    path[4200];
    int64_t side = 1;
    while (side * side < n)
        side++;
    const int64_t width = side * m->width, height = side * m->height;
    if (width > WIDEST_SPRITE || height > WIDEST_SPRITE)
        return true;
    uint8_t *pixels = train__sprite(m, n, side, side);
    if (!pixels)
        return tl_fail(why, "out of memory");
    const bool ok = file_path(m, "sprite.png", path, sizeof path, why) &&
                    write_png(path, pixels, width, height, 1, why);
    free(pixels);
    return ok;
}

bool train_draw_codes(train_images *m, tl_error *why)
{
    enum { CODES = 5000 };
    if (!can(m, true, false, "codes", why))
        return false;
    train_table images = {0}, codes = {0};
    bool        ok = train__unit_images(&m->test, CODES, &images, why);
    if (ok)
        train_to_range(m, images.rows, images.at);
    ok = ok && train__encode(m, &images, &codes, why) &&
         (codes.width < 2 || codes.width > 3 || draw_plot(m, "codes.png", &codes, why)) &&
         write_table(m, "codes.tsv", &codes, false, why) && write_table(m, "labels.tsv", &codes, true, why) &&
         write_sprite(m, codes.rows, why);
    free(images.at);
    free(codes.at);
    return ok;
}
