#include "tools/picture.h"

#include <stdlib.h>
#include <string.h>

#include "tools/font.h"
#include "tools/memory.h"

enum { GREY = 48 /* of the gaps */, WORDS = 225 /* grey of the words */, SPACE = 6 /* pixels around words */ };

/* ---- Words. ---- */

/* Squares of the font to pixels: two, or one where a label of a column would not fit. */
static int size_of(const tl_picture *p, const tl_labels *l)
{
    for (int i = 0; i < l->n_columns; i++)
        if (l->columns[i] && tl_font_width(l->columns[i], 2) > p->image_width * p->scale)
            return 1;
    return p->image_height * p->scale < 2 * TL_FONT_HEIGHT ? 1 : 2;
}

static int64_t widest(const tl_labels *l, int size)
{
    int64_t most = 0;
    for (int i = 0; i < l->n_rows; i++) {
        const int64_t width = tl_font_width(l->rows[i], size);
        most = width > most ? width : most;
    }
    return most;
}

static void make_room(tl_picture *p, const tl_labels *l)
{
    const int     size = size_of(p, l);
    const int64_t row = widest(l, size);
    p->left = row > 0 ? row + SPACE : 0;
    p->top = (l->caption ? 2 * TL_FONT_HEIGHT + SPACE : 0) + (l->n_columns > 0 ? size * TL_FONT_HEIGHT : 0);
}

/* Where the images of a row, or a column, begin. */
static int64_t top_of(const tl_picture *p, int64_t row)
{
    return p->top + TL_PICTURE_GAP + row * (p->image_height * p->scale + TL_PICTURE_GAP);
}

static int64_t left_of(const tl_picture *p, int64_t column)
{
    return p->left + TL_PICTURE_GAP + column * (p->image_width * p->scale + TL_PICTURE_GAP);
}

static void write_labels(tl_picture *p, const tl_labels *l)
{
    const tl_canvas canvas = {p->pixels, p->width, p->height, 1};
    const uint8_t   colour = WORDS;
    const int       size = size_of(p, l);
    if (l->caption) /* smaller if need be */
        tl_font_write(&canvas, p->left + TL_PICTURE_GAP, SPACE / 2,
                      tl_font_width(l->caption, 2) + p->left + TL_PICTURE_GAP <= p->width ? 2 : 1, &colour, l->caption);
    for (int64_t r = 0; l->n_rows > 0 && r < p->rows; r++) {
        const char *text = l->rows[r % l->n_rows];
        tl_font_write(&canvas, p->left - tl_font_width(text, size) - SPACE / 2,
                      top_of(p, r) + (p->image_height * p->scale - size * TL_FONT_HEIGHT) / 2, size, &colour, text);
    }
    for (int64_t c = 0; l->n_columns > 0 && c < p->columns; c++) {
        const char *text = l->columns[c % l->n_columns];
        tl_font_write(&canvas, left_of(p, c) + (p->image_width * p->scale - tl_font_width(text, size)) / 2,
                      p->top - size * TL_FONT_HEIGHT, size, &colour, text);
    }
}

/* ---- The grid. ---- */

bool tl_picture_init(tl_picture *p, int64_t rows, int64_t columns, int64_t image_height, int64_t image_width,
                     int64_t scale, const tl_labels *labels)
{
    const int64_t sizes[] = {rows, columns, image_height, image_width, scale}, most = 1 << 20;
    if (!p)
        return false;
    *p = (tl_picture){rows, columns, image_height, image_width, scale, 0, 0, 0, 0, NULL};
    for (int i = 0; i < 5; i++)
        if (sizes[i] < 1 || sizes[i] > most)
            return false;
    if (labels)
        make_room(p, labels);
    p->height = top_of(p, rows);
    p->width = left_of(p, columns);
    p->pixels = tl_array(p->height, p->width, 1);
    if (!p->pixels)
        return false;
    memset(p->pixels, GREY, (size_t)(p->height * p->width));
    if (labels)
        write_labels(p, labels);
    return true;
}

void tl_picture_free(tl_picture *p)
{
    if (!p)
        return;
    free(p->pixels);
    *p = (tl_picture){0};
}

void tl_picture_put(tl_picture *p, int64_t row, int64_t column, const float *image)
{
    if (!p || !p->pixels || !image || row < 0 || row >= p->rows || column < 0 || column >= p->columns)
        return;
    const int64_t top = top_of(p, row), left = left_of(p, column);
    for (int64_t y = 0; y < p->image_height * p->scale; y++)
        for (int64_t x = 0; x < p->image_width * p->scale; x++) {
            float   v = image[y / p->scale * p->image_width + x / p->scale];
            uint8_t byte = v >= 1 ? 255 : v > 0 ? (uint8_t)(v * 255.0f + 0.5f) : 0;
            p->pixels[(top + y) * p->width + left + x] = byte;
        }
}
