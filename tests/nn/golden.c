/* Optimizers, clipping, schedules, initial distributions and layers against PyTorch: tests/golden/nn.txt, made by
 * tests/golden/make_nn.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/nn.h"
#include "tests/test.h"

#ifdef AG_DOUBLE
#define TOLERANCE 1e-9
#else
#define TOLERANCE 2e-5
#endif

enum { P = 5, STEPS = 6 };

/* The file, read on to the line "KEY NAME". */
static FILE *open_at(const char *key, const char *name)
{
    char  line[4096], wanted[96];
    FILE *f = fopen("tests/golden/nn.txt", "r");
    cr_assert(f);
    snprintf(wanted, sizeof wanted, "%s%s%s\n", key, *name ? " " : "", name);
    while (fgets(line, sizeof line, f))
        if (!strcmp(line, wanted))
            return f;
    fclose(f);
    cr_assert(false, "no \"%s %s\" in nn.txt", key, name);
    return NULL;
}

static void read_row(FILE *f, int64_t n, double *row)
{
    for (int64_t i = 0; i < n; i++)
        cr_assert(fscanf(f, "%lf", &row[i]) == 1);
}

/* A module with one vector. */
typedef struct vector {
    nn_module  base;
    ag_tensor *weight;
} vector;

static const nn_type vector_type = {.name = "Vector", .size = sizeof(vector)};

static vector *vector_new(int64_t n)
{
    vector *v = nn_new(&vector_type);
    cr_assert(v);
    NN_PARAMETER(v, weight, AG_SHAPE(n));
    nn_set_ready(&v->base);
    return v;
}

/* ---- Optimizers. ---- */

static void check_optimizer(const char *name, nn_optimizer *(*make)(nn_module *m))
{
    double  start[P], grad[STEPS][P], wanted[P];
    ag_real g[P];
    FILE   *f = open_at("gradients", "");
    read_row(f, P, start);
    for (int t = 0; t < STEPS; t++)
        read_row(f, P, grad[t]);
    fclose(f);
    vector *v = vector_new(P);
    for (int i = 0; i < P; i++)
        v->weight->data[i] = (ag_real)start[i];
    nn_optimizer *o = make(&v->base);
    cr_assert(!nn_optimizer_error(o), "%s", nn_optimizer_error(o));
    ag_tape *tape = ag_tape_new(0);
    f = open_at("optimizer", name);
    for (int t = 0; t < STEPS; t++) {
        for (int i = 0; i < P; i++)
            g[i] = (ag_real)grad[t][i];
        ag_tape_reset(tape);
        nn_zero_grad(&v->base);
        cr_assert(ag_backward(ag_sum(ag_mul(ag_input(tape, AG_SHAPE(P), g), v->weight), AG_ALL, false)));
        cr_assert(nn_step(o, tape));
        read_row(f, P, wanted);
        check_close(name, P, v->weight->data, wanted, TOLERANCE);
    }
    fclose(f);
    ag_tape_free(tape);
    nn_optimizer_free(o);
    nn_module_free(&v->base);
}

#define OPTIMIZER(name, expression)                                                                                    \
    static nn_optimizer *make_##name(nn_module *m)                                                                     \
    {                                                                                                                  \
        return expression;                                                                                             \
    }                                                                                                                  \
    Test(golden, name)                                                                                                 \
    {                                                                                                                  \
        check_optimizer(#name, make_##name);                                                                           \
    }

OPTIMIZER(sgd, nn_sgd(m, nn_sgd_defaults(0.1)))
OPTIMIZER(sgd_decay, nn_sgd(m, (nn_sgd_options){.lr = 0.1, .weight_decay = 0.2}))
OPTIMIZER(sgd_momentum, nn_sgd(m, (nn_sgd_options){.lr = 0.1, .momentum = 0.9}))
OPTIMIZER(sgd_dampening, nn_sgd(m, (nn_sgd_options){.lr = 0.1, .momentum = 0.9, .dampening = 0.3, .weight_decay = 0.1}))
OPTIMIZER(sgd_nesterov, nn_sgd(m, (nn_sgd_options){.lr = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.1}))
OPTIMIZER(adam, nn_adam(m, nn_adam_defaults(0.1)))
OPTIMIZER(adam_options,
          nn_adam(m, (nn_adam_options){.lr = 0.05, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-3, .weight_decay = 0.3}))
OPTIMIZER(adam_initial_square,
          nn_adam(m, (nn_adam_options){.lr = 0.1, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .initial_exp_avg_sq = 1}))
OPTIMIZER(adamw, nn_adamw(m, nn_adamw_defaults(0.1)))
OPTIMIZER(adagrad, nn_adagrad(m, nn_adagrad_defaults(0.3)))
OPTIMIZER(adagrad_options,
          nn_adagrad(m, (nn_adagrad_options){.lr = 0.3, .initial_accumulator = 0.1, .eps = 0.01, .weight_decay = 0.2}))
OPTIMIZER(rmsprop, nn_rmsprop(m, nn_rmsprop_defaults(0.01)))
OPTIMIZER(
    rmsprop_options,
    nn_rmsprop(m, (nn_rmsprop_options){
                      .lr = 0.01, .alpha = 0.9, .eps = 1e-3, .weight_decay = 0.1, .momentum = 0.5, .centered = true}))

/* ---- Clipping and schedules. ---- */

static void check_clip(const char *name, double max)
{
    static const ag_real before[] = {1, -2, (ag_real)0.5, (ag_real)0.25, 3};
    double               wanted[1 + P];
    nn_module           *both = nn_sequential(&vector_new(3)->base, &vector_new(2)->base);
    ag_tensor           *a = nn_parameter_named(both, "0.weight"), *b = nn_parameter_named(both, "1.weight");
    a->grad = a->grad_buffer, b->grad = b->grad_buffer;
    memcpy(a->grad, before, 3 * sizeof *before);
    memcpy(b->grad, before + 3, 2 * sizeof *before);
    FILE *f = open_at("clip", name);
    read_row(f, 1 + P, wanted);
    fclose(f);
    if (!strcmp(name, "value"))
        nn_clip_grad_value(both, max);
    else
        cr_assert(fabs(nn_clip_grad_norm(both, max) - wanted[0]) < 1e-5);
    check_close(name, 3, a->grad, wanted + 1, TOLERANCE);
    check_close(name, 2, b->grad, wanted + 4, TOLERANCE);
    nn_module_free(both);
}

Test(golden, clipping)
{
    check_clip("norm", 1.5);
    check_clip("norm_large", 100);
    check_clip("value", 0.7);
}

Test(golden, schedules)
{
    static const char *const names[] = {"step", "cosine", "warmup"};
    for (int k = 0; k < 3; k++) {
        FILE  *f = open_at("schedule", names[k]);
        double wanted[12];
        read_row(f, 12, wanted);
        fclose(f);
        for (int64_t t = 0; t < 12; t++) {
            double got = k == 0   ? nn_step_lr(0.1, t, 4, 0.5)
                         : k == 1 ? nn_cosine_lr(0.1, t, 10, 0.01)
                                  : nn_warmup_lr(0.1, t, 5, 0.25);
            cr_assert(fabs(got - wanted[t]) < 1e-9, "%s %d: %g, expected %g", names[k], (int)t, got, wanted[t]);
        }
    }
    cr_assert(isnan(nn_step_lr(0.1, 1, 0, 0.5)) && isnan(nn_cosine_lr(0.1, -1, 3, 0)) &&
              isnan(nn_warmup_lr(0.1, 1, 0, 0)));
}

/* ---- Initial distributions. ---- */

static void check_distribution(const char *name, const ag_tensor *t)
{
    double  wanted[3], mean = 0, variance = 0, most = 0;
    int64_t n = ag_numel(&t->shape);
    for (int64_t i = 0; i < n; i++) {
        mean += (double)t->data[i] / (double)n;
        most = most < fabs((double)t->data[i]) ? fabs((double)t->data[i]) : most;
    }
    for (int64_t i = 0; i < n; i++)
        variance += ((double)t->data[i] - mean) * ((double)t->data[i] - mean) / (double)n;
    FILE *f = open_at("init", name);
    read_row(f, 3, wanted);
    fclose(f);
    double slack = n > 1000 ? 0.02 : 0.15, extreme = strstr(name, "normal") && !strstr(name, "trunc") ? 0.35 : slack;
    cr_expect(fabs(mean - wanted[0]) <= slack * fmax(wanted[2], 1e-9), "%s: mean %g", name, mean);
    cr_expect(fabs(sqrt(variance) - wanted[1]) <= slack * wanted[1] + 1e-9, "%s: deviation %g, %g", name,
              sqrt(variance), wanted[1]);
    cr_expect(fabs(most - wanted[2]) <= extreme * wanted[2], "%s: largest %g, %g", name, most, wanted[2]);
}

Test(golden, initial_distributions)
{
    ag_rng     rng = {3, 0};
    ag_tensor *w = ag_parameter_new(AG_SHAPE(300, 200));
    cr_assert(nn_init_xavier_uniform(w, 1, &rng));
    check_distribution("xavier_uniform", w);
    cr_assert(nn_init_xavier_normal(w, 1, &rng));
    check_distribution("xavier_normal", w);
    cr_assert(nn_init_kaiming_uniform(w, sqrt(2), NN_FAN_IN, &rng));
    check_distribution("kaiming_uniform", w);
    cr_assert(nn_init_kaiming_normal(w, sqrt(2), NN_FAN_OUT, &rng));
    check_distribution("kaiming_normal", w);
    cr_assert(nn_init_truncated_normal(w, 0, 0.1, -0.2, 0.2, &rng));
    check_distribution("truncated_normal", w);
    cr_assert(nn_init_constant(w, 0.5));
    check_distribution("constant", w);
    ag_parameter_free(w);
    nn_module *linear = nn_linear(200, 300);
    nn_reset_parameters(linear, 1);
    check_distribution("default", nn_parameter_named(linear, "weight"));
    check_distribution("default_bias", nn_parameter_named(linear, "bias"));
    nn_module_free(linear);
}

/* ---- Layers. ---- */

typedef struct network_check {
    FILE   *file;
    double *row;
    bool    gradients; /* check them; else read the values */
} network_check;

static bool one_parameter(void *context, const char *name, nn_parameter *p)
{
    network_check *c = context;
    char           given[64];
    int64_t        n = ag_numel(&p->tensor->shape);
    long long      count;
    cr_assert(fscanf(c->file, "%63s %lld", given, &count) == 2 && !strcmp(given, name) && count == n,
              "parameter %s, PyTorch has %s", name, given);
    read_row(c->file, n, c->row);
    for (int64_t i = 0; !c->gradients && i < n; i++)
        p->tensor->data[i] = (ag_real)c->row[i];
    read_row(c->file, n, c->row);
    if (c->gradients)
        check_close(name, n, p->tensor->grad, c->row, 10 * TOLERANCE);
    return true;
}

Test(golden, a_network_of_all_layers)
{
    double     row[64];
    nn_module *net = nn_sequential(nn_linear(4, 6), nn_relu(), nn_linear_without_bias(6, 6), nn_leaky_relu(0.1),
                                   nn_linear(6, 6), nn_elu(0.7), nn_linear(6, 6), nn_gelu(), nn_linear(6, 6), nn_silu(),
                                   nn_linear(6, 6), nn_softplus(), nn_linear(6, 6), nn_sigmoid(), nn_linear(6, 6),
                                   nn_tanh(), nn_unflatten(AG_SHAPE(2, 3)), nn_softmax(-1), nn_flatten(),
                                   nn_dropout(0.5), nn_linear(6, 3), nn_log_softmax(-1));
    char       count[32];
    snprintf(count, sizeof count, "%lld", (long long)nn_count(net));
    network_check c = {open_at("network", count), row, false};
    cr_assert(nn_visit(net, one_parameter, &c));
    nn_set_ready(net);
    ag_tape *tape = ag_tape_new(0);
    ag_set_training(tape, false);
    ag_tensor *x = ag_zeros(tape, AG_SHAPE(5, 4)), *weight = ag_zeros(tape, AG_SHAPE(5, 3));
    cr_assert(fscanf(c.file, " input") == 0);
    read_row(c.file, 20, row);
    for (int i = 0; i < 20; i++)
        x->data[i] = (ag_real)row[i];
    for (int i = 0; i < 15; i++)
        weight->data[i] = (ag_real)i;
    ag_tensor *y = nn_forward(net, x);
    cr_assert(!ag_error(tape), "%s", ag_error(tape));
    cr_assert(fscanf(c.file, " output") == 0);
    read_row(c.file, 15, row);
    check_close("output", 15, y->data, row, TOLERANCE);
    cr_assert(ag_backward(ag_sum(ag_mul(y, weight), AG_ALL, false)));
    fclose(c.file);
    c = (network_check){open_at("network", count), row, true};
    cr_assert(nn_visit(net, one_parameter, &c));
    fclose(c.file);
    ag_tape_free(tape);
    nn_module_free(net);
}
