/* Max pooling of interleaved planes. */
#include <math.h>
#include <string.h>

#include "autograd/kernels/simd/isa.h"

enum { SIDE = AGK_LANES };

void AGK(max_pixel)(int64_t lanes, const agk_pool_window *w, const ag_real *x, ag_real *y, int32_t *place)
{
    for (int64_t lane = 0; lane < lanes; lane += SIDE) {
        ag_real largest[SIDE];
        int32_t at[SIDE];
        for (int l = 0; l < SIDE; l++) {
            largest[l] = -(ag_real)INFINITY;
            at[l] = -1;
        }
        for (int64_t i = w->top; i < w->bottom; i += w->row_step)
            for (int64_t k = w->left; k < w->right; k += w->column_step) {
                const int32_t  here = (int32_t)(i * w->row + k);
                const ag_real *value = x + here * lanes + lane;
                for (int l = 0; l < SIDE; l++) {
                    bool larger = (value[l] > largest[l]) | (value[l] != value[l]) | (at[l] < 0);
                    largest[l] = larger ? value[l] : largest[l];
                    at[l] = larger ? here : at[l];
                }
            }
        memcpy(y + lane, largest, sizeof largest);
        memcpy(place + lane, at, sizeof at);
    }
}

void AGK(max_pixel_backward)(int64_t lanes, const agk_pool_window *w, const int32_t *place, const ag_real *g, ag_real *dx)
{
    for (int64_t i = w->top; i < w->bottom; i += w->row_step)
        for (int64_t k = w->left; k < w->right; k += w->column_step) {
            const int32_t here = (int32_t)(i * w->row + k);
            ag_real      *d = dx + here * lanes;
            for (int64_t l = 0; l < lanes; l++)
                d[l] += place[l] == here ? g[l] : 0;
        }
}
