/* Codes of the test images: a plot of those of two or three numbers, and tables for the embedding projector. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/draw_internal.h"
#include "models/train/images_internal.h"
#include "models/train/rows_internal.h"
#include "tools/chart.h"
#include "tools/file.h"
#include "tools/font.h"
#include "tools/memory.h"
#include "tools/text.h"

/* ---- The plot. ---- */

/* A plane of codes: a square of dots with axes, and above it the key. */
enum { SIDE = 520, LEFT = 64, RIGHT = 12, TOP = 34, BOTTOM = 48, PLANE = LEFT + SIDE + RIGHT, DOT = 3 };

static const uint8_t black[3] = {0, 0, 0}, grey[3] = {225, 225, 225};

static void colour_of(int label, uint8_t *colour)
{
    const unsigned long rgb = strtoul(tl_colour(label) + 1, NULL, 16);
    colour[0] = (uint8_t)(rgb >> 16);
    colour[1] = (uint8_t)(rgb >> 8);
    colour[2] = (uint8_t)rgb;
}

/* An axis of the plot: a number of the codes, from its least to its greatest value and a little beyond. */
typedef struct axis {
    int64_t number;
    double  low, high;
} axis;

static axis axis_of(const train_table *codes, int64_t number)
{
    axis a = {number, (double)codes->at[number], (double)codes->at[number]};
    for (int64_t i = 1; i < codes->rows; i++) {
        const double v = (double)codes->at[i * codes->width + number];
        a.low = v < a.low ? v : a.low;
        a.high = v > a.high ? v : a.high;
    }
    const double size = fmax(fabs(a.low), fabs(a.high)), range = a.high - a.low;
    const double beyond = range > 1e-9 * size ? range / 40 : fmax(0.5, size / 10);
    a.low -= beyond;
    a.high += beyond;
    return a;
}

/* Pixels from the axis's beginning, or -1 for what is no number. */
static int place_on(const axis *a, double v)
{
    const double t = (v - a->low) / (a->high - a->low);
    return t >= 0 && t <= 1 ? (int)(t * (SIDE - 1)) : -1;
}

static void put_block(const tl_canvas *c, int64_t left, int64_t top, int64_t width, int64_t height,
                      const uint8_t *colour)
{
    for (int64_t y = top; y < top + height; y++)
        for (int64_t x = left; x < left + width; x++)
            memcpy(c->pixels + 3 * (y * c->width + x), colour, 3);
}

/* Each digit beside a square of its colour. */
static void put_key(const tl_canvas *c, int64_t left)
{
    for (int digit = 0; digit < 10; digit++) {
        uint8_t colour[3];
        colour_of(digit, colour);
        put_block(c, left + 40 * digit, 9, 14, 14, colour);
        tl_font_write(c, left + 40 * digit + 18, 9, 2, black, train_digits[digit]);
    }
}

/* Lines at round numbers, which stand beside them, and the axis's name at its end. */
static void put_axis(const tl_canvas *c, int64_t left, const axis *a, bool across)
{
    const double  step = tl_tick_step(a->high - a->low);
    const tl_text name = tl_number_text((double)(a->number + 1), 3);
    char          title[64];
    for (double at = step * ceil(a->low / step); at <= a->high; at += step) {
        const int     place = place_on(a, at);
        const tl_text text = tl_number_text(fabs(at) < step / 2 ? 0 : at, 3);
        if (across) {
            put_block(c, left + place, TOP, 1, SIDE, grey);
            tl_font_write(c, left + place - tl_font_width(text.s, 2) / 2, TOP + SIDE + 8, 2, black, text.s);
        } else {
            put_block(c, left, TOP + SIDE - 1 - place, SIDE, 1, grey);
            tl_font_write(c, left - 8 - tl_font_width(text.s, 2), TOP + SIDE - 8 - place, 2, black, text.s);
        }
    }
    snprintf(title, sizeof title, "z%s", name.s);
    tl_font_write(c, across ? left + SIDE - tl_font_width(title, 2) : left - LEFT + 4,
                  across ? TOP + SIDE + 28 : TOP - 24, 2, black, title);
}

static void put_plane(const train_images *m, const tl_canvas *c, int64_t left, const train_table *codes, int64_t h,
                      int64_t v)
{
    const axis across = axis_of(codes, h), up = axis_of(codes, v);
    put_axis(c, left, &across, true);
    put_axis(c, left, &up, false);
    for (int64_t i = 0; i < codes->rows; i++) {
        const ag_real *code = codes->at + i * codes->width;
        const int      x = place_on(&across, (double)code[h]), y = place_on(&up, (double)code[v]);
        uint8_t        colour[3];
        colour_of(m->test.labels[i], colour);
        if (x >= 0 && y >= 0)
            put_block(c, left + x - DOT / 2, TOP + SIDE - 1 - y - DOT / 2, DOT, DOT, colour);
    }
    put_key(c, left);
}

/* codes.png: the plane of two numbers, or the three planes of three. */
static bool draw_plot(train_images *m, const train_table *codes, tl_error *why)
{
    static const int64_t planes[3][2] = {{0, 1}, {0, 2}, {1, 2}};
    const int64_t        n = codes->width == 3 ? 3 : 1;
    char                 path[4200];
    const tl_canvas      c = {tl_array(n * PLANE, TOP + SIDE + BOTTOM, 3), n * PLANE, TOP + SIDE + BOTTOM, 3};
    if (!c.pixels)
        return tl_fail(why, "out of memory");
    memset(c.pixels, 255, (size_t)(3 * c.width * c.height));
    for (int64_t i = 0; i < n; i++)
        put_plane(m, &c, i * PLANE + LEFT, codes, planes[i][0], planes[i][1]);
    const bool ok = train__picture_path(m, "codes.png", path, sizeof path, why) &&
                    train__write_png(path, c.pixels, c.width, c.height, 3, why);
    free(c.pixels);
    return ok;
}

/* ---- Tables. ---- */

static bool write_table(train_images *m, const char *name, const train_table *codes, bool labels, tl_error *why)
{
    char      path[4200];
    tl_output f;
    if (!train__picture_path(m, name, path, sizeof path, why) || !tl_output_open(&f, path, why))
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
    const bool ok = train__picture_path(m, "sprite.png", path, sizeof path, why) &&
                    train__write_png(path, pixels, width, height, 1, why);
    free(pixels);
    return ok;
}

bool train_draw_codes(train_images *m, tl_error *why)
{
    enum { CODES = 5000 };
    if (!train__can(m, true, false, "codes", why))
        return false;
    if (m->symbols)
        return true;
    train_table images = {0}, codes = {0};
    bool        ok = train__unit_images(&m->test, CODES, &images, why);
    if (ok)
        train_to_range(m, images.rows, images.at);
    ok = ok && train__encode(m, &images, &codes, why) &&
         (codes.width < 2 || codes.width > 3 || draw_plot(m, &codes, why)) &&
         write_table(m, "codes.tsv", &codes, false, why) && write_table(m, "labels.tsv", &codes, true, why) &&
         write_sprite(m, codes.rows, why);
    free(images.at);
    free(codes.at);
    return ok;
}
