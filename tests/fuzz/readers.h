/* The readers of anything that comes from outside, given any bytes: try_NAME(bytes, size). What was read is looked at
 * as a whole, and what it promises is checked; a broken promise ends the process. */
#ifndef TESTS_READERS_H
#define TESTS_READERS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/couplets.h"
#include "datasets/idx.h"
#include "datasets/npy.h"
#include "datasets/pgm.h"
#include "datasets/png.h"
#include "models/train/history.h"
#include "nn/safetensors.h"
#include "tools/args.h"

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
        int64_t  n = 1, sum = 0;
        if (!ds_idx_parse(bytes, size, "file", rank, &a, &error))
            continue;
        for (int i = 0; i < rank; i++)
            n *= a.dim[i];
        for (int64_t i = 0; i < n; i++)
            sum += a.data[i];
        if (sum > 255 * n)
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

/* A copy with a 0 at its end, as texts in a checkpoint have. */
static inline char *text_of(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, bytes, size);
    text[size] = 0;
    return text;
}

/* What was read is written and read again: the same. */
static inline void try_history(const uint8_t *bytes, size_t size)
{
    train_history h = {0}, again = {0};
    train_sums    sums = {0};
    char         *text = text_of(bytes, size), *once = NULL, *twice = NULL;
    train_sums_parse(&sums, text);
    if (train_history_parse(&h, text)) {
        once = train_history_text(&h);
        if (!train_history_parse(&again, once))
            abort();
        twice = train_history_text(&again);
        if (strcmp(once, twice) != 0)
            abort();
    }
    train_sums_free(&sums);
    train_history_free(&h);
    train_history_free(&again);
    free(once);
    free(twice);
    free(text);
}

/* The words of a command line stand on lines; what was read as an option is written and read again: the same. */
static inline void try_args(const uint8_t *bytes, size_t size)
{
    bool             flag = false;
    int64_t          whole = 1;
    double           real = 1;
    uint64_t         seed = 1;
    const char      *choice = "one", *path = NULL;
    tl_option        table[] = {{"flag", TL_FLAG, &flag, 0, 0, NULL, "", false},
                                {"int", TL_INT, &whole, -5, 1e12, "N", "", false},
                                {"real", TL_REAL, &real, 0, 1e30, "X", "", false},
                                {"seed", TL_SEED, &seed, 0, 0, "N", "", false},
                                {"choice", TL_TEXT, &choice, 0, 0, "one|two", "", false},
                                {"path", TL_TEXT, &path, 0, 0, "FILE", "", false},
                                TL_OPTIONS_END};
    tl_option *const tables[] = {table, NULL};
    char            *text = text_of(bytes, size), *word[32] = {"program"}, again[64];
    int              words = 1;
    tl_error         why;
    for (char *w = strtok(text, "\n"); w && words < 31; w = strtok(NULL, "\n"))
        word[words++] = w;
    if (tl_args_parse(words, word, tables, &why) == TL_ARGS_OK)
        for (const tl_option *o = table; o->name; o++) {
            const char *said = tl_option_text(o, again, sizeof again);
            if (said && !tl_option_set(o, said, &why))
                abort();
        }
    if (whole < -5 || whole > 1000000000000 || !(real >= 0 && real <= 1e30))
        abort();
    free(text);
}

#endif
