/* Every seed of the fuzzer, as it is, cut short everywhere, and with each of its bytes changed: the readers refuse or
 * read what they are given, and touch nothing else. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdio.h>

#include "tests/fuzz/readers.h"
#include "tests/support/png.h"
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
    for (size_t at = 0; at < size; at++)
        for (size_t i = 0; i < sizeof bits; i++) {
            bytes[at] ^= bits[i];
            try_copy(f, bytes, size);
            bytes[at] ^= bits[i];
        }
}

/* A picture whose checksums are right, whatever was changed: what is behind them is read. */
static void try_signed_png(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    png_sign(copy, size);
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
        for (size_t length = 0; length <= size; length++)
            try_copy(f, bytes, length);
        try_changed(f, bytes, size);
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
    try_seeds("png", try_signed_png, 40);
    try_seeds("pgm", try_pgm, 7);
    try_seeds("couplets", try_couplets, 2);
    try_seeds("history", try_history, 2);
    try_seeds("args", try_args, 3);
}
