/* An op of your own, outside the library: cumsum, the cumulative sum along the last axis (torch.cumsum(x, -1)), with
 * its gradient check. Compiles as C++ too.
 *
 *     cc own_op.c $(pkg-config --cflags --libs hourglass) -o own_op && ./own_op
 *
 * It prints:
 *
 *     cumsum     1  3  6  10  15  21
 *     gradient   6  5  4  3  2  1
 *     gradient check: passed
 *     cumsum: input (), expected at least one axis
 */
#include <autograd/autograd.h>
#include <autograd/op.h>
#include <stdio.h>

/* The shape rule: checks the inputs and sets the output's shape. */
static bool cumsum_shape(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape;
    if (x->rank < 1)
        return ag_op_fail(node, "input %s, expected at least one axis", AG_STR(x));
    node->out->shape = *x;
    return true;
}

static void cumsum_forward(ag_node *node)
{
    const ag_tensor *x = node->in[0];
    const int64_t    width = x->shape.dim[x->shape.rank - 1];
    ag_real          sum = 0;
    for (int64_t i = 0, n = ag_numel(&x->shape); i < n; i++)
        node->out->data[i] = sum = i % width == 0 ? x->data[i] : sum + x->data[i];
}

/* Adds to the input's gradient: dx[i] is the sum of the output's gradient from i to the end of the row. */
static void cumsum_backward(const ag_node *node)
{
    const ag_tensor *x = node->in[0];
    const int64_t    width = x->shape.dim[x->shape.rank - 1];
    const ag_real   *g = node->out->grad;
    ag_real         *dx = ag_grad(node->in[0]), sum = 0;
    for (int64_t i = ag_numel(&x->shape) - 1; dx && i >= 0; i--) {
        sum = i % width == width - 1 ? g[i] : sum + g[i];
        dx[i] += sum;
    }
}

static const ag_op cumsum_op = {"cumsum", cumsum_shape, cumsum_forward, cumsum_backward};

static ag_tensor *cumsum(ag_tensor *x)
{
    return ag_apply(&cumsum_op, 1, &x, NULL, 0);
}

/* ---- Its use, and its gradient check. ---- */

static ag_tensor *checked(void *context, ag_tape *tape, ag_tensor *const *in)
{
    (void)context;
    return cumsum(ag_tanh(ag_on_tape(tape, in[0])));
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
    static const ag_real numbers[] = {1, 2, 3, 4, 5, 6};
    ag_tape             *tape = ag_tape_new(1);
    ag_tensor           *x = ag_requires_grad(ag_input(tape, AG_SHAPE(6), numbers));
    ag_tensor           *y = cumsum(x);
    if (!ag_backward(ag_sum(y, AG_ALL, false))) {
        fprintf(stderr, "%s\n", ag_error(tape));
        return 1;
    }
    print_row("cumsum", y->data, 6);
    print_row("gradient", x->grad, 6);

    ag_tensor *p = ag_parameter_new(AG_SHAPE(3, 4));
    ag_rng     rng = {1, 0};
    ag_rng_normal(&rng, 12, 0, 1, p->data);
    /* Tighter with hourglass-f64: a step of 1e-5 and a tolerance of 1e-6. */
    ag_gradcheck_result r = ag_gradcheck(checked, NULL, 1, &p, 1e-2, 1e-2);
    printf("gradient check: %s\n", r.ok ? "passed" : r.message);
    ag_parameter_free(p);

    ag_tape_reset(tape);
    cumsum(ag_scalar(tape, 1));
    puts(ag_error(tape)); /* what an op refuses is an error on the tape */
    ag_tape_free(tape);
    return r.ok ? 0 : 1;
}
