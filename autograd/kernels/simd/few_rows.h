/* Products of few rows by columns that lie contiguous, as a few images have through a linear layer: B is read once, by
 * blocks that are transposed in registers. Each element adds up in the order of the tiles of gemm.c. Also few columns,
 * with the roles exchanged. */
#ifndef AGK_FEW_ROWS_H
#define AGK_FEW_ROWS_H

#include <stddef.h>

#include "autograd/kernels/simd/transpose.h"

/* ---- Also for gemm.c. ---- */

#define KC_SMALL   32                          /* steps that are done at a time without workspace */
#define CACHE_LINE (64 / (int)sizeof(ag_real)) /* reals in a cache line */

/* The depth of the next panel when `left` is left, and at most `most` allowed: all about the same. */
INLINE int64_t depth_of(int64_t left, int64_t most)
{
    const int64_t panels = (left + most - 1) / most;
    return (left + panels - 1) / panels;
}

INLINE agk_matrix part_of(agk_matrix x, int64_t i, int64_t j)
{
    return (agk_matrix){x.data + i * x.row + j * x.col, x.row, x.col};
}

/* ---- Few rows. ---- */

#if VECTOR_BYTES == 64 && !defined(AG_DOUBLE)
enum { FEW = 12, LOOK_AHEAD = true }; /* there are registers for the sums, a square and what transposing needs */
#else
enum { FEW = VL / 2 > 2 ? VL / 2 : 2, LOOK_AHEAD = false };
#endif
enum { FEW_BLOCKS = 2 };

/* Element (r, j) of C is at c + r * row + j * col; of init likewise. */
typedef struct few {
    int64_t        rows, n, k;
    agk_matrix     a, b; /* b.row is 1 */
    const ag_real *init;
    int64_t        init_row, init_col;
    ag_real       *c;
    int64_t        c_row, c_col;
} few;

/* VL columns of B from `first` on, VL steps from p on; columns beyond the last one are the last one again. */
INLINE void few_load(const few *f, int64_t first, int64_t p, vec *row)
{
    if (f->n >= VL) {
        load_transposed(f->b.data + first * f->b.col + p, f->b.col, row);
        return;
    }
    UNROLL for (int i = 0; i < VL; i++)
        row[i] = vec_load(f->b.data + least(first + i, f->n - 1) * f->b.col + p);
    transpose_blocks(VL, row);
}

/* The sums of VL outputs go on by one step. */
INLINE void few_step(int rows, const ag_real *a, vec row, vec *sum)
{
    UNROLL for (int r = 0; r < rows; r++)
        sum[r] = vec_fma(vec_splat(a[r]), row, sum[r]);
}

/* The sums of VL outputs go on by the steps from `done` to p + VL - 1. a holds, step by step, one number of each row of A. */
INLINE void few_steps(int rows, const few *f, int64_t first, int64_t p, int64_t done, const ag_real *a, vec *sum)
{
    vec row[VL];
    few_load(f, first, p, row);
    UNROLL for (int i = 0; i < VL; i++)
        if (p + i >= done)
            few_step(rows, a + (p + i) * rows, row[i], sum);
}

/* Where the sums of row r begin. */
static vec few_init(const few *f, int64_t r, int64_t first)
{
    _Alignas(VECTOR_BYTES) ag_real side[VL] = {0};
    for (int64_t i = 0; f->init && i < VL; i++)
        side[i] = f->init[r * f->init_row + least(first + i, f->n - 1) * f->init_col];
    return vec_load(side);
}

/* Stores row r from output `done` on. */
static void few_end(const few *f, int64_t r, int64_t first, int64_t done, vec sum)
{
    _Alignas(VECTOR_BYTES) ag_real side[VL];
    vec_store(side, sum);
    for (int64_t o = first > done ? first : done; o < least(first + VL, f->n); o++)
        f->c[r * f->c_row + o * f->c_col] = side[o - first];
}

/* As few_steps, for the VL steps whose square of B, transposed, lies in `now`. Meanwhile the next square,
 * at p, is loaded and transposed into it: the processor does not look that far ahead by itself. */
INLINE void few_square(int rows, const few *f, int64_t first, int64_t p, const ag_real *a, ag_real *now, vec *sum)
{
    vec row[VL];
    UNROLL for (int part = 0; part < SQUARE_PARTS; part++) {
        load_transposed_part(part, f->b.data + first * f->b.col + p, f->b.col, row);
        UNROLL for (int i = part * VL / SQUARE_PARTS; i < (part + 1) * VL / SQUARE_PARTS; i++)
            few_step(rows, a + i * rows, vec_once(vec_load(now + i * VL)), sum);
    }
    UNROLL for (int i = 0; i < VL; i++)
        vec_store(now + i * VL, row[i]);
}

/* All steps, square by square; the last square of B begins VL steps before the end, so that it may hold some that are done. */
INLINE void few_squares(int rows, int blocks, const few *f, const int64_t *first, const ag_real *a, vec sum[FEW_BLOCKS][FEW])
{
    _Alignas(VECTOR_BYTES) ag_real now[FEW_BLOCKS][VL * VL];
    int64_t p = 0;
    UNROLL for (int b = 0; b < blocks; b++)
        transpose_block(VL, f->b.data + first[b] * f->b.col, f->b.col, false, now[b], VL);
    for (; p + VL <= f->k; p += VL)
        UNROLL for (int b = 0; b < blocks; b++)
            few_square(rows, f, first[b], least(p + VL, f->k - VL), a + p * rows, now[b], sum[b]);
    for (int64_t last = f->k - VL; p < f->k; p++)
        UNROLL for (int b = 0; b < blocks; b++)
            few_step(rows, a + p * rows, vec_load(now[b] + (p - last) * VL), sum[b]);
}

/* Computes, for up to `rows` rows, the VL outputs that begin at each of `first`. `rows` and `blocks` are compile-time constants at every
 * call; more blocks than one hide the latency of each other's sums. Each line of B is used up before the next block's are read, as columns
 * may share places in the first cache, and more than eight lines do not fit one. Outputs before `done` are there already. */
INLINE void few_blocks(int rows, int blocks, const few *f, const int64_t *first, int64_t done, const ag_real *a)
{
    vec        sum[FEW_BLOCKS][FEW];
    const bool ahead = LOOK_AHEAD && f->n >= VL;
    int64_t    p = ahead ? f->k : 0;
    UNROLL for (int b = 0; b < blocks; b++)
        UNROLL for (int r = 0; r < rows; r++)
            sum[b][r] = few_init(f, least(r, f->rows - 1), first[b]);
    if (ahead)
        few_squares(rows, blocks, f, first, a, sum);
    for (; p + CACHE_LINE <= f->k; p += CACHE_LINE)
        UNROLL for (int b = 0; b < blocks; b++)
            UNROLL for (int q = 0; q < CACHE_LINE; q += VL)
                few_steps(rows, f, first[b], p + q, p, a, sum[b]);
    for (; p < f->k; p += VL)
        UNROLL for (int b = 0; b < blocks; b++)
            few_steps(rows, f, first[b], least(p, f->k - VL), p, a, sum[b]);
    UNROLL for (int b = 0; b < blocks; b++)
        UNROLL for (int r = 0; r < rows; r++)
            if (r < f->rows)
                few_end(f, r, first[b], done, sum[b][r]);
}

_Static_assert(FEW_BLOCKS == 2, "few_outputs names two blocks");

/* Up to `rows` rows, all outputs: the last block may begin within the one before. */
INLINE void few_outputs(int rows, const few *f, const ag_real *a)
{
    int64_t j = 0;
    for (; rows <= 2 && f->n - j > VL; j += FEW_BLOCKS * VL) {
        const int64_t first[FEW_BLOCKS] = {j, least(j + VL, f->n - VL)};
        few_blocks(rows, FEW_BLOCKS, f, first, j, a);
    }
    for (; j < f->n; j += VL) {
        const int64_t first = f->n < VL ? 0 : least(j, f->n - VL);
        few_blocks(rows, 1, f, &first, j, a);
    }
}

/* A, `rows` numbers for each step: the last row fills up those that are missing. */
static void few_pack(int rows, const few *f, ag_real *to)
{
    for (int r = 0; r < rows; r++) {
        const ag_real *a = f->a.data + least(r, f->rows - 1) * f->a.row;
        for (int64_t p = 0; p < f->k; p++)
            to[p * rows + r] = a[p * f->a.col];
    }
}

#define FEW_ROWS(n)                                                                                                  \
    case n:                                                                                                          \
        if (n <= FEW)                                                                                                \
            few_outputs(n <= FEW ? n : FEW, f, a);                                                                   \
        break

/* `rows` is 1 or even, and at most FEW. */
static void few_any(int rows, const few *f, const ag_real *a)
{
    switch (rows) {
        FEW_ROWS(1);
        FEW_ROWS(2);
        FEW_ROWS(4);
        FEW_ROWS(6);
        FEW_ROWS(8);
        FEW_ROWS(10);
        FEW_ROWS(12);
    }
}

/* As many steps at a time as the memory for A allows. */
static void few_rows(const few *f, ag_real *workspace)
{
    ag_real       small[FEW * KC_SMALL];
    ag_real      *packed = workspace ? workspace : small;
    const int     rows = f->rows == 1 ? 1 : (int)((f->rows + 1) / 2 * 2);
    const int64_t most = (workspace ? AGK_WORKSPACE : FEW * KC_SMALL) / rows;
    const bool    as_it_lies = rows == 1 && f->a.col == 1;
    few           some = *f;
    for (int64_t p = 0; p < f->k; p += some.k) {
        some.k = as_it_lies ? f->k : depth_of(f->k - p, most);
        some.a = part_of(f->a, 0, p);
        some.b = part_of(f->b, p, 0);
        if (p > 0) {
            some.init = f->c;
            some.init_row = f->c_row;
            some.init_col = f->c_col;
        }
        if (!as_it_lies)
            few_pack(rows, &some, packed);
        few_any(rows, &some, as_it_lies ? some.a.data : packed);
    }
}

_Static_assert(KC_SMALL >= 2 * VL, "pieces have at least VL steps");

#endif
