/* Every seed of the fuzzer, as it is, cut short everywhere, and with each of its bytes changed: the readers refuse or
 * read what they are given, and touch nothing else. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdio.h>

#include "tests/fuzz/readers.h"
#include "tests/test.h"
#include "tools/file.h"

typedef void try_fn(const uint8_t *bytes, size_t size);

/* In memory of exactly that size, where a sanitizer or valgrind sees what reads beyond it. */
static void try_copy(try_fn *f, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    f(copy, size);
    free(copy);
}

static void try_changed(try_fn *f, uint8_t *bytes, size_t size)
{
    static const uint8_t bits[] = {0x01, 0x02, 0x10, 0x20, 0x80, 0xff};
    for (size_t at = 0; at < size; at++) {
        for (size_t i = 0; i < sizeof bits; i++) {
            bytes[at] ^= bits[i];
            f(bytes, size);
            bytes[at] ^= bits[i];
        }
    }
}

static void try_all(try_fn *f, uint8_t *bytes, size_t size)
{
    for (size_t n = 0; n <= size; n++)
        try_copy(f, bytes, n);
    try_changed(f, bytes, size);
}

static uint32_t be32(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint32_t crc32(const uint8_t *bytes, size_t n)
{
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < 8 * n; i++)
        c = c >> 1 ^ (((c ^ bytes[i / 8] >> i % 8) & 1) ? 0xedb88320 : 0);
    return ~c;
}

/* A picture whose checksums are right, whatever was changed: what is behind them is read. */
static void try_checked_png(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    for (size_t at = 8; at + 12 <= size && be32(copy + at) <= size - at - 12; at += 12 + be32(copy + at)) {
        uint8_t       *end = copy + at + 8 + be32(copy + at);
        const uint32_t crc = crc32(copy + at + 4, (size_t)(end - copy - 4) - at);
        for (int i = 0; i < 4; i++)
            end[i] = (uint8_t)(crc >> (24 - 8 * i));
    }
    try_png(copy, size);
    free(copy);
}

static void try_seeds(const char *name, try_fn *f, int least)
{
    char path[400];
    int  n = 0;
    snprintf(path, sizeof path, "tests/fuzz/seeds/%s", name);
    DIR *d = opendir(path);
    cr_assert(d, "%s", path);
    for (const struct dirent *e; (e = readdir(d));) {
        size_t   size;
        tl_error why;
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "tests/fuzz/seeds/%s/%.255s", name, e->d_name);
        uint8_t *bytes = tl_read_file(path, &size, &why);
        cr_assert(bytes, "%s", why.text);
        try_all(f, bytes, size);
        free(bytes);
        n++;
    }
    closedir(d);
    cr_assert(n >= least, "%s: %d seeds", name, n);
}

Test(seeds, cut_short_and_changed)
{
    try_seeds("safetensors", try_safetensors, 3);
    try_seeds("npy", try_npy, 5);
    try_seeds("idx", try_idx, 3);
    try_seeds("png", try_png, 40);
    try_seeds("png", try_checked_png, 40);
    try_seeds("pgm", try_pgm, 7);
    try_seeds("couplets", try_couplets, 2);
    try_seeds("history", try_history, 2);
    try_seeds("args", try_args, 3);
}
