/* Products with sides of up to four numbers, as turns of points in space are: loops whose lengths the compiler knows. Sums run in the
 * order of the tiles of gemm.c. */
#ifndef AGK_SMALL_H
#define AGK_SMALL_H

#include <stddef.h>

#include "autograd/kernels/simd/math.h"
#include "autograd/kernels/simd/vector.h"

enum {
    SMALL_SIDE = 4,
    LEAST_SMALL = 16 /* multiplications that are worth calling a function for */
};

/* m rows of C, while B stays in registers. n and k are compile-time constants at every call, and whether a.col is 1. */
INLINE void small_rows(int n, int k, bool dense, int64_t m, agk_matrix a, agk_matrix b, const ag_real *init, int64_t ldinit,
                       ag_real *c, int64_t ldc)
{
    const int64_t step = dense ? 1 : a.col;
    ag_real       w[SMALL_SIDE][SMALL_SIDE];
    UNROLL for (int p = 0; p < k; p++)
        UNROLL for (int j = 0; j < n; j++)
            w[p][j] = b.data[p * b.row + j * b.col];
    INDEPENDENT for (int64_t i = 0; i < m; i++) /* init may be c */
        UNROLL for (int j = 0; j < n; j++) {
            ag_real sum = init ? init[i * ldinit + j] : 0;
            UNROLL for (int p = 0; p < k; p++)
                sum = r_fma(a.data[i * a.row + p * step], w[p][j], sum);
            c[i * ldc + j] = sum;
        }
}

/* All of C, whose sums stay in registers while k runs. m and n are compile-time constants at every call. */
INLINE void small_sums(int m, int n, int64_t k, agk_matrix a, agk_matrix b, const ag_real *init, int64_t ldinit, ag_real *c, int64_t ldc)
{
    ag_real sum[SMALL_SIDE][SMALL_SIDE];
    UNROLL for (int i = 0; i < m; i++)
        UNROLL for (int j = 0; j < n; j++)
            sum[i][j] = init ? init[i * ldinit + j] : 0;
    for (int64_t p = 0; p < k; p++)
        UNROLL for (int i = 0; i < m; i++)
            UNROLL for (int j = 0; j < n; j++)
                sum[i][j] = r_fma(a.data[i * a.row + p * a.col], b.data[p * b.row + j * b.col], sum[i][j]);
    UNROLL for (int i = 0; i < m; i++)
        UNROLL for (int j = 0; j < n; j++)
            c[i * ldc + j] = sum[i][j];
}

/* A function for each pair of sizes. */
typedef void small_fn(int64_t length, agk_matrix a, agk_matrix b, const ag_real *init, int64_t ldinit, ag_real *c, int64_t ldc);

#define SMALL_FUNCTIONS(x, y)                                                                         \
    static void small_rows_##x##_##y(int64_t m, agk_matrix a, agk_matrix b, const ag_real *init,      \
                                     int64_t ldinit, ag_real *c, int64_t ldc)                         \
    {                                                                                                 \
        if (a.col == 1)                                                                               \
            small_rows(x, y, true, m, a, b, init, ldinit, c, ldc);                                    \
        else                                                                                          \
            small_rows(x, y, false, m, a, b, init, ldinit, c, ldc);                                   \
    }                                                                                                 \
    static void small_sums_##x##_##y(int64_t k, agk_matrix a, agk_matrix b, const ag_real *init,      \
                                     int64_t ldinit, ag_real *c, int64_t ldc)                         \
    {                                                                                                 \
        small_sums(x, y, k, a, b, init, ldinit, c, ldc);                                              \
    }
#define SMALL_NAMES(x, y) {small_rows_##x##_##y, small_sums_##x##_##y},
#define EACH_SMALL(X)                                                                                 \
    X(1, 1) X(1, 2) X(1, 3) X(1, 4) X(2, 1) X(2, 2) X(2, 3) X(2, 4)                                   \
    X(3, 1) X(3, 2) X(3, 3) X(3, 4) X(4, 1) X(4, 2) X(4, 3) X(4, 4)
EACH_SMALL(SMALL_FUNCTIONS)

/* The function for a product, and the length of its loop; NULL where two sides are larger, where there is too little to do to be worth a
 * call, or where few_rows.h is faster, because a factor is contiguous along k. */
static small_fn *small_of(int64_t m, int64_t n, int64_t k, agk_matrix a, agk_matrix b, int64_t *length)
{
    static small_fn *const functions[SMALL_SIDE * SMALL_SIDE][2] = {EACH_SMALL(SMALL_NAMES)};
    if (m * n * k < LEAST_SMALL)
        return NULL;
    if (n <= SMALL_SIDE && k <= SMALL_SIDE) {
        *length = m;
        return functions[(n - 1) * SMALL_SIDE + k - 1][0];
    }
    if (m > SMALL_SIDE || n > SMALL_SIDE || (m * n > 1 && k >= VL && (a.col == 1 || b.row == 1)))
        return NULL;
    *length = k;
    return functions[(m - 1) * SMALL_SIDE + n - 1][1];
}

#endif
