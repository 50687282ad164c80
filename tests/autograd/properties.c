/* What holds for every op: gradients do not depend on who else wants one, they are added to what is there, and results
 * do not depend on whether they are recorded. */
#include <math.h>
#include <string.h>

#include "tests/support/samples.h"
#include "tests/test.h"

/* Inputs of a sample's set, those in `wanted`, a bit each, with gradients; freed with the tape by `end`. */
typedef struct pass {
    const op_sample *sample;
    int              set, n;
    ag_tape         *tape;
    ag_tensor       *in[SAMPLE_INPUTS], *y;
} pass;

static pass begin(const op_sample *s, int set, int wanted)
{
    pass p = {.sample = s, .set = set, .n = s->sets[set].n, .tape = ag_tape_new(1)};
    sample_inputs(s, set, p.in);
    for (int i = 0; i < p.n; i++)
        p.in[i]->needs_grad &= wanted >> i & 1;
    return p;
}

static void end(pass *p)
{
    ag_tape_free(p->tape);
    sample_free(p->sample, p->set, p->in);
}

/* The gradients of a sum that is not linear in the result; of so many times the op, on the same tensors. */
static void run(pass *p, int times)
{
    ag_tensor *on_tape[SAMPLE_INPUTS];
    ag_tensor *loss = ag_zeros(p->tape, AG_SCALAR);
    for (int i = 0; i < p->n; i++)
        on_tape[i] = ag_on_tape(p->tape, p->in[i]);
    for (int i = 0; i < times; i++) {
        p->y = p->sample->f(NULL, p->tape, on_tape);
        loss = ag_add(loss, ag_sum(ag_square(p->y), AG_ALL, false));
    }
    cr_assert(!ag_error(p->tape), "%s %s: %s", p->sample->name, p->sample->variant, ag_error(p->tape));
    cr_assert(!p->y->needs_grad || ag_backward(loss), "%s", ag_error(p->tape));
}

static void for_samples(void (*check)(const op_sample *s, int set))
{
    for (int i = 0; i < op_sample_count; i++)
        for (int k = 0; op_samples[i].sets[k].n; k++)
            check(&op_samples[i], k);
}

static void check_some(const op_sample *s, int set)
{
    pass all = begin(s, set, -1);
    run(&all, 1);
    for (int wanted = 0; wanted < 1 << all.n; wanted++) {
        pass some = begin(s, set, wanted);
        run(&some, 1);
        for (int i = 0; i < some.n; i++) {
            const ag_tensor *x = some.in[i];
            cr_expect(x->needs_grad || !x->grad, "%s %s: a gradient that nobody wants", s->name, s->variant);
            cr_expect(!x->grad || !memcmp(x->grad, all.in[i]->grad, (size_t)ag_numel(&x->shape) * sizeof(ag_real)),
                      "%s %s, set %d: the gradient of input %d is another without the rest", s->name, s->variant, set,
                      i);
        }
        end(&some);
    }
    end(&all);
}

Test(ops, gradients_of_some_inputs)
{
    for_samples(check_some);
}

static void check_added(const op_sample *s, int set)
{
    if (s->random)
        return;
    pass once = begin(s, set, -1), thrice = begin(s, set, -1);
    run(&once, 1);
    run(&thrice, 3);
    for (int i = 0; i < once.n; i++) {
        const ag_real *g = once.in[i]->grad, *sum = thrice.in[i]->grad;
        double         most = 0;
        for (int64_t k = 0; g && k < ag_numel(&once.in[i]->shape); k++)
            most = fmax(most, fabs((double)g[k]));
        for (int64_t k = 0; g && k < ag_numel(&once.in[i]->shape); k++)
            cr_assert(fabs((double)sum[k] - 3 * (double)g[k]) <= 1e-5 * (1 + most),
                      "%s %s, set %d, input %d: %g, three times %g", s->name, s->variant, set, i, (double)sum[k],
                      (double)g[k]);
    }
    end(&once), end(&thrice);
}

Test(ops, gradients_are_added)
{
    for_samples(check_added);
}

static void check_unrecorded(const op_sample *s, int set)
{
    pass recorded = begin(s, set, -1), plain = begin(s, set, -1);
    run(&recorded, 1);
    ag_set_grad_enabled(plain.tape, false);
    run(&plain, 1);
    cr_expect(!plain.y->needs_grad && ag_shape_equal(&recorded.y->shape, &plain.y->shape) &&
                  !memcmp(recorded.y->data, plain.y->data, (size_t)ag_numel(&plain.y->shape) * sizeof(ag_real)),
              "%s %s, set %d: another result when it is not recorded", s->name, s->variant, set);
    end(&recorded), end(&plain);
}

Test(ops, the_same_without_recording)
{
    for_samples(check_unrecorded);
}

/* A view hands its gradient on where it can. x = 2 p goes through views, before and after other uses of it; the loss is
 * sum x^2 of each use, so that the gradient of x is 2 x for each. */
static double gradient_through_views(bool before, bool after, bool keep, int times)
{
    ag_tensor *p = ag_parameter_new(AG_SHAPE(2, 3));
    ag_tape   *tape = ag_tape_new(1);
    for (int i = 0; i < 6; i++)
        p->data[i] = (ag_real)(i + 1);
    ag_tensor *x = ag_scale(ag_on_tape(tape, p), 2), *loss = ag_zeros(tape, AG_SCALAR);
    if (before)
        loss = ag_add(loss, ag_sum(ag_square(x), AG_ALL, false));
    ag_tensor *view = ag_reshape(ag_flatten(x, 0, 1), AG_SHAPE(3, 2));
    if (keep)
        ag_retain_grad(view);
    loss = ag_add(loss, ag_sum(ag_square(view), AG_ALL, false));
    if (after)
        loss = ag_add(loss, ag_sum(ag_square(x), AG_ALL, false));
    for (int i = 0; i < times; i++)
        cr_assert(ag_backward_retain(loss), "%s", ag_error(tape));
    cr_assert(!keep || (view->grad && fabs((double)view->grad[5] - 24.0 * times) < 1e-5));
    const double slope = (double)p->grad[5] / 48;
    for (int i = 0; i < 6; i++)
        cr_assert(fabs((double)p->grad[i] - 8 * slope * (i + 1)) < 1e-4);
    ag_tape_free(tape);
    ag_parameter_free(p);
    return slope;
}

Test(ops, views_hand_their_gradient_on)
{
    for (int kind = 0; kind < 16; kind++) {
        const bool   before = kind & 1, after = kind & 2, keep = kind & 4;
        const int    times = kind & 8 ? 2 : 1;
        const double got = gradient_through_views(before, after, keep, times);
        cr_expect(fabs(got - (1 + before + after) * times) < 1e-6, "kind %d: %g", kind, got);
    }
}

/* The gradient of an input that is marked on the tape is its own after backward, though a view's became it. */
Test(ops, the_gradient_of_a_viewed_input_stays)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *x = ag_requires_grad(ag_ones(tape, AG_SHAPE(4, 4))), *w = ag_requires_grad(ag_ones(tape, AG_SHAPE(16)));
    ag_tensor *y = ag_mul(ag_exp(ag_flatten(x, 0, 1)), ag_exp(w));
    cr_assert(ag_backward(ag_sum(ag_square(y), AG_ALL, false)), "%s", ag_error(tape));
    for (int i = 0; i < 16; i++)
        cr_assert(fabs((double)(x->grad[i] / w->grad[i]) - 1) < 1e-6 && fabs((double)x->grad[i] - 2 * exp(4)) < 1e-3);
    ag_tape_free(tape);
}
