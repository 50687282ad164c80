/* The tape: gradients of whole expressions, modes, errors, memory. */
#include "autograd/tape.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/arena.h"
#include "autograd/op.h"
#include "tests/support/malloc.h"
#include "tests/test.h"

/* ---- Gradients. ---- */

Test(tape, diamond)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *x = ag_requires_grad(ag_scalar(tape, 3));
    ag_tensor *y = ag_retain_grad(ag_mul(x, x));
    ag_tensor *z = ag_add(ag_mul(y, x), ag_mul(y, y)); /* x^3 + x^4 */
    cr_assert(ag_backward(z));
    cr_assert(ag_item(z) == 27 + 81);
    cr_assert((double)x->grad[0] == 3 * 9 + 4 * 27);
    cr_assert((double)y->grad[0] == 3 + 2 * 9);
    ag_tape_free(tape);
}

Test(tape, gradients_of_results_share_memory_unless_retained)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *x = ag_requires_grad(ag_ones(tape, AG_SHAPE(16, 1024))), *kept[] = {NULL, NULL}, *y = x;
    for (int i = 0; i < 100; i++) {
        y = ag_scale(y, 2);
        if (i == 40 || i == 41)
            kept[i - 40] = ag_retain_grad(y);
    }
    ag_tensor *loss = ag_sum(y, AG_ALL, false);
    size_t     before = ag_tape_bytes(tape);
    cr_assert(ag_backward(loss) && !y->grad && !loss->grad && !ag_grad(y));
    cr_assert(ag_tape_bytes(tape) == before, "%zu, %zu bytes", ag_tape_bytes(tape), before);
    for (int i = 0; i < 16 * 1024; i++)
        cr_assert((double)x->grad[i] == 0x1p100 && (double)kept[0]->grad[i] == 0x1p59 &&
                  (double)kept[1]->grad[i] == 0x1p58);
    ag_tape_free(tape);
}

Test(tape, gradients_accumulate_until_zeroed)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *p = ag_parameter_new(AG_SHAPE(2));
    p->data[0] = 2;
    for (int pass = 1; pass <= 3; pass++) {
        ag_tape_reset(tape);
        cr_assert(ag_backward(ag_sum(ag_square(ag_on_tape(tape, p)), AG_ALL, false)));
        cr_assert((double)p->grad[0] == 4 * pass && (double)p->grad[1] == 0);
    }
    ag_zero_grad(p);
    cr_assert(!p->grad);
    ag_parameter_free(p);
    ag_tape_free(tape);
}

Test(tape, dead_branches_get_no_gradient)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *x = ag_requires_grad(ag_scalar(tape, 2)), *c = ag_scalar(tape, 5);
    ag_tensor *unused = ag_exp(x), *loss = ag_add(ag_mul(x, c), ag_detach(ag_square(x)));
    cr_assert(ag_backward(loss));
    cr_assert(!c->grad && !unused->grad && (double)x->grad[0] == 5);
    ag_tape_free(tape);
}

Test(tape, backward_from_a_gradient)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *x = ag_requires_grad(ag_ones(tape, AG_SHAPE(3)));
    cr_assert(ag_backward_from(ag_scale(x, 2), (ag_real[]){1, 10, 100}));
    cr_assert((double)x->grad[0] == 2 && (double)x->grad[2] == 200);
    ag_tape_free(tape);
}

/* ---- Modes. ---- */

Test(tape, modes)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *x = ag_requires_grad(ag_ones(tape, AG_SHAPE(1000)));
    cr_assert(ag_is_training(tape) && ag_is_grad_enabled(tape));
    double kept = ag_item(ag_sum(ag_dropout(x, 0.5), AG_ALL, false)) / 2;
    cr_assert(kept > 400 && kept < 600);
    ag_set_training(tape, false);
    cr_assert(ag_item(ag_sum(ag_dropout(x, 0.5), AG_ALL, false)) == 1000);
    ag_set_grad_enabled(tape, false);
    ag_tensor *y = ag_sum(x, AG_ALL, false);
    cr_assert(!y->needs_grad && !ag_backward(y));
    check_error(tape, "gradient recording off");
    ag_tape_reset(tape);
    cr_assert(!ag_is_training(tape) && !ag_is_grad_enabled(tape), "reset keeps the modes");
    ag_tape_free(tape);
}

/* ---- Errors. ---- */

Test(tape, errors_are_sticky)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *p = ag_parameter_new(AG_SHAPE(4));
    ag_tensor *x = random_input(tape, AG_SHAPE(2, 3), 1), *y = random_input(tape, AG_SHAPE(4), 2);
    ag_tensor *bad = ag_add(x, y);
    check_error(tape, "add: shapes (2, 3) and (4) do not broadcast");
    ag_tensor *later = ag_mul(ag_exp(bad), p);
    cr_assert(later && isnan(ag_item(later)) && ag_numel(&later->shape) == 1);
    ag_matmul(x, NULL);
    check_error(tape, "add: ");
    cr_assert(!ag_backward(ag_sum(later, AG_ALL, false)) && !p->grad);
    ag_tape_reset(tape);
    cr_assert(!ag_error(tape));
    cr_assert(ag_backward(ag_sum(ag_on_tape(tape, p), AG_ALL, false)) && (double)p->grad[0] == 1);
    ag_parameter_free(p);
    ag_tape_free(tape);
}

Test(tape, backward_refuses)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *x = ag_requires_grad(ag_ones(tape, AG_SHAPE(2)));
    cr_assert(!ag_backward(x));
    check_error(tape, "backward: the loss has shape (2), expected one element");
    ag_tape_reset(tape);
    x = ag_requires_grad(ag_ones(tape, AG_SHAPE(2)));
    ag_tensor *loss = ag_sum(x, AG_ALL, false);
    cr_assert(ag_backward(loss) && !ag_backward(loss));
    check_error(tape, "called a second time");
    cr_assert((double)x->grad[0] == 1, "a refused backward adds nothing");
    ag_tape_reset(tape);
    cr_assert(!ag_backward(ag_scalar(tape, 1)));
    check_error(tape, "depends on nothing that wants a gradient");
    ag_tape_reset(tape);
    cr_assert(!ag_backward_from(ag_requires_grad(ag_scalar(tape, 1)), NULL));
    check_error(tape, "the gradient is NULL");
    cr_assert(!ag_backward(NULL) && !ag_backward_from(NULL, NULL));
    ag_tape_free(tape);
}

Test(tape, parameters_alone_are_on_no_tape)
{
    ag_tensor *p = ag_parameter_new(AG_SHAPE(2)), *y = ag_mul(p, p);
    cr_assert(strstr(ag_tensor_error(y), "no input is on a tape"));
    cr_assert(!ag_backward(ag_sum(y, AG_ALL, false)) && isnan(ag_item(y)));
    for (int order = 0; order < 2; order++) { /* the tape that it meets fails too */
        ag_tape   *tape = ag_tape_new(0);
        ag_tensor *x = ag_ones(tape, AG_SHAPE(2));
        order ? ag_add(x, y) : ag_add(y, x);
        check_error(tape, order ? "add: input 1 has failed: no input is on a tape" : "add: input 0 has failed");
        ag_tape_free(tape);
    }
    ag_tape_reset(y->tape), ag_tape_free(y->tape), ag_set_training(y->tape, false);
    cr_assert(!ag_tape_rng(y->tape));
    ag_parameter_free(p);
}

Test(tape, tapes_do_not_mix)
{
    ag_tape *one = ag_tape_new(0), *two = ag_tape_new(0);
    ag_add(ag_scalar(one, 1), ag_scalar(two, 1));
    check_error(one, "add: inputs are on different tapes");
    check_error(two, "add: inputs are on different tapes");
    ag_tape_reset(one), ag_tape_reset(two);
    ag_tensor *x = ag_scalar(one, 1), *old = ag_scalar(two, 1);
    ag_tape_reset(two);
    ag_add(x, old);
    check_error(one, "add: inputs are on different tapes");
    ag_tape_free(one), ag_tape_free(two);
}

Test(tape, null_everywhere)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *none = ag_zeros(NULL, AG_SHAPE(2));
    cr_assert(none && ag_tensor_error(none));
    cr_assert(ag_error(NULL) && ag_tensor_error(NULL) && isnan(ag_item(NULL)));
    ag_tape_free(NULL), ag_tape_reset(NULL), ag_set_training(NULL, true), ag_set_grad_enabled(NULL, true);
    cr_assert(!ag_tape_rng(NULL) && !ag_tape_alloc(NULL, 1) && ag_tape_bytes(NULL) == 0 && !ag_backward_done(NULL));
    ag_set_trace(NULL, NULL, NULL), ag_trace(NULL, NULL), ag_zero_grad(NULL), ag_parameter_free(NULL);
    cr_assert(ag_requires_grad(NULL) && ag_retain_grad(NULL) && ag_detach(NULL) && ag_fail(NULL, "nothing"));
    ag_input(tape, AG_SHAPE(2), NULL);
    check_error(tape, "input: the data is NULL");
    ag_tape_reset(tape);
    ag_wrap(tape, AG_SHAPE(2), NULL);
    check_error(tape, "wrap: the data is NULL");
    ag_tape_reset(tape);
    ag_on_tape(tape, NULL);
    check_error(tape, "on_tape: input 0 is NULL");
    ag_tape_free(tape);
}

Test(tape, refuses_what_is_no_shape)
{
    ag_tape       *tape = ag_tape_new(0);
    const ag_shape bad[] = {AG_SHAPE(0), AG_SHAPE(2, -1), AG_SHAPE(1, 1, 1, 1, 1, 1, 1, 1, 1),
                            AG_SHAPE(1LL << 40, 1LL << 40)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ag_tape_reset(tape);
        ag_zeros(tape, bad[i]);
        check_error(tape, "is no shape");
        cr_assert(!ag_parameter_new(bad[i]));
    }
    ag_tape_reset(tape);
    ag_zeros(tape, AG_SHAPE(1LL << 50));
    check_error(tape, SIZE_MAX > UINT32_MAX ? "out of memory" : "is no shape");
    ag_shape scalar = AG_SCALAR;
    cr_assert(ag_numel(&scalar) == 1);
    ag_tape_free(tape);
}

Test(tape, a_failure_after_backward_stops_the_step)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *x = ag_requires_grad(ag_ones(tape, AG_SHAPE(2)));
    cr_assert(ag_backward(ag_sum(x, AG_ALL, false)) && ag_backward_done(tape));
    ag_add(x, ag_ones(tape, AG_SHAPE(3)));
    cr_assert(!ag_backward_done(tape));
    ag_tape_free(tape);
}

Test(tape, an_op_may_give_an_input_no_gradient)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *w = ag_parameter_new(AG_SHAPE(4, 3)), *i = ag_requires_grad(ag_ones(tape, AG_SHAPE(2)));
    ag_tensor *unused = ag_scale(i, 1);
    cr_assert(ag_backward(ag_sum(ag_embedding(unused, w), AG_ALL, false)));
    cr_assert(!unused->grad && !i->grad && (double)w->grad[3] == 2);
    ag_parameter_free(w), ag_tape_free(tape);
}

/* Sizes whose bytes a 32-bit size_t does not hold: refused, or all there. */
Test(tape, sizes_do_not_overflow)
{
    for (int64_t n = 1 << 26; n <= 1 << 30 && !SANITIZED; n *= 2) {
        ag_tensor *p = ag_parameter_new(AG_SHAPE(n));
        if (!p)
            continue;
        p->data[0] = p->data[n - 1] = 1;
        ag_parameter_free(p);
    }
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *few = ag_ones(tape, AG_SHAPE(1, 1)), *many = ag_expand(few, AG_SHAPE(1 << 20, 1 << 20));
    cr_assert(many && ag_error(tape));
    ag_tape_free(tape);
}

Test(tape, item_of_many_is_nan)
{
    ag_tape *tape = ag_tape_new(0);
    cr_assert(isnan(ag_item(ag_ones(tape, AG_SHAPE(2)))) && ag_item(ag_ones(tape, AG_SHAPE(1, 1))) == 1);
    ag_tape_free(tape);
}

Test(tape, poison_is_nan_again_after_reset)
{
    ag_tape *tape = ag_tape_new(0);
    ag_fail(tape, "one")->data[0] = 5;
    ag_tape_reset(tape);
    cr_assert(isnan((double)ag_fail(tape, "two")->data[0]));
    ag_tape_free(tape);
}

Test(tape, poison_of_the_last_pass_is_refused)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *kept = ag_fail(tape, "one");
    ag_tape_reset(tape);
    ag_tensor *sum = ag_add(ag_ones(tape, AG_SCALAR), kept);
    cr_assert(ag_tensor_error(sum) && strstr(ag_error(tape), "a tensor of a pass that ag_tape_reset has ended"), "%s",
              ag_error(tape));
    ag_tape_free(tape);
}

/* As PyTorch's users do, who fill what they have just made. */
Test(tape, tensors_of_a_failed_pass_may_be_written_to)
{
    ag_tape *tape = ag_tape_new(0);
    ag_fail(tape, "one");
    ag_tensor *made[] = {ag_empty(tape, AG_SHAPE(2000)), ag_zeros(tape, AG_SHAPE(2000))};
    for (int i = 0; i < 2; i++)
        memset(made[i]->data, 0, 2000 * sizeof(ag_real));
    ag_real    own[3] = {1, 2, 3};
    ag_tensor *wrapped = ag_wrap(tape, AG_SHAPE(3), own);
    cr_assert(wrapped->data == own && own[2] == 3 && ag_tensor_error(wrapped));
    cr_assert(!strcmp(ag_error(tape), "one") && ag_tensor_error(made[0]) && isnan(ag_item(ag_ones(tape, AG_SCALAR))));
    ag_written(ag_zeros(NULL, AG_SCALAR));
    ag_tape_free(tape);
}

/* ---- Memory. ---- */

static ag_tensor *some_work(ag_tape *tape, ag_tensor *p)
{
    ag_tensor *x = random_input(tape, AG_SHAPE(64, 32), 3);
    return ag_mean(ag_square(ag_tanh(ag_linear(ag_dropout(x, 0.1), p, NULL))), AG_ALL, false);
}

Test(tape, a_warm_pass_calls_no_malloc)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *p = ag_parameter_new(AG_SHAPE(16, 32));
    fill_random(p, 1);
    for (int pass = 0; pass < 3; pass++) {
        if (pass == 1)
            malloc_watch(-1);
        ag_tape_reset(tape);
        cr_assert(ag_backward(some_work(tape, p)));
    }
    long made = malloc_unwatch();
    cr_assert(made == 0, "%ld calls", made);
    ag_parameter_free(p);
    ag_tape_free(tape);
}

Test(tape, arena_keeps_its_blocks)
{
    ag_arena a = {0};
    for (int pass = 0; pass < 3; pass++) {
        size_t before = ag__arena_bytes(&a);
        for (size_t i = 1; i < 60; i++) {
            char *p = ag__arena_alloc(&a, i * 7919);
            cr_assert(p && (uintptr_t)p % 64 == 0);
            memset(p, (int)i, i * 7919);
        }
        cr_assert(pass == 0 || ag__arena_bytes(&a) == before);
        ag__arena_reset(&a);
    }
    cr_assert(!ag__arena_alloc(&a, SIZE_MAX) && !ag__arena_alloc(&a, SIZE_MAX / 2));
    ag__arena_free(&a);
    cr_assert(ag__arena_bytes(&a) == 0);
}

Test(tape, arena_loses_no_block)
{
    ag_arena a = {0};
    ag__arena_alloc(&a, 600000), ag__arena_alloc(&a, 600000);
    size_t before = ag__arena_bytes(&a);
    ag__arena_reset(&a);
    ag__arena_alloc(&a, 600000), ag__arena_alloc(&a, 5000000);
    cr_assert(ag__arena_bytes(&a) >= before + 5000000);
    ag__arena_free(&a);
}

Test(tape, random_state_can_be_repeated)
{
    ag_tape *tape = ag_tape_new(5);
    ag_rng   state = *ag_tape_rng(tape);
    ag_real  first[8];
    memcpy(first, ag_randn(tape, AG_SHAPE(8))->data, sizeof first);
    cr_assert(memcmp(first, ag_randn(tape, AG_SHAPE(8))->data, sizeof first) != 0);
    *ag_tape_rng(tape) = state;
    cr_assert(memcmp(first, ag_randn(tape, AG_SHAPE(8))->data, sizeof first) == 0);
    ag_tape_free(tape);
}
