/* The details of module trees, optimizers and initialisers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/nn.h"
#include "tests/test.h"

static bool refused(nn_optimizer *o)
{
    bool bad = nn_optimizer_error(o) != NULL;
    nn_optimizer_free(o);
    return bad;
}
Test(details, optimizers_refuse_each_bad_option)
{
    nn_module *m = nn_linear(2, 2);
    cr_assert(refused(nn_adam(m, (nn_adam_options){.lr = 1, .weight_decay = -1})));
    cr_assert(refused(nn_adam(m, (nn_adam_options){.lr = 1, .initial_exp_avg_sq = -1})));
    cr_assert(refused(nn_adam(m, (nn_adam_options){.lr = 1, .eps = -1})) &&
              refused(nn_adam(m, nn_adam_defaults(INFINITY))));
    cr_assert(refused(nn_rmsprop(m, (nn_rmsprop_options){.lr = 1, .momentum = -1})));
    cr_assert(refused(nn_sgd(m, (nn_sgd_options){.lr = 1, .momentum = 0.9, .dampening = 0.1, .nesterov = true})));
    cr_assert(refused(nn_sgd(m, (nn_sgd_options){.lr = 1, .momentum = -0.9})) &&
              refused(nn_sgd(m, (nn_sgd_options){.lr = 1, .weight_decay = -1})));
    cr_assert(refused(nn_adagrad(m, (nn_adagrad_options){.lr = 1, .weight_decay = -1})) &&
              refused(nn_adagrad(m, (nn_adagrad_options){.lr = 1, .initial_accumulator = -1})));
    nn_optimizer *o = nn_sgd(m, nn_sgd_defaults(1));
    cr_assert(!nn_set_lr(o, INFINITY) && !nn_set_lr(o, NAN) && nn_lr(o) == 1);
    cr_assert(isnan(nn_step_lr(0.1, -1, 4, 0.5)) && isnan(nn_warmup_lr(0.1, -1, 5, 0)) &&
              isnan(nn_cosine_lr(0.1, 1, 0, 0)));
    nn_optimizer_free(o), nn_module_free(m);
}

Test(details, the_norm_of_a_long_vector)
{
    nn_module *m = nn_linear_without_bias(5000, 1);
    ag_tensor *w = nn_parameter_named(m, "weight");
    w->grad = w->grad_buffer;
    w->grad[0] = 3, w->grad[4999] = 4;
    cr_assert(fabs(nn_clip_grad_norm(m, 10) - 5) < 1e-6);
    nn_module_free(m);
}

Test(details, trees_refuse)
{
    ag_tape   *tape = ag_tape_new(0);
    nn_module *m = nn_dropout(1.5), *un = nn_unflatten(AG_SHAPE(1, 1, 1, 1, 1, 1, 1, 2));
    cr_assert(nn_error(m) && strstr(nn_error(m), "probability 1.5"));
    nn_module_free(m);
    nn_set_ready(un);
    nn_forward(un, ag_ones(tape, AG_SHAPE(2, 2)));
    check_error(tape, "Unflatten: the last axis of (2, 2)");
    nn_module_free(un);
    nn_module *child = nn_relu(), *s = nn_sequential(child);
    nn_module_free(child); /* has a parent: stays */
    nn_set_ready(s);
    ag_tape_reset(tape);
    cr_assert(!ag_tensor_error(nn_forward(s, ag_ones(tape, AG_SHAPE(2)))));
    nn_add_child(s, "0", nn_relu());
    cr_assert(nn_error(s) && strstr(nn_error(s), "the name 0 is taken"));
    nn_module_free(s);
    char name[65];
    memset(name, 'n', 64), name[64] = '\0';
    s = nn_sequential(nn_relu());
    nn_add_child(s, name, nn_relu());
    cr_assert(nn_error(s) && strstr(nn_error(s), "is no name"));
    nn_module_free(s);
    s = nn_relu();
    nn_add_child(s, "me", s);
    cr_assert(s->first_child == NULL && nn_error(s));
    nn_module_free(s);
    ag_tape_free(tape);
}

typedef struct counted {
    nn_module  base;
    ag_tensor *w, *calls, *more;
} counted;

static ag_tensor *counted_forward(nn_module *m, ag_tensor *x)
{
    return ag_mul(x, ((counted *)m)->w);
}

static const nn_type counted_type = {"Counted", sizeof(counted), counted_forward, NULL, NULL};

Test(details, buffers_and_unused_parameters)
{
    counted *c = nn_new(&counted_type);
    NN_PARAMETER(c, w, AG_SHAPE(2));
    NN_BUFFER(c, calls, AG_SHAPE(7));
    NN_BUFFER(c, more, AG_SHAPE(7));
    nn_module *unused = nn_linear(2, 2), *m = nn_sequential(&c->base, nn_sequential(unused));
    nn_reset_parameters(m, 1);
    nn_set_requires_grad(m, false), nn_set_requires_grad(m, true);
    cr_assert(c->w->needs_grad && !c->calls->needs_grad);
    ag_tape      *tape = ag_tape_new(0);
    nn_optimizer *o = nn_adam(m, nn_adam_defaults(0.1));
    cr_assert(ag_backward(ag_sum(nn_forward(&c->base, ag_ones(tape, AG_SHAPE(2))), AG_ALL, false)));
    uint64_t before = nn_fingerprint(unused);
    cr_assert(nn_step(o, tape) && nn_fingerprint(unused) == before && (double)c->w->data[0] < 0);
    char  text[4096] = "";
    FILE *f = tmpfile();
    cr_assert(nn_summary(f, &c->base, AG_SHAPE(2)));
    rewind(f);
    cr_assert(fread(text, 1, sizeof text - 1, f) > 0 && !strstr(text, " 16\n") && strstr(text, " 2\ntotal"), "%s",
              text);
    fclose(f), nn_optimizer_free(o), nn_module_free(m), ag_tape_free(tape);
}

Test(details, fingerprints_and_seeds)
{
    nn_module *a = nn_sequential(nn_linear(2, 2)), *b = nn_sequential(nn_relu(), nn_linear(2, 2));
    nn_module *c = nn_linear_without_bias(2, 3), *d = nn_linear_without_bias(3, 2);
    nn_reset_parameters(a, 1), nn_reset_parameters(b, 1);
    cr_assert(nn_fingerprint(a) != nn_fingerprint(b), "names");
    cr_assert(nn_fingerprint(c) != nn_fingerprint(d), "shapes"); /* both are zeros yet */
    uint64_t one = nn_fingerprint(a);
    nn_reset_parameters(a, 2);
    cr_assert(nn_fingerprint(a) != one);
    nn_reset_parameters(a, 1);
    cr_assert(nn_fingerprint(a) == one);
    nn_module_free(a), nn_module_free(b), nn_module_free(c), nn_module_free(d);
}

Test(details, initialisers, .timeout = 10)
{
    ag_rng     one = {3, 0}, two = {3, 0};
    ag_tensor *v = ag_parameter_new(AG_SHAPE(30, 20)), *w = ag_parameter_new(AG_SHAPE(30, 20)),
              *k = ag_parameter_new(AG_SHAPE(2, 3, 4, 5));
    cr_assert(nn_fan_of(k, NN_FAN_IN) == 60 && nn_fan_of(k, NN_FAN_OUT) == 40);
    nn_init_xavier_uniform(v, 1, &one), nn_init_xavier_uniform(w, 2, &two);
    cr_assert((double)w->data[7] == 2 * (double)v->data[7]);
    nn_init_xavier_normal(v, 1, &one), nn_init_xavier_normal(w, 2, &two);
    cr_assert((double)w->data[7] == 2 * (double)v->data[7]);
    cr_assert(!nn_init_truncated_normal(w, 0, 1, 0.5, 0.5, &one));
    ag_parameter_free(v), ag_parameter_free(w), ag_parameter_free(k);
}

Test(details, summary_of_many_modules)
{
    nn_module *s[600];
    for (int i = 0; i < 600; i++)
        s[i] = nn_relu();
    nn_module *m = nn_sequential_of(600, s);
    nn_set_ready(m);
    FILE *f = tmpfile();
    cr_assert(nn_summary(f, m, AG_SHAPE(2)));
    fclose(f), nn_module_free(m);
}

/* Three steps of Adam with a constant gradient of 1 and lr 1 go to -1, -2, -3: torch.optim.Adam's rounding of 1 - beta.
 */
Test(details, adam_rounds_as_pytorch)
{
    nn_module    *m = nn_linear_without_bias(1, 1);
    ag_tensor    *w = nn_parameter_named(m, "weight");
    nn_optimizer *o = nn_adam(m, nn_adam_defaults(1));
    ag_tape      *tape = ag_tape_new(0);
    for (int step = 1; step <= 3; step++) {
        ag_tape_reset(tape);
        nn_zero_grad(m);
        cr_assert(ag_backward(ag_sum(ag_on_tape(tape, w), AG_ALL, false)) && nn_step(o, tape));
        cr_assert(fabs((double)w->data[0] + step) < 1e-6 * step, "%.9g", (double)w->data[0]);
    }
    nn_optimizer_free(o), nn_module_free(m), ag_tape_free(tape);
}
