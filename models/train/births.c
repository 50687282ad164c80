#define _POSIX_C_SOURCE 200809L
#include "models/train/births_internal.h"

#include <stdlib.h>
#include <string.h>

#include "datasets/inflate.h"
#include "tools/file.h"
#include "tools/memory.h"
#include "tools/png.h"

enum {
    MOST = TRAIN_MOST_FRAMES,
    MOST_PIXELS = 1 << 15, /* along a side of a picture */
    COMMENT = MOST * 24    /* characters */
};

void train__drop_frames(struct train_frames *f)
{
    for (int i = 0; i < f->n; i++) {
        free(f->png[i].bytes);
        free(f->pixels[i]);
    }
    f->n = 0;
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
        f->ordinal[i] = f->ordinal[2 * i + 1];
        memcpy(f->caption[i], f->caption[2 * i + 1], sizeof f->caption[i]);
        f->png[i].caption = f->caption[i];
    }
    f->n = MOST / 2;
    f->every *= 2;
}

bool train__keep_frame(struct train_frames *f, int64_t ordinal, int64_t epoch, uint8_t *pixels, tl_error *why)
{
    const int i = f->n;
    snprintf(f->caption[i], sizeof f->caption[i], "epoch %lld", (long long)epoch);
    f->png[i] = (tl_png){.caption = f->caption[i]};
    if (!tl_png_bytes(pixels, f->width, f->height, 1, &f->png[i].bytes, &f->png[i].size)) {
        free(pixels);
        return tl_fail(why, "out of memory");
    }
    f->ordinal[i] = ordinal;
    f->pixels[i] = pixels;
    if (++f->n == MOST)
        thin(f);
    return true;
}

/* ---- The file. Its comment says of every how many epochs frames are kept, and then each one's ordinal. ---- */

bool train__write_births(train_images *m, tl_error *why)
{
    const struct train_frames *f = m->frames;
    char                       path[4200], comment[COMMENT];
    tl_output                  out;
    const int64_t              size = (int64_t)f->width * f->height;
    uint8_t                   *all = tl_array(f->n, size, 1);
    size_t                     length = (size_t)snprintf(comment, sizeof comment, "every %d\n", f->every);
    if (!all)
        return tl_fail(why, "out of memory");
    for (int i = 0; i < f->n; i++) {
        memcpy(all + i * size, f->pixels[i], (size_t)size);
        length += (size_t)snprintf(comment + length, sizeof comment - length, "%lld\n", (long long)f->ordinal[i]);
    }
    bool ok = train_folder_file(&m->job->folder, "births.png", path, sizeof path, why) &&
              tl_output_open(&out, path, why);
    if (ok && !tl_apng_write(out.stream, all, f->n, f->width, f->height, 1, 400, comment) && !ferror(out.stream)) {
        tl_output_abandon(&out);
        ok = tl_fail(why, "out of memory");
    }
    free(all);
    return ok && tl_output_close(&out, why);
}

static uint32_t number_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The pixels of one frame: rows after the byte of their filter, which is 0. NULL if they are anything else. */
static uint8_t *frame_pixels(const uint8_t *data, size_t size, size_t width, size_t height)
{
    tl_error     unused;
    const size_t all = (width + 1) * height;
    uint8_t     *rows = all / DS_INFLATE_MOST_RATIO <= size ? malloc(all) : NULL, *pixels = malloc(width * height);
    bool         ok = rows && pixels && ds_inflate(data, size, rows, all, "births.png", &unused);
    for (size_t y = 0; ok && y < height; y++) {
        ok = rows[y * (width + 1)] == 0;
        memcpy(pixels + y * width, rows + y * (width + 1) + 1, width);
    }
    free(rows);
    if (!ok)
        free(pixels);
    return ok ? pixels : NULL;
}

/* What is being read: the frames so far, and the lines of the comment that are left. */
typedef struct births {
    struct train_frames *frames;
    const train_history *history;
    int64_t              before; /* frames of earlier epochs than this, counted over all phases, are wanted */
    char                 comment[COMMENT], *line;
} births;

/* The size of all frames, before the first of them. */
static bool take_header(births *b, const uint8_t *data, size_t size)
{
    const uint32_t width = size == 13 ? number_at(data) : 0, height = size == 13 ? number_at(data + 4) : 0;
    if (b->frames->n > 0 || width < 1 || height < 1 || width > MOST_PIXELS || height > MOST_PIXELS)
        return false;
    b->frames->width = (int)width;
    b->frames->height = (int)height;
    return true;
}

static bool take_comment(births *b, const uint8_t *data, size_t size)
{
    const size_t keyword = sizeof "Comment";
    long long    every = 0;
    if (size < keyword || size - keyword >= sizeof b->comment || memcmp(data, "Comment", keyword) != 0)
        return false;
    memcpy(b->comment, data + keyword, size - keyword);
    b->comment[size - keyword] = '\0';
    b->line = strchr(b->comment, '\n');
    if (!b->line || sscanf(b->comment, "every %lld", &every) != 1 || every < 1 || every > INT32_MAX)
        return false;
    b->frames->every = (int)every;
    b->line++;
    return true;
}

static bool take_frame(births *b, const uint8_t *data, size_t size)
{
    struct train_frames *f = b->frames;
    char                *end;
    tl_error             unused;
    if (!b->line || f->width < 1 || f->n == MOST - 1)
        return false;
    const long long ordinal = strtoll(b->line, &end, 10);
    if (*end != '\n' || ordinal < 1 || ordinal >= b->before || ordinal > b->history->n)
        return false;
    b->line = end + 1;
    uint8_t *pixels = frame_pixels(data, size, (size_t)f->width, (size_t)f->height);
    return pixels && train__keep_frame(f, ordinal, b->history->at[ordinal - 1].epoch, pixels, &unused);
}

/* Chunk by chunk, as long as each is what train__write_births writes, and of an epoch before the one at hand. */
static void parse(births *b, const uint8_t *at, const uint8_t *end)
{
    for (bool ok = true; ok && end - at >= 12 && number_at(at) <= (size_t)(end - at) - 12;) {
        const size_t   size = number_at(at);
        const uint8_t *type = at + 4, *data = at + 8;
        if (!memcmp(type, "IHDR", 4))
            ok = take_header(b, data, size);
        else if (!memcmp(type, "tEXt", 4))
            ok = take_comment(b, data, size);
        else if (!memcmp(type, "IDAT", 4))
            ok = take_frame(b, data, size);
        else if (!memcmp(type, "fdAT", 4))
            ok = size > 4 && take_frame(b, data + 4, size - 4); /* after its number */
        at = data + size + 4;
    }
}

void train__read_births(train_images *m, int64_t before)
{
    char     path[4200];
    size_t   size = 0;
    tl_error unused;
    births   b = {.frames = m->frames, .history = &m->job->run.history, .before = before};
    uint8_t *bytes = tl_beside(m->job->options.resume, "births.png", path, sizeof path, &unused)
                         ? tl_read_file(path, &size, &unused)
                         : NULL;
    if (bytes && size > 8)
        parse(&b, bytes + 8, bytes + size);
    free(bytes);
}
