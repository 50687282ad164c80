/* Lanes that change places; square blocks of a matrix, transposed in registers. */
#ifndef AGK_TRANSPOSE_H
#define AGK_TRANSPOSE_H

#include "autograd/kernels/simd/vector.h"

enum { AHEAD = 32 /* numbers, of rows that lie far apart */ };

/* Lane l of the two halves of an exchange at distance h: what moves, comes from the other vector. */
#define FIRST(l, h)  ((l) & (h) ? (VL + (l) - (h)) % (2 * VL) : (l))
#define SECOND(l, h) ((l) & (h) ? VL + (l) : ((l) + (h)) % (2 * VL))
#if defined(AG_DOUBLE) && VECTOR_BYTES == 16
#define LANES_OF(F, h) F(0, h), F(1, h)
#elif (defined(AG_DOUBLE) && VECTOR_BYTES == 32) || VECTOR_BYTES == 16
#define LANES_OF(F, h) F(0, h), F(1, h), F(2, h), F(3, h)
#elif defined(AG_DOUBLE) || VECTOR_BYTES == 32
#define LANES_OF(F, h) F(0, h), F(1, h), F(2, h), F(3, h), F(4, h), F(5, h), F(6, h), F(7, h)
#else
#define LANES_OF(F, h)                                                                                               \
    F(0, h), F(1, h), F(2, h), F(3, h), F(4, h), F(5, h), F(6, h), F(7, h), F(8, h), F(9, h), F(10, h), F(11, h),    \
        F(12, h), F(13, h), F(14, h), F(15, h)
#endif
/* gcc has clang's builtin from 12 on; its own, older one takes the lanes as a vector. */
#if defined(__clang__) || __GNUC__ >= 12
#define EXCHANGE(F, a, b, h) __builtin_shufflevector(a, b, LANES_OF(F, h))
#else
#ifdef AG_DOUBLE
typedef int64_t lane_numbers __attribute__((vector_size(VECTOR_BYTES)));
#else
typedef int32_t lane_numbers __attribute__((vector_size(VECTOR_BYTES)));
#endif
#define EXCHANGE(F, a, b, h) __builtin_shuffle(a, b, (lane_numbers){LANES_OF(F, h)})
#endif

/* Lane l + h of x in lane l, for lanes whose number does not have bit h. h is a compile-time constant at every call. */
INLINE vec vec_down(vec x, int h)
{
    return h == 1 ? EXCHANGE(SECOND, x, x, 1) : h == 2 ? EXCHANGE(SECOND, x, x, 2)
         : h == 4 ? EXCHANGE(SECOND, x, x, 4) : EXCHANGE(SECOND, x, x, 8);
}

/* The off-diagonal quarters of each 2h by 2h block change places. h is a compile-time constant at every call. */
INLINE void exchange(vec *row, int h)
{
    UNROLL for (int i = 0; i < VL; i++) {
        if (i & h)
            continue;
        vec a = row[i], b = row[i + h];
        row[i] = h == 1 ? EXCHANGE(FIRST, a, b, 1) : h == 2 ? EXCHANGE(FIRST, a, b, 2)
               : h == 4 ? EXCHANGE(FIRST, a, b, 4) : EXCHANGE(FIRST, a, b, 8);
        row[i + h] = h == 1 ? EXCHANGE(SECOND, a, b, 1) : h == 2 ? EXCHANGE(SECOND, a, b, 2)
                   : h == 4 ? EXCHANGE(SECOND, a, b, 4) : EXCHANGE(SECOND, a, b, 8);
    }
}

#ifndef AG_DOUBLE
/* The first, or last, two lanes of each group of four, taken alternately from two vectors. */
#define LOW(l, h)  ((l) / 4 * 4 + (l) % 4 / 2 + ((l) % 2 ? VL : 0))
#define HIGH(l, h) (LOW(l, h) + 2)

/* Four rows' blocks of four: two stages of one instruction each, where exchanges by one lane would take two. */
INLINE void transpose_fours(vec *row)
{
    UNROLL for (int i = 0; i < VL; i += 4) {
        const vec low = EXCHANGE(LOW, row[i], row[i + 1], 0), high = EXCHANGE(HIGH, row[i], row[i + 1], 0);
        const vec low2 = EXCHANGE(LOW, row[i + 2], row[i + 3], 0), high2 = EXCHANGE(HIGH, row[i + 2], row[i + 3], 0);
        row[i] = EXCHANGE(FIRST, low, low2, 2);
        row[i + 1] = EXCHANGE(SECOND, low, low2, 2);
        row[i + 2] = EXCHANGE(FIRST, high, high2, 2);
        row[i + 3] = EXCHANGE(SECOND, high, high2, 2);
    }
}
#endif

/* Rows and columns of each block of `size` change places. `size` is a compile-time constant at every call. */
INLINE void transpose_blocks(int size, vec *row)
{
#ifdef AG_DOUBLE
    exchange(row, 1);
    if (size > 2)
        exchange(row, 2 % VL);
#else
    transpose_fours(row);
#endif
    if (size > 4)
        exchange(row, 4 % VL);
    if (size > 8)
        exchange(row, 8 % VL);
}

/* VL rows of VL, as their columns. Vectors of more than 16 bytes are loaded by halves, which takes the place of the last exchange. */
INLINE void load_transposed(const ag_real *x, int64_t ldx, vec *row)
{
    const int half = VECTOR_BYTES > 16 ? VL / 2 : VL;
    UNROLL for (int i = 0; i < half; i++) {
        const ag_real *a = x + i * ldx, *b = a + half * ldx;
        row[i] = half < VL ? vec_load_halves(a, b) : vec_load(a);
        if (half < VL)
            row[half + i] = vec_load_halves(a + half, b + half);
    }
    transpose_blocks(half, row);
}

/* y[j * ldy + i] = x[i * ldx + j] for i, j < VL, or added. From row `rows` on, x counts as zero. What follows in the
 * rows of y is fetched `ahead` numbers before it is written, or if 0 not. */
INLINE void transpose_block_ahead(int64_t rows, const ag_real *x, int64_t ldx, bool add, ag_real *y, int64_t ldy, int ahead)
{
    vec row[VL];
    if (rows >= VL) {
        load_transposed(x, ldx, row);
    } else {
        UNROLL for (int i = 0; i < VL; i++)
            row[i] = i < rows ? vec_load(x + i * ldx) : (vec){0};
        transpose_blocks(VL, row);
    }
    if (ahead)
        UNROLL for (int i = 0; i < VL; i++)
            __builtin_prefetch(y + i * ldy + ahead, 1, 2);
    UNROLL for (int i = 0; i < VL; i++)
        vec_store(y + i * ldy, add ? vec_load(y + i * ldy) + row[i] : row[i]);
}

INLINE void transpose_block(int64_t rows, const ag_real *x, int64_t ldx, bool add, ag_real *y, int64_t ldy)
{
    transpose_block_ahead(rows, x, ldx, add, y, ldy, 0);
}

/* Where the block at `i` of n begins: the last ends at n, over a part of the one before, unless it would add twice. */
INLINE int64_t block_at(int64_t i, int64_t n, bool add)
{
    return i + VL <= n || add || n < VL ? i : n - VL;
}

/* The same for the part of a matrix that begins at row i and column j: a block, if it fits in. */
INLINE void transpose_at(int64_t i, int64_t j, int64_t rows, int64_t columns, const ag_real *x, int64_t ldx, bool add, ag_real *y,
                         int64_t ldy, int ahead)
{
    const int64_t r = block_at(i, rows, add), c = block_at(j, columns, add);
    if (r + VL <= rows && c + VL <= columns) {
        transpose_block_ahead(VL, x + r * ldx + c, ldx, add, y + c * ldy + r, ldy, ahead);
        return;
    }
    for (int64_t k = c; k < columns && k < c + VL; k++)
        for (int64_t l = r; l < rows && l < r + VL; l++)
            y[k * ldy + l] = add ? y[k * ldy + l] + x[l * ldx + k] : x[l * ldx + k];
}

/* The same for any number of rows and columns. Cache lines far apart are dealt with as a whole, one after the other. */
INLINE void transpose(int64_t rows, int64_t columns, const ag_real *x, int64_t ldx, bool add, ag_real *y, int64_t ldy)
{
    if (ldx >= ldy)
        for (int64_t i = 0; i < rows; i += VL)
            for (int64_t j = 0; j < columns; j += VL)
                transpose_at(i, j, rows, columns, x, ldx, add, y, ldy, 0);
    else
        for (int64_t j = 0; j < columns; j += VL)
            for (int64_t i = 0; i < rows; i += VL)
                transpose_at(i, j, rows, columns, x, ldx, add, y, ldy, AHEAD);
}

#endif
