/* Repeats are found by way of chains: head[h] is the last position whose three bytes have the hash h, and before[i] the
 * one before position i with the same hash, both plus 1, so that 0 is none. Only the last WINDOW positions can be gone
 * back to, so before[] goes in a circle. */
#include "tools/deflate.h"

#include <stdlib.h>

#include "tools/checksum_internal.h"

enum { WINDOW = 32768, HASHES = 32768, SHORTEST = 3, LONGEST = 258, DEEPEST = 32 };

typedef struct deflate {
    const uint8_t *bytes;
    size_t         n;
    uint8_t       *out; /* room for 9 bits a byte: no code is longer than the bytes that it stands for */
    size_t         size;
    uint64_t       bits;
    int            n_bits;
    size_t        *head, *before;
} deflate;

/* ---- Bits, the first in the lowest place. ---- */

static void put_bits(deflate *d, uint32_t bits, int n)
{
    d->bits |= (uint64_t)bits << d->n_bits;
    for (d->n_bits += n; d->n_bits >= 8; d->n_bits -= 8, d->bits >>= 8)
        d->out[d->size++] = (uint8_t)d->bits;
}

/* Huffman codes stand the other way round. */
static void put_code(deflate *d, uint32_t code, int n)
{
    uint32_t turned = 0;
    for (int i = 0; i < n; i++)
        turned |= (code >> i & 1) << (n - 1 - i);
    put_bits(d, turned, n);
}

/* A literal byte, the end (256) or a length's code: RFC 1951, 3.2.6. */
static void put_symbol(deflate *d, uint32_t s)
{
    if (s < 144)
        put_code(d, 0x30 + s, 8);
    else if (s < 256)
        put_code(d, 0x190 + s - 144, 9);
    else if (s < 280)
        put_code(d, s - 256, 7);
    else
        put_code(d, 0xc0 + s - 280, 8);
}

static int log2_of(size_t x)
{
    int n = 0;
    while (x >>= 1)
        n++;
    return n;
}

/* RFC 1951, 3.2.5: of lengths, four codes for each power of two; of distances, two. */
static void put_repeat(deflate *d, size_t length, size_t distance)
{
    const size_t x = length - SHORTEST, y = distance - 1;
    if (length == LONGEST) {
        put_symbol(d, 285);
    } else if (x < 8) {
        put_symbol(d, (uint32_t)(257 + x));
    } else {
        const int n = log2_of(x) - 2;
        put_symbol(d, (uint32_t)(257 + 4 * (size_t)(n + 1) + (x >> n & 3)));
        put_bits(d, (uint32_t)(x & (((size_t)1 << n) - 1)), n);
    }
    if (y < 4) {
        put_code(d, (uint32_t)y, 5);
    } else {
        const int n = log2_of(y) - 1;
        put_code(d, (uint32_t)(2 * (size_t)(n + 1) + (y >> n & 1)), 5);
        put_bits(d, (uint32_t)(y & (((size_t)1 << n) - 1)), n);
    }
}

/* ---- Repeats. ---- */

static size_t hash_of(const uint8_t *b)
{
    return ((uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2]) * 2654435761u >> 17;
}

static void remember(deflate *d, size_t at)
{
    if (at + SHORTEST > d->n)
        return;
    const size_t h = hash_of(d->bytes + at);
    d->before[at % WINDOW] = d->head[h];
    d->head[h] = at + 1;
}

/* The longest repeat of what stands at a position; 0 if none is long enough. */
static size_t find_repeat(const deflate *d, size_t at, size_t *distance)
{
    const size_t most = d->n - at < LONGEST ? d->n - at : LONGEST;
    size_t       best = SHORTEST - 1;
    if (most < SHORTEST)
        return 0;
    size_t from = d->head[hash_of(d->bytes + at)];
    for (int depth = 0; depth < DEEPEST && from > 0 && at - (from - 1) <= WINDOW - 1 && best < most; depth++) {
        const uint8_t *a = d->bytes + from - 1, *b = d->bytes + at;
        size_t         length = 0;
        while (length < most && a[length] == b[length])
            length++;
        if (length > best) {
            best = length;
            *distance = at - (from - 1);
        }
        from = d->before[(from - 1) % WINDOW];
    }
    return best >= SHORTEST ? best : 0;
}

static void compress(deflate *d)
{
    put_bits(d, 1, 1); /* the last block, */
    put_bits(d, 1, 2); /* of fixed codes */
    for (size_t at = 0, length, distance = 0; at < d->n; at += length) {
        length = find_repeat(d, at, &distance);
        if (length)
            put_repeat(d, length, distance);
        else
            put_symbol(d, d->bytes[at]);
        length += !length;
        for (size_t i = 0; i < length; i++)
            remember(d, at + i);
    }
    put_symbol(d, 256);
    put_bits(d, 0, 7); /* to the end of a byte; what is left is dropped */
}

uint8_t *tl_zlib(const uint8_t *bytes, size_t n, size_t *size)
{
    if ((!bytes && n > 0) || !size)
        return NULL;
    deflate d = {.bytes = bytes, .n = n, .head = calloc(HASHES + WINDOW, sizeof *d.head)};
    d.out = n < SIZE_MAX / 2 ? malloc(n + n / 8 + 16) : NULL;
    d.before = d.head ? d.head + HASHES : NULL;
    if (d.head && d.out) {
        put_bits(&d, 0x0178, 16);
        compress(&d);
        const uint32_t sum = tl__adler32(bytes, n);
        for (int i = 24; i >= 0; i -= 8)
            d.out[d.size++] = (uint8_t)(sum >> i);
        *size = d.size;
    }
    if (!d.head) {
        free(d.out);
        d.out = NULL;
    }
    free(d.head);
    return d.out;
}
