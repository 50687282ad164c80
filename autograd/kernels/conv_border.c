/* Images with a border of zeros. */
#include "autograd/kernels/conv_border_internal.h"

#include <string.h>

/* Reals of a plane, rounded up; behind the last row are the zeros that others find before the next. */
static int64_t size_of(const agk__border *b)
{
    const int64_t size = b->phases[0] * b->part[0] * b->phases[1] * b->part[1] + b->before[1];
    return (size + AGK_BORDER_SLACK + AGK_BORDER_SLACK - 1) / AGK_BORDER_SLACK * AGK_BORDER_SLACK;
}

agk__border agk__border_of(const agk__conv_job *j)
{
    const agk_conv *c = j->c;
    agk__border     b = {.size = 0};
    for (int i = 0; i < 2; i++) {
        const int64_t reach = c->dilation[i] * (c->kernel[i] - 1);
        int64_t       size;
        if (j->forward) {
            b.before[i] = c->padding[i];
            size = (c->out[i] - 1) * c->stride[i] + reach + 1;
        } else { /* the target's position 0 meets the source from (padding - reach) / stride, rounded down, on */
            const int64_t low = reach - c->padding[i];
            b.before[i] = low > 0 ? (low + c->stride[i] - 1) / c->stride[i] : 0;
            size = b.before[i] + (c->in[i] - 1 + c->padding[i]) / c->stride[i] + 1;
        }
        size = size > b.before[i] + j->from[i] ? size : b.before[i] + j->from[i];
        b.phases[i] = j->forward ? c->stride[i] : 1;
        b.part[i] = (size + b.phases[i] - 1) / b.phases[i];
    }
    const int64_t after = b.part[1] - b.before[1] - j->from[1];
    if (b.phases[1] == 1) /* rows share their zeros */
        b.part[1] = j->from[1] + (after > b.before[1] ? after : b.before[1]);
    b.size = size_of(&b);
    return b;
}

agk__border agk__border_of_band(const agk__conv_job *j, int64_t band)
{
    const agk_conv *c = j->c;
    agk__border     b = agk__border_of(j);
    const int64_t   reach = c->dilation[0] * (c->kernel[0] - 1);
    /* the last tap's row: forward it is reach; backward (remainder + padding) / stride rounded down, at most */
    const int64_t last = j->forward ? reach / c->stride[0]
                                    : b.before[0] + (c->stride[0] - 1 + c->padding[0]) / c->stride[0];
    b.part[0] = agk__least(b.part[0], band + last);
    b.size = size_of(&b);
    return b;
}

/* Where row y, column x of the bordered source lies: the sum of what the two add. */
static int64_t row_place(const agk__border *b, int64_t y)
{
    return (y % b->phases[0] * b->phases[1] * b->part[0] + y / b->phases[0]) * b->part[1];
}

static int64_t column_place(const agk__border *b, int64_t x)
{
    return x % b->phases[1] * b->part[0] * b->part[1] + x / b->phases[1];
}

static int64_t place_of(const agk__border *b, int64_t y, int64_t x)
{
    return row_place(b, y) + column_place(b, x);
}

/* Where tap (tv, th) of the phases finds what meets the target's first position. */
static int64_t tap_place(const agk__border *b, const agk__phase *v, int64_t tv, const agk__phase *h, int64_t th)
{
    return place_of(b, v->base[tv] + b->before[0], h->base[th] + b->before[1]);
}

/* A tap belongs to one phase of each axis. */
void agk__border_places(const agk__border *b, const agk_conv *c, const agk__phase *v, int64_t down, const agk__phase *h,
                        int64_t across, int64_t *place)
{
    for (int64_t i = 0; i < down * across; i++) {
        const agk__phase *pv = &v[i / across], *ph = &h[i % across];
        for (int64_t t = 0; t < pv->taps * ph->taps; t++) {
            const int64_t tv = t / ph->taps, th = t % ph->taps;
            place[pv->tap[tv] * c->kernel[1] + ph->tap[th]] = tap_place(b, pv, tv, ph, th);
        }
    }
}

/* to[i] = from[2 i], and its neighbours. */
static void copy_pairs(int64_t n, const ag_real *restrict from, ag_real *restrict even, ag_real *restrict odd)
{
    for (int64_t i = 0; i < n; i++) {
        even[i] = from[2 * i];
        odd[i] = from[2 * i + 1];
    }
}

/* A row of a plane, behind the border of the row that begins at `to`. */
static void copy_columns(const agk__border *b, int64_t width, const ag_real *from, ag_real *to)
{
    const int64_t phases = b->phases[1], x = b->before[1];
    const int64_t done = phases == 1 ? width : phases == 2 ? width / 2 * 2 : 0;
    if (phases == 1)
        agk()->copy_rows(1, done, from, 0, false, to + x, 0);
    else if (phases == 2)
        copy_pairs(done / 2, from, to + column_place(b, x), to + column_place(b, x + 1));
    for (int64_t k = done; k < width && k < done + phases; k++) {
        ag_real *row = to + column_place(b, k + x);
        for (int64_t i = k; i < width; i += phases)
            *row++ = from[i];
    }
}

void agk__border_fill(const agk__border *b, const int64_t *size, int64_t first, const ag_real *plane, ag_real *to)
{
    const int64_t above = b->before[0] - first, rows = b->phases[0] * b->part[0]; /* where row 0 of the plane lies */
    const int64_t begin = above > 0 ? above : 0, end = agk__least(above + size[0], rows);
    plane += (begin - above) * size[1];
    if (begin < end && b->phases[0] == 1 && b->phases[1] == 1)
        agk()->copy_rows(end - begin, size[1], plane, size[1], false, to + place_of(b, begin, b->before[1]),
                         b->part[1]);
    else
        for (int64_t y = begin; y < end; y++, plane += size[1])
            copy_columns(b, size[1], plane, to + row_place(b, y));
}

static void copy_every_second(int64_t n, const ag_real *restrict from, ag_real *restrict to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = from[2 * i];
}

void agk__border_row(const ag_real *row, int64_t width, int64_t at, int64_t stride, int64_t n, ag_real *to)
{
    int64_t i = 0;
    for (; i < n && at < 0; i++, at += stride)
        to[i] = 0;
    const int64_t inside = at < width ? agk__least((width - at + stride - 1) / stride, n - i) : 0;
    if (stride == 1 && inside > 0)
        memcpy(to + i, row + at, (size_t)inside * sizeof *to);
    else if (stride == 2 && inside > 0)
        copy_every_second(inside, row + at, to + i);
    else
        for (int64_t k = 0; k < inside; k++)
            to[i + k] = row[at + k * stride];
    memset(to + i + inside, 0, (size_t)(n - i - inside) * sizeof *to);
}
