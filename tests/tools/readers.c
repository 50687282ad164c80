/* Every call of every reader of files fails once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/couplets.h"
#include "datasets/idx_files.h"
#include "datasets/npy.h"
#include "datasets/png.h"
#include "nn/nn.h"
#include "tests/support/io.h"
#include "tests/test.h"
#include "tools/file.h"

static tl_error why;

/* ---- The readers. Each reads a file and frees what it got. ---- */

typedef bool reader(const char *path);

static bool read_text(const char *path)
{
    size_t size;
    void  *bytes = tl_read_file(path, &size, &why);
    free(bytes);
    return bytes != NULL;
}

static bool read_safetensors(const char *path)
{
    nn_safetensors s;
    const bool     ok = nn_safetensors_read(path, &s, &why);
    if (ok)
        nn_safetensors_free(&s);
    return ok;
}

/* Into a model, whose values stay as they were if that fails. */
static bool read_model(const char *path)
{
    nn_module *m = nn_linear(1, 3);
    nn_reset_parameters(m, 5);
    ag_real before[3], *weight = nn_parameter_named(m, "weight")->data;
    memcpy(before, weight, sizeof before);
    const bool ok = nn_load(m, path, true, &why);
    cr_assert(ok || !memcmp(before, weight, sizeof before), "%s: half loaded", path);
    nn_module_free(m);
    return ok;
}

static bool read_npy(const char *path)
{
    ds_npy     a;
    const bool ok = ds_npy_read(path, &a, &why);
    if (ok)
        ds_npy_free(&a);
    return ok;
}

static bool read_idx(const char *path)
{
    ds_idx     d;
    const bool ok = ds_idx_read(path, 3, &d, &why);
    if (ok)
        free(d.data);
    return ok;
}

static bool read_idx_files(const char *path)
{
    ds_idx_files f;
    uint8_t      row[10000];
    uint64_t     hash;
    const bool   ok = ds_idx_files_open(&f, 1, &path, &why) && ds_idx_files_read(&f, &(int64_t){0}, 1, row, &why) &&
                    ds_idx_files_hash(&f, &hash, &why);
    ds_idx_files_close(&f);
    return ok;
}

static bool read_picture(const char *path)
{
    ds_picture p;
    const bool ok = ds_picture_read(path, &p, &why);
    if (ok)
        ds_picture_free(&p);
    return ok;
}

static bool read_couplets(const char *path)
{
    ds_couplets c;
    const bool  ok = ds_couplets_read(path, &c, &why);
    if (ok)
        ds_couplets_free(&c);
    return ok;
}

#define SEEDS "tests/fuzz/seeds/"

static const struct {
    reader     *read;
    const char *path;  /* of a file; NULL: of a model that is saved first */
    long        least; /* calls: open, two reads or more, close */
} readers[] = {{read_text, SEEDS "idx/three", 4},
               {read_safetensors, NULL, 4},
               {read_model, NULL, 4},
               {read_npy, SEEDS "npy/two", 4},
               {read_idx, SEEDS "idx/three", 4},
               {read_idx_files, SEEDS "idx/three", 4},
               {read_picture, SEEDS "png/grey8", 4},
               {read_picture, SEEDS "pgm/binary_pgm", 4},
               {read_couplets, SEEDS "couplets/two", 4}};

/* Opening and reading: the file and the reason are named. A close that fails after a read takes nothing back. */
static void fail_one(size_t i, const char *path, long at, long calls)
{
    tl_fail(&why, "nothing was said");
    io_watch(at);
    const bool ok = readers[i].read(path);
    io_unwatch();
    cr_assert(ok ? at > 0 : strstr(why.text, path) && strstr(why.text, strerror(EIO)), "reader %d, call %ld of %ld: %s",
              (int)i, at, calls, ok ? "opened all the same" : why.text);
    cr_assert(readers[i].read(path), "reader %d, after call %ld failed: %s", (int)i, at, why.text);
}

Test(readers, every_call_fails_once)
{
    char model[300];
    snprintf(model, sizeof model, "%s/model.safetensors", scratch_folder());
    nn_module *m = nn_linear(1, 3);
    nn_reset_parameters(m, 1);
    cr_assert(nn_save(m, model, &why), "%s", why.text);
    nn_module_free(m);
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        const char *path = readers[i].path ? readers[i].path : model;
        io_watch(-1);
        cr_assert(readers[i].read(path), "reader %d: %s", (int)i, why.text);
        const long calls = io_unwatch();
        cr_assert(calls >= readers[i].least, "reader %d: %ld calls", (int)i, calls);
        long failed = 0;
        for (long at = 0; at < calls; at++) {
            fail_one(i, path, at, calls);
            failed += strcmp(why.text, "nothing was said") != 0;
        }
        cr_expect(failed >= calls - 2, "reader %d: of %ld calls %ld were felt", (int)i, calls, failed);
    }
}
