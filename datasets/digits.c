/* Synthetic handwritten digits. A digit is a few strokes, each a smooth curve through points; every image moves the
 * points a little, then scales, slants and places the whole and draws it with a round pen. Only + - * / and square
 * roots are used, so that the images are the same on every machine. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "datasets/random_internal.h"
#include "tools/memory.h"

#define SIDE       28
#define MAX_POINTS 12
#define STEPS      8 /* straight pieces between two points of a stroke */

typedef struct point {
    double x, y; /* in a unit square, y downwards */
} point;

typedef struct stroke {
    int   points; /* 0 ends the strokes of a digit */
    point p[MAX_POINTS];
} stroke;

/* Each way of writing a digit. */
typedef struct glyph {
    int    digit;
    stroke strokes[3];
} glyph;

static const glyph glyphs[] = {
    {0, {{8, {{.55, .04}, {.28, .2}, {.17, .55}, {.32, .9}, {.6, .95}, {.83, .62}, {.78, .2}, {.52, .04}}}}},
    {1, {{3, {{.56, .04}, {.52, .5}, {.48, .96}}}}},
    {1, {{2, {{.34, .24}, {.56, .05}}}, {3, {{.56, .05}, {.54, .5}, {.52, .96}}}}},
    {2,
     {{7, {{.2, .26}, {.42, .05}, {.72, .14}, {.72, .38}, {.5, .66}, {.3, .84}, {.18, .93}}},
      {3, {{.18, .93}, {.5, .88}, {.86, .92}}}}},
    {2,
     {{10,
       {{.2, .22},
        {.45, .04},
        {.74, .16},
        {.68, .45},
        {.4, .8},
        {.2, .93},
        {.17, .8},
        {.34, .76},
        {.6, .9},
        {.88, .88}}}}},
    {3,
     {{5, {{.22, .14}, {.5, .04}, {.74, .18}, {.64, .4}, {.4, .47}}},
      {5, {{.4, .47}, {.72, .54}, {.78, .78}, {.52, .96}, {.18, .86}}}}},
    {4, {{4, {{.3, .06}, {.18, .54}, {.5, .57}, {.88, .52}}}, {3, {{.7, .1}, {.66, .5}, {.62, .96}}}}},
    {4, {{2, {{.62, .04}, {.16, .62}}}, {2, {{.16, .62}, {.88, .6}}}, {3, {{.62, .04}, {.62, .5}, {.6, .96}}}}},
    {5,
     {{7, {{.32, .08}, {.26, .44}, {.52, .38}, {.78, .56}, {.7, .86}, {.42, .96}, {.18, .86}}},
      {2, {{.32, .08}, {.8, .05}}}}},
    {6, {{8, {{.68, .04}, {.38, .28}, {.22, .66}, {.4, .95}, {.68, .9}, {.76, .68}, {.52, .54}, {.26, .7}}}}},
    {7, {{3, {{.16, .12}, {.5, .1}, {.82, .1}}}, {3, {{.82, .1}, {.6, .46}, {.42, .96}}}}},
    {7,
     {{3, {{.16, .14}, {.5, .1}, {.82, .1}}}, {3, {{.82, .1}, {.6, .46}, {.44, .96}}}, {2, {{.32, .5}, {.76, .47}}}}},
    {8,
     {{10,
       {{.7, .14},
        {.46, .04},
        {.26, .2},
        {.5, .46},
        {.76, .72},
        {.52, .96},
        {.24, .76},
        {.5, .46},
        {.74, .24},
        {.7, .14}}}}},
    {9,
     {{6, {{.74, .26}, {.52, .05}, {.26, .22}, {.34, .46}, {.6, .45}, {.76, .2}}},
      {3, {{.76, .2}, {.72, .6}, {.58, .96}}}}},
};
enum { GLYPHS = sizeof glyphs / sizeof *glyphs };

/* ---- Chance. ---- */

static double uniform(uint64_t *state, double low, double high)
{
    return low + (high - low) * ((double)(ds_random_next(state) >> 11) * 0x1p-53);
}

/* Near normal, with deviation 1: the sum of four uniforms. */
static double bell(uint64_t *state)
{
    double sum = 0;
    for (int i = 0; i < 4; i++)
        sum += uniform(state, -1, 1);
    return sum * 0.8660254037844386;
}

/* ---- Drawing. ---- */

typedef struct canvas {
    double radius; /* pixels of full ink on each side */
    float  ink[SIDE * SIDE];
} canvas;

/* The distance from a point to the segment from a to b. */
static double distance(point p, point a, point b)
{
    double dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
    double t = length2 > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length2 : 0;
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    double ex = p.x - (a.x + t * dx), ey = p.y - (a.y + t * dy);
    return sqrt(ex * ex + ey * ey);
}

static int clip(double x)
{
    return x < 0 ? 0 : x > SIDE - 1 ? SIDE - 1 : (int)x;
}

/* Ink is full within the radius and fades over one pixel. */
static void draw_segment(canvas *c, point a, point b)
{
    double reach = c->radius + 1;
    int    x0 = clip(fmin(a.x, b.x) - reach), x1 = clip(fmax(a.x, b.x) + reach + 1);
    int    y0 = clip(fmin(a.y, b.y) - reach), y1 = clip(fmax(a.y, b.y) + reach + 1);
    for (int y = y0; y <= y1; y++)
        for (int x = x0; x <= x1; x++) {
            double v = c->radius + 0.5 - distance((point){x, y}, a, b);
            float *ink = &c->ink[y * SIDE + x];
            if (v > (double)*ink)
                *ink = v > 1 ? 1 : (float)v;
        }
}

/* The curve through the points of a stroke at t in 0..1 between points i and i + 1 (Catmull, Rom, 1974). */
static point spline(const stroke *s, int i, double t)
{
    point  a = s->p[i > 0 ? i - 1 : 0], b = s->p[i], c = s->p[i + 1], d = s->p[i + 2 < s->points ? i + 2 : i + 1];
    double t2 = t * t, t3 = t2 * t;
    double wa = -t3 + 2 * t2 - t, wb = 3 * t3 - 5 * t2 + 2, wc = -3 * t3 + 4 * t2 + t, wd = t3 - t2;
    return (point){(wa * a.x + wb * b.x + wc * c.x + wd * d.x) / 2, (wa * a.y + wb * b.y + wc * c.y + wd * d.y) / 2};
}

static void draw_stroke(canvas *c, const stroke *s)
{
    point from = s->p[0];
    for (int i = 0; i + 1 < s->points; i++)
        for (int k = 1; k <= STEPS; k++) {
            point to = spline(s, i, (double)k / STEPS);
            draw_segment(c, from, to);
            from = to;
        }
}

static const glyph *pick_glyph(int digit, uint64_t *state)
{
    const glyph *ways[GLYPHS];
    uint64_t     n = 0;
    for (int i = 0; i < GLYPHS; i++)
        if (glyphs[i].digit == digit)
            ways[n++] = &glyphs[i];
    return ways[ds_random_next(state) % n];
}

/* Moves every point at random; points that begin where another ends stay together, being equal before. */
static void disturb(glyph *g, uint64_t *state)
{
    glyph before = *g;
    for (int s = 0; s < 3; s++)
        for (int i = 0; i < g->strokes[s].points; i++) {
            point *p = &g->strokes[s].p[i];
            p->x += 0.035 * bell(state);
            p->y += 0.03 * bell(state);
        }
    for (int s = 1; s < 3 && g->strokes[s].points > 0; s++)
        for (int r = 0; r < s; r++) {
            int   last = before.strokes[r].points - 1;
            point start = before.strokes[s].p[0], end = before.strokes[r].p[last], begin = before.strokes[r].p[0];
            if (memcmp(&start, &end, sizeof start) == 0)
                g->strokes[s].p[0] = g->strokes[r].p[last];
            else if (memcmp(&start, &begin, sizeof start) == 0)
                g->strokes[s].p[0] = g->strokes[r].p[0];
        }
}

/* From the unit square to pixels: size, slant and a slight turn, then the mean point put near the middle. */
static void place(glyph *g, uint64_t *state)
{
    double height = 18.5 + 1.0 * bell(state), width = height * (0.78 + 0.1 * bell(state));
    double slant = 0.12 + 0.16 * bell(state), turn = 0.07 * bell(state);
    double mean_x = 0, mean_y = 0;
    int    n = 0;
    for (int s = 0; s < 3; s++)
        for (int i = 0; i < g->strokes[s].points; i++, n++) {
            point *p = &g->strokes[s].p[i];
            double x = (p->x - 0.5) * width, y = (p->y - 0.5) * height;
            *p = (point){x - (slant + turn) * y, y + turn * x};
            mean_x += p->x;
            mean_y += p->y;
        }
    double to_x = 13.5 - mean_x / n + 0.5 * bell(state), to_y = 13.5 - 0.5 * mean_y / n + 0.5 * bell(state);
    for (int s = 0; s < 3; s++)
        for (int i = 0; i < g->strokes[s].points; i++) {
            g->strokes[s].p[i].x += to_x;
            g->strokes[s].p[i].y += to_y;
        }
}

static void draw_digit(int digit, uint64_t seed, uint8_t *pixels)
{
    uint64_t state = seed;
    glyph    g = *pick_glyph(digit, &state);
    disturb(&g, &state);
    place(&g, &state);
    canvas c = {.radius = uniform(&state, 0.55, 1.45)};
    for (int s = 0; s < 3; s++)
        if (g.strokes[s].points > 0)
            draw_stroke(&c, &g.strokes[s]);
    for (int i = 0; i < SIDE * SIDE; i++)
        pixels[i] = (uint8_t)(c.ink[i] * 255.0f + 0.5f);
}

bool ds_digits_make(int64_t count, uint64_t seed, ds_dataset *d, tl_error *why)
{
    if (!d)
        return tl_fail(why, "digits: no place for the result");
    *d = (ds_dataset){0};
    if (count < 1 || count > 100000000)
        return tl_fail(why, "digits: %lld images asked for, expected 1 to 100000000", (long long)count);
    *d = (ds_dataset){count, SIDE, SIDE, tl_array(count, SIDE * SIDE, 1), tl_array(count, 1, 1)};
    if (!d->pixels || !d->labels) {
        ds_dataset_free(d);
        return tl_fail(why, "digits: out of memory for %lld images", (long long)count);
    }
    uint64_t stream = seed;
    for (int64_t i = 0; i < count; i++) {
        d->labels[i] = (uint8_t)(i % 10);
        draw_digit((int)(i % 10), ds_random_next(&stream), d->pixels + i * SIDE * SIDE);
    }
    return true;
}
