#define _POSIX_C_SOURCE 200809L
#include "tests/support/runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

/* ---- One loss. ---- */

static bool plain_step(void *context, train_step *s)
{
    small_run  *r = context;
    train_batch b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *loss = ag_mse_loss(nn_forward(r->model, b.x), b.y, r->reduction);
    train_report(s, "loss", ag_scale(ag_detach(loss), r->reduction == AG_MEAN ? (double)b.n : 1));
    return train_minimize(s, loss, &r->optimizer[0]);
}

/* ---- Two losses. ---- */

ag_tensor *small_gan_d_loss(small_gan *m, ag_tensor *x)
{
    const int64_t n = x->shape.dim[0];
    ag_tensor    *fake = nn_forward(m->g, ag_randn(x->tape, AG_SHAPE(n, 3)));
    ag_tensor    *of_real = ag_bce_with_logits_loss(nn_forward(m->d, x), ag_full(x->tape, AG_SHAPE(n, 1), 1), AG_SUM);
    return ag_add(of_real,
                  ag_bce_with_logits_loss(nn_forward(m->d, fake), ag_full(x->tape, AG_SHAPE(n, 1), 0), AG_SUM));
}

ag_tensor *small_gan_g_loss(small_gan *m, ag_tape *tape, int64_t n)
{
    ag_tensor *fake = nn_forward(m->g, ag_randn(tape, AG_SHAPE(n, 3)));
    return ag_bce_with_logits_loss(nn_forward(m->d, fake), ag_full(tape, AG_SHAPE(n, 1), 1), AG_SUM);
}

static bool add_gradients(void *context, const char *name, nn_parameter *p)
{
    (void)name;
    for (int64_t i = 0; p->tensor->grad && i < ag_numel(&p->tensor->shape); i++)
        *(double *)context += fabs((double)p->tensor->grad[i]);
    return true;
}

static double gradients_of(nn_module *m)
{
    double sum = 0;
    nn_visit(m, add_gradients, &sum);
    return sum;
}

/* The gradient of each loss reaches one of the two, and leaves the other's as it was. */
static bool minimize_one(train_step *s, ag_tensor *loss, const train_optimizer *o, nn_module *other)
{
    const double before = gradients_of(other);
    bool         ok = train_minimize(s, loss, o);
    cr_assert(gradients_of(other) == before, "the gradient has reached the other part");
    cr_assert(!ok || train_is_test(s) || gradients_of(o->part) > 0, "the gradient has not reached its part");
    return ok;
}

static bool gan_step(void *context, train_step *s)
{
    small_run  *r = context;
    small_gan  *m = (small_gan *)r->model;
    train_batch b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *d_loss = small_gan_d_loss(m, b.x);
    train_report(s, "d_loss", d_loss);
    if (!minimize_one(s, d_loss, &r->optimizer[0], m->g) || !train_load(s, &b))
        return false;
    ag_tensor *g_loss = small_gan_g_loss(m, train_tape(s), b.n);
    train_report(s, "g_loss", g_loss);
    return minimize_one(s, g_loss, &r->optimizer[1], m->d);
}

static const nn_type gan_type = {.name = "GAN", .size = sizeof(small_gan)};

static nn_module *make_gan(void)
{
    small_gan *m = nn_new(&gan_type);
    cr_assert(m);
    NN_CHILD(m, g, nn_sequential(nn_linear(3, 5), nn_tanh(), nn_linear(5, 2)));
    NN_CHILD(m, d, nn_sequential(nn_linear(2, 5), nn_leaky_relu(0.2), nn_linear(5, 1)));
    return &m->base;
}

/* ---- Tokens: five words, and the next. ---- */

static bool token_step(void *context, train_step *s)
{
    small_run  *r = context;
    train_batch b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *logits = nn_forward(r->model, b.x), *loss = ag_cross_entropy_loss(logits, b.y, AG_MEAN);
    int64_t    right = 0;
    for (int64_t i = 0; i < b.n && !ag_error(train_tape(s)); i++) {
        const ag_real *row = logits->data + i * RUN_WORDS;
        int64_t        best = 0;
        for (int64_t k = 1; k < RUN_WORDS; k++)
            best = row[k] > row[best] ? k : best;
        right += best == (int64_t)b.y->data[i];
    }
    train_report(s, "loss", ag_scale(ag_detach(loss), (double)b.n));
    train_report_number(s, "accuracy", (double)right);
    return train_minimize(s, loss, &r->optimizer[0]);
}

/* ---- Three phases: the outer layer, the inner layer on its codes, then both. ---- */

typedef struct stack {
    nn_module  base;
    nn_module *outer, *inner; /* an encoder and a decoder each */
} stack;

static ag_tensor *encode(nn_module *pair, ag_tensor *x)
{
    return ag_tanh(nn_forward(pair->first_child, x));
}

static ag_tensor *decode(nn_module *pair, ag_tensor *h)
{
    return nn_forward(pair->first_child->next, h);
}

static bool stack_step(void *context, train_step *s)
{
    static const char *const metrics[] = {"outer", "inner", "both"};
    small_run               *r = context;
    const stack             *m = (stack *)r->model;
    const int                phase = train_step_phase(s);
    train_batch              b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *h = encode(m->outer, b.x), *wanted = phase == 1 ? ag_detach(h) : b.x;
    ag_tensor *back = phase == 0   ? decode(m->outer, h)
                      : phase == 1 ? decode(m->inner, encode(m->inner, wanted))
                                   : decode(m->outer, decode(m->inner, encode(m->inner, h)));
    ag_tensor *loss = ag_mse_loss(back, wanted, AG_SUM);
    train_report(s, metrics[phase], loss);
    if (phase == 2)
        train_report(s, "size", ag_sum(ag_abs(ag_detach(h)), AG_ALL, false));
    return train_minimize(s, loss, &r->optimizer[phase]);
}

static const nn_type stack_type = {.name = "Stack", .size = sizeof(stack)};

static nn_module *make_stack(void)
{
    stack *m = nn_new(&stack_type);
    cr_assert(m);
    NN_CHILD(m, outer, nn_sequential(nn_linear(RUN_FEATURES, 4), nn_linear(4, RUN_FEATURES)));
    NN_CHILD(m, inner, nn_sequential(nn_linear(4, 2), nn_linear(2, 4)));
    return &m->base;
}

/* ---- The runs. ---- */

static void make_data(small_run *r)
{
    enum { SEED = 5 };
    const int64_t nx = RUN_EXAMPLES * RUN_FEATURES, ny = RUN_EXAMPLES * RUN_TARGETS;
    ag_shape      x = AG_SHAPE(RUN_FEATURES), y = AG_SHAPE(RUN_TARGETS);
    ag_rng_uniform(&(ag_rng){SEED, 0}, nx, -1, 1, r->x);
    ag_rng_uniform(&(ag_rng){SEED, 1}, ny, -1, 1, r->y);
    if (r->kind == RUN_GAN)
        x = AG_SHAPE(2);
    if (r->kind == RUN_TOKENS) {
        x = AG_SHAPE(5);
        y = AG_SCALAR;
        for (int64_t i = 0; i < nx; i++)
            r->x[i] = (ag_real)(i * 7 % 5 + i % 7);
        for (int64_t i = 0; i < ny; i++)
            r->y[i] = (ag_real)(i * 3 % RUN_WORDS);
    }
    r->rows = r->test_rows = (train_rows){RUN_EXAMPLES, x, y, r->x, r->kind == RUN_GAN ? NULL : r->y};
    r->test_rows.count = RUN_TESTS;
    r->source = train_rows_source(&r->rows);
    r->test_source = train_rows_source(&r->test_rows);
}

static nn_module *make_reader(void)
{
    return nn_sequential(nn_embedding(RUN_WORDS, 3), nn_flatten(), nn_dropout(0.2), nn_linear(15, RUN_WORDS));
}

static void make_model(small_run *r)
{
    r->model = r->kind == RUN_GAN      ? make_gan()
               : r->kind == RUN_PHASES ? make_stack()
               : r->kind == RUN_TOKENS
                   ? make_reader()
                   : nn_sequential(nn_linear(RUN_FEATURES, 7), nn_tanh(), nn_linear(7, RUN_TARGETS));
    cr_assert(!nn_error(r->model), "%s", nn_error(r->model));
    nn_reset_parameters(r->model, 2);
}

static void set_phases(small_run *r)
{
    static train_step_fn *const steps[] = {plain_step, gan_step, token_step, stack_step};
    for (int i = 0; i < 3; i++)
        r->phase[i] = (train_phase){.name = "train",
                                    .train = &r->source,
                                    .test = &r->test_source,
                                    .batch = RUN_BATCH,
                                    .epochs = 2,
                                    .sum_loss = r->kind != RUN_TOKENS,
                                    .step = steps[r->kind]};
    r->plan.n_phases = 1;
    if (r->kind != RUN_PHASES)
        return;
    r->plan.n_phases = 3;
    r->phase[0].name = "outer", r->phase[1].name = "inner", r->phase[2].name = "both";
    r->phase[0].totals = true;
    r->phase[1].order = TRAIN_RANDOM, r->phase[1].batch = 20, r->phase[1].steps = 4;
    r->phase[2].order = TRAIN_BLOCKS, r->phase[2].test = NULL;
}

static void set_optimizers(small_run *r)
{
    small_gan *gan = (small_gan *)r->model;
    stack     *s = (stack *)r->model;
    r->plan.n_optimizers = r->kind == RUN_GAN ? 2 : r->kind == RUN_PHASES ? 3 : 1;
    if (r->kind == RUN_GAN) {
        r->optimizer[0] = (train_optimizer){"discriminator", gan->d, nn_adam(gan->d, nn_adam_defaults(0.01))};
        r->optimizer[1] = (train_optimizer){"generator", gan->g,
                                            nn_sgd(gan->g, (nn_sgd_options){.lr = 0.02, .momentum = 0.9})};
    } else if (r->kind == RUN_PHASES) {
        r->optimizer[0] = (train_optimizer){"outer", s->outer, nn_adam(s->outer, nn_adam_defaults(0.01))};
        r->optimizer[1] = (train_optimizer){"inner", s->inner, nn_rmsprop(s->inner, nn_rmsprop_defaults(0.01))};
        r->optimizer[2] = (train_optimizer){"both", NULL, nn_adam(r->model, nn_adam_defaults(0.003))};
    } else {
        r->optimizer[0] = (train_optimizer){"adam", r->model, nn_adam(r->model, nn_adam_defaults(0.01))};
    }
}

void small_run_open(small_run *r, run_kind kind)
{
    *r = (small_run){.kind = kind, .reduction = AG_SUM};
    make_data(r);
    make_model(r);
    set_phases(r);
    set_optimizers(r);
    r->plan.model = r->model;
    r->plan.optimizers = r->optimizer;
    r->plan.phases = r->phase;
    r->plan.context = r;
    r->plan.seed = 11;
    r->plan.observers = r->observers;
}

void small_run_close(small_run *r)
{
    for (int i = 0; i < r->plan.n_optimizers; i++)
        nn_optimizer_free(r->optimizer[i].optimizer);
    nn_module_free(r->model);
}

void small_run_optimize(small_run *r, nn_optimizer *o)
{
    nn_optimizer_free(r->optimizer[0].optimizer);
    r->optimizer[0].optimizer = o;
}

int64_t small_run_steps(const small_run *r)
{
    int64_t steps = 0;
    for (int i = 0; i < r->plan.n_phases; i++)
        steps += train_phase_steps(&r->plan, &r->phase[i]);
    return steps;
}

/* ---- Making one. ---- */

static _Thread_local int64_t steps_left; /* the plan's stop has no argument */

static bool stop(void)
{
    return steps_left-- == 0;
}

static void describe(const train_history *h, char *text, size_t size)
{
    size_t n = 0;
    for (int64_t i = 0; i < h->n; i++) {
        char *train = train_sums_text(&h->at[i].train), *test = train_sums_text(&h->at[i].test);
        if (n < size)
            n += (size_t)snprintf(text + n, size - n, "%d %lld | %s | %s\n", h->at[i].phase, (long long)h->at[i].epoch,
                                  train ? train : "", test ? test : "");
        free(train), free(test);
    }
}

void small_run_go(small_run *r, const char *checkpoint, const char *resume, int64_t steps, run_result *result)
{
    train_checkpoint c = {.path = checkpoint};
    train_observer   saver = train_checkpoint_observer(&c);
    train_run        run;
    nn_safetensors   file = {0};
    const int        observers = r->plan.n_observers;
    *result = (run_result){.status = TRAIN_FAILED};
    if (checkpoint)
        r->observers[r->plan.n_observers++] = &saver;
    r->plan.stop = stop;
    steps_left = steps;
    bool ok = train_run_init(&run, &r->plan, &result->why);
    ok = ok &&
         (!resume || (nn_safetensors_read(resume, &file, &result->why) && train_resume(&run, &file, &result->why)));
    if (ok)
        result->status = train_run_go(&run);
    if (ok && result->status == TRAIN_FAILED)
        result->why = run.error;
    describe(&run.history, result->history, sizeof result->history);
    result->weights = nn_fingerprint(r->model);
    train_run_free(&run);
    nn_safetensors_free(&file);
    r->plan.n_observers = observers;
}

void small_run_like(small_run *r, const train_plan *like)
{
    if (!like)
        return;
    r->plan.clip = like->clip;
    r->plan.schedule = like->schedule;
    r->plan.warmup = like->warmup;
    r->plan.accumulate = like->accumulate;
    r->plan.shards = like->shards;
}

void small_run_of(run_kind kind, const train_plan *like, const char *checkpoint, const char *resume, int64_t steps,
                  run_result *result)
{
    small_run r;
    small_run_open(&r, kind);
    small_run_like(&r, like);
    small_run_go(&r, checkpoint, resume, steps, result);
    small_run_close(&r);
}
