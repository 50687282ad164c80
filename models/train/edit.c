#include "models/train/edit_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/draw.h"
#include "models/train/rows_internal.h"
#include "tools/file.h"
#include "tools/memory.h"
#include "tools/png.h"
#include "tools/text.h"

enum { CLASSES = 10, PROPERTIES = 2, SEEN = 20000, WALKED = 1000, STEPS = 11, DRAWN = 8, MODEL_DIGIT = 3 };

void train__edit_options(train_images *m, tl_option *table)
{
    while (table->name)
        table++;
    if (m->program->encode && m->program->decode && m->program->edits)
        *table++ = (tl_option){
            "edit",
            TL_FLAG,
            &m->edit,
            0,
            0,
            NULL,
            "change the thickness and the slant of digits by their codes, after training or with --load",
            false};
    *table = (tl_option)TL_OPTIONS_END;
}

/* ---- Properties of an image (0..1). ---- */

/* The width of the stroke in pixels: a stroke of width w and length l has the area w l, and edges of length 2 l. */
static double thickness(const ag_real *x, int64_t height, int64_t width)
{
    double area = 0, edges = 0;
    for (int64_t r = 0; r + 1 < height; r++)
        for (int64_t c = 0; c + 1 < width; c++) {
            const double v = (double)x[r * width + c], below = (double)x[(r + 1) * width + c] - v,
                         right = (double)x[r * width + c + 1] - v;
            area += v;
            edges += sqrt(below * below + right * right);
        }
    return edges > 0 ? 2 * area / edges : 0;
}

/* How far to the right a row is of the row one below it, in pixels; by the moments of the second order. */
static double slant(const ag_real *x, int64_t height, int64_t width)
{
    double sum = 0, rows = 0, columns = 0, across = 0, along = 0;
    for (int64_t i = 0; i < height * width; i++) {
        sum += (double)x[i];
        rows += (double)x[i] * (double)(i / width);
        columns += (double)x[i] * (double)(i % width);
    }
    for (int64_t i = 0; i < height * width && sum > 0; i++) {
        const double r = (double)(i / width) - rows / sum, c = (double)(i % width) - columns / sum;
        across += (double)x[i] * r * c;
        along += (double)x[i] * r * r;
    }
    return along > 0 ? -across / along : 0;
}

typedef double           property(const ag_real *x, int64_t height, int64_t width);
static property *const   properties[PROPERTIES] = {thickness, slant};
static const char *const names[PROPERTIES] = {"thickness", "slant"};

/* ---- Means of codes. ---- */

typedef struct direction {
    ag_real *low, *high; /* mean codes of the quarter with the least of the property, and with the most */
    ag_real *excess;     /* the mean code of MODEL_DIGIT's images that have more of it than half of all images */
} direction;

typedef struct editing {
    train_images *images;
    train_table   codes;         /* of training images */
    double       *value;         /* (PROPERTIES, codes.rows) */
    ag_real      *mean[CLASSES]; /* of the codes of each digit; all memory is the first's */
    direction     of[PROPERTIES];
} editing;

/* Adds up the codes of a digit (-1: any) whose property is from low to high; returns how many there are. */
static int64_t sum_codes(const editing *e, int digit, const double *value, double low, double high, ag_real *to)
{
    const int64_t width = e->codes.width;
    int64_t       n = 0;
    memset(to, 0, (size_t)width * sizeof *to);
    for (int64_t i = 0; i < e->codes.rows; i++) {
        if ((digit >= 0 && e->codes.labels[i] != digit) || !(value[i] >= low && value[i] <= high))
            continue;
        n++;
        for (int64_t k = 0; k < width; k++)
            to[k] += e->codes.at[i * width + k];
    }
    return n;
}

/* Their mean; where there are none, that of all digits. */
static void mean_code(const editing *e, int digit, const double *value, double low, double high, ag_real *to)
{
    int64_t n = sum_codes(e, digit, value, low, high, to);
    if (n == 0)
        n = sum_codes(e, -1, value, low, high, to);
    for (int64_t k = 0; k < e->codes.width && n > 0; k++)
        to[k] /= (ag_real)n;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The values below which a quarter, half and three quarters of the images lie. */
static bool quartiles(const editing *e, const double *value, double *quarter)
{
    const int64_t n = e->codes.rows;
    double       *sorted = tl_array(n, 1, sizeof *sorted);
    if (!sorted)
        return false;
    memcpy(sorted, value, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    for (int i = 0; i < 3; i++)
        quarter[i] = sorted[(n - 1) * (i + 1) / 4];
    free(sorted);
    return true;
}

static bool find_directions(editing *e, tl_error *why)
{
    const int64_t width = e->codes.width;
    ag_real      *memory = tl_array(CLASSES + 3 * PROPERTIES, width, sizeof *memory);
    if (!(e->mean[0] = memory))
        return tl_fail(why, "out of memory");
    for (int c = 0; c < CLASSES; c++, memory += width) {
        e->mean[c] = memory;
        mean_code(e, c, e->value, -INFINITY, INFINITY, memory);
    }
    for (int p = 0; p < PROPERTIES; p++, memory += 3 * width) {
        const double *value = e->value + p * e->codes.rows;
        double        quarter[3];
        e->of[p] = (direction){memory, memory + width, memory + 2 * width};
        if (!quartiles(e, value, quarter))
            return tl_fail(why, "out of memory");
        mean_code(e, -1, value, -INFINITY, quarter[0], e->of[p].low);
        mean_code(e, -1, value, quarter[2], INFINITY, e->of[p].high);
        mean_code(e, MODEL_DIGIT, value, quarter[1], INFINITY, e->of[p].excess);
    }
    return true;
}

static bool open_editing(editing *e, train_images *m, tl_error *why)
{
    train_table   images;
    const int64_t size = m->height * m->width;
    *e = (editing){.images = m};
    if (!train__unit_images(&m->train, SEEN, &images, why))
        return false;
    e->value = tl_array(PROPERTIES, images.rows, sizeof *e->value);
    bool ok = e->value || tl_fail(why, "out of memory");
    for (int p = 0; ok && p < PROPERTIES; p++)
        for (int64_t i = 0; i < images.rows; i++)
            e->value[p * images.rows + i] = properties[p](images.at + i * size, m->height, m->width);
    if (ok)
        train_to_range(m, images.rows, images.at);
    ok = ok && train__encode(m, &images, &e->codes, why) && find_directions(e, why);
    free(images.at);
    return ok;
}

static void close_editing(editing *e)
{
    free(e->codes.at);
    free(e->value);
    free(e->mean[0]);
}

/* ---- What comes out. ---- */

/* The images (0..1) of codes, which are given back to be freed. */
static bool images_of(editing *e, const train_table *codes, train_table *images, tl_error *why)
{
    *images = (train_table){0};
    if (!train__decode(e->images, codes, images, why))
        return false;
    train_to_unit(e->images, images->rows, images->at);
    return true;
}

static double mean_property(const editing *e, int p, const train_table *images)
{
    double sum = 0;
    for (int64_t i = 0; i < images->rows; i++)
        sum += properties[p](images->at + i * images->width, e->images->height, e->images->width);
    return sum / (double)images->rows;
}

/* codes + t (to - from). */
static bool moved(const train_table *codes, double t, const ag_real *from, const ag_real *to, train_table *out,
                  tl_error *why)
{
    if (!train__table_init(out, codes->rows, codes->width, why))
        return false;
    for (int64_t i = 0; i < codes->rows * codes->width; i++) {
        const int64_t k = i % codes->width;
        out->at[i] = codes->at[i] + (ag_real)t * (to[k] - from[k]);
    }
    return true;
}

/* One step of a row: the first DRAWN images to the picture, the mean of the property. */
static bool step_along(editing *e, int p, const train_table *codes, int step, ag_real *picture, double *mean,
                       tl_error *why)
{
    train_table   there = {0}, images = {0};
    const double  t = 2.0 * step / (STEPS - 1) - 1;
    const int64_t drawn = codes->rows < DRAWN ? codes->rows : DRAWN;
    bool          ok = moved(codes, t, e->of[p].low, e->of[p].high, &there, why) && images_of(e, &there, &images, why);
    if (ok)
        *mean = mean_property(e, p, &images);
    for (int64_t i = 0; ok && i < drawn; i++)
        memcpy(picture + ((i * PROPERTIES + p) * STEPS + step) * images.width, images.at + i * images.width,
               (size_t)images.width * sizeof *picture);
    free(there.at);
    free(images.at);
    return ok;
}

/* edits.png: two rows for each of the first test images. */
static bool draw_rows(editing *e, const train_table *codes, double mean[PROPERTIES][STEPS], tl_error *why)
{
    train_images *m = e->images;
    const int64_t drawn = (codes->rows < DRAWN ? codes->rows : DRAWN) * PROPERTIES * STEPS;
    ag_real      *picture = tl_array(drawn, m->height * m->width, sizeof *picture);
    char          path[4200];
    tl_text       text[STEPS];
    const char   *columns[STEPS];
    for (int i = 0; i < STEPS; i++) {
        text[i] = tl_number_text(2.0 * i / (STEPS - 1) - 1, 2);
        columns[i] = text[i].s;
    }
    const tl_labels labels = {"codes of test images, moved along two directions", PROPERTIES, STEPS, names, columns};
    bool            ok = picture || tl_fail(why, "out of memory");
    for (int p = 0; ok && p < PROPERTIES; p++)
        for (int i = 0; ok && i < STEPS; i++)
            ok = step_along(e, p, codes, i, picture, &mean[p][i], why);
    ok = ok && train_result_path(m, "edits.png", path, sizeof path, why) &&
         train_draw_arrays(m, path, &labels, 1, (const ag_real *const[]){picture}, drawn, STEPS, why);
    free(picture);
    return ok;
}

/* arithmetic.png: a column for each digit: its mean, and that with more of each property; before and after in `mean`.
 */
static bool draw_sums(editing *e, double mean[PROPERTIES][2], tl_error *why)
{
    const train_table codes = {CLASSES, e->codes.width, e->mean[0], NULL};
    train_table       there = {0}, images[1 + PROPERTIES] = {{0}};
    const ag_real    *kinds[1 + PROPERTIES];
    const tl_labels   labels = {"the mean code of each digit, and with more of a property", 1 + PROPERTIES, CLASSES,
                                (const char *const[]){"mean", names[0], names[1]}, train_digits};
    char              path[4200];
    bool              ok = images_of(e, &codes, &images[0], why);
    for (int p = 0; ok && p < PROPERTIES; p++) {
        ok = moved(&codes, 1, e->mean[MODEL_DIGIT], e->of[p].excess, &there, why) &&
             images_of(e, &there, &images[1 + p], why);
        free(there.at);
        there.at = NULL;
        mean[p][0] = ok ? mean_property(e, p, &images[0]) : 0;
        mean[p][1] = ok ? mean_property(e, p, &images[1 + p]) : 0;
    }
    for (int i = 0; i <= PROPERTIES; i++)
        kinds[i] = images[i].at;
    ok = ok && train_result_path(e->images, "arithmetic.png", path, sizeof path, why) &&
         train_draw_arrays(e->images, path, &labels, 1 + PROPERTIES, kinds, CLASSES, CLASSES, why);
    for (int i = 0; i <= PROPERTIES; i++)
        free(images[i].at);
    return ok;
}

/* ---- The walk. ---- */

enum { BETWEEN = 12, SCALE = 4 };

/* From each digit's mean to the next, slow at the digits. */
static bool walk_codes(const editing *e, train_table *codes, tl_error *why)
{
    if (!train__table_init(codes, CLASSES * BETWEEN, e->codes.width, why))
        return false;
    for (int64_t i = 0; i < codes->rows; i++) {
        const ag_real *from = e->mean[i / BETWEEN], *to = e->mean[(i / BETWEEN + 1) % CLASSES];
        const double   t = (double)(i % BETWEEN) / BETWEEN, eased = t * t * (3 - 2 * t);
        for (int64_t k = 0; k < codes->width; k++)
            codes->at[i * codes->width + k] = from[k] + (ag_real)eased * (to[k] - from[k]);
    }
    return true;
}

static bool write_walk(const train_images *m, const train_table *images, const char *path, tl_error *why)
{
    enum { MILLISECONDS = 60 };
    const int64_t width = SCALE * m->width, height = SCALE * m->height;
    uint8_t      *pixels = tl_array(images->rows, width * height, 1);
    tl_output     out;
    if (!pixels)
        return tl_fail(why, "out of memory");
    for (int64_t i = 0; i < images->rows * width * height; i++) {
        const int64_t frame = i / (width * height), y = i / width % height / SCALE, x = i % width / SCALE;
        const double  v = (double)images->at[frame * images->width + y * m->width + x];
        pixels[i] = (uint8_t)(255 * (v > 0 ? v < 1 ? v : 1 : 0) + 0.5);
    }
    bool ok = tl_output_open(&out, path, why);
    if (ok && !tl_apng_write(out.stream, pixels, images->rows, width, height, 1, MILLISECONDS, NULL) &&
        !ferror(out.stream)) {
        tl_output_abandon(&out);
        ok = tl_fail(why, "out of memory");
    }
    free(pixels);
    return ok && tl_output_close(&out, why);
}

static bool draw_walk(editing *e, tl_error *why)
{
    train_table codes = {0}, images = {0};
    char        path[4200];
    const bool  ok = walk_codes(e, &codes, why) && images_of(e, &codes, &images, why) &&
                    train_result_path(e->images, "walk.png", path, sizeof path, why) &&
                    write_walk(e->images, &images, path, why);
    free(codes.at);
    free(images.at);
    return ok;
}

/* ---- All of it. ---- */

static bool write_numbers(editing *e, double rows[PROPERTIES][STEPS], double sums[PROPERTIES][2], tl_error *why)
{
    char      path[4200];
    tl_output out;
    if (!train_result_path(e->images, "edits.csv", path, sizeof path, why) || !tl_output_open(&out, path, why))
        return false;
    fputs("property,step,mean\n", out.stream);
    for (int p = 0; p < PROPERTIES; p++)
        for (int i = 0; i < STEPS; i++) {
            fprintf(out.stream, "%s,%s,", names[p], TL_NUMBER(2.0 * i / (STEPS - 1) - 1, 3));
            fprintf(out.stream, "%s\n", TL_NUMBER(rows[p][i], 5));
        }
    for (int p = 0; p < PROPERTIES && !e->images->job->options.quiet; p++) {
        bool rises = true;
        for (int i = 1; i < STEPS; i++)
            rises = rises && rows[p][i] > rows[p][i - 1];
        printf("%s along the rows of edits.png: %s to ", names[p], TL_NUMBER(rows[p][0], 3));
        printf("%s, %s; ", TL_NUMBER(rows[p][STEPS - 1], 3), rises ? "rising at each step" : "not rising throughout");
        printf("of c + a - b: %s to ", TL_NUMBER(sums[p][0], 3));
        printf("%s\n", TL_NUMBER(sums[p][1], 3));
    }
    return tl_output_close(&out, why);
}

bool train__edit(train_images *m, tl_error *why)
{
    editing     e;
    train_table images = {0}, codes = {0};
    double      rows[PROPERTIES][STEPS], sums[PROPERTIES][2];
    bool        ok = open_editing(&e, m, why) && train__unit_images(&m->test, WALKED, &images, why);
    if (ok)
        train_to_range(m, images.rows, images.at);
    ok = ok && train__encode(m, &images, &codes, why) && draw_rows(&e, &codes, rows, why) && draw_sums(&e, sums, why) &&
         draw_walk(&e, why) && write_numbers(&e, rows, sums, why);
    free(images.at);
    free(codes.at);
    close_editing(&e);
    return ok;
}
