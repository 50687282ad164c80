/* Max pooling, of up to AGK_LANES planes. With stride s a line has s parts, of the columns that leave the same remainder, so that what
 * one tap of all windows meets lies side by side. */
#include <math.h>

#include "autograd/kernels/simd/windows.h"

INLINE void copy_part(int64_t s, int64_t from, int64_t low, int64_t high, const ag_real *restrict row, ag_real *restrict to)
{
    for (int64_t j = low; j < high; j++)
        to[j] = row[from + j * s];
}

/* Copies a row of the input; `border` where there is none, and in the last AGK_LANES of a line. */
static void fill_line(const strip *t, int64_t s, const ag_real *row, ag_real border, ag_real *line)
{
    /* With a stride of 2 all but the first and the last column are copied in pairs; high[1] is no larger than high[0]. */
    const int64_t begin = s == 2 ? (t->low[0] > t->low[1] ? t->low[0] : t->low[1]) : 0;
    const int64_t end = s == 2 && t->high[1] > begin ? t->high[1] : begin;
    copy_pairs(end - begin, row + t->first + 2 * begin, line + begin, line + t->part + begin);
    for (int64_t r = 0; r < s; r++, line += t->part) {
        for (int64_t j = 0; j < t->low[r]; j++)
            line[j] = border;
        if (s == 1)
            copy_part(1, t->first, t->low[0], t->high[0], row, line);
        else {
            copy_part(s, t->first + r, t->low[r], least(begin, t->high[r]), row, line);
            copy_part(s, t->first + r, end > t->low[r] ? end : t->low[r], t->high[r], row, line);
        }
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
    return c % s * t->part + c / s;
}

/* The first place of a window, or -1 where it has none. */
static int32_t first_place(const agk_pool *p, const window *w)
{
    return w->top < w->bottom && w->left < w->right ? (int32_t)(w->top * p->in[1] + w->left) : -1;
}

/* Of n windows, a multiple of AGK_LANES, the largest so far and its offset from the window's first place; now one row of them, whose
 * tap k is at x + tap[k], with offset first + k * step. */
INLINE void take_larger(int64_t n, int64_t taps, const int64_t *tap, ag_real first, ag_real step, const ag_real *x, ag_real *most, ag_real *at)
{
    for (int64_t i = 0; i < n; i += VL) {
        vec so_far = vec_load(most + i), place = vec_load(at + i), offset = vec_splat(first);
        for (int64_t k = 0; k < taps; k++, offset += vec_splat(step)) {
            const vec      value = vec_load(x + tap[k] + i);
            const vec_mask larger = (value > so_far) | (value != value);
            so_far = vec_select(larger, value, so_far);
            place = vec_select(larger, offset, place);
        }
        vec_store(most + i, so_far);
        vec_store(at + i, place);
    }
}

static void max_strip(const agk_pool *p, const strip *t, const int64_t *tap, int64_t oy, const ag_real *x, ag_real *y, int32_t *place)
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
        take_larger(n, p->kernel[1], tap, (ag_real)((row - top) * p->in[1]), (ag_real)p->dilation[1], line, most, at);
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
        int64_t     tap[LINE / 2 + 1];
        for (int64_t k = 0; k < p->kernel[1]; k++)
            tap[k] = tap_at(&t, p, k);
        for (int64_t oy = 0; oy < p->out[0]; oy++)
            max_strip(p, &t, tap, oy, x, y + oy * p->out[1] + at, place + oy * p->out[1] + at);
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
            take_larger(SIDE, 1, &(int64_t){0}, (ag_real)(row * p->in[1] + c), 0, x[row * p->in[1] + c], y, at);
    for (int l = 0; l < SIDE; l++)
        place[l] = (int32_t)at[l];
}

static void side_max_pool(int64_t planes, const agk_pool *p, const ag_real *x, ag_real *y, int32_t *place)
{
    side from[SMALL], to[FEW_WINDOWS];
    side_load(planes, area(p->in), x, from);
    for (int64_t i = 0; i < area(p->out); i++) {
        const window w = window_at(p, i / p->out[1], i % p->out[1]);
        side_max_window(p, &w, from, to[i], place + i * SIDE);
    }
    side_store(planes, area(p->out), to, y);
}

void AGK(max_planes)(int64_t planes, const agk_pool *p, const ag_real *x, ag_real *y, int32_t *place)
{
    const int64_t in = area(p->in), out = area(p->out);
    if (is_small(p)) {
        side_max_pool(planes, p, x, y, place);
        return;
    }
    for (int64_t i = 0; i < planes; i++)
        max_plane(p, x + i * in, y + i * out, place + i * out);
}

/* Adds g where the largest was found `here`. */
INLINE void give_back(ag_real here, const ag_real *at, const ag_real *g, ag_real *dx)
{
    UNROLL for (int l = 0; l < SIDE; l += VL)
        vec_store(dx + l, vec_load(dx + l) + vec_select(vec_load(at + l) == vec_splat(here), vec_load(g + l), (vec){0}));
}

static void side_max_backward(int64_t planes, const agk_pool *p, const int32_t *place, const ag_real *g, bool add, ag_real *dx)
{
    side from[FEW_WINDOWS], to[SMALL];
    side_load(planes, area(p->out), g, from);
    if (add)
        side_load(planes, area(p->in), dx, to);
    else
        memset(to, 0, (size_t)area(p->in) * sizeof *to);
    for (int64_t i = 0; i < area(p->out); i++) {
        const window w = window_at(p, i / p->out[1], i % p->out[1]);
        side         at;
        for (int l = 0; l < SIDE; l++)
            at[l] = (ag_real)place[i * SIDE + l];
        for (int64_t row = w.top; row < w.bottom; row += p->dilation[0])
            for (int64_t c = w.left; c < w.right; c += p->dilation[1])
                give_back((ag_real)(row * p->in[1] + c), at, from[i], to[row * p->in[1] + c]);
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
