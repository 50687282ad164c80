/* The matrix product C = init + A B.
 *
 * C is cut into tiles of up to MR rows by NV vectors, which stay in registers while k runs. B is copied, KC rows at a
 * time, into a panel as wide as the tile that fits the first cache level; A is read where it lies, one number of each
 * row per step. Every element of C is one chain of fused multiply-adds over k = 0, 1, 2, ..., whatever the tile it falls
 * into, so that the bits do not depend on the blocking, the instruction set or the number of threads. */
#include <string.h>

#include "autograd/kernels/simd/tile.h"

#define KC (32768 / (NV * VECTOR_BYTES))                  /* rows of a panel: 32 KiB */

/* One tile of `rows` by `vectors`, both compile-time constants at every call. `init` has stride ldinit. */
INLINE void tile(int rows, int vectors, int64_t k, const ag_real *a, int64_t a_row, int64_t a_col, const ag_real *b,
                 const ag_real *init, int64_t ldinit, ag_real *c, int64_t ldc)
{
    vec sum[MR][NV];
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < vectors; j++)
            sum[i][j] = vec_load(init + i * ldinit + j * VL);
    const ag_real *triple[(MR + 2) / 3]; /* rows by threes: an address is a pointer plus 0, 1 or 2 strides */
    UNROLL for (int t = 0; t < (rows + 2) / 3; t++)
        triple[t] = a + 3 * t * a_row;
    for (int64_t p = 0; p < k; p++, b += NR) {
        vec column[NV];
        UNROLL for (int j = 0; j < vectors; j++)
            column[j] = vec_load(b + j * VL);
        UNROLL for (int i = 0; i < rows; i++) {
            vec x = vec_once(vec_splat(triple[i / 3][(i % 3) * a_row]));
            UNROLL for (int j = 0; j < vectors; j++)
                sum[i][j] = vec_fma(x, column[j], sum[i][j]);
        }
        UNROLL for (int t = 0; t < (rows + 2) / 3; t++)
            triple[t] += a_col;
    }
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < vectors; j++)
            vec_store(c + i * ldc + j * VL, sum[i][j]);
}

typedef void tile_fn(int64_t k, const ag_real *a, int64_t stride, const ag_real *b, const ag_real *init,
                     int64_t ldinit, ag_real *c, int64_t ldc);

/* The tile of each height, for rows of A that are contiguous (wide) or columns that are (tall). */
#define TILE(rows, vectors)                                                                                          \
    static void tile_##rows##_##vectors##_wide(int64_t k, const ag_real *a, int64_t s, const ag_real *b,             \
                                               const ag_real *init, int64_t ldinit, ag_real *c, int64_t ldc)         \
    {                                                                                                                \
        tile(rows, vectors, k, a, s, 1, b, init, ldinit, c, ldc);                                                    \
    }                                                                                                                \
    static void tile_##rows##_##vectors##_tall(int64_t k, const ag_real *a, int64_t s, const ag_real *b,             \
                                               const ag_real *init, int64_t ldinit, ag_real *c, int64_t ldc)         \
    {                                                                                                                \
        tile(rows, vectors, k, a, 1, s, b, init, ldinit, c, ldc);                                                    \
    }
#define NAMES(rows)                                                                                                  \
    {{tile_##rows##_1_wide, tile_##rows##_1_tall}, {tile_##rows##_2_wide, tile_##rows##_2_tall}},

#define BOTH_WIDTHS(rows) TILE(rows, 1) TILE(rows, 2)
EACH_HEIGHT(BOTH_WIDTHS)

static tile_fn *const tiles[MR][NV][2] = {EACH_HEIGHT(NAMES)};

/* Copies k rows and `width` columns of B into the panel; columns up to NR are zero. */
static void pack(int64_t k, int64_t width, agk_matrix b, ag_real *panel)
{
    if (width < NR)
        memset(panel, 0, (size_t)(k * NR) * sizeof *panel);
    if (b.col == 1) {
        for (int64_t p = 0; p < k; p++)
            for (int64_t j = 0; j < width; j++)
                panel[p * NR + j] = b.data[p * b.row + j];
        return;
    }
    const int64_t line = 16; /* rows of the panel written together: B is read a cache line at a time */
    for (int64_t p = 0; p < k; p += line) {
        int64_t rows = k - p < line ? k - p : line;
        for (int64_t j = 0; j < width; j++)
            for (int64_t r = p; r < p + rows; r++)
                panel[r * NR + j] = b.data[r * b.row + j * b.col];
    }
}

/* One tile that is narrower than its vectors: computed beside C, then copied in. */
static void edge_tile(tile_fn *f, int64_t rows, int64_t width, int64_t k, const ag_real *a, int64_t stride,
                      const ag_real *b, const ag_real *init, int64_t ldinit, ag_real *c, int64_t ldc)
{
    ag_real side[MR * NR] = {0};
    for (int64_t i = 0; i < rows; i++)
        memcpy(side + i * NR, init + i * ldinit, (size_t)width * sizeof *c);
    f(k, a, stride, b, side, NR, side, NR);
    for (int64_t i = 0; i < rows; i++)
        memcpy(c + i * ldc, side + i * NR, (size_t)width * sizeof *c);
}

/* All tiles of one panel: C (m, width) = init + A (m, k) panel. */
static void panel_product(int64_t m, int64_t width, int64_t k, agk_matrix a, const ag_real *panel, const ag_real *init,
                          int64_t ldinit, ag_real *c, int64_t ldc)
{
    const bool    tall = a.col != 1;
    const int64_t stride = tall ? a.col : a.row, vectors = (width + VL - 1) / VL;
    for (int64_t i = 0, rows; i < m; i += rows) {
        int64_t left = m - i;
        rows = left <= MR ? left : left < 2 * MR ? (left + 1) / 2 : MR;
        tile_fn *f = tiles[rows - 1][vectors - 1][tall];
        const ag_real *from = a.data + i * a.row;
        if (width == vectors * VL)
            f(k, from, stride, panel, init + i * ldinit, ldinit, c + i * ldc, ldc);
        else
            edge_tile(f, rows, width, k, from, stride, panel, init + i * ldinit, ldinit, c + i * ldc, ldc);
    }
}

void AGK(gemm)(int64_t m, int64_t n, int64_t k, agk_matrix a, agk_matrix b, const ag_real *init, int64_t ldinit,
               ag_real *c, int64_t ldc)
{
    static const ag_real zeros[NR];
    _Alignas(VECTOR_BYTES) ag_real panel[KC * NR];
    for (int64_t p = 0; p < k; p += KC) {
        int64_t depth = k - p < KC ? k - p : KC;
        agk_matrix a_block = {a.data + p * a.col, a.row, a.col};
        for (int64_t j = 0; j < n; j += NR) {
            int64_t width = n - j < NR ? n - j : NR;
            pack(depth, width, (agk_matrix){b.data + p * b.row + j * b.col, b.row, b.col}, panel);
            if (p > 0)
                panel_product(m, width, depth, a_block, panel, c + j, ldc, c + j, ldc);
            else if (init)
                panel_product(m, width, depth, a_block, panel, init + j, ldinit, c + j, ldc);
            else
                panel_product(m, width, depth, a_block, panel, zeros, 0, c + j, ldc);
        }
    }
}
