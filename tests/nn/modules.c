/* Modules: every layer's gradients, the tree and its names, errors, a user's own module. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/kernels/workspace.h"
#include "models/vae.h"
#include "nn/nn.h"
#include "tests/support/layers.h"
#include "tests/support/malloc.h"
#include "tests/support/samples.h"
#include "tests/test.h"

/* ---- Every layer has a sample, by which its gradients are checked. ---- */

enum { MOST_PARAMETERS = 16 };

Test(modules, each_layer_has_a_sample)
{
    char *text = read_text("nn/layers.h"), name[64];
    int   found = 0;
    cr_assert(text);
    for (const char *at = text; (at = next_name(at, "\nnn_module *nn_", name, sizeof name)); found++) {
        bool listed = false;
        for (int i = 0; i < layer_sample_count; i++)
            listed |= !strcmp(layer_samples[i].name, name);
        cr_expect(listed, "nn_%s has no sample in tests/support/layers.c", name);
    }
    cr_assert(found >= 15);
    free(text);
}

typedef struct parameter_list {
    ag_tensor *in[MOST_PARAMETERS];
    int        n;
} parameter_list;

static bool collect(void *context, const char *name, nn_parameter *p)
{
    parameter_list *l = context;
    (void)name;
    l->in[l->n++] = p->tensor;
    return l->n < MOST_PARAMETERS;
}

/* Input 0 is the layer's; the parameters are found by the layer itself. */
static ag_tensor *run_layer(void *context, ag_tape *tape, ag_tensor *const *in)
{
    return nn_forward(context, ag_on_tape(tape, in[0]));
}

#ifdef AG_DOUBLE
#define GRADCHECK(f, context, n, in) ag_gradcheck(f, context, n, in, 1e-5, 1e-6)
#else
#define GRADCHECK(f, context, n, in) ag_gradcheck(f, context, n, in, 1e-2, 1e-1)
#endif

Test(modules, gradients)
{
    for (int i = 0; i < layer_sample_count; i++) {
        nn_module *m = layer_samples[i].make();
        cr_assert(!nn_error(m), "%s", nn_error(m));
        nn_reset_parameters(m, 3);
        parameter_list l = {{ag_parameter_new(ag_shape_of(layer_samples[i].rank, layer_samples[i].dim))}, 1};
        fill_random(l.in[0], (uint64_t)i);
        if (layer_samples[i].is_index) {
            nn_init_constant(l.in[0], 2);
            l.in[0]->needs_grad = false;
        }
        nn_visit(m, collect, &l);
        ag_gradcheck_result r = GRADCHECK(run_layer, m, l.n, l.in);
        cr_expect(r.ok, "%s: %s", layer_samples[i].name, r.message);
        ag_parameter_free(l.in[0]);
        nn_module_free(m);
    }
}

#ifdef AG_DOUBLE
static ag_tensor *run_vae(void *context, ag_tape *tape, ag_tensor *const *in)
{
    ag_tensor *x = ag_on_tape(tape, in[0]);
    return vae_loss(vae_forward(context, x), ag_sigmoid(x), 0.7).total;
}

Test(modules, vae_gradients)
{
    vae *m = vae_new((vae_config){6, 5, 2});
    cr_assert(m && !nn_error(&m->base));
    nn_reset_parameters(&m->base, 1);
    parameter_list l = {{ag_parameter_new(AG_SHAPE(3, 6))}, 1};
    fill_random(l.in[0], 5);
    nn_visit(&m->base, collect, &l);
    cr_assert(l.n == 11);
    ag_gradcheck_result r = GRADCHECK(run_vae, m, l.n, l.in);
    cr_assert(r.ok, "%s", r.message);
    ag_parameter_free(l.in[0]);
    nn_module_free(&m->base);
}
#endif

/* ---- Batch norm's running statistics: momentum 0.1, the unbiased variance; nothing moves in evaluation. ---- */

Test(modules, batch_norm_statistics)
{
    static const ag_real x[] = {1, 10, 2, 20, 4, 60}; /* means 7/3, 30; unbiased variances 7/3, 700 */
    nn_module           *m = nn_batch_norm1d(2);
    ag_tape             *tape = ag_tape_new(0);
    nn_reset_parameters(m, 0);
    for (int pass = 0; pass < 2; pass++) { /* the second in evaluation */
        ag_tape_reset(tape);
        ag_set_training(tape, pass == 0);
        ag_tensor *y = nn_forward(m, ag_input(tape, AG_SHAPE(3, 2), x));
        check_close("running_mean", 2, nn_parameter_named(m, "running_mean")->data, (double[]){0.7 / 3, 3}, 1e-6);
        check_close("running_var", 2, nn_parameter_named(m, "running_var")->data, (double[]){0.9 + 0.7 / 3, 70.9},
                    1e-6);
        check_close("count", 1, nn_parameter_named(m, "num_batches_tracked")->data, (double[]){1}, 0);
        double first = pass == 0 ? (1 - 7.0 / 3) / sqrt(14.0 / 9 + 1e-5) : (1 - 0.7 / 3) / sqrt(0.9 + 0.7 / 3 + 1e-5);
        check_close("y", 1, y->data, &first, 1e-5);
    }
    ag_tape_reset(tape);
    nn_forward(m, ag_ones(tape, AG_SHAPE(2, 2, 2, 2)));
    check_error(tape, "BatchNorm1d: input (2, 2, 2, 2), expected 2 or 3 dimensions");
    cr_assert(nn_count(m) == 4);
    nn_module_free(m);
    ag_tape_free(tape);
}

/* ---- A module of a user's own: y = scale * x + W x, with a parameter, a buffer and a child. ---- */

typedef struct residual {
    nn_module  base;
    ag_tensor *scale, *calls;
    nn_module *inner;
} residual;

static ag_tensor *residual_forward(nn_module *m, ag_tensor *x)
{
    residual *r = (residual *)m;
    r->calls->data[0] += 1;
    return ag_add(ag_mul(x, r->scale), nn_forward(r->inner, x));
}

static void residual_reset(nn_module *m, ag_rng *rng)
{
    (void)rng;
    nn_init_constant(((residual *)m)->scale, 1);
}

static const nn_type residual_type = {"Residual", sizeof(residual), residual_forward, residual_reset, NULL};

static nn_module *residual_new(int64_t n)
{
    residual *r = nn_new(&residual_type);
    if (!r)
        return nn_failed("Residual", "out of memory");
    NN_PARAMETER(r, scale, AG_SHAPE(n));
    NN_BUFFER(r, calls, AG_SHAPE(1));
    NN_CHILD(r, inner, nn_linear_without_bias(n, n));
    return &r->base;
}

static bool append_name(void *context, const char *name, nn_parameter *p)
{
    (void)p;
    strcat(strcat(context, name), " ");
    return true;
}

Test(modules, a_users_module)
{
    char       names[256] = "";
    nn_module *m = nn_sequential(nn_linear(4, 4), residual_new(4));
    nn_reset_parameters(m, 1);
    nn_visit(m, append_name, names);
    cr_assert(!strcmp(names, "0.weight 0.bias 1.scale 1.calls 1.inner.weight "), "%s", names);
    cr_assert(nn_count(m) == 16 + 4 + 4 + 16, "a buffer is not counted");
    cr_assert(nn_parameter_named(m, "1.inner.weight") && !nn_parameter_named(m, "1.inner") &&
              !nn_parameter_named(m, NULL));
    parameter_list l = {{ag_parameter_new(AG_SHAPE(2, 4)), nn_parameter_named(m, "1.scale")}, 2};
    fill_random(l.in[0], 5);
    ag_gradcheck_result r = GRADCHECK(run_layer, m, l.n, l.in);
    cr_assert(r.ok, "%s", r.message);
    nn_set_requires_grad(m, false);
    ag_tape *tape = ag_tape_new(0);
    cr_assert(!ag_backward(ag_sum(nn_forward(m, ag_ones(tape, AG_SHAPE(1, 4))), AG_ALL, false)));
    ag_tape_free(tape);
    ag_parameter_free(l.in[0]);
    nn_module_free(m);
}

/* ---- What goes wrong is said. ---- */

static void check_module_error(nn_module *m, const char *part)
{
    cr_assert(m && nn_error(m) && strstr(nn_error(m), part), "\"%s\", expected \"%s\"", m ? nn_error(m) : "NULL", part);
    nn_module_free(m);
}

Test(modules, errors_reach_the_root)
{
    check_module_error(nn_linear(0, 4), "Linear: 0 to 4 features, expected at least 1 each");
    check_module_error(nn_linear(1LL << 40, 1LL << 40), "no shape");
    check_module_error(nn_dropout(-0.1), "Dropout: probability -0.1, expected 0 to 1");
    check_module_error(nn_unflatten(AG_SHAPE(0)), "Unflatten: ");
    check_module_error(nn_sequential(nn_relu(), nn_sequential(nn_linear(3, -1))), "Linear: 3 to -1");
    check_module_error(nn_sequential(nn_relu(), NULL), "module 1 is NULL");
    cr_assert(nn_error(NULL));
    nn_module *twice = nn_relu(), *first = nn_sequential(twice);
    check_module_error(nn_sequential(twice), "already has a parent");
    nn_module_free(first);
    nn_module *leaf = nn_relu(), *inner = nn_sequential(leaf), *outer = nn_sequential(inner);
    cr_assert(nn_add_child(inner, "loop", outer) && nn_error(outer), "a cycle");
    check_module_error(nn_sequential(leaf, leaf), "already has a parent");
    nn_module_free(outer);
    nn_module *deep = nn_relu();
    for (int level = 0; level < 40; level++)
        deep = nn_sequential(deep);
    check_module_error(deep, "more than 32 levels");
    residual *r = nn_new(&residual_type);
    NN_PARAMETER(r, scale, AG_SHAPE(2));
    cr_assert(!nn_add_parameter(&r->base, "scale", AG_SHAPE(3)) &&
              strstr(nn_error(&r->base), "the name scale is taken"));
    cr_assert(!nn_add_parameter(&r->base, "a.b", AG_SHAPE(3)) && !nn_add_parameter(&r->base, "", AG_SHAPE(3)));
    nn_module_free(&r->base);
    nn_module_free(NULL);
    cr_assert(!nn_new(NULL) && nn_count(NULL) == 0 && !nn_visit(NULL, collect, NULL));
    nn_reset_parameters(NULL, 0), nn_set_ready(NULL), nn_zero_grad(NULL);
}

Test(modules, forward_refuses)
{
    ag_tape   *tape = ag_tape_new(0);
    nn_module *m = nn_linear(784, 400), *broken = nn_linear(0, 1), *un = nn_unflatten(AG_SHAPE(2, 3));
    nn_forward(m, ag_ones(tape, AG_SHAPE(2, 784)));
    check_error(tape, "Linear: the parameters have no values yet: call nn_reset_parameters");
    nn_reset_parameters(m, 0), nn_reset_parameters(un, 0);
    ag_tape_reset(tape);
    nn_forward(m, ag_ones(tape, AG_SHAPE(128, 20)));
    check_error(tape, "linear: input (128, 20) has 20 features, weight (400, 784) expects 784");
    ag_tape_reset(tape);
    nn_forward(broken, ag_ones(tape, AG_SHAPE(2, 2)));
    check_error(tape, "Linear: 0 to 1 features");
    ag_tape_reset(tape);
    nn_forward(NULL, ag_ones(tape, AG_SHAPE(2)));
    check_error(tape, "the module is NULL");
    ag_tape_reset(tape);
    nn_forward(un, ag_ones(tape, AG_SHAPE(2, 5)));
    check_error(tape, "Unflatten: the last axis of (2, 5) does not make (2, 3)");
    cr_assert(ag_tensor_error(nn_forward(m, NULL)));
    nn_module_free(m), nn_module_free(broken), nn_module_free(un);
    ag_tape_free(tape);
}

Test(modules, optimizers_refuse)
{
    ag_tape   *tape = ag_tape_new(0);
    nn_module *m = nn_linear(2, 2);
    nn_reset_parameters(m, 1);
    nn_optimizer *bad[] = {
        nn_adam(m, nn_adam_defaults(-1)),
        nn_adam(m, (nn_adam_options){.lr = 1, .beta1 = 1}),
        nn_sgd(m, (nn_sgd_options){.lr = 1, .nesterov = true}),
        nn_sgd(NULL, nn_sgd_defaults(1)),
        nn_adagrad(m, (nn_adagrad_options){.lr = 1, .eps = -1}),
        nn_rmsprop(m, (nn_rmsprop_options){.lr = 1, .alpha = 2}),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ag_tape_reset(tape);
        cr_assert(nn_optimizer_error(bad[i]) && !nn_step(bad[i], tape) && !nn_set_lr(bad[i], 1));
        check_error(tape, nn_optimizer_error(bad[i]));
        nn_optimizer_free(bad[i]);
    }
    nn_optimizer *o = nn_sgd(m, nn_sgd_defaults(0.1));
    uint64_t      before = nn_fingerprint(m);
    ag_tape_reset(tape);
    cr_assert(!nn_step(o, tape) && !nn_step(o, NULL) && !nn_step(NULL, tape));
    check_error(tape, "SGD: step refused: backward has not run");
    ag_tape_reset(tape);
    cr_assert(!ag_backward(ag_sum(nn_forward(m, ag_ones(tape, AG_SHAPE(1, 3))), AG_ALL, false)));
    cr_assert(!nn_step(o, tape) && nn_fingerprint(m) == before, "a failed pass changes nothing");
    cr_assert(!nn_set_lr(o, -1) && nn_set_lr(o, 0.5) && nn_lr(o) == 0.5);
    nn_optimizer_free(o), nn_optimizer_free(NULL);
    nn_module_free(m);
    ag_tape_free(tape);
}

Test(modules, initialisers_refuse)
{
    ag_rng     rng = {0, 0};
    ag_tensor *v = ag_parameter_new(AG_SHAPE(3)), *w = ag_parameter_new(AG_SHAPE(3, 2));
    cr_assert(!nn_init_constant(NULL, 1) && !nn_init_uniform(v, 2, 1, &rng) && !nn_init_uniform(v, 0, 1, NULL));
    cr_assert(!nn_init_normal(NULL, 0, 1, &rng) && !nn_init_normal(v, 0, -1, &rng));
    cr_assert(!nn_init_xavier_uniform(v, 1, &rng) && !nn_init_xavier_normal(v, 1, &rng));
    cr_assert(!nn_init_kaiming_uniform(v, 1, NN_FAN_IN, &rng) && !nn_init_kaiming_normal(NULL, 1, NN_FAN_IN, &rng));
    cr_assert(!nn_init_truncated_normal(w, 0, 1, 30, 31, &rng) && !nn_init_truncated_normal(w, 0, 0, -1, 1, &rng));
    cr_assert(!nn_init_truncated_normal(w, 0, 1, 3.9999, 4.001, &rng) &&
              nn_init_truncated_normal(w, 1e8, 1, 1e8 - 1, 1e8 + 1, &rng));
    cr_assert(!nn_init_normal(v, NAN, 1, &rng) && !nn_init_normal(v, 0, INFINITY, &rng) &&
              !nn_init_uniform(v, 0, INFINITY, &rng));
    cr_assert(!nn_init_default(v, NULL, &rng) && nn_fan_of(w, NN_FAN_OUT) == 3 && nn_fan_of(NULL, NN_FAN_IN) == 0);
    ag_parameter_free(v), ag_parameter_free(w);
}

/* What nn_summary prints of a model and an input. */
static char *summary_of(nn_module *m, ag_shape input)
{
    FILE *f = tmpfile();
    cr_assert(f && nn_summary(f, m, input));
    long size = ftell(f);
    rewind(f);
    char *text = calloc(1, (size_t)size + 1);
    cr_assert(text && fread(text, 1, (size_t)size, f) == (size_t)size);
    fclose(f);
    return text;
}

Test(modules, summary)
{
    FILE      *f = tmpfile();
    nn_module *m = nn_sequential(nn_linear(784, 64), nn_relu(), nn_dropout(0.25), nn_linear(64, 10));
    cr_assert(f && !nn_summary(f, m, AG_SHAPE(32, 784)), "before there are values");
    nn_reset_parameters(m, 0);
    cr_assert(!nn_summary(f, m, AG_SHAPE(32, 20)) && !nn_summary(f, NULL, AG_SHAPE(1)));
    char said[256] = "";
    rewind(f);
    cr_assert(fread(said, 1, sizeof said - 1, f) > 0 && strstr(said, "linear: input (32, 20)"), "%s", said);
    fclose(f);
    char *text = summary_of(m, AG_SHAPE(32, 784));
    cr_assert(strstr(text, "  0: Linear(784, 64)                     (32, 64)                    50240\n"), "%s", text);
    cr_assert(strstr(text, "  2: Dropout(0.25)") && strstr(text, "50890\n"), "%s", text);
    free(text);
    nn_module_free(m);
}

/* Arguments as PyTorch's constructors take them, the defaults left out; columns as wide as the longest. */
Test(modules, summary_says_the_options)
{
    const nn_conv_options all = {4, 8, {3, 5}, {2, 2}, {1, 2}, {1, 2}, {0, 0}, 2, true};
    nn_module            *m = nn_sequential(nn_conv2d(1, 4, 3, 1, 1), nn_conv2d_with(all), nn_max_pool2d(2, 0),
                                            nn_avg_pool2d_with((ag_pool_options){
                                                .kernel = {2, 2}, .stride = {1, 1}, .padding = {1, 1}, .exclude_pad = true}),
                                            nn_batch_norm2d_with(8, (nn_norm_options){.momentum = 0.2, .no_affine = true}),
                                            nn_group_norm(2, 8), nn_upsample_nearest2d(2), nn_adaptive_avg_pool2d(2, 3),
                                            nn_layer_norm(AG_SHAPE(2, 3)), nn_flatten());
    nn_reset_parameters(m, 0);
    char                    *text = summary_of(m, AG_SHAPE(2, 1, 20, 20));
    static const char *const lines[] = {
        "0: Conv2d(1, 4, kernel_size=3, padding=1)  ",
        "1: Conv2d(4, 8, kernel_size=(3, 5), stride=2, padding=(1, 2), groups=2, dilation=(1, 2), bias=False) (2, 8, ",
        "2: MaxPool2d(kernel_size=2)  ",
        "3: AvgPool2d(kernel_size=2, stride=1, padding=1, count_include_pad=False)  ",
        "4: BatchNorm2d(8, momentum=0.2, affine=False)  ",
        "5: GroupNorm(2, 8)  ",
        "6: Upsample(scale_factor=2)  ",
        "7: AdaptiveAvgPool2d(output_size=(2, 3))  ",
        "8: LayerNorm((2, 3))  "};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        cr_expect(strstr(text, lines[i]), "expected %s\n%s", lines[i], text);
    free(text);
    nn_module_free(m);
    const nn_conv_options d1 = {2, 3, {3}, {2}, {0}, {0}, {1}, 0, false};
    m = nn_sequential(nn_conv_transpose1d(d1), nn_max_pool1d(2, 1));
    nn_reset_parameters(m, 0);
    text = summary_of(m, AG_SHAPE(2, 2, 5));
    cr_expect(strstr(text, "0: ConvTranspose1d(2, 3, kernel_size=3, stride=2, output_padding=1) "), "%s", text);
    cr_expect(strstr(text, "1: MaxPool1d(kernel_size=2, stride=1) "), "%s", text);
    free(text);
    nn_module_free(m);
}

/* ---- Memory: every allocation of making and training a model fails in turn. ---- */

static bool train_one_step(void)
{
    vae          *m = vae_new((vae_config){12, 8, 3});
    nn_optimizer *o = nn_adam(m ? &m->base : NULL, nn_adam_defaults(1e-3));
    ag_tape      *tape = ag_tape_new(1);
    bool          ok = m && !nn_error(&m->base) && !nn_optimizer_error(o) && tape;
    nn_reset_parameters(m ? &m->base : NULL, 1);
    for (int step = 0; ok && step < 2; step++) {
        ag_tape_reset(tape);
        uint64_t   before = nn_fingerprint(&m->base);
        ag_tensor *x = ag_full(tape, AG_SHAPE(4, 12), 0.5);
        nn_zero_grad(&m->base);
        ag_backward(vae_loss(vae_forward(m, x), x, 1).total);
        ok = nn_step(o, tape);
        cr_assert(ok || (nn_fingerprint(&m->base) == before && ag_error(tape)), "a failed step changed the model");
    }
    ag_tape_free(tape);
    nn_optimizer_free(o);
    nn_module_free(m ? &m->base : NULL);
    return ok;
}

/* A layer that got no memory is a module all the same, whose error says so. */
Test(modules, every_allocation_of_a_layer_fails_in_turn)
{
    for (int i = 0; i < layer_sample_count; i++) {
        malloc_watch(-1);
        nn_module *m = layer_samples[i].make();
        const long all = malloc_unwatch();
        cr_assert(all > 0 && !nn_error(m), "%s: %s", layer_samples[i].name, nn_error(m));
        nn_module_free(m);
        for (long limit = 0; limit < all; limit++) {
            malloc_watch(limit);
            m = layer_samples[i].make();
            malloc_unwatch();
            cr_expect(nn_error(m) && strstr(nn_error(m), "out of memory"), "%s, allocation %ld of %ld: %s",
                      layer_samples[i].name, limit, all, nn_error(m));
            nn_module_free(m);
        }
    }
}

/* All but that of the workspace, without which products do as well: see kernels::products. */
Test(modules, every_allocation_of_a_step_fails_in_turn)
{
    cr_assert(agk_workspace());
    malloc_watch(-1);
    cr_assert(train_one_step());
    long all = malloc_unwatch();
    cr_assert(all > 20);
    for (long limit = 0; limit < all; limit++) {
        malloc_watch(limit);
        bool ok = train_one_step();
        malloc_unwatch();
        cr_assert(!ok, "allocation %ld of %ld failed unnoticed", limit, all);
    }
    cr_assert(train_one_step());
}
