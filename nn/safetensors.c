/* What safetensors files hold, reading and writing them. safetensors_parse.c makes sense of their bytes. */
#include "nn/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bytes.h"
#include "tools/file.h"
#include "tools/memory.h"
#include "tools/stream_internal.h"
#include "tools/text.h"

static const struct {
    const char *name;
    int64_t     size;
} dtypes[NN_DTYPES] = {
    [NN_BOOL] = {"BOOL", 1},       [NN_U8] = {"U8", 1},           [NN_I8] = {"I8", 1},   [NN_F8_E5M2] = {"F8_E5M2", 1},
    [NN_F8_E4M3] = {"F8_E4M3", 1}, [NN_F8_E8M0] = {"F8_E8M0", 1}, [NN_I16] = {"I16", 2}, [NN_U16] = {"U16", 2},
    [NN_F16] = {"F16", 2},         [NN_BF16] = {"BF16", 2},       [NN_I32] = {"I32", 4}, [NN_U32] = {"U32", 4},
    [NN_F32] = {"F32", 4},         [NN_C64] = {"C64", 8},         [NN_F64] = {"F64", 8}, [NN_I64] = {"I64", 8},
    [NN_U64] = {"U64", 8},
};

const char *nn_dtype_name(nn_dtype t)
{
    return (unsigned)t < NN_DTYPES ? dtypes[t].name : "none";
}

int64_t nn_dtype_size(nn_dtype t)
{
    return (unsigned)t < NN_DTYPES ? dtypes[t].size : 0;
}

/* ---- Values. ---- */

/* A number of `exponent` and `mantissa` bits below the sign; the largest exponent is for infinity and NaN. */
static double small_float(unsigned bits, int exponent, int mantissa)
{
    const int bias = (1 << (exponent - 1)) - 1, top = (1 << exponent) - 1;
    int       e = (int)(bits >> mantissa) & top;
    double    m = (double)(bits & ((1u << mantissa) - 1)) / (1u << mantissa);
    double    x = e == top ? (m > 0 ? NAN : INFINITY) : e == 0 ? ldexp(m, 1 - bias) : ldexp(1 + m, e - bias);
    return bits >> (exponent + mantissa) & 1 ? -x : x;
}

/* F8_E4M3 has no infinity, and NaN only where all bits below the sign are set; F8_E8M0 is a power of two. */
static double byte_float(nn_dtype dtype, unsigned bits)
{
    if (dtype == NN_F8_E8M0)
        return bits == 255 ? NAN : ldexp(1, (int)bits - 127);
    if (dtype == NN_F8_E5M2)
        return small_float(bits, 5, 2);
    if ((bits & 0x7f) == 0x7f)
        return NAN;
    int    e = (int)(bits >> 3) & 15;
    double m = (bits & 7) / 8.0, x = e == 0 ? ldexp(m, -6) : ldexp(1 + m, e - 7);
    return bits & 0x80 ? -x : x;
}

double nn_stored_value(const nn_stored_tensor *t, int64_t i)
{
    if (!t || !t->data || i < 0 || i >= t->count)
        return NAN;
    union {
        uint8_t  u8;
        int8_t   i8;
        uint16_t u16;
        int16_t  i16;
        uint32_t u32;
        int32_t  i32;
        uint64_t u64;
        int64_t  i64;
        float    f32;
        double   f64;
    } v = {.u64 = 0};
    const int64_t size = nn_dtype_size(t->dtype);
    tl_file_order(&v, (const char *)t->data + i * size, 1, size);
    switch (t->dtype) {
    case NN_BOOL:
    case NN_U8: return v.u8;
    case NN_I8: return v.i8;
    case NN_U16: return v.u16;
    case NN_I16: return v.i16;
    case NN_F16: return small_float(v.u16, 5, 10);
    case NN_U32: return v.u32;
    case NN_I32: return v.i32;
    case NN_F32: return (double)v.f32;
    case NN_U64: return (double)v.u64;
    case NN_I64: return (double)v.i64;
    case NN_F64: return v.f64;
    case NN_C64: return NAN;
    case NN_BF16: v.u32 = (uint32_t)v.u16 << 16; return (double)v.f32;
    default: return byte_float(t->dtype, v.u8);
    }
}

const char *nn_stored_shape(const nn_stored_tensor *t, char *text, size_t size)
{
    if (!t || !text || size < 1)
        return "";
    size_t at = (size_t)snprintf(text, size, "(");
    for (int i = 0; i < t->rank && at + 24 < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%" PRId64, i ? ", " : "", t->dim[i]);
    snprintf(text + at, size - at, ")");
    return text;
}

/* ---- Finding. ---- */

static int by_name(const void *name, const void *tensor)
{
    return strcmp(name, ((const nn_stored_tensor *)tensor)->name);
}

const nn_stored_tensor *nn_safetensors_tensor(const nn_safetensors *s, const char *name)
{
    return s && name && s->n_tensors ? bsearch(name, s->tensor, (size_t)s->n_tensors, sizeof *s->tensor, by_name)
                                     : NULL;
}

static int by_key(const void *key, const void *text)
{
    return strcmp(key, ((const nn_stored_text *)text)->key);
}

const char *nn_safetensors_text(const nn_safetensors *s, const char *key)
{
    const nn_stored_text *t = s && key && s->n_texts
                                  ? bsearch(key, s->text, (size_t)s->n_texts, sizeof *s->text, by_key)
                                  : NULL;
    return t ? t->value : NULL;
}

void nn_safetensors_free(nn_safetensors *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < sizeof s->memory / sizeof *s->memory; i++)
        free(s->memory[i]);
    *s = (nn_safetensors){0};
}

/* ---- Reading. ---- */

bool nn_safetensors_read(const char *path, nn_safetensors *s, tl_error *why)
{
    if (!s)
        return tl_fail_at(why, path, "no place for the result");
    tl_error reason;
    size_t   size = 0;
    *s = (nn_safetensors){0};
    void *bytes = tl_read_file(path, &size, why);
    if (!bytes)
        return false;
    if (nn_safetensors_parse(bytes, size, s, &reason)) {
        s->memory[4] = bytes;
        return true;
    }
    free(bytes);
    return tl_fail_at(why, path, "%s", reason.text);
}

/* ---- Writing. ---- */

/* Larger elements first, so that each begins at a multiple of its size. */
static int by_size(const void *a, const void *b)
{
    const nn_stored_tensor *x = *(nn_stored_tensor *const *)a, *y = *(nn_stored_tensor *const *)b;
    int64_t                 p = nn_dtype_size(x->dtype), q = nn_dtype_size(y->dtype);
    return p != q ? (p < q) - (p > q) : (x > y) - (x < y);
}

static void write_header(FILE *f, int64_t n_tensors, const nn_stored_tensor *const *tensor, int64_t n_texts,
                         const nn_stored_text *text)
{
    int64_t     at = 0;
    const char *comma = "";
    fputc('{', f);
    if (n_texts > 0) {
        fputs("\"__metadata__\":{", f);
        for (int64_t i = 0; i < n_texts; i++) {
            fputs(i ? "," : "", f);
            tl_print_json(f, text[i].key);
            fputc(':', f);
            tl_print_json(f, text[i].value);
        }
        fputc('}', f);
        comma = ",";
    }
    for (int64_t i = 0; i < n_tensors; i++, comma = ",") {
        const nn_stored_tensor *t = tensor[i];
        int64_t                 end = at + t->count * nn_dtype_size(t->dtype);
        fputs(comma, f);
        tl_print_json(f, t->name);
        fprintf(f, ":{\"dtype\":\"%s\",\"shape\":[", nn_dtype_name(t->dtype));
        for (int k = 0; k < t->rank; k++)
            fprintf(f, "%s%" PRId64, k ? "," : "", t->dim[k]);
        fprintf(f, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", at, end);
        at = end;
    }
    fputc('}', f);
}

/* The header in memory, as its length comes before it; or NULL. */
static char *make_header(int64_t n_tensors, const nn_stored_tensor *const *tensor, int64_t n_texts,
                         const nn_stored_text *text, size_t *length)
{
    tl__stream s;
    if (!tl__stream_open(&s))
        return NULL;
    write_header(s.file, n_tensors, tensor, n_texts, text);
    return tl__stream_close(&s, length);
}

static void write_numbers(FILE *f, const void *data, int64_t count, int64_t size)
{
    unsigned char bytes[8];
    if (!TL_BIG_ENDIAN)
        fwrite(data, (size_t)size, (size_t)count, f);
    for (int64_t i = 0; TL_BIG_ENDIAN && i < count; i++) {
        tl_file_order(bytes, (const char *)data + i * size, 1, size);
        fwrite(bytes, 1, (size_t)size, f);
    }
}

/* The length, the header padded with spaces to a multiple of 8, the data. Errors stay with the stream. */
static void write_file(FILE *f, const char *header, size_t length, int64_t n_tensors,
                       const nn_stored_tensor *const *tensor)
{
    const size_t padding = (8 - length % 8) % 8;
    uint8_t      size[8];
    for (int i = 0; i < 8; i++)
        size[i] = (uint8_t)((uint64_t)(length + padding) >> (8 * i));
    fwrite(size, 1, sizeof size, f);
    fwrite(header, 1, length, f);
    fwrite("        ", 1, padding, f);
    for (int64_t i = 0; i < n_tensors; i++)
        write_numbers(f, tensor[i]->data, tensor[i]->count, nn_dtype_size(tensor[i]->dtype));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A name that is there twice, or NULL. `names` is put in order. */
static const char *twice(int64_t n, const char **names)
{
    qsort(names, (size_t)n, sizeof *names, by_text);
    for (int64_t i = 1; i < n; i++)
        if (!strcmp(names[i - 1], names[i]))
            return names[i];
    return NULL;
}

/* Whether the reader would take all names and texts. */
static bool texts_are_fit(const char *path, int64_t n_tensors, const nn_stored_tensor *tensor, int64_t n_texts,
                          const nn_stored_text *text, tl_error *why)
{
    size_t length = 0;
    for (int64_t i = 0; i < n_tensors; i++) {
        if (!tl_is_utf8(tensor[i].name) || !strcmp(tensor[i].name, "__metadata__"))
            return tl_fail_at(why, path, "%.1900s is no name for a tensor", tensor[i].name ? tensor[i].name : "NULL");
        length += strlen(tensor[i].name) + 200;
    }
    for (int64_t i = 0; i < n_texts; i++) {
        if (!tl_is_utf8(text[i].key) || !tl_is_utf8(text[i].value))
            return tl_fail_at(why, path, "the text of %.1900s is not UTF-8", text[i].key ? text[i].key : "NULL");
        length += strlen(text[i].key) + strlen(text[i].value) + 10;
    }
    return length < 90000000 || tl_fail_at(why, path, "more than 90 MB of names and texts");
}

/* Names and keys each once, and UTF-8: whether the reader would take all of them. */
static bool names_fit(const char *path, int64_t n_tensors, const nn_stored_tensor *tensor, int64_t n_texts,
                      const nn_stored_text *text, tl_error *why)
{
    const char **names = tl_array(n_tensors + n_texts + 1, 1, sizeof *names);
    if (!names)
        return tl_fail_at(why, path, "out of memory");
    for (int64_t i = 0; i < n_tensors; i++)
        names[i] = tensor[i].name;
    for (int64_t i = 0; i < n_texts; i++)
        names[n_tensors + i] = text[i].key;
    const char *again = twice(n_tensors, names);
    again = again ? again : twice(n_texts, names + n_tensors);
    bool ok = !again || tl_fail_at(why, path, "the name %.1900s is there twice", again);
    free(names);
    return ok;
}

bool nn_safetensors_write(const char *path, int64_t n_tensors, const nn_stored_tensor *tensor, int64_t n_texts,
                          const nn_stored_text *text, tl_error *why)
{
    if (n_tensors < 0 || n_texts < 0 || (n_tensors > 0 && !tensor) || (n_texts > 0 && !text))
        return tl_fail_at(why, path, "no tensors or texts to write");
    if (!texts_are_fit(path, n_tensors, tensor, n_texts, text, why) ||
        !names_fit(path, n_tensors, tensor, n_texts, text, why))
        return false;
    tl_output                f;
    size_t                   length = 0;
    char                    *header = NULL;
    const nn_stored_tensor **order = tl_array(n_tensors + 1, 1, sizeof *order);
    for (int64_t i = 0; order && i < n_tensors; i++)
        order[i] = &tensor[i];
    if (order) {
        qsort(order, (size_t)n_tensors, sizeof *order, by_size);
        header = make_header(n_tensors, order, n_texts, text, &length);
    }
    bool ok = header ? tl_output_open(&f, path, why) : tl_fail_at(why, path, "out of memory");
    if (ok) {
        write_file(f.stream, header, length, n_tensors, order);
        ok = tl_output_close(&f, why);
    }
    free(header);
    free(order);
    return ok;
}
