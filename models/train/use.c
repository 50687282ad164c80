#define _POSIX_C_SOURCE 200809L
#include "models/train/use_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "datasets/idx.h"
#include "datasets/npy.h"
#include "datasets/picture.h"
#include "models/train/draw.h"
#include "models/train/images_internal.h"
#include "tools/file.h"
#include "tools/memory.h"
#include "tools/text.h"

enum { COLUMNS = 16, SHOWN = 64 };

void train__use_options(train_images *m, tl_option *table)
{
    const train_image_program *p = m->program;
    const bool                 both = p->encode && p->decode;
    int                        n = 0;
    if (p->decode && p->sample)
        table[n++] = (tl_option){"generate", TL_INT, &m->generate, 0, 1e6, "N", "  new images", false};
    if (p->encode)
        table[n++] = (tl_option){
            "encode", TL_TEXT, &m->encode, 0, 0, "FILE", "  codes of the images in a file: .npy (0..1), IDX, PNG, PGM",
            false};
    if (p->decode)
        table[n++] = (tl_option){"decode", TL_TEXT, &m->decode, 0, 0, "FILE", "  images of the codes in a .npy file",
                                 false};
    if (both)
        table[n++] = (tl_option){"reconstruct",
                                 TL_TEXT,
                                 &m->reconstruct,
                                 0,
                                 0,
                                 "FILE",
                                 "  the images in a file, or those of \"test\", and what "
                                 "the model makes of them",
                                 false};
    if (both && p->corrupt) {
        table[n++] = (tl_option){
            "denoise", TL_TEXT, &m->denoise, 0, 0, "FILE", "  the images in a file and their denoised versions", false};
        table[n++] = (tl_option){
            "add-noise", TL_FLAG, &m->add_noise, 0, 0, NULL, "  with --denoise: adds the model's noise first", false};
    }
    if (p->encode || p->decode)
        table[n++] = (tl_option){"output",
                                 TL_TEXT,
                                 &m->output,
                                 0,
                                 0,
                                 "FILE",
                                 "  where that goes: .npy, or .png for images; else beside the model",
                                 false};
    table[n] = (tl_option)TL_OPTIONS_END;
}

bool train__check_uses(const train_images *m, tl_error *why)
{
    const int  asked = (m->generate > 0) + !!m->encode + !!m->decode + !!m->reconstruct + !!m->denoise;
    const bool images = m->generate > 0 || m->decode || m->reconstruct || m->denoise;
    char       names[100] = "";
    for (const tl_option *o = m->uses; o->name && asked != 1; o++)
        if (strcmp(o->name, "output") && strcmp(o->name, "add-noise"))
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s--%s", *names ? ", " : "", o->name);
    if (asked != 1)
        return tl_fail(why, "--load: expected one of %s with it", names);
    if (m->add_noise && !m->denoise)
        return tl_fail(why, "--add-noise: expected --denoise with it");
    if (!m->output || tl_ends_with(m->output, ".npy") || (images && tl_ends_with(m->output, ".png")))
        return true;
    return tl_fail(why, "--output %s: expected a name that ends in .npy%s", m->output, images ? " or .png" : "");
}

/* ---- Rows of numbers on their way through the model. ---- */

typedef struct table {
    int64_t        rows, width;
    ag_real       *at;
    const uint8_t *labels; /* of each row, not owned; NULL for none */
} table;

static bool table_init(table *t, int64_t rows, int64_t width, tl_error *why)
{
    *t = (table){rows, width, tl_array(rows, width, sizeof *t->at), NULL};
    return t->at || tl_fail(why, "out of memory for %lld x %lld numbers", (long long)rows, (long long)width);
}

typedef ag_tensor *pass_fn(const train_image_program *p, const train_batch *b);

static ag_tensor *encode_batch(const train_image_program *p, const train_batch *b)
{
    return p->encode(p->context, b);
}

static ag_tensor *decode_batch(const train_image_program *p, const train_batch *b)
{
    return p->decode(p->context, b->x);
}

static ag_tensor *corrupt_batch(const train_image_program *p, const train_batch *b)
{
    return p->corrupt(p->context, b->x);
}

static train_batch take_rows(ag_tape *tape, const table *from, int64_t first, int64_t n)
{
    train_batch b = {n, ag_input(tape, AG_SHAPE(n, from->width), from->at + first * from->width), NULL};
    if (from->labels)
        b.y = ag_zeros(tape, AG_SHAPE(n));
    for (int64_t i = 0; b.y && i < n && !ag_error(tape); i++)
        b.y->data[i] = from->labels[first + i];
    return b;
}

/* Rows through a function of the model, a batch at a time. They keep their labels. */
static bool map_rows(train_images *m, pass_fn *f, const table *from, table *to, tl_error *why)
{
    const int64_t batch = m->job->options.batch;
    *to = (table){0};
    ag_tape *tape = train_image_tape(m);
    for (int64_t i = 0; i < from->rows; i += batch) {
        int64_t n = from->rows - i < batch ? from->rows - i : batch;
        ag_tape_reset(tape);
        train_batch b = take_rows(tape, from, i, n);
        ag_tensor  *y = f(m->program, &b);
        if (ag_error(tape))
            return tl_fail(why, "%s", ag_error(tape));
        if (i == 0 && !table_init(to, from->rows, ag_numel(&y->shape) / n, why))
            return false;
        memcpy(to->at + i * to->width, y->data, (size_t)(n * to->width) * sizeof *to->at);
    }
    to->labels = from->labels;
    return true;
}

/* ---- Reading. ---- */

static bool wrong_size(const train_images *m, const char *path, int64_t numbers, tl_error *why)
{
    return tl_fail_at(why, path, "images of %lld numbers, the model expects %lld x %lld", (long long)numbers,
                      (long long)m->height, (long long)m->width);
}

static bool parse_npy(const train_images *m, const void *bytes, size_t n, const char *path, table *t, tl_error *why)
{
    ds_npy        a;
    const int64_t size = m->height * m->width;
    if (!ds_npy_parse(bytes, n, path, &a, why))
        return false;
    const int64_t rows = a.rank > 0 ? a.dim[0] : 1;
    bool          ok = a.rank > 1 && a.count == rows * size;
    ok = ok ? table_init(t, rows, size, why) : wrong_size(m, path, a.count / rows, why);
    if (ok)
        memcpy(t->at, a.data, (size_t)a.count * sizeof *t->at);
    ds_npy_free(&a);
    return ok;
}

static bool parse_idx(const train_images *m, const void *bytes, size_t n, const char *path, table *t, tl_error *why)
{
    ds_idx        a;
    const int64_t size = m->height * m->width;
    if (!ds_idx_parse(bytes, n, path, 3, &a, why))
        return false;
    const int64_t rows = a.dim[0], image = a.dim[1] * a.dim[2];
    bool          ok = image == size ? table_init(t, rows, size, why) : wrong_size(m, path, image, why);
    for (int64_t i = 0; ok && i < rows * size; i++)
        t->at[i] = (ag_real)a.data[i] / 255;
    free(a.data);
    return ok;
}

static bool parse_picture(const train_images *m, const void *bytes, size_t n, const char *path, table *t, tl_error *why)
{
    ds_picture p;
    tl_error   reason;
    if (!ds_picture_parse(bytes, n, path, &p, why))
        return false;
    bool ok = table_init(t, 1, m->height * m->width, why) &&
              (ds_picture_to_digit(&p, m->height, m->width, t->at, &reason) ||
               tl_fail_at(why, path, "%s", reason.text));
    ds_picture_free(&p);
    return ok;
}

static bool read_test(const train_images *m, int64_t most, table *t, tl_error *why)
{
    const int64_t n = m->test.count < most ? m->test.count : most, size = m->height * m->width;
    if (!table_init(t, n, size, why))
        return false;
    for (int64_t i = 0; i < n * size; i++)
        t->at[i] = (ag_real)m->test.pixels[i] / 255;
    t->labels = m->test.labels;
    return true;
}

/* Images from a file of any kind, told by its first bytes, in the program's range. */
static bool read_images(const train_images *m, const char *path, table *t, tl_error *why)
{
    size_t   n = 0;
    uint8_t *bytes = tl_read_file(path, &n, why);
    if (!bytes)
        return false;
    bool ok = n > 6 && !memcmp(bytes, "\x93NUMPY", 6) ? parse_npy(m, bytes, n, path, t, why)
              : ds_picture_known(bytes, n)            ? parse_picture(m, bytes, n, path, t, why)
                                                      : parse_idx(m, bytes, n, path, t, why);
    free(bytes);
    if (ok)
        train_to_range(m, t->rows, t->at);
    return ok;
}

static bool read_codes(const train_images *m, const char *path, table *t, tl_error *why)
{
    ds_npy npy;
    if (!ds_npy_read(path, &npy, why))
        return false;
    const int64_t rows = npy.rank > 0 ? npy.dim[0] : 1;
    if (npy.count / rows != m->code) {
        tl_fail_at(why, path, "codes of %lld numbers, the model's have %lld", (long long)(npy.count / rows),
                   (long long)m->code);
        ds_npy_free(&npy);
        return false;
    }
    *t = (table){rows, m->code, npy.data, NULL};
    return true;
}

/* ---- Writing. ---- */

/* Where a result goes: --output; else a file beside the model, which is not replaced unless that is asked for. */
static bool output_path(const train_images *m, const char *name, char *path, size_t size, tl_error *why)
{
    const train_options *o = &m->job->options;
    const char          *slash = strrchr(o->load, '/'), *folder = o->out ? o->out : slash ? o->load : ".";
    const int            length = o->out || !slash ? (int)strlen(folder) : (int)(slash - o->load);
    struct stat          st;
    int n = m->output ? snprintf(path, size, "%s", m->output) : snprintf(path, size, "%.*s/%s", length, folder, name);
    if (n < 1 || (size_t)n >= size)
        return tl_fail(why, "--output: the path is too long");
    if (!m->output && o->out && !tl_make_folder(o->out, why))
        return false;
    if (!m->output && !o->overwrite && lstat(path, &st) == 0)
        return tl_fail_at(why, path, "is there already; --output names another file, --overwrite replaces it");
    return true;
}

static bool write_npy(const train_images *m, const char *path, const table *t, bool images, tl_error *why)
{
    const int64_t flat[] = {t->rows, t->width}, square[] = {t->rows, m->height, m->width};
    tl_output     f;
    if (!tl_output_open(&f, path, why))
        return false;
    ds_npy_write(f.stream, images ? 3 : 2, images ? square : flat, t->at);
    return tl_output_close(&f, why);
}

static bool tell(const train_images *m, bool ok, const char *path)
{
    if (ok && !m->job->options.quiet) {
        tl_print_escaped(stdout, path);
        putchar('\n');
    }
    return ok;
}

/* Images (0..1), the second kind below the first in a picture; as numbers, only the last kind. */
static bool write_images(train_images *m, const char *name, int kinds, const table *t, tl_error *why)
{
    char path[4200];
    if (!output_path(m, name, path, sizeof path, why))
        return false;
    if (tl_ends_with(path, ".npy"))
        return tell(m, write_npy(m, path, &t[kinds - 1], true, why), path);
    const ag_real *at[] = {t[0].at, kinds > 1 ? t[1].at : NULL};
    return tell(m, train_draw_arrays(m, path, kinds, at, t[0].rows, m->generate > 0 ? m->columns : COLUMNS, why), path);
}

/* ---- What is asked. ---- */

static bool decode_to(train_images *m, const table *codes, const char *name, tl_error *why)
{
    table images = {0};
    bool  ok = map_rows(m, decode_batch, codes, &images, why);
    if (ok)
        train_to_unit(m, images.rows, images.at);
    ok = ok && write_images(m, name, 1, &images, why);
    free(images.at);
    return ok;
}

static bool generate(train_images *m, tl_error *why)
{
    table      codes;
    ag_tensor *drawn = m->program->sample(m->program->context, train_image_tape(m), m->generate);
    if (ag_tensor_error(drawn))
        return tl_fail(why, "%s", ag_tensor_error(drawn));
    if (ag_numel(&drawn->shape) != m->generate * m->code)
        return tl_fail(why, "--generate: codes %s, expected %lld of %lld numbers", AG_STR(&drawn->shape),
                       (long long)m->generate, (long long)m->code);
    if (!table_init(&codes, m->generate, m->code, why))
        return false;
    memcpy(codes.at, drawn->data, (size_t)(codes.rows * codes.width) * sizeof *codes.at);
    bool ok = decode_to(m, &codes, "generated.png", why);
    free(codes.at);
    return ok;
}

static bool decode(train_images *m, tl_error *why)
{
    table codes = {0};
    bool  ok = read_codes(m, m->decode, &codes, why) && decode_to(m, &codes, "decoded.npy", why);
    free(codes.at);
    return ok;
}

static bool encode(train_images *m, tl_error *why)
{
    char  path[4200];
    table images = {0}, codes = {0};
    bool  ok = output_path(m, "codes.npy", path, sizeof path, why) && read_images(m, m->encode, &images, why) &&
              map_rows(m, encode_batch, &images, &codes, why) && tell(m, write_npy(m, path, &codes, false, why), path);
    free(images.at);
    free(codes.at);
    return ok;
}

/* What goes in above what comes out. As .npy, what comes out, for all test images. */
static bool reconstruct(train_images *m, const char *from, const char *name, bool corrupt, tl_error *why)
{
    const bool all = m->output && tl_ends_with(m->output, ".npy"), test = !strcmp(from, TRAIN_TEST_IMAGES);
    table      t[2] = {{0}, {0}}, noisy = {0}, codes = {0};
    bool       ok = test ? read_test(m, all ? INT64_MAX : SHOWN, &t[0], why) : read_images(m, from, &t[0], why);
    if (ok && test)
        train_to_range(m, t[0].rows, t[0].at);
    if (ok && corrupt && (ok = map_rows(m, corrupt_batch, &t[0], &noisy, why))) {
        free(t[0].at);
        t[0] = noisy;
    }
    ok = ok && map_rows(m, encode_batch, &t[0], &codes, why) && map_rows(m, decode_batch, &codes, &t[1], why);
    if (ok) {
        train_to_unit(m, t[0].rows, t[0].at);
        train_to_unit(m, t[1].rows, t[1].at);
        ok = write_images(m, name, 2, t, why);
    }
    free(t[0].at);
    free(codes.at);
    free(t[1].at);
    return ok;
}

bool train__use_model(train_images *m, tl_error *why)
{
    if (m->encode)
        return encode(m, why);
    if (m->decode)
        return decode(m, why);
    if (m->generate > 0)
        return generate(m, why);
    if (m->denoise)
        return reconstruct(m, m->denoise, "denoised.png", m->add_noise, why);
    return reconstruct(m, m->reconstruct, "reconstructed.png", false, why);
}
