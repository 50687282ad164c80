#include "datasets/dataset.h"

#include <stdio.h>
#include <stdlib.h>

#include "datasets/idx.h"

void ds_dataset_free(ds_dataset *d)
{
    if (!d)
        return;
    free(d->pixels);
    free(d->labels);
    *d = (ds_dataset){0};
}

void ds_images(const ds_dataset *d, const int64_t *index, int64_t n, float *out)
{
    int64_t size = d->height * d->width;
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *from = d->pixels + index[i] * size;
        float *to = out + i * size;
        for (int64_t k = 0; k < size; k++)
            to[k] = (float)from[k] / 255.0f;
    }
}

static bool read_part(const char *folder, const char *name, int rank, ds_idx *out, ds_error *error)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n >= 0 && (size_t)n < sizeof path)
        return ds_idx_read(path, rank, out, error);
    snprintf(error->text, sizeof error->text, "%.80s...: the path is too long", folder);
    return false;
}

bool ds_mnist_read(const char *folder, bool train, ds_dataset *d, ds_error *error)
{
    ds_idx images = {0}, labels = {0};
    *d = (ds_dataset){0};
    bool ok = read_part(folder, train ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte", 3, &images, error) &&
              read_part(folder, train ? "train-labels-idx1-ubyte" : "t10k-labels-idx1-ubyte", 1, &labels, error);
    if (ok && images.dim[0] != labels.dim[0]) {
        snprintf(error->text, sizeof error->text, "%s: %lld images but %lld labels", folder, (long long)images.dim[0],
                 (long long)labels.dim[0]);
        ok = false;
    }
    for (int64_t i = 0; ok && i < labels.dim[0]; i++)
        if (labels.data[i] > 9) {
            snprintf(error->text, sizeof error->text, "%s: label %lld is %d, expected 0 to 9", folder, (long long)i,
                     labels.data[i]);
            ok = false;
        }
    *d = (ds_dataset){images.dim[0], images.dim[1], images.dim[2], images.data, labels.data};
    if (!ok)
        ds_dataset_free(d);
    return ok;
}
