#include "models/draw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/whole_file.h"
#include "tools/picture.h"
#include "tools/png.h"

static bool report(const train_session *s, bool ok, const char *message)
{
    const char *error = ag_error(s->tape);
    if (error || !ok)
        train_fail(s, "%s", error ? error : message);
    return ok && !error;
}

static bool write_png(const train_session *s, const char *path, const uint8_t *pixels, int64_t width, int64_t height, int channels)
{
    nn_message why;
    nn_whole_file f;
    bool ok = nn_whole_file_open(&f, path, &why);
    if (ok) {
        bool drawn = png_write(f.file, pixels, width, height, channels);
        if (drawn || ferror(f.file)) {
            ok = nn_whole_file_close(&f, &why);
        } else {
            nn_whole_file_abandon(&f);
            ok = nn_explain(&why, "%.3900s: %lld x %lld pixels are no picture", path, (long long)width, (long long)height);
        }
    }
    return report(s, ok, why.text);
}

bool draw_images(train_session *s, const char *path, int n, const float *const *kinds, int64_t count, int64_t columns)
{
    picture p;
    int64_t image = s->test.height * s->test.width;
    if (!picture_init(&p, n * ((count + columns - 1) / columns), columns, s->test.height, s->test.width, 1))
        return report(s, false, "out of memory");
    for (int k = 0; k < n; k++)
        for (int64_t i = 0; i < count; i++)
            picture_put(&p, i / columns * n + k, i % columns, kinds[k] + i * image);
    bool ok = write_png(s, path, p.pixels, p.width, p.height, 1);
    picture_free(&p);
    return ok;
}

bool draw_rows(train_session *s, const char *name, int n, ag_tensor *const *kinds, int64_t columns)
{
    enum { MOST = 4 };
    char path[4200];
    const float *pixels[MOST];
    if (ag_error(s->tape))
        return report(s, false, "");
    int64_t count = kinds[0]->shape.dim[0], image = s->test.height * s->test.width;
    for (int k = 0; k < n && k < MOST; k++) {
        pixels[k] = kinds[k]->data;
        for (int64_t i = 0; i < count; i++)
            train_to_unit(s, kinds[k]->data + i * image);
    }
    snprintf(path, sizeof path, "%s/%s", s->out, name);
    return draw_images(s, path, n < MOST ? n : MOST, pixels, count, columns);
}

bool draw_grid(train_session *s, const char *name, ag_tensor *images, int64_t columns)
{
    return draw_rows(s, name, 1, &images, columns);
}

/* ---- Codes. ---- */

enum { PLOT = 560, MARGIN = 12, DOT = 1 };

/* Ten colours that are easy to tell apart: Tableau's. */
static const uint8_t colours[10][3] = {{31, 119, 180}, {255, 127, 14}, {44, 160, 44},   {214, 39, 40},  {148, 103, 189},
                                       {140, 86, 75},  {227, 119, 194}, {127, 127, 127}, {188, 189, 34}, {23, 190, 207}};

typedef struct range {
    ag_real low, high;
} range;

static range range_of(const ag_tensor *codes, int64_t axis)
{
    int64_t n = codes->shape.dim[0], width = codes->shape.dim[1];
    range r = {codes->data[axis], codes->data[axis]};
    for (int64_t i = 1; i < n; i++) {
        ag_real v = codes->data[i * width + axis];
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

static void put_dot(uint8_t *pixels, int x, int y, const uint8_t *colour)
{
    for (int dy = -DOT; dy <= DOT; dy++)
        for (int dx = -DOT; dx <= DOT; dx++)
            memcpy(pixels + 3 * ((y + dy) * PLOT + x + dx), colour, 3);
}

/* A key in the upper left corner: a square of each digit's colour, from 0 to 9. */
static void put_key(uint8_t *pixels)
{
    for (int digit = 0; digit < 10; digit++)
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 8; x++)
                memcpy(pixels + 3 * ((2 + y) * PLOT + 2 + 9 * digit + x), colours[digit], 3);
}

bool draw_codes(train_session *s, const char *name, ag_tensor *codes)
{
    char path[4200];
    if (ag_error(s->tape))
        return report(s, false, "");
    uint8_t *pixels = malloc(3 * PLOT * PLOT);
    if (!pixels)
        return report(s, false, "out of memory");
    memset(pixels, 255, 3 * PLOT * PLOT);
    range rx = range_of(codes, 0), ry = range_of(codes, 1);
    int64_t width = codes->shape.dim[1];
    for (int64_t i = 0; i < codes->shape.dim[0]; i++) {
        int x = place(rx, codes->data[i * width]), y = place(ry, codes->data[i * width + 1]);
        if (x >= 0 && y >= 0)
            put_dot(pixels, x, PLOT - 1 - y, colours[s->test.labels[i] % 10]);
    }
    put_key(pixels);
    snprintf(path, sizeof path, "%s/%s", s->out, name);
    bool ok = write_png(s, path, pixels, PLOT, PLOT, 3);
    free(pixels);
    return ok;
}

static bool write_table(const train_session *s, const char *name, ag_tensor *codes, bool labels)
{
    char path[4200];
    nn_message why;
    nn_whole_file f;
    snprintf(path, sizeof path, "%s/%s", s->out, name);
    if (!nn_whole_file_open(&f, path, &why))
        return report(s, false, why.text);
    int64_t width = codes->shape.dim[1];
    for (int64_t i = 0; i < codes->shape.dim[0]; i++) {
        if (labels)
            fprintf(f.file, "%d\n", s->test.labels[i]);
        for (int64_t k = 0; !labels && k < width; k++)
            fprintf(f.file, "%.6g%c", (double)codes->data[i * width + k], k + 1 < width ? '\t' : '\n');
    }
    return report(s, nn_whole_file_close(&f, &why), why.text);
}

bool draw_tables(train_session *s, ag_tensor *codes)
{
    if (ag_error(s->tape))
        return report(s, false, "");
    return write_table(s, "codes.tsv", codes, false) && write_table(s, "labels.tsv", codes, true);
}
