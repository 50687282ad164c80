/* Compression, against the project's own inflate and against zlib by way of Python. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/inflate.h"
#include "tests/test.h"
#include "tools/deflate.h"

enum { MOST = 200000 };

/* Bytes of many kinds: runs, periods of any length, text-like, noise, a repeat from just within and just beyond the
 * window. */
static size_t make(int kind, uint8_t *to)
{
    const size_t n = (size_t)(kind < 40 ? kind : kind < 60 ? 250 + kind : 1000 * (kind - 50));
    uint32_t     state = (uint32_t)kind * 2654435761u + 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        const uint8_t noise = (uint8_t)(state >> 24);
        to[i] = kind % 5 == 0   ? 7
                : kind % 5 == 1 ? (uint8_t)(i % (size_t)(kind + 1))
                : kind % 5 == 2 ? noise
                : kind % 5 == 3
                    ? (uint8_t)(noise % 5 ? 0 : noise)
                    : (uint8_t)(i >= 32768 - 2 + (size_t)kind % 4 ? to[i - (32768 - 2 + (size_t)kind % 4)] : noise);
    }
    return n;
}

Test(deflate, comes_back_by_inflate)
{
    uint8_t *bytes = malloc(MOST), *back = malloc(MOST);
    tl_error why;
    for (int kind = 0; kind < 200; kind++) {
        const size_t n = make(kind, bytes);
        size_t       size = 0;
        uint8_t     *z = tl_zlib(bytes, n, &size);
        cr_assert(z && size >= 8 && size <= n + n / 8 + 16);
        cr_assert(ds_inflate(z, size, back, n, "z", &why), "kind %d: %s", kind, why.text);
        cr_assert(!memcmp(back, bytes, n), "kind %d", kind);
        free(z);
    }
    free(bytes);
    free(back);
}

Test(deflate, compresses)
{
    uint8_t *bytes = calloc(MOST, 1);
    size_t   size = 0;
    uint8_t *z = tl_zlib(bytes, MOST, &size);
    cr_expect(z && size < MOST / 100, "%d bytes", (int)size);
    free(z);
    free(bytes);
}

Test(deflate, comes_back_by_zlib)
{
    char     path[300], command[700], said[500];
    uint8_t *bytes = malloc(MOST);
    if (run_command("python3 -c 'import zlib'", NULL, 0) != 0)
        cr_skip_test("python3 is not at hand");
    const char *scratch = scratch_folder();
    snprintf(path, sizeof path, "%s/z", scratch);
    FILE *f = fopen(path, "wb"), *plain = NULL;
    snprintf(command, sizeof command, "%s/plain", scratch);
    cr_assert(f && (plain = fopen(command, "wb")));
    for (int kind = 0; kind < 200; kind += 7) {
        const size_t n = make(kind, bytes);
        size_t       size = 0;
        uint8_t     *z = tl_zlib(bytes, n, &size);
        fwrite(z, 1, size, f);
        fwrite(bytes, 1, n, plain);
        free(z);
    }
    fclose(f);
    fclose(plain);
    free(bytes);
    snprintf(command, sizeof command,
             "python3 -c \"import zlib;d=open('%s','rb').read();p=open('%s/plain','rb').read();o=b''\nwhile d:\n"
             " z=zlib.decompressobj();o+=z.decompress(d);assert z.eof;d=z.unused_data\n"
             "assert o==p;print('equal')\"",
             path, scratch);
    cr_expect(run_command(command, said, sizeof said) == 0 && !strcmp(said, "equal\n"), "%s", said);
}
