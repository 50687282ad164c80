/* Ops at kinks and special values, and on tensors large enough for threads. */
#include <math.h>
#include <string.h>

#include "tests/test.h"

Test(values, kinks)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *x = ag_requires_grad(ag_input(tape, AG_SHAPE(3), (ag_real[]){3, 1, 3}));
    cr_assert(ag_backward(ag_max(x, AG_ALL, false)) && (double)x->grad[0] == 0.5 && (double)x->grad[1] == 0);
    ag_tape_reset(tape);
    ag_tensor *a = ag_requires_grad(ag_scalar(tape, 2)), *b = ag_requires_grad(ag_scalar(tape, 2)),
              *z = ag_requires_grad(ag_scalar(tape, 0));
    ag_tensor *c = ag_requires_grad(ag_scalar(tape, 2)), *d = ag_requires_grad(ag_scalar(tape, 2));
    ag_tensor *sum = ag_add(ag_add(ag_maximum(a, b), ag_scale(ag_minimum(c, d), 3)), ag_add(ag_abs(z), ag_relu(z)));
    cr_assert(ag_backward(sum) && (double)a->grad[0] == 0.5 && (double)b->grad[0] == 0.5 && (double)c->grad[0] == 1.5 &&
              (double)d->grad[0] == 1.5 && (double)z->grad[0] == 0);
    ag_tape_reset(tape);
    ag_tensor *p = ag_requires_grad(ag_input(tape, AG_SHAPE(4), (ag_real[]){-1, 0, 1, 2}));
    cr_assert(ag_backward(ag_sum(ag_clamp(p, -1, 1), AG_ALL, false)) && (double)p->grad[0] == 1 &&
              (double)p->grad[2] == 1 && (double)p->grad[3] == 0);
    ag_tape_reset(tape);
    z = ag_requires_grad(ag_scalar(tape, 0));
    cr_assert(ag_backward(ag_pow(z, 0)) && (double)z->grad[0] == 0);
    ag_tape_free(tape);
}

/* As PyTorch has them: NaN has no sign, and both operands of maximum get its gradient; -0 stays -0. */
Test(values, of_nan_zero_and_far_out)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *n = ag_requires_grad(ag_scalar(tape, NAN)), *one = ag_requires_grad(ag_scalar(tape, 1)),
              *zero = ag_scalar(tape, -0.0);
    cr_assert(ag_item(ag_sign(n)) == 0 && !signbit(ag_item(ag_sign(zero))));
    cr_assert(signbit(ag_item(ag_tanh(zero))) && signbit(ag_item(ag_log1p(zero))));
    cr_assert(ag_backward(ag_add(ag_maximum(n, one), ag_minimum(one, n))));
    cr_assert(ag_item(ag_abs(ag_scalar(tape, -2))) == 2 && (double)n->grad[0] == 2 && (double)one->grad[0] == 2);
    ag_tape_reset(tape);
    cr_assert(ag_backward(ag_l1_loss(n = ag_requires_grad(ag_scalar(tape, NAN)), ag_scalar(tape, 0), AG_SUM)) &&
              (double)n->grad[0] == 0);
    ag_tape_reset(tape);
    ag_tensor *loss = ag_bce_loss(ag_scalar(tape, 1e-8), ag_scalar(tape, 0), AG_SUM);
    cr_assert(fabs(ag_item(loss) / 1e-8 - 1) < 1e-6, "%g", ag_item(loss));
    const double far[] = {1e13, 3e15, 1e20, 3e38, -3e38};
    for (int i = 0; i < 5; i++)
        cr_assert(fabs(ag_item(ag_sin(ag_scalar(tape, far[i])))) <= 1 &&
                  fabs(ag_item(ag_cos(ag_scalar(tape, far[i])))) <= 1);
    cr_assert(isnan(ag_item(ag_sin(ag_scalar(tape, INFINITY)))) && isnan(ag_item(ag_cos(ag_scalar(tape, NAN)))));
    ag_tape_free(tape);
}

/* Long sums do not lose what is added to a large float. */
Test(values, long_sums)
{
    enum { N = 2000000 };
    ag_tape     *tape = ag_tape_new(0);
    ag_tensor   *x = ag_full(tape, AG_SHAPE(1, N), 0.1), *sum = ag_sum(x, AG_AXES(1), false);
    const double tenth = (double)(ag_real)0.1;
    cr_assert(fabs(ag_item(sum) / (tenth * N) - 1) < 2e-6, "%.9g", ag_item(sum));
    cr_assert(fabs((double)ag_cumsum(x, 1)->data[N - 1] / (tenth * N) - 1) < 1e-7);
    cr_assert(fabs((double)ag_logsumexp(x, 1)->data[0] - log((double)N) - tenth) < 1e-5);
    ag_tape_free(tape);
}

Test(values, special)
{
    const ag_real inf = (ag_real)INFINITY;
    ag_tape      *tape = ag_tape_new(0);
    cr_assert(ag_item(ag_logsumexp(ag_full(tape, AG_SHAPE(2), -INFINITY), 0)) == -INFINITY);
    cr_assert(ag_item(ag_logsumexp(ag_input(tape, AG_SHAPE(2), (ag_real[]){inf, 1}), 0)) == INFINITY);
    cr_assert(fabs(ag_item(ag_logsumexp(ag_full(tape, AG_SHAPE(2), 1000), 0)) - 1000.6931472) < 1e-3);
    cr_assert((double)ag_softmax(ag_full(tape, AG_SHAPE(2), 1000), 0)->data[0] == 0.5);
    cr_assert(isnan(ag_item(ag_relu(ag_scalar(tape, NAN)))) &&
              isnan(ag_item(ag_maximum(ag_scalar(tape, NAN), ag_scalar(tape, 1)))));
    cr_assert(isnan(ag_item(ag_maximum(ag_scalar(tape, 1), ag_scalar(tape, NAN)))) &&
              isnan(ag_item(ag_minimum(ag_scalar(tape, NAN), ag_scalar(tape, 1)))));
    cr_assert(fabs(ag_item(ag_bce_loss(ag_scalar(tape, 0), ag_scalar(tape, 1), AG_SUM)) - 100) < 1e-9 &&
              ag_item(ag_bce_loss(ag_scalar(tape, 1), ag_scalar(tape, 1), AG_SUM)) == 0);
    ag_tape_reset(tape);
    ag_tensor *p = ag_requires_grad(ag_full(tape, AG_SCALAR, 1e-9));
    cr_assert(ag_backward(ag_bce_loss(p, ag_scalar(tape, 1), AG_SUM)) && fabs((double)p->grad[0] / -1e9 - 1) < 1e-5,
              "%g", (double)p->grad[0]);
    ag_tape_free(tape);
}

/* Values and gradients at infinities and NaN, as PyTorch 2.13 gives them: torch.amax, torch.logsumexp. */
typedef struct special_row {
    double x[3], y, dx[3];
} special_row;

static ag_tensor *max_of(ag_tensor *x)
{
    return ag_max(x, AG_AXES(1), false);
}

static ag_tensor *logsumexp_of(ag_tensor *x)
{
    return ag_logsumexp(x, 1);
}

static void check_special(const char *what, ag_tensor *(*f)(ag_tensor *), int n, const special_row *rows)
{
    ag_tape *tape = ag_tape_new(0);
    for (int i = 0; i < n; i++) {
        ag_tape_reset(tape);
        const double *x = rows[i].x;
        ag_tensor    *in = ag_requires_grad(
               ag_input(tape, AG_SHAPE(1, 3), (ag_real[]){(ag_real)x[0], (ag_real)x[1], (ag_real)x[2]}));
        ag_tensor *out = f(in);
        cr_assert(ag_backward(ag_sum(out, AG_ALL, false)), "%s", ag_error(tape));
        check_close(what, 1, out->data, &rows[i].y, 1e-6);
        check_close(what, 3, in->grad, rows[i].dx, 1e-6);
    }
    ag_tape_free(tape);
}

#define COUNT(rows) ((int)(sizeof(rows) / sizeof *(rows)))

Test(values, max_and_logsumexp_at_infinity)
{
    const double      inf = (double)INFINITY, nan = (double)NAN;
    const special_row of_max[] = {
        {{1, nan, 3}, nan, {nan, nan, nan}},
        {{nan, -inf, -inf}, nan, {nan, nan, nan}},
        {{inf, nan, inf}, nan, {nan, nan, nan}},
        {{1, inf, inf}, inf, {0, 0.5, 0.5}},
        {{inf, -inf, 0}, inf, {1, 0, 0}},
        {{-inf, 1, 2}, 2, {0, 0, 1}},
        {{-inf, -inf, -inf}, -inf, {1.0 / 3, 1.0 / 3, 1.0 / 3}},
    };
    const special_row of_logsumexp[] = {
        {{1, nan, 3}, nan, {nan, nan, nan}},
        {{nan, inf, 1}, nan, {nan, nan, nan}},
        {{1, inf, inf}, inf, {0, nan, nan}},
        {{inf, -inf, 0}, inf, {nan, 0, 0}},
        {{-inf, -inf, -inf}, -inf, {nan, nan, nan}},
        {{-inf, 1, 2}, 2.3132616875, {0, 0.2689414214, 0.7310585786}},
        {{2, 2, 1}, 2.8619948041, {0.4223187983, 0.4223187983, 0.1553624035}},
    };
    check_special("max", max_of, COUNT(of_max), of_max);
    check_special("logsumexp", logsumexp_of, COUNT(of_logsumexp), of_logsumexp);
}

/* torch.nn.functional.binary_cross_entropy_with_logits; the second element keeps its finite value. */
Test(values, bce_with_logits_at_infinity)
{
    const double inf = (double)INFINITY, nan = (double)NAN, other = 1.0632616875, slope = 0.4810585786;
    const struct {
        double x, target, y, dx, dtarget;
    } cases[] = {{inf, 0, inf, 1, -inf},   {inf, 1, nan, 0, -inf},  {inf, 0.5, inf, 0.5, -inf},
                 {-inf, 0, nan, 0, inf},   {-inf, 1, nan, -1, inf}, {-inf, 0.5, nan, -0.5, inf},
                 {nan, 0.5, nan, nan, nan}};
    ag_tape *tape = ag_tape_new(0);
    for (int i = 0; i < COUNT(cases); i++)
        for (int k = 0; k < 3; k++) {
            const ag_reduction reduction = (ag_reduction[]){AG_NONE, AG_MEAN, AG_SUM}[k];
            const double       share = reduction == AG_MEAN ? 0.5 : 1, both[] = {cases[i].y, other},
                         all = share * (cases[i].y + other);
            ag_tape_reset(tape);
            ag_tensor *x = ag_requires_grad(ag_input(tape, AG_SHAPE(2), (ag_real[]){(ag_real)cases[i].x, 1}));
            ag_tensor *t = ag_requires_grad(
                ag_input(tape, AG_SHAPE(2), (ag_real[]){(ag_real)cases[i].target, (ag_real)0.25}));
            ag_tensor *loss = ag_bce_with_logits_loss(x, t, reduction);
            cr_assert(ag_backward(ag_sum(loss, AG_ALL, false)), "%s", ag_error(tape));
            check_close("loss", reduction == AG_NONE ? 2 : 1, loss->data, reduction == AG_NONE ? both : &all, 1e-6);
            check_close("dx", 2, x->grad, (double[]){share * cases[i].dx, share * slope}, 1e-6);
            check_close("dtarget", 2, t->grad, (double[]){share * cases[i].dtarget, -share}, 1e-6);
        }
    ag_tape_free(tape);
}

/* Mean, mean square, least and largest of 100,000 draws, within more than four deviations of what they should be. */
static void check_draws(const char *what, ag_tensor *x, double mean, double square, double low, double high)
{
    const int64_t n = ag_numel(&x->shape);
    double        sum = 0, squares = 0, least = (double)x->data[0], most = least;
    for (int64_t i = 0; i < n; i++) {
        const double v = (double)x->data[i];
        sum += v;
        squares += v * v;
        least = fmin(least, v);
        most = fmax(most, v);
    }
    cr_expect(fabs(sum / (double)n - mean) < 0.015 && fabs(squares / (double)n - square) < 0.03,
              "%s: mean %g, square %g", what, sum / (double)n, squares / (double)n);
    cr_expect(least >= low && most <= high, "%s: %g to %g", what, least, most);
}

Test(values, random_ops_draw_what_they_say)
{
    ag_tape       *tape = ag_tape_new(5);
    const ag_shape shape = AG_SHAPE(100, 1000);
    ag_tensor     *like = ag_zeros(tape, shape);
    check_draws("rand", ag_rand(tape, shape), 0.5, 1.0 / 3, 0, 1);
    check_draws("rand_like", ag_rand_like(like), 0.5, 1.0 / 3, 0, 1);
    check_draws("randn", ag_randn(tape, shape), 0, 1, -6, 6);
    check_draws("randn_like", ag_randn_like(like), 0, 1, -6, 6);
    check_draws("bernoulli", ag_bernoulli(tape, shape, 0.3), 0.3, 0.3, 0, 1);
    check_draws("bernoulli_like", ag_bernoulli_like(like, 0.3), 0.3, 0.3, 0, 1);
    check_draws("dropout", ag_dropout(ag_ones(tape, shape), 0.2), 1, 1.25, 0, 1.25 + 1e-6);
    cr_assert(!ag_error(tape));
    ag_tape_free(tape);
}

Test(values, loss_gradients_add)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *x = ag_requires_grad(ag_full(tape, AG_SHAPE(3), 2)), *y = ag_zeros(tape, AG_SHAPE(3));
    cr_assert(ag_backward(ag_sum(ag_add(ag_mse_loss(x, y, AG_NONE), ag_mse_loss(x, y, AG_NONE)), AG_ALL, false)) &&
              (double)x->grad[2] == 8);
    ag_tape_free(tape);
}

Test(values, chunks_are_added_in_double)
{
    enum { N = 4096 * 11 };
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *x = ag_zeros(tape, AG_SHAPE(N));
    x->data[0] = 16777216;
    for (int c = 1; c <= 10; c++)
        x->data[4096 * c] = 1;
    cr_assert(ag_item(ag_sum(x, AG_ALL, false)) == 16777226);
    ag_tape_free(tape);
}

/* Adam and the review's other finds: values that were once wrong. */
Test(values, pow_is_that_of_c)
{
    static const double cases[][2] = {{-INFINITY, 1.5}, {-0.0, -1},       {-0.0, 3},      {-1, INFINITY},
                                      {-1, 4194305},    {-1, -5000000.5}, {0, 0},         {2, -1},
                                      {-2, 3},          {-2, 0.5},        {INFINITY, -1}, {0, -2}};
    ag_tape            *tape = ag_tape_new(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double     wanted = pow(cases[i][0], cases[i][1]);
        ag_tensor *y = ag_pow(ag_scalar(tape, cases[i][0]), cases[i][1]);
        check_close("pow", 1, y->data, &wanted, 1e-6);
        cr_assert(isnan(wanted) || signbit((double)y->data[0]) == signbit(wanted), "pow(%g, %g)", cases[i][0],
                  cases[i][1]);
    }
    ag_tape_free(tape);
}

Test(values, long_columns_keep_their_digits)
{
    enum { ROWS = 1 << 20 };
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *y = ag_sum(ag_full(tape, AG_SHAPE(ROWS, 3), 0.1), AG_AXES(0), false);
    check_close("column sums", 3, y->data, (double[]){ROWS * 0.1, ROWS * 0.1, ROWS * 0.1}, 1e-6);
    ag_tape_free(tape);
}

/* An index that changes after the check does no harm. */
Test(values, indices_are_those_that_were_checked)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *w = ag_parameter_new(AG_SHAPE(4, 3)), *index = ag_zeros(tape, AG_SHAPE(2));
    ag_tensor *logits = ag_requires_grad(ag_zeros(tape, AG_SHAPE(2, 3)));
    ag_tensor *loss = ag_add(ag_sum(ag_embedding(index, w), AG_ALL, false),
                             ag_cross_entropy_loss(logits, index, AG_SUM));
    index->data[0] = (ag_real)1e7;
    cr_assert(ag_backward(loss) && (double)w->grad[0] == 2 && (double)logits->grad[0] < 0);
    ag_parameter_free(w);
    ag_tape_free(tape);
}

/* ---- Large enough for threads: the same bits. ---- */

static double run_large(ag_tape *tape, int kind, ag_real *gx, ag_real *gy)
{
    enum { N = 60000 };
    ag_tensor *x = ag_requires_grad(random_input(tape, AG_SHAPE(N), 1)),
              *y = ag_requires_grad(random_input(tape, AG_SHAPE(N), 2));
    ag_tensor *s = ag_requires_grad(ag_full(tape, AG_SCALAR, 3)), *z = NULL;
    switch (kind) {
    case 0: z = ag_mul(s, x); break;
    case 1: z = ag_div(x, s); break;
    case 2: z = ag_mul(x, y); break;
    case 3: z = ag_mse_loss(x, y, AG_NONE); break;
    case 4: z = ag_mse_loss(x, y, AG_MEAN); break;
    case 5: z = ag_tanh(x); break;
    case 6: z = ag_sum(ag_reshape(x, AG_SHAPE(N / 3, 3)), AG_AXES(0), false); break;
    case 7: z = ag_sum(ag_reshape(x, AG_SHAPE(N / 3, 3)), AG_AXES(1), false); break;
    case 8: z = ag_softmax(ag_reshape(x, AG_SHAPE(N / 3, 3)), 1); break;
    case 9: z = ag_transpose(ag_reshape(x, AG_SHAPE(N / 3, 3)), 0, 1); break;
    case 10:
        z = ag_mul(ag_reshape(x, AG_SHAPE(N / 3, 3)), ag_reshape(ag_slice(y, 0, 0, N / 3), AG_SHAPE(N / 3, 1)));
        break;
    case 11: z = ag_dropout(x, 0.5); break;
    /* Operands that repeat: a row, a channel, an image's row, and the last but one axis beside a channel. */
    case 12: z = ag_mul(ag_reshape(x, AG_SHAPE(200, 300)), ag_slice(y, 0, 0, 300)); break;
    case 13:
        z = ag_div(ag_reshape(x, AG_SHAPE(20, 30, 100)), ag_reshape(ag_slice(y, 0, 0, 30), AG_SHAPE(30, 1)));
        break;
    case 14:
        z = ag_mul(ag_reshape(x, AG_SHAPE(20, 30, 100)), ag_reshape(ag_slice(y, 0, 0, 2000), AG_SHAPE(20, 1, 100)));
        break;
    case 15:
        z = ag_mul(ag_reshape(x, AG_SHAPE(20, 30, 10, 10)), ag_reshape(ag_slice(y, 0, 0, 300), AG_SHAPE(30, 1, 10)));
        break;
    /* The weights' gradient of few wide rows, whose columns threads share. */
    case 16:
        z = ag_layer_norm(ag_reshape(x, AG_SHAPE(30, 2000)), ag_slice(y, 0, 0, 2000), ag_slice(y, 0, 2000, 4000), 1e-5);
        break;
    default:
        z = ag_cross_entropy_loss(ag_reshape(x, AG_SHAPE(N / 3, 3)), ag_zeros(tape, AG_SHAPE(N / 3)), AG_NONE);
        break;
    }
    ag_tensor *t = ag_sum(ag_mul(z, ag_tanh(z)), AG_ALL, false);
    cr_assert(ag_backward(t), "%s", ag_error(tape));
    memcpy(gx, x->grad, N * sizeof *gx);
    if (y->grad)
        memcpy(gy, y->grad, N * sizeof *gy);
    return ag_item(t);
}

Test(values, threads_do_not_change_an_op)
{
    static ag_real gx[2][60000], gy[2][60000];
    for (int kind = 0; kind <= 17; kind++) {
        double value[2];
        for (int many = 0; many < 2; many++) {
            ag_tape *tape = ag_tape_new(1);
            ag_set_threads(many ? 4 : 1);
            value[many] = run_large(tape, kind, gx[many], gy[many]);
            ag_tape_free(tape);
        }
        cr_assert(value[0] == value[1] && !memcmp(gx[0], gx[1], sizeof gx[0]) && !memcmp(gy[0], gy[1], sizeof gy[0]),
                  "kind %d", kind);
    }
    ag_set_threads(1);
}

/* Rows of many widths, some of them wider than what is done side by side, some more than are done at a time. */
Test(values, gradients_of_short_and_long_rows)
{
    static const int64_t widths[] = {1, 2, 3, 7, 8, 9, 16, 31, 33, 64, 65, 70};
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++) {
        const int64_t n = widths[k], rows = n < 4 ? 700 : 19;
        ag_tape      *tape = ag_tape_new(1);
        ag_tensor    *x = ag_requires_grad(random_input(tape, AG_SHAPE(rows, n), 2));
        ag_tensor    *column = ag_requires_grad(random_input(tape, AG_SHAPE(rows, 1), 3));
        ag_tensor    *p = ag_softmax(x, 1), *weight = random_input(tape, AG_SHAPE(rows), 4);
        ag_tensor    *loss = ag_add(ag_sum(ag_mul(ag_logsumexp(x, 1), weight), AG_ALL, false),
                                    ag_sum(ag_mul(ag_detach(x), column), AG_ALL, false));
        cr_assert(ag_backward(loss), "%s", ag_error(tape));
        for (int64_t r = 0; r < rows; r++) {
            double sum = 0;
            for (int64_t i = 0; i < n; i++) {
                const double wanted = (double)(weight->data[r] * p->data[r * n + i]);
                sum += (double)x->data[r * n + i];
                cr_assert(fabs((double)x->grad[r * n + i] - wanted) < 1e-5, "logsumexp: row %d of %d", (int)r, (int)n);
            }
            cr_assert(fabs((double)column->grad[r] - sum) < 1e-5, "mul: row %d of %d", (int)r, (int)n);
        }
        ag_tape_free(tape);
    }
}

/* As adding to zeros of the shape asked for: each number, and its gradient. */
Test(values, expand_repeats_over_any_axis)
{
    const ag_shape shapes[][2] = {{AG_SHAPE(3, 1, 5), AG_SHAPE(3, 700, 5)},
                                  {AG_SHAPE(1, 5), AG_SHAPE(4000, 5)},
                                  {AG_SHAPE(7, 1), AG_SHAPE(7, 3000)},
                                  {AG_SHAPE(2, 1, 3, 1), AG_SHAPE(2, 40, 3, 50)},
                                  {AG_SHAPE(1), AG_SHAPE(9, 2000)},
                                  {AG_SHAPE(6, 1, 1), AG_SHAPE(5, 6, 30, 31)},
                                  {AG_SHAPE(1, 60, 17), AG_SHAPE(50, 60, 17)},
                                  {AG_SHAPE(4, 5), AG_SHAPE(4, 5)}};
    for (size_t k = 0; k < 2 * sizeof shapes / sizeof *shapes; k++) {
        const ag_shape *from = &shapes[k / 2][0], *to = &shapes[k / 2][1];
        ag_tape        *tape = ag_tape_new(1);
        ag_tensor      *x[2], *y[2], *weight = random_input(tape, *to, 3);
        ag_set_threads(k % 2 ? 3 : 1);
        for (int i = 0; i < 2; i++) {
            x[i] = ag_requires_grad(random_input(tape, *from, 2));
            y[i] = i ? ag_add(x[i], ag_scale(weight, 0)) : ag_expand(x[i], *to);
        }
        cr_assert(ag_backward(
                      ag_add(ag_sum(ag_mul(y[0], weight), AG_ALL, false), ag_sum(ag_mul(y[1], weight), AG_ALL, false))),
                  "%s", ag_error(tape));
        for (int64_t i = 0; i < ag_numel(to); i++)
            cr_assert(y[0]->data[i] == y[1]->data[i], "case %d: number %d", (int)k, (int)i);
        for (int64_t i = 0; i < ag_numel(from); i++)
            cr_assert(fabs((double)(x[0]->grad[i] - x[1]->grad[i])) < 1e-3, "case %d: gradient %d", (int)k, (int)i);
        ag_tape_free(tape);
    }
    ag_set_threads(1);
}
