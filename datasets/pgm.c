#include "datasets/pgm.h"

#include <stdlib.h>

#include "datasets/picture_internal.h"
#include "tools/file.h"

typedef struct pgm {
    const uint8_t *at, *end;
    const char    *path;
    tl_error      *why;
    bool           text, bits; /* text or binary samples; a PBM, whose 1 is black */
    int            channels;
    uint32_t       height, width, most;
} pgm;

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Blanks, and comments from # to the end of the line. */
static void skip_blanks(pgm *p)
{
    for (bool comment = false; p->at < p->end && (comment || is_blank(*p->at) || *p->at == '#'); p->at++)
        comment = *p->at == '#' || (comment && *p->at != '\n' && *p->at != '\r');
}

/* A decimal number of at most 9 digits. */
static bool take_number(pgm *p, uint32_t *value, const char *what)
{
    int digits = 0;
    *value = 0;
    skip_blanks(p);
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9' && digits < 9; digits++)
        *value = *value * 10 + (uint32_t)(*p->at++ - '0');
    if (digits == 0)
        return tl_fail_at(p->why, p->path, p->at == p->end ? "ends before its %s" : "its %s is not a number", what);
    return p->at == p->end || is_blank(*p->at) || *p->at == '#' ||
           tl_fail_at(p->why, p->path, "its %s is not a number of at most 9 digits", what);
}

static bool read_header(pgm *p)
{
    const int  kind = p->at[1] - '0';
    const bool two_bytes = p->end - p->at > 3 && p->at[2] == '\r' && p->at[3] == '\n'; /* its lines end in CR LF */
    p->at += 2;
    p->text = kind <= 3;
    p->bits = kind % 3 == 1;
    p->channels = kind % 3 == 0 ? 3 : 1;
    p->most = 1;
    if (p->at < p->end && !is_blank(*p->at) && *p->at != '#')
        return tl_fail_at(p->why, p->path, "no blank after P%d", kind);
    if (!take_number(p, &p->width, "width") || !take_number(p, &p->height, "height") ||
        !ds__picture_check_size(p->height, p->width, p->path, p->why) ||
        (!p->bits && !take_number(p, &p->most, "largest value")))
        return false;
    if (p->most < 1 || p->most > 65535)
        return tl_fail_at(p->why, p->path, "its largest value is %lu, expected 1 to 65535", (unsigned long)p->most);
    if (p->at < p->end && *p->at == '#') /* a comment: the end of its line is the one blank before the samples */
        while (p->at < p->end && *p->at != '\n' && *p->at != '\r')
            p->at++;
    if (p->at == p->end)
        return tl_fail_at(p->why, p->path, "ends after its header");
    p->at++;
    if (two_bytes && p->at[-1] == '\r' && p->at < p->end && *p->at == '\n')
        p->at++;
    return true;
}

/* Bytes of a row of binary samples. */
static size_t row_bytes(const pgm *p)
{
    return p->bits ? (p->width + 7) / 8 : (size_t)p->width * (size_t)p->channels * (p->most > 255 ? 2 : 1);
}

/* Whether the file is as long as the samples need at the least, before storage is taken for them. */
static bool check_length(const pgm *p)
{
    uint64_t samples = (uint64_t)p->height * p->width * (uint64_t)p->channels, left = (uint64_t)(p->end - p->at);
    uint64_t least = !p->text ? p->height * (uint64_t)row_bytes(p) : p->bits ? samples : samples * 2 - 1;
    return left >= least || tl_fail_at(p->why, p->path, "has %llu bytes of samples, its size needs %s%llu",
                                       (unsigned long long)left, p->text ? "at least " : "", (unsigned long long)least);
}

/* A digit 0 or 1; blanks may be left out. */
static bool take_bit(pgm *p, uint32_t *value)
{
    skip_blanks(p);
    if (p->at == p->end || (*p->at != '0' && *p->at != '1'))
        return tl_fail_at(p->why, p->path,
                          p->at == p->end ? "ends before its last sample" : "a sample is neither 0 nor 1");
    *value = *p->at++ == '1';
    return true;
}

/* Sample number i of a row that begins at p->at. */
static uint32_t binary_sample(const pgm *p, size_t i)
{
    if (p->bits)
        return (uint32_t)p->at[i / 8] >> (7 - i % 8) & 1;
    return p->most > 255 ? (uint32_t)p->at[2 * i] << 8 | p->at[2 * i + 1] : p->at[i];
}

static bool take_sample(pgm *p, size_t i, uint32_t *value)
{
    if (!p->text)
        *value = binary_sample(p, i);
    else if (!(p->bits ? take_bit(p, value) : take_number(p, value, "next sample")))
        return false;
    return *value <= p->most || tl_fail_at(p->why, p->path, "a sample is %lu, its largest value %lu",
                                           (unsigned long)*value, (unsigned long)p->most);
}

static bool read_row(pgm *p, uint8_t *grey)
{
    for (size_t x = 0; x < p->width; x++) {
        uint32_t sample[3] = {0};
        for (int c = 0; c < p->channels; c++)
            if (!take_sample(p, x * (size_t)p->channels + (size_t)c, &sample[c]))
                return false;
        if (p->channels == 1)
            sample[1] = sample[2] = sample[0] = p->bits ? 1 - sample[0] : sample[0];
        grey[x] = ds__picture_grey(sample[0], sample[1], sample[2], p->most, p->most);
    }
    if (!p->text)
        p->at += row_bytes(p);
    return true;
}

static bool read_samples(pgm *p, ds_picture *out)
{
    for (int64_t y = 0; y < out->height; y++)
        if (!read_row(p, out->grey + y * out->width))
            return false;
    while (p->at < p->end && is_blank(*p->at))
        p->at++;
    return p->at == p->end ||
           tl_fail_at(p->why, p->path, "%zu more bytes follow the picture", (size_t)(p->end - p->at));
}

bool ds_pgm_parse(const uint8_t *bytes, size_t size, const char *path, ds_picture *out, tl_error *why)
{
    if (!out)
        return tl_fail_at(why, path, "no place for the result");
    *out = (ds_picture){0};
    if (!bytes || size < 2 || bytes[0] != 'P' || bytes[1] < '1' || bytes[1] > '6')
        return tl_fail_at(why, path, "not a PGM, PPM or PBM file: it does not begin with P1 to P6");
    pgm p = {.at = bytes, .end = bytes + size, .path = path, .why = why};
    if (!read_header(&p) || !check_length(&p) || !ds__picture_init(out, p.height, p.width, path, why))
        return false;
    if (read_samples(&p, out))
        return true;
    ds_picture_free(out);
    return false;
}

bool ds_pgm_read(const char *path, ds_picture *out, tl_error *why)
{
    if (!out)
        return tl_fail_at(why, path, "no place for the result");
    size_t size = 0;
    *out = (ds_picture){0};
    uint8_t *bytes = tl_read_file(path, &size, why);
    bool     ok = bytes && ds_pgm_parse(bytes, size, path, out, why);
    free(bytes);
    return ok;
}
