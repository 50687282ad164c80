/* Max pooling of interleaved planes. */
#include <math.h>

#include "autograd/kernels/simd/isa.h"

/* At `here` of each plane: its value, where that is larger than the largest so far, or the first. */
INLINE void take_larger(int64_t lanes, int32_t here, const ag_real *restrict value, ag_real *restrict y, int32_t *restrict place)
{
    for (int64_t l = 0; l < lanes; l++) {
        bool larger = (value[l] > y[l]) | (value[l] != value[l]) | (place[l] < 0);
        y[l] = larger ? value[l] : y[l];
        place[l] = larger ? here : place[l];
    }
}

void AGK(max_pixel)(int64_t lanes, const agk_pool_window *w, const ag_real *x, ag_real *y, int32_t *place)
{
    for (int64_t l = 0; l < lanes; l++) {
        y[l] = -(ag_real)INFINITY;
        place[l] = -1;
    }
    for (int64_t i = w->top; i < w->bottom; i += w->row_step)
        for (int64_t k = w->left; k < w->right; k += w->column_step)
            take_larger(lanes, (int32_t)(i * w->row + k), x + (i * w->row + k) * lanes, y, place);
}

INLINE void row_of_step(int64_t n, int64_t step, int32_t here, const ag_real *restrict x, ag_real *restrict y, int32_t *restrict place)
{
    for (int64_t i = 0; i < n; i++) {
        const ag_real value = x[i * step];
        const bool larger = (value > y[i]) | (value != value) | (place[i] < 0);
        y[i] = larger ? value : y[i];
        place[i] = larger ? here + (int32_t)(i * step) : place[i];
    }
}

void AGK(max_row)(int64_t n, int64_t step, int32_t here, const ag_real *x, ag_real *y, int32_t *place)
{
    if (step == 1)
        row_of_step(n, 1, here, x, y, place);
    else if (step == 2)
        row_of_step(n, 2, here, x, y, place);
    else
        row_of_step(n, step, here, x, y, place);
}

INLINE void give_back(int64_t lanes, int32_t here, const int32_t *restrict place, const ag_real *restrict g, ag_real *restrict dx)
{
    for (int64_t l = 0; l < lanes; l++)
        dx[l] += place[l] == here ? g[l] : 0;
}

void AGK(max_pixel_backward)(int64_t lanes, const agk_pool_window *w, const int32_t *place, const ag_real *g, ag_real *dx)
{
    for (int64_t i = w->top; i < w->bottom; i += w->row_step)
        for (int64_t k = w->left; k < w->right; k += w->column_step)
            give_back(lanes, (int32_t)(i * w->row + k), place, g, dx + (i * w->row + k) * lanes);
}
