/* Matrix products of each instruction set: every transposition, edges, biases, and sums that go on. */
#include <math.h>
#include <stdlib.h>

#include "autograd/kernels/workspace.h"
#include "tests/kernels/tables.h"

static void reference_product(int64_t m, int64_t n, int64_t k, agk_matrix x, agk_matrix w, const ag_real *init,
                              int64_t ldinit, double *c)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = init ? (double)init[i * ldinit + j] : 0;
            for (int64_t p = 0; p < k; p++)
                sum += (double)x.data[i * x.row + p * x.col] * (double)w.data[p * w.row + j * w.col];
            c[i * n + j] = sum;
        }
}

static void check_product(const agk_table *t, int64_t m, int64_t n, int64_t k, int kind, bool workspace)
{
    int64_t  ldc = n + kind % 3;
    ag_real *x = malloc((size_t)(m * k) * sizeof *x), *w = malloc((size_t)(k * n) * sizeof *w);
    ag_real *c = malloc((size_t)(m * ldc) * sizeof *c), *p = malloc((size_t)(m * ldc) * sizeof *p);
    ag_real *bias = malloc((size_t)n * sizeof *bias);
    double  *wanted = malloc((size_t)(m * n) * sizeof *wanted);
    cr_assert(x && w && c && p && bias && wanted);
    fill(x, m * k, 1), fill(w, k * n, 2), fill(c, m * ldc, 3), fill(bias, n, 4);
    memcpy(p, c, (size_t)(m * ldc) * sizeof *c);
    agk_matrix     mx = kind & 1 ? (agk_matrix){x, 1, m} : (agk_matrix){x, k, 1};
    agk_matrix     mw = kind & 2 ? (agk_matrix){w, 1, k} : (agk_matrix){w, n, 1};
    const ag_real *init = kind < 4 ? NULL : kind < 8 ? bias : c, *plain_init = init == c ? p : init;
    int64_t        ldinit = init == c ? ldc : 0;
    reference_product(m, n, k, mx, mw, init, ldinit, wanted);
    t->gemm(m, n, k, mx, mw, init, ldinit, c, ldc, workspace ? agk_workspace() : NULL);
    for (int64_t i = 0; i < m; i++)
        check_close(t->name, n, c + i * ldc, wanted + i * n, TOLERANCE * sqrt((double)k));
    agk_find("portable")->gemm(m, n, k, mx, mw, plain_init, ldinit, p, ldc, NULL);
    cr_assert(same_bits(c, p, m * ldc), "%s: product %lld %lld %lld differs", t->name, (long long)m, (long long)n,
              (long long)k);
    free(x), free(w), free(c), free(p), free(bias), free(wanted);
}

static void check_products(const agk_table *t)
{
    static const int64_t sizes[][3] = {
        {1, 1, 1},     {1, 17, 5},   {12, 32, 8},    {13, 33, 9},    {11, 31, 7},   {24, 64, 300},  {25, 16, 3},
        {37, 47, 2},   {5, 100, 33}, {100, 5, 260},  {6, 16, 600},   {7, 48, 1},    {4, 60, 700},   {50, 40, 1100},
        {20, 70, 700}, {1, 8, 40},   {1, 16, 24},    {2, 17, 61},    {2, 31, 300},  {1, 33, 1000},  {33, 2, 61},
        {17, 1, 300},  {3, 9, 40},   {4, 13, 300},   {8, 12, 77},    {3, 33, 50},   {8, 40, 33},    {6, 20, 65},
        {30, 4, 45},   {9, 8, 16},   {20, 300, 100}, {1100, 270, 5}, {1, 3, 1000},  {2, 2, 300},    {5, 7, 300},
        {7, 5, 300},   {3, 3, 3},    {131, 3, 3},    {4, 4, 4},      {2, 3, 4},     {4, 1, 4},      {3, 4, 50},
        {3, 37, 145},  {6, 20, 150}, {8, 48, 160},   {2, 40, 100},   {9, 520, 512}, {12, 517, 531}, {520, 11, 512},
        {5, 40, 16},   {1000, 4, 2}, {4, 2, 1000},   {4, 2, 9},      {9, 1, 1},     {1, 1, 9},      {1, 1, 90}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int kind = 0; kind < 24; kind++)
            check_product(t, sizes[s][0], sizes[s][1], sizes[s][2], kind / 2, kind % 2);
    check_product(t, 5, 9, 14000, 2, true); /* more steps than fit the workspace, with vectors of 16 numbers, */
    check_product(t, 4, 9, 27000, 2, true); /* and of 8 */
}

Test(kernels, products)
{
    for_tables(check_products);
}

/* A batch is its products, each by itself; with a step of 0 they add up. */
static void check_batches(const agk_table *t)
{
    enum { COUNT = 5, TOTAL = COUNT * 20 * 24 };
    static const int64_t sizes[][3] = {{1, 1, 1}, {3, 3, 1}, {4, 4, 4}, {3, 3, 3}, {2, 5, 40}, {20, 24, 9}};
    static ag_real       a[TOTAL], b[TOTAL], one[TOTAL], all[TOTAL];
    fill(a, TOTAL, 1), fill(b, TOTAL, 2);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int kind = 0; kind < 3; kind++) {
            const int64_t    m = sizes[s][0], n = sizes[s][1], k = sizes[s][2], step = kind == 2 ? 0 : m * n;
            const agk_matrix x = {a, 1, m}, y = {b, n, 1};
            fill(one, TOTAL, 3), fill(all, TOTAL, 3);
            t->gemm_batch(COUNT, m, n, k, x, m * k, y, k * n, kind > 0, all, step, agk_workspace());
            for (int64_t i = 0; i < COUNT; i++)
                t->gemm(m, n, k, (agk_matrix){a + i * m * k, 1, m}, (agk_matrix){b + i * k * n, n, 1},
                        kind > 0 ? one + i * step : NULL, n, one + i * step, n, agk_workspace());
            cr_assert(same_bits(one, all, TOTAL), "%s: batch of %lld x %lld x %lld", t->name, (long long)m,
                      (long long)n, (long long)k);
        }
}

Test(kernels, batches_of_products)
{
    for_tables(check_batches);
}

/* So large that each is split among the threads. */
Test(kernels, batch_of_large_products)
{
    enum { M = 290, N = 310, K = 9, COUNT = 2 };
    static ag_real a[COUNT * M * K], b[COUNT * K * N], one[COUNT * M * N], all[COUNT * M * N];
    fill(a, COUNT * M * K, 1), fill(b, COUNT * K * N, 2), fill(one, COUNT * M * N, 3), fill(all, COUNT * M * N, 3);
    ag_set_threads(3);
    agk_gemm_batch(COUNT, M, N, K, (agk_matrix){a, K, 1}, M * K, (agk_matrix){b, N, 1}, K * N, true, all, M * N);
    ag_set_threads(1);
    for (int i = 0; i < COUNT; i++)
        agk()->gemm(M, N, K, (agk_matrix){a + i * M * K, K, 1}, (agk_matrix){b + i * K * N, N, 1}, one + i * M * N, N,
                    one + i * M * N, N, agk_workspace());
    cr_assert(same_bits(one, all, COUNT * M * N));
}

/* Threads cut the output, never a sum. */
Test(kernels, threads_do_not_change_a_product)
{
    enum { M = 130, N = 150, K = 70 };
    static ag_real x[M * K], w[K * N], one[M * N], several[M * N];
    fill(x, M * K, 1), fill(w, K * N, 2);
    for (int kind = 0; kind < 4; kind++) {
        agk_matrix mx = kind & 1 ? (agk_matrix){x, 1, M} : (agk_matrix){x, K, 1};
        agk_matrix mw = kind & 2 ? (agk_matrix){w, 1, K} : (agk_matrix){w, N, 1};
        ag_set_threads(1);
        agk_gemm(M, N, K, mx, mw, NULL, 0, one, N);
        for (int threads = 2; threads < 6; threads++) {
            ag_set_threads(threads);
            agk_gemm(M, N, K, mx, mw, NULL, 0, several, N);
            cr_assert(same_bits(one, several, M * N), "%d threads", threads);
        }
    }
    ag_set_threads(1);
}
