/* The matrix product C = init + A B.
 *
 * C is cut into tiles of up to MR rows by NV vectors, which stay in registers while k runs. B is copied, KC rows at a time, into a
 * panel as wide as the tile; A is read where it lies, one number of each row per step, unless copying some rows of it pays, too
 * (copying_pays). Where B is transposed and A is the smaller of the two, as in y = x W^T, the transpose of C is computed instead, so
 * that A is what is copied. Few rows, few steps and tiny products have ways of their own. Every element of C is one chain of fused
 * multiply-adds over k = 0, 1, 2, ..., whatever the tile it falls into, so that the bits do not depend on the blocking, the
 * instruction set or the number of threads. */
#include <stddef.h>
#include <string.h>

#include "autograd/kernels/prefetch.h"
#include "autograd/kernels/simd/few_rows.h"
#include "autograd/kernels/simd/lanes.h"
#include "autograd/kernels/simd/small.h"
#include "autograd/kernels/simd/tile.h"

#define KC         1024                          /* rows of a panel, at most */
#define KC_TALL    512                           /* the same where columns of A are contiguous, and every step is in another line */
#define KC_COPIED  256                           /* the same where A is copied: panel and tile's rows fit the first cache */
#define KC_LOW     32                            /* the same where few rows of A use a wide B: its rows are used up in turn */
#define KC_LOW_FAR 16                            /* the same where B comes from memory: the processor follows so many rows at once */
#define BLOCK      (144 * KC_COPIED)             /* reals of A that are copied at a time: they fit the second cache */
#define SIDE_ROWS  (4 * MR)                      /* of the transpose of C, computed beside it */
#define LOW_A      (2 * MR)                      /* rows of A, too few to copy a panel for that can be read as it is */
#define FAR_APART  256                           /* columns of B and C whose rows lie far apart */
#define LARGE      (1 << 18)                     /* reals of a matrix that the near caches do not hold */
#define FAR_AWAY   (4 * LARGE)                   /* reals of one that only the last cache holds, if any */
#define MANY_STEPS 128                           /* more are worth copying panels for; of so many a panel stays in the first cache */
#define PAGE       (4096 / (int)sizeof(ag_real)) /* reals after which addresses share a place in the first cache */

/* One tile of `rows` by `vectors`, both compile-time constants at every call. Row i of `init` is at init + i * ldinit. */
INLINE void tile(int rows, int vectors, int64_t k, const ag_real *a, int64_t a_row, int64_t a_col, const ag_real *b,
                 int64_t ldb, const ag_real *init, int64_t ldinit, ag_real *c, int64_t ldc)
{
    vec sum[MR][NV];
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < vectors; j++)
            sum[i][j] = vec_load(init + i * ldinit + j * VL);
    UNROLL for (int i = 0; i < rows; i++) /* the next tile's part of C */
        agk__prefetch(init, (rows + i) * ldinit);
    const ag_real *triple[(MR + 2) / 3]; /* rows by threes: an address is a pointer plus 0, 1 or 2 strides */
    UNROLL for (int t = 0; t < (rows + 2) / 3; t++)
        triple[t] = a + 3 * t * a_row;
    const int64_t next = a_row % PAGE ? rows * a_row : 0; /* the next tile's rows, unless one would evict another */
    for (int64_t p = 0; p < k; p++, b += ldb) {
        if (a_col == 1 && rows == MR && p % CACHE_LINE < MR)
            agk__prefetch(a, next + p % CACHE_LINE * a_row + p / CACHE_LINE * CACHE_LINE);
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

typedef void tile_fn(int64_t k, const ag_real *a, int64_t stride, const ag_real *b, int64_t ldb, const ag_real *init,
                     int64_t ldinit, ag_real *c, int64_t ldc);

/* The tile of each height, for rows of A that are contiguous (wide) or columns that are (tall). */
#define TILE(rows, vectors)                                                                                          \
    static void tile_##rows##_##vectors##_wide(int64_t k, const ag_real *a, int64_t s, const ag_real *b, int64_t ldb, \
                                               const ag_real *init, int64_t ldinit, ag_real *c, int64_t ldc)         \
    {                                                                                                                \
        tile(rows, vectors, k, a, s, 1, b, ldb, init, ldinit, c, ldc);                                               \
    }                                                                                                                \
    static void tile_##rows##_##vectors##_tall(int64_t k, const ag_real *a, int64_t s, const ag_real *b, int64_t ldb, \
                                               const ag_real *init, int64_t ldinit, ag_real *c, int64_t ldc)         \
    {                                                                                                                \
        tile(rows, vectors, k, a, 1, s, b, ldb, init, ldinit, c, ldc);                                               \
    }
#define NAMES(rows)                                                                                                  \
    {{tile_##rows##_1_wide, tile_##rows##_1_tall}, {tile_##rows##_2_wide, tile_##rows##_2_tall}},
#define BOTH_WIDTHS(rows) TILE(rows, 1) TILE(rows, 2)
EACH_HEIGHT(BOTH_WIDTHS)

_Static_assert(KC * NR + BLOCK <= AGK_WORKSPACE, "a panel of B and a block of A fit the workspace");

static const ag_real zeros[NR + SIDE_ROWS]; /* in place of an init that is NULL */

static tile_fn *const tiles[MR][NV][2] = {EACH_HEIGHT(NAMES)};

/* The height of the next tile when `left` rows are left: the last two share what is left. */
static int64_t height_of(int64_t left)
{
    return left <= MR ? left : left < 2 * MR ? (left + 1) / 2 : MR;
}

/* Copies k rows and `columns` columns of a B whose columns are contiguous, a vector at most of both; columns up to a whole vector are
 * zero. */
static void pack_block(int64_t k, int64_t columns, const ag_real *x, int64_t ldx, ag_real *to)
{
    vec row[VL];
    UNROLL for (int i = 0; i < VL; i++)
        row[i] = i < columns ? vec_load_part(k, x + i * ldx, 0) : (vec){0};
    transpose_blocks(VL, row);
    UNROLL for (int i = 0; i < VL; i++)
        if (i < k)
            vec_store(to + i * NR, row[i]);
}

/* The same of any number of them. */
static void pack_transposed(int64_t k, int64_t width, agk_matrix b, ag_real *panel)
{
    for (int64_t j = 0; j < width; j += VL) {
        const ag_real *x = b.data + j * b.col;
        if (k < VL)
            pack_block(k, width - j, x, b.col, panel + j);
        for (int64_t p = 0; k >= VL && p < k; p += VL) {
            const int64_t q = block_at(p, k, false);
            transpose_block(width - j, x + q, b.col, false, panel + j + q * NR, NR);
        }
    }
}

/* A B of fewer columns than a panel has, in loops: a call of memcpy for each row would take longer. Vectors of which there is nothing are
 * left as they are. */
static void pack_narrow(int64_t k, int64_t width, agk_matrix b, ag_real *panel)
{
    const int64_t whole = width / VL * VL;
    for (int64_t p = 0; p < k; p++) {
        const ag_real *row = b.data + p * b.row;
        ag_real       *to = panel + p * NR;
        for (int64_t j = 0; j < whole; j += VL)
            vec_store(to + j, vec_load(row + j));
        if (whole < width)
            vec_store(to + whole, vec_load_part(width - whole, row + whole, 0));
    }
}

/* The same of any B. */
static void pack(int64_t k, int64_t width, agk_matrix b, ag_real *panel)
{
    const int64_t ahead = 16; /* rows: another part of memory each, which the processor does not foresee */
    if (b.col != 1) {
        pack_transposed(k, width, b, panel);
        return;
    }
    if (width < NR) {
        pack_narrow(k, width, b, panel);
        return;
    }
    for (int64_t p = 0; p < k; p++) {
        const ag_real *row = b.data + p * b.row;
        UNROLL for (int j = 0; j < NV; j++)
            agk__prefetch(row, ahead * b.row + j * VL);
        UNROLL for (int j = 0; j < NV; j++)
            vec_store(panel + p * NR + j * VL, vec_load(row + j * VL));
    }
}

/* One tile that is narrower than its vectors: computed beside C, then copied in. Where C is no wider either its rows are stored
 * one after the other, each over what the one before had too much. */
static void edge_tile(tile_fn *f, int64_t rows, int64_t width, int64_t k, const ag_real *a, int64_t stride,
                      const ag_real *b, const ag_real *init, int64_t ldinit, ag_real *c, int64_t ldc)
{
    _Alignas(VECTOR_BYTES) ag_real side[MR * NR];
    for (int64_t i = 0; i < (ldinit ? rows : 1); i++)
        for (int64_t j = 0; j < NR; j++)
            side[i * NR + j] = j < width ? init[i * ldinit + j] : 0;
    f(k, a, stride, b, NR, side, ldinit ? NR : 0, side, ldc == width ? width : NR);
    if (ldc == width) {
        memcpy(c, side, (size_t)(rows * width) * sizeof *c);
        return;
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j++) /* as a loop: too short for a call of memcpy */
            c[i * ldc + j] = side[i * NR + j];
}

/* Some rows of A. Copied, the tile that begins at row i has `rows` numbers for each step, from data + i * depth on. */
typedef struct left_side {
    int64_t    m, depth;
    agk_matrix a;
    bool       copied, far; /* far: B is read once, and lies in no near cache */
} left_side;

/* All tiles of one panel: C (m, width) = init + A (m, depth) panel. */
static void panel_product(const left_side *l, int64_t width, const ag_real *panel, int64_t ldb, const ag_real *init, int64_t ldinit,
                          ag_real *c, int64_t ldc)
{
    const bool    tall = l->copied || l->a.col != 1;
    const int64_t vectors = (width + VL - 1) / VL;
    for (int64_t i = 0, rows; i < l->m; i += rows) {
        rows = height_of(l->m - i);
        tile_fn       *f = tiles[rows - 1][vectors - 1][tall];
        const int64_t  stride = l->copied ? rows : tall ? l->a.col : l->a.row;
        const ag_real *a = l->a.data + i * (l->copied ? l->depth : l->a.row);
        if (width == vectors * VL)
            f(l->depth, a, stride, panel, ldb, init + i * ldinit, ldinit, c + i * ldc, ldc);
        else
            edge_tile(f, rows, width, l->depth, a, stride, panel, init + i * ldinit, ldinit, c + i * ldc, ldc);
    }
}

/* Copies a tile's rows. */
INLINE void copy_tile(int64_t rows, int64_t depth, agk_matrix a, ag_real *to)
{
    for (int64_t p = 0; p < depth; p++)
        for (int64_t r = 0; r < rows; r++)
            to[p * rows + r] = a.data[r * a.row + p * a.col];
}

static void copy_left(const left_side *l, ag_real *to)
{
    int64_t i = 0;
    const int64_t whole = l->m - l->m % MR - (l->m % MR ? MR : 0); /* the last two tiles may be lower */
    if (l->a.col == 1)
        for (; i < whole; i += MR)
            copy_tile(MR, l->depth, (agk_matrix){l->a.data + i * l->a.row, l->a.row, 1}, to + i * l->depth);
    for (int64_t p = 0; l->a.col != 1 && p < l->depth; p++)
        for (i = 0; i < whole; i += MR)
            memcpy(to + i * l->depth + p * MR, l->a.data + p * l->a.col + i, MR * sizeof *to);
    for (int64_t rows; i < l->m; i += rows) {
        rows = height_of(l->m - i);
        copy_tile(rows, l->depth, part_of(l->a, i, 0), to + i * l->depth);
    }
}

/* Whether to copy A. Where more than a few panels use it: always if its tiles would find columns no longer in the first cache, as
 * they have more lines than that, or lines that share a place; with AVX2, whose tiles are low and so read A often, whenever it is
 * large. Where a few do: if its columns are so long that every step is in another page. */
static bool copying_pays(int64_t m, int64_t n, int64_t k, agk_matrix a)
{
    const bool few_panels = n <= 4 * NR;
    if (n <= NR || m <= 4 * MR || (few_panels && a.col < PAGE))
        return false;
    if (a.col != 1 && (k > KC_TALL / 2 || (a.col % (PAGE / 4) == 0 && k > KC_TALL / 8)))
        return true;
    return MR == 6 && k >= KC_COPIED / 4 && n >= 16 * NR;
}

/* Steps that are taken at a time, of those from p on. */
static int64_t depth_at(int64_t p, int64_t m, int64_t n, int64_t k, agk_matrix a, agk_matrix b, bool copied, bool alone)
{
    const bool    low = m <= LOW_A && b.col == 1 && n >= FAR_APART;
    const int64_t most = low ? (n * k > FAR_AWAY ? KC_LOW_FAR : KC_LOW) : a.col != 1 ? KC_TALL : KC;
    return depth_of(k - p, alone ? KC_SMALL : copied ? KC_COPIED : most);
}

/* Rows of C that are taken at a time. A large C of few steps is written by whole rows: down a panel, each is in another page. */
static int64_t rows_at_a_time(int64_t m, int64_t n, int64_t k, agk_matrix b, bool copied, int64_t depth)
{
    const bool few_steps = k <= MANY_STEPS && n >= FAR_APART && m * n > LARGE;
    return copied ? BLOCK / depth : few_steps && b.col == 1 ? LOW_A : m;
}

/* Copies a panel of B and multiplies, unless few rows of A use it. */
static void times_panel(const left_side *l, int64_t width, agk_matrix b, const ag_real *init, int64_t ldinit, ag_real *c, int64_t ldc,
                        ag_real *panel)
{
    if (l->m <= LOW_A && b.col == 1 && width == NR) {
        for (int64_t p = 0; l->far && p < l->depth; p++) /* the panel after the next: each row of B is in another page */
            UNROLL for (int j = 0; j < NR; j += CACHE_LINE)
                agk__prefetch(b.data, p * b.row + 2 * NR + j);
        panel_product(l, width, b.data, b.row, init, ldinit, c, ldc);
        return;
    }
    pack(l->depth, width, b, panel);
    panel_product(l, width, panel, NR, init, ldinit, c, ldc);
}

static void straight(int64_t m, int64_t n, int64_t k, agk_matrix a, agk_matrix b, const ag_real *init, int64_t ldinit,
                     ag_real *c, int64_t ldc, ag_real *workspace)
{
    _Alignas(VECTOR_BYTES) ag_real small[KC_SMALL * NR];
    ag_real *panel = workspace ? workspace : small;
    const bool    copied = workspace && copying_pays(m, n, k, a);
    for (int64_t p = 0, depth; p < k; p += depth) {
        depth = depth_at(p, m, n, k, a, b, copied, !workspace);
        const int64_t most = rows_at_a_time(m, n, k, b, copied, depth);
        for (int64_t i = 0; i < m; i += most) {
            left_side l = {least(most, m - i), depth, part_of(a, i, p), copied, m <= most && n * k > LARGE};
            if (copied) {
                copy_left(&l, workspace + KC * NR);
                l.a.data = workspace + KC * NR;
            }
            ag_real       *rows = c + i * ldc;
            const ag_real *from = p > 0 ? rows : init ? init + i * ldinit : NULL;
            for (int64_t j = 0; j < n; j += NR)
                times_panel(&l, least(n - j, NR), part_of(b, p, j), from ? from + j : zeros, p > 0 ? ldc : ldinit, rows + j, ldc, panel);
        }
    }
}

/* `rows` by `width` elements of the transpose of C, beginning at its row i, as they are before the product with depth p on. */
static void side_load(int64_t rows, int64_t width, const ag_real *from, int64_t ld, ag_real *side)
{
    if (ld > 0) {
        transpose(width, rows, from, ld, false, side, NR);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < NV; j++)
            vec_store(side + r * NR + j * VL, vec_splat(from[r]));
}

/* The transpose of C: its rows go by B's columns, its columns by A's rows. */
static void swapped(int64_t m, int64_t n, int64_t k, agk_matrix a, agk_matrix b, const ag_real *init, int64_t ldinit,
                    ag_real *c, int64_t ldc, ag_real *workspace)
{
    _Alignas(VECTOR_BYTES) ag_real small[KC_SMALL * NR], side[SIDE_ROWS * NR] = {0};
    ag_real *panel = workspace ? workspace : small;
    for (int64_t j = 0; j < m; j += NR)
        for (int64_t p = 0, depth, width = least(m - j, NR); p < k; p += depth) {
            depth = depth_of(k - p, workspace ? KC : KC_SMALL);
            pack(depth, width, (agk_matrix){a.data + j * a.row + p * a.col, a.col, a.row}, panel);
            for (int64_t i = 0; i < n; i += SIDE_ROWS) {
                int64_t rows = least(n - i, SIDE_ROWS);
                ag_real *to = c + j * ldc + i;
                side_load(rows, width, p > 0 ? to : init ? init + j * ldinit + i : zeros, p > 0 ? ldc : ldinit, side);
                const left_side l = {rows, depth, {b.data + p * b.row + i * b.col, b.col, b.row}, false, false};
                panel_product(&l, width > VL ? NR : VL, panel, NR, side, NR, side, NR);
                transpose(rows, width, side, NR, false, to, ldc);
            }
        }
}

/* ---- Few steps, as a gradient of a weight has with few images: C is written once, row by row, which tiles do in narrow columns. ---- */

enum { FEW_STEPS = 4, THIN_ROWS = 4 };

/* `rows` of C. `rows` is a compile-time constant at every call. */
INLINE void thin_rows(int rows, int64_t n, int64_t k, const ag_real *a, int64_t a_row, int64_t a_col, agk_matrix b, const ag_real *init,
                      int64_t ldinit, ag_real *c, int64_t ldc)
{
    int64_t j = 0;
    for (; j + VL <= n; j += VL) {
        vec sum[THIN_ROWS];
        UNROLL for (int r = 0; r < rows; r++)
            sum[r] = init ? vec_load(init + r * ldinit + j) : (vec){0};
        for (int64_t p = 0; p < k; p++) {
            const vec row = vec_once(vec_load(b.data + p * b.row + j));
            UNROLL for (int r = 0; r < rows; r++)
                sum[r] = vec_fma(vec_splat(a[r * a_row + p * a_col]), row, sum[r]);
        }
        UNROLL for (int r = 0; r < rows; r++)
            vec_store(c + r * ldc + j, sum[r]);
    }
    for (; j < n; j++)
        for (int r = 0; r < rows; r++) {
            ag_real x = init ? init[r * ldinit + j] : 0;
            for (int64_t p = 0; p < k; p++)
                x = r_fma(a[r * a_row + p * a_col], b.data[p * b.row + j], x);
            c[r * ldc + j] = x;
        }
}

static void thin(int64_t m, int64_t n, int64_t k, agk_matrix a, agk_matrix b, const ag_real *init, int64_t ldinit, ag_real *c, int64_t ldc)
{
    int64_t i = 0;
    for (; i + THIN_ROWS <= m; i += THIN_ROWS)
        thin_rows(THIN_ROWS, n, k, a.data + i * a.row, a.row, a.col, b, init ? init + i * ldinit : NULL, ldinit, c + i * ldc, ldc);
    for (; i < m; i++)
        thin_rows(1, n, k, a.data + i * a.row, a.row, a.col, b, init ? init + i * ldinit : NULL, ldinit, c + i * ldc, ldc);
}

/* ---- So little that making ready for tiles would take longer than the work: element by element. ---- */

enum { TINY = 256 };

static bool is_tiny(int64_t m, int64_t n, int64_t k)
{
    return n < NR && m * n * k <= TINY;
}

INLINE void tiny(int64_t m, int64_t n, int64_t k, agk_matrix a, agk_matrix b, const ag_real *init, int64_t ldinit, ag_real *c, int64_t ldc)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            ag_real x = init ? init[i * ldinit + j] : 0;
            for (int64_t p = 0; p < k; p++)
                x = r_fma(a.data[i * a.row + p * a.col], b.data[p * b.row + j * b.col], x);
            c[i * ldc + j] = x;
        }
}

/* Whether few_rows is the way for m rows: up to half as many as a vector has numbers, or more if reading B once counts. Of fewer columns
 * than a vector holds only very few. */
static bool few_rows_pay(int64_t m, int64_t n, int64_t k)
{
    const int64_t most = n < VL ? VL / 4 : n * k < LARGE ? VL / 2 : FEW;
    return m <= (most > 2 ? most : 2);
}

void AGK(gemm)(int64_t m, int64_t n, int64_t k, agk_matrix a, agk_matrix b, const ag_real *init, int64_t ldinit,
               ag_real *c, int64_t ldc, ag_real *workspace)
{
    int64_t   length;
    small_fn *small = small_of(m, n, k, a, b, &length);
    ldinit = init ? ldinit : 0;
    if (small)
        small(length, a, b, init, ldinit, c, ldc);
    else if (is_tiny(m, n, k))
        tiny(m, n, k, a, b, init, ldinit, c, ldc);
    else if (k <= FEW_STEPS && b.col == 1 && n >= NR)
        thin(m, n, k, a, b, init, ldinit, c, ldc);
    else if (m > 2 && m <= MR && b.row == 1 && n >= NR && k <= MANY_STEPS)
        straight(m, n, k, a, b, init, ldinit, c, ldc, workspace);
    else if (few_rows_pay(m, n, k) && b.row == 1 && k >= VL && (n > FEW || n >= m || a.col != 1))
        few_rows(&(few){m, n, k, a, b, init, ldinit, 1, c, ldc, 1}, workspace);
    else if (few_rows_pay(n, m, k) && a.col == 1 && k >= VL)
        few_rows(&(few){n, m, k, {b.data, b.col, b.row}, {a.data, 1, a.row}, init, 1, ldinit, c, 1, ldc}, workspace);
    else if (n == 1 && a.row == 1 && ldc == 1 && (!init || ldinit == 1)) /* a column is a row */
        straight(1, m, k, (agk_matrix){b.data, b.col, b.row}, (agk_matrix){a.data, a.col, 1}, init, 0, c, m, workspace);
    else if (b.col != 1 && m * (k + 2 * n) < n * k)
        swapped(m, n, k, a, b, init, ldinit, c, ldc, workspace);
    else
        straight(m, n, k, a, b, init, ldinit, c, ldc, workspace);
}

void AGK(gemm_batch)(int64_t count, int64_t m, int64_t n, int64_t k, agk_matrix a, int64_t a_step, agk_matrix b, int64_t b_step,
                     bool add, ag_real *c, int64_t c_step, ag_real *workspace)
{
    const bool all_tiny = is_tiny(m, n, k);
    int64_t    length;
    small_fn  *small = small_of(m, n, k, a, b, &length);
    for (; count > 0; count--, a.data += a_step, b.data += b_step, c += c_step)
        if (small)
            small(length, a, b, add ? c : NULL, n, c, n);
        else if (all_tiny)
            tiny(m, n, k, a, b, add ? c : NULL, n, c, n);
        else
            AGK(gemm)(m, n, k, a, b, add ? c : NULL, n, c, n, workspace);
}
