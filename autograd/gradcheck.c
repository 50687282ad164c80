#include "autograd/gradcheck.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/ops.h"

typedef struct check {
    ag_gradcheck_fn     *f;
    void                *context;
    int                  n;
    ag_tensor *const    *in;
    double               step, tolerance;
    ag_tape             *tape;
    ag_gradcheck_result *result;
} check;

static bool fail(check *c, const char *what)
{
    snprintf(c->result->message, sizeof c->result->message, "%s", what);
    return false;
}

/* sum(f(in) * w) with fixed random w, on a fresh pass with the same random numbers as any other. */
static ag_tensor *weighted_sum(check *c)
{
    ag_tape_reset(c->tape);
    *ag_tape_rng(c->tape) = (ag_rng){2017, 0};
    ag_tensor *y = c->f(c->context, c->tape, c->in);
    *ag_tape_rng(c->tape) = (ag_rng){1995, 0};
    if (y && !y->tape) /* a parameter itself */
        y = ag_on_tape(c->tape, y);
    return ag_sum(ag_mul(y, ag_shift(ag_rand_like(y), 0.5)), AG_ALL, false);
}

static double largest_gradient(const check *c)
{
    double m = 0;
    for (int k = 0; k < c->n; k++)
        for (int64_t i = 0, n = ag_numel(&c->in[k]->shape); c->in[k]->grad && i < n; i++)
            m = m < fabs((double)c->in[k]->grad[i]) ? fabs((double)c->in[k]->grad[i]) : m;
    return m;
}

static double numeric_gradient(check *c, ag_tensor *t, int64_t i)
{
    ag_real x = t->data[i], h = (ag_real)(c->step * fmax(1, fabs((double)x)));
    t->data[i] = x + h;
    double up = ag_item(weighted_sum(c)), width = (double)t->data[i];
    t->data[i] = x - h;
    double down = ag_item(weighted_sum(c));
    width -= (double)t->data[i];
    t->data[i] = x;
    return (up - down) / width;
}

static void check_input(check *c, int index)
{
    ag_tensor *t = c->in[index];
    double     scale = fmax(0.01 * largest_gradient(c), 1e-6);
    for (int64_t i = 0, n = ag_numel(&t->shape); i < n; i++) {
        double analytic = t->grad ? (double)t->grad[i] : 0, numeric = numeric_gradient(c, t, i);
        double error = fabs(analytic - numeric) / fmax(scale, fmax(fabs(analytic), fabs(numeric)));
        if (error <= c->result->worst)
            continue;
        c->result->worst = isnan(error) ? INFINITY : error;
        snprintf(c->result->message, sizeof c->result->message,
                 "input %d %s, element %lld: gradient %.12g, by differences %.12g, relative error %.3g", index,
                 AG_STR(&t->shape), (long long)i, analytic, numeric, error);
    }
}

static bool run(check *c)
{
    ag_set_grad_enabled(c->tape, true);
    for (int i = 0; i < c->n; i++)
        ag_zero_grad(c->in[i]);
    ag_tensor *loss = weighted_sum(c);
    if (!ag_backward(loss))
        return fail(c, ag_error(c->tape)       ? ag_error(c->tape)
                       : ag_tensor_error(loss) ? ag_tensor_error(loss)
                                               : "the function gave NULL");
    ag_set_grad_enabled(c->tape, false);
    for (int i = 0; i < c->n; i++)
        if (c->in[i]->needs_grad)
            check_input(c, i);
    return c->result->worst <= c->tolerance;
}

ag_gradcheck_result ag_gradcheck(ag_gradcheck_fn *f, void *context, int n, ag_tensor *const *in, double step,
                                 double tolerance)
{
    ag_gradcheck_result result = {.ok = false, .message = ""};
    check               c = {f, context, n, in, step, tolerance, ag_tape_new(0), &result};
    bool                valid = f && in;
    for (int i = 0; valid && i < n; i++)
        valid = in[i] && !in[i]->tape;
    if (!c.tape)
        fail(&c, "out of memory");
    else if (!valid)
        fail(&c, "a NULL function or input, or an input on a tape: expected parameters");
    else
        result.ok = run(&c);
    ag_tape_free(c.tape);
    return result;
}
