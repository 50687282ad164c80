/* The elementwise kernels at the edges: zeros of both signs, the smallest and the largest numbers, infinities, NaN, and
 * where formulas change. The tables agree there, too; of a NaN only that it is one. */
#include <math.h>

#include "tests/kernels/tables.h"

static const char *const unary[] = {
#define UNARY(name, domain, y, dx) #name,
#include "autograd/kernels/elementwise.def"
};
static const char *const binary[] = {
#define BINARY(name, domain, y, da, db) #name,
#include "autograd/kernels/elementwise.def"
};
static const char *const losses[] = {
#define LOSS(name, domain, y, da, db) #name,
#include "autograd/kernels/elementwise.def"
};
static const ag_real pq[2] = {(ag_real)0.25, (ag_real)0.75};

static const double edges[] = {0,    5e-324, 1e-45, 1e-38, 1e-8, 1e-3, 0.25, 0.3,  0.5,   0.625,    0.75,       0.93,
                               1,    1.5,    2,     2.5,   3,    4,    6,    7,    10,    14,       20,         80,
                               88.5, 89.5,   100,   104.5, 2e6,  2e9,  1e19, 3e38, 1e300, INFINITY, (double)NAN};
enum { EDGES = 2 * sizeof edges / sizeof *edges, PAIRS = EDGES * EDGES };

static ag_real first[PAIRS], second[PAIRS], result[PAIRS], ones[PAIRS];

typedef void edge_fn(const agk_table *t, int op, ag_real *to);

static void unary_y(const agk_table *t, int op, ag_real *to)
{
    t->unary(op, PAIRS, first, pq, to);
}

static void unary_dx(const agk_table *t, int op, ag_real *to)
{
    agk_find("portable")->unary(op, PAIRS, first, pq, result);
    t->unary_backward(op, PAIRS, first, result, ones, pq, false, to);
}

static void binary_y(const agk_table *t, int op, ag_real *to)
{
    t->binary(op, 1, PAIRS, (agk_operand){first, 1, 0}, (agk_operand){second, 1, 0}, to, 0);
}

static void binary_da(const agk_table *t, int op, ag_real *to)
{
    binary_y(agk_find("portable"), op, result);
    t->binary_backward_a(op, 1, PAIRS, (agk_operand){first, 1, 0}, (agk_operand){second, 1, 0}, result, ones, 0, false,
                         to);
}

static void binary_db(const agk_table *t, int op, ag_real *to)
{
    binary_y(agk_find("portable"), op, result);
    t->binary_backward_b(op, 1, PAIRS, (agk_operand){first, 1, 0}, (agk_operand){second, 1, 0}, result, ones, 0, false,
                         to);
}

static void loss_y(const agk_table *t, int op, ag_real *to)
{
    t->loss(op, PAIRS, first, second, to);
}

static void loss_da(const agk_table *t, int op, ag_real *to)
{
    t->loss_backward_a(op, PAIRS, first, second, ones, 1, 1, false, to);
}

static void loss_db(const agk_table *t, int op, ag_real *to)
{
    t->loss_backward_b(op, PAIRS, first, second, ones, 1, 1, false, to);
}

static void check_edges(const agk_table *t, const char *name, int op, edge_fn *f)
{
    static ag_real got[PAIRS], expected[PAIRS];
    f(t, op, got);
    f(agk_find("portable"), op, expected);
    for (int i = 0; i < PAIRS; i++)
        cr_assert(same_bits(&got[i], &expected[i], 1) || (isnan(got[i]) && isnan(expected[i])),
                  "%s: %s of %g and %g is %.9g, portable %.9g", t->name, name, (double)first[i], (double)second[i],
                  (double)got[i], (double)expected[i]);
}

static void check_all_edges(const agk_table *t)
{
    for (int i = 0; i < PAIRS; i++) {
        const int of[2] = {i % EDGES, i / EDGES};
        first[i] = (ag_real)(of[0] % 2 ? -edges[of[0] / 2] : edges[of[0] / 2]);
        second[i] = (ag_real)(of[1] % 2 ? -edges[of[1] / 2] : edges[of[1] / 2]);
        ones[i] = 1;
    }
    edge_fn *const of_unary[] = {unary_y, unary_dx}, *const of_binary[] = {binary_y, binary_da, binary_db},
                   *const of_loss[] = {loss_y, loss_da, loss_db};
    for (int k = 0; k < 3; k++) {
        for (int op = 0; op < AGK_UNARY_COUNT && k < 2; op++)
            check_edges(t, unary[op], op, of_unary[k]);
        for (int op = 0; op < AGK_BINARY_COUNT; op++)
            check_edges(t, binary[op], op, of_binary[k]);
        for (int op = 0; op < AGK_LOSS_COUNT; op++)
            check_edges(t, losses[op], op, of_loss[k]);
    }
}

Test(kernels, the_same_at_the_edges)
{
    for_tables(check_all_edges);
}
