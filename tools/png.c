#include "tools/png.h"

#define STORED_MOST 65535 /* bytes of a stored block */

/* A chunk being written: its checksum grows with it. */
typedef struct png {
    FILE    *file;
    uint32_t crc;
    uint32_t sum1, sum2; /* Adler-32 of the image data */
} png;

static void put(png *p, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p->crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            p->crc = p->crc & 1 ? (p->crc >> 1) ^ 0xedb88320u : p->crc >> 1;
    }
    fwrite(bytes, 1, n, p->file);
}

static void put_number(png *p, uint32_t x)
{
    put(p, (uint8_t[]){(uint8_t)(x >> 24), (uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x}, 4);
}

static void begin_chunk(png *p, const char *type, uint32_t length)
{
    put_number(p, length);
    p->crc = 0xffffffffu;
    put(p, (const uint8_t *)type, 4);
}

static void end_chunk(png *p)
{
    put_number(p, p->crc ^ 0xffffffffu);
}

static void put_data(png *p, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p->sum1 = (p->sum1 + bytes[i]) % 65521;
        p->sum2 = (p->sum2 + p->sum1) % 65521;
    }
    put(p, bytes, n);
}

/* One row of the image is a filter byte of 0 and its pixels: at least one stored block. */
static void put_row(png *p, const uint8_t *row, size_t n, bool last_row)
{
    for (size_t at = 0, length; at < n + 1; at += length) {
        length = n + 1 - at < STORED_MOST ? n + 1 - at : STORED_MOST;
        bool last = last_row && at + length == n + 1;
        put(p, (uint8_t[]){last, (uint8_t)length, (uint8_t)(length >> 8), (uint8_t)~length, (uint8_t)(~length >> 8)},
            5);
        if (at == 0) {
            put_data(p, (uint8_t[]){0}, 1);
            put_data(p, row, length - 1);
        } else {
            put_data(p, row + at - 1, length);
        }
    }
}

/* An image as a chunk: IDAT, or for later frames fdAT, which begins with a number. */
static void put_pixels(png *p, const uint8_t *pixels, uint32_t width, uint32_t height, int channels,
                       const uint32_t *number)
{
    const size_t row = (size_t)width * (size_t)channels, blocks = row / STORED_MOST + 1;
    p->sum1 = 1;
    p->sum2 = 0;
    begin_chunk(p, number ? "fdAT" : "IDAT", (uint32_t)(2 + height * (row + 1 + 5 * blocks) + 4 + (number ? 4 : 0)));
    if (number)
        put_number(p, *number);
    put(p, (uint8_t[]){0x78, 0x01}, 2);
    for (uint32_t y = 0; y < height; y++)
        put_row(p, pixels + y * row, row, y == height - 1);
    put_number(p, p->sum2 << 16 | p->sum1);
    end_chunk(p);
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
    put_pixels(&p, pixels, (uint32_t)width, (uint32_t)height, channels, NULL);
    put_end(&p);
    return !ferror(file);
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

bool tl_apng_write(FILE *file, const uint8_t *pixels, int64_t frames, int64_t width, int64_t height, int channels,
                   int milliseconds)
{
    if (!can_be_written(file, pixels, width, height, channels) || frames < 1 || frames > 1 << 15 || milliseconds < 1 ||
        milliseconds > 65535)
        return false;
    png            p = {.file = file};
    const uint32_t w = (uint32_t)width, h = (uint32_t)height;
    put_header(&p, w, h, channels);
    begin_chunk(&p, "acTL", 8);
    put_number(&p, (uint32_t)frames);
    put_number(&p, 0); /* for ever */
    end_chunk(&p);
    for (uint32_t i = 0, number = 0; i < (uint32_t)frames; i++) {
        put_frame_control(&p, number++, w, h, milliseconds);
        const uint32_t data = number;
        number += i > 0;
        put_pixels(&p, pixels + (size_t)i * w * h * (size_t)channels, w, h, channels, i > 0 ? &data : NULL);
    }
    put_end(&p);
    return !ferror(file);
}
