/* An op of your own, outside the library: diff, the differences of neighbours along the last axis (torch.diff), with
 * its gradient check. Compiles as C++ too.
 *
 *     cc own_op.c $(pkg-config --cflags --libs hourglass) -o own_op && ./own_op
 *
 * It prints:
 *
 *     diff       3  5  7  9  11
 *     gradient   -1  0  0  0  0  1
 *     gradient check: passed
 *     diff: input (3, 1), expected at least 2 along the last axis
 */
#include <autograd/autograd.h>
#include <autograd/op.h>
#include <stdio.h>

/* The shape rule: checks the inputs and sets the output's shape. x (..., n) to (..., n - 1). */
static bool diff_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    if (x->rank < 1 || x->dim[x->rank - 1] < 2)
        return ag_op_fail(node, "input %s, expected at least 2 along the last axis", AG_STR(x));
    node->out->shape = *x;
    node->out->shape.dim[x->rank - 1]--;
    return true;
}

static int64_t last_axis(const ag_tensor *t)
{
    return t->shape.dim[t->shape.rank - 1];
}

static void diff_forward(ag_node *node)
{
    const int64_t  n = last_axis(node->out), rows = ag_numel(&node->out->shape) / n;
    const ag_real *x = node->in[0]->data;
    ag_real       *y = node->out->data;
    for (int64_t row = 0; row < rows; row++, x += n + 1, y += n)
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i + 1] - x[i];
}

/* Adds to the input's gradient: dx[i + 1] += g[i], dx[i] -= g[i]. */
static void diff_backward(const ag_node *node)
{
    const int64_t  n = last_axis(node->out), rows = ag_numel(&node->out->shape) / n;
    const ag_real *g = node->out->grad;
    ag_real       *dx = ag_grad(node->in[0]);
    if (!dx) /* no gradient is wanted */
        return;
    for (int64_t row = 0; row < rows; row++, dx += n + 1, g += n)
        for (int64_t i = 0; i < n; i++) {
            dx[i + 1] += g[i];
            dx[i] -= g[i];
        }
}

static const ag_op diff_op = {"diff", diff_shape, diff_forward, diff_backward};

static ag_tensor *diff(ag_tensor *x)
{
    return ag_apply(&diff_op, 1, &x, NULL, 0);
}

/* ---- Its use, and its gradient check. ---- */

static ag_tensor *checked(void *context, ag_tape *tape, ag_tensor *const *in)
{
    (void)context;
    return diff(ag_tanh(ag_on_tape(tape, in[0])));
}

static void print_row(const char *name, const ag_real *x, int64_t n)
{
    printf("%-9s", name);
    for (int64_t i = 0; i < n; i++)
        printf("  %g", (double)x[i]);
    putchar('\n');
}

int main(void)
{
    static const ag_real numbers[] = {1, 4, 9, 16, 25, 36};
    ag_tape             *tape = ag_tape_new(1);
    ag_tensor           *x = ag_requires_grad(ag_input(tape, AG_SHAPE(6), numbers));
    ag_tensor           *y = diff(x);
    if (!ag_backward(ag_sum(y, AG_ALL, false))) {
        fprintf(stderr, "%s\n", ag_error(tape));
        return 1;
    }
    print_row("diff", y->data, 5);
    print_row("gradient", x->grad, 6);

    ag_tensor *p = ag_parameter_new(AG_SHAPE(3, 4));
    ag_rng     rng = {1, 0};
    ag_rng_normal(&rng, 12, 0, 1, p->data);
    /* Tighter with hourglass-f64: a step of 1e-5 and a tolerance of 1e-6. */
    ag_gradcheck_result r = ag_gradcheck(checked, NULL, 1, &p, 1e-2, 1e-2);
    printf("gradient check: %s\n", r.ok ? "passed" : r.message);
    ag_parameter_free(p);

    ag_tape_reset(tape);
    diff(ag_ones(tape, AG_SHAPE(3, 1)));
    puts(ag_error(tape)); /* what an op refuses is an error on the tape */
    ag_tape_free(tape);
    return r.ok ? 0 : 1;
}
