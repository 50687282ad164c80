#include "datasets/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/memory.h"

/* From a picture to one under even light; to ink: how much of the pen is on each pixel, 0..1; to a box; to the target.
 */

enum {
    LEVELS = 256,
    DARK = 32,           /* a ground below this is dark enough to be left as it is */
    LIGHT = 96,          /* a ground of at least this may be paper */
    UNEVEN = 12,         /* differences of light from side to side that are worth removing */
    BENT = 48,           /* how far the four sides may be from a plane, times 2 */
    LEAST_CONTRAST = 24, /* a picture whose greys stay nearer to the ground's is blank */
    SPECKS = 500,        /* one in so many pixels of ink may lie outside each side of the box */
};

typedef struct digit {
    const ds_picture *picture;
    int               ground;                   /* the grey of the ground */
    bool              dark_ink;                 /* on light, or light on dark */
    ag_real           ink[LEVELS];              /* by grey */
    int64_t           top, left, bottom, right; /* the box: the rows and columns from the first to before the last */
} digit;

/* ---- Greys to ink. ---- */

/* Adds the greys of rows top.. before bottom, columns left.. before right. */
static void count_greys(const ds_picture *p, int64_t top, int64_t bottom, int64_t left, int64_t right,
                        int64_t count[LEVELS])
{
    for (int64_t y = top; y < bottom; y++)
        for (int64_t x = left; x < right; x++)
            count[p->grey[y * p->width + x]]++;
}

/* The lowest level that at least `share` of what was counted, in hundredths, does not exceed. */
static int quantile(const int64_t count[LEVELS], int share)
{
    int64_t all = 0, below = 0;
    for (int i = 0; i < LEVELS; i++)
        all += count[i];
    for (int i = 0; i < LEVELS; i++) {
        below += count[i];
        if (below * 100 >= all * share)
            return i;
    }
    return LEVELS - 1;
}

enum { TOP, BOTTOM, LEFT, RIGHT, SIDES };

static void count_side(const ds_picture *p, int side, int64_t count[LEVELS])
{
    count_greys(p, side == BOTTOM ? p->height - 1 : 0, side == TOP ? 1 : p->height, side == RIGHT ? p->width - 1 : 0,
                side == LEFT ? 1 : p->width, count);
}

/* Ink is on the side of the ground on which the greys lie farther from it, by the sum of squares. */
static bool find_side(digit *d, const int64_t count[LEVELS])
{
    int64_t darker = 0, lighter = 0;
    int     most = 0;
    for (int i = 0; i < LEVELS; i++) {
        int64_t away = i - d->ground, weight = count[i] * away * away;
        *(away < 0 ? &darker : &lighter) += weight;
        if (count[i] && abs(i - d->ground) > most)
            most = abs(i - d->ground);
    }
    d->dark_ink = darker > lighter;
    return most >= LEAST_CONTRAST;
}

/* Turns counts of greys into counts of distances from the ground on the side of the ink. */
static void count_distances(const digit *d, int64_t count[LEVELS])
{
    int64_t distance[LEVELS] = {0};
    for (int i = 0; i < LEVELS; i++) {
        int away = d->dark_ink ? d->ground - i : i - d->ground;
        distance[away > 0 ? away : 0] += count[i];
    }
    memcpy(count, distance, sizeof distance);
}

/* The level that best splits what was counted: those up to it, and those above (Otsu: "A threshold selection method
 * from gray-level histograms", 1979). */
static int split(const int64_t count[LEVELS])
{
    double all = 0, sum = 0, below = 0, sum_below = 0, best = 0;
    int    level = 0;
    for (int i = 0; i < LEVELS; i++) {
        all += (double)count[i];
        sum += (double)count[i] * i;
    }
    for (int i = 0; i < LEVELS - 1; i++) {
        below += (double)count[i];
        sum_below += (double)count[i] * i;
        if (below <= 0 || below >= all)
            continue;
        double apart = sum_below / below - (sum - sum_below) / (all - below),
               spread = below * (all - below) * apart * apart;
        if (spread > best) {
            best = spread;
            level = i;
        }
    }
    return level;
}

/* The ink of each grey: none up to the unevenness that the border shows of the ground, all of it at what most of the
 * ink has. */
static void find_ink(digit *d, int64_t all[LEVELS], int64_t border[LEVELS])
{
    count_distances(d, all);
    count_distances(d, border);
    int threshold = split(all), uneven = quantile(border, 95);
    memset(all, 0, (size_t)(threshold + 1) * sizeof *all);
    int none = uneven < threshold ? uneven : threshold, full = quantile(all, 90);
    for (int i = 0; i < LEVELS; i++) {
        int    away = d->dark_ink ? d->ground - i : i - d->ground;
        double ink = (double)(away - none) / (full - none);
        d->ink[i] = (ag_real)(ink < 0 ? 0 : ink > 1 ? 1 : ink);
    }
}

static bool find_levels(digit *d, tl_error *why)
{
    const ds_picture *p = d->picture;
    int64_t           all[LEVELS] = {0}, border[LEVELS] = {0};
    count_greys(p, 0, p->height, 0, p->width, all);
    for (int i = 0; i < SIDES; i++)
        count_side(p, i, border);
    d->ground = quantile(border, 50);
    if (!find_side(d, all))
        return tl_fail(why, "a blank picture: no grey in it differs from its ground by more than %d of 255",
                       LEAST_CONTRAST - 1);
    find_ink(d, all, border);
    return true;
}

/* ---- Ink to a box. ---- */

/* The range that holds all but a few of what was counted in n places. */
static void trim(const int64_t *count, int64_t n, int64_t all, int64_t *from, int64_t *to)
{
    int64_t before = 0, after = 0;
    for (*from = 0; *from < n && (before + count[*from]) * SPECKS <= all; ++*from)
        before += count[*from];
    for (*to = n; *to > *from + 1 && (after + count[*to - 1]) * SPECKS <= all; --*to)
        after += count[*to - 1];
}

static bool find_box(digit *d, tl_error *why)
{
    const ds_picture *p = d->picture;
    int64_t           all = 0, *rows = tl_array(p->height + p->width, 1, sizeof *rows);
    if (!rows)
        return tl_fail(why, "out of memory (a picture of %lld x %lld)", (long long)p->width, (long long)p->height);
    int64_t *columns = rows + p->height;
    memset(rows, 0, (size_t)(p->height + p->width) * sizeof *rows);
    for (int64_t y = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++)
            if (d->ink[p->grey[y * p->width + x]] >= 0.5f) {
                rows[y]++;
                columns[x]++;
                all++;
            }
    trim(rows, p->height, all, &d->top, &d->bottom);
    trim(columns, p->width, all, &d->left, &d->right);
    free(rows);
    return true;
}

/* ---- The box to the target. ---- */

/* One axis: target pixel i shows source positions around (i + 0.5 - shift) / scale. */
typedef struct axis {
    double  scale, shift;
    int64_t from, to; /* the source pixels that are looked at */
    int64_t size;     /* of the target */
} axis;

/* What a target pixel shows is as wide as itself, and at least as one source pixel: an average over an area where the
 * picture becomes smaller, linear interpolation where it becomes larger. */
static void window(const axis *a, int64_t i, double *from, double *to)
{
    double centre = ((double)i + 0.5 - a->shift) / a->scale, half = a->scale < 1 ? 0.5 / a->scale : 0.5;
    *from = centre - half;
    *to = centre + half;
}

/* The share of the window [from, to] that source pixel k covers. */
static double covered(double from, double to, int64_t k)
{
    double low = from > (double)k ? from : (double)k, high = to < (double)(k + 1) ? to : (double)(k + 1);
    return high > low ? (high - low) / (to - from) : 0;
}

static void resample_row(const digit *d, const axis *across, int64_t y, double *row)
{
    const uint8_t *grey = d->picture->grey + y * d->picture->width;
    for (int64_t j = 0; j < across->size; j++) {
        double from, to, sum = 0;
        window(across, j, &from, &to);
        int64_t k = from > (double)across->from ? (int64_t)from : across->from;
        for (; k < across->to && (double)k < to; k++)
            sum += covered(from, to, k) * (double)d->ink[grey[k]];
        row[j] = sum;
    }
}

/* Each source row is resampled across once and added to the target rows that show it. */
static bool resample(const digit *d, const axis *down, const axis *across, ag_real *out, tl_error *why)
{
    double *row = tl_array(across->size, 1, sizeof *row);
    if (!row)
        return tl_fail(why, "out of memory (a row of %lld)", (long long)across->size);
    memset(out, 0, (size_t)(down->size * across->size) * sizeof *out);
    for (int64_t y = down->from; y < down->to; y++) {
        resample_row(d, across, y, row);
        for (int64_t i = 0; i < down->size; i++) {
            double from, to;
            window(down, i, &from, &to);
            double share = covered(from, to, y);
            for (int64_t j = 0; share > 0 && j < across->size; j++)
                out[i * across->size + j] += (ag_real)(share * row[j]);
        }
    }
    free(row);
    return true;
}

/* The centre of mass of the box's ink, in source positions. */
static void find_centre(const digit *d, double *down, double *across)
{
    double mass = 0, y_sum = 0, x_sum = 0;
    for (int64_t y = d->top; y < d->bottom; y++)
        for (int64_t x = d->left; x < d->right; x++) {
            double ink = (double)d->ink[d->picture->grey[y * d->picture->width + x]];
            mass += ink;
            y_sum += ink * ((double)y + 0.5);
            x_sum += ink * ((double)x + 0.5);
        }
    *down = y_sum / mass;
    *across = x_sum / mass;
}

/* Puts source positions from..to where `centre` comes to the target's middle: pixel 14 of 28, as in MNIST, to the
 * nearest whole pixel, but so that all of the box is inside. A margin for soft edges and tails beside the box is shown
 * too. */
static axis place(double scale, int64_t from, int64_t to, double centre, int64_t source, int64_t target)
{
    double side = (double)(to - from) * scale;
    double start = floor((double)target / 2 + 0.5 - (centre - (double)from) * scale + 0.5),
           last = floor((double)target - side);
    start = start > last ? last : start;
    start = start < 0 ? 0 : start;
    int64_t margin = 1 + (int64_t)(1 / scale);
    return (axis){scale, start - (double)from * scale, from > margin ? from - margin : 0,
                  to + margin < source ? to + margin : source, target};
}

/* The strongest ink becomes 1: thin strokes pale as they become smaller. */
static void stretch(ag_real *x, int64_t n)
{
    ag_real most = 0;
    for (int64_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (int64_t i = 0; i < n && most > 0; i++)
        x[i] = x[i] / most;
}

static bool draw(const digit *d, int64_t height, int64_t width, ag_real *out, tl_error *why)
{
    double down, across, box_height = (double)(d->bottom - d->top), box_width = (double)(d->right - d->left);
    double scale_down = (double)height * 20 / 28 / box_height, scale_across = (double)width * 20 / 28 / box_width;
    double scale = scale_down < scale_across ? scale_down : scale_across;
    find_centre(d, &down, &across);
    axis rows = place(scale, d->top, d->bottom, down, d->picture->height, height);
    axis columns = place(scale, d->left, d->right, across, d->picture->width, width);
    if (!resample(d, &rows, &columns, out, why))
        return false;
    stretch(out, height * width);
    return true;
}

/* ---- Light. ---- */

/* The lightness of the ground where light falls from one side: a plane through the medians of the picture's four sides.
 */
typedef struct light {
    double middle, down, across; /* in the middle, and how much it grows from side to side */
} light;

/* Whether the sides look like paper under such light, and not like ink that touches some of them. */
static bool find_light(const ds_picture *p, light *l)
{
    double m[SIDES];
    for (int i = 0; i < SIDES; i++) {
        int64_t count[LEVELS] = {0};
        count_side(p, i, count);
        m[i] = quantile(count, 50);
    }
    *l = (light){(m[TOP] + m[BOTTOM] + m[LEFT] + m[RIGHT]) / SIDES, m[BOTTOM] - m[TOP], m[RIGHT] - m[LEFT]};
    double grows = fabs(l->down) + fabs(l->across), bend = fabs(m[TOP] + m[BOTTOM] - m[LEFT] - m[RIGHT]);
    return l->middle >= LIGHT && grows >= UNEVEN && grows <= 1.5 * l->middle && bend <= BENT;
}

/* Makes a copy as under even light. */
static bool even_light(const ds_picture *p, const light *l, ds_picture *out, tl_error *why)
{
    *out = (ds_picture){p->height, p->width, tl_array(p->height, p->width, 1)};
    if (!out->grey)
        return tl_fail(why, "out of memory (a picture of %lld x %lld)", (long long)p->width, (long long)p->height);
    for (int64_t y = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++) {
            double here = l->middle + l->down * (((double)y + 0.5) / (double)p->height - 0.5) +
                          l->across * (((double)x + 0.5) / (double)p->width - 0.5);
            double even = p->grey[y * p->width + x] * l->middle / here + 0.5;
            out->grey[y * p->width + x] = (uint8_t)(even > 255 ? 255 : even);
        }
    return true;
}

/* Draws the digit of a picture under even light. */
static bool draw_even(const ds_picture *p, int64_t height, int64_t width, ag_real *out, tl_error *why)
{
    digit d = {.picture = p};
    return find_levels(&d, why) && find_box(&d, why) && draw(&d, height, width, out, why);
}

/* Whether the picture is already as it should be. */
static bool is_digit(const ds_picture *p, int64_t height, int64_t width)
{
    digit d = {.picture = p};
    return p->height == height && p->width == width && find_levels(&d, NULL) && !d.dark_ink && d.ground < DARK;
}

bool ds_picture_to_digit(const ds_picture *p, int64_t height, int64_t width, ag_real *out, tl_error *why)
{
    if (!p || !p->grey || p->height < 1 || p->width < 1 || !out || height < 1 || width < 1 ||
        height > INT64_MAX / 8 / width)
        return tl_fail(why, "no picture, or a target of %lld x %lld, expected sides of at least 1", (long long)width,
                       (long long)height);
    if (is_digit(p, height, width)) {
        for (int64_t i = 0; i < height * width; i++)
            out[i] = (ag_real)p->grey[i] / 255;
        return true;
    }
    light l;
    if (!find_light(p, &l))
        return draw_even(p, height, width, out, why);
    ds_picture even;
    bool       ok = even_light(p, &l, &even, why) && draw_even(&even, height, width, out, why);
    free(even.grey);
    return ok;
}
