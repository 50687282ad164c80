#define _POSIX_C_SOURCE 200809L
#include "models/train/use_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/idx.h"
#include "datasets/npy.h"
#include "datasets/picture.h"
#include "models/train/draw.h"
#include "models/train/edit_internal.h"
#include "models/train/export_internal.h"
#include "models/train/images_internal.h"
#include "models/train/rows_internal.h"
#include "models/train/score_internal.h"
#include "tools/file.h"
#include "tools/memory.h"
#include "tools/text.h"

enum { COLUMNS = 16, SHOWN = 64 };

/* Appends an option that takes a text. */
static tl_option *put_text(tl_option *to, const char *name, const char **value, const char *what, const char *help)
{
    *to = (tl_option){.name = name, .kind = TL_TEXT, .value = value, .what = what, .help = help};
    return to + 1;
}

void train__use_options(train_images *m, tl_option *to)
{
    const train_image_program *p = m->program;
    const bool                 both = p->encode && p->decode;
    if (p->decode && p->sample)
        *to++ = (tl_option){"generate", TL_INT, &m->generate, 0, 1e6, "N", "  new images", false};
    if (p->encode)
        to = put_text(to, "encode", &m->encode, "FILE", "  codes of the images in a file: .npy (0..1), IDX, PNG, PGM");
    if (p->decode)
        to = put_text(to, "decode", &m->decode, "FILE", "  images of the codes in a .npy file");
    if (both)
        to = put_text(to, "reconstruct", &m->reconstruct, "FILE",
                      "  the images in a file, or those of \"test\", and what the model makes of them");
    if (both && p->corrupt) {
        to = put_text(to, "denoise", &m->denoise, "FILE", "  the images in a file and their denoised versions");
        *to++ = (tl_option){
            "add-noise", TL_FLAG, &m->add_noise, 0, 0, NULL, "  with --denoise: adds the model's noise first", false};
    }
    if (train__exports(m))
        to = put_text(to, "export", &m->exported, train__exports(m),
                      "  that part of the model as a C function that needs no library");
    if (p->encode || p->decode)
        to = put_text(to, "output", &m->output, "FILE",
                      "  where that goes: .npy, .png for images, .c; else beside the model");
    *to = (tl_option)TL_OPTIONS_END;
}

static bool check_export(const train_images *m, tl_error *why)
{
    const train_image_program *p = m->program;
    if (!(p->encode && !strcmp(m->exported, "encoder")) && !(p->decode && !strcmp(m->exported, "decoder")))
        return tl_fail(why, "--export %s: expected %s", m->exported, train__exports(m));
    return !m->output || tl_ends_with(m->output, ".c") ||
           tl_fail(why, "--output %s: expected a name that ends in .c", m->output);
}

bool train__check_uses(const train_images *m, tl_error *why)
{
    const int asked = m->score + m->edit + (m->generate > 0) + !!m->encode + !!m->decode + !!m->reconstruct +
                      !!m->denoise + !!m->exported;
    const bool images = m->generate > 0 || m->decode || m->reconstruct || m->denoise;
    char       names[160] = "";
    for (int i = 0; i < 2; i++)
        for (const tl_option *o = i ? m->extras : m->uses; o->name && asked != 1; o++)
            if (strcmp(o->name, "output") && strcmp(o->name, "add-noise") && strcmp(o->name, "classifier") &&
                strcmp(o->name, "preview"))
                snprintf(names + strlen(names), sizeof names - strlen(names), "%s--%s", *names ? ", " : "", o->name);
    if (asked != 1)
        return tl_fail(why, "--load: expected one of %s with it", names);
    if (m->output && (m->score || m->edit))
        return tl_fail(why, "--output: not with --score and --edit; --out names the folder that they write to");
    if (m->add_noise && !m->denoise)
        return tl_fail(why, "--add-noise: expected --denoise with it");
    if (m->exported)
        return check_export(m, why);
    if (!m->output || tl_ends_with(m->output, ".npy") || (images && tl_ends_with(m->output, ".png")))
        return true;
    return tl_fail(why, "--output %s: expected a name that ends in .npy%s", m->output, images ? " or .png" : "");
}

/* ---- Reading. ---- */

static bool wrong_size(const train_images *m, const char *path, int64_t numbers, tl_error *why)
{
    return tl_fail_at(why, path, "images of %lld numbers, the model expects %lld x %lld", (long long)numbers,
                      (long long)m->height, (long long)m->width);
}

/* Grey values of 0 to 1, which a model's linear output may leave a little. */
static bool is_unit(const ds_npy *a, const char *path, tl_error *why)
{
    for (int64_t i = 0; i < a->count; i++)
        if (!(a->data[i] >= -1 && a->data[i] <= 2))
            return tl_fail_at(why, path, "number %lld is %s, expected 0 to 1 (grey values of 0 to 255: divide by 255)",
                              (long long)i, TL_NUMBER((double)a->data[i], 6));
    return true;
}

static bool parse_npy(const train_images *m, const void *bytes, size_t n, const char *path, train_table *t,
                      tl_error *why)
{
    ds_npy        a;
    const int64_t size = m->height * m->width;
    if (!ds_npy_parse(bytes, n, path, &a, why))
        return false;
    const int64_t rows = a.count == size || a.rank < 1 ? 1 : a.dim[0]; /* one image may come without an axis for it */
    bool          ok = a.count == rows * size || wrong_size(m, path, a.count / rows, why);
    ok = ok && is_unit(&a, path, why) && train__table_init(t, rows, size, why);
    if (ok)
        memcpy(t->at, a.data, (size_t)a.count * sizeof *t->at);
    ds_npy_free(&a);
    return ok;
}

static bool parse_idx(const train_images *m, const void *bytes, size_t n, const char *path, train_table *t,
                      tl_error *why)
{
    ds_idx        a;
    const int64_t size = m->height * m->width;
    if (!ds_idx_parse(bytes, n, path, 3, &a, why))
        return false;
    const int64_t rows = a.dim[0], image = a.dim[1] * a.dim[2];
    bool          ok = image == size ? train__table_init(t, rows, size, why) : wrong_size(m, path, image, why);
    for (int64_t i = 0; ok && i < rows * size; i++)
        t->at[i] = (ag_real)a.data[i] / 255;
    free(a.data);
    return ok;
}

static bool parse_picture(const train_images *m, const void *bytes, size_t n, const char *path, train_table *t,
                          tl_error *why)
{
    ds_picture p;
    tl_error   reason;
    if (!ds_picture_parse(bytes, n, path, &p, why))
        return false;
    bool ok = train__table_init(t, 1, m->height * m->width, why) &&
              (ds_picture_to_digit(&p, m->height, m->width, t->at, &reason) ||
               tl_fail_at(why, path, "%s", reason.text));
    ds_picture_free(&p);
    return ok;
}

static bool parse_any(const train_images *m, const void *bytes, size_t n, const char *path, train_table *t,
                      tl_error *why)
{
    if (n >= 6 && !memcmp(bytes, "\x93NUMPY", 6))
        return parse_npy(m, bytes, n, path, t, why);
    if (n >= 2 && !memcmp(bytes, "\0\0", 2))
        return parse_idx(m, bytes, n, path, t, why);
    if (n >= 4 && !memcmp(bytes, "PK\3\4", 4))
        return tl_fail_at(why, path, "an archive, of numpy.savez perhaps; save one array with numpy.save instead");
    return parse_picture(m, bytes, n, path, t, why);
}

/* Images from a file of any kind, told by its first bytes, in the program's range. */
static bool read_images(const train_images *m, const char *path, train_table *t, tl_error *why)
{
    size_t   n = 0;
    uint8_t *bytes = tl_read_file(path, &n, why);
    if (!bytes)
        return false;
    bool ok = parse_any(m, bytes, n, path, t, why);
    free(bytes);
    if (ok)
        train_to_range(m, t->rows, t->at);
    return ok;
}

static bool read_codes(const train_images *m, const char *path, train_table *t, tl_error *why)
{
    ds_npy npy;
    if (!ds_npy_read(path, &npy, why))
        return false;
    const int64_t rows = npy.count == m->code || npy.rank < 1 ? 1 : npy.dim[0];
    if (npy.count / rows != m->code) {
        tl_fail_at(why, path, "codes of %lld numbers, the model's have %lld", (long long)(npy.count / rows),
                   (long long)m->code);
        ds_npy_free(&npy);
        return false;
    }
    *t = (train_table){rows, m->code, npy.data, NULL};
    return true;
}

/* ---- Writing. ---- */

/* --output, which may be there already; else a file beside the model. */
static bool output_path(train_images *m, const char *name, char *path, size_t size, tl_error *why)
{
    if (!m->output)
        return train_result_path(m, name, path, size, why);
    const int n = snprintf(path, size, "%s", m->output);
    return (n > 0 && (size_t)n < size) || tl_fail(why, "--output: the path is too long");
}

static bool write_npy(const train_images *m, const char *path, const train_table *t, bool images, tl_error *why)
{
    const int64_t flat[] = {t->rows, t->width}, square[] = {t->rows, m->height, m->width};
    tl_output     f;
    if (!tl_output_open(&f, path, why))
        return false;
    if (ds_npy_write(f.stream, images ? 3 : 2, images ? square : flat, t->at))
        return tl_output_close(&f, why);
    tl_output_abandon(&f);
    return tl_fail_at(why, path, "cannot be written: %lld by %lld numbers", (long long)t->rows, (long long)t->width);
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
static bool write_images(train_images *m, const char *name, const tl_labels *labels, int kinds, const train_table *t,
                         tl_error *why)
{
    char path[4200];
    if (!output_path(m, name, path, sizeof path, why))
        return false;
    if (tl_ends_with(path, ".npy"))
        return tell(m, write_npy(m, path, &t[kinds - 1], true, why), path);
    const ag_real *at[] = {t[0].at, kinds > 1 ? t[1].at : NULL};
    return tell(
        m, train_draw_arrays(m, path, labels, kinds, at, t[0].rows, m->generate > 0 ? m->columns : COLUMNS, why), path);
}

/* ---- What is asked. ---- */

static bool decode_to(train_images *m, const train_table *codes, const char *name, tl_error *why)
{
    train_table images = {0};
    bool        ok = train__decode(m, codes, &images, why);
    if (ok)
        train_to_unit(m, images.rows, images.at);
    ok = ok && write_images(m, name, NULL, 1, &images, why);
    free(images.at);
    return ok;
}

static bool generate(train_images *m, tl_error *why)
{
    train_table codes;
    const bool  ok = train__sample(m, m->generate, &codes, why) && decode_to(m, &codes, "generated.png", why);
    free(codes.at);
    return ok;
}

static bool decode(train_images *m, tl_error *why)
{
    train_table codes = {0};
    bool        ok = read_codes(m, m->decode, &codes, why) && decode_to(m, &codes, "decoded.npy", why);
    free(codes.at);
    return ok;
}

static bool encode(train_images *m, tl_error *why)
{
    char        path[4200];
    train_table images = {0}, codes = {0};
    bool        ok = output_path(m, "codes.npy", path, sizeof path, why) && read_images(m, m->encode, &images, why) &&
              train__encode(m, &images, &codes, why) && tell(m, write_npy(m, path, &codes, false, why), path);
    free(images.at);
    free(codes.at);
    return ok;
}

/* What goes in above what comes out. As .npy, what comes out, for all test images. */
static bool reconstruct(train_images *m, const char *from, const char *name, bool corrupt, tl_error *why)
{
    const bool  all = m->output && tl_ends_with(m->output, ".npy"), test = !strcmp(from, TRAIN_TEST_IMAGES);
    train_table t[2] = {{0}, {0}}, noisy = {0}, codes = {0};
    bool        ok = test ? train__unit_images(&m->test, all ? INT64_MAX : SHOWN, &t[0], why)
                          : read_images(m, from, &t[0], why);
    if (ok && test)
        train_to_range(m, t[0].rows, t[0].at);
    if (ok && corrupt) {
        ok = train__corrupt(m, &t[0], &noisy, why);
        free(t[0].at);
        t[0] = noisy;
    }
    ok = ok && train__encode(m, &t[0], &codes, why) && train__decode(m, &codes, &t[1], why);
    if (ok) {
        train_to_unit(m, t[0].rows, t[0].at);
        train_to_unit(m, t[1].rows, t[1].at);
        const tl_labels labels = {NULL, 2, 0, (const char *const[]){"image", m->denoise ? "denoised" : "decoded"},
                                  NULL};
        ok = write_images(m, name, &labels, 2, t, why);
    }
    free(t[0].at);
    free(codes.at);
    free(t[1].at);
    return ok;
}

static bool export(train_images *m, tl_error *why)
{
    char name[16], path[4200];
    snprintf(name, sizeof name, "%.12s.c", m->exported);
    return output_path(m, name, path, sizeof path, why) && tell(m, train__export(m, path, why), path);
}

bool train__use_model(train_images *m, tl_error *why)
{
    if (m->exported)
        return export(m, why);
    if (m->score)
        return train__score(m, why);
    if (m->edit)
        return train__edit(m, why);
    if (m->encode)
        return encode(m, why);
    if (m->decode)
        return decode(m, why);
    if (m->generate > 0)
        return generate(m, why);
    if (m->denoise)
        return reconstruct(m, m->denoise, "denoised_images.png", m->add_noise, why);
    return reconstruct(m, m->reconstruct, "reconstructed.png", false, why);
}
