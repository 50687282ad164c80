#include "datasets/inflate.h"

#include <string.h>

#include "tools/checksum_internal.h"

/* Section numbers are RFC 1951's. An error is recorded once, by `broken`; after it every step returns false. */

enum {
    LONGEST = 15,  /* bits of a code */
    QUICK = 10,    /* bits of the codes that one look into a table decodes */
    SYMBOLS = 288, /* of the largest alphabet */
    END_OF_BLOCK = 256,
};

/* A canonical Huffman code (3.2.2). */
typedef struct huffman {
    uint16_t count[LONGEST + 1]; /* codes of each length */
    uint16_t symbol[SYMBOLS];    /* in the order of their codes */
    uint16_t
        quick[1 << QUICK]; /* by the next bits: symbol * 16 + length; 0 where the code is longer or there is none */
} huffman;

typedef struct stream {
    const uint8_t *at, *end;
    uint64_t       bits; /* taken from the input and not yet used, the first lowest; above `count` all are 0 */
    int            count;
    uint8_t       *out;
    size_t         made, expected;
    huffman        literals, distances; /* of the block */
    bool           fixed;               /* these are the fixed codes */
    const char    *path;
    tl_error      *why;
} stream;

static bool broken(const stream *s, const char *what)
{
    return tl_fail_at(s->why, s->path, "damaged compressed data: %s", what);
}

/* ---- Bits. ---- */

static void fill(stream *s)
{
    for (; s->count <= 56 && s->at < s->end; s->count += 8)
        s->bits |= (uint64_t)*s->at++ << s->count;
}

static bool drop(stream *s, int n)
{
    if (n > s->count)
        return broken(s, "they end too early");
    s->bits >>= n;
    s->count -= n;
    return true;
}

/* The next n bits, n at most 16. */
static bool take(stream *s, int n, unsigned *value)
{
    fill(s);
    *value = (unsigned)s->bits & ((1u << n) - 1);
    return drop(s, n);
}

/* ---- Huffman codes. ---- */

/* Enters a code, whose first bit is its highest, for every index that begins with it; an index has its first bit
 * lowest. */
static void enter(huffman *h, unsigned code, int length, int symbol)
{
    unsigned reversed = 0;
    for (int i = 0; i < length; i++)
        reversed |= (code >> i & 1) << (length - 1 - i);
    for (; reversed < 1u << QUICK; reversed += 1u << length)
        h->quick[reversed] = (uint16_t)(symbol * 16 + length);
}

/* Builds the code of n symbols from their lengths. Returns how many codes of LONGEST bits are left over: 0 for a
 * complete code, below 0 for an impossible one. */
static int build(huffman *h, const uint8_t *length, int n)
{
    uint16_t offset[LONGEST + 2] = {0};
    unsigned next[LONGEST + 2] = {0};
    int      left = 1;
    memset(h, 0, sizeof *h);
    for (int i = 0; i < n; i++)
        h->count[length[i]]++;
    h->count[0] = 0;
    for (int bits = 1; bits <= LONGEST; bits++) {
        left = left * 2 - h->count[bits];
        if (left < 0)
            return left;
        offset[bits + 1] = (uint16_t)(offset[bits] + h->count[bits]);
        next[bits + 1] = (next[bits] + h->count[bits]) * 2;
    }
    for (int i = 0; i < n; i++)
        if (length[i]) {
            h->symbol[offset[length[i]]++] = (uint16_t)i;
            unsigned code = next[length[i]]++;
            if (length[i] <= QUICK)
                enter(h, code, length[i], i);
        }
    return left;
}

/* Codes that the table does not hold: bit by bit, as the first code of each length is known. */
static bool decode_slowly(stream *s, const huffman *h, unsigned *symbol)
{
    int code = 0, first = 0, index = 0;
    for (int bits = 1; bits <= LONGEST; bits++) {
        code |= (int)(s->bits >> (bits - 1) & 1);
        if (code - first < h->count[bits]) {
            *symbol = h->symbol[index + code - first];
            return drop(s, bits);
        }
        index += h->count[bits];
        first = (first + h->count[bits]) * 2;
        code *= 2;
    }
    return broken(s, s->count < LONGEST ? "they end too early" : "a code that stands for nothing");
}

static bool decode(stream *s, const huffman *h, unsigned *symbol)
{
    fill(s);
    unsigned found = h->quick[s->bits & ((1u << QUICK) - 1)];
    if (!found)
        return decode_slowly(s, h, symbol);
    *symbol = found >> 4;
    return drop(s, found & 15);
}

/* ---- Blocks. ---- */

static bool has_room(const stream *s, size_t n)
{
    return n <= s->expected - s->made ||
           tl_fail_at(s->why, s->path, "its compressed data make more than the %zu bytes that its size needs",
                      s->expected);
}

/* 3.2.4: whole bytes behind a length and its complement. */
static bool copy_stored(stream *s)
{
    unsigned length, complement;
    drop(s, s->count % 8);
    if (!take(s, 16, &length) || !take(s, 16, &complement))
        return false;
    if (length != (~complement & 0xffff))
        return broken(s, "a stored block's length does not match its complement");
    s->at -= s->count / 8;
    s->bits = 0;
    s->count = 0;
    if ((size_t)(s->end - s->at) < length)
        return broken(s, "they end too early");
    if (!has_room(s, length))
        return false;
    memcpy(s->out + s->made, s->at, length);
    s->at += length;
    s->made += length;
    return true;
}

/* Repeats `length` bytes of the output; the source may overlap what is written. */
static bool copy_back(stream *s, unsigned length, unsigned distance)
{
    if (distance > s->made)
        return tl_fail_at(s->why, s->path, "damaged compressed data: a copy from %u bytes back, after only %zu",
                          distance, s->made);
    if (!has_room(s, length))
        return false;
    uint8_t *to = s->out + s->made;
    for (unsigned i = 0; i < length; i++)
        to[i] = to[(ptrdiff_t)i - (ptrdiff_t)distance];
    s->made += length;
    return true;
}

/* 3.2.5: the length that a symbol above 256 begins, and the distance after it. */
static bool copy_match(stream *s, unsigned symbol)
{
    static const uint16_t length_base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                           31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t  length_bits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                           2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static const uint16_t distance_base[] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                             33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                             1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    unsigned              more, further, code;
    symbol -= END_OF_BLOCK + 1;
    if (symbol >= sizeof length_bits)
        return broken(s, "a length that does not exist");
    if (!take(s, length_bits[symbol], &more) || !decode(s, &s->distances, &code))
        return false;
    if (code >= sizeof distance_base / sizeof *distance_base)
        return broken(s, "a distance that does not exist");
    if (!take(s, code < 2 ? 0 : (int)code / 2 - 1, &further))
        return false;
    return copy_back(s, length_base[symbol] + more, distance_base[code] + further);
}

/* 3.2.3: literals and copies, up to the end of the block. */
static bool decode_block(stream *s)
{
    for (unsigned symbol = 0;;) {
        if (!decode(s, &s->literals, &symbol))
            return false;
        if (symbol == END_OF_BLOCK)
            return true;
        if (symbol > END_OF_BLOCK) {
            if (!copy_match(s, symbol))
                return false;
        } else {
            if (!has_room(s, 1))
                return false;
            s->out[s->made++] = (uint8_t)symbol;
        }
    }
}

/* 3.2.6 */
static bool inflate_fixed(stream *s)
{
    uint8_t length[SYMBOLS];
    if (!s->fixed) {
        for (int i = 0; i < SYMBOLS; i++)
            length[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
        build(&s->literals, length, SYMBOLS);
        memset(length, 5, 32);
        build(&s->distances, length, 32);
        s->fixed = true;
    }
    return decode_block(s);
}

/* 3.2.7: n code lengths, themselves coded: 16 repeats the last one, 17 and 18 repeat 0. */
static bool read_lengths(stream *s, uint8_t *length, int n)
{
    for (int i = 0; i < n;) {
        unsigned symbol, more = 0;
        if (!decode(s, &s->literals, &symbol))
            return false;
        if (symbol < 16) {
            length[i++] = (uint8_t)symbol;
            continue;
        }
        if (!take(s, symbol == 16 ? 2 : symbol == 17 ? 3 : 7, &more))
            return false;
        int times = (int)more + (symbol == 18 ? 11 : 3);
        if ((symbol == 16 && i == 0) || times > n - i)
            return broken(s, "a repeated code length has none before it, or goes beyond the last");
        memset(length + i, symbol == 16 ? length[i - 1] : 0, (size_t)times);
        i += times;
    }
    return true;
}

/* As zlib does: a code must be complete, except that one of a single symbol may have one bit, and distances may have no
 * code. */
static bool build_checked(const stream *s, huffman *h, const uint8_t *length, int n, const char *what)
{
    int left = build(h, length, n), longest = LONGEST;
    while (left > 0 && longest > 0 && h->count[longest] == 0)
        longest--;
    return left == 0 || (left > 0 && longest <= 1) || broken(s, what);
}

static bool inflate_dynamic(stream *s)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t              length[SYMBOLS + 32] = {0};
    unsigned             n_literals, n_distances, n_lengths, x;
    if (!take(s, 5, &n_literals) || !take(s, 5, &n_distances) || !take(s, 4, &n_lengths))
        return false;
    s->fixed = false;
    n_literals += 257, n_distances += 1, n_lengths += 4;
    if (n_literals > 286 || n_distances > 30)
        return broken(s, "more than 286 literals and lengths, or more than 30 distances");
    for (unsigned i = 0; i < n_lengths; i++) {
        if (!take(s, 3, &x))
            return false;
        length[order[i]] = (uint8_t)x;
    }
    if (build(&s->literals, length, 19) != 0)
        return broken(s, "the code of the code lengths is not complete");
    memset(length, 0, 19);
    if (!read_lengths(s, length, (int)(n_literals + n_distances)))
        return false;
    if (!length[END_OF_BLOCK])
        return broken(s, "a block without an end");
    return build_checked(s, &s->literals, length, (int)n_literals, "the code of the literals is not complete") &&
           build_checked(s, &s->distances, length + n_literals, (int)n_distances,
                         "the code of the distances is not complete") &&
           decode_block(s);
}

static bool inflate_blocks(stream *s)
{
    for (unsigned last = 0, type; !last;) {
        if (!take(s, 1, &last) || !take(s, 2, &type))
            return false;
        if (type == 3)
            return broken(s, "a block of type 3");
        if (!(type == 0 ? copy_stored(s) : type == 1 ? inflate_fixed(s) : inflate_dynamic(s)))
            return false;
    }
    return true;
}

/* ---- The zlib stream around them (RFC 1950). ---- */

static bool check_end(stream *s)
{
    s->at -= s->count / 8;
    if (s->made != s->expected)
        return tl_fail_at(s->why, s->path, "its compressed data make %zu bytes, its size needs %zu", s->made,
                          s->expected);
    if (s->end - s->at < 4)
        return broken(s, "they end within their checksum");
    if (s->end - s->at > 4)
        return broken(s, "more bytes follow their end");
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION /* a fuzzer never guesses one */
    const uint32_t stored = tl__big_endian(s->at), computed = tl__adler32(s->out, s->made);
    if (stored != computed)
        return tl_fail_at(s->why, s->path, "damaged compressed data: their Adler-32 is %08x, the file says %08x",
                          (unsigned)computed, (unsigned)stored);
#endif
    return true;
}

bool ds_inflate(const uint8_t *bytes, size_t size, uint8_t *out, size_t expected, const char *path, tl_error *why)
{
    if ((!bytes && size > 0) || (!out && expected > 0))
        return tl_fail_at(why, path, "no bytes to read, or no place for the result");
    stream s = {.at = bytes, .end = bytes + size, .out = out, .expected = expected, .path = path, .why = why};
    if (size < 2 || (bytes[0] & 15) != 8 || bytes[0] >> 4 > 7 || (bytes[0] * 256 + bytes[1]) % 31 != 0)
        return broken(&s, "no zlib header");
    if (bytes[1] & 32)
        return broken(&s, "they need a preset dictionary");
    s.at += 2;
    return inflate_blocks(&s) && check_end(&s);
}
