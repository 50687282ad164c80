/* Pooling, of up to AGK_LANES planes, and its mirror, the repetition of pixels.
 *
 * Small planes go side by side, as short rows do (side.h): a lane is a plane, and windows may be of any form. Larger ones go one by one.
 * A row of the input is copied into a line, border included, so that all windows of a row are alike; with stride s in s parts, of
 * the columns that leave the same remainder, so that what one tap of all windows meets lies side by side. Many windows go in strips. */
#include <math.h>
#include <string.h>

#include "autograd/kernels/simd/side.h"

enum {
    LINE = 1024,      /* reals of a line */
    OUTPUTS = 256,    /* windows of a strip */
    MOST_STRIDE = 32, /* farther apart, windows are taken one by one */
    SMALL = 100,      /* pixels of a small plane */
};

INLINE int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t area(const int64_t *size)
{
    return size[0] * size[1];
}

static bool is_small(const agk_pool *p)
{
    return area(p->in) <= SMALL && area(p->out) <= SMALL;
}

/* Windows `at` .. at+n-1 of a row; their columns are `first` .. first + n * stride + reach - 1 of the input. Column first + r + j *
 * stride is element j of part r, each of `part`; it is inside the input for low[r] <= j < high[r]. */
typedef struct strip {
    int64_t at, n, first, part, low[MOST_STRIDE], high[MOST_STRIDE];
} strip;

static int64_t reach_of(const agk_pool *p)
{
    return (p->kernel[1] - 1) * p->dilation[1];
}

/* An offset in a window is kept as a real. */
static bool fits_strips(const agk_pool *p)
{
    const int64_t exact = 1 << 24;
    return p->stride[1] <= MOST_STRIDE && reach_of(p) <= LINE / 2 && p->kernel[0] * p->dilation[0] <= exact / (p->in[1] + LINE);
}

static strip strip_at(const agk_pool *p, int64_t at)
{
    const int64_t s = p->stride[1], extra = reach_of(p) / s + 1;
    strip         t = {.at = at, .n = least(least(p->out[1] - at, OUTPUTS), LINE / s - extra)};
    t.first = at * s - p->padding[1];
    t.part = t.n + extra;
    for (int64_t r = 0; r < s; r++) {
        const int64_t from = t.first + r, left = p->in[1] - from;
        t.low[r] = from < 0 ? least((s - 1 - from) / s, t.part) : 0;
        t.high[r] = left > 0 ? least((left + s - 1) / s, t.part) : 0;
        t.high[r] = t.high[r] < t.low[r] ? t.low[r] : t.high[r];
    }
    return t;
}

/* Positions of the input that window i of an axis covers: begin, begin + dilation, ... below end. With a kernel of 0 windows are
 * uneven: window i of n has an n-th of the axis, rounded outwards. */
static void span_of(const agk_pool *p, int axis, int64_t i, int64_t *begin, int64_t *end)
{
    const int64_t start = i * p->stride[axis] - p->padding[axis], step = p->dilation[axis], in = p->in[axis];
    if (p->kernel[axis] == 0) {
        *begin = i * in / p->out[axis];
        *end = ((i + 1) * in + p->out[axis] - 1) / p->out[axis];
        return;
    }
    *begin = start < 0 ? start + (step - 1 - start) / step * step : start;
    *end = least(start + (p->kernel[axis] - 1) * step + 1, in);
}

/* One window: its rows and columns. */
typedef struct window {
    int64_t top, bottom, left, right;
} window;

static window window_at(const agk_pool *p, int64_t oy, int64_t ox)
{
    window w;
    span_of(p, 0, oy, &w.top, &w.bottom);
    span_of(p, 1, ox, &w.left, &w.right);
    return w;
}

INLINE void copy_part(int64_t s, int64_t from, int64_t low, int64_t high, const ag_real *restrict row, ag_real *restrict to)
{
    for (int64_t j = low; j < high; j++)
        to[j] = row[from + j * s];
}

INLINE void copy_pairs(int64_t n, const ag_real *restrict row, ag_real *restrict even, ag_real *restrict odd)
{
    for (int64_t j = 0; j < n; j++) {
        even[j] = row[2 * j];
        odd[j] = row[2 * j + 1];
    }
}

/* Copies a row of the input; `border` where there is none, and in the last AGK_LANES of a line. */
static void fill_line(const strip *t, int64_t s, const ag_real *row, ag_real border, ag_real *line)
{
    const int64_t pairs = s == 2 && t->low[0] == 0 && t->low[1] == 0 ? t->high[1] : 0; /* high[1] is no larger than high[0] */
    if (pairs > 0)
        copy_pairs(pairs, row + t->first, line, line + t->part);
    for (int64_t r = 0; r < s; r++, line += t->part) {
        for (int64_t j = 0; j < t->low[r]; j++)
            line[j] = border;
        if (s == 1)
            copy_part(1, t->first, t->low[0], t->high[0], row, line);
        else
            copy_part(s, t->first + r, t->low[r] > pairs ? t->low[r] : pairs, t->high[r], row, line);
        for (int64_t j = t->high[r]; j < t->part; j++)
            line[j] = border;
    }
    for (int64_t j = 0; j < AGK_LANES; j++)
        line[j] = border;
}

/* Where in a line the windows' column k begins. */
INLINE int64_t tap_at(const strip *t, const agk_pool *p, int64_t k)
{
    const int64_t c = k * p->dilation[1], s = p->stride[1];
    return s == 1 ? c : c % s * t->part + c / s;
}

/* ---- The largest. ---- */

/* The first place of a window, or -1 where it has none. */
static int32_t first_place(const agk_pool *p, const window *w)
{
    return w->top < w->bottom && w->left < w->right ? (int32_t)(w->top * p->in[1] + w->left) : -1;
}

/* Of n windows, a multiple of AGK_LANES: the largest so far, and its offset from the window's first place. */
INLINE void take_larger(int64_t n, ag_real offset, const ag_real *x, ag_real *most, ag_real *at)
{
    for (int64_t i = 0; i < n; i += VL) {
        const vec      value = vec_load(x + i), so_far = vec_load(most + i);
        const vec_mask larger = (value > so_far) | (value != value);
        vec_store(most + i, vec_select(larger, value, so_far));
        vec_store(at + i, vec_select(larger, vec_splat(offset), vec_load(at + i)));
    }
}

static void max_strip(const agk_pool *p, const strip *t, int64_t oy, const ag_real *x, ag_real *y, int32_t *place)
{
    ag_real line[LINE + AGK_LANES], most[OUTPUTS], at[OUTPUTS];
    int64_t begin, end, n = (t->n + AGK_LANES - 1) / AGK_LANES * AGK_LANES;
    span_of(p, 0, oy, &begin, &end);
    const int64_t top = oy * p->stride[0] - p->padding[0], first = top * p->in[1] + t->first;
    for (int64_t i = 0; i < n; i++) {
        most[i] = -(ag_real)INFINITY;
        at[i] = (ag_real)((begin - top) * p->in[1]);
    }
    for (int64_t row = begin; row < end; row += p->dilation[0]) {
        fill_line(t, p->stride[1], x + row * p->in[1], -(ag_real)INFINITY, line);
        for (int64_t k = 0; k < p->kernel[1]; k++)
            take_larger(n, (ag_real)((row - top) * p->in[1] + k * p->dilation[1]), line + tap_at(t, p, k), most, at);
    }
    for (int64_t i = 0; i < t->n; i++) {
        y[i] = most[i];
        place[i] = (int32_t)at[i] + (int32_t)(first + i * p->stride[1]);
    }
    for (int64_t i = 0; i < t->n && (begin >= end || t->first + i * p->stride[1] < 0); i++)
        if (y[i] == -(ag_real)INFINITY) { /* its place is outside */
            const window w = window_at(p, oy, t->at + i);
            place[i] = first_place(p, &w);
        }
}

static void max_window(const agk_pool *p, const window *w, const ag_real *x, ag_real *y, int32_t *place)
{
    *y = -(ag_real)INFINITY;
    *place = first_place(p, w);
    for (int64_t row = w->top; row < w->bottom; row += p->dilation[0])
        for (int64_t c = w->left; c < w->right; c += p->dilation[1]) {
            const ag_real v = x[row * p->in[1] + c];
            if (v > *y || v != v) {
                *y = v;
                *place = (int32_t)(row * p->in[1] + c);
            }
        }
}

static void max_plane(const agk_pool *p, const ag_real *x, ag_real *y, int32_t *place)
{
    for (int64_t i = 0; !fits_strips(p) && i < area(p->out); i++) {
        const window w = window_at(p, i / p->out[1], i % p->out[1]);
        max_window(p, &w, x, y + i, place + i);
    }
    for (int64_t at = 0; fits_strips(p) && at < p->out[1];) {
        const strip t = strip_at(p, at);
        for (int64_t oy = 0; oy < p->out[0]; oy++)
            max_strip(p, &t, oy, x, y + oy * p->out[1] + at, place + oy * p->out[1] + at);
        at += t.n;
    }
}

static void side_max_window(const agk_pool *p, const window *w, side *x, ag_real *y, int32_t *place)
{
    side at;
    for (int l = 0; l < SIDE; l++) {
        y[l] = -(ag_real)INFINITY;
        at[l] = (ag_real)first_place(p, w);
    }
    for (int64_t row = w->top; row < w->bottom; row += p->dilation[0])
        for (int64_t c = w->left; c < w->right; c += p->dilation[1])
            take_larger(SIDE, (ag_real)(row * p->in[1] + c), x[row * p->in[1] + c], y, at);
    for (int l = 0; l < SIDE; l++)
        place[l] = (int32_t)at[l];
}

void AGK(max_planes)(int64_t planes, const agk_pool *p, const ag_real *x, ag_real *y, int32_t *place)
{
    const int64_t in = area(p->in), out = area(p->out);
    if (!is_small(p)) {
        for (int64_t i = 0; i < planes; i++)
            max_plane(p, x + i * in, y + i * out, place + i * out);
        return;
    }
    side from[SMALL], to[SMALL];
    side_load(planes, in, x, from);
    for (int64_t i = 0; i < out; i++) {
        const window w = window_at(p, i / p->out[1], i % p->out[1]);
        side_max_window(p, &w, from, to[i], place + i * SIDE);
    }
    side_store(planes, out, to, y);
}

INLINE void give_back(int32_t here, const int32_t *restrict place, const ag_real *restrict g, ag_real *restrict dx)
{
    for (int l = 0; l < SIDE; l++)
        dx[l] += place[l] == here ? g[l] : 0;
}

static void side_max_backward(int64_t planes, const agk_pool *p, const int32_t *place, const ag_real *g, bool add, ag_real *dx)
{
    side from[SMALL], to[SMALL];
    side_load(planes, area(p->out), g, from);
    if (add)
        side_load(planes, area(p->in), dx, to);
    else
        memset(to, 0, (size_t)area(p->in) * sizeof *to);
    for (int64_t i = 0; i < area(p->out); i++) {
        const window w = window_at(p, i / p->out[1], i % p->out[1]);
        for (int64_t row = w.top; row < w.bottom; row += p->dilation[0])
            for (int64_t c = w.left; c < w.right; c += p->dilation[1])
                give_back((int32_t)(row * p->in[1] + c), place + i * SIDE, from[i], to[row * p->in[1] + c]);
    }
    side_store(planes, area(p->in), to, dx);
}

void AGK(max_planes_backward)(int64_t planes, const agk_pool *p, const int32_t *place, const ag_real *g, bool add, ag_real *dx)
{
    const int64_t in = area(p->in), out = area(p->out);
    if (is_small(p)) {
        side_max_backward(planes, p, place, g, add, dx);
        return;
    }
    for (int64_t plane = 0; plane < planes; plane++, place += out, g += out, dx += in) {
        if (!add)
            memset(dx, 0, (size_t)in * sizeof *dx);
        for (int64_t i = 0; i < out; i++)
            if (place[i] >= 0)
                dx[place[i]] += g[i];
    }
}

/* ---- The mean. The rows of a window are added up first, column by column, and then the columns. ---- */

/* Columns of the input, from t->first on, that the windows meet; and those of them that are inside it: low .. high-1. */
static int64_t columns_of(const agk_pool *p, const strip *t, int64_t *low, int64_t *high)
{
    const int64_t wide = (t->n - 1) * p->stride[1] + p->kernel[1];
    *low = t->first < 0 ? -t->first : 0;
    *high = least(wide, p->in[1] - t->first);
    return wide;
}

INLINE void gather(int64_t n, int64_t s, const ag_real *restrict x, ag_real *restrict y)
{
    for (int64_t j = 0; j < n; j++)
        y[j] += x[j * s];
}

INLINE void give(int64_t n, int64_t s, const ag_real *restrict x, ag_real *restrict y)
{
    for (int64_t j = 0; j < n; j++)
        y[j * s] += x[j];
}

/* A loop for each small stride, which the compiler then knows. */
#define FOR_STRIDE(s, f, n, x, y)                         \
    do {                                                  \
        switch (s) {                                      \
        case 1:  f(n, 1, x, y); break;                    \
        case 2:  f(n, 2, x, y); break;                    \
        case 3:  f(n, 3, x, y); break;                    \
        case 4:  f(n, 4, x, y); break;                    \
        default: f(n, s, x, y); break;                    \
        }                                                 \
    } while (0)

static void mean_strip(const agk_pool *p, const strip *t, int64_t oy, ag_real count, const ag_real *columns, const ag_real *x, ag_real *y)
{
    ag_real line[LINE];
    int64_t begin, end, low, high;
    const int64_t wide = columns_of(p, t, &low, &high);
    span_of(p, 0, oy, &begin, &end);
    for (int64_t c = 0; c < low; c++)
        line[c] = 0;
    for (int64_t c = high; c < wide; c++)
        line[c] = 0;
    for (int64_t c = low; c < high; c++)
        line[c] = begin < end ? x[begin * p->in[1] + t->first + c] : 0;
    for (int64_t row = begin + 1; row < end; row++)
        for (int64_t c = low; c < high; c++)
            line[c] += x[row * p->in[1] + t->first + c];
    for (int64_t j = 0; j < t->n; j++)
        y[j] = 0;
    for (int64_t k = 0; k < p->kernel[1]; k++)
        FOR_STRIDE(p->stride[1], gather, t->n, line + k, y);
    for (int64_t j = 0; j < t->n; j++)
        y[j] /= count * columns[j];
}

static void mean_strip_backward(const agk_pool *p, const strip *t, int64_t oy, ag_real count, const ag_real *columns, const ag_real *g,
                                ag_real *dx)
{
    ag_real line[LINE], share[OUTPUTS];
    int64_t begin, end, low, high;
    const int64_t wide = columns_of(p, t, &low, &high);
    span_of(p, 0, oy, &begin, &end);
    memset(line, 0, (size_t)wide * sizeof *line);
    for (int64_t j = 0; j < t->n; j++)
        share[j] = g[j] / (count * columns[j]);
    for (int64_t k = 0; k < p->kernel[1]; k++)
        FOR_STRIDE(p->stride[1], give, t->n, share, line + k);
    for (int64_t row = begin; row < end; row++)
        for (int64_t c = low; c < high; c++)
            dx[row * p->in[1] + t->first + c] += line[c];
}

/* ---- Blocks: windows side by side that cover the plane, and repetition, their mirror. ---- */

INLINE void spread(int64_t n, int64_t s, const ag_real *restrict x, ag_real *restrict y)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < s; k++)
            y[j * s + k] = x[j];
}

INLINE void collect(int64_t n, int64_t s, const ag_real *restrict x, ag_real *restrict y)
{
    for (int64_t j = 0; j < n; j++) {
        ag_real sum = x[j * s];
        for (int64_t k = 1; k < s; k++)
            sum += x[j * s + k];
        y[j] += sum;
    }
}

void AGK(repeat)(int64_t rows, int64_t n, int64_t down, int64_t across, const ag_real *x, ag_real *y)
{
    const int64_t wide = n * across;
    for (int64_t r = 0; r < rows; r++, x += n) {
        FOR_STRIDE(across, spread, n, x, y);
        for (int64_t i = 1; i < down; i++)
            memcpy(y + i * wide, y, (size_t)wide * sizeof *y);
        y += down * wide;
    }
}

/* Rows of blocks that are added up in one line; 0 if a row is longer than that. */
static int64_t rows_in_line(int64_t rows, int64_t wide)
{
    return least(rows, LINE / wide);
}

void AGK(repeat_backward)(int64_t rows, int64_t n, int64_t down, int64_t across, const ag_real *g, ag_real *dx)
{
    const int64_t wide = n * across, most = rows_in_line(rows, wide);
    for (int64_t r = 0; most == 0 && r < rows; r++, dx += n)
        for (int64_t i = 0; i < down; i++, g += wide)
            FOR_STRIDE(across, collect, n, g, dx);
    for (int64_t r = 0, some; most > 0 && r < rows; r += some, dx += some * n) {
        ag_real line[LINE];
        some = least(most, rows - r);
        for (int64_t k = 0; k < some; k++, g += down * wide) {
            for (int64_t c = 0; c < wide; c++)
                line[k * wide + c] = g[c];
            for (int64_t i = 1; i < down; i++)
                for (int64_t c = 0; c < wide; c++)
                    line[k * wide + c] += g[i * wide + c];
        }
        FOR_STRIDE(across, collect, some * n, line, dx);
    }
}

static bool are_blocks(const agk_pool *p)
{
    bool blocks = p->in[1] <= LINE;
    for (int i = 0; i < 2; i++)
        blocks = blocks && p->kernel[i] > 0 && p->padding[i] == 0 && p->kernel[i] == p->stride[i] && p->out[i] * p->kernel[i] == p->in[i];
    return blocks;
}

static void block_means(const agk_pool *p, const ag_real *x, ag_real *y)
{
    const ag_real count = (ag_real)area(p->kernel);
    memset(y, 0, (size_t)area(p->out) * sizeof *y);
    AGK(repeat_backward)(p->out[0], p->out[1], p->kernel[0], p->kernel[1], x, y);
    for (int64_t i = 0; i < area(p->out); i++)
        y[i] /= count;
}

static void block_means_backward(const agk_pool *p, const ag_real *g, bool add, ag_real *dx)
{
    const ag_real count = (ag_real)area(p->kernel);
    const int64_t wide = p->in[1], most = rows_in_line(p->out[0], wide);
    for (int64_t r = 0, some; r < p->out[0]; r += some, g += some * p->out[1]) {
        ag_real line[LINE], share[LINE];
        some = least(most, p->out[0] - r);
        for (int64_t i = 0; i < some * p->out[1]; i++)
            share[i] = g[i] / count;
        FOR_STRIDE(p->kernel[1], spread, some * p->out[1], share, line);
        for (int64_t k = 0; k < some; k++)
            for (int64_t i = 0; i < p->kernel[0]; i++, dx += wide)
                for (int64_t c = 0; c < wide; c++)
                    dx[c] = add ? dx[c] + line[k * wide + c] : line[k * wide + c];
    }
}

/* ---- Means of planes. ---- */

static ag_real window_sum(const window *w, int64_t width, const ag_real *x)
{
    if (w->left == 0 && w->right == width)
        return AGK(sum)((w->bottom - w->top) * width, x + w->top * width);
    ag_real sum = 0;
    for (int64_t row = w->top; row < w->bottom; row++)
        sum += AGK(sum)(w->right - w->left, x + row * width + w->left);
    return sum;
}

static bool fits_mean_strips(const agk_pool *p)
{
    return p->kernel[0] > 0 && fits_strips(p);
}

static void mean_plane(const agk_pool *p, const ag_real *rows, const ag_real *columns, const ag_real *x, ag_real *y)
{
    for (int64_t at = 0; fits_mean_strips(p) && at < p->out[1];) {
        const strip t = strip_at(p, at);
        for (int64_t oy = 0; oy < p->out[0]; oy++)
            mean_strip(p, &t, oy, rows[oy], columns + at, x, y + oy * p->out[1] + at);
        at += t.n;
    }
    for (int64_t i = 0; !fits_mean_strips(p) && i < area(p->out); i++) {
        const int64_t oy = i / p->out[1], ox = i % p->out[1];
        const window  w = window_at(p, oy, ox);
        y[i] = window_sum(&w, p->in[1], x) / (rows[oy] * columns[ox]);
    }
}

static void mean_plane_backward(const agk_pool *p, const ag_real *rows, const ag_real *columns, const ag_real *g, ag_real *dx)
{
    for (int64_t at = 0; fits_mean_strips(p) && at < p->out[1];) {
        const strip t = strip_at(p, at);
        for (int64_t oy = 0; oy < p->out[0]; oy++)
            mean_strip_backward(p, &t, oy, rows[oy], columns + at, g + oy * p->out[1] + at, dx);
        at += t.n;
    }
    for (int64_t i = 0; !fits_mean_strips(p) && i < area(p->out); i++) {
        const int64_t oy = i / p->out[1], ox = i % p->out[1];
        const window  w = window_at(p, oy, ox);
        const ag_real share = g[i] / (rows[oy] * columns[ox]);
        for (int64_t row = w.top; row < w.bottom; row++)
            for (int64_t c = w.left; c < w.right; c++)
                dx[row * p->in[1] + c] += share;
    }
}

void AGK(mean_planes)(int64_t planes, const agk_pool *p, const ag_real *rows, const ag_real *columns, const ag_real *x, ag_real *y)
{
    const int64_t in = area(p->in), out = area(p->out);
    const bool    blocks = are_blocks(p);
    if (!is_small(p)) {
        for (int64_t i = 0; i < planes; i++)
            if (blocks)
                block_means(p, x + i * in, y + i * out);
            else
                mean_plane(p, rows, columns, x + i * in, y + i * out);
        return;
    }
    side from[SMALL], to[SMALL];
    side_load(planes, in, x, from);
    for (int64_t i = 0; i < out; i++) {
        const int64_t oy = i / p->out[1], ox = i % p->out[1];
        const window  w = window_at(p, oy, ox);
        side          sum = {0};
        for (int64_t row = w.top; row < w.bottom; row++)
            for (int64_t c = w.left; c < w.right; c++)
                for (int l = 0; l < SIDE; l++)
                    sum[l] += from[row * p->in[1] + c][l];
        for (int l = 0; l < SIDE; l++)
            to[i][l] = sum[l] / (rows[oy] * columns[ox]);
    }
    side_store(planes, out, to, y);
}

static void side_mean_backward(int64_t planes, const agk_pool *p, const ag_real *rows, const ag_real *columns, const ag_real *g, bool add,
                               ag_real *dx)
{
    side from[SMALL], to[SMALL];
    side_load(planes, area(p->out), g, from);
    if (add)
        side_load(planes, area(p->in), dx, to);
    else
        memset(to, 0, (size_t)area(p->in) * sizeof *to);
    for (int64_t i = 0; i < area(p->out); i++) {
        const int64_t oy = i / p->out[1], ox = i % p->out[1];
        const window  w = window_at(p, oy, ox);
        for (int l = 0; l < SIDE; l++)
            from[i][l] /= rows[oy] * columns[ox];
        for (int64_t row = w.top; row < w.bottom; row++)
            for (int64_t c = w.left; c < w.right; c++)
                for (int l = 0; l < SIDE; l++)
                    to[row * p->in[1] + c][l] += from[i][l];
    }
    side_store(planes, area(p->in), to, dx);
}

void AGK(mean_planes_backward)(int64_t planes, const agk_pool *p, const ag_real *rows, const ag_real *columns, const ag_real *g, bool add,
                               ag_real *dx)
{
    const int64_t in = area(p->in), out = area(p->out);
    if (is_small(p)) {
        side_mean_backward(planes, p, rows, columns, g, add, dx);
        return;
    }
    const bool blocks = are_blocks(p);
    for (int64_t i = 0; i < planes; i++, g += out, dx += in) {
        if (blocks) {
            block_means_backward(p, g, add, dx);
            continue;
        }
        if (!add)
            memset(dx, 0, (size_t)in * sizeof *dx);
        mean_plane_backward(p, rows, columns, g, dx);
    }
}
