/* softmax, log_softmax, logsumexp along one axis: of rows, where it is the last, else of columns. */
#include <string.h>

#include "autograd/kernels/copy.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/index_internal.h"

static bool find_axis(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    ag__axis       *a = node->attr;
    return ag__axis_of(x, a->axis, a) || ag_op_fail(node, "%s has no axis %d", AG_STR(x), a->axis);
}

static bool same_shape(ag_node *node)
{
    node->out->shape = node->in[0]->shape;
    return find_axis(node);
}

enum { FAR = 1024, SHORT = 64, EACH = 16 * SHORT };

/* Columns that are taken at a time: 64 or more, all blocks about the same; and 256 where rows lie far apart, as the
 * lines of one column then share few places of a cache. */
static int64_t block_of(const ag__axis *a)
{
    const int64_t blocks = a->inner < 128 ? 1 : a->inner / 64;
    return a->inner >= FAR ? 256 : (a->inner + 16 * blocks - 1) / (16 * blocks) * 16;
}

/* A block of columns: where it begins, and how many there are. */
static int64_t columns_of(const ag__axis *a, int64_t item, int64_t *begin)
{
    const int64_t size = block_of(a), blocks = (a->inner + size - 1) / size, from = item % blocks * size;
    *begin = item / blocks * a->size * a->inner + from;
    return a->inner - from < size ? a->inner - from : size;
}

/* Runs `rows` over the rows, or `columns` over blocks of columns. */
static void run(const ag__axis *a, agk_body *rows, agk_body *columns, void *context)
{
    const int64_t size = block_of(a);
    if (a->inner == 1)
        agk_parallel(a->outer, 2048 / a->size + 1, rows, context);
    else
        agk_parallel(a->outer * ((a->inner + size - 1) / size), 2048 / (a->size * size) + 1, columns, context);
}

typedef struct gradient {
    const ag_node *node;
    ag_grad_target dx;
} gradient;

/* `rows` by `n` reals of the gradient, in rows `ld` apart, ready to be added to. */
static ag_real *gradient_at(const gradient *j, int64_t at, int64_t rows, int64_t n, int64_t ld)
{
    if (!j->dx.add)
        agk_zero_rows(rows, n, j->dx.data + at, ld);
    return j->dx.data + at;
}

/* Backward of some rows, and of some blocks of columns, by a kernel that takes y, its gradient and dx. */
static void backward_rows(const gradient *j, int64_t begin, int64_t end,
                          void (*kernel)(int64_t, int64_t, const ag_real *, const ag_real *, ag_real *))
{
    const ag_tensor *y = j->node->out;
    const int64_t    n = ((const ag__axis *)j->node->attr)->size, most = AGK_ZEROED / n / 16 * 16 + 16;
    for (int64_t i = begin, rows; i < end; i += rows) {
        rows = end - i < most ? end - i : most;
        kernel(rows, n, y->data + i * n, y->grad + i * n, gradient_at(j, i * n, 1, rows * n, 0));
    }
}

static void backward_columns(const gradient *j, int64_t begin, int64_t end,
                             void (*kernel)(int64_t, int64_t, int64_t, const ag_real *, const ag_real *, ag_real *))
{
    const ag_tensor *y = j->node->out;
    const ag__axis  *a = j->node->attr;
    for (int64_t i = begin, at; i < end; i++) {
        const int64_t width = columns_of(a, i, &at);
        kernel(a->size, width, a->inner, y->data + at, y->grad + at, gradient_at(j, at, a->size, width, a->inner));
    }
}

static void run_backward(const ag_node *node, agk_body *rows, agk_body *columns)
{
    gradient j = {node, ag_grad_open(node->in[0])};
    if (j.dx.data)
        run(node->attr, rows, columns, &j);
}

/* ---- softmax. ---- */

static void softmax_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    const int64_t  n = ((const ag__axis *)node->attr)->size;
    agk()->softmax(end - begin, n, node->in[0]->data + begin * n, node->out->data + begin * n);
}

static void softmax_columns(void *context, int64_t begin, int64_t end)
{
    const ag_node  *node = context;
    const ag__axis *a = node->attr;
    for (int64_t i = begin, at; i < end; i++) {
        const int64_t width = columns_of(a, i, &at);
        agk()->softmax_columns(a->size, width, a->inner, node->in[0]->data + at, node->out->data + at);
    }
}

static void softmax_forward(ag_node *node)
{
    run(node->attr, softmax_rows, softmax_columns, node);
}

static void softmax_rows_backward(void *context, int64_t begin, int64_t end)
{
    backward_rows(context, begin, end, agk()->softmax_backward);
}

static void softmax_columns_backward(void *context, int64_t begin, int64_t end)
{
    backward_columns(context, begin, end, agk()->softmax_columns_backward);
}

static void softmax_backward(const ag_node *node)
{
    run_backward(node, softmax_rows_backward, softmax_columns_backward);
}

static const ag_op softmax_op = {"softmax", same_shape, softmax_forward, softmax_backward};

/* ---- log_softmax. ---- */

static void log_softmax_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    const int64_t  n = ((const ag__axis *)node->attr)->size;
    agk()->log_softmax(end - begin, n, node->in[0]->data + begin * n, node->out->data + begin * n);
}

static void log_softmax_columns(void *context, int64_t begin, int64_t end)
{
    const ag_node  *node = context;
    const ag__axis *a = node->attr;
    for (int64_t i = begin, at; i < end; i++) {
        const int64_t width = columns_of(a, i, &at);
        agk()->log_softmax_columns(a->size, width, a->inner, node->in[0]->data + at, node->out->data + at);
    }
}

static void log_softmax_forward(ag_node *node)
{
    run(node->attr, log_softmax_rows, log_softmax_columns, node);
}

static void log_softmax_rows_backward(void *context, int64_t begin, int64_t end)
{
    backward_rows(context, begin, end, agk()->log_softmax_backward);
}

static void log_softmax_columns_backward(void *context, int64_t begin, int64_t end)
{
    backward_columns(context, begin, end, agk()->log_softmax_columns_backward);
}

static void log_softmax_backward(const ag_node *node)
{
    run_backward(node, log_softmax_rows_backward, log_softmax_columns_backward);
}

static const ag_op log_softmax_op = {"log_softmax", same_shape, log_softmax_forward, log_softmax_backward};

/* ---- logsumexp. Saved: the input less the result, whose exponential is the derivative. ---- */

static bool logsumexp_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    const ag__axis *a = node->attr;
    if (!find_axis(node))
        return false;
    for (int i = 0; i < x->rank; i++)
        if (i != a->axis)
            node->out->shape.dim[node->out->shape.rank++] = x->dim[i];
    return ag_op_save(node, ag_numel(x)) != NULL;
}

static void logsumexp_rows(void *context, int64_t begin, int64_t end)
{
    const ag_node *node = context;
    const int64_t  n = ((const ag__axis *)node->attr)->size;
    const ag_real *x = node->in[0]->data;
    ag_real       *y = node->out->data, *log_p = node->saved;
    agk()->logsumexp(end - begin, n, x + begin * n, y + begin);
    memcpy(log_p + begin * n, x + begin * n, (size_t)((end - begin) * n) * sizeof *x);
    agk()->spread(end - begin, n, -1, (agk_operand){y + begin, 0, 1}, true, log_p + begin * n);
}

static void logsumexp_columns(void *context, int64_t begin, int64_t end)
{
    const ag_node  *node = context;
    const ag__axis *a = node->attr;
    for (int64_t i = begin, at; i < end; i++) {
        const int64_t width = columns_of(a, i, &at), outer = at / (a->size * a->inner);
        agk()->logsumexp_columns(a->size, width, a->inner, node->in[0]->data + at,
                                 node->out->data + outer * a->inner + at % a->inner);
        const ag_real *x = node->in[0]->data + at, *y = node->out->data + outer * a->inner + at % a->inner;
        agk()->binary(AGK_BINARY_sub, a->size, width, (agk_operand){x, 1, a->inner}, (agk_operand){y, 1, 0},
                      (ag_real *)node->saved + at, a->inner);
    }
}

static void logsumexp_forward(ag_node *node)
{
    run(node->attr, logsumexp_rows, logsumexp_columns, node);
}

static void logsumexp_rows_backward(void *context, int64_t begin, int64_t end)
{
    const gradient *j = context;
    const ag_real  *log_p = j->node->saved;
    const int64_t   n = ((const ag__axis *)j->node->attr)->size;
    ag_real         each[EACH]; /* of short rows, the gradient of each element's row */
    for (int64_t r = begin, rows; r < end; r += rows) {
        const ag_real *g = j->node->out->grad + r;
        rows = n > SHORT ? 1 : end - r < EACH / n ? end - r : EACH / n;
        ag_real *dx = gradient_at(j, r * n, 1, rows * n, 0);
        if (n <= SHORT) {
            agk()->spread(rows, n, 1, (agk_operand){g, 0, 1}, false, each);
            agk()->add_exp_product(rows * n, each, log_p + r * n, dx);
        } else {
            agk()->add_exp_scaled(n, *g, log_p + r * n, dx);
        }
    }
}

static void logsumexp_columns_backward(void *context, int64_t begin, int64_t end)
{
    const gradient *j = context;
    const ag_real  *log_p = j->node->saved;
    const ag__axis *a = j->node->attr;
    for (int64_t i = begin, at; i < end; i++) {
        const int64_t  width = columns_of(a, i, &at), outer = at / (a->size * a->inner);
        const ag_real *g = j->node->out->grad + outer * a->inner + at % a->inner;
        for (int64_t k = 0; k < a->size; k++, at += a->inner)
            agk()->add_exp_product(width, g, log_p + at, gradient_at(j, at, 1, width, 0));
    }
}

static void logsumexp_backward(const ag_node *node)
{
    run_backward(node, logsumexp_rows_backward, logsumexp_columns_backward);
}

static const ag_op logsumexp_op = {"logsumexp", logsumexp_shape, logsumexp_forward, logsumexp_backward};

/* ---- Entries. ---- */

ag_tensor *ag_softmax(ag_tensor *x, int axis)
{
    return ag_apply(&softmax_op, 1, &x, &(ag__axis){.axis = axis}, sizeof(ag__axis));
}

ag_tensor *ag_log_softmax(ag_tensor *x, int axis)
{
    return ag_apply(&log_softmax_op, 1, &x, &(ag__axis){.axis = axis}, sizeof(ag__axis));
}

ag_tensor *ag_logsumexp(ag_tensor *x, int axis)
{
    return ag_apply(&logsumexp_op, 1, &x, &(ag__axis){.axis = axis}, sizeof(ag__axis));
}
