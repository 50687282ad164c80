/* sum, mean, max, min and var over every choice of axes, against plain loops: results and gradients. */
#include <math.h>
#include <stdlib.h>

#include "tests/test.h"

enum { RANK = 4, SUM = 0, MEAN, MAX, MIN, VAR, KINDS };

static const char *const names[] = {"sum", "mean", "max", "min", "var"};

static ag_tensor *reduce(int kind, ag_tensor *x, ag_axes axes, bool keepdim)
{
    switch (kind) {
    case SUM: return ag_sum(x, axes, keepdim);
    case MEAN: return ag_mean(x, axes, keepdim);
    case MAX: return ag_max(x, axes, keepdim);
    case MIN: return ag_min(x, axes, keepdim);
    default: return ag_var(x, axes, 1, keepdim);
    }
}

/* Of each result: sums of x and x^2, the largest and the smallest x and where they are. */
typedef struct plain {
    double  sum, squares, most, least;
    int64_t at_most, at_least;
} plain;

/* Which result element i of x belongs to. */
static int64_t result_of(const ag_shape *s, int mask, int64_t i)
{
    int64_t at = 0, stride = 1;
    for (int d = RANK - 1; d >= 0; i /= s->dim[d--])
        if (!(mask >> d & 1)) {
            at += i % s->dim[d] * stride;
            stride *= s->dim[d];
        }
    return at;
}

static double expected(int kind, const plain *p, double n)
{
    const double mean = p->sum / n;
    return kind == SUM    ? p->sum
           : kind == MEAN ? mean
           : kind == MAX  ? p->most
           : kind == MIN  ? p->least
                          : (p->squares - n * mean * mean) / (n - 1);
}

/* What a result gives to element i, whose number is x. */
static double slope(int kind, const plain *p, double n, int64_t i, double x)
{
    return kind == SUM    ? 1
           : kind == MEAN ? 1 / n
           : kind == MAX  ? i == p->at_most
           : kind == MIN  ? i == p->at_least
                          : 2 * (x - p->sum / n) / (n - 1);
}

static void check(int kind, ag_shape shape, int mask, bool keepdim)
{
    const int64_t all = ag_numel(&shape);
    ag_axes       axes = {0};
    int64_t       results = all;
    for (int d = 0; d < RANK; d++)
        if (mask >> d & 1) {
            axes.axis[axes.count++] = d;
            results /= shape.dim[d];
        }
    const double n = (double)(all / results);
    plain       *p = calloc((size_t)results, sizeof *p);
    ag_tape     *tape = ag_tape_new(1);
    ag_tensor   *x = ag_requires_grad(random_input(tape, shape, (uint64_t)mask)), *y = reduce(kind, x, axes, keepdim);
    cr_assert(p && !ag_error(tape) && ag_numel(&y->shape) == results &&
              y->shape.rank == (keepdim ? RANK : RANK - axes.count));
    for (int64_t i = 0; i < results; i++)
        p[i] = (plain){0, 0, -INFINITY, INFINITY, 0, 0};
    for (int64_t i = 0; i < all; i++) {
        plain       *of = &p[result_of(&shape, mask, i)];
        const double v = (double)x->data[i];
        of->sum += v;
        of->squares += v * v;
        of->at_most = v > of->most ? i : of->at_most;
        of->at_least = v < of->least ? i : of->at_least;
        of->most = fmax(of->most, v);
        of->least = fmin(of->least, v);
    }
    cr_assert(ag_backward(ag_sum(ag_square(y), AG_ALL, false)), "%s", ag_error(tape));
    for (int64_t i = 0; i < results; i++)
        cr_assert(fabs((double)y->data[i] - expected(kind, &p[i], n)) < 2e-5 * (1 + n),
                  "%s, axes %d: result %d is %g, expected %g", names[kind], mask, (int)i, (double)y->data[i],
                  expected(kind, &p[i], n));
    for (int64_t i = 0; i < all; i++) {
        const int64_t at = result_of(&shape, mask, i);
        const double  g = 2 * expected(kind, &p[at], n) * slope(kind, &p[at], n, i, (double)x->data[i]);
        cr_assert(fabs((double)x->grad[i] - g) < 1e-4 * (1 + fabs(g)), "%s, axes %d: gradient %d is %g, expected %g",
                  names[kind], mask, (int)i, (double)x->grad[i], g);
    }
    ag_tape_free(tape);
    free(p);
}

Test(reductions, over_every_choice_of_axes)
{
    const ag_shape shapes[] = {AG_SHAPE(3, 4, 5, 6), AG_SHAPE(2, 33, 2, 40), AG_SHAPE(17, 2, 70, 3),
                               AG_SHAPE(1, 5, 1, 7)};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int mask = 1; mask < 1 << RANK; mask++)
            for (int kind = 0; kind < KINDS; kind++) {
                int64_t reduced = 1;
                for (int d = 0; d < RANK; d++)
                    reduced *= mask >> d & 1 ? shapes[s].dim[d] : 1;
                if (kind != VAR || reduced > 1)
                    check(kind, shapes[s], mask, mask & 1);
            }
}
