/* Charts as SVG: lines over a number, and points on a plane. Each has its axes, ticks, units and legend; text stays
 * text. Lines and text take the colour of what is around them, so that a page can be light or dark. The colours are
 * Paul Tol's "muted" scheme (Technical note SRON/EPS/TN/09-002), which the colour-blind tell apart; lines differ in
 * their dashes too, and a class of points has its number in its middle. */
#ifndef TL_CHART_H
#define TL_CHART_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tl_line {
    const char   *name;
    int64_t       n;
    const double *x, *y; /* a value that is NaN or beyond 1e300 makes a gap */
} tl_line;

typedef struct tl_chart {
    const char    *title, *x_label, *y_label; /* with units; escaped when written */
    bool           logarithmic;               /* the y axis; values not above 0 make a gap */
    int            n;
    const tl_line *lines;
} tl_chart;

/* Points with a class of 0 to 9 each; class NULL: all of one. */
typedef struct tl_points {
    const char    *title, *x_label, *y_label;
    int64_t        n;
    const double  *x, *y;
    const uint8_t *label;
} tl_points;

/* Where a chart's axes lie in its picture, and what their ends stand for. */
typedef struct tl_axes {
    double left, top, width, height; /* units of the picture */
    double x_low, x_high, y_low, y_high;
} tl_axes;

/* Writes a chart as an SVG element, which is also a whole file. False if the chart, a line's name or its values are
 * NULL, or on write failure. */
bool tl_chart_svg(FILE *f, const tl_chart *chart);
bool tl_points_svg(FILE *f, const tl_points *points);

/* The axes that tl_points_svg uses, and where it draws point i in the picture's units; false if it does not. */
tl_axes tl_points_axes(const tl_points *points);
bool    tl_points_place(const tl_points *points, const tl_axes *axes, int64_t i, double *x, double *y);

/* Text for HTML and XML: <, >, &, quotes and control characters escaped. */
void tl_print_markup(FILE *f, const char *text);

/* The colour of class or line i, "#cc6677". */
const char *tl_colour(int i);

/* The distance of round numbers, some five to nine of them, for an axis over `range`, which is above 0. */
double tl_tick_step(double range);

#ifdef __cplusplus
}
#endif
#endif
