/* The tiles of convolutions, on interleaved images: lanes are images, so that channels, kernels, strides and borders of any size
 * use whole vectors. Every sum runs in one fixed order, image by image. */
#include <stddef.h>
#include <string.h>

#include "autograd/kernels/simd/tile.h"
#include "autograd/kernels/simd/transpose.h"

/* Two to four rows, such as the colours of an image, to columns of as many that follow each other, or back: too few for blocks.
 * `lines` and `back` are compile-time constants at every call. */
INLINE void few_lines(int lines, bool back, int64_t n, const ag_real *x, ag_real *y, int64_t ld)
{
    for (int64_t j = 0; j < n; j++)
        UNROLL for (int i = 0; i < lines; i++)
            y[back ? i * ld + j : j * lines + i] = x[back ? j * lines + i : i * ld + j];
}

static void few_transposed(int64_t lines, bool back, int64_t n, const ag_real *x, ag_real *y, int64_t ld)
{
    switch (2 * lines + back) {
    case 4: few_lines(2, false, n, x, y, ld); break;
    case 5: few_lines(2, true, n, x, y, ld); break;
    case 6: few_lines(3, false, n, x, y, ld); break;
    case 7: few_lines(3, true, n, x, y, ld); break;
    case 8: few_lines(4, false, n, x, y, ld); break;
    default: few_lines(4, true, n, x, y, ld); break;
    }
}

void AGK(transpose)(int64_t rows, int64_t columns, const ag_real *x, int64_t ldx, bool add, ag_real *y, int64_t ldy)
{
    if (rows == 1 && ldy == 1) /* a row or a column is as it lies */
        AGK(copy_rows)(1, columns, x, columns, add, y, columns);
    else if (columns == 1 && ldx == 1)
        AGK(copy_rows)(1, rows, x, rows, add, y, rows);
    else if (!add && rows > 1 && rows <= 4 && ldy == rows)
        few_transposed(rows, false, columns, x, y, ldx);
    else if (!add && columns > 1 && columns <= 4 && ldx == columns)
        few_transposed(columns, true, rows, x, y, ldy);
    else if (add)
        transpose(rows, columns, x, ldx, true, y, ldy);
    else
        transpose(rows, columns, x, ldx, false, y, ldy);
}

/* ---- Forward, and the gradient of the input. ---- */

/* Adds the products of `depth` steps to the sums, whose vectors lie `next` apart in b. `rows` and `vectors`, here and below, are compile-time
 * constants at every call. */
INLINE void add_depth(int rows, int vectors, int64_t depth, int64_t a_step, int64_t b_step, const ag_real *a, const ag_real *b, int64_t next,
                      vec sum[MR][NV])
{
    for (int64_t k = 0; k < depth; k++, a += a_step, b += b_step) {
        vec column[NV];
        UNROLL for (int j = 0; j < vectors; j++)
            column[j] = vec_load(b + j * next);
        UNROLL for (int i = 0; i < rows; i++) {
            vec x = vec_once(vec_splat(a[i]));
            UNROLL for (int j = 0; j < vectors; j++)
                sum[i][j] = vec_fma(x, column[j], sum[i][j]);
        }
    }
}

INLINE void begin_sums(int rows, int vectors, const ag_real *init, vec sum[MR][NV])
{
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < vectors; j++)
            sum[i][j] = vec_splat(init ? init[i] : 0);
}

INLINE void end_sums(int rows, int vectors, vec sum[MR][NV], ag_real *y, int64_t ldy, int64_t next)
{
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < vectors; j++)
            vec_store(y + i * ldy + j * next, sum[i][j]);
}

/* Blocks whose images a tile holds: where a vector has all images of one, each of its vectors is of another. */
#define TILE_BLOCKS      (NR > AGK_LANES ? NV : 1)
#define BETWEEN(block)   (TILE_BLOCKS > 1 ? (block) : VL) /* from one vector of a tile to the next */

INLINE void pixel_tile(int rows, int vectors, const agk_taps *taps, int64_t depth, const ag_real *weight, const ag_real *source,
                       int64_t source_block, const ag_real *init, ag_real *y, int64_t y_block)
{
    vec sum[MR][NV];
    begin_sums(rows, vectors, init, sum);
    const agk_taps t = *taps;
    for (int64_t v = 0; v < t.rows; v++)
        for (int64_t h = 0; h < t.columns; h++)
            add_depth(rows, vectors, depth, AGK_CONV_ROWS, AGK_LANES, weight + t.weight + v * t.weight_row + h * t.weight_column,
                      source + t.source + v * t.source_row + h * t.source_column, BETWEEN(source_block), sum);
    end_sums(rows, vectors, sum, y, AGK_LANES, BETWEEN(y_block));
}

typedef void pixel_fn(const agk_taps *taps, int64_t depth, const ag_real *weight, const ag_real *source, int64_t source_block,
                      const ag_real *init, ag_real *y, int64_t y_block);

#define PIXEL(rows, vectors)                                                                                         \
    static void pixel_##rows##_##vectors(const agk_taps *taps, int64_t depth, const ag_real *weight,                 \
                                         const ag_real *source, int64_t source_block, const ag_real *init,           \
                                         ag_real *y, int64_t y_block)                                                \
    {                                                                                                                \
        pixel_tile(rows, vectors, taps, depth, weight, source, source_block, init, y, y_block);                      \
    }
#define PIXELS(rows)      PIXEL(rows, 1) PIXEL(rows, 2)
#define PIXEL_NAMES(rows) {pixel_##rows##_1, pixel_##rows##_2},
EACH_HEIGHT(PIXELS)

static pixel_fn *const pixel_tiles[MR][NV] = {EACH_HEIGHT(PIXEL_NAMES)};

void AGK(conv_pixel)(int64_t rows, int64_t blocks, const agk_taps *taps, int64_t depth, const ag_real *weight, const ag_real *source,
                     int64_t source_block, const ag_real *init, ag_real *y, int64_t y_block)
{
    const int width = NR / TILE_BLOCKS;
    for (int64_t b = 0, some; b < blocks; b += some) {
        some = blocks - b < TILE_BLOCKS ? 1 : TILE_BLOCKS;
        const int vectors = some < TILE_BLOCKS ? 1 : NV;
        for (int64_t l = 0; l < AGK_LANES; l += width)
            for (int64_t r = 0; r < rows; r += MR) {
                const int64_t height = rows - r < MR ? rows - r : MR;
                pixel_tiles[height - 1][vectors - 1](taps, depth, weight + r, source + b * source_block + l, source_block,
                                                     init ? init + r : NULL, y + b * y_block + r * AGK_LANES + l, y_block);
            }
    }
}

INLINE void line_tile(int rows, int vectors, const agk_line *t, const ag_real *weight, const ag_real *source, const ag_real *init,
                      ag_real *y, int64_t ldy)
{
    vec sum[MR][NV];
    begin_sums(rows, vectors, init, sum);
    for (int64_t i = 0; i < t->taps; i++)
        add_depth(rows, vectors, t->depth, AGK_CONV_ROWS, t->step, weight + t->weight[i], source + t->source[i], VL, sum);
    end_sums(rows, vectors, sum, y, ldy, VL);
}

typedef void line_fn(const agk_line *t, const ag_real *weight, const ag_real *source, const ag_real *init, ag_real *y, int64_t ldy);

#define LINE_OF(rows, vectors)                                                                                       \
    static void line_##rows##_##vectors(const agk_line *t, const ag_real *weight, const ag_real *source,             \
                                        const ag_real *init, ag_real *y, int64_t ldy)                                \
    {                                                                                                                \
        line_tile(rows, vectors, t, weight, source, init, y, ldy);                                                   \
    }
#define LINES(rows)      LINE_OF(rows, 1) LINE_OF(rows, 2)
#define LINE_NAMES(rows) {line_##rows##_1, line_##rows##_2},
EACH_HEIGHT(LINES)

static line_fn *const line_tiles[MR][NV] = {EACH_HEIGHT(LINE_NAMES)};

void AGK(conv_line)(int64_t rows, int64_t n, const agk_line *t, const ag_real *weight, const ag_real *source, const ag_real *init,
                    ag_real *y, int64_t ldy)
{
    for (int64_t l = 0, width; l < n; l += width) {
        width = n - l > VL ? NR : VL;
        for (int64_t r = 0; r < rows; r += MR) {
            const int64_t height = rows - r < MR ? rows - r : MR;
            line_tiles[height - 1][width / VL - 1](t, weight + r, source + l, init ? init + r : NULL, y + r * ldy + l, ldy);
        }
    }
}

/* ---- The gradient of the weight. ---- */

/* Channels of a pixel's images to images of channels, in blocks of vectors. Channels beyond `channels` count as zero. `all` is a
 * compile-time constant at every call. */
INLINE void panel_pixel(bool all, int64_t channels, const ag_real *const *from, int64_t at, ag_real *to)
{
    for (int r = 0; r < AGK_LANES; r += VL)
        for (int l = 0; l < AGK_LANES; l += VL) {
            vec row[VL];
            UNROLL for (int i = 0; i < VL; i++)
                row[i] = all || r + i < channels ? vec_load(from[r + i] + at + l) : (vec){0};
            transpose_blocks(VL, row);
            UNROLL for (int i = 0; i < VL; i++)
                vec_store(to + (l + i) * AGK_LANES + r, row[i]);
        }
}

void AGK(conv_panel)(int64_t pixels, int64_t channels, int64_t images, const ag_real *const *from, int64_t pixel, ag_real *to)
{
    _Alignas(VECTOR_BYTES) ag_real side[AGK_LANES * AGK_LANES];
    for (int64_t i = 0; i < pixels; i++, to += images * AGK_LANES) {
        ag_real *all = images == AGK_LANES ? to : side;
        if (channels == AGK_LANES)
            panel_pixel(true, channels, from, i * pixel, all);
        else
            panel_pixel(false, channels, from, i * pixel, all);
        if (images < AGK_LANES)
            memcpy(to, side, (size_t)(images * AGK_LANES) * sizeof *to);
    }
}

/* Rows by columns of pairs of channels: a has LANES rows to a step, b as many columns. */
INLINE void product_tile(int rows, int vectors, const agk_window *w, const ag_real *a, const ag_real *b, int64_t b_panel, ag_real *sums)
{
    const int64_t next = BETWEEN(AGK_LANES * AGK_LANES);
    vec           sum[MR][NV];
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < vectors; j++)
            sum[i][j] = vec_load(sums + i * AGK_LANES + j * next);
    for (int64_t i = 0; i < w->height; i++)
        for (int64_t j = 0; j < w->width; j++)
            add_depth(rows, vectors, w->depth, w->a_step, w->b_step, a + i * w->a_row + j * w->a_column,
                      b + i * w->b_row + j * w->b_column, BETWEEN(b_panel), sum);
    end_sums(rows, vectors, sum, sums, AGK_LANES, next);
}

typedef void product_fn(const agk_window *w, const ag_real *a, const ag_real *b, int64_t b_panel, ag_real *sums);

#define PRODUCT(rows, vectors)                                                                                       \
    static void product_##rows##_##vectors(const agk_window *w, const ag_real *a, const ag_real *b, int64_t b_panel, \
                                           ag_real *sums)                                                            \
    {                                                                                                                \
        product_tile(rows, vectors, w, a, b, b_panel, sums);                                                         \
    }
#define PRODUCTS(rows)      PRODUCT(rows, 1) PRODUCT(rows, 2)
#define PRODUCT_NAMES(rows) {product_##rows##_1, product_##rows##_2},
EACH_HEIGHT(PRODUCTS)

static product_fn *const product_tiles[MR][NV] = {EACH_HEIGHT(PRODUCT_NAMES)};

void AGK(conv_products)(int64_t rows, int64_t panels, const agk_window *w, const ag_real *a, const ag_real *b, int64_t b_panel,
                        ag_real *sums)
{
    const int     width = NR / TILE_BLOCKS;
    const int64_t tiles = (rows + MR - 1) / MR; /* of about the same height */
    for (int64_t p = 0, some; p < panels; p += some) {
        some = panels - p < TILE_BLOCKS ? 1 : TILE_BLOCKS;
        const int vectors = some < TILE_BLOCKS ? 1 : NV;
        for (int64_t l = 0; l < AGK_LANES; l += width)
            for (int64_t t = 0, r = 0, height; t < tiles; t++, r += height) {
                height = (rows - r + tiles - t - 1) / (tiles - t);
                product_tiles[height - 1][vectors - 1](w, a + r, b + p * b_panel + l, b_panel,
                                                       sums + p * AGK_LANES * AGK_LANES + r * AGK_LANES + l);
            }
    }
}

void AGK(conv_totals)(int64_t n, const ag_real *sums, ag_real *totals)
{
    ag_real lane[AGK_LANES][AGK_TOTALS];
    for (int64_t i = 0; i < n; i += AGK_TOTALS) {
        transpose(AGK_TOTALS, AGK_LANES, sums + i * AGK_LANES, AGK_LANES, false, lane[0],
                  AGK_TOTALS);
        for (int half = AGK_LANES / 2; half > 0; half /= 2)
            for (int l = 0; l < half; l++)
                for (int k = 0; k < AGK_TOTALS; k++)
                    lane[l][k] += lane[l + half][k];
        memcpy(totals + i, lane[0], sizeof lane[0]);
    }
}

/* `vectors` vectors of a row at once: as many sums as hide the latency of an addition. */
INLINE void row_vectors(int vectors, int64_t taps, const ag_real *weight, const ag_real *const *from, int64_t at, ag_real init, ag_real *y)
{
    vec sum[4];
    UNROLL for (int i = 0; i < vectors; i++)
        sum[i] = vec_splat(init);
    for (int64_t t = 0; t < taps; t++) {
        const vec w = vec_splat(weight[t]);
        UNROLL for (int i = 0; i < vectors; i++)
            sum[i] = vec_fma(w, vec_load(from[t] + at + i * VL), sum[i]);
    }
    UNROLL for (int i = 0; i < vectors; i++)
        vec_store(y + i * VL, sum[i]);
}

void AGK(conv_row)(int64_t n, int64_t taps, const ag_real *weight, const ag_real *const *from, int64_t shift, ag_real init, ag_real *y)
{
    int64_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL)
        row_vectors(4, taps, weight, from, shift + i, init, y + i);
    for (; i < n; i += VL)
        row_vectors(1, taps, weight, from, shift + i, init, y + i);
}

/* `some` taps at once: as many sums as hide the latency of an addition. */
INLINE void row_products(int some, int64_t n, const ag_real *g, const ag_real *const *from, int64_t shift, ag_real *sums)
{
    enum { PARTS = AGK_LANES / VL };
    vec sum[4][PARTS];
    UNROLL for (int t = 0; t < some; t++)
        UNROLL for (int l = 0; l < PARTS; l++)
            sum[t][l] = vec_load(sums + t * AGK_LANES + l * VL);
    for (int64_t i = 0; i < n; i += AGK_LANES)
        UNROLL for (int l = 0; l < PARTS; l++) {
            const vec y = vec_load(g + i + l * VL);
            UNROLL for (int t = 0; t < some; t++)
                sum[t][l] = vec_fma(y, vec_load(from[t] + shift + i + l * VL), sum[t][l]);
        }
    UNROLL for (int t = 0; t < some; t++)
        UNROLL for (int l = 0; l < PARTS; l++)
            vec_store(sums + t * AGK_LANES + l * VL, sum[t][l]);
}

void AGK(conv_row_products)(int64_t n, int64_t taps, const ag_real *g, const ag_real *const *from, int64_t shift, ag_real *sums)
{
    int64_t t = 0;
    for (; t + 4 <= taps; t += 4)
        row_products(4, n, g, from + t, shift, sums + t * AGK_LANES);
    for (; t < taps; t++)
        row_products(1, n, g, from + t, shift, sums + t * AGK_LANES);
}
