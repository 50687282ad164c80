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
    expect_refused(tape, ag_pad(ROW(1), 1, 1, 0, 0), "axis out of range");
    expect_refused(tape, ag_cumsum(ROW(1), 1), "cumsum: (1) has no axis 1");
    expect_refused(tape, ag_argmax(ag_scalar(tape, 1), 0, false), "argmax: () has no axis 0");
    expect_refused(tape, ag_var(ROW(1), AG_ALL, 1, false), "var: 1 numbers with a correction of 1");
    ag_tensor *logits = ag_zeros(tape, AG_SHAPE(2, 3));
    expect_refused(tape, ag_nll_loss(logits, ROW(1), (ag_class_options){0}, AG_MEAN),
                   "nll_loss: input (2, 3) and target (1), expected (N, C, ...) and (N, ...)");
    logits = ag_zeros(tape, AG_SHAPE(1, 3));
    expect_refused(tape, ag_cross_entropy_loss_with(logits, ROW(1), (ag_class_options){.label_smoothing = 2}, AG_MEAN),
                   "label smoothing 2, expected 0 to 1");
    expect_refused(
        tape, ag_nll_loss(ag_zeros(tape, AG_SHAPE(1, 3)), ROW(1), (ag_class_options){.weight = ROW(1, 2)}, AG_MEAN),
        "nll_loss: input (1, 3) and weight (2), expected one weight for each class");
    expect_refused(tape,
                   ag_bce_with_logits_loss_weighted(ag_zeros(tape, AG_SHAPE(3, 1)), ROW(1, 2, 3), ROW(1), AG_MEAN),
                   "bce_with_logits_loss: input (3, 1) and target (3), expected the same shape");
    expect_refused(tape, ag_stack(65, (ag_tensor *[65]){ROW(1)}, 0), "stack: 65 tensors, expected 1 to 64");
    ag_tape_free(tape);
}

/* ---- Losses over classes where little or nothing counts; numbers from PyTorch. ---- */

static void check_class_loss(ag_tensor *x, ag_tensor *target, ag_class_options o, double loss, const double *gradient)
{
    ag_requires_grad(x);
    ag_tensor *l = ag_cross_entropy_loss_with(x, target, o, AG_MEAN);
    cr_assert(!ag_error(x->tape) && ag_backward(l), "%s", ag_error(x->tape));
    check_close("loss", 1, l->data, &loss, 1e-6);
    check_close("gradient", ag_numel(&x->shape), x->grad, gradient, 1e-6);
    ag_tape_reset(x->tape);
}

Test(selecting, ignored_targets_change_nothing)
{
    static const double nothing[6] = {0};
    ag_tape            *tape = ag_tape_new(1);
    ag_class_options    ignoring = {.ignore = true, .ignore_index = -100}, smooth = ignoring;
    smooth.label_smoothing = 0.1;
    check_class_loss(ag_ones(tape, AG_SHAPE(2, 3)), ROW(-100, -100), ignoring, NAN, nothing);
    check_class_loss(ag_ones(tape, AG_SHAPE(2, 3)), ROW(-100, -100), smooth, NAN, nothing);
    check_class_loss(ag_input(tape, AG_SHAPE(2, 3), (ag_real[]){-INFINITY, 1, 2, -INFINITY, 0, 1}), ROW(1, -100),
                     ignoring, 1.31326162815094, (double[]){0, -0.73105860, 0.73105860, 0, 0, 0});
    ag_tape_free(tape);
}

Test(selecting, a_class_of_no_weight_is_smoothed)
{
    ag_tape         *tape = ag_tape_new(1);
    ag_tensor       *x = ag_input(tape, AG_SHAPE(2, 3), (ag_real[]){1, 2, 3, 3, 1, 2});
    ag_class_options o = {.weight = ROW(0, 1, 2), .label_smoothing = 0.1, .ignore = true, .ignore_index = -100};
    check_class_loss(x, ROW(1, 0), o, 1.5150331258773804,
                     (double[]){0.09003058, -0.68860483, 0.59857434, 0.06652410, -0.02433028, -0.04219382});
    ag_tape_free(tape);
}

Test(selecting, deviation_of_equal_numbers)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *x = ag_requires_grad(ROW(3, 3, 3)), *s = ag_std(x, AG_ALL, 1, false);
    cr_assert(ag_item(s) == 0 && ag_backward(s));
    check_close("gradient", 3, x->grad, (double[]){0, 0, 0}, 0);
    ag_tape_free(tape);
}

/* Two of them begin with a parameter alone. */
Test(selecting, parameters_go_with_any_tape)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *p = ag_parameter_new(AG_SHAPE(2));
    ag_tensor *both = ag_stack(2, (ag_tensor *[]){p, ROW(1, 2)}, 0);
    cr_expect(!ag_tensor_error(both) && (double)both->data[3] == 2, "%s", ag_error(tape));
    ag_tensor *loss = ag_bce_with_logits_loss_weighted(ROW(0, 0), ROW(0, 1), p, AG_NONE);
    cr_expect(!ag_tensor_error(loss) && fabs((double)loss->data[0] - log(2)) < 1e-6 && (double)loss->data[1] == 0, "%s",
              ag_error(tape));
    ag_parameter_free(p), ag_tape_free(tape);
}

/* ---- One element of each row. ---- */

/* Of `rows` rows of x, all of them or not, by one thread or three: forward, and gradients of gather and scatter_add. */
static void check_column(int64_t rows, int threads)
{
    enum { N = 5000, WIDTH = 10 };
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *x = random_input(tape, AG_SHAPE(N, WIDTH), 1), *index = ag_zeros(tape, AG_SHAPE(rows, 1));
    ag_set_threads(threads);
    for (int64_t i = 0; i < rows; i++)
        index->data[i] = (ag_real)(i * 7 % WIDTH);
    x = ag_requires_grad(x);
    ag_tensor *y = ag_gather(x, 1, index), *wide = ag_scatter_add(ag_zeros(tape, AG_SHAPE(N, WIDTH)), 1, index, y);
    cr_assert(ag_backward(ag_sum(ag_mul(y, y), AG_ALL, false)), "%s", ag_error(tape));
    for (int64_t i = 0; i < N * WIDTH; i++) {
        const bool    taken = i / WIDTH < rows && i % WIDTH == i / WIDTH * 7 % WIDTH;
        const ag_real value = x->data[i];
        cr_assert(!taken || y->data[i / WIDTH] == value, "element %lld is not gathered", (long long)i);
        cr_assert(wide->data[i] == (taken ? value : 0), "element %lld is not scattered", (long long)i);
        cr_assert(x->grad[i] == (taken ? 2 * value : 0), "element %lld has another gradient", (long long)i);
    }
    ag_tape_free(tape);
}

Test(selecting, one_element_of_each_row)
{
    for (int threads = 1; threads <= 3; threads += 2) {
        check_column(5000, threads);
        check_column(4999, threads);
        check_column(1, threads);
    }
}
