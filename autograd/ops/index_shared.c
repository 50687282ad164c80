#include <string.h>

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/ops/index_internal.h"

enum { LEAST_COLUMNS = 32 }; /* of a row that are added at a time */

bool ag__places_valid(ag_node *node, const ag_tensor *places, const char *what, int64_t size)
{
    for (int64_t i = 0, n = ag_numel(&places->shape); i < n; i++) {
        const ag_real k = places->data[i];
        if (!(k >= 0 && k < (ag_real)size && k == (ag_real)(int64_t)k))
            return ag_op_fail(node, "%s %lld is %g, expected a whole number from 0 to %lld", what, (long long)i,
                              (double)k, (long long)size - 1);
    }
    return true;
}

bool ag__places_save(ag_node *node, const ag_tensor *places)
{
    const int64_t n = ag_numel(&places->shape);
    ag_real      *saved = ag_op_save(node, n);
    if (saved)
        memcpy(saved, places->data, (size_t)n * sizeof *saved);
    return saved != NULL;
}

typedef struct rows_job {
    int64_t        n, width;
    const ag_real *places, *from;
    ag_real       *to;
} rows_job;

/* Items are places. */
static void copy_rows(void *context, int64_t begin, int64_t end)
{
    const rows_job *j = context;
    for (int64_t i = begin; i < end; i++)
        memcpy(j->to + i * j->width, j->from + (int64_t)j->places[i] * j->width, (size_t)j->width * sizeof *j->to);
}

/* Items are columns: rows may be asked for more than once. */
static void add_columns(void *context, int64_t begin, int64_t end)
{
    const rows_job *j = context;
    for (int64_t i = 0; i < j->n; i++)
        agk()->add(end - begin, j->from + i * j->width + begin, j->to + (int64_t)j->places[i] * j->width + begin);
}

void ag__rows_copy(int64_t n, int64_t width, const ag_real *places, const ag_real *from, ag_real *to)
{
    rows_job j = {n, width, places, from, to};
    agk_parallel(n, AGK_THREAD_COPIES / width + 1, copy_rows, &j);
}

void ag__rows_add(int64_t n, int64_t width, const ag_real *places, const ag_real *from, ag_real *to)
{
    rows_job      j = {n, width, places, from, to};
    const int64_t grain = AGK_THREAD_COPIES / n + 1;
    agk_parallel(width, grain > LEAST_COLUMNS ? grain : LEAST_COLUMNS, add_columns, &j);
}

bool ag__axis_of(const ag_shape *x, int axis, ag__axis *out)
{
    const int at = ag_axis_index(x, axis);
    if (at < 0)
        return false;
    *out = (ag__axis){at, 1, x->dim[at], 1};
    for (int d = 0; d < x->rank; d++)
        if (d != at)
            *(d < at ? &out->outer : &out->inner) *= x->dim[d];
    return true;
}
