#include "tools/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/text.h"

enum { WIDTH = 640, HEIGHT = 360, SQUARE = 560, LEFT = 64, RIGHT = 16, TOP = 52, BOTTOM = 48, ROW = 18, CLASSES = 10 };

const char *tl_colour(int i)
{
    static const char *const colours[CLASSES] = {"#cc6677", "#4b3fb5", "#ccb64f", "#117733", "#5fb4dd",
                                                 "#882255", "#44aa99", "#8a8a25", "#aa4499", "#8c8c8c"};
    return colours[(i % CLASSES + CLASSES) % CLASSES];
}

void tl_print_markup(FILE *f, const char *text)
{
    for (const char *c = f && text ? text : ""; *c; c++)
        switch (*c) {
        case '<': fputs("&lt;", f); break;
        case '>': fputs("&gt;", f); break;
        case '&': fputs("&amp;", f); break;
        case '"': fputs("&quot;", f); break;
        case '\'': fputs("&#39;", f); break;
        default:
            if ((unsigned char)*c >= ' ' || *c == '\n' || *c == '\t')
                fputc(*c, f);
            else
                fprintf(f, "\\x%02x", (unsigned char)*c); /* XML has no control characters */
        }
}

/* ---- Axes. ---- */

/* The greatest of 1, 2, 5 times a power of ten that is at most a quarter of the range. */
double tl_tick_step(double range)
{
    const double power = pow(10, floor(log10(range / 4)));
    const double times = range / 4 / power;
    return power * (times >= 5 ? 5 : times >= 2 ? 2 : 1);
}

enum { DIGITS = 6 }; /* of a tick's number: those that the margin has room for */

/* What a chart can show: larger values might overflow when an axis is computed. */
static bool is_drawable(double x)
{
    return fabs(x) <= 1e300;
}

/* A range that is not empty, a little wider than what it is for; of numbers that differ too little for the digits of
 * ticks between them, as of one. */
static void widen(double *low, double *high, bool logarithmic)
{
    if (!(*low <= *high)) {
        *low = 0;
        *high = 1;
    }
    const double range = *high - *low, size = fmax(fmax(fabs(*low), fabs(*high)), logarithmic ? 1 : 0);
    const double last_digit = pow(10, floor(log10(size)) + 1 - DIGITS); /* of a tick's number; of logarithms, a few */
    const double more = size < 1e-300 ? 1 : range > 4 * last_digit ? 0.04 * range : logarithmic ? 1 : 0.1 * size;
    *low -= more;
    *high += more;
}

static double place_x(const tl_axes *a, double x)
{
    return a->left + a->width * (x - a->x_low) / (a->x_high - a->x_low);
}

static double place_y(const tl_axes *a, double y)
{
    return a->top + a->height * (a->y_high - y) / (a->y_high - a->y_low);
}

static void number(FILE *f, double x)
{
    fputs(TL_NUMBER(round(x * 10) / 10, 6), f);
}

static void line(FILE *f, double x1, double y1, double x2, double y2, double opacity)
{
    fputs("<path d=\"M", f);
    number(f, x1);
    fputc(' ', f);
    number(f, y1);
    fputc('L', f);
    number(f, x2);
    fputc(' ', f);
    number(f, y2);
    fprintf(f, "\" stroke=\"currentColor\" stroke-opacity=\"%s\"/>", TL_NUMBER(opacity, 2));
}

static void text_at(FILE *f, double x, double y, const char *more, const char *text)
{
    fputs("<text x=\"", f);
    number(f, x);
    fputs("\" y=\"", f);
    number(f, y);
    fprintf(f, "\" %s>", more);
    tl_print_markup(f, text);
    fputs("</text>", f);
}

/* The first multiple of `step` at or above `low`, divided by it; 0 rather than -0, which would be printed so. */
static double first_tick(double low, double step)
{
    return ceil(low / step) + 0.0;
}

/* Between whole numbers, such as epochs, there is nothing. */
static void x_ticks(FILE *f, const tl_axes *a, bool whole)
{
    const double fine = tl_tick_step(a->x_high - a->x_low), step = whole && fine < 1 ? 1 : fine;
    const double bottom = a->top + a->height;
    for (double i = first_tick(a->x_low, step); i * step <= a->x_high; i++) {
        line(f, place_x(a, i * step), a->top, place_x(a, i * step), bottom, 0.15);
        text_at(f, place_x(a, i * step), bottom + 18, "text-anchor=\"middle\"", TL_NUMBER(i * step, DIGITS));
    }
}

static void y_tick(FILE *f, const tl_axes *a, double at, double value)
{
    line(f, a->left, place_y(a, at), a->left + a->width, place_y(a, at), 0.15);
    text_at(f, a->left - 8, place_y(a, at) + 4, "text-anchor=\"end\"", TL_NUMBER(value, DIGITS));
}

/* On a logarithmic axis the ends are logarithms: ticks at the powers of ten, with few of them at 2 and 5 times these.
 */
static void y_ticks(FILE *f, const tl_axes *a, bool logarithmic)
{
    const double range = a->y_high - a->y_low;
    if (!logarithmic || range < 0.5) {
        const double low = logarithmic ? pow(10, a->y_low) : a->y_low,
                     high = logarithmic ? pow(10, a->y_high) : a->y_high;
        const double step = tl_tick_step(high - low);
        for (double i = first_tick(low, step); i * step <= high; i++)
            y_tick(f, a, logarithmic ? log10(i * step) : i * step, i * step);
        return;
    }
    static const double times[] = {1, 2, 5};
    const double        every = ceil(range / 8);
    for (double power = floor(a->y_low); power <= a->y_high; power++)
        for (int i = 0; i < (range < 3 ? 3 : 1); i++) {
            const double at = power + log10(times[i]);
            if (at >= a->y_low && at <= a->y_high && fmod(power, every) == 0)
                y_tick(f, a, at, times[i] * pow(10, power));
        }
}

static void frame(FILE *f, const tl_axes *a, bool whole, bool logarithmic, const char *title, const char *x_label,
                  const char *y_label)
{
    char         turned[96];
    const double x = a->left + a->width / 2, y = a->top + a->height / 2;
    text_at(f, a->left, 18, "font-size=\"15\" font-weight=\"600\"", title);
    x_ticks(f, a, whole);
    y_ticks(f, a, logarithmic);
    line(f, a->left, a->top + a->height, a->left + a->width, a->top + a->height, 0.6);
    line(f, a->left, a->top, a->left, a->top + a->height, 0.6);
    text_at(f, x, a->top + a->height + 38, "text-anchor=\"middle\"", x_label);
    snprintf(turned, sizeof turned, "text-anchor=\"middle\" transform=\"rotate(-90 14 %d)\"", (int)y);
    text_at(f, 14, (int)y, turned, y_label);
}

static void open_svg(FILE *f, int width, int height, const char *title)
{
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" font-family=\"sans-serif\" "
            "font-size=\"12\" fill=\"currentColor\" stroke-width=\"1\"><title>",
            width, height);
    tl_print_markup(f, title);
    fputs("</title>\n", f);
}

static bool close_svg(FILE *f)
{
    fputs("</svg>\n", f);
    return !ferror(f);
}

/* ---- Lines. ---- */

/* A value's place on the axis, NaN if it has none. */
static double on_axis(const tl_chart *c, double y)
{
    if (!is_drawable(y) || (c->logarithmic && !(y > 0)))
        return NAN;
    return c->logarithmic ? log10(y) : y;
}

/* The names of the lines stand in rows above the chart: where name k begins. */
static void legend_place(const tl_chart *c, int k, double *x, int *row)
{
    *x = LEFT;
    *row = 0;
    for (int i = 0; i <= k && i < c->n; i++) {
        const double wide = 34 + 7.0 * (double)strlen(c->lines[i].name);
        if (*x > LEFT && *x + wide > WIDTH) {
            *x = LEFT;
            ++*row;
        }
        *x += i < k ? wide : 0;
    }
}

static int legend_rows(const tl_chart *c)
{
    double x;
    int    row;
    legend_place(c, c->n - 1, &x, &row);
    return row + 1;
}

static bool is_whole(const tl_chart *c)
{
    for (int k = 0; k < c->n; k++)
        for (int64_t i = 0; i < c->lines[k].n; i++)
            if (c->lines[k].x[i] != floor(c->lines[k].x[i]))
                return false;
    return true;
}

static tl_axes axes_of(const tl_chart *c)
{
    const double top = TOP + ROW * (legend_rows(c) - 1);
    tl_axes      a = {LEFT, top, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM, INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (int k = 0; k < c->n; k++)
        for (int64_t i = 0; i < c->lines[k].n; i++) {
            const double x = c->lines[k].x[i], y = on_axis(c, c->lines[k].y[i]);
            if (isnan(y) || !is_drawable(x))
                continue;
            a.x_low = fmin(a.x_low, x);
            a.x_high = fmax(a.x_high, x);
            a.y_low = fmin(a.y_low, y);
            a.y_high = fmax(a.y_high, y);
        }
    widen(&a.x_low, &a.x_high, false);
    widen(&a.y_low, &a.y_high, c->logarithmic);
    return a;
}

/* Dashes tell lines apart that colours do not. */
static void style_line(FILE *f, int k, int width)
{
    static const char *const dashes[] = {"", "6 3", "2 3", "8 3 2 3"};
    fprintf(f, "class=\"c%d\" stroke=\"%s\" fill=\"none\" stroke-width=\"%d\"", k % CLASSES, tl_colour(k), width);
    if (*dashes[k % 4])
        fprintf(f, " stroke-dasharray=\"%s\"", dashes[k % 4]);
}

static void draw_line(FILE *f, const tl_chart *c, const tl_axes *a, int k)
{
    const tl_line *l = &c->lines[k];
    bool           joined = false;
    fputs("<path ", f);
    style_line(f, k, l->n == 1 ? 6 : 2);
    fputs(" stroke-linejoin=\"round\" stroke-linecap=\"round\" d=\"", f);
    for (int64_t i = 0; i < l->n; i++) {
        const double y = on_axis(c, l->y[i]);
        if (isnan(y) || !is_drawable(l->x[i])) {
            joined = false;
            continue;
        }
        fputc(joined ? 'L' : 'M', f);
        number(f, place_x(a, l->x[i]));
        fputc(' ', f);
        number(f, place_y(a, y));
        if (!joined)
            fputs("h0", f); /* a dot, should it stand alone */
        joined = true;
    }
    fputs("\"/>\n", f);
}

static void draw_legend(FILE *f, const tl_chart *c)
{
    for (int k = 0; k < c->n; k++) {
        double x;
        int    row;
        legend_place(c, k, &x, &row);
        fprintf(f, "<path d=\"M%d %dh18\" ", (int)x, 37 + ROW * row);
        style_line(f, k, 2);
        fputs("/>", f);
        text_at(f, x + 23, 41 + ROW * row, "", c->lines[k].name);
    }
    fputc('\n', f);
}

static bool has_lines(const tl_chart *c)
{
    bool all = c->n == 0 || (c->n > 0 && c->lines);
    for (int k = 0; all && k < c->n; k++)
        all = c->lines[k].name && (c->lines[k].n <= 0 || (c->lines[k].x && c->lines[k].y));
    return all;
}

bool tl_chart_svg(FILE *f, const tl_chart *c)
{
    if (!f || !c || !has_lines(c))
        return false;
    const tl_axes a = axes_of(c);
    open_svg(f, WIDTH, HEIGHT + ROW * (legend_rows(c) - 1), c->title);
    frame(f, &a, is_whole(c), c->logarithmic, c->title, c->x_label, c->y_label);
    for (int k = 0; k < c->n; k++)
        draw_line(f, c, &a, k);
    draw_legend(f, c);
    return close_svg(f);
}

/* ---- Points. ---- */

static bool is_point(const tl_points *p, int64_t i)
{
    return is_drawable(p->x[i]) && is_drawable(p->y[i]);
}

tl_axes tl_points_axes(const tl_points *p)
{
    const double side = SQUARE - LEFT - RIGHT;
    tl_axes      a = {LEFT, TOP, side, side, INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (int64_t i = 0; p && p->x && p->y && i < p->n; i++)
        if (is_point(p, i)) {
            a.x_low = fmin(a.x_low, p->x[i]);
            a.x_high = fmax(a.x_high, p->x[i]);
            a.y_low = fmin(a.y_low, p->y[i]);
            a.y_high = fmax(a.y_high, p->y[i]);
        }
    widen(&a.x_low, &a.x_high, false);
    widen(&a.y_low, &a.y_high, false);
    return a;
}

bool tl_points_place(const tl_points *p, const tl_axes *a, int64_t i, double *x, double *y)
{
    if (!p || !p->x || !p->y || i < 0 || i >= p->n || !is_point(p, i))
        return false;
    *x = place_x(a, p->x[i]);
    *y = place_y(a, p->y[i]);
    return true;
}

static int class_of(const tl_points *p, int64_t i)
{
    return p->label ? p->label[i] % CLASSES : 0;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The class's number at the median of its points. */
static void name_class(FILE *f, const tl_points *p, const tl_axes *a, int class, double *values)
{
    double middle[2] = {0, 0};
    char   digit[2] = {(char)('0' + class), 0};
    for (int axis = 0; axis < 2; axis++) {
        int64_t n = 0;
        for (int64_t i = 0; i < p->n; i++)
            if (class_of(p, i) == class && is_point(p, i))
                values[n++] = axis ? p->y[i] : p->x[i];
        if (n == 0)
            return;
        qsort(values, (size_t)n, sizeof *values, ascending);
        middle[axis] = values[n / 2];
    }
    text_at(f, place_x(a, middle[0]), place_y(a, middle[1]) + 6,
            "text-anchor=\"middle\" font-size=\"18\" font-weight=\"700\" class=\"halo\"", digit);
}

/* A class is one path of dots: lines of no length with round ends. */
static void draw_class(FILE *f, const tl_points *p, const tl_axes *a, int class, double *values)
{
    fprintf(f,
            "<g data-class=\"%d\"><path class=\"c%d\" stroke=\"%s\" stroke-width=\"4\" stroke-linecap=\"round\" "
            "stroke-opacity=\"0.75\" fill=\"none\" d=\"",
            class, class, tl_colour(class));
    for (int64_t i = 0; i < p->n; i++)
        if (class_of(p, i) == class && is_point(p, i)) {
            fputc('M', f);
            number(f, place_x(a, p->x[i]));
            fputc(' ', f);
            number(f, place_y(a, p->y[i]));
            fputs("h0", f);
        }
    fputs("\"/>", f);
    if (p->label)
        name_class(f, p, a, class, values);
    fputs("</g>\n", f);
}

static void draw_classes_legend(FILE *f)
{
    for (int class = 0; class < CLASSES; class ++) {
        char      digit[2] = {(char)('0' + class), 0};
        const int x = LEFT + 44 * class;
        fprintf(f, "<path d=\"M%d 37h0\" class=\"c%d\" stroke=\"%s\" stroke-width=\"10\" stroke-linecap=\"round\"/>",
                x + 6, class, tl_colour(class));
        text_at(f, x + 16, 41, "", digit);
    }
    fputc('\n', f);
}

bool tl_points_svg(FILE *f, const tl_points *p)
{
    if (!f || !p || p->n < 0 || (p->n > 0 && (!p->x || !p->y)))
        return false;
    double *values = malloc((size_t)(p->n + 1) * sizeof *values);
    if (!values)
        return false;
    const tl_axes a = tl_points_axes(p);
    open_svg(f, SQUARE, SQUARE + TOP + BOTTOM - LEFT - RIGHT, p->title);
    frame(f, &a, false, false, p->title, p->x_label, p->y_label);
    for (int class = 0; class < (p->label ? CLASSES : 1); class ++)
        draw_class(f, p, &a, class, values);
    if (p->label)
        draw_classes_legend(f);
    free(values);
    return close_svg(f);
}
