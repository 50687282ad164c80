/* The loops of the elementwise ops. elementwise.def gives the formulas, the loops stand here once; each op's function
 * hands its formula to a loop, into which the compiler inlines it. */
#include "autograd/kernels/simd/lanes.h"
#include "autograd/kernels/simd/narrow.h"

enum { FEW = 8 /* elements of a sum that are not worth LANES partial ones */ };

typedef struct operands {
    const ag_real *a, *b, *y, *g;
    ag_real        p, q;
} operands;

/* A formula: the result, or a derivative, at one element. */
typedef ag_real formula(ag_real a, ag_real b, ag_real y, ag_real g, ag_real p, ag_real q);

/* out[i] = f(...), or += with `add`. The strides are 0 or 1. What f does not use has stride 0 and is some other array: with a
 * test for NULL gcc leaves some of these loops unvectorised. */
INLINE void map(formula *f, int64_t n, operands o, int sa, int sb, int sy, int sg, bool add, ag_real *out)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        ag_real v = f(o.a[i * sa], o.b[i * sb], o.y[i * sy], o.g[i * sg], o.p, o.q);
        out[i] = add ? out[i] + v : v;
    }
}

/* The sum of f over few elements: each is a partial sum of its own. */
INLINE ag_real map_sum_few(formula *f, int64_t n, operands o, int sa, int sb, int sy, int sg)
{
    ag_real lane[FEW] = {0};
    for (int64_t l = 0; l < n; l++)
        lane[l] += f(o.a[l * sa], o.b[l * sb], o.y[l * sy], o.g[l * sg], o.p, o.q);
    for (int half = FEW / 2; half > 0; half /= 2)
        for (int64_t l = 0; l < half && l + half < n; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

/* The sum of f over all elements, in LANES partial sums. */
INLINE ag_real map_sum(formula *f, int64_t n, operands o, int sa, int sb, int sy, int sg)
{
    if (n <= FEW)
        return map_sum_few(f, n, o, sa, sb, sy, sg);
    ag_real lane[LANES];
    int64_t i = 0;
    lanes_zero(lane);
    for (; i + LANES <= n; i += LANES)
        for (int64_t l = i; l < i + LANES; l++)
            lane[l - i] += f(o.a[l * sa], o.b[l * sb], o.y[l * sy], o.g[l * sg], o.p, o.q);
    for (int64_t l = i; l < n; l++)
        lane[l - i] += f(o.a[l * sa], o.b[l * sb], o.y[l * sy], o.g[l * sg], o.p, o.q);
    return lanes_total(lane);
}

/* ---- Formulas, one function each, from the table. ---- */

#define FORMULA(name, expression)                                                                     \
    INLINE ag_real name(ag_real a, ag_real b, ag_real y, ag_real g, ag_real p, ag_real q)             \
    {                                                                                                 \
        (void)a, (void)b, (void)y, (void)g, (void)p, (void)q;                                         \
        return expression;                                                                            \
    }
#define FORMULA_X(name, expression)                                                                   \
    INLINE ag_real name(ag_real x, ag_real b, ag_real y, ag_real g, ag_real p, ag_real q)             \
    {                                                                                                 \
        (void)x, (void)b, (void)y, (void)g, (void)p, (void)q;                                         \
        return expression;                                                                            \
    }
#define UNARY(name, domain, y, dx) FORMULA_X(name##_y, y) FORMULA_X(name##_dx, dx)
#define BINARY(name, domain, y, da, db) FORMULA(name##_y, y) FORMULA(name##_da, da) FORMULA(name##_db, db)
#define LOSS(name, domain, y, da, db)                                                                 \
    BINARY(name, domain, y, da, db)                                                                   \
    FORMULA(name##_da_weighted, name##_da(a, b, y, g * p, 0, 0))                                      \
    FORMULA(name##_db_weighted, name##_db(a, b, y, g * p, 0, 0))
#include "autograd/kernels/elementwise.def"

/* ---- Unary ops. ---- */

typedef void unary_fn(int64_t n, operands o, ag_real *y);
typedef void unary_backward_fn(int64_t n, operands o, bool add, ag_real *dx);

INLINE void unary_loop_backward(formula *f, int64_t n, operands o, bool add, ag_real *dx)
{
    if (add)
        map(f, n, o, 1, 0, 1, 1, true, dx);
    else
        map(f, n, o, 1, 0, 1, 1, false, dx);
}

#define UNARY(name, domain, y, dx)                                                                    \
    static void name##_unary(int64_t n, operands o, ag_real *out)                                     \
    {                                                                                                 \
        map(name##_y, n, o, 1, 0, 0, 0, false, out);                                                  \
    }                                                                                                 \
    static void name##_unary_backward(int64_t n, operands o, bool add, ag_real *out)                  \
    {                                                                                                 \
        unary_loop_backward(name##_dx, n, o, add, out);                                               \
    }
#include "autograd/kernels/elementwise.def"

void AGK(unary)(int op, int64_t n, const ag_real *x, const ag_real *pq, ag_real *y)
{
#define UNARY(name, domain, y, dx) name##_unary,
    static unary_fn *const functions[] = {
#include "autograd/kernels/elementwise.def"
    };
    functions[op](n, (operands){x, x, x, x, pq[0], pq[1]}, y);
}

void AGK(unary_backward)(int op, int64_t n, const ag_real *x, const ag_real *y, const ag_real *g, const ag_real *pq,
                         bool add, ag_real *dx)
{
#define UNARY(name, domain, y, dx) name##_unary_backward,
    static unary_backward_fn *const functions[] = {
#include "autograd/kernels/elementwise.def"
    };
    functions[op](n, (operands){x, x, y, g, pq[0], pq[1]}, add, dx);
}

/* ---- Binary ops, on rows of n elements: each operand is an array or one value for all of a row. The rows of results begin ldy apart. ---- */

typedef struct row_set {
    int64_t count, n, a, b, y; /* how many, of how many elements, and from one to the next */
} row_set;

typedef void binary_fn(row_set r, operands o, int sa, int sb, ag_real *y);
typedef void binary_backward_fn(row_set r, operands o, int sa, int sb, bool add, ag_real *d);

INLINE void binary_loop(formula *f, row_set r, operands o, int sa, int sb, ag_real *y)
{
    for (int64_t i = 0; i < r.count; i++, o.a += r.a, o.b += r.b, y += r.y)
        if (sa && sb)
            map(f, r.n, o, 1, 1, 0, 0, false, y);
        else if (sa)
            map(f, r.n, o, 1, 0, 0, 0, false, y);
        else
            map(f, r.n, o, 0, sb, 0, 0, false, y);
}

INLINE operands later_rows(const row_set *r, int64_t rows, operands o)
{
    o.a += rows * r->a;
    o.b += rows * r->b;
    o.y += rows * r->y;
    o.g += rows * r->y;
    return o;
}

/* `own` and `down` are the strides of the operand whose gradient this is, along a row and from row to row. */
INLINE void binary_loop_backward(formula *f, row_set r, operands o, int sa, int sb, int own, int64_t down, bool add, ag_real *d)
{
    for (int64_t i = 0; i < r.count; i++, o = later_rows(&r, 1, o), d += down)
        if (!own)
            d[0] += map_sum(f, r.n, o, sa, sb, 1, 1);
        else if (!sa || !sb)
            map(f, r.n, o, sa, sb, 1, 1, add, d);
        else if (add)
            map(f, r.n, o, 1, 1, 1, 1, true, d);
        else
            map(f, r.n, o, 1, 1, 1, 1, false, d);
}

/* Narrow rows, one operand the same in all of them, as long rows; what is left over is a shorter one. */
typedef struct long_rows {
    row_set  rows, rest;
    operands of_rows, of_rest;
    int64_t  done; /* elements in the long rows */
    ag_real  same[LONG];
} long_rows;

static bool lengthen(row_set r, operands o, int sa, int sb, long_rows *l)
{
    const bool same_a = r.a == 0 && r.b == r.n, same_b = r.b == 0 && r.a == r.n;
    if (r.n > NARROW || r.count == 1 || r.y != r.n || !sa || !sb || !(same_a || same_b))
        return false;
    const int64_t   k = rows_abreast(r.count, r.n), rest = r.count % k;
    const ag_real **same = same_a ? &o.a : &o.b;
    repeat_row(k, r.n, *same, l->same);
    *same = l->same;
    l->rows = (row_set){r.count / k, k * r.n, k * r.a, k * r.b, k * r.y};
    l->rest = (row_set){1, rest * r.n, 0, 0, 0};
    l->of_rows = o;
    l->of_rest = later_rows(&r, r.count - rest, o);
    l->done = (r.count - rest) * r.n;
    return true;
}

#define BINARY(name, domain, y, da, db)                                                               \
    static void name##_binary(row_set r, operands o, int sa, int sb, ag_real *out)                    \
    {                                                                                                 \
        binary_loop(name##_y, r, o, sa, sb, out);                                                     \
    }                                                                                                 \
    static void name##_binary_a(row_set r, operands o, int sa, int sb, bool add, ag_real *d)          \
    {                                                                                                 \
        binary_loop_backward(name##_da, r, o, sa, sb, sa, r.a, add, d);                               \
    }                                                                                                 \
    static void name##_binary_b(row_set r, operands o, int sa, int sb, bool add, ag_real *d)          \
    {                                                                                                 \
        binary_loop_backward(name##_db, r, o, sa, sb, sb, r.b, add, d);                               \
    }
#include "autograd/kernels/elementwise.def"

void AGK(binary)(int op, int64_t count, int64_t n, agk_operand a, agk_operand b, ag_real *y, int64_t ldy)
{
#define BINARY(name, domain, y, da, db) name##_binary,
    static binary_fn *const functions[] = {
#include "autograd/kernels/elementwise.def"
    };
    const row_set  r = {count, n, a.row, b.row, ldy};
    const operands o = {.a = a.data, .b = b.data, .y = a.data, .g = a.data};
    long_rows      l;
    if (lengthen(r, o, a.step, b.step, &l)) {
        functions[op](l.rows, l.of_rows, 1, 1, y);
        functions[op](l.rest, l.of_rest, 1, 1, y + l.done);
    } else {
        functions[op](r, o, a.step, b.step, y);
    }
}

/* The gradient of the operand that is the same in all rows: one of the long rows, added up in the end. */
static void lengthened_sum(binary_backward_fn *f, int64_t n, const long_rows *l, ag_real *d)
{
    ag_real sum[LONG] = {0};
    f(l->rows, l->of_rows, 1, 1, true, sum);
    f(l->rest, l->of_rest, 1, 1, true, sum);
    add_repeats(l->rows.n / n, n, sum, d);
}

/* `own` is the stride from row to row of the operand whose gradient this is. */
static void binary_backward(binary_backward_fn *f, row_set r, operands o, int sa, int sb, int64_t own, bool add, ag_real *d)
{
    long_rows l;
    if (!lengthen(r, o, sa, sb, &l)) {
        f(r, o, sa, sb, add, d);
    } else if (own) {
        f(l.rows, l.of_rows, 1, 1, add, d);
        f(l.rest, l.of_rest, 1, 1, add, d + l.done);
    } else {
        lengthened_sum(f, r.n, &l, d);
    }
}

void AGK(binary_backward_a)(int op, int64_t count, int64_t n, agk_operand a, agk_operand b, const ag_real *y, const ag_real *g,
                            int64_t ldy, bool add, ag_real *da)
{
#define BINARY(name, domain, y, da, db) name##_binary_a,
    static binary_backward_fn *const functions[] = {
#include "autograd/kernels/elementwise.def"
    };
    const operands o = {.a = a.data, .b = b.data, .y = y, .g = g};
    binary_backward(functions[op], (row_set){count, n, a.row, b.row, ldy}, o, a.step, b.step, a.row, add, da);
}

void AGK(binary_backward_b)(int op, int64_t count, int64_t n, agk_operand a, agk_operand b, const ag_real *y, const ag_real *g,
                            int64_t ldy, bool add, ag_real *db)
{
#define BINARY(name, domain, y, da, db) name##_binary_b,
    static binary_backward_fn *const functions[] = {
#include "autograd/kernels/elementwise.def"
    };
    const operands o = {.a = a.data, .b = b.data, .y = y, .g = g};
    binary_backward(functions[op], (row_set){count, n, a.row, b.row, ldy}, o, a.step, b.step, b.row, add, db);
}

/* ---- Losses: two operands of one shape; the weight multiplies the incoming gradient. ---- */

typedef void    loss_fn(int64_t n, operands o, ag_real *y);
typedef ag_real loss_sum_fn(int64_t n, operands o);
typedef void    loss_backward_fn(int64_t n, operands o, int sg, bool add, ag_real *d);

/* One gradient for all elements (sg 0: mean and sum) is weighted before the loop, as it could be among the results; else each. */
INLINE void loss_loop_backward(formula *f, int64_t n, operands o, int sg, bool add, ag_real *d)
{
    const ag_real weighted = o.g[0] * o.p;
    if (!sg) {
        o.g = &weighted;
        o.p = 1;
    }
    if (sg && add)
        map(f, n, o, 1, 1, 0, 1, true, d);
    else if (sg)
        map(f, n, o, 1, 1, 0, 1, false, d);
    else if (add)
        map(f, n, o, 1, 1, 0, 0, true, d);
    else
        map(f, n, o, 1, 1, 0, 0, false, d);
}

#define LOSS(name, domain, y, da, db)                                                                 \
    static void name##_loss(int64_t n, operands o, ag_real *out)                                      \
    {                                                                                                 \
        map(name##_y, n, o, 1, 1, 0, 0, false, out);                                                  \
    }                                                                                                 \
    static ag_real name##_loss_sum(int64_t n, operands o)                                             \
    {                                                                                                 \
        return map_sum(name##_y, n, o, 1, 1, 0, 0);                                                   \
    }                                                                                                 \
    static void name##_loss_a(int64_t n, operands o, int sg, bool add, ag_real *d)                    \
    {                                                                                                 \
        loss_loop_backward(name##_da_weighted, n, o, sg, add, d);                                     \
    }                                                                                                 \
    static void name##_loss_b(int64_t n, operands o, int sg, bool add, ag_real *d)                    \
    {                                                                                                 \
        loss_loop_backward(name##_db_weighted, n, o, sg, add, d);                                     \
    }
#include "autograd/kernels/elementwise.def"

void AGK(loss)(int op, int64_t n, const ag_real *a, const ag_real *b, ag_real *y)
{
#define LOSS(name, domain, y, da, db) name##_loss,
    static loss_fn *const functions[] = {
#include "autograd/kernels/elementwise.def"
    };
    functions[op](n, (operands){.a = a, .b = b, .y = a, .g = a}, y);
}

ag_real AGK(loss_sum)(int op, int64_t n, const ag_real *a, const ag_real *b)
{
#define LOSS(name, domain, y, da, db) name##_loss_sum,
    static loss_sum_fn *const functions[] = {
#include "autograd/kernels/elementwise.def"
    };
    return functions[op](n, (operands){.a = a, .b = b, .y = a, .g = a});
}

void AGK(loss_backward_a)(int op, int64_t n, const ag_real *a, const ag_real *b, const ag_real *g, int sg,
                          ag_real weight, bool add, ag_real *da)
{
#define LOSS(name, domain, y, da, db) name##_loss_a,
    static loss_backward_fn *const functions[] = {
#include "autograd/kernels/elementwise.def"
    };
    functions[op](n, (operands){.a = a, .b = b, .y = a, .g = g, .p = weight}, sg, add, da);
}

void AGK(loss_backward_b)(int op, int64_t n, const ag_real *a, const ag_real *b, const ag_real *g, int sg,
                          ag_real weight, bool add, ag_real *db)
{
#define LOSS(name, domain, y, da, db) name##_loss_b,
    static loss_backward_fn *const functions[] = {
#include "autograd/kernels/elementwise.def"
    };
    functions[op](n, (operands){.a = a, .b = b, .y = a, .g = g, .p = weight}, sg, add, db);
}
