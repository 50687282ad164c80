/* The matrix product, split among the threads over the larger side of its output. */
#include <stddef.h>

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/pool.h"
#include "autograd/kernels/workspace.h"

enum {
    THREAD_WORK = 400000, /* multiply-adds that are worth a thread */
    READING = 4           /* as many take as long as reading one number of the larger matrix */
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

void agk_gemm(int64_t m, int64_t n, int64_t k, agk_matrix a, agk_matrix b, const ag_real *init, int64_t ldinit,
              ag_real *c, int64_t ldc)
{
    product p = {m, n, k, a, b, init, ldinit, c, ldc};
    int64_t least_columns = THREAD_WORK / ((m + READING) * k) + 1, least_rows = THREAD_WORK / ((n + READING) * k) + 1;
    if (n >= m)
        agk_parallel(n, least_columns > 64 ? least_columns : 64, some_columns, &p);
    else
        agk_parallel(m, least_rows > 24 ? least_rows : 24, some_rows, &p);
}
