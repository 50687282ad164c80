#include "datasets/png.h"

#include <stdlib.h>
#include <string.h>

#include "datasets/inflate.h"
#include "datasets/picture_internal.h"
#include "tools/checksum_internal.h"
#include "tools/file.h"

/* The chunks are checked from first to last before storage is taken for what they hold. Section numbers are RFC 2083's.
 */

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGB_ALPHA = 6 };

typedef struct png {
    const uint8_t *at, *end;
    const char    *path;
    tl_error      *why;
    uint32_t       height, width;
    int            depth, colour, channels;
    bool           interlaced, has_key, has_alpha; /* a tRNS chunk has been read: of a colour, of a palette */
    int            entries;                        /* of the palette */
    uint8_t        palette[256][4];
    uint16_t       key[3];                  /* the colour that is transparent */
    const uint8_t *data;                    /* the first IDAT chunk */
    uint64_t       data_chunks, data_bytes; /* the chunks follow each other; bytes without their frames */
} png;

typedef struct chunk {
    const uint8_t *data;
    uint32_t       length;
    char           type[5];
} chunk;

/* ---- Chunks (3.2). ---- */

static bool take_chunk(png *p, chunk *c)
{
    size_t left = (size_t)(p->end - p->at);
    if (left < 12)
        return tl_fail_at(p->why, p->path, "ends before its IEND chunk");
    c->length = tl__big_endian(p->at);
    c->data = p->at + 8;
    memcpy(c->type, p->at + 4, 4);
    c->type[4] = '\0';
    if (c->length > left - 12)
        return tl_fail_at(p->why, p->path, "ends within its %s chunk of %lu bytes", c->type, (unsigned long)c->length);
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION /* a fuzzer never guesses one */
    uint32_t stored = tl__big_endian(c->data + c->length), computed = tl__crc32(0, p->at + 4, (size_t)c->length + 4);
    if (stored != computed)
        return tl_fail_at(p->why, p->path, "damaged: the CRC of its %s chunk is %08lx, the file says %08lx", c->type,
                          (unsigned long)computed, (unsigned long)stored);
#endif
    p->at = c->data + c->length + 4;
    return true;
}

static bool read_header(png *p, const chunk *c)
{
    static const uint8_t channels[] = {1, 0, 3, 1, 2, 0, 4};
    if (strcmp(c->type, "IHDR") != 0 || c->length != 13)
        return tl_fail_at(p->why, p->path, "its first chunk is %s of %lu bytes, expected IHDR of 13", c->type,
                          (unsigned long)c->length);
    const uint8_t *b = c->data;
    p->width = tl__big_endian(b);
    p->height = tl__big_endian(b + 4);
    p->depth = b[8];
    p->colour = b[9];
    p->channels = b[9] < sizeof channels ? channels[b[9]] : 0;
    p->interlaced = b[12] == 1;
    bool any = p->depth == 1 || p->depth == 2 || p->depth == 4,
         fits = p->depth == 8 || (p->depth == 16 && p->colour != PALETTE);
    if (p->channels == 0 || !(fits || (any && (p->colour == GREY || p->colour == PALETTE))))
        return tl_fail_at(p->why, p->path, "colour type %d with %d bits a sample, which PNG does not have", p->colour,
                          p->depth);
    if (b[10] || b[11] || b[12] > 1)
        return tl_fail_at(p->why, p->path, "compression %d, filter %d, interlace %d, expected 0, 0, and 0 or 1", b[10],
                          b[11], b[12]);
    return ds__picture_check_size(p->height, p->width, p->path, p->why);
}

static bool read_palette(png *p, const chunk *c)
{
    if (p->entries || p->has_key || p->data || p->colour == GREY || p->colour == GREY_ALPHA)
        return tl_fail_at(p->why, p->path, "a PLTE chunk where none may be");
    uint32_t most = p->colour == PALETTE ? 1u << p->depth : 256;
    if (c->length % 3 || c->length < 3 || c->length / 3 > most)
        return tl_fail_at(p->why, p->path, "a PLTE chunk of %lu bytes, expected 3 each for 1 to %lu colours",
                          (unsigned long)c->length, (unsigned long)most);
    p->entries = (int)(c->length / 3);
    for (int i = 0; i < p->entries; i++) {
        memcpy(p->palette[i], c->data + 3 * i, 3);
        p->palette[i][3] = 255;
    }
    return true;
}

/* 4.2.9: the alpha of the palette's first colours, or one colour that is transparent. */
static bool read_transparency(png *p, const chunk *c)
{
    bool palette = p->colour == PALETTE;
    if (p->has_key || p->has_alpha || p->data || p->channels % 2 == 0 || (palette && !p->entries))
        return tl_fail_at(p->why, p->path, "a tRNS chunk where none may be");
    if (palette ? c->length > (uint32_t)p->entries : c->length != 2 * (uint32_t)p->channels)
        return tl_fail_at(p->why, p->path, "a tRNS chunk of %lu bytes, expected %s%d", (unsigned long)c->length,
                          palette ? "at most " : "", palette ? p->entries : 2 * p->channels);
    for (uint32_t i = 0; palette && i < c->length; i++)
        p->palette[i][3] = c->data[i];
    for (int i = 0; !palette && i < p->channels; i++)
        p->key[i] = (uint16_t)((c->data[2 * i] << 8 | c->data[2 * i + 1]) & ((1 << p->depth) - 1));
    p->has_alpha = palette;
    p->has_key = !palette;
    return true;
}

/* Compressed data of any number of chunks without others between them. `before` is the type of the chunk before this
 * one. */
static bool note_data(png *p, const chunk *c, const char *before)
{
    if (p->colour == PALETTE && !p->entries)
        return tl_fail_at(p->why, p->path, "no PLTE chunk before the first IDAT");
    if (p->data && strcmp(before, "IDAT") != 0)
        return tl_fail_at(p->why, p->path, "a %s chunk between IDAT chunks", before);
    if (!p->data)
        p->data = c->data - 8;
    p->data_chunks++;
    p->data_bytes += c->length;
    return true;
}

static bool read_end(const png *p, const chunk *c)
{
    if (c->length)
        return tl_fail_at(p->why, p->path, "an IEND chunk of %lu bytes, expected 0", (unsigned long)c->length);
    return p->data || tl_fail_at(p->why, p->path, "no IDAT chunk: it holds no picture");
}

static bool read_chunks(png *p)
{
    chunk c;
    char  before[5];
    if (!take_chunk(p, &c) || !read_header(p, &c))
        return false;
    for (;;) {
        memcpy(before, c.type, sizeof before);
        if (!take_chunk(p, &c))
            return false;
        if (!strcmp(c.type, "IEND"))
            return read_end(p, &c);
        bool ok = !strcmp(c.type, "PLTE")   ? read_palette(p, &c)
                  : !strcmp(c.type, "tRNS") ? read_transparency(p, &c)
                  : !strcmp(c.type, "IDAT") ? note_data(p, &c, before)
                  : c.type[0] & 32          ? true /* ancillary (3.3) */
                                   : tl_fail_at(p->why, p->path, "an unknown chunk %s that a reader must know", c.type);
        if (!ok)
            return false;
    }
}

/* ---- Passes (2.6): pixels x0, x0 + dx, ... of rows y0, y0 + dy, ... ---- */

typedef struct pass {
    uint8_t x0, y0, dx, dy;
} pass;

enum { ADAM7 = 7 };

static const pass whole = {0, 0, 1, 1};
static const pass adam7[ADAM7] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                  {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};

static uint32_t pass_width(const png *p, const pass *a)
{
    return p->width > a->x0 ? (p->width - a->x0 + a->dx - 1u) / a->dx : 0;
}

/* Rows of a pass; one without columns has none. */
static uint32_t pass_height(const png *p, const pass *a)
{
    return p->height > a->y0 && pass_width(p, a) ? (p->height - a->y0 + a->dy - 1u) / a->dy : 0;
}

/* Bytes of a row without the filter's. */
static size_t row_bytes(const png *p, uint32_t width)
{
    return ((size_t)width * (size_t)(p->channels * p->depth) + 7) / 8;
}

static size_t pass_bytes(const png *p, const pass *a)
{
    return (size_t)pass_height(p, a) * (1 + row_bytes(p, pass_width(p, a)));
}

/* ---- Filters (6). ---- */

static int paeth(int left, int up, int corner)
{
    int to_left = abs(up - corner), to_up = abs(left - corner), to_corner = abs(left + up - 2 * corner);
    return to_left <= to_up && to_left <= to_corner ? left : to_up <= to_corner ? up : corner;
}

/* Undoes a filter in place. `step` is the bytes of a pixel, at least 1; `above` is the row above, NULL for the first.
 */
static void unfilter(int filter, uint8_t *row, const uint8_t *above, size_t n, size_t step)
{
    for (size_t i = 0; i < n; i++) {
        int left = i >= step ? row[i - step] : 0, up = above ? above[i] : 0,
            corner = above && i >= step ? above[i - step] : 0;
        int guess = filter == 1 ? left : filter == 2 ? up : filter == 3 ? (left + up) / 2 : paeth(left, up, corner);
        row[i] = (uint8_t)(row[i] + guess);
    }
}

/* ---- Pixels. ---- */

static uint32_t sample(const uint8_t *row, size_t i, int depth)
{
    if (depth == 16)
        return (uint32_t)row[2 * i] << 8 | row[2 * i + 1];
    size_t bit = i * (size_t)depth;
    return (uint32_t)row[bit / 8] >> (8 - (size_t)depth - bit % 8) & ((1u << depth) - 1);
}

static bool palette_grey(const png *p, uint32_t index, uint8_t *grey)
{
    if (index >= (uint32_t)p->entries)
        return tl_fail_at(p->why, p->path, "a pixel has colour %lu of a palette of %d", (unsigned long)index,
                          p->entries);
    const uint8_t *c = p->palette[index];
    *grey = ds__picture_grey(c[0], c[1], c[2], c[3], 255);
    return true;
}

/* The grey of pixel x of a row. */
static bool pixel(const png *p, const uint8_t *row, size_t x, uint8_t *grey)
{
    uint32_t s[4], most = (1u << p->depth) - 1;
    bool     keyed = p->has_key, colour = p->channels >= 3;
    for (int c = 0; c < p->channels; c++)
        s[c] = sample(row, x * (size_t)p->channels + (size_t)c, p->depth);
    if (p->colour == PALETTE)
        return palette_grey(p, s[0], grey);
    for (int c = 0; keyed && c < p->channels; c++)
        keyed = s[c] == p->key[c];
    uint32_t alpha = keyed ? 0 : p->channels % 2 == 0 ? s[p->channels - 1] : most;
    *grey = ds__picture_grey(s[0], s[colour ? 1 : 0], s[colour ? 2 : 0], alpha, most);
    return true;
}

/* Undoes the filters of a pass and puts its pixels into their places. */
static bool read_pass(const png *p, const pass *a, uint8_t *raw, ds_picture *out)
{
    uint32_t height = pass_height(p, a), width = pass_width(p, a);
    size_t   n = row_bytes(p, width), step = ((size_t)(p->channels * p->depth) + 7) / 8;
    for (uint32_t y = 0; y < height; y++, raw += n + 1) {
        uint8_t *to = out->grey + (a->y0 + (int64_t)y * a->dy) * out->width + a->x0;
        if (raw[0] > 4)
            return tl_fail_at(p->why, p->path, "a row has filter %d, expected 0 to 4", raw[0]);
        if (raw[0])
            unfilter(raw[0], raw + 1, y ? raw - n : NULL, n, step);
        for (uint32_t x = 0; x < width; x++)
            if (!pixel(p, raw + 1, x, to + (int64_t)x * a->dx))
                return false;
    }
    return true;
}

/* ---- The picture. ---- */

/* The data of all IDAT chunks in one piece. */
static uint8_t *gather_data(const png *p)
{
    uint8_t       *packed = malloc((size_t)p->data_bytes + 1);
    const uint8_t *from = p->data;
    if (!packed)
        tl_fail_at(p->why, p->path, "out of memory (%llu bytes)", (unsigned long long)p->data_bytes);
    for (uint64_t i = 0, done = 0; packed && i < p->data_chunks; i++) {
        size_t n = tl__big_endian(from);
        memcpy(packed + done, from + 8, n);
        done += n;
        from += n + 12;
    }
    return packed;
}

/* The filtered rows of all passes, `size` bytes. */
static uint8_t *inflate_rows(const png *p, size_t size)
{
    if (size / DS_INFLATE_MOST_RATIO > p->data_bytes) {
        tl_fail_at(p->why, p->path, "%llu bytes of compressed data cannot make the %zu that its size needs",
                   (unsigned long long)p->data_bytes, size);
        return NULL;
    }
    uint8_t *packed = gather_data(p), *raw = packed ? malloc(size) : NULL;
    bool     ok = raw && ds_inflate(packed, (size_t)p->data_bytes, raw, size, p->path, p->why);
    if (packed && !raw)
        tl_fail_at(p->why, p->path, "out of memory (%zu bytes)", size);
    free(packed);
    if (ok)
        return raw;
    free(raw);
    return NULL;
}

static bool read_picture(const png *p, ds_picture *out)
{
    const pass *passes = p->interlaced ? adam7 : &whole;
    size_t      size = 0, at = 0;
    int         n = p->interlaced ? ADAM7 : 1;
    for (int i = 0; i < n; i++)
        size += pass_bytes(p, &passes[i]);
    uint8_t *raw = inflate_rows(p, size);
    bool     ok = raw && ds__picture_init(out, p->height, p->width, p->path, p->why);
    for (int i = 0; ok && i < n; i++) {
        ok = read_pass(p, &passes[i], raw + at, out);
        at += pass_bytes(p, &passes[i]);
    }
    free(raw);
    if (!ok)
        ds_picture_free(out);
    return ok;
}

bool ds_png_parse(const uint8_t *bytes, size_t size, const char *path, ds_picture *out, tl_error *why)
{
    if (!out)
        return tl_fail_at(why, path, "no place for the result");
    static const uint8_t magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    *out = (ds_picture){0};
    if (!bytes || size < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0)
        return tl_fail_at(why, path, "not a PNG file, or one whose line ends were changed: it does not begin as one");
    png p = {.at = bytes + sizeof magic, .end = bytes + size, .path = path, .why = why};
    return read_chunks(&p) && read_picture(&p, out);
}

bool ds_png_read(const char *path, ds_picture *out, tl_error *why)
{
    if (!out)
        return tl_fail_at(why, path, "no place for the result");
    size_t size = 0;
    *out = (ds_picture){0};
    uint8_t *bytes = tl_read_file(path, &size, why);
    bool     ok = bytes && ds_png_parse(bytes, size, path, out, why);
    free(bytes);
    return ok;
}
