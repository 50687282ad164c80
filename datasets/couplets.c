#include "datasets/couplets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/random_internal.h"
#include "tools/file.h"
#include "tools/text.h"

void ds_couplets_free(ds_couplets *c)
{
    if (!c)
        return;
    free(c->character);
    free(c->token);
    *c = (ds_couplets){0};
}

/* ---- Characters. ---- */

static uint32_t decode(const unsigned char *at, int length)
{
    static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t                   code = at[0] & first[length];
    for (int i = 1; i < length; i++)
        code = code << 6 | (at[i] & 0x3fu);
    return code;
}

int ds_utf8(uint32_t code, char out[5])
{
    if (!out)
        return 0;
    const int length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    const int lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (int i = length - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(lead[length] | (int)code);
    out[length] = 0;
    return length;
}

/* ASCII that is no letter or digit, and the blocks of general and CJK punctuation and of full-width forms. */
static bool is_punctuation(uint32_t c)
{
    const bool ascii_word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return (c < 0x80 && !ascii_word) || c == 0xa0 || c == 0xb7 || (c >= 0x2000 && c < 0x2070) ||
           (c >= 0x3000 && c <= 0x3004) || (c >= 0x3008 && c < 0x3020) || (c >= 0xff00 && c < 0xff10) ||
           (c >= 0xff1a && c < 0xff21) || c == 0xfeff;
}

uint32_t ds_next_character(const char **at, const char *end)
{
    if (!at || !*at || !end)
        return 0;
    while (*at < end) {
        const unsigned char *here = (const unsigned char *)*at;
        const int            length = tl_utf8_length(here, (const unsigned char *)end);
        if (length == 0)
            return UINT32_MAX;
        const uint32_t code = decode(here, length);
        *at += length;
        if (!is_punctuation(code))
            return code;
    }
    return 0;
}

/* ---- Reading. ---- */

/* One line: its characters, *n of them. */
static bool read_line(const char *at, const char *end, uint32_t *code, int64_t *n, const char *path, int64_t line,
                      tl_error *why)
{
    *n = 0;
    for (uint32_t c; (c = ds_next_character(&at, end)) != 0; ++*n) {
        if (c == UINT32_MAX)
            return tl_fail_at(why, path, "line %lld is not UTF-8", (long long)line);
        if (*n == DS_COUPLET_LENGTH)
            return tl_fail_at(why, path, "line %lld has more than %d characters", (long long)line, DS_COUPLET_LENGTH);
        code[*n] = c;
    }
    return true;
}

/* Adds the lines' characters to codes (count, length), or with codes NULL only counts the lines. */
static bool read_lines(const char *bytes, size_t size, const char *path, ds_couplets *c, uint32_t *codes, tl_error *why)
{
    const char *end = bytes + size;
    int64_t     line = 1;
    c->count = 0;
    for (const char *at = bytes, *stop; at < end; at = stop + 1, line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        uint32_t    code[DS_COUPLET_LENGTH];
        int64_t     n;
        stop = newline ? newline : end;
        if (!read_line(at, stop, code, &n, path, line, why))
            return false;
        if (n == 0)
            continue;
        if (c->count == 0 && !codes)
            c->length = n;
        if (n != c->length || n % 2 != 0)
            return tl_fail_at(why, path,
                              n % 2 ? "line %lld has %lld characters; a couplet has an even number"
                                    : "line %lld has %lld characters, the couplets before it have %lld",
                              (long long)line, (long long)n, (long long)c->length);
        if (codes)
            memcpy(codes + c->count * n, code, (size_t)n * sizeof *code);
        c->count++;
    }
    return c->count > 0 || tl_fail_at(why, path, "has no couplets: expected one a line");
}

typedef struct frequency {
    uint32_t code;
    int64_t  count;
} frequency;

static int more_frequent(const void *a, const void *b)
{
    const frequency *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count) - (x->count > y->count)
                                : (x->code > y->code) - (x->code < y->code);
}

/* One more than the largest. */
static size_t codes_end(int64_t n, const uint32_t *code)
{
    uint32_t most = 0;
    for (int64_t i = 0; i < n; i++)
        most = code[i] > most ? code[i] : most;
    return (size_t)most + 1;
}

/* From code points to tokens, by tables over the code points. */
static bool make_tokens(ds_couplets *c, const uint32_t *code, tl_error *why)
{
    const int64_t n = c->count * c->length;
    const size_t  end = codes_end(n, code);
    frequency    *all = calloc(end, sizeof *all);
    int32_t      *token_of = calloc(end, sizeof *token_of);
    c->token = malloc((size_t)n * sizeof *c->token);
    if (all)
        for (int64_t i = 0; i < n; i++)
            all[code[i]] = (frequency){code[i], all[code[i]].count + 1};
    for (size_t i = 0; all && i < end; i++)
        if (all[i].count > 0)
            all[c->characters++] = all[i];
    c->character = malloc((size_t)(c->characters + 1) * sizeof *c->character);
    const bool ok = all && token_of && c->token && c->character;
    if (ok) {
        qsort(all, (size_t)c->characters, sizeof *all, more_frequent);
        for (int64_t i = 0; i < c->characters; i++) {
            c->character[i] = all[i].code;
            token_of[all[i].code] = (int32_t)i;
        }
        for (int64_t i = 0; i < n; i++)
            c->token[i] = (ag_real)token_of[code[i]];
    }
    free(all);
    free(token_of);
    return ok || tl_fail(why, "couplets: out of memory");
}

bool ds_couplets_parse(const void *bytes, size_t size, const char *path, ds_couplets *c, tl_error *why)
{
    if (!c || (!bytes && size > 0))
        return tl_fail_at(why, path, "no bytes to read, or no place for the result");
    *c = (ds_couplets){0};
    if (!read_lines(bytes, size, path, c, NULL, why))
        return false;
    uint32_t *codes = malloc((size_t)(c->count * c->length) * sizeof *codes); /* no more than four times the file */
    bool      ok = codes ? read_lines(bytes, size, path, c, codes, why) : tl_fail(why, "couplets: out of memory");
    ok = ok && make_tokens(c, codes, why);
    free(codes);
    if (!ok)
        ds_couplets_free(c);
    return ok;
}

bool ds_couplets_read(const char *path, ds_couplets *c, tl_error *why)
{
    if (!c)
        return tl_fail_at(why, path, "no place for the result");
    size_t size;
    void  *bytes = tl_read_file(path, &size, why);
    *c = (ds_couplets){0};
    bool ok = bytes && ds_couplets_parse(bytes, size, path, c, why);
    free(bytes);
    return ok;
}

/* ---- Made ones. ---- */

/* A line is scene, verb, place: 2 + 1 + 2 characters. The second line answers with what stands at the same place of the
 * other list, or near it. */
static const char *const scene[2][12] = {
    {"春風", "朝日", "青山", "白雲", "江水", "飛鳥", "落花", "遠客", "古木", "曉霜", "寒雨", "歸帆"},
    {"秋月", "夕陽", "碧海", "清露", "溪聲", "鳴蟬", "垂柳", "故人", "新竹", "暮煙", "晴雪", "漁歌"}};
static const char *const verb[2][10] = {{"過", "滿", "入", "照", "繞", "隨", "見", "送", "生", "歸"},
                                        {"來", "空", "出", "映", "連", "逐", "聞", "留", "落", "向"}};
static const char *const place[2][12] = {
    {"空山", "孤城", "平野", "高樓", "長江", "古寺", "荒村", "石橋", "南浦", "前溪", "北嶺", "東園"},
    {"深谷", "小亭", "遠天", "曲岸", "寒潭", "幽窗", "斷岸", "松門", "西湖", "後庭", "西林", "北窗"}};

static int below(uint64_t *state, int n)
{
    return (int)(ds_random_next(state) % (uint64_t)n);
}

bool ds_couplets_make(int64_t count, uint64_t seed, ds_couplets *c, tl_error *why)
{
    if (!c)
        return tl_fail(why, "couplets: no place for the result");
    const size_t line = 48;
    char        *text = count > 0 && count < 1 << 24 ? malloc((size_t)count * line) : NULL;
    size_t       size = 0;
    *c = (ds_couplets){0};
    if (!text)
        return tl_fail(why, "couplets: %lld of them: out of memory, or not a number of couplets", (long long)count);
    for (int64_t i = 0; i < count; i++) {
        uint64_t  state = (seed ^ (uint64_t)i << 24) * 0x9e3779b97f4a7c15u;
        const int s = below(&state, 12), v = below(&state, 10), p = below(&state, 12);
        const int s2 = (s + below(&state, 2)) % 12, v2 = (v + below(&state, 2)) % 10, p2 = (p + below(&state, 2)) % 12;
        const int n = snprintf(text + size, line, "%s%s%s，%s%s%s。\n", scene[0][s], verb[0][v], place[0][p],
                               scene[1][s2], verb[1][v2], place[1][p2]);
        size += (size_t)n;
    }
    const bool ok = ds_couplets_parse(text, size, "the couplets made here", c, why);
    free(text);
    return ok;
}
