#include "autograd/kernels/chunks.h"

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"

enum {
    CHUNK = 4096,
    THREAD_SUM = 16384, /* elements whose sum is worth a thread */
    LEAST_COLUMNS = 64  /* of a thread: whole cache lines of a row */
};

typedef struct summing {
    agk_partial *partial;
    const void  *context;
    int64_t      n;
    ag_real     *scratch;
} summing;

static void some_chunks(void *context, int64_t begin, int64_t end)
{
    const summing *s = context;
    for (int64_t c = begin; c < end; c++) {
        int64_t last = (c + 1) * CHUNK;
        s->scratch[c] = s->partial(s->context, c * CHUNK, last < s->n ? last : s->n);
    }
}

int64_t agk_chunks(int64_t n)
{
    return (n + CHUNK - 1) / CHUNK;
}

ag_real agk_sum_chunks(int64_t n, agk_partial *partial, const void *context, ag_real *scratch)
{
    summing s = {partial, context, n, scratch};
    agk_parallel(agk_chunks(n), 2, some_chunks, &s);
    double total = 0;
    for (int64_t c = 0; c < agk_chunks(n); c++)
        total += (double)scratch[c];
    return (ag_real)total;
}

typedef struct columns {
    int64_t        rows, n;
    const ag_real *x;
    ag_real       *y;
} columns;

static void some_columns(void *context, int64_t begin, int64_t end)
{
    const columns *c = context;
    agk()->sum_columns(c->rows, end - begin, c->x + begin, c->n, c->y + begin);
}

void agk_sum_columns(int64_t rows, int64_t n, const ag_real *x, ag_real *y)
{
    const int64_t grain = THREAD_SUM / rows + 1;
    agk_parallel(n, grain > LEAST_COLUMNS ? grain : LEAST_COLUMNS, some_columns, &(columns){rows, n, x, y});
}
