#include "datasets/npy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/file_internal.h"

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

typedef struct header {
    const char *at, *end; /* the text of a dictionary */
    const char *path;
    ds_error   *error;
    bool        big_endian;
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
    char quote = take(h, '\'') ? '\'' : take(h, '"') ? '"' : '\0';
    const char *from = h->at;
    while (h->at < h->end && *h->at != quote)
        h->at++;
    size_t n = (size_t)(h->at - from);
    if (!quote || h->at == h->end || n >= size)
        return ds_fail(h->error, h->path, "the header is no dictionary of descr, fortran_order and shape");
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
    h->big_endian = !strcmp(dtype, ">f4");
    return h->big_endian || !strcmp(dtype, "<f4") || ds_fail(h->error, h->path, "its numbers are %s, expected <f4 or >f4 (float32)", dtype);
}

static bool take_order(header *h)
{
    if (take_word(h, "True"))
        return ds_fail(h->error, h->path, "in Fortran order, expected C order: numpy.ascontiguousarray before numpy.save makes it so");
    return take_word(h, "False") || ds_fail(h->error, h->path, "fortran_order is neither True nor False");
}

static bool take_shape(header *h)
{
    ds_npy *a = h->out;
    if (!take(h, '('))
        return ds_fail(h->error, h->path, "its shape is no tuple");
    for (a->rank = 0, a->count = 1; !take(h, ')'); a->rank++) {
        if (a->rank == DS_NPY_MAX_RANK)
            return ds_fail(h->error, h->path, "more than %d dimensions", DS_NPY_MAX_RANK);
        int64_t n = 0;
        skip_space(h);
        for (; h->at < h->end && *h->at >= '0' && *h->at <= '9' && n < INT64_MAX / 20; h->at++)
            n = n * 10 + (*h->at - '0');
        if (n < 1 || a->count > INT64_MAX / 8 / n)
            return ds_fail(h->error, h->path, "dimension %d is no number of at least 1, or too large", a->rank);
        a->dim[a->rank] = n;
        a->count *= n;
        if (!take(h, ',') && (h->at == h->end || *h->at != ')'))
            return ds_fail(h->error, h->path, "its shape is no tuple of numbers");
    }
    return true;
}

static bool read_header(header *h)
{
    unsigned seen = 0;
    char key[20];
    if (!take(h, '{'))
        return ds_fail(h->error, h->path, "the header is no dictionary");
    while (!take(h, '}')) {
        if (!take_string(h, key, sizeof key))
            return false;
        unsigned which = !strcmp(key, "descr") ? 1 : !strcmp(key, "fortran_order") ? 2 : !strcmp(key, "shape") ? 4 : 0;
        if (!which || seen & which || !take(h, ':'))
            return ds_fail(h->error, h->path, "the header's key %s is not expected", key);
        seen |= which;
        if (!(which == 1 ? take_dtype(h) : which == 2 ? take_order(h) : take_shape(h)))
            return false;
        if (!take(h, ',') && (h->at == h->end || *h->at != '}'))
            return ds_fail(h->error, h->path, "the header is no dictionary");
    }
    return seen == 7 || ds_fail(h->error, h->path, "the header lacks descr, fortran_order or shape");
}

/* ---- Files. ---- */

static float number(const uint8_t *b, bool big_endian)
{
    uint32_t u = big_endian ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]
                            : (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

bool ds_npy_parse(const uint8_t *bytes, size_t size, const char *path, ds_npy *out, ds_error *error)
{
    *out = (ds_npy){0};
    if (!bytes || size < 10 || memcmp(bytes, magic, sizeof magic) != 0 || bytes[6] < 1 || bytes[6] > 3)
        return ds_fail(error, path, "is no .npy file");
    size_t width = bytes[6] == 1 ? 2 : 4, begin = 8 + width, length = bytes[8] | (size_t)bytes[9] << 8;
    if (width == 4 && size >= begin)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (size < begin || length > size - begin)
        return ds_fail(error, path, "ends within its header");
    header h = {(const char *)bytes + begin, (const char *)bytes + begin + length, path, error, false, out};
    if (!read_header(&h))
        return false;
    size_t data = size - begin - length;
    if ((uint64_t)data != (uint64_t)out->count * sizeof(float))
        return ds_fail(error, path, "%zu bytes of data, its shape needs %" PRIu64, data, (uint64_t)out->count * sizeof(float));
    out->data = malloc(data);
    if (!out->data)
        return ds_fail(error, path, "out of memory (%zu bytes)", data);
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = number(bytes + begin + length + 4 * i, h.big_endian);
    return true;
}

bool ds_npy_read(const char *path, ds_npy *out, ds_error *error)
{
    size_t size = 0;
    *out = (ds_npy){0};
    uint8_t *bytes = ds_read_whole(path, &size, error);
    bool ok = bytes && ds_npy_parse(bytes, size, path, out, error);
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

bool ds_npy_write(FILE *f, int rank, const int64_t *dim, const float *data)
{
    char text[64 + 24 * DS_NPY_MAX_RANK];
    int64_t count = 1;
    if (!f || !data || rank < 0 || rank > DS_NPY_MAX_RANK)
        return false;
    int n = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < rank; i++) {
        n += snprintf(text + n, sizeof text - (size_t)n, "%" PRId64 "%s", dim[i], rank == 1 ? "," : i + 1 < rank ? ", " : "");
        count *= dim[i];
    }
    n += snprintf(text + n, sizeof text - (size_t)n, "), }");
    int length = (10 + n + 1 + 63) / 64 * 64 - 10; /* the data begin at a multiple of 64 */
    fwrite(magic, 1, sizeof magic, f);
    fwrite((uint8_t[]){1, 0, (uint8_t)length, (uint8_t)(length >> 8)}, 1, 4, f);
    fprintf(f, "%s%*s\n", text, length - n - 1, "");
    for (int64_t i = 0; i < count; i++) {
        uint32_t u;
        memcpy(&u, &data[i], sizeof u);
        fwrite((uint8_t[]){(uint8_t)u, (uint8_t)(u >> 8), (uint8_t)(u >> 16), (uint8_t)(u >> 24)}, 1, 4, f);
    }
    return !ferror(f);
}
