/* Pooling kernels: small planes side by side, large ones by strips, odd ones window by window, against a plain walk,
 * and instruction sets against each other bit for bit. */
#include <math.h>
#include <string.h>

#include "autograd/kernels/kernels.h"
#include "tests/test.h"

enum { PLANES = 16, MOST_IN = 3 * 4200, MOST_OUT = 3 * 4200 };

static ag_real x[PLANES * MOST_IN], g[PLANES * MOST_OUT];

static const agk_pool poolings[] = {
    /* in, out, kernel, stride, padding, dilation */
    {{4, 5}, {3, 4}, {2, 2}, {1, 1}, {0, 0}, {1, 1}}, /* small */
    {{3, 4}, {3, 3}, {2, 2}, {1, 2}, {0, 1}, {1, 3}}, /* windows that begin or lie in the border */
    {{10, 10}, {5, 5}, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
    {{16, 16}, {8, 8}, {2, 2}, {2, 2}, {0, 0}, {1, 1}},   /* the largest small one in float, */
    {{12, 12}, {12, 12}, {3, 3}, {1, 1}, {1, 1}, {1, 1}}, /* and with most windows */
    {{8, 16}, {4, 8}, {2, 2}, {2, 2}, {0, 0}, {1, 1}},    /* the same in double */
    {{8, 9}, {8, 9}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {{13, 15}, {13, 15}, {3, 3}, {1, 1}, {1, 1}, {1, 1}}, /* strips */
    {{17, 17}, {8, 8}, {2, 2}, {2, 2}, {0, 0}, {1, 1}},
    {{28, 28}, {14, 14}, {2, 2}, {2, 2}, {0, 0}, {1, 1}}, /* blocks */
    {{30, 30}, {10, 10}, {3, 3}, {3, 3}, {0, 0}, {1, 1}},
    {{33, 35}, {17, 18}, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
    {{20, 31}, {20, 31}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {{20, 31}, {6, 9}, {3, 2}, {3, 3}, {1, 1}, {2, 4}},
    {{20, 31}, {17, 28}, {4, 4}, {1, 1}, {0, 0}, {1, 1}}, /* wide windows: more than three taps in a line */
    {{33, 35}, {15, 16}, {5, 5}, {2, 2}, {0, 0}, {1, 1}},
    {{30, 32}, {9, 9}, {4, 7}, {3, 3}, {0, 0}, {1, 1}},
    {{20, 31}, {20, 31}, {5, 5}, {1, 1}, {2, 2}, {1, 1}},
    {{3, 4200}, {3, 4200}, {1, 3}, {1, 1}, {0, 1}, {1, 1}}, /* many strips */
    {{3, 4200}, {1, 2100}, {3, 2}, {3, 2}, {0, 0}, {1, 1}}, /* blocks wider than a line */
    {{3, 4200}, {1, 2}, {3, 1900}, {1, 2100}, {0, 0}, {1, 1}},
};

/* The pixels that output o covers; returns how many. */
static int64_t taps_of(const agk_pool *p, int64_t o, int64_t *pixel)
{
    int64_t n = 0;
    for (int64_t i = 0; i < p->kernel[0]; i++)
        for (int64_t k = 0; k < p->kernel[1]; k++) {
            const int64_t r = o / p->out[1] * p->stride[0] - p->padding[0] + i * p->dilation[0];
            const int64_t c = o % p->out[1] * p->stride[1] - p->padding[1] + k * p->dilation[1];
            if (r >= 0 && r < p->in[0] && c >= 0 && c < p->in[1])
                pixel[n++] = r * p->in[1] + c;
        }
    return n;
}

static void inputs(const agk_pool *p)
{
    const int64_t in = p->in[0] * p->in[1];
    ag_rng_uniform(&(ag_rng){1, 0}, PLANES * in, -1, 1, x);
    ag_rng_uniform(&(ag_rng){2, 0}, PLANES * p->out[0] * p->out[1], -1, 1, g);
    x[3] = (ag_real)NAN;
    for (int64_t i = 0; i < in; i++) {
        x[in + i] = 0.5; /* equals: the first */
        x[2 * in + i] = -(ag_real)INFINITY;
    }
}

static void check_max(const agk_table *t, const agk_pool *p, int64_t planes)
{
    static ag_real y[PLANES * MOST_OUT], dx[2][PLANES * MOST_IN];
    static int32_t place[16 * MOST_OUT];
    static double  wanted[PLANES * MOST_IN];
    static int64_t pixel[6000];
    const int64_t  in = p->in[0] * p->in[1], out = p->out[0] * p->out[1];
    memset(wanted, 0, sizeof wanted);
    t->max_planes(planes, p, x, y, place);
    for (int64_t i = 0; i < planes * out; i++) {
        const ag_real *plane = x + i / out * in;
        const int64_t  n = taps_of(p, i % out, pixel);
        int64_t        at = n > 0 ? pixel[0] : -1;
        ag_real        most = -(ag_real)INFINITY;
        for (int64_t k = 0; k < n; k++)
            if (plane[pixel[k]] > most || isnan(plane[pixel[k]]))
                most = plane[at = pixel[k]];
        cr_assert(y[i] == most || (isnan(y[i]) && isnan(most)), "%s: (%d, %d) by (%d, %d): output %d is %g, not %g",
                  t->name, (int)p->in[0], (int)p->in[1], (int)p->kernel[0], (int)p->kernel[1], (int)i, (double)y[i],
                  (double)most);
        if (at >= 0)
            wanted[i / out * in + at] += (double)g[i];
    }
    for (int64_t i = 0; i < planes * in; i++)
        dx[1][i] = 1;
    t->max_planes_backward(planes, p, place, g, false, dx[0]);
    t->max_planes_backward(planes, p, place, g, true, dx[1]);
    for (int64_t i = 0; i < planes * in; i++)
        cr_assert(fabs((double)dx[0][i] - wanted[i]) < 1e-5 && fabs((double)dx[1][i] - 1 - wanted[i]) < 1e-5,
                  "%s: (%d, %d) by (%d, %d): gradient %d is %g, not %g", t->name, (int)p->in[0], (int)p->in[1],
                  (int)p->kernel[0], (int)p->kernel[1], (int)i, (double)dx[0][i], wanted[i]);
}

static void check_mean(const agk_table *t, const agk_pool *p, int64_t planes)
{
    static ag_real y[2][PLANES * MOST_OUT], dx[2][PLANES * MOST_IN], rows[4200], columns[4200];
    static double  wanted[PLANES * MOST_IN];
    static int64_t pixel[6000];
    const int64_t  in = p->in[0] * p->in[1], out = p->out[0] * p->out[1];
    for (int i = 0; i < 4200; i++) {
        rows[i] = (ag_real)p->kernel[0];
        columns[i] = (ag_real)p->kernel[1];
    }
    x[3] = 1;
    for (int64_t i = 0; i < in; i++)
        x[2 * in + i] = -1;
    memset(wanted, 0, sizeof wanted);
    t->mean_planes(planes, p, rows, columns, x, y[0]);
    agk_find("portable")->mean_planes(planes, p, rows, columns, x, y[1]);
    cr_assert(!memcmp(y[0], y[1], (size_t)(planes * out) * sizeof *y[0]), "%s: means differ", t->name);
    for (int64_t i = 0; i < planes * out; i++) {
        const int64_t n = taps_of(p, i % out, pixel), count = p->kernel[0] * p->kernel[1];
        double        sum = 0;
        for (int64_t k = 0; k < n; k++) {
            sum += (double)x[i / out * in + pixel[k]];
            wanted[i / out * in + pixel[k]] += (double)g[i] / (double)count;
        }
        cr_assert(fabs((double)y[0][i] - sum / (double)count) < 1e-5);
    }
    for (int64_t i = 0; i < planes * in; i++)
        dx[1][i] = 1;
    t->mean_planes_backward(planes, p, rows, columns, g, false, dx[0]);
    t->mean_planes_backward(planes, p, rows, columns, g, true, dx[1]);
    for (int64_t i = 0; i < planes * in; i++)
        cr_assert(fabs((double)dx[0][i] - wanted[i]) < 1e-5 && fabs((double)dx[1][i] - 1 - wanted[i]) < 1e-5,
                  "%s: (%d, %d) by (%d, %d): gradient %d is %g, not %g", t->name, (int)p->in[0], (int)p->in[1],
                  (int)p->kernel[0], (int)p->kernel[1], (int)i, (double)dx[0][i], wanted[i]);
}

Test(pooling, every_path_on_every_table)
{
    for (size_t k = 0; k < sizeof poolings / sizeof *poolings; k++)
        for (int i = 0; agk_name(i); i++) {
            const agk_table *t = agk_find(agk_name(i));
            if (!t)
                continue;
            for (int64_t planes = 7; planes <= PLANES;
                 planes += PLANES - 7) { /* some, and as many as go side by side */
                inputs(&poolings[k]);
                check_max(t, &poolings[k], planes);
                if (poolings[k].dilation[0] == 1 && poolings[k].dilation[1] == 1)
                    check_mean(t, &poolings[k], planes);
            }
        }
}

Test(pooling, repeats_pixels)
{
    enum { ROWS = 40, WIDE = 60 };
    static ag_real y[ROWS * WIDE * 15], dx[2][ROWS * WIDE];
    ag_rng_uniform(&(ag_rng){1, 0}, ROWS * WIDE, -1, 1, x);
    for (int64_t across = 1; across <= 5; across++)
        for (int i = 0; agk_name(i); i++) {
            const agk_table *t = agk_find(agk_name(i));
            if (!t)
                continue;
            t->repeat(ROWS, WIDE, 3, across, x, y);
            for (int64_t k = 0; k < ROWS * WIDE * 3 * across; k++)
                cr_assert(y[k] == x[k / (WIDE * across) / 3 * WIDE + k % (WIDE * across) / across]);
            memset(dx, 0, sizeof dx);
            t->repeat_backward(ROWS, WIDE, 3, across, y, dx[0]);
            agk_find("portable")->repeat_backward(ROWS, WIDE, 3, across, y, dx[1]);
            cr_assert(!memcmp(dx[0], dx[1], sizeof dx[0]), "%s", t->name);
            for (int64_t k = 0; k < ROWS * WIDE; k++)
                cr_assert(fabs((double)dx[0][k] - (double)(3 * across) * (double)x[k]) < 1e-5);
        }
}

/* Windows of an axis of n that is cut into `out`: the i-th begins at i n / out, rounded down, and ends at (i + 1) n /
 * out, rounded up. */
static bool has(int64_t n, int64_t out, int64_t i, int64_t at)
{
    return at >= i * n / out && at < ((i + 1) * n + out - 1) / out;
}

static void check_uneven(const agk_table *t, const agk_pool *p)
{
    enum { MOST = 4500 };
    static ag_real y[2][2 * MOST], dx[2 * MOST], rows[MOST], columns[MOST];
    const int64_t  in = p->in[0] * p->in[1], out = p->out[0] * p->out[1];
    for (int64_t i = 0; i < p->out[0]; i++)
        rows[i] = (ag_real)(((i + 1) * p->in[0] + p->out[0] - 1) / p->out[0] - i * p->in[0] / p->out[0]);
    for (int64_t i = 0; i < p->out[1]; i++)
        columns[i] = (ag_real)(((i + 1) * p->in[1] + p->out[1] - 1) / p->out[1] - i * p->in[1] / p->out[1]);
    ag_rng_uniform(&(ag_rng){1, 0}, 2 * in, -1, 1, x);
    ag_rng_uniform(&(ag_rng){2, 0}, 2 * out, -1, 1, g);
    t->mean_planes(2, p, rows, columns, x, y[0]);
    agk_find("portable")->mean_planes(2, p, rows, columns, x, y[1]);
    cr_assert(!memcmp(y[0], y[1], (size_t)(2 * out) * sizeof *y[0]), "%s: uneven means differ", t->name);
    for (int64_t i = 0; i < 2 * in; i++)
        dx[i] = 1;
    t->mean_planes_backward(2, p, rows, columns, g, true, dx);
    for (int64_t o = 0; o < 2 * out; o++) {
        const int64_t oy = o % out / p->out[1], ox = o % p->out[1];
        double        sum = 0;
        for (int64_t i = 0; i < in; i++)
            if (has(p->in[0], p->out[0], oy, i / p->in[1]) && has(p->in[1], p->out[1], ox, i % p->in[1]))
                sum += (double)x[o / out * in + i];
        cr_assert(fabs((double)y[0][o] - sum / (double)(rows[oy] * columns[ox])) < 1e-5, "%s: mean %d", t->name,
                  (int)o);
    }
    for (int64_t i = 0; i < 2 * in; i++) {
        double wanted = 1;
        for (int64_t o = 0; o < out; o++)
            if (has(p->in[0], p->out[0], o / p->out[1], i % in / p->in[1]) &&
                has(p->in[1], p->out[1], o % p->out[1], i % p->in[1]))
                wanted += (double)g[i / in * out + o] / (double)(rows[o / p->out[1]] * columns[o % p->out[1]]);
        cr_assert(fabs((double)dx[i] - wanted) < 1e-5, "%s: gradient %d", t->name, (int)i);
    }
}

Test(pooling, uneven_windows)
{
    static const int64_t sizes[][4] = {{13, 13, 6, 6}, {3, 1500, 2, 7}, {15, 40, 4, 1},
                                       {7, 9, 2, 4},   {12, 70, 5, 2},  {30, 31, 1, 1}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const agk_pool p = {
            .in = {sizes[k][0], sizes[k][1]}, .out = {sizes[k][2], sizes[k][3]}, .stride = {1, 1}, .dilation = {1, 1}};
        for (int i = 0; agk_name(i); i++)
            if (agk_find(agk_name(i)))
                check_uneven(agk_find(agk_name(i)), &p);
    }
}
