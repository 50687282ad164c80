#include "tools/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bytes.h"

/* ---- Numbers. ---- */

/* What printf writes is C's but for the locale's decimal point, which is whatever is none of C's own characters. */
static void undo_locale(char *text)
{
    static const char c_has[] = "0123456789abcdefxpn+-.";
    size_t            begin = strspn(text, c_has), end = begin;
    while (text[end] && !strchr(c_has, text[end]))
        end++;
    if (end == begin)
        return;
    text[begin] = '.';
    memmove(text + begin + 1, text + end, strlen(text + end) + 1);
}

static tl_text not_finite(double x)
{
    tl_text t = {"nan"};
    if (isinf(x))
        strcpy(t.s, x > 0 ? "inf" : "-inf");
    return t;
}

tl_text tl_number_text(double x, int digits)
{
    tl_text t;
    if (!isfinite(x))
        return not_finite(x);
    snprintf(t.s, sizeof t.s, "%.*g", digits < 1 ? 1 : digits > 17 ? 17 : digits, x);
    undo_locale(t.s);
    return t;
}

tl_text tl_exact_text(double x)
{
    tl_text t;
    if (!isfinite(x))
        return not_finite(x);
    snprintf(t.s, sizeof t.s, "%a", x);
    undo_locale(t.s);
    return t;
}

bool tl_parse_number(const char *text, double *x)
{
    if (!x)
        return false;
    char   copy[400], point[8];
    size_t n = 0;
    *x = 0;
    if (!text || !*text || strspn(text, "0123456789abcdefABCDEFxXpPnNiItTyY+-.") != strlen(text))
        return false;
    snprintf(point, sizeof point, "%.1f", 0.0); /* 0, the locale's decimal point, 0 */
    point[strlen(point) - 1] = '\0';
    for (; *text; text++) {
        const char *part = *text == '.' ? point + 1 : (const char[]){*text, '\0'};
        if (n + strlen(part) >= sizeof copy)
            return false;
        memcpy(copy + n, part, strlen(part));
        n += strlen(part);
    }
    copy[n] = '\0';
    char *end;
    *x = strtod(copy, &end);
    return end == copy + n;
}

bool tl_parse_int(const char *text, int64_t *n)
{
    if (!n)
        return false;
    char *end;
    *n = 0;
    if (!text || !*text || strspn(text, "0123456789+-") != strlen(text))
        return false;
    errno = 0;
    *n = strtoll(text, &end, 10);
    return !*end && !errno;
}

bool tl_parse_uint(const char *text, uint64_t *n)
{
    if (!n)
        return false;
    char *end;
    *n = 0;
    if (!text || !*text || strspn(text, "0123456789") != strlen(text))
        return false;
    errno = 0;
    *n = strtoull(text, &end, 10);
    return !*end && !errno;
}

/* ---- UTF-8. ---- */

int tl_utf8_length(const unsigned char *c, const unsigned char *end)
{
    if (c >= end)
        return 0;
    if (*c < 0x80)
        return 1;
    int n = *c >= 0xc2 && *c < 0xe0 ? 2 : *c >= 0xe0 && *c < 0xf0 ? 3 : *c >= 0xf0 && *c < 0xf5 ? 4 : 0;
    if (n == 0 || end - c < n)
        return 0;
    for (int i = 1; i < n; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    bool bad = (*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] > 0x9f) || (*c == 0xf0 && c[1] < 0x90) ||
               (*c == 0xf4 && c[1] > 0x8f);
    return bad ? 0 : n;
}

bool tl_is_utf8(const char *text)
{
    if (!text)
        return false;
    const unsigned char *at = (const unsigned char *)text, *end = at + strlen(text);
    for (int n; at < end; at += n)
        if ((n = tl_utf8_length(at, end)) == 0)
            return false;
    return true;
}

static uint32_t code_of(const unsigned char *c, int length)
{
    uint32_t code = length == 1 ? *c : *c & (0x7fu >> length);
    for (int i = 1; i < length; i++)
        code = code << 6 | (c[i] & 0x3f);
    return code;
}

/* Characters that a terminal obeys, or that hide or reorder their neighbours. */
static bool is_hidden(uint32_t code)
{
    static const uint32_t ranges[][2] = {{0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},      {0x61c, 0x61c},
                                         {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},  {0x2060, 0x206f},
                                         {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return true;
    return false;
}

/* One character of a text, escaped, into out[16]; returns how many bytes of the text it took. */
static int escape_one(const unsigned char *c, const unsigned char *end, char *out)
{
    int      length = tl_utf8_length(c, end);
    uint32_t code = length ? code_of(c, length) : *c;
    if (!length || (code < 0x100 && is_hidden(code))) {
        if (code == '\n' || code == '\t' || code == '\r')
            snprintf(out, 16, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
        else
            snprintf(out, 16, "\\x%02x", (unsigned)code);
        return length ? length : 1;
    }
    if (is_hidden(code)) {
        snprintf(out, 16, code < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)code);
        return length;
    }
    memcpy(out, c, (size_t)length);
    out[length] = '\0';
    return length;
}

const char *tl_escape(const char *text, char *out, size_t size)
{
    if (!out)
        return NULL;
    text = text ? text : "NULL";
    const unsigned char *c = (const unsigned char *)text, *end = c + strlen(text);
    size_t               at = 0;
    if (size == 0)
        return out;
    while (c < end) {
        char one[16];
        c += escape_one(c, end, one);
        if (at + strlen(one) >= size)
            break;
        memcpy(out + at, one, strlen(one));
        at += strlen(one);
    }
    out[at] = '\0';
    return out;
}

void tl_print_escaped(FILE *f, const char *text)
{
    if (!f)
        return;
    text = text ? text : "NULL";
    const unsigned char *c = (const unsigned char *)text, *end = c + strlen(text);
    while (c < end) {
        char one[16];
        c += escape_one(c, end, one);
        fputs(one, f);
    }
}

void tl_print_json(FILE *f, const char *text)
{
    if (!f)
        return;
    text = text ? text : "";
    const unsigned char *c = (const unsigned char *)text, *end = c + strlen(text);
    fputc('"', f);
    for (int length; c < end; c += length) {
        length = tl_utf8_length(c, end) > 0 ? tl_utf8_length(c, end) : 1;
        uint32_t code = code_of(c, length);
        if (code == '"' || code == '\\')
            fprintf(f, "\\%c", (int)code);
        else if (is_hidden(code) && code < 0x10000)
            fprintf(f, "\\u%04x", (unsigned)code);
        else if (is_hidden(code))
            fprintf(f, "\\u%04x\\u%04x", 0xd7c0 + (unsigned)(code >> 10), 0xdc00 + (unsigned)(code & 0x3ff));
        else
            fwrite(c, 1, (size_t)length, f);
    }
    fputc('"', f);
}

/* ---- The rest. ---- */

uint64_t tl_hash(uint64_t hash, const void *bytes, size_t n)
{
    if (!bytes)
        return hash;
    for (const unsigned char *b = bytes, *end = b + n; b < end; b++)
        hash = (hash ^ *b) * 0x100000001b3u;
    return hash;
}

uint64_t tl_hash_numbers(uint64_t hash, const void *numbers, int64_t n, size_t size)
{
    unsigned char one[8];
    if (!numbers || n < 1 || size > sizeof one)
        return hash;
    if (!TL_BIG_ENDIAN)
        return tl_hash(hash, numbers, (size_t)n * size);
    for (int64_t i = 0; i < n; i++) {
        tl_file_order(one, (const char *)numbers + (size_t)i * size, 1, (int64_t)size);
        hash = tl_hash(hash, one, size);
    }
    return hash;
}

char *tl_copy(const char *text)
{
    const size_t size = text ? strlen(text) + 1 : 0;
    char        *copy = size ? malloc(size) : NULL;
    return copy ? memcpy(copy, text, size) : NULL;
}

bool tl_ends_with(const char *text, const char *end)
{
    if (!end)
        return false;
    size_t n = text ? strlen(text) : 0, m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}
