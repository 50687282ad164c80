/* A reader of files under libFuzzer: READER is safetensors, npy, idx, png, pgm or couplets. `make fuzz` builds and runs
 * all of them. In a build with FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION, as it makes, the PNG reader compares no
 * checksums. */
#include <math.h>
#include <stdlib.h>

#include "datasets/couplets.h"
#include "datasets/idx.h"
#include "datasets/npy.h"
#include "datasets/pgm.h"
#include "datasets/png.h"
#include "nn/safetensors.h"

#define PASTE2(a, b) a##b
#define PASTE(a, b)  PASTE2(a, b)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Reads all that a file offers, so that a pointer that leads astray is followed. */
static inline void try_safetensors(const uint8_t *bytes, size_t size)
{
    nn_safetensors file;
    tl_error       why;
    double         sum = 0;
    if (!nn_safetensors_parse(bytes, size, &file, &why))
        return;
    for (int64_t i = 0; i < file.n_tensors; i++) {
        const nn_stored_tensor *t = &file.tensor[i];
        for (int64_t k = 0; k < t->count; k++)
            sum += nn_stored_value(t, k);
        if (nn_safetensors_tensor(&file, t->name) != t)
            abort();
    }
    for (int64_t i = 0; i < file.n_texts; i++)
        if (!nn_safetensors_text(&file, file.text[i].key))
            abort();
    nn_safetensors_free(&file);
    if (sum == HUGE_VAL)
        return;
}

static inline void try_npy(const uint8_t *bytes, size_t size)
{
    ds_npy   a;
    tl_error error;
    double   sum = 0;
    if (ds_npy_parse(bytes, size, "file", &a, &error))
        for (int64_t i = 0; i < a.count; i++)
            sum += (double)a.data[i];
    ds_npy_free(&a);
    if (sum == HUGE_VAL)
        return;
}

static inline void try_idx(const uint8_t *bytes, size_t size)
{
    for (int rank = 1; rank <= DS_IDX_MAX_RANK; rank++) {
        ds_idx   a;
        tl_error error;
        if (ds_idx_parse(bytes, size, "file", rank, &a, &error) && a.data[0] > 255)
            abort();
        free(a.data);
    }
}

static inline void try_couplets(const uint8_t *bytes, size_t size)
{
    ds_couplets c;
    tl_error    error;
    if (ds_couplets_parse(bytes, size, "file", &c, &error))
        for (int64_t i = 0; i < c.count * c.length; i++)
            if (!(c.token[i] >= 0 && c.token[i] < (ag_real)c.characters))
                abort();
    ds_couplets_free(&c);
}

/* A picture that was read is looked at from end to end, and a small one made into a digit. */
static inline void try_picture(bool ok, ds_picture *p)
{
    ag_real digit[28 * 28];
    int64_t sum = 0;
    if (!ok && p->grey)
        abort();
    for (int64_t i = 0; ok && i < p->height * p->width; i++)
        sum += p->grey[i];
    if (sum > 255 * p->height * p->width)
        abort();
    if (ok && p->height * p->width <= 4096 && ds_picture_to_digit(p, 28, 28, digit, NULL))
        for (int i = 0; i < 28 * 28; i++)
            if (!(digit[i] >= 0 && digit[i] <= 1))
                abort();
    ds_picture_free(p);
}

static inline void try_png(const uint8_t *bytes, size_t size)
{
    ds_picture p;
    tl_error   error;
    try_picture(ds_png_parse(bytes, size, "file", &p, &error), &p);
}

static inline void try_pgm(const uint8_t *bytes, size_t size)
{
    ds_picture p;
    tl_error   error;
    try_picture(ds_pgm_parse(bytes, size, "file", &p, &error), &p);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    PASTE(try_, READER)(bytes, size);
    return 0;
}
