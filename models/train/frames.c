#define _POSIX_C_SOURCE 200809L
#include "models/train/frames_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/train/rows_internal.h"
#include "tools/memory.h"
#include "tools/picture.h"
#include "tools/png.h"
#include "tools/terminal.h"

enum { COLUMNS = 16, KINDS = 3, SAMPLES = 2 * COLUMNS, MOST = 48 };

struct train_frames {
    int      n, every, seen, width, height;
    tl_png   png[MOST];
    uint8_t *pixels[MOST];
    char     caption[MOST][64];
    int      kinds; /* rows of test images */
    bool     has_samples;
};

void train__free_frames(train_images *m)
{
    struct train_frames *f = m->frames;
    for (int i = 0; f && i < f->n; i++) {
        free(f->png[i].bytes);
        free(f->pixels[i]);
    }
    free(f);
    m->frames = NULL;
}

/* When there is no more room every second one goes, and from then on only every second epoch is kept. */
static void thin(struct train_frames *f)
{
    for (int i = 0; i < MOST; i += 2) {
        free(f->png[i].bytes);
        free(f->pixels[i]);
    }
    for (int i = 0; i < MOST / 2; i++) {
        f->png[i] = f->png[2 * i + 1];
        f->pixels[i] = f->pixels[2 * i + 1];
        memcpy(f->caption[i], f->caption[2 * i + 1], sizeof f->caption[i]);
        f->png[i].caption = f->caption[i];
    }
    f->n = MOST / 2;
    f->every *= 2;
}

/* ---- One picture. ---- */

/* Test images, what they were made into on the way, and what comes out; then samples. All 0..1. */
static bool make_tables(train_images *m, train_table *t, int *kinds, train_table *samples, tl_error *why)
{
    train_table codes = {0};
    bool        ok = train__unit_images(&m->test, COLUMNS, &t[0], why);
    *kinds = 1;
    if (ok)
        train_to_range(m, t[0].rows, t[0].at);
    if (ok && m->program->corrupt)
        ok = train__corrupt(m, &t[0], &t[(*kinds)++], why);
    const train_table *in = &t[*kinds - 1];
    ok = ok && train__encode(m, in, &codes, why) && train__decode(m, &codes, &t[(*kinds)++], why);
    free(codes.at);
    codes.at = NULL;
    if (ok && m->program->sample)
        ok = train__sample(m, SAMPLES, &codes, why) && train__decode(m, &codes, samples, why);
    free(codes.at);
    for (int k = 0; ok && k < *kinds; k++)
        train_to_unit(m, t[k].rows, t[k].at);
    if (ok && samples->at)
        train_to_unit(m, samples->rows, samples->at);
    return ok;
}

static void put_row(tl_picture *p, int64_t row, const train_table *t, int64_t first, float *image)
{
    const int64_t size = p->image_height * p->image_width;
    for (int64_t i = 0; i < COLUMNS && first + i < t->rows; i++) {
        for (int64_t j = 0; j < size; j++)
            image[j] = (float)t->at[(first + i) * size + j];
        tl_picture_put(p, row, i, image);
    }
}

void train__frame_options(train_images *m, tl_option *table)
{
    while (table->name)
        table++;
    if (m->program->encode && m->program->decode)
        *table++ = (tl_option){
            "preview", TL_FLAG, &m->preview, 0, 0, NULL, "draw reconstructions in the terminal after each epoch",
            false};
    *table = (tl_option)TL_OPTIONS_END;
}

/* On a terminal, as many of the test images as its window is wide, with what is made of them. */
static void preview(const train_images *m, const tl_picture *p, int kinds)
{
    const int64_t across = p->image_width * p->scale + TL_PICTURE_GAP,
                  down = p->image_height * p->scale + TL_PICTURE_GAP;
    const int64_t fit = (tl_terminal_columns(STDOUT_FILENO) - TL_PICTURE_GAP) / across;
    if (!m->preview || m->job->options.quiet || !isatty(STDOUT_FILENO))
        return;
    tl_preview(stdout, p->pixels,
               (fit < 1         ? 1
                : fit < COLUMNS ? fit
                                : COLUMNS) *
                       across +
                   TL_PICTURE_GAP,
               kinds * down + TL_PICTURE_GAP, p->width, tl_terminal_shades());
    fflush(stdout);
}

static bool draw_frame(train_images *m, tl_picture *p, struct train_frames *f, tl_error *why)
{
    train_table t[KINDS] = {{0}}, samples = {0};
    bool        ok = make_tables(m, t, &f->kinds, &samples, why);
    float      *image = tl_array(m->height, m->width, sizeof *image);
    f->has_samples = samples.at != NULL;
    const int64_t rows = f->kinds + (f->has_samples ? SAMPLES / COLUMNS : 0);
    if (ok && !(image && tl_picture_init(p, rows, COLUMNS, m->height, m->width, 1, NULL)))
        ok = tl_fail(why, "out of memory");
    for (int k = 0; ok && k < f->kinds; k++)
        put_row(p, k, &t[k], 0, image);
    for (int64_t i = 0; ok && i < rows - f->kinds; i++)
        put_row(p, f->kinds + i, &samples, i * COLUMNS, image);
    for (int k = 0; k < KINDS; k++)
        free(t[k].at);
    free(samples.at);
    free(image);
    return ok;
}

bool train__collect_frame(train_images *m, const train_record *record, tl_error *why)
{
    tl_picture p = {0};
    if (!m->program->encode || !m->program->decode || m->encodes_only || m->test.count == 0)
        return true;
    struct train_frames *f = m->frames = m->frames ? m->frames : calloc(1, sizeof *f);
    if (!f)
        return tl_fail(why, "out of memory");
    f->every = f->every ? f->every : 1;
    if (++f->seen % f->every)
        return true;
    if (!draw_frame(m, &p, f, why)) {
        tl_picture_free(&p);
        return false;
    }
    preview(m, &p, f->kinds);
    const int i = f->n++;
    snprintf(f->caption[i], sizeof f->caption[i], "epoch %lld", (long long)record->epoch);
    f->png[i] = (tl_png){.caption = f->caption[i]};
    f->pixels[i] = p.pixels;
    f->width = (int)p.width;
    f->height = (int)p.height;
    if (!tl_png_bytes(p.pixels, p.width, p.height, 1, &f->png[i].bytes, &f->png[i].size))
        return tl_fail(why, "out of memory");
    if (f->n == MOST)
        thin(f);
    return true;
}

/* ---- All of them. ---- */

static bool write_births(train_images *m, const struct train_frames *f, tl_error *why)
{
    char          path[4200];
    tl_output     out;
    const int64_t size = (int64_t)f->width * f->height;
    uint8_t      *all = tl_array(f->n, size, 1);
    if (!all)
        return tl_fail(why, "out of memory");
    for (int i = 0; i < f->n; i++)
        memcpy(all + i * size, f->pixels[i], (size_t)size);
    bool ok = train_folder_file(&m->job->folder, "births.png", path, sizeof path, why) &&
              tl_output_open(&out, path, why);
    if (ok && !tl_apng_write(out.stream, all, f->n, f->width, f->height, 1, 400) && !ferror(out.stream)) {
        tl_output_abandon(&out);
        ok = tl_fail(why, "out of memory");
    }
    free(all);
    return ok && tl_output_close(&out, why);
}

bool train__show_frames(train_images *m, tl_page *page, tl_error *why)
{
    const struct train_frames *f = m->frames;
    if (!f || f->n == 0)
        return true;
    tl_page_section(page, "Images, epoch by epoch");
    tl_page_text(page, f->kinds > 2 ? "First row: test images. Second: the same with noise. Third: the model's output."
                                    : "First row: test images. Second: their reconstructions.");
    if (f->has_samples)
        tl_page_text(page, "The rows below are samples: the same codes after every epoch.");
    tl_page_frames(page, "After", f->n, f->png, 2);
    return write_births(m, f, why);
}
