/* Picture files: PNG, PGM, PPM and PBM, good ones made by golden/pictures/make.py, and damaged ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/inflate.h"
#include "datasets/pgm.h"
#include "datasets/picture.h"
#include "datasets/png.h"
#include "tests/support/malloc.h"
#include "tests/support/png.h"
#include "tests/test.h"
#include "tools/file.h"

#define GOLDEN "tests/golden/pictures/"

static uint8_t *read_golden(const char *name, size_t *size)
{
    char     path[160];
    tl_error why;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    uint8_t *bytes = tl_read_file(path, size, &why);
    cr_assert(bytes, "%s", why.text);
    return bytes;
}

/* ---- Good files. ---- */

/* Reads the greys that follow on a line of expected.txt, up to the picture's last one, and compares. */
static void check_greys(FILE *f, const char *name, const ds_picture *p)
{
    int wanted;
    for (int64_t i = 0; fscanf(f, "%*[ ]%d", &wanted) == 1; i++) {
        cr_assert(i < p->height * p->width);
        cr_assert(p->grey[i] == wanted, "%s: pixel %lld is %d, expected %d", name, (long long)i, p->grey[i], wanted);
    }
}

Test(picture, files_of_every_kind_are_read)
{
    FILE     *f = fopen(GOLDEN "expected.txt", "r");
    char      name[64], path[160];
    long long height, width;
    int       files = 0;
    cr_assert(f && fscanf(f, "#%*[^\n]") == 0);
    for (; fscanf(f, "%63s %lld %lld", name, &height, &width) == 3; files++) {
        ds_picture p;
        tl_error   why;
        snprintf(path, sizeof path, GOLDEN "%s", name);
        cr_assert(ds_picture_read(path, &p, &why), "%s", why.text);
        cr_assert(p.height == height && p.width == width, "%s", name);
        check_greys(f, name, &p);
        ds_picture_free(&p);
    }
    cr_assert(feof(f) && files == 54, "%d files", files);
    fclose(f);
}

Test(picture, the_first_bytes_tell_the_format)
{
    static const struct {
        const char *bytes, *part;
    } others[] = {{"\xff\xd8\xff\xe0", "a JPEG file; save the picture as PNG"},
                  {"GIF89a", "a GIF file"},
                  {"P7\n", "a PAM file"},
                  {"BM....", "a BMP file"},
                  {"P8", "neither PNG nor PGM, PPM or PBM"},
                  {"P", "neither"},
                  {"", "the file is empty"}};
    ds_picture p;
    tl_error   why;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const uint8_t *bytes = (const uint8_t *)others[i].bytes;
        cr_assert(!ds_picture_known(bytes, strlen(others[i].bytes)));
        cr_assert(!ds_picture_parse(bytes, strlen(others[i].bytes), "file", &p, &why) && !p.grey &&
                  strstr(why.text, others[i].part));
    }
    cr_assert(ds_picture_known((const uint8_t *)"P5", 2) && ds_picture_known((const uint8_t *)"\x89PNG", 4));
    cr_assert(!ds_picture_known(NULL, 0) && !ds_picture_parse(NULL, 0, NULL, &p, NULL));
    cr_assert(!ds_picture_read("/nonexistent", &p, &why) && strstr(why.text, "/nonexistent: No such file"));
    cr_assert(!ds_png_read(GOLDEN "text.pgm", &p, &why) && strstr(why.text, "not a PNG file"));
    cr_assert(!ds_pgm_read(GOLDEN "grey8.png", &p, &why) && strstr(why.text, "not a PGM, PPM or PBM file"));
    ds_picture_free(&p), ds_picture_free(&p), ds_picture_free(NULL);
}

/* A header with lines as Windows ends them, before a sample that is one of the two bytes, or both. */
Test(picture, pgm_lines_that_end_in_two_bytes)
{
    static const char bytes[] = "P5\r\n2 1\r\n255\r\n\n\r";
    ds_picture        p;
    tl_error          why;
    cr_assert(ds_pgm_parse((const uint8_t *)bytes, sizeof bytes - 1, "file", &p, &why), "%s", why.text);
    cr_expect(p.grey[0] == '\n' && p.grey[1] == '\r');
    ds_picture_free(&p);
    static const char one[] = "P5\n2 1\n255\n\n\r";
    cr_assert(ds_pgm_parse((const uint8_t *)one, sizeof one - 1, "file", &p, &why), "%s", why.text);
    cr_expect(p.grey[0] == '\n' && p.grey[1] == '\r');
    ds_picture_free(&p);
}

/* ---- PNG: damaged files. ---- */

static const char *const damaged[] = {"grey1_interlaced.png",
                                      "rgb16.png",
                                      "palette2_alpha.png",
                                      "palette4_interlaced.png",
                                      "rgba8.png",
                                      "grey16_key.png",
                                      "stored.png",
                                      "fixed.png",
                                      "huffman_only.png",
                                      "one_pixel.png",
                                      "rgb8_palette_in_pieces.png"};

/* A copy of exactly the file's size, so that AddressSanitizer sees each read past its end. */
static bool parse_copy(const uint8_t *bytes, size_t size, tl_error *why)
{
    ds_picture p;
    uint8_t   *copy = malloc(size ? size : 1);
    cr_assert(copy);
    memcpy(copy, bytes, size);
    bool ok = ds_picture_parse(copy, size, "file", &p, why);
    cr_assert(ok == (p.grey != NULL));
    ds_picture_free(&p);
    free(copy);
    return ok;
}

Test(png, every_truncation_is_refused)
{
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        size_t   size;
        tl_error why;
        uint8_t *bytes = read_golden(damaged[i], &size);
        for (size_t n = 0; n < size; n++)
            cr_assert(!parse_copy(bytes, n, &why) && why.text[0], "%s: its first %zu bytes", damaged[i], n);
        cr_assert(parse_copy(bytes, size, &why));
        free(bytes);
    }
}

Test(png, every_changed_byte_is_refused_or_harmless)
{
    static const uint8_t change[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        size_t   size;
        tl_error why;
        uint8_t *bytes = read_golden(damaged[i], &size), *copy = malloc(size);
        for (size_t at = 0; at < size; at++)
            for (size_t k = 0; k < sizeof change; k++) {
                memcpy(copy, bytes, size);
                copy[at] ^= change[k];
                cr_assert(!parse_copy(copy, size, &why), "%s: byte %zu changed by %02x", damaged[i], at, change[k]);
                png_sign(copy, size);
                parse_copy(copy, size, &why);
            }
        free(copy);
        free(bytes);
    }
}

/* A file being made from chunks. */
typedef struct builder {
    uint8_t bytes[4096];
    size_t  size;
} builder;

static void add(builder *b, const char *type, const void *data, size_t n)
{
    cr_assert(b->size + n + 12 <= sizeof b->bytes);
    png_put(b->bytes + b->size, (uint32_t)n);
    memcpy(b->bytes + b->size + 4, type, 4);
    if (n)
        memcpy(b->bytes + b->size + 8, data, n);
    png_put(b->bytes + b->size + 8 + n, png_crc(b->bytes + b->size + 4, n + 4));
    b->size += n + 12;
}

static builder begin(uint32_t width, uint32_t height, int depth, int colour, int interlace)
{
    uint8_t header[13] = {0};
    builder b = {"\x89PNG\r\n\x1a\n", 8};
    png_put(header, width);
    png_put(header + 4, height);
    header[8] = (uint8_t)depth;
    header[9] = (uint8_t)colour;
    header[12] = (uint8_t)interlace;
    add(&b, "IHDR", header, sizeof header);
    return b;
}

/* Stored rows of zlib for 2 grey pixels of 1 byte: filter 0, 65, 66. */
static const uint8_t two[] = {0x78, 1, 1, 3, 0, 0xfc, 0xff, 0, 65, 66, 0, 199, 0, 132};

static void check_png(const builder *b, const char *part)
{
    tl_error why = {""};
    cr_assert(!parse_copy(b->bytes, b->size, &why), "not refused: %s", part);
    cr_assert(strstr(why.text, part), "\"%s\", expected \"%s\"", why.text, part);
}

Test(png, a_header_must_be_possible)
{
    static const int wrong[][2] = {{3, 0}, {32, 0}, {0, 0},   {4, 2}, {16, 3}, {8, 1},
                                   {8, 5}, {8, 7},  {8, 255}, {2, 4}, {1, 6}};
    builder          b;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        b = begin(2, 1, wrong[i][0], wrong[i][1], 0);
        check_png(&b, "which PNG does not have");
    }
    b = begin(2, 1, 8, 0, 2);
    check_png(&b, "interlace 2, expected 0, 0, and 0 or 1");
    b = begin(0, 1, 8, 0, 0);
    check_png(&b, "a picture of 0 x 1 pixels, expected sides of 1 to 16384");
    b = begin(1, 0, 8, 0, 0);
    check_png(&b, "a picture of 1 x 0 pixels");
    b = begin(16385, 1, 8, 0, 0);
    check_png(&b, "a picture of 16385 x 1 pixels");
    b = begin(0xffffffff, 0xffffffff, 16, 6, 1);
    check_png(&b, "a picture of 4294967295 x 4294967295 pixels");
    b = begin(16384, 4097, 8, 0, 0);
    check_png(&b, "expected at most 67108864 in all");
    b = (builder){"\x89PNG\r\n\x1a\n", 8};
    add(&b, "IDAT", two, sizeof two);
    check_png(&b, "its first chunk is IDAT of 14 bytes, expected IHDR of 13");
    b = (builder){"\x89PNG\n\x1a\n", 8};
    check_png(&b, "whose line ends were changed");
}

Test(png, chunks_must_be_in_order)
{
    static const uint8_t colours[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    builder              b = begin(2, 1, 8, 0, 0);
    add(&b, "IEND", NULL, 0);
    check_png(&b, "no IDAT chunk");
    b = begin(2, 1, 8, 0, 0);
    add(&b, "IDAT", two, sizeof two);
    check_png(&b, "ends before its IEND chunk");
    add(&b, "IEND", "x", 1);
    check_png(&b, "an IEND chunk of 1 bytes");
    b = begin(2, 1, 8, 0, 0);
    add(&b, "IDAT", two, 7), add(&b, "tEXt", "a", 1), add(&b, "IDAT", two + 7, 7);
    check_png(&b, "a tEXt chunk between IDAT chunks");
    b = begin(2, 1, 8, 0, 0);
    add(&b, "ABCD", "a", 1);
    check_png(&b, "an unknown chunk ABCD");
    b = begin(2, 1, 8, 0, 0);
    add(&b, "PLTE", colours, 9);
    check_png(&b, "a PLTE chunk where none may be");
    b = begin(2, 1, 8, 3, 0);
    add(&b, "IDAT", two, sizeof two);
    check_png(&b, "no PLTE chunk before the first IDAT");
    b = begin(2, 1, 1, 3, 0);
    add(&b, "PLTE", colours, 9);
    check_png(&b, "a PLTE chunk of 9 bytes, expected 3 each for 1 to 2 colours");
    b = begin(2, 1, 8, 3, 0);
    add(&b, "tRNS", colours, 1);
    check_png(&b, "a tRNS chunk where none may be");
    b = begin(2, 1, 8, 3, 0);
    add(&b, "PLTE", colours, 9), add(&b, "tRNS", colours, 4);
    check_png(&b, "a tRNS chunk of 4 bytes, expected at most 3");
    b = begin(2, 1, 8, 2, 0);
    add(&b, "tRNS", colours, 2);
    check_png(&b, "a tRNS chunk of 2 bytes, expected 6");
    b = begin(2, 1, 8, 6, 0);
    add(&b, "tRNS", colours, 6);
    check_png(&b, "a tRNS chunk where none may be");
}

Test(png, data_must_fit_the_header)
{
    tl_error why;
    builder  b = begin(2, 1, 8, 0, 0);
    add(&b, "IDAT", two, 3), add(&b, "IDAT", NULL, 0), add(&b, "IDAT", two + 3, sizeof two - 3),
        add(&b, "IEND", NULL, 0);
    cr_assert(parse_copy(b.bytes, b.size, &why), "%s", why.text);
    memcpy(b.bytes + b.size, "more", 4);
    cr_assert(parse_copy(b.bytes, b.size + 4, &why), "what follows IEND is ignored");
    b = begin(1, 1, 8, 0, 0);
    add(&b, "IDAT", two, sizeof two), add(&b, "IEND", NULL, 0);
    check_png(&b, "make more than the 2 bytes that its size needs");
    b = begin(3, 1, 8, 0, 0);
    add(&b, "IDAT", two, sizeof two), add(&b, "IEND", NULL, 0);
    check_png(&b, "make 3 bytes, its size needs 4");
    b = begin(16384, 4096, 16, 6, 1);
    add(&b, "IDAT", two, sizeof two), add(&b, "IEND", NULL, 0);
    check_png(&b, "14 bytes of compressed data cannot make");
    b = begin(2, 1, 8, 3, 0);
    add(&b, "PLTE", "abcdef", 6), add(&b, "IDAT", two, sizeof two), add(&b, "IEND", NULL, 0);
    check_png(&b, "a pixel has colour 65 of a palette of 2");
    b = begin(2, 1, 8, 0, 0);
    add(&b, "IDAT", (const uint8_t[]){0x78, 1, 1, 3, 0, 0xfc, 0xff, 5, 65, 66, 0, 214, 0, 137}, 14),
        add(&b, "IEND", NULL, 0);
    check_png(&b, "a row has filter 5");
    b.bytes[b.size - 1] ^= 1;
    check_png(&b, "damaged: the CRC of its IEND chunk is ae426082, the file says ae426083");
    png_put(b.bytes + 33, 0xfffffff0);
    check_png(&b, "ends within its IDAT chunk of 4294967280 bytes");
}

/* ---- Compressed data. zlib's verdict on each stream is the same. ---- */

static void check_stream(size_t expected, const char *part, const uint8_t *bytes, size_t n)
{
    tl_error why = {""};
    uint8_t *copy = malloc(n), *out = malloc(expected);
    cr_assert(copy && out);
    memcpy(copy, bytes, n);
    bool ok = ds_inflate(copy, n, out, expected, "file", &why);
    cr_assert(ok == !part, "\"%s\", expected \"%s\"", why.text, part ? part : "");
    cr_assert(!part || strstr(why.text, part), "\"%s\", expected \"%s\"", why.text, part);
    cr_assert(part || out[expected - 1] == out[2], "what was copied");
    free(copy);
    free(out);
}

/* The streams are 0x78, 0x01 and these bytes. */
#define STREAM(expected, part, ...)                                                                                    \
    check_stream(expected, part, (const uint8_t[]){0x78, 0x01, __VA_ARGS__},                                           \
                 sizeof((const uint8_t[]){0x78, 0x01, __VA_ARGS__}))
#define DYNAMIC                                                                                                        \
    0x0d, 0xe0, 0x87, 0x09, 0x00, 0x00, 0x00, 0x80,                                                                    \
        0x20 /* 258 literals and lengths, 1 distance; lengths 0, 1, 2, 16, 18 */

Test(inflate, damaged_streams_are_refused)
{
    STREAM(9, NULL, 0x4b, 0x4c, 0x4a, 0x86, 0x20, 0x00, 0x11, 0x3d, 0x03, 0x73);
    STREAM(9, "their Adler-32 is 113d0373, the file says 113d0374", 0x4b, 0x4c, 0x4a, 0x86, 0x20, 0x00, 0x11, 0x3d,
           0x03, 0x74);
    STREAM(9, "more bytes follow their end", 0x4b, 0x4c, 0x4a, 0x86, 0x20, 0x00, 0x11, 0x3d, 0x03, 0x73, 0);
    STREAM(9, "they end within their checksum", 0x4b, 0x4c, 0x4a, 0x86, 0x20, 0x00, 0x11, 0x3d, 0x03);
    STREAM(9, "they end too early", 0x4b, 0x4c, 0x4a, 0x86, 0x20);
    STREAM(9, "they end too early", 0x4b, 0x4c);
    STREAM(8, "make more than the 8 bytes", 0x4b, 0x4c, 0x4a, 0x86, 0x20, 0x00, 0x11, 0x3d, 0x03, 0x73);
    STREAM(2, "make more than the 2 bytes", 0x4b, 0x4c, 0x4a, 0x86, 0x20, 0x00, 0x11, 0x3d, 0x03, 0x73);
    STREAM(10, "make 9 bytes, its size needs 10", 0x4b, 0x4c, 0x4a, 0x86, 0x20, 0x00, 0x11, 0x3d, 0x03, 0x73);
    STREAM(9, "a copy from 2 bytes back, after only 1", 0x4b, 0x04, 0x42, 0x00, 0x00, 0x00, 0x00, 0x01);
    STREAM(9, "a length that does not exist", 0x4b, 0x1c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01);
    STREAM(9, "a distance that does not exist", 0x4b, 0x04, 0x3e, 0x00, 0x00, 0x00, 0x00, 0x01);
    STREAM(9, "a block of type 3", 0x07, 0x00, 0x00, 0x00, 0x01);
    STREAM(2, "length does not match its complement", 0x01, 0x02, 0x00, 0xfc, 0xff, 0x41, 0x42, 0x00, 0xc6, 0x00, 0x84);
    STREAM(20, "they end too early", 0x01, 0x14, 0x00, 0xeb, 0xff, 0x41, 0x42, 0x00, 0xc6, 0x00, 0x84);
    STREAM(1, "make more than the 1 bytes", 0x01, 0x02, 0x00, 0xfd, 0xff, 0x41, 0x42, 0x00, 0xc6, 0x00, 0x84);
    check_stream(1, "no zlib header", (const uint8_t[]){0x78, 2, 3, 0}, 4);
    check_stream(1, "no zlib header", (const uint8_t[]){0x88, 0x1c, 3, 0}, 4);
    check_stream(1, "no zlib header", (const uint8_t[]){0x78}, 1);
    check_stream(1, "a preset dictionary", (const uint8_t[]){0x78, 0x20, 3, 0}, 4);
}

Test(inflate, damaged_codes_are_refused)
{
    STREAM(4, NULL, DYNAMIC, 0xdc, 0xea, 0xff, 0x4f, 0x94, 0x16, 0x03, 0xce, 0x01, 0x85);
    STREAM(4, "a code that stands for nothing", DYNAMIC, 0xdc, 0xea, 0xff, 0x4f, 0x94, 0x1e, 0x03, 0xce, 0x01, 0x85);
    STREAM(4, "the code of the literals is not complete", DYNAMIC, 0xdc, 0xea, 0xff, 0x4f, 0x98, 0x00, 0x00, 0x00,
           0x01);
    STREAM(4, "the code of the literals is not complete", DYNAMIC, 0xdc, 0xda, 0xff, 0x4f, 0x94, 0x00, 0x00, 0x00,
           0x01);
    STREAM(4, "a block without an end", DYNAMIC, 0xdc, 0xea, 0xff, 0x4f, 0xa0, 0x00, 0x00, 0x00, 0x01);
    STREAM(4, "a repeated code length has none before it", DYNAMIC, 0x0c, 0x00, 0x00, 0x00, 0x01);
    STREAM(4, "or goes beyond the last", DYNAMIC, 0xfc, 0xff, 0x3f, 0x00, 0x00, 0x00, 0x01);
    STREAM(4, "the code of the code lengths", 0x0d, 0xe0, 0x01, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
           0x00, 0x01);
    STREAM(4, "the code of the code lengths", 0x0d, 0xe0, 0x01, 0x04, 0x00, 0x00, 0x00, 0x40, 0x10, 0x00, 0x00, 0x00,
           0x00, 0x01);
    STREAM(4, "more than 286 literals", 0xf5, 0xe0, 0x87, 0x09, 0x00, 0x00, 0x00, 0x80, 0x20, 0x00, 0x00, 0x00, 0x00,
           0x01);
    STREAM(4, "or more than 30 distances", 0x0d, 0xfe, 0x87, 0x09, 0x00, 0x00, 0x00, 0x80, 0x20, 0x00, 0x00, 0x00, 0x00,
           0x01);
    STREAM(4, "the code of the distances is not complete", 0x0d, 0xe1, 0x87, 0x09, 0x00, 0x00, 0x00, 0x80, 0x20, 0xdc,
           0xea, 0xff, 0x4f, 0x54, 0x00, 0x00, 0x00, 0x00, 0x01);
}

/* ---- PGM and its siblings. ---- */

Test(pgm, damaged_files_are_refused)
{
    static const struct {
        const char *bytes, *part;
    } wrong[] = {{"P5", "ends before its width"},
                 {"P5x1 1 1 ", "no blank after P5"},
                 {"P5 1 # 1 255", "ends before its height"},
                 {"P5 -1 1 255 a", "its width is not a number"},
                 {"P5 1x 1 255 a", "its width is not a number of at most 9 digits"},
                 {"P5 0000000001 1 255 a", "its width is not a number of at most 9 digits"},
                 {"P5 0 1 255 a", "a picture of 0 x 1 pixels"},
                 {"P5 1 16385 255 a", "a picture of 1 x 16385 pixels"},
                 {"P5 10000 10000 255 a", "expected at most 67108864 in all"},
                 {"P5 1 1 0 a", "its largest value is 0, expected 1 to 65535"},
                 {"P5 1 1 65536 a", "its largest value is 65536"},
                 {"P5 1 1 255", "ends after its header"},
                 {"P5 1 1 255 ", "has 0 bytes of samples, its size needs 1"},
                 {"P5 2 3 256 12345678901", "has 11 bytes of samples, its size needs 12"},
                 {"P6 2 3 255 1234567890123456x", "has 17 bytes of samples, its size needs 18"},
                 {"P5 8000 8000 255 a", "has 1 bytes of samples, its size needs 64000000"},
                 {"P4 9 2 abc", "has 3 bytes of samples, its size needs 4"},
                 {"P5 1 1 9 \n", "a sample is 10, its largest value 9"},
                 {"P5 1 1 255 a b", "1 more bytes follow the picture"},
                 {"P1 2 2 0 1 2 1", "a sample is neither 0 nor 1"},
                 {"P1 2 2 0 1 1   ", "ends before its last sample"},
                 {"P1 9 9 0 1 1", "has 5 bytes of samples, its size needs at least 81"},
                 {"P2 2 1 9 9 10", "a sample is 10, its largest value 9"},
                 {"P2 2 1 9 9    ", "ends before its next sample"},
                 {"P2 2 1 9 9 a", "its next sample is not a number"},
                 {"P3 1 1 9 9 9 9 9", "1 more bytes follow the picture"},
                 {"P3 8000 8000 9 9 9 9", "its size needs at least 383999999"}};
    tl_error why;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert(!parse_copy((const uint8_t *)wrong[i].bytes, strlen(wrong[i].bytes), &why), "%s", wrong[i].bytes);
        cr_assert(strstr(why.text, wrong[i].part), "\"%s\", expected \"%s\"", why.text, wrong[i].part);
    }
    static const char fine[] = "P5 1 1 255 a \r\n";
    cr_assert(parse_copy((const uint8_t *)fine, sizeof fine - 1, &why), "blanks may follow: %s", why.text);
}

Test(pgm, every_changed_byte_is_refused_or_harmless)
{
    static const char *const names[] = {"text.pbm",   "text.pgm",     "text.ppm",  "binary.pbm",
                                        "binary.pgm", "binary16.pgm", "binary.ppm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t   size;
        tl_error why;
        uint8_t *bytes = read_golden(names[i], &size);
        for (size_t n = 0; n < size; n++) {
            parse_copy(bytes, n, &why);
            for (int k = 1; k < 256; k++) {
                bytes[n] ^= (uint8_t)k;
                parse_copy(bytes, size, &why);
                bytes[n] ^= (uint8_t)k;
            }
        }
        cr_assert(parse_copy(bytes, size, &why));
        free(bytes);
    }
}

/* ---- Memory. ---- */

static bool read_and_draw(const uint8_t *bytes, size_t size, tl_error *why)
{
    ag_real    digit[784];
    ds_picture p;
    bool       ok = ds_picture_parse(bytes, size, "file", &p, why) && ds_picture_to_digit(&p, 28, 28, digit, why);
    ds_picture_free(&p);
    return ok;
}

Test(picture, every_failed_allocation_is_reported)
{
    static const char *const names[] = {"rgba8_interlaced.png", "far_copies.png", "binary.pgm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t   size;
        long     made, limit = 0;
        uint8_t *bytes = read_golden(names[i], &size);
        for (bool ok = false; !ok; limit++) {
            tl_error why = {""};
            malloc_watch(limit);
            ok = read_and_draw(bytes, size, &why);
            made = malloc_unwatch();
            cr_assert(ok ? made == limit : strstr(why.text, "out of memory") != NULL, "%s: allocation %ld: %s",
                      names[i], limit, why.text);
        }
        cr_assert(limit > 3, "%s: %ld allocations", names[i], limit - 1);
        free(bytes);
    }
}
