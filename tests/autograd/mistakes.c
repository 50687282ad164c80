/* Mistakes that would give wrong answers without a word: each is an error that says what to do. And what one recording
 * can do twice. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/nn.h"
#include "tests/support/samples.h"
#include "tests/test.h"

static ag_tensor *square_of(ag_tape *tape, ag_tensor *p)
{
    return ag_sum(ag_square(ag_on_tape(tape, p)), AG_ALL, false);
}

/* Forward on A and B, backward A, step, backward B: B's gradient would be of the new weights. */
Test(mistakes, a_parameter_changed_between_forward_and_backward)
{
    nn_module *m = nn_sequential(nn_linear(3, 2));
    nn_reset_parameters(m, 1);
    nn_optimizer *o = nn_sgd(m, nn_sgd_defaults(0.1));
    ag_tape      *a = ag_tape_new(1), *b = ag_tape_new(1);
    ag_tensor    *x = ag_ones(a, AG_SHAPE(1, 3)), *y = ag_ones(b, AG_SHAPE(1, 3));
    ag_tensor    *loss_a = ag_sum(ag_square(nn_forward(m, x)), AG_ALL, false);
    ag_tensor    *loss_b = ag_sum(ag_square(nn_forward(m, y)), AG_ALL, false);
    cr_assert(ag_backward(loss_a) && nn_step(o, a), "%s", ag_error(a));
    ag_real before = nn_parameter_named(m, "0.weight")->grad[0];
    cr_assert(!ag_backward(loss_b));
    check_error(b, "backward: linear: one of its parameters"); /* which of the two nobody knows */
    check_error(b, "was changed after this pass had used it");
    cr_assert(nn_parameter_named(m, "0.weight")->grad[0] == before, "gradients are as they were");
    nn_optimizer_free(o), nn_module_free(m), ag_tape_free(a), ag_tape_free(b);
}

static void write_by_hand(ag_tensor *p)
{
    p->data[0] = 7;
    ag_written(p);
}

static void write_constant(ag_tensor *p)
{
    nn_init_constant(p, 2);
}

static void write_uniform(ag_tensor *p)
{
    nn_init_uniform(p, 0, 1, &(ag_rng){1, 0});
}

static void write_normal(ag_tensor *p)
{
    nn_init_normal(p, 0, 1, &(ag_rng){1, 0});
}

Test(mistakes, every_writer_is_noticed)
{
    static void (*const writers[])(ag_tensor *) = {write_by_hand, write_constant, write_uniform, write_normal};
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *p = ag_parameter_new(AG_SHAPE(4));
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        ag_tape_reset(tape);
        ag_tensor *loss = square_of(tape, p);
        writers[i](p);
        cr_assert(!ag_backward(loss) && strstr(ag_error(tape), "was changed"), "writer %d", (int)i);
    }
    ag_tape_reset(tape);
    ag_tensor *x = ag_requires_grad(ag_ones(tape, AG_SHAPE(4))), *of_x = ag_sum(ag_square(x), AG_ALL, false);
    ag_written(x);
    cr_assert(!ag_backward(of_x));
    check_error(tape, "backward: square: an input was changed");
    ag_tape_reset(tape);
    ag_tensor *loss = square_of(tape, p);
    ag_written(NULL);
    cr_assert(ag_backward(loss), "%s", ag_error(tape));
    ag_parameter_free(p), ag_tape_free(tape);
}

/* Of three passes whose gradients are added up the second fails, and is forgotten by a reset. */
Test(mistakes, a_failed_pass_among_accumulated_ones)
{
    nn_module *m = nn_sequential(nn_linear(3, 2));
    nn_reset_parameters(m, 1);
    nn_optimizer *o = nn_sgd(m, nn_sgd_defaults(0.1));
    ag_tape      *tape = ag_tape_new(1);
    for (int failing = 0; failing < 4; failing++) { /* the third: none fails */
        nn_zero_grad(m);
        for (int pass = 0; pass < 3; pass++) {
            ag_tape_reset(tape);
            ag_backward(ag_sum(nn_forward(m, ag_ones(tape, AG_SHAPE(2, pass == failing ? 4 : 3))), AG_ALL, false));
        }
        const uint64_t before = nn_fingerprint(m);
        const bool     stepped = nn_step(o, tape);
        cr_assert(stepped == (failing == 3), "pass %d failed", failing);
        if (failing < 2)
            check_error(tape, "SGD: step refused: a pass has failed since the last nn_zero_grad");
        cr_assert(stepped || nn_fingerprint(m) == before);
    }
    ag_tape_reset(tape); /* a failure before nn_zero_grad is of no matter, nor is one of a pass that records nothing */
    nn_forward(m, ag_ones(tape, AG_SHAPE(2, 4)));
    nn_zero_grad(m);
    ag_tape_reset(tape);
    ag_set_grad_enabled(tape, false);
    nn_forward(m, ag_ones(tape, AG_SHAPE(2, 5)));
    ag_set_grad_enabled(tape, true);
    ag_tape_reset(tape);
    cr_assert(ag_backward(ag_sum(nn_forward(m, ag_ones(tape, AG_SHAPE(2, 3))), AG_ALL, false)) && nn_step(o, tape),
              "%s", ag_error(tape));
    nn_optimizer_free(o), nn_module_free(m), ag_tape_free(tape);
}

Test(mistakes, a_tensor_used_after_reset)
{
    ag_tape *tape = ag_tape_new(1);
    for (int i = 0; i < 5; i++) {
        ag_tape_reset(tape);
        ag_tensor *old = ag_exp(ag_ones(tape, AG_SHAPE(3))), *kept[40];
        for (int k = 0; k < 40; k++)
            kept[k] = ag_relu(old);
        ag_tape_reset(tape);
        ag_tensor *x = ag_ones(tape, AG_SHAPE(3));
        cr_assert(isnan(ag_item(kept[7])) && strstr(ag_tensor_error(old), "ag_tape_reset"));
        if (i == 0)
            ag_add(x, kept[i]), check_error(tape, "add: a tensor of a pass that ag_tape_reset has ended was used");
        else if (i == 1)
            ag_backward(kept[39]), check_error(tape, "backward: a tensor of a pass");
        else if (i == 2)
            ag_requires_grad(kept[0]), check_error(tape, "requires_grad: a tensor of a pass");
        else if (i == 3)
            ag_retain_grad(kept[0]), check_error(tape, "retain_grad: a tensor of a pass");
        else
            ag_reshape(kept[3], AG_SHAPE(3, 1)), check_error(tape, "reshape: a tensor of a pass");
        cr_assert(isnan(ag_item(ag_sum(x, AG_ALL, false))), "the error is sticky");
    }
    ag_tape_free(tape);
}

Test(mistakes, an_error_names_the_layer)
{
    nn_module *inner = nn_sequential(nn_linear(4, 3), nn_relu(), nn_linear(5, 2));
    nn_module *m = nn_sequential(nn_linear(6, 4), inner);
    nn_reset_parameters(m, 1);
    ag_tape *tape = ag_tape_new(1);
    nn_forward(m, ag_ones(tape, AG_SHAPE(2, 6)));
    cr_assert(!strncmp(ag_error(tape), "1.2: linear: input (2, 3)", 25), "%s", ag_error(tape));
    ag_tape_reset(tape);
    nn_forward(m, ag_ones(tape, AG_SHAPE(2, 5)));
    cr_assert(!strncmp(ag_error(tape), "0: linear: input (2, 5)", 23), "%s", ag_error(tape));
    nn_module_free(m), ag_tape_free(tape);
}

Test(mistakes, an_environment_that_cannot_be_followed)
{
    setenv("HOURGLASS_ISA", "z80", 1);
    ag_tape *tape = ag_tape_new(1);
    check_error(tape, "HOURGLASS_ISA=z80: not available on this machine, expected one of:");
    ag_tape_reset(tape);
    cr_assert(isnan(ag_item(ag_scalar(tape, 1))) && ag_error(tape), "every pass says so");
    unsetenv("HOURGLASS_ISA");
    ag_tape_free(tape);
}

Test(mistakes, gradcheck_of_what_is_on_no_tape)
{
    ag_tape            *tape = ag_tape_new(1);
    ag_tensor          *x = ag_ones(tape, AG_SHAPE(2)), *none = NULL;
    ag_gradcheck_result r = ag_gradcheck(NULL, NULL, 1, &x, 1e-5, 1e-6);
    cr_assert(!r.ok && strstr(r.message, "expected parameters"), "%s", r.message);
    r = ag_gradcheck(NULL, NULL, 1, &none, 1e-5, 1e-6);
    cr_assert(!r.ok && strstr(r.message, "NULL"), "%s", r.message);
    ag_tape_free(tape);
}

static ag_tensor *itself(void *context, ag_tape *tape, ag_tensor *const *in)
{
    (void)context, (void)tape;
    return in[0];
}

static ag_tensor *orphan(void *context, ag_tape *tape, ag_tensor *const *in)
{
    (void)context, (void)tape;
    return ag_exp(in[0]);
}

Test(mistakes, gradcheck_says_what_is_wrong)
{
    ag_tensor          *p = ag_parameter_new(AG_SHAPE(2));
    ag_gradcheck_result r = ag_gradcheck(itself, NULL, 1, &p, 1e-3, 1e-3);
    cr_assert(r.ok && !strstr(r.message, "no input"), "%s", r.message);
    r = ag_gradcheck(orphan, NULL, 1, &p, 1e-3, 1e-3);
    cr_assert(!r.ok && strstr(r.message, "put a parameter on a tape with ag_on_tape"), "%s", r.message);
    ag_parameter_free(p);
}

Test(slice, counts_as_python_does)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *x = ag_input(tape, AG_SHAPE(5), (ag_real[]){0, 1, 2, 3, 4});
    const struct {
        int64_t begin, end;
        int     first, n;
    } cases[] = {{0, 99, 0, 5}, {-99, 2, 0, 2},        {3, INT64_MAX, 3, 2},
                 {-2, 5, 3, 2}, {-2, INT64_MAX, 3, 2}, {INT64_MIN, -1, 0, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ag_tensor *y = ag_slice(x, 0, cases[i].begin, cases[i].end);
        cr_assert(!ag_error(tape) && y->shape.dim[0] == cases[i].n && y->data[0] == (ag_real)cases[i].first, "case %d",
                  (int)i);
    }
    ag_tape_free(tape);
}

/* ---- A second backward where it was asked for. ---- */

/* The gradients of every op's sample, twice over: exactly twice those of once, as nothing that backward needs is used
 * up. */
Test(retain, a_second_backward_of_every_op)
{
    for (int i = 0; i < op_sample_count; i++)
        for (int k = 0; op_samples[i].sets[k].n; k++) {
            const op_sample *s = &op_samples[i];
            ag_tensor       *in[SAMPLE_INPUTS];
            ag_tape         *tape = ag_tape_new(3);
            sample_inputs(s, k, in);
            ag_tensor *y = s->f(NULL, tape, in);
            ag_tensor *loss = ag_sum(ag_mul(y, ag_shift(ag_rand_like(y), 0.5)), AG_ALL, false);
            cr_assert(ag_backward_retain(loss), "%s/%s: %s", s->name, s->variant, ag_error(tape));
            ag_real *once[SAMPLE_INPUTS] = {NULL};
            for (int j = 0; j < s->sets[k].n; j++)
                if (in[j]->grad) {
                    size_t bytes = (size_t)ag_numel(&in[j]->shape) * sizeof(ag_real);
                    once[j] = memcpy(malloc(bytes), in[j]->grad, bytes);
                }
            cr_assert(ag_backward(loss), "%s/%s: %s", s->name, s->variant, ag_error(tape));
            for (int j = 0; j < s->sets[k].n; j++)
                for (int64_t e = 0; once[j] && e < ag_numel(&in[j]->shape); e++)
                    cr_assert(fabs((double)(in[j]->grad[e] - 2 * once[j][e])) <=
                                  1e-5 * fabs((double)once[j][e]) + 1e-12,
                              "%s/%s set %d: input %d", s->name, s->variant, k, j);
            cr_assert(!ag_backward(loss) && strstr(ag_error(tape), "a second time"));
            for (int j = 0; j < s->sets[k].n; j++)
                free(once[j]);
            sample_free(s, k, in);
            ag_tape_free(tape);
        }
}

/* Two losses on one recording, as a GAN has them: the gradients are those of two recordings. */
Test(retain, two_losses)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *p = ag_parameter_new(AG_SHAPE(3));
    nn_init_uniform(p, 1, 2, &(ag_rng){4, 0});
    ag_tensor *h = ag_exp(ag_on_tape(tape, p)), *first = ag_sum(h, AG_ALL, false),
              *second = ag_sum(ag_square(h), AG_ALL, false);
    cr_assert(ag_backward_retain(first));
    ag_real alone = p->grad[0];
    ag_zero_grad(p);
    cr_assert(ag_backward(second));
    double e = exp((double)p->data[0]);
    cr_assert(fabs((double)alone - e) < 1e-4 * e && fabs((double)p->grad[0] - 2 * e * e) < 1e-4 * e * e);
    ag_parameter_free(p), ag_tape_free(tape);
}

/* What the first backward has left in kept gradients does not go on to the inputs once more. */
Test(retain, kept_gradients_are_not_counted_twice)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *p = ag_parameter_new(AG_SHAPE(2)), *x = ag_on_tape(tape, p);
    ag_tensor *y = ag_retain_grad(ag_scale(x, 2)), *loss = ag_retain_grad(ag_sum(y, AG_ALL, false));
    cr_assert(ag_backward_retain(loss) && ag_backward_retain(loss));
    cr_expect((double)p->grad[0] == 4 && (double)y->grad[1] == 2 && (double)loss->grad[0] == 2, "%g %g %g",
              (double)p->grad[0], (double)y->grad[1], (double)loss->grad[0]);
    cr_assert(ag_backward(ag_sum(ag_scale(x, 3), AG_ALL, false)), "%s", ag_error(tape));
    cr_expect((double)p->grad[0] == 7 && (double)y->grad[0] == 2, "%g %g", (double)p->grad[0], (double)y->grad[0]);
    ag_parameter_free(p), ag_tape_free(tape);
}
