/* The matrix product, split among the threads over the larger side of its output. */
#include <stddef.h>

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/kernels/workspace.h"

enum {
    THREAD_WORK = 400000, /* multiply-adds that are worth a thread */
    READING = 4,          /* as many take as long as reading one number of the larger matrix */
    LEAST_COLUMNS = 64,   /* of C that are worth a thread, */
    LEAST_ROWS = 24       /* or rows */
};

typedef struct product {
    int64_t        m, n, k;
    agk_matrix     a, b;
    const ag_real *init;
    int64_t        ldinit;
    ag_real       *c;
    int64_t        ldc;
} product;

static void some_columns(void *context, int64_t begin, int64_t end)
{
    const product *p = context;
    agk_matrix     b = {p->b.data + begin * p->b.col, p->b.row, p->b.col};
    agk()->gemm(p->m, end - begin, p->k, p->a, b, p->init ? p->init + begin : NULL, p->ldinit, p->c + begin, p->ldc,
                agk_workspace());
}

static void some_rows(void *context, int64_t begin, int64_t end)
{
    const product *p = context;
    agk_matrix     a = {p->a.data + begin * p->a.row, p->a.row, p->a.col};
    agk()->gemm(end - begin, p->n, p->k, a, p->b, p->init ? p->init + begin * p->ldinit : NULL, p->ldinit,
                p->c + begin * p->ldc, p->ldc, agk_workspace());
}

static bool is_small(int64_t m, int64_t n, int64_t k)
{
    return (m + READING) * (n + READING) * k < 2 * THREAD_WORK;
}

void agk_gemm(int64_t m, int64_t n, int64_t k, agk_matrix a, agk_matrix b, const ag_real *init, int64_t ldinit,
              ag_real *c, int64_t ldc)
{
    product p = {m, n, k, a, b, init, ldinit, c, ldc};
    if (is_small(m, n, k)) {
        some_columns(&p, 0, n);
        return;
    }
    int64_t columns = THREAD_WORK / ((m + READING) * k) + 1, rows = THREAD_WORK / ((n + READING) * k) + 1;
    columns = columns > LEAST_COLUMNS ? columns : LEAST_COLUMNS;
    rows = rows > LEAST_ROWS ? rows : LEAST_ROWS;
    if (n >= m && (n >= 2 * columns || m < 2 * rows))
        agk_parallel(n, columns, some_columns, &p);
    else
        agk_parallel(m, rows, some_rows, &p);
}

void agk_gemm_batch(int64_t count, int64_t m, int64_t n, int64_t k, agk_matrix a, int64_t a_step, agk_matrix b,
                    int64_t b_step, bool add, ag_real *c, int64_t c_step)
{
    if (is_small(m, n, k))
        agk()->gemm_batch(count, m, n, k, a, a_step, b, b_step, add, c, c_step, agk_workspace());
    else
        for (; count > 0; count--, a.data += a_step, b.data += b_step, c += c_step)
            agk_gemm(m, n, k, a, b, add ? c : NULL, n, c, n);
}
