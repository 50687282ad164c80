#include "autograd/kernels/copy.h"

#include "autograd/kernels/pool.h"

enum { FEW_ROWS = 16 };

typedef struct copy {
    int64_t        rows, n, ldx, ldy;
    const ag_real *x;
    ag_real       *y;
    bool           add;
} copy;

static void copy_some_rows(void *context, int64_t begin, int64_t end)
{
    const copy *c = context;
    agk()->copy_rows(end - begin, c->n, c->x + begin * c->ldx, c->ldx, c->add, c->y + begin * c->ldy, c->ldy);
}

static void copy_some_columns(void *context, int64_t begin, int64_t end)
{
    const copy *c = context;
    agk()->copy_rows(c->rows, end - begin, c->x + begin, c->ldx, c->add, c->y + begin, c->ldy);
}

void agk_copy_rows(int64_t rows, int64_t n, const ag_real *x, int64_t ldx, bool add, ag_real *y, int64_t ldy)
{
    copy c = {rows, n, ldx, ldy, x, y, add};
    if (rows < 1 || n < 1)
        return;
    if (rows < FEW_ROWS)
        agk_parallel(n, AGK_THREAD_COPIES / rows + 1, copy_some_columns, &c);
    else
        agk_parallel(rows, AGK_THREAD_COPIES / n + 1, copy_some_rows, &c);
}
