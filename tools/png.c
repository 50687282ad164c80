#include "tools/png.h"

#include <stdlib.h>
#include <string.h>

#include "tools/checksum_internal.h"
#include "tools/deflate.h"
#include "tools/stream_internal.h"

/* A chunk being written: its checksum grows with it. */
typedef struct png {
    FILE    *file;
    uint32_t crc;
} png;

static void put(png *p, const uint8_t *bytes, size_t n)
{
    p->crc = tl__crc32(p->crc, bytes, n);
    fwrite(bytes, 1, n, p->file);
}

static void put_number(png *p, uint32_t x)
{
    put(p, (uint8_t[]){(uint8_t)(x >> 24), (uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x}, 4);
}

static void begin_chunk(png *p, const char *type, uint32_t length)
{
    put_number(p, length);
    p->crc = 0;
    put(p, (const uint8_t *)type, 4);
}

static void end_chunk(png *p)
{
    put_number(p, p->crc);
}

/* The rows of an image, each after the byte of its filter: 0, none. */
static uint8_t *filtered(const uint8_t *pixels, size_t row, size_t height)
{
    uint8_t *all = malloc((row + 1) * height);
    for (size_t y = 0; all && y < height; y++) {
        all[y * (row + 1)] = 0;
        memcpy(all + y * (row + 1) + 1, pixels + y * row, row);
    }
    return all;
}

/* An image as a chunk: IDAT, or for later frames fdAT, which begins with a number. False when memory runs out. */
static bool put_pixels(png *p, const uint8_t *pixels, size_t row, size_t height, const uint32_t *number)
{
    size_t   size = 0;
    uint8_t *rows = filtered(pixels, row, height), *data = rows ? tl_zlib(rows, (row + 1) * height, &size) : NULL;
    free(rows);
    if (!data)
        return false;
    begin_chunk(p, number ? "fdAT" : "IDAT", (uint32_t)(size + (number ? 4 : 0)));
    if (number)
        put_number(p, *number);
    put(p, data, size);
    end_chunk(p);
    free(data);
    return true;
}

static void put_header(png *p, uint32_t width, uint32_t height, int channels)
{
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, p->file);
    begin_chunk(p, "IHDR", 13);
    put_number(p, width);
    put_number(p, height);
    put(p, (uint8_t[]){8, channels == 3 ? 2 : 0, 0, 0, 0}, 5);
    end_chunk(p);
}

static void put_end(png *p)
{
    begin_chunk(p, "IEND", 0);
    end_chunk(p);
}

static bool can_be_written(const FILE *file, const uint8_t *pixels, int64_t width, int64_t height, int channels)
{
    const int64_t most = 1 << 15;
    return file && pixels && width > 0 && height > 0 && width <= most && height <= most &&
           (channels == 1 || channels == 3);
}

bool tl_png_write(FILE *file, const uint8_t *pixels, int64_t width, int64_t height, int channels)
{
    if (!can_be_written(file, pixels, width, height, channels))
        return false;
    png p = {.file = file};
    put_header(&p, (uint32_t)width, (uint32_t)height, channels);
    const bool ok = put_pixels(&p, pixels, (size_t)(width * channels), (size_t)height, NULL);
    put_end(&p);
    return ok && !ferror(file);
}

bool tl_png_bytes(const uint8_t *pixels, int64_t width, int64_t height, int channels, uint8_t **bytes, size_t *size)
{
    if (!bytes || !size)
        return false;
    tl__stream s;
    const bool written = tl__stream_open(&s) && tl_png_write(s.file, pixels, width, height, channels);
    *bytes = (uint8_t *)tl__stream_close(&s, size);
    if (!written) {
        free(*bytes);
        *bytes = NULL;
    }
    return *bytes != NULL;
}

/* ---- Animations. ---- */

static void put_frame_control(png *p, uint32_t number, uint32_t width, uint32_t height, int milliseconds)
{
    begin_chunk(p, "fcTL", 26);
    put_number(p, number);
    put_number(p, width);
    put_number(p, height);
    put_number(p, 0); /* where the frame is */
    put_number(p, 0);
    put(p, (uint8_t[]){(uint8_t)(milliseconds >> 8), (uint8_t)milliseconds, 1000 >> 8, 1000 & 255, 0, 0}, 6);
    end_chunk(p);
}

static void put_comment(png *p, const char *comment)
{
    static const char keyword[] = "Comment"; /* its 0 goes between the two */
    begin_chunk(p, "tEXt", (uint32_t)(sizeof keyword + strlen(comment)));
    put(p, (const uint8_t *)keyword, sizeof keyword);
    put(p, (const uint8_t *)comment, strlen(comment));
    end_chunk(p);
}

bool tl_apng_write(FILE *file, const uint8_t *pixels, int64_t frames, int64_t width, int64_t height, int channels,
                   int milliseconds, const char *comment)
{
    if (!can_be_written(file, pixels, width, height, channels) || frames < 1 || frames > 1 << 15 || milliseconds < 1 ||
        milliseconds > 65535)
        return false;
    png            p = {.file = file};
    const uint32_t w = (uint32_t)width, h = (uint32_t)height;
    const size_t   row = (size_t)(width * channels);
    put_header(&p, w, h, channels);
    begin_chunk(&p, "acTL", 8);
    put_number(&p, (uint32_t)frames);
    put_number(&p, 0); /* for ever */
    end_chunk(&p);
    if (comment)
        put_comment(&p, comment);
    bool ok = true;
    for (uint32_t i = 0, number = 0; ok && i < (uint32_t)frames; i++) {
        put_frame_control(&p, number++, w, h, milliseconds);
        const uint32_t data = number;
        number += i > 0;
        ok = put_pixels(&p, pixels + (size_t)i * row * h, row, h, i > 0 ? &data : NULL);
    }
    put_end(&p);
    return ok && !ferror(file);
}
