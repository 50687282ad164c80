/* The weights of a convolution, in the order in which its tiles read them. */
#include <string.h>

#include "autograd/kernels/simd/lanes.h"

enum { PITCH = (AGK_CONV_ROWS + VL - 1) / VL * VL };

/* n numbers of each of `rows` rows to columns of AGK_CONV_ROWS, PITCH reals apart, whose rest is zero. */
INLINE void to_columns(int64_t rows, int64_t n, const ag_real *w, int64_t row_step, ag_real *column)
{
    for (int64_t r = 0; r < PITCH; r += VL) {
        vec row[VL];
        UNROLL for (int i = 0; i < VL; i++)
            row[i] = r + i >= rows ? (vec){0}
                   : n < VL        ? vec_load_part(n, w + (r + i) * row_step, 0)
                                   : vec_load(w + (r + i) * row_step);
        transpose_blocks(VL, row);
        UNROLL for (int i = 0; i < VL; i++)
            vec_store(column + i * PITCH + r, row[i]);
    }
}

/* Lines of n numbers, in which the taps of one channel follow those of another. */
INLINE void order_lines(int64_t rows, int64_t n, int64_t taps, const ag_real *w, int64_t row_step, ag_real *to, int64_t tap_step)
{
    _Alignas(VECTOR_BYTES) ag_real column[VL * PITCH];
    for (int64_t e = 0, tap = 0; e < n; e += VL) {
        const int64_t some = least(VL, n - e);
        to_columns(rows, some, w + e, row_step, column);
        for (int64_t i = 0; i < some; i++) {
            memcpy(to + tap * tap_step, column + i * PITCH, AGK_CONV_ROWS * sizeof *to);
            if (++tap == taps) {
                tap = 0;
                to += AGK_CONV_ROWS;
            }
        }
    }
}

void AGK(conv_order)(int64_t rows, int64_t depth, int64_t taps, const ag_real *w, int64_t row_step, int64_t depth_step, ag_real *to)
{
    if (depth_step == taps) {
        order_lines(rows, depth * taps, taps, w, row_step, to, depth * AGK_CONV_ROWS);
        return;
    }
    for (int64_t k = 0; k < depth; k++, w += depth_step, to += AGK_CONV_ROWS)
        if (taps == 1)
            for (int64_t r = 0; r < AGK_CONV_ROWS; r++)
                to[r] = r < rows ? w[r * row_step] : 0;
        else
            order_lines(rows, taps, taps, w, row_step, to, depth * AGK_CONV_ROWS);
}
