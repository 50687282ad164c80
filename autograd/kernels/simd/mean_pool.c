/* Average pooling, of up to AGK_LANES planes, and the repetition of pixels, its mirror. */
#include "autograd/kernels/simd/windows.h"

/* ---- By strips: the rows of a window are added up first, column by column, and then the columns. ---- */

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

INLINE void add_pairs(int64_t n, const ag_real *restrict even, const ag_real *restrict odd, ag_real *restrict y)
{
    for (int64_t j = 0; j < n; j++) {
        y[2 * j] += even[j];
        y[2 * j + 1] += odd[j];
    }
}

/* y[i] = the sum over k < taps of the columns i * s + k of a line, which for a stride of 2 is sorted: the even columns, and from
 * `part` on the odd ones. Reads and writes up to the next multiple of AGK_LANES. */
INLINE void add_taps(int64_t n, int64_t taps, int64_t s, int64_t part, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < n; i += VL) {
        vec sum = {0};
        for (int64_t k = 0; k < taps; k++)
            sum += vec_load(x + k % s * part + k / s + i);
        vec_store(y + i, sum);
    }
}

/* The mirror: y[c] = the sum over those k < taps that leave the remainder r by s of x[c - k / s]. */
INLINE void give_taps(int64_t n, int64_t taps, int64_t s, int64_t r, const ag_real *x, ag_real *y)
{
    for (int64_t c = 0; c < n; c += VL) {
        vec sum = {0};
        for (int64_t k = r; k < taps; k += s)
            sum += vec_load(x + c - k / s);
        vec_store(y + c, sum);
    }
}

/* The sums of windows, from one line of the input's columns. */
static void sum_windows(const agk_pool *p, const strip *t, const ag_real *line, ag_real *y)
{
    ag_real sorted[LINE + 2 * AGK_LANES];
    const int64_t part = t->part, taps = p->kernel[1];
    switch (p->stride[1]) {
    case 1: add_taps(t->n, taps, 1, part, line, y); break;
    case 2:
        copy_pairs(part, line, sorted, sorted + part);
        memset(sorted + 2 * part, 0, AGK_LANES * sizeof *sorted);
        add_taps(t->n, taps, 2, part, sorted, y);
        break;
    default:
        for (int64_t j = 0; j < t->n; j++)
            y[j] = 0;
        for (int64_t k = 0; k < taps; k++)
            FOR_STRIDE(p->stride[1], gather, t->n, line + k, y);
    }
}

static void mean_strip(const agk_pool *p, const strip *t, int64_t oy, ag_real count, const ag_real *columns, const ag_real *x, ag_real *y)
{
    ag_real line[LINE + 2 * AGK_LANES], sum[OUTPUTS];
    int64_t begin, end, low, high;
    const int64_t wide = columns_of(p, t, &low, &high);
    span_of(p, 0, oy, &begin, &end);
    const ag_real *row = x + t->first + begin * p->in[1];
    for (int64_t c = 0; c < low; c++)
        line[c] = 0;
    for (int64_t c = high; c < wide + 2 * AGK_LANES; c++)
        line[c] = 0;
    for (int64_t c = low; c < high; c++)
        line[c] = begin < end ? row[c] : 0;
    for (int64_t r = begin + 1; r < end; r++) {
        row += p->in[1];
        for (int64_t c = low; c < high; c++)
            line[c] += row[c];
    }
    sum_windows(p, t, line, sum);
    for (int64_t j = 0; j < t->n; j++)
        y[j] = sum[j] / (count * columns[j]);
}

/* Adds what a row of windows gives to each column, to rows begin .. end-1 of dx, of which the strip has columns low .. high-1. */
static void mean_strip_backward(const agk_pool *p, const strip *t, int64_t oy, ag_real count, const ag_real *columns, const ag_real *g,
                                ag_real *dx)
{
    ag_real line[LINE + 2 * AGK_LANES], sorted[LINE + 2 * AGK_LANES], padded[LINE + LINE / 2 + 2 * AGK_LANES], *share = padded + LINE / 2 + AGK_LANES;
    int64_t begin, end, low, high;
    const int64_t wide = columns_of(p, t, &low, &high), s = p->stride[1], reach = p->kernel[1] / s + 1;
    span_of(p, 0, oy, &begin, &end);
    for (int64_t j = -reach; j < 0; j++)
        share[j] = 0;
    for (int64_t j = 0; j < t->n; j++)
        share[j] = g[j] / (count * columns[j]);
    for (int64_t j = t->n; j < t->part + AGK_LANES; j++)
        share[j] = 0;
    memset(line, 0, (size_t)(wide + 1) * sizeof *line);
    if (s == 1)
        give_taps(wide, p->kernel[1], 1, 0, share, line);
    else if (s == 2) {
        const int64_t half = (wide + 1) / 2;
        ag_real      *odd = sorted + LINE / 2 + AGK_LANES;
        give_taps(half, p->kernel[1], 2, 0, share, sorted);
        give_taps(half, p->kernel[1], 2, 1, share, odd);
        add_pairs(half, sorted, odd, line);
    } else
        for (int64_t k = 0; k < p->kernel[1]; k++)
            FOR_STRIDE(s, give, t->n, share, line + k);
    dx += t->first + begin * p->in[1];
    for (int64_t row = begin; row < end; row++, dx += p->in[1])
        for (int64_t c = low; c < high; c++)
            dx[c] += line[c];
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

/* ---- Windows of any form, a row of them: as strips, but of as many columns as a line holds. ---- */

/* The first window from ox on that has a column at `from` or later. */
static int64_t first_window(const agk_pool *p, int64_t ox, int64_t from)
{
    for (int64_t left, right; ox < p->out[1]; ox++) {
        span_of(p, 1, ox, &left, &right);
        if (right > from)
            break;
    }
    return ox;
}

/* The columns that window ox has of n from `from` on. */
static int64_t columns_inside(const agk_pool *p, int64_t ox, int64_t from, int64_t n, int64_t *first)
{
    int64_t left, right;
    span_of(p, 1, ox, &left, &right);
    *first = left > from ? left - from : 0;
    return least(right - from, n) - *first;
}

INLINE ag_real few_sum(int64_t n, const ag_real *x)
{
    ag_real sum = 0;
    for (int64_t c = 0; c < n; c++)
        sum += x[c];
    return sum;
}

static void mean_any_row(const agk_pool *p, int64_t oy, ag_real count, const ag_real *columns, const ag_real *x, ag_real *y)
{
    ag_real line[LINE];
    int64_t top, bottom;
    span_of(p, 0, oy, &top, &bottom);
    for (int64_t ox = 0; ox < p->out[1]; ox++)
        y[ox] = 0;
    for (int64_t from = 0, begin = 0, first; from < p->in[1]; from += LINE) {
        const int64_t n = least(p->in[1] - from, LINE);
        memset(line, 0, (size_t)n * sizeof *line);
        for (int64_t row = top; row < bottom; row++)
            AGK(add)(n, x + row * p->in[1] + from, line);
        begin = first_window(p, begin, from);
        for (int64_t ox = begin; ox < p->out[1]; ox++) {
            const int64_t wide = columns_inside(p, ox, from, n, &first);
            if (first >= n)
                break;
            y[ox] += wide < LANES ? few_sum(wide, line + first) : AGK(sum)(wide, line + first);
        }
    }
    for (int64_t ox = 0; ox < p->out[1]; ox++)
        y[ox] /= count * columns[ox];
}

static void mean_any_row_backward(const agk_pool *p, int64_t oy, ag_real count, const ag_real *columns, const ag_real *g, ag_real *dx)
{
    ag_real line[LINE];
    int64_t top, bottom;
    span_of(p, 0, oy, &top, &bottom);
    for (int64_t from = 0, begin = 0, first; from < p->in[1]; from += LINE) {
        const int64_t n = least(p->in[1] - from, LINE);
        memset(line, 0, (size_t)n * sizeof *line);
        begin = first_window(p, begin, from);
        for (int64_t ox = begin; ox < p->out[1]; ox++) {
            const int64_t wide = columns_inside(p, ox, from, n, &first);
            if (first >= n)
                break;
            const ag_real share = g[ox] / (count * columns[ox]);
            for (int64_t c = first; c < first + wide; c++)
                line[c] += share;
        }
        for (int64_t row = top; row < bottom; row++)
            AGK(add)(n, line, dx + row * p->in[1] + from);
    }
}

/* ---- Means of planes. ---- */

static bool fits_mean_strips(const agk_pool *p)
{
    return p->kernel[0] > 0 && fits_strips(p);
}

/* Windows that have all of each row. */
static void mean_rows(const agk_pool *p, const ag_real *rows, const ag_real *columns, const ag_real *x, ag_real *y)
{
    for (int64_t oy = 0; oy < p->out[0]; oy++) {
        int64_t top, bottom;
        span_of(p, 0, oy, &top, &bottom);
        y[oy] = AGK(sum)((bottom - top) * p->in[1], x + top * p->in[1]) / (rows[oy] * columns[0]);
    }
}

static void mean_plane(const agk_pool *p, const ag_real *rows, const ag_real *columns, const ag_real *x, ag_real *y)
{
    if (p->kernel[1] == 0 && p->out[1] == 1) {
        mean_rows(p, rows, columns, x, y);
        return;
    }
    for (int64_t at = 0; fits_mean_strips(p) && at < p->out[1];) {
        const strip t = strip_at(p, at);
        for (int64_t oy = 0; oy < p->out[0]; oy++)
            mean_strip(p, &t, oy, rows[oy], columns + at, x, y + oy * p->out[1] + at);
        at += t.n;
    }
    for (int64_t oy = 0; !fits_mean_strips(p) && oy < p->out[0]; oy++)
        mean_any_row(p, oy, rows[oy], columns, x, y + oy * p->out[1]);
}

static void mean_plane_backward(const agk_pool *p, const ag_real *rows, const ag_real *columns, const ag_real *g, ag_real *dx)
{
    for (int64_t at = 0; fits_mean_strips(p) && at < p->out[1];) {
        const strip t = strip_at(p, at);
        for (int64_t oy = 0; oy < p->out[0]; oy++)
            mean_strip_backward(p, &t, oy, rows[oy], columns + at, g + oy * p->out[1] + at, dx);
        at += t.n;
    }
    for (int64_t oy = 0; !fits_mean_strips(p) && oy < p->out[0]; oy++)
        mean_any_row_backward(p, oy, rows[oy], columns, g + oy * p->out[1], dx);
}

static void side_mean_pool(int64_t planes, const agk_pool *p, const ag_real *rows, const ag_real *columns, const ag_real *x, ag_real *y)
{
    side from[SMALL], to[FEW_WINDOWS];
    side_load(planes, area(p->in), x, from);
    for (int64_t i = 0; i < area(p->out); i++) {
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
    side_store(planes, area(p->out), to, y);
}

void AGK(mean_planes)(int64_t planes, const agk_pool *p, const ag_real *rows, const ag_real *columns, const ag_real *x, ag_real *y)
{
    const int64_t in = area(p->in), out = area(p->out);
    const bool    blocks = are_blocks(p);
    if (is_small(p)) {
        side_mean_pool(planes, p, rows, columns, x, y);
        return;
    }
    for (int64_t i = 0; i < planes; i++)
        if (blocks)
            block_means(p, x + i * in, y + i * out);
        else
            mean_plane(p, rows, columns, x + i * in, y + i * out);
}

static void side_mean_backward(int64_t planes, const agk_pool *p, const ag_real *rows, const ag_real *columns, const ag_real *g, bool add,
                               ag_real *dx)
{
    side from[FEW_WINDOWS], to[SMALL];
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
