#include "datasets/npy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/file.h"
#include "tools/memory.h"

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

typedef struct header {
    const char *at, *end; /* the text of a dictionary */
    const char *path;
    tl_error   *why;
    bool        big_endian;
    int         size; /* of a number: 4 or 8 bytes */
    ds_npy     *out;
} header;

/* ---- The header: a Python dictionary of three entries. ---- */

static void skip_space(header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n'))
        h->at++;
}

/* Whether the next sign is `c`; if so it is passed. */
static bool take(header *h, char c)
{
    skip_space(h);
    if (h->at == h->end || *h->at != c)
        return false;
    h->at++;
    return true;
}

/* Whether the text goes on with `word`; if so it is passed. */
static bool take_word(header *h, const char *word)
{
    size_t n = strlen(word);
    skip_space(h);
    if ((size_t)(h->end - h->at) < n || memcmp(h->at, word, n) != 0)
        return false;
    h->at += n;
    return true;
}

/* A string between single or double quotes. */
static bool take_string(header *h, char *text, size_t size)
{
    char        quote = take(h, '\'') ? '\'' : take(h, '"') ? '"' : '\0';
    const char *from = h->at;
    while (h->at < h->end && *h->at != quote)
        h->at++;
    size_t n = (size_t)(h->at - from);
    if (!quote || h->at == h->end || n >= size)
        return tl_fail_at(h->why, h->path, "the header is no dictionary of descr, fortran_order and shape");
    memcpy(text, from, n);
    text[n] = '\0';
    h->at++;
    return true;
}

static bool take_dtype(header *h)
{
    char dtype[16];
    if (!take_string(h, dtype, sizeof dtype))
        return false;
    h->big_endian = dtype[0] == '>';
    h->size = !strcmp(dtype + !!*dtype, "f8") ? 8 : 4;
    return ((h->big_endian || dtype[0] == '<') && (h->size == 8 || !strcmp(dtype + 1, "f4"))) ||
           tl_fail_at(
               h->why, h->path,
               "its numbers are %s, expected float32 or float64; convert with x.astype(numpy.float32) before numpy.save",
               dtype);
}

static bool take_order(header *h)
{
    if (take_word(h, "True"))
        return tl_fail_at(h->why, h->path,
                          "in Fortran order, expected C order: numpy.ascontiguousarray before numpy.save makes it so");
    return take_word(h, "False") || tl_fail_at(h->why, h->path, "fortran_order is neither True nor False");
}

static bool take_shape(header *h)
{
    ds_npy *a = h->out;
    if (!take(h, '('))
        return tl_fail_at(h->why, h->path, "its shape is no tuple");
    for (a->rank = 0, a->count = 1; !take(h, ')'); a->rank++) {
        if (a->rank == DS_NPY_MAX_RANK)
            return tl_fail_at(h->why, h->path, "more than %d dimensions", DS_NPY_MAX_RANK);
        int64_t n = 0;
        skip_space(h);
        for (; h->at < h->end && *h->at >= '0' && *h->at <= '9' && n < INT64_MAX / 20; h->at++)
            n = n * 10 + (*h->at - '0');
        if (n < 1 || a->count > INT64_MAX / 8 / n)
            return tl_fail_at(h->why, h->path, "dimension %d is no number of at least 1, or too large", a->rank);
        a->dim[a->rank] = n;
        a->count *= n;
        if (!take(h, ',') && (h->at == h->end || *h->at != ')'))
            return tl_fail_at(h->why, h->path, "its shape is no tuple of numbers");
    }
    return true;
}

static bool read_header(header *h)
{
    unsigned seen = 0;
    char     key[20];
    if (!take(h, '{'))
        return tl_fail_at(h->why, h->path, "the header is no dictionary");
    while (!take(h, '}')) {
        if (!take_string(h, key, sizeof key))
            return false;
        unsigned which = !strcmp(key, "descr") ? 1 : !strcmp(key, "fortran_order") ? 2 : !strcmp(key, "shape") ? 4 : 0;
        if (!which || seen & which || !take(h, ':'))
            return tl_fail_at(h->why, h->path, "the header's key %s is not expected", key);
        seen |= which;
        if (!(which == 1 ? take_dtype(h) : which == 2 ? take_order(h) : take_shape(h)))
            return false;
        if (!take(h, ',') && (h->at == h->end || *h->at != '}'))
            return tl_fail_at(h->why, h->path, "the header is no dictionary");
    }
    skip_space(h);
    if (h->at != h->end)
        return tl_fail_at(h->why, h->path, "the header goes on after its dictionary");
    return seen == 7 || tl_fail_at(h->why, h->path, "the header lacks descr, fortran_order or shape");
}

/* ---- Files. ---- */

static ag_real number(const uint8_t *b, const header *h)
{
    uint64_t bits = 0;
    for (int i = 0; i < h->size; i++)
        bits = bits << 8 | b[h->big_endian ? i : h->size - 1 - i];
    double x;
    float  single;
    if (h->size == 8) {
        memcpy(&x, &bits, sizeof x);
        return (ag_real)x;
    }
    memcpy(&single, &(uint32_t){(uint32_t)bits}, sizeof single);
    return (ag_real)single;
}

bool ds_npy_parse(const uint8_t *bytes, size_t size, const char *path, ds_npy *out, tl_error *why)
{
    if (!out)
        return tl_fail_at(why, path, "no place for the result");
    *out = (ds_npy){0};
    if (!bytes || size < 10 || memcmp(bytes, magic, sizeof magic) != 0 || bytes[6] < 1 || bytes[6] > 3)
        return tl_fail_at(why, path, "is no .npy file");
    size_t width = bytes[6] == 1 ? 2 : 4, begin = 8 + width, length = bytes[8] | (size_t)bytes[9] << 8;
    if (width == 4 && size >= begin)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (size < begin || length > size - begin)
        return tl_fail_at(why, path, "ends within its header");
    header h = {(const char *)bytes + begin, (const char *)bytes + begin + length, path, why, false, 4, out};
    if (!read_header(&h))
        return false;
    const size_t   data = size - begin - length;
    const uint64_t needs = (uint64_t)out->count * (uint64_t)h.size;
    if (data != needs)
        return tl_fail_at(why, path, "%zu bytes of data, its shape needs %" PRIu64, data, needs);
    out->data = tl_array(out->count, 1, sizeof *out->data);
    if (!out->data)
        return tl_fail_at(why, path, "out of memory for %" PRId64 " numbers", out->count);
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = number(bytes + begin + length + (size_t)i * (size_t)h.size, &h);
    return true;
}

bool ds_npy_read(const char *path, ds_npy *out, tl_error *why)
{
    if (!out)
        return tl_fail_at(why, path, "no place for the result");
    size_t size = 0;
    *out = (ds_npy){0};
    uint8_t *bytes = tl_read_file(path, &size, why);
    bool     ok = bytes && ds_npy_parse(bytes, size, path, out, why);
    free(bytes);
    return ok;
}

void ds_npy_free(ds_npy *a)
{
    if (!a)
        return;
    free(a->data);
    *a = (ds_npy){0};
}

/* The shape as Python writes a tuple; the number of elements, or -1. */
static int64_t shape_text(int rank, const int64_t *dim, char *text, size_t size)
{
    int64_t count = 1;
    int     n = 0;
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 1 || count > INT64_MAX / 8 / dim[i])
            return -1;
        n += snprintf(text + n, size - (size_t)n, "%" PRId64 "%s", dim[i], rank == 1 ? "," : i + 1 < rank ? ", " : "");
        count *= dim[i];
    }
    return count;
}

static void write_number(ag_real x, FILE *f)
{
    uint8_t  bytes[sizeof x];
    uint64_t bits = 0;
#ifdef AG_DOUBLE
    memcpy(&bits, &x, sizeof x);
#else
    uint32_t single;
    memcpy(&single, &x, sizeof x);
    bits = single;
#endif
    for (size_t i = 0; i < sizeof x; i++)
        bytes[i] = (uint8_t)(bits >> (8 * i));
    fwrite(bytes, 1, sizeof bytes, f);
}

bool ds_npy_write(FILE *f, int rank, const int64_t *dim, const ag_real *data)
{
    char shape[24 * DS_NPY_MAX_RANK + 1] = "", text[sizeof shape + 80];
    if (!f || !data || rank < 0 || rank > DS_NPY_MAX_RANK || (rank > 0 && !dim))
        return false;
    const int64_t count = shape_text(rank, dim, shape, sizeof shape);
    if (count < 0)
        return false;
    int n = snprintf(text, sizeof text, "{'descr': '<f%d', 'fortran_order': False, 'shape': (%s), }", (int)sizeof *data,
                     shape);
    int length = (10 + n + 1 + 63) / 64 * 64 - 10; /* the data begin at a multiple of 64 */
    fwrite(magic, 1, sizeof magic, f);
    fwrite((uint8_t[]){1, 0, (uint8_t)length, (uint8_t)(length >> 8)}, 1, 4, f);
    fprintf(f, "%s%*s\n", text, length - n - 1, "");
    for (int64_t i = 0; i < count; i++)
        write_number(data[i], f);
    return !ferror(f);
}
