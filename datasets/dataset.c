#define _POSIX_C_SOURCE 200809L
#include "datasets/dataset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "datasets/idx.h"

void ds_dataset_free(ds_dataset *d)
{
    if (!d)
        return;
    free(d->pixels);
    free(d->labels);
    *d = (ds_dataset){0};
}

#ifdef AG_DOUBLE
static void unit_of_bytes(int64_t n, const uint8_t *restrict from, double *restrict to)
{
    for (int64_t k = 0; k < n; k++)
        to[k] = from[k] / 255.0;
}
#else
/* value / 255, correctly rounded, without a division: 1/255 = (2^-8 + 2^-16) (1 + 2^-16 + 2^-32 + ...), whose first
 * factor times a byte is exact. */
static void unit_of_bytes(int64_t n, const uint8_t *restrict from, float *restrict to)
{
    const float high = 0x1.01p-8f, low = 0x1.0101p-24f;
    for (int64_t k = 0; k < n; k++)
        to[k] = (float)from[k] * high + (float)from[k] * low;
}
#endif

void ds_images(const ds_dataset *d, const int64_t *index, int64_t n, ag_real *out)
{
    if (!d || !d->pixels || !index || !out)
        return;
    const int64_t size = d->height * d->width, ahead = 2, line = 64;
    for (int64_t i = 0; i < n; i++) {
        if (i + ahead < n) /* anywhere in memory: asked for in time */
            for (int64_t k = 0; k < size; k += line)
                __builtin_prefetch(d->pixels + index[i + ahead] * size + k);
        unit_of_bytes(size, d->pixels + index[i] * size, out + i * size);
    }
}

/* What to do about a file that is not there; false. */
static bool explain_missing(const char *path, tl_error *why)
{
    char packed[4096 + 4];
    snprintf(packed, sizeof packed, "%s.gz", path);
    if (access(packed, F_OK) == 0)
        return tl_fail_at(why, packed, "compressed by gzip; unpack it with gunzip");
    return tl_fail_at(why, path, "No such file; a folder of data has images and labels of MNIST's names, unpacked");
}

static bool read_file(const char *folder, const char *part, const char *kind, int rank, ds_idx *out, tl_error *why)
{
    char      path[4096];
    const int n = snprintf(path, sizeof path, "%s/%s-%s-ubyte", folder, part, kind);
    if (n < 0 || (size_t)n >= sizeof path)
        return tl_fail(why, "%.80s...: the path is too long", folder);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return explain_missing(path, why);
    return ds_idx_read(path, rank, out, why);
}

bool ds_part_read(const char *folder, const char *part, ds_dataset *d, tl_error *why)
{
    if (!folder || !part || !d)
        return tl_fail(why, "no folder to read images from, no part of it, or no place for the result");
    ds_idx images = {0}, labels = {0};
    *d = (ds_dataset){0};
    bool ok = read_file(folder, part, "images-idx3", 3, &images, why) &&
              read_file(folder, part, "labels-idx1", 1, &labels, why);
    if (ok && images.dim[0] != labels.dim[0])
        ok = tl_fail_at(why, folder, "%lld images but %lld labels", (long long)images.dim[0], (long long)labels.dim[0]);
    for (int64_t i = 0; ok && i < labels.dim[0]; i++)
        if (labels.data[i] > 9)
            ok = tl_fail_at(why, folder, "label %lld is %d, expected 0 to 9", (long long)i, labels.data[i]);
    *d = (ds_dataset){images.dim[0], images.dim[1], images.dim[2], images.data, labels.data};
    if (!ok)
        ds_dataset_free(d);
    return ok;
}

bool ds_mnist_read(const char *folder, bool train, ds_dataset *d, tl_error *why)
{
    return ds_part_read(folder, train ? "train" : "t10k", d, why);
}
