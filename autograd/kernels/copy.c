#include "autograd/kernels/copy.h"

#include <string.h>

#include "autograd/kernels/threadpool.h"

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

static void zero_some_rows(void *context, int64_t begin, int64_t end)
{
    const copy *c = context;
    for (int64_t r = begin; r < end; r++)
        memset(c->y + r * c->ldy, 0, (size_t)c->n * sizeof *c->y);
}

static void zero_some_columns(void *context, int64_t begin, int64_t end)
{
    const copy *c = context;
    for (int64_t r = 0; r < c->rows; r++)
        memset(c->y + r * c->ldy + begin, 0, (size_t)(end - begin) * sizeof *c->y);
}

/* Shares a copy out. */
static void share(copy *c, agk_body *some_rows, agk_body *some_columns)
{
    if (c->rows < 1 || c->n < 1)
        return;
    if (c->rows < FEW_ROWS)
        agk_parallel(c->n, AGK_THREAD_COPIES / c->rows + 1, some_columns, c);
    else
        agk_parallel(c->rows, AGK_THREAD_COPIES / c->n + 1, some_rows, c);
}

void agk_copy_rows(int64_t rows, int64_t n, const ag_real *x, int64_t ldx, bool add, ag_real *y, int64_t ldy)
{
    copy c = {rows, n, ldx, ldy, x, y, add};
    share(&c, copy_some_rows, copy_some_columns);
}

void agk_zero_rows(int64_t rows, int64_t n, ag_real *y, int64_t ldy)
{
    copy c = {rows, n, 0, ldy, NULL, y, false};
    share(&c, zero_some_rows, zero_some_columns);
}
