/* Reductions of one row, and plain vector updates. */
#include "autograd/kernels/simd/narrow.h"
#include "autograd/kernels/simd/side.h"

enum {
    PART = 1 << 20,
    COLUMNS = 512, /* whose sums are kept at once */
    TALL = 1024    /* narrow rows whose sums are worth being kept some times over */
};

static ag_real sum_part(int64_t n, const ag_real *x)
{
    vec sum[LANE_VECTORS];
    UNROLL for (int v = 0; v < LANE_VECTORS; v++)
        sum[v] = (vec){0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        UNROLL for (int v = 0; v < LANE_VECTORS; v++)
            sum[v] += vec_load(x + i + v * VL);
    UNROLL for (int v = 0; v < LANE_VECTORS; v++, i += VL)
        if (i < n)
            sum[v] += vec_load_up_to(n - i, x + i, 0); /* no sum is -0: 0 changes none */
    return vectors_total(sum);
}

/* In double from part to part: a large float swallows what is added to it. */
ag_real AGK(sum)(int64_t n, const ag_real *x)
{
    double total = 0;
    if (n <= SUMMED)
        return sum_part(n, x);
    for (; n > 0; n -= SUMMED, x += SUMMED)
        total += (double)sum_part(least(n, SUMMED), x);
    return (ag_real)total;
}

ag_real AGK(dot)(int64_t n, const ag_real *x, const ag_real *y)
{
    return lanes_dot(n, x, y);
}

ag_real AGK(max)(int64_t n, const ag_real *x)
{
    vec most[LANE_VECTORS];
    UNROLL for (int v = 0; v < LANE_VECTORS; v++)
        most[v] = vec_splat(x[0]);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        UNROLL for (int v = 0; v < LANE_VECTORS; v++)
            most[v] = vec_max(vec_load(x + i + v * VL), most[v]);
    UNROLL for (int v = 0; v < LANE_VECTORS; v++, i += VL)
        if (i < n)
            most[v] = vec_max(vec_load_up_to(n - i, x + i, x[0]), most[v]);
    return vectors_max(most);
}

void AGK(sum_rows)(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    for (; n <= SHORT && rows > 0; rows -= SIDE, x += SIDE * n, y += SIDE) {
        side a[SHORT], sum;
        side_load(side_rows(rows), n, x, a);
        side_sum(n, a, sum);
        memcpy(y, sum, (size_t)side_rows(rows) * sizeof *y);
    }
    for (; rows > 0; rows--, x += n)
        *y++ = AGK(sum)(n, x);
}

void AGK(max_rows)(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    for (; n <= SHORT && rows > 0; rows -= SIDE, x += SIDE * n, y += SIDE) {
        side a[SHORT], most;
        side_load(side_rows(rows), n, x, a);
        side_max(n, a, most);
        memcpy(y, most, (size_t)side_rows(rows) * sizeof *y);
    }
    for (; rows > 0; rows--, x += n)
        *y++ = AGK(max)(n, x);
}

INLINE bool tall_and_narrow(int64_t rows, int64_t n, int64_t ldx)
{
    return n <= NARROW && ldx == n && rows >= TALL;
}

void AGK(add_rows)(int64_t rows, int64_t n, const ag_real *restrict x, int64_t ldx, ag_real *restrict y)
{
    if (tall_and_narrow(rows, n, ldx)) {
        const int64_t k = rows_abreast(rows, n), rest = rows % k * n;
        ag_real       sum[LONG] = {0};
        AGK(add_rows)(rows / k, k * n, x, k * n, sum);
        AGK(add)(rest, x + rows * n - rest, sum);
        add_repeats(k, n, sum, y);
        return;
    }
    for (; rows >= 4; rows -= 4, x += 4 * ldx)
        for (int64_t j = 0; j < n; j++)
            y[j] = y[j] + x[j] + x[ldx + j] + x[2 * ldx + j] + x[3 * ldx + j];
    for (; rows > 0; rows--, x += ldx)
        AGK(add)(n, x, y);
}

/* The same in double. */
INLINE void add_rows_wide(int64_t rows, int64_t n, const ag_real *restrict x, int64_t ldx, double *restrict y)
{
    for (; rows >= 4; rows -= 4, x += 4 * ldx)
        for (int64_t j = 0; j < n; j++)
            y[j] = y[j] + (double)x[j] + (double)x[ldx + j] + (double)x[2 * ldx + j] + (double)x[3 * ldx + j];
    for (; rows > 0; rows--, x += ldx)
        for (int64_t j = 0; j < n; j++)
            y[j] += (double)x[j];
}

static void sum_narrow_columns(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    const int64_t k = rows_abreast(rows, n), rest = rows % k * n;
    double        sum[LONG] = {0};
    add_rows_wide(rows / k, k * n, x, k * n, sum);
    add_rows_wide(1, rest, x + rows * n - rest, rest, sum);
    for (int64_t i = n; i < k * n; i++)
        sum[i % n] += sum[i];
    for (int64_t j = 0; j < n; j++)
        y[j] += (ag_real)sum[j];
}

void AGK(sum_columns)(int64_t rows, int64_t n, const ag_real *x, int64_t ldx, ag_real *y)
{
    double sum[COLUMNS];
    if (tall_and_narrow(rows, n, ldx)) {
        sum_narrow_columns(rows, n, x, y);
        return;
    }
    for (int64_t first = 0; first < n; first += COLUMNS) {
        const int64_t width = n - first < COLUMNS ? n - first : COLUMNS;
        for (int64_t j = 0; j < width; j++)
            sum[j] = 0;
        add_rows_wide(rows, width, x + first, ldx, sum);
        for (int64_t j = 0; j < width; j++)
            y[first + j] += (ag_real)sum[j];
    }
}

/* `size` to 2 `size` reals, by two copies that may overlap. `size` is a compile-time constant at every call. */
INLINE void copy_twice(int size, int64_t n, const ag_real *x, ag_real *y)
{
    memcpy(y, x, (size_t)size * sizeof *y);
    memcpy(y + n - size, x + n - size, (size_t)size * sizeof *y);
}

/* Short rows by whole vectors or parts of one, the last over a part of the one before: a call of memcpy takes longer. */
INLINE void copy_short(int64_t n, const ag_real *x, ag_real *y)
{
    int64_t i = 0;
    for (; i + VL <= n; i += VL)
        vec_store(y + i, vec_load(x + i));
    if (i < n && n >= VL)
        vec_store(y + n - VL, vec_load(x + n - VL));
    else if (n < VL && n >= 8)
        copy_twice(8, n, x, y);
    else if (n < VL && n >= 4)
        copy_twice(4, n, x, y);
    else
        for (; i < n; i++)
            y[i] = x[i];
}

static void copy_column(int64_t n, const ag_real *x, int64_t ldx, bool add, ag_real *y, int64_t ldy)
{
    for (int64_t i = 0; i < n; i++)
        y[i * ldy] = add ? y[i * ldy] + x[i * ldx] : x[i * ldx];
}

/* Rows of a few elements, their number a constant of the loop. */
INLINE void copy_rows_of(int64_t n, int64_t rows, const ag_real *x, int64_t ldx, bool add, ag_real *y, int64_t ldy)
{
    for (int64_t r = 0; r < rows; r++, x += ldx, y += ldy)
        UNROLL for (int64_t i = 0; i < n; i++)
            y[i] = add ? y[i] + x[i] : x[i];
}

static bool copy_few(int64_t n, int64_t rows, const ag_real *x, int64_t ldx, bool add, ag_real *y, int64_t ldy)
{
    switch (n) {
    case 1: copy_column(rows, x, ldx, add, y, ldy); return true;
    case 2: copy_rows_of(2, rows, x, ldx, add, y, ldy); return true;
    case 3: copy_rows_of(3, rows, x, ldx, add, y, ldy); return true;
    case 4: copy_rows_of(4, rows, x, ldx, add, y, ldy); return true;
    default: return false;
    }
}

/* One narrow row, repeated. */
static void copy_repeated(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    const int64_t k = rows_abreast(rows, n);
    ag_real       same[LONG];
    repeat_row(k, n, x, same);
    for (; rows > k; rows -= k, y += k * n)
        memcpy(y, same, (size_t)(k * n) * sizeof *y);
    memcpy(y, same, (size_t)(rows * n) * sizeof *y);
}

void AGK(copy_rows)(int64_t rows, int64_t n, const ag_real *x, int64_t ldx, bool add, ag_real *y, int64_t ldy)
{
    if (n <= NARROW && ldx == 0 && ldy == n && !add) {
        copy_repeated(rows, n, x, y);
        return;
    }
    if (copy_few(n, rows, x, ldx, add, y, ldy))
        return;
    for (int64_t r = 0; r < rows; r++, x += ldx, y += ldy)
        if (add)
            AGK(add)(n, x, y);
        else if (n > 512)
            memcpy(y, x, (size_t)n * sizeof *y);
        else
            copy_short(n, x, y);
}

void AGK(add)(int64_t n, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i];
}

INLINE void spread_row(int64_t n, ag_real s, const ag_real *restrict x, bool is_one, bool add, ag_real *restrict y)
{
    const ag_real one = s * x[0];
    for (int64_t i = 0; i < n; i++) {
        const ag_real before = add ? y[i] : 0;
        y[i] = is_one ? before + one : r_fma(s, x[i], before);
    }
}

void AGK(spread)(int64_t rows, int64_t n, ag_real s, agk_operand x, bool add, ag_real *y)
{
    ag_real same[LONG];
    if (n <= NARROW && x.row == 0 && x.step && rows > 1) {
        const int64_t k = rows_abreast(rows, n), rest = rows % k * n;
        repeat_row(k, n, x.data, same);
        AGK(spread)(rows / k, k * n, s, (agk_operand){same, 1, 0}, add, y);
        AGK(spread)(1, rest, s, (agk_operand){same, 1, 0}, add, y + rows * n - rest);
        return;
    }
    for (; rows > 0; rows--, x.data += x.row, y += n)
        if (x.step == 0 && add)
            spread_row(n, s, x.data, true, true, y);
        else if (x.step == 0)
            spread_row(n, s, x.data, true, false, y);
        else if (add)
            spread_row(n, s, x.data, false, true, y);
        else
            spread_row(n, s, x.data, false, false, y);
}

void AGK(add_product)(int64_t n, const ag_real *a, const ag_real *b, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = r_fma(a[i], b[i], y[i]);
}

void AGK(add_exp_scaled)(int64_t n, ag_real s, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = r_fma(s, r_exp(x[i]), y[i]);
}

void AGK(add_exp_product)(int64_t n, const ag_real *g, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = r_fma(g[i], r_exp(x[i]), y[i]);
}

void AGK(max_into)(int64_t n, const ag_real *x, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = r_max(x[i], y[i]);
}

ag_real AGK(count_equal)(int64_t n, const ag_real *x, ag_real m)
{
    ag_real total = 0;
    for (int64_t i = 0; i < n; i += PART) { /* few enough to count in 32 bits */
        const int64_t end = n - i < PART ? n : i + PART;
        int32_t       count = 0;
        for (int64_t k = i; k < end; k++)
            count += x[k] == m;
        total += (ag_real)count;
    }
    return total;
}

void AGK(add_where_equal)(int64_t n, const ag_real *x, ag_real m, ag_real equal, ag_real other, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i] == m ? equal : other;
}

/* Short rows side by side. */
static void side_max_gradient(int64_t rows, int64_t n, const ag_real *x, const ag_real *most, const ag_real *g, ag_real *dx)
{
    side a[SHORT], d[SHORT], m = {0}, equal = {0}, other = {0}, count = {0};
    side_load(rows, n, x, a);
    side_load(rows, n, dx, d);
    memcpy(m, most, (size_t)rows * sizeof *m);
    memcpy(equal, g, (size_t)rows * sizeof *g);
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < SIDE; r++)
            count[r] += a[i][r] == m[r];
    for (int r = 0; r < SIDE; r++) {
        equal[r] /= count[r];
        other[r] /= count[r];
    }
    for (int64_t i = 0; i < n; i++)
        for (int r = 0; r < SIDE; r++)
            d[i][r] += a[i][r] == m[r] ? equal[r] : other[r];
    side_store(rows, n, d, dx);
}

void AGK(max_rows_gradient)(int64_t rows, int64_t n, const ag_real *x, const ag_real *most, const ag_real *g, ag_real *dx)
{
    for (; n <= SHORT && rows > 0; rows -= SIDE, x += SIDE * n, most += SIDE, g += SIDE, dx += SIDE * n)
        side_max_gradient(side_rows(rows), n, x, most, g, dx);
    for (; rows > 0; rows--, x += n, most++, g++, dx += n) {
        const ag_real count = AGK(count_equal)(n, x, *most);
        AGK(add_where_equal)(n, x, *most, *g / count, 0 / count, dx);
    }
}

void AGK(count_equal_columns)(int64_t n, const ag_real *x, const ag_real *m, ag_real *count)
{
    for (int64_t i = 0; i < n; i++)
        count[i] += x[i] == m[i];
}

void AGK(add_where_equal_columns)(int64_t n, const ag_real *x, const ag_real *m, const ag_real *g, const ag_real *count, ag_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += (x[i] == m[i] ? g[i] : 0) / count[i];
}
