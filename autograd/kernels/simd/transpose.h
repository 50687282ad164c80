/* Lanes that change places; square blocks of a matrix, transposed in registers. */
#ifndef AGK_TRANSPOSE_H
#define AGK_TRANSPOSE_H

#include "autograd/kernels/prefetch.h"
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

/* Lanes of two rows change places at distance h, a compile-time constant at every call. */
INLINE void exchange_two(vec *first, vec *second, int h)
{
    const vec a = *first, b = *second;
    *first = h == 1 ? EXCHANGE(FIRST, a, b, 1) : h == 2 ? EXCHANGE(FIRST, a, b, 2)
           : h == 4 ? EXCHANGE(FIRST, a, b, 4) : EXCHANGE(FIRST, a, b, 8);
    *second = h == 1 ? EXCHANGE(SECOND, a, b, 1) : h == 2 ? EXCHANGE(SECOND, a, b, 2)
            : h == 4 ? EXCHANGE(SECOND, a, b, 4) : EXCHANGE(SECOND, a, b, 8);
}

/* The off-diagonal quarters of each 2h by 2h block change places. */
INLINE void exchange(vec *row, int h)
{
    UNROLL for (int i = 0; i < VL; i++)
        if (!(i & h))
            exchange_two(row + i, row + i + h, h);
}

#ifndef AG_DOUBLE
/* The first, or last, two lanes of each group of four, taken alternately from two vectors. */
#define LOW(l, h)  ((l) / 4 * 4 + (l) % 4 / 2 + ((l) % 2 ? VL : 0))
#define HIGH(l, h) (LOW(l, h) + 2)

/* Four rows' blocks of four: two stages of one instruction each, where exchanges by one lane would take two. */
INLINE void transpose_fours(vec *row)
{
    const vec low = EXCHANGE(LOW, row[0], row[1], 0), high = EXCHANGE(HIGH, row[0], row[1], 0);
    const vec low2 = EXCHANGE(LOW, row[2], row[3], 0), high2 = EXCHANGE(HIGH, row[2], row[3], 0);
    row[0] = EXCHANGE(FIRST, low, low2, 2);
    row[1] = EXCHANGE(SECOND, low, low2, 2);
    row[2] = EXCHANGE(FIRST, high, high2, 2);
    row[3] = EXCHANGE(SECOND, high, high2, 2);
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
    UNROLL for (int i = 0; i < VL; i += 4)
        transpose_fours(row + i);
#endif
    if (size > 4)
        exchange(row, 4 % VL);
    if (size > 8)
        exchange(row, 8 % VL);
}

enum { HALF = VECTOR_BYTES > 16 ? VL / 2 : VL };

/* Row i of VL rows of VL after the exchange at distance HALF: vectors of more than 16 bytes are loaded by halves in its place. */
INLINE vec load_halves(const ag_real *x, int64_t ldx, int i)
{
    return HALF == VL ? vec_load(x + i * ldx)
           : i < HALF ? vec_load_halves(x + i * ldx, x + (i + HALF) * ldx)
                      : vec_load_halves(x + (i - HALF) * ldx + HALF, x + i * ldx + HALF);
}

/* VL rows of VL, as their columns: done in SQUARE_PARTS parts of about equal length, in order, so that other work can go between them. */
#ifdef AG_DOUBLE
enum { SQUARE_PARTS = 1 };

INLINE void load_transposed_part(int part, const ag_real *x, int64_t ldx, vec *row)
{
    (void)part;
    UNROLL for (int i = 0; i < VL; i++)
        row[i] = load_halves(x, ldx, i);
    transpose_blocks(HALF, row);
}
#else
enum { FOURS = VL / 4, SQUARE_PARTS = HALF > 4 ? 2 * FOURS : FOURS };

INLINE void load_transposed_part(int part, const ag_real *x, int64_t ldx, vec *row)
{
    if (part < FOURS) {
        UNROLL for (int i = 4 * part; i < 4 * part + 4; i++)
            row[i] = load_halves(x, ldx, i);
        transpose_fours(row + 4 * part);
        return;
    }
    const int pair = 2 * (part - FOURS), i = pair / 4 * 8 + pair % 4; /* the first of two pairs of rows */
    exchange_two(row + i, row + i + 4, 4 % VL);
    exchange_two(row + i + 1, row + i + 5, 4 % VL);
}
#endif

INLINE void load_transposed(const ag_real *x, int64_t ldx, vec *row)
{
    UNROLL for (int part = 0; part < SQUARE_PARTS; part++)
        load_transposed_part(part, x, ldx, row);
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
            agk__prefetch_to_write(y, i * ldy + ahead);
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
