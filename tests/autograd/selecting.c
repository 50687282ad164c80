/* Comparisons, selection and steps where numbers are special, and what their ops refuse. */
#include <math.h>
#include <string.h>

#include "tests/test.h"

static ag_tensor *row(ag_tape *tape, int n, const double *x)
{
    ag_tensor *t = ag_empty(tape, AG_SHAPE(n));
    for (int i = 0; i < n; i++)
        t->data[i] = (ag_real)x[i];
    return t;
}

static void expect_row(ag_tensor *t, int n, const double *x)
{
    cr_assert(!ag_tensor_error(t) && ag_numel(&t->shape) == n, "%s", ag_tensor_error(t));
    for (int i = 0; i < n; i++)
        cr_expect((isnan(x[i]) && isnan((double)t->data[i])) ||
                      ((double)t->data[i] == x[i] && signbit((double)t->data[i]) == signbit(x[i])),
                  "element %d is %g, expected %g", i, (double)t->data[i], x[i]);
}

#define ROW(...)       row(tape, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (double[]){__VA_ARGS__})
#define EXPECT(t, ...) expect_row(t, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (double[]){__VA_ARGS__})

Test(selecting, as_pytorch_at_special_numbers)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *a = ROW(1, 2, NAN, -0.0, INFINITY), *b = ROW(2, 2, NAN, 0, INFINITY);
    EXPECT(ag_eq(a, b), 0, 1, 0, 1, 1);
    EXPECT(ag_ne(a, b), 1, 0, 1, 0, 0);
    EXPECT(ag_lt(a, b), 1, 0, 0, 0, 0);
    EXPECT(ag_le(a, b), 1, 1, 0, 1, 1);
    EXPECT(ag_gt(a, b), 0, 0, 0, 0, 0);
    EXPECT(ag_ge(a, b), 0, 1, 0, 1, 1);
    EXPECT(ag_round(ROW(0.5, 1.5, -0.5, -2.5, 1e30, NAN, -INFINITY)), 0, 2, -0.0, -2, (double)(ag_real)1e30, NAN,
           -INFINITY);
    EXPECT(ag_floor(ROW(0.5, -0.5, -3, 7, -0.0, -1e30, NAN)), 0, -1, -3, 7, -0.0, -(double)(ag_real)1e30, NAN);
    EXPECT(ag_sign(ROW(3, -2, 0)), 1, -1, 0);
    EXPECT(ag_sin(ROW(0, -0.0, NAN, INFINITY)), 0, -0.0, NAN, NAN);
    EXPECT(ag_argmax(ROW(1, 5, 5, 2), 0, false), 1);
    EXPECT(ag_argmax(ROW(1, NAN, 5, NAN), 0, true), 1);
    EXPECT(ag_argmin(ROW(3, -1, 5, -1), -1, false), 1);
    EXPECT(ag_min(ROW(3, -1, 5), AG_ALL, false), -1);
    EXPECT(ag_cumsum(ROW(1, 2, 3), 0), 1, 3, 6);
    cr_expect(!ag_error(tape), "%s", ag_error(tape));
    ag_tape_free(tape);
}

/* What is not taken may be NaN or infinite: it reaches neither the result nor a gradient. */
Test(selecting, what_is_not_taken_does_not_matter)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *x = ag_parameter_new(AG_SHAPE(2));
    x->data[0] = 0;
    x->data[1] = 4;
    ag_tensor *on = ag_on_tape(tape, x), *root = ag_where(ag_gt(on, ag_scalar(tape, 0)), ag_log(on), on);
    EXPECT(root, 0, (double)root->data[1]);
    cr_assert(ag_backward(ag_sum(ag_masked_fill(root, ROW(1, 0), 7), AG_ALL, false)), "%s", ag_error(tape));
    cr_expect((double)x->grad[1] == 0.25);
    ag_parameter_free(x);
    ag_tape_free(tape);
}

static void expect_refused(ag_tape *tape, ag_tensor *t, const char *part)
{
    cr_expect(ag_tensor_error(t) && ag_error(tape) && strstr(ag_error(tape), part), "\"%s\", expected \"%s\"",
              ag_error(tape) ? ag_error(tape) : "no error", part);
    ag_tape_reset(tape);
}

Test(selecting, refuses)
{
    ag_tape *tape = ag_tape_new(1);
    expect_refused(tape, ag_where(ROW(1, 0), ROW(1, 2, 3), ROW(1)), "where: shapes (2), (3) and (1) do not broadcast");
    expect_refused(tape, ag_gather(ROW(1, 2), 0, ROW(2)), "gather: index 0 is 2, expected a whole number from 0 to 1");
    expect_refused(tape, ag_gather(ROW(1, 2), 1, ROW(0)), "gather: (2) along axis 1 by index (1)");
    expect_refused(tape, ag_index_select(ROW(1, 2), 0, ROW(0.5)),
                   "index 0 is 0.5, expected a whole number from 0 to 1");
    expect_refused(tape, ag_scatter_add(ROW(1, 2), 0, ROW(0), ROW(1, 2)), "index (1) and source (2) differ in shape");
    expect_refused(tape, ag_stack(2, (ag_tensor *[]){ROW(1), ag_scalar(tape, 1)}, 0),
                   "stack: tensor 1 is (), the first (1)");
    expect_refused(tape, ag_stack(1, (ag_tensor *[]){ROW(1)}, 2), "no room for a new axis 2");
    expect_refused(tape, ag_pad(ROW(1), 0, -1, 0, 0), "pad: (1) by -1 and 0 along axis 0");
    expect_refused(tape, ag_pad(ROW(1), 1, 1, 0, 0), "no such axis");
    expect_refused(tape, ag_cumsum(ROW(1), 1), "cumsum: (1) has no axis 1");
    expect_refused(tape, ag_argmax(ag_scalar(tape, 1), 0, false), "argmax: () has no axis 0");
    expect_refused(tape, ag_var(ROW(1), AG_ALL, 1, false), "var: 1 numbers with a correction of 1");
    ag_tensor *logits = ag_zeros(tape, AG_SHAPE(2, 3));
    expect_refused(tape, ag_nll_loss(logits, ROW(1), (ag_class_options){0}, AG_MEAN),
                   "nll_loss: input (2, 3) and target (1), expected (N, C, ...) and (N, ...)");
    logits = ag_zeros(tape, AG_SHAPE(1, 3));
    expect_refused(tape, ag_cross_entropy_loss_with(logits, ROW(1), (ag_class_options){.label_smoothing = 2}, AG_MEAN),
                   "label smoothing 2, expected 0 to 1");
    ag_tape_free(tape);
}
