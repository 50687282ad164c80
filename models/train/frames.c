#define _POSIX_C_SOURCE 200809L
#include "models/train/frames_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/train/births_internal.h"
#include "models/train/rows_internal.h"
#include "tools/memory.h"
#include "tools/picture.h"
#include "tools/terminal.h"

enum { COLUMNS = 16, KINDS = 3, SAMPLES = 2 * COLUMNS };

void train__free_frames(train_images *m)
{
    if (m->frames)
        train__drop_frames(m->frames);
    free(m->frames);
    m->frames = NULL;
}

/* ---- One picture. ---- */

/* Rows of test images: as they are, with noise for a denoiser, and what comes out. */
static int kinds_of(const train_images *m)
{
    return m->program->corrupt ? 3 : 2;
}

/* These rows, and samples. All 0..1. */
static bool make_tables(train_images *m, train_table *t, train_table *samples, tl_error *why)
{
    train_table codes = {0};
    const int   kinds = kinds_of(m);
    bool        ok = train__unit_images(&m->test, COLUMNS, &t[0], why);
    if (ok)
        train_to_range(m, t[0].rows, t[0].at);
    if (ok && m->program->corrupt)
        ok = train__corrupt(m, &t[0], &t[1], why);
    ok = ok && train__encode(m, &t[kinds - 2], &codes, why) && train__decode(m, &codes, &t[kinds - 1], why);
    free(codes.at);
    codes.at = NULL;
    if (ok && m->program->sample)
        ok = train__sample(m, SAMPLES, &codes, why) && train__decode(m, &codes, samples, why);
    free(codes.at);
    for (int k = 0; ok && k < kinds; k++)
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
static void preview(const train_images *m, const tl_picture *p)
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
               kinds_of(m) * down + TL_PICTURE_GAP, p->width, tl_terminal_shades());
    fflush(stdout);
}

static bool draw_frame(train_images *m, tl_picture *p, tl_error *why)
{
    train_table   t[KINDS] = {{0}}, samples = {0};
    bool          ok = make_tables(m, t, &samples, why);
    float        *image = tl_array(m->height, m->width, sizeof *image);
    const int64_t kinds = kinds_of(m), rows = kinds + (samples.at ? SAMPLES / COLUMNS : 0);
    if (ok && !(image && tl_picture_init(p, rows, COLUMNS, m->height, m->width, 1, NULL)))
        ok = tl_fail(why, "out of memory");
    for (int k = 0; ok && k < kinds; k++)
        put_row(p, k, &t[k], 0, image);
    for (int64_t i = 0; ok && i < rows - kinds; i++)
        put_row(p, kinds + i, &samples, i * COLUMNS, image);
    for (int k = 0; k < KINDS; k++)
        free(t[k].at);
    free(samples.at);
    free(image);
    return ok;
}

/* Those of the run that is resumed, up to an epoch; none of a new one. */
static bool open_frames(train_images *m, int64_t before, tl_error *why)
{
    if (m->frames)
        return true;
    m->frames = calloc(1, sizeof *m->frames);
    if (!m->frames)
        return tl_fail(why, "out of memory");
    m->frames->every = 1;
    if (m->job->options.resume)
        train__read_births(m, before);
    return true;
}

bool train__collect_frame(train_images *m, const train_record *record, tl_error *why)
{
    tl_picture    p = {0};
    const int64_t ordinal = m->job->run.history.n;
    if (!m->program->encode || !m->program->decode || m->encodes_only || m->test.count == 0)
        return true;
    if (!open_frames(m, ordinal, why))
        return false;
    struct train_frames *f = m->frames;
    if (ordinal % f->every && !m->preview)
        return true;
    if (!draw_frame(m, &p, why)) {
        tl_picture_free(&p);
        return false;
    }
    preview(m, &p);
    if (ordinal % f->every) {
        tl_picture_free(&p);
        return true;
    }
    if (f->n > 0 && (f->width != (int)p.width || f->height != (int)p.height))
        train__drop_frames(f); /* those of a run with other pictures */
    f->width = (int)p.width;
    f->height = (int)p.height;
    return train__keep_frame(f, ordinal, record->epoch, p.pixels, why);
}

/* ---- All of them. ---- */

bool train__show_frames(train_images *m, tl_page *page, tl_error *why)
{
    if (!open_frames(m, m->job->run.history.n + 1, why)) /* a run with nothing left to train has all of them */
        return false;
    const struct train_frames *f = m->frames;
    if (f->n == 0)
        return true;
    tl_page_section(page, "Images, epoch by epoch");
    tl_page_text(page, kinds_of(m) > 2
                           ? "First row: test images. Second: the same with noise. Third: the model's output."
                           : "First row: test images. Second: their reconstructions.");
    if (m->program->sample)
        tl_page_text(page, "The rows below are samples: the same codes after every epoch.");
    tl_page_frames(page, "After", f->n, f->png, 2);
    return train__write_births(m, why);
}
