/* Reading safetensors: eight bytes of length, a header in JSON, the data. Strict: whatever the format does not allow is
 * refused, and with it everything in JSON that the format has no use for. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "nn/safetensors.h"
#include "tools/bytes.h"
#include "tools/text.h"

#define MOST_HEADER 100000000 /* bytes: the format's limit */

typedef struct parser {
    const uint8_t  *begin, *at, *end; /* of the header */
    int64_t         data;             /* bytes after it */
    char           *text;             /* where the next string goes */
    int64_t        *dim;              /* where the next size goes */
    int64_t         capacity;         /* tensors that fit */
    int64_t         text_capacity;    /* texts that fit */
    nn_safetensors *s;
    tl_error       *why;
} parser;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static bool
refuse(const parser *p, const char *format, ...)
{
    char    text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return tl_fail(p->why, "byte %lld of the header: %s", (long long)(p->at - p->begin), text);
}

/* ---- JSON, as much of it as there is in a header. ---- */

static void skip_space(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
        p->at++;
}

/* Whether the next sign is `c`; if so it is passed. */
static bool take(parser *p, char c)
{
    skip_space(p);
    if (p->at >= p->end || *p->at != (uint8_t)c)
        return false;
    p->at++;
    return true;
}

static bool expect(parser *p, char c)
{
    return take(p, c) || refuse(p, "expected '%c'", c);
}

/* After an element of a list that `close` ends: *more says whether a comma announces another. */
static bool next_or_close(parser *p, char close, bool *more)
{
    *more = take(p, ',');
    return *more || take(p, close) || refuse(p, "expected ',' or '%c'", close);
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The four digits after \u; below 0 when they are not there. */
static int32_t hex_code(parser *p)
{
    int32_t code = 0;
    for (int i = 0; i < 4; i++, p->at++) {
        int digit = p->at < p->end ? hex_digit(*p->at) : -1;
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code;
}

static void put_utf8(parser *p, int32_t code)
{
    if (code < 0x80) {
        *p->text++ = (char)code;
        return;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *p->text++ = (char)((0xff00 >> (more + 1) & 0xff) | code >> (6 * more));
    while (more-- > 0)
        *p->text++ = (char)(0x80 | (code >> (6 * more) & 0x3f));
}

/* After "\u". A character beyond 16 bits is a pair of surrogates; alone they are none. */
static bool take_code(parser *p)
{
    int32_t code = hex_code(p);
    if (code >= 0xd800 && code < 0xdc00) {
        bool pair = p->end - p->at >= 2 && p->at[0] == '\\' && p->at[1] == 'u';
        p->at += pair ? 2 : 0;
        int32_t low = pair ? hex_code(p) : -1;
        code = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : -1;
    } else if (code >= 0xdc00 && code < 0xe000) {
        code = -1;
    }
    if (code <= 0)
        return refuse(p, code == 0 ? "a name with a NUL in it" : "a bad \\u escape");
    put_utf8(p, code);
    return true;
}

static bool take_escape(parser *p)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint8_t           c = p->at < p->end ? *p->at++ : 0;
    const char       *known = c ? strchr(from, c) : NULL;
    if (known) {
        *p->text++ = to[known - from];
        return true;
    }
    return c == 'u' ? take_code(p) : refuse(p, "a bad escape");
}

/* A string, as a C string in the text memory, or NULL. It takes no more room there than in the file. */
static const char *take_string(parser *p)
{
    const char *begin = p->text;
    if (!expect(p, '"'))
        return NULL;
    while (p->at < p->end && *p->at != '"') {
        if (*p->at == '\\') {
            p->at++;
            if (!take_escape(p))
                return NULL;
            continue;
        }
        int n = tl_utf8_length(p->at, p->end);
        if (n == 0 || *p->at < 0x20) {
            refuse(p, n ? "a control character in a string" : "bad UTF-8");
            return NULL;
        }
        memcpy(p->text, p->at, (size_t)n);
        p->text += n;
        p->at += n;
    }
    if (!expect(p, '"'))
        return NULL;
    *p->text++ = '\0';
    return begin;
}

/* A whole number of at least 0, without sign, point, exponent or leading zeros. */
static bool take_number(parser *p, int64_t *n)
{
    skip_space(p);
    const uint8_t *first = p->at;
    for (*n = 0; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
        int digit = *p->at - '0';
        if (*n > (INT64_MAX - digit) / 10)
            return refuse(p, "a number beyond 63 bits");
        *n = *n * 10 + digit;
    }
    if (p->at == first || (*first == '0' && p->at - first > 1))
        return refuse(p, "expected a whole number");
    return true;
}

/* ---- The header. ---- */

static bool take_texts(parser *p)
{
    bool more = true;
    if (!expect(p, '{'))
        return false;
    if (take(p, '}'))
        return true;
    while (more) {
        if (p->s->n_texts == p->text_capacity) {
            int64_t capacity = 2 * p->text_capacity + 16;
            void   *grown = realloc(p->s->text, (size_t)capacity * sizeof *p->s->text);
            if (!grown)
                return refuse(p, "out of memory");
            p->s->memory[0] = p->s->text = grown;
            p->text_capacity = capacity;
        }
        const char *key = take_string(p), *value = key && expect(p, ':') ? take_string(p) : NULL;
        if (!value || !next_or_close(p, '}', &more))
            return false;
        p->s->text[p->s->n_texts++] = (nn_stored_text){key, value};
    }
    return true;
}

static bool take_dtype(parser *p, nn_stored_tensor *t)
{
    const char *name = take_string(p);
    for (int i = 0; name && i < NN_DTYPES; i++)
        if (!strcmp(name, nn_dtype_name((nn_dtype)i))) {
            t->dtype = (nn_dtype)i;
            return true;
        }
    return name && refuse(p, "%.60s is no dtype that is known", name);
}

static bool take_shape(parser *p, nn_stored_tensor *t)
{
    bool more = true;
    t->dim = p->dim;
    if (!expect(p, '['))
        return false;
    if (take(p, ']'))
        return true;
    while (more) {
        if (!take_number(p, p->dim) || !next_or_close(p, ']', &more))
            return false;
        p->dim++;
        if (++t->rank > 1024)
            return refuse(p, "more than 1024 dimensions");
    }
    return true;
}

static bool take_offsets(parser *p, int64_t offset[2])
{
    return expect(p, '[') && take_number(p, &offset[0]) && expect(p, ',') && take_number(p, &offset[1]) &&
           expect(p, ']');
}

/* Whether shape and dtype fill the bytes between the offsets. */
static bool sizes_agree(parser *p, nn_stored_tensor *t, const int64_t offset[2])
{
    int64_t bytes = nn_dtype_size(t->dtype);
    bool    empty = false;
    for (int i = 0; i < t->rank; i++)
        empty = empty || t->dim[i] == 0;
    for (int i = 0; i < t->rank && !empty; i++) {
        if (bytes > INT64_MAX / t->dim[i])
            return refuse(p, "%.200s: the product of its shape is beyond 63 bits", t->name);
        bytes *= t->dim[i];
    }
    bytes = empty ? 0 : bytes;
    t->count = bytes / nn_dtype_size(t->dtype);
    if (offset[1] < offset[0])
        return refuse(p, "%.200s: its data end before they begin", t->name);
    return offset[1] - offset[0] == bytes || refuse(p, "%.200s: %lld bytes of data, its shape and dtype need %lld",
                                                    t->name, (long long)(offset[1] - offset[0]), (long long)bytes);
}

static bool take_tensor(parser *p, const char *name)
{
    nn_stored_tensor t = {.name = name};
    int64_t          offset[2] = {0, 0};
    unsigned         seen = 0;
    bool             more = true;
    if (!expect(p, '{'))
        return false;
    while (more) {
        const char *key = take_string(p);
        if (!key || !expect(p, ':'))
            return false;
        unsigned which = !strcmp(key, "dtype") ? 1 : !strcmp(key, "shape") ? 2 : !strcmp(key, "data_offsets") ? 4 : 0;
        if (!which || seen & which)
            return refuse(p, "%.200s: the key %.60s %s", name, key, which ? "is there twice" : "has no meaning");
        seen |= which;
        if (!(which == 1 ? take_dtype(p, &t) : which == 2 ? take_shape(p, &t) : take_offsets(p, offset)))
            return false;
        if (!next_or_close(p, '}', &more))
            return false;
    }
    if (seen != 7)
        return refuse(p, "%.200s: dtype, shape and data_offsets are expected", name);
    if (!sizes_agree(p, &t, offset))
        return false;
    if (offset[1] > p->data)
        return refuse(p, "%.200s: its data end at %lld, the file has %lld bytes of data", name, (long long)offset[1],
                      (long long)p->data);
    if (p->s->n_tensors == p->capacity)
        return refuse(p, "out of memory");
    t.data = p->end + offset[0];
    p->s->tensor[p->s->n_tensors++] = t;
    return true;
}

static bool take_header(parser *p)
{
    bool more = true, texts = false;
    if (p->at >= p->end || *p->at != '{')
        return refuse(p, "expected '{'");
    p->at++;
    if (take(p, '}'))
        more = false;
    while (more) {
        const char *name = take_string(p);
        if (!name || !expect(p, ':'))
            return false;
        bool is_texts = !strcmp(name, "__metadata__");
        if (is_texts && texts)
            return refuse(p, "__metadata__ is there twice");
        texts = texts || is_texts;
        if (!(is_texts ? take_texts(p) : take_tensor(p, name)) || !next_or_close(p, '}', &more))
            return false;
    }
    skip_space(p);
    return p->at == p->end || refuse(p, "more than one value");
}

/* ---- What holds for all tensors together. ---- */

static int by_place(const void *a, const void *b)
{
    const nn_stored_tensor *x = a, *y = b;
    if (x->data != y->data)
        return (const char *)x->data < (const char *)y->data ? -1 : 1;
    return (x->count > 0) - (y->count > 0); /* empty ones before what begins at the same place */
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const nn_stored_tensor *)a)->name, ((const nn_stored_tensor *)b)->name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const nn_stored_text *)a)->key, ((const nn_stored_text *)b)->key);
}

/* Data follow one another without gap or overlap from the header to the end; no name is there twice. */
static bool check_all(parser *p)
{
    nn_safetensors *s = p->s;
    const char     *at = (const char *)p->end;
    qsort(s->tensor, (size_t)s->n_tensors, sizeof *s->tensor, by_place);
    for (int64_t i = 0; i < s->n_tensors; i++) {
        if ((const char *)s->tensor[i].data != at)
            return refuse(p, "%.200s: its data begin at %lld, expected %lld", s->tensor[i].name,
                          (long long)((const char *)s->tensor[i].data - (const char *)p->end),
                          (long long)(at - (const char *)p->end));
        at += s->tensor[i].count * nn_dtype_size(s->tensor[i].dtype);
    }
    if (at - (const char *)p->end != p->data)
        return refuse(p, "the tensors end at %lld, the file has %lld bytes of data",
                      (long long)(at - (const char *)p->end), (long long)p->data);
    qsort(s->tensor, (size_t)s->n_tensors, sizeof *s->tensor, by_name);
    for (int64_t i = 1; i < s->n_tensors; i++)
        if (by_name(&s->tensor[i - 1], &s->tensor[i]) == 0)
            return refuse(p, "the name %.200s is there twice", s->tensor[i].name);
    if (s->n_texts > 0)
        qsort(s->text, (size_t)s->n_texts, sizeof *s->text, by_key);
    for (int64_t i = 1; i < s->n_texts; i++)
        if (by_key(&s->text[i - 1], &s->text[i]) == 0)
            return refuse(p, "the key %.200s is there twice", s->text[i].key);
    return true;
}

/* Strings take no more room than in the header; a size takes two bytes of it at least, a tensor some fifty. */
static bool make_room(parser *p, int64_t header)
{
    nn_safetensors *s = p->s;
    p->capacity = header / 40 + 1;
    s->memory[1] = s->tensor = malloc((size_t)p->capacity * sizeof *s->tensor);
    s->memory[2] = p->text = malloc((size_t)header + 1);
    s->memory[3] = p->dim = malloc((size_t)(header / 2 + 1) * sizeof *p->dim);
    return (s->tensor && p->text && p->dim) || refuse(p, "out of memory");
}

bool nn_safetensors_parse(const void *bytes, size_t size, nn_safetensors *s, tl_error *why)
{
    if (!s || (!bytes && size > 0))
        return tl_fail(why, "no bytes to read, or no place for the result");
    uint64_t header;
    tl_error unread;
    why = why ? why : &unread;
    *s = (nn_safetensors){0};
    if (!bytes || size < sizeof header) {
        tl_fail(why, "%zu bytes, a safetensors file has at least 8", bytes ? size : 0);
        return false;
    }
    tl_file_order(&header, bytes, 1, sizeof header);
    if (header > MOST_HEADER || header > size - sizeof header) {
        tl_fail(why, "no safetensors: a header of %llu bytes in a file of %zu", (unsigned long long)header, size);
        return false;
    }
    const uint8_t *begin = (const uint8_t *)bytes + sizeof header;
    parser         p = {.begin = begin,
                        .at = begin,
                        .end = begin + header,
                        .data = (int64_t)(size - sizeof header - header),
                        .s = s,
                        .why = why};
    bool           ok = make_room(&p, (int64_t)header) && take_header(&p) && check_all(&p);
    if (!ok)
        nn_safetensors_free(s);
    return ok;
}
