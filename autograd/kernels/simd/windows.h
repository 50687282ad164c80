/* The windows of a pooling.
 *
 * Small planes go side by side, as short rows do (side.h): a lane is a plane, and windows may be of any form. Larger ones go one by
 * one: a row of the input is copied or added up into a line, border included, so that all windows of a row are alike. Many windows go
 * in strips. */
#ifndef AGK_WINDOWS_H
#define AGK_WINDOWS_H

#include <string.h>

#include "autograd/kernels/simd/side.h"

enum {
    LINE = 1024,      /* reals of a line */
    OUTPUTS = 256,    /* windows of a strip */
    MOST_STRIDE = 32, /* farther apart, windows are taken one by one */
    SMALL = 1024 / sizeof(ag_real), /* pixels of a small plane: side by side they take 16 KB of stack, */
    FEW_WINDOWS = SMALL / 16 * 9    /* and windows of it: 9 KB; 12 x 12 in float */
};

INLINE int64_t area(const int64_t *size)
{
    return size[0] * size[1];
}

/* The even elements of 2 n, and the odd ones. */
INLINE void copy_pairs(int64_t n, const ag_real *restrict row, ag_real *restrict even, ag_real *restrict odd)
{
    for (int64_t j = 0; j < n; j++) {
        even[j] = row[2 * j];
        odd[j] = row[2 * j + 1];
    }
}

INLINE bool is_small(const agk_pool *p)
{
    return area(p->in) <= SMALL && area(p->out) <= FEW_WINDOWS;
}

/* Windows `at` .. at+n-1 of a row; their columns are `first` .. first + n * stride + reach - 1 of the input. Column first + r + j *
 * stride is element j of part r, each of `part`; it is inside the input for low[r] <= j < high[r]. */
typedef struct strip {
    int64_t at, n, first, part, low[MOST_STRIDE], high[MOST_STRIDE];
} strip;

INLINE int64_t reach_of(const agk_pool *p)
{
    return (p->kernel[1] - 1) * p->dilation[1];
}

/* An offset in a window is kept as a real. */
INLINE bool fits_strips(const agk_pool *p)
{
    const int64_t exact = 1 << 24;
    return p->stride[1] <= MOST_STRIDE && reach_of(p) <= LINE / 2 && p->kernel[0] * p->dilation[0] <= exact / (p->in[1] + LINE);
}

INLINE strip strip_at(const agk_pool *p, int64_t at)
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
INLINE void span_of(const agk_pool *p, int axis, int64_t i, int64_t *begin, int64_t *end)
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

INLINE window window_at(const agk_pool *p, int64_t oy, int64_t ox)
{
    window w;
    span_of(p, 0, oy, &w.top, &w.bottom);
    span_of(p, 1, ox, &w.left, &w.right);
    return w;
}

#endif
