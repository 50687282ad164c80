/* The harness of models/train: runs of several optimizers, sources and phases, stopped after each step and resumed to
 * the same bits; observers; clipping, schedules, accumulation. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/observers.h"
#include "tests/support/runs.h"
#include "tests/support/samples.h"
#include "tests/test.h"

/* ---- Stopped after each step, and resumed. ---- */

static void check_same(const char *what, const run_result *got, const run_result *wanted)
{
    cr_assert(got->status == TRAIN_OK, "%s: %s", what, got->why.text);
    cr_assert(got->weights == wanted->weights, "%s: other weights", what);
    cr_assert(!strcmp(got->history, wanted->history), "%s: the history is\n%s, expected\n%s", what, got->history,
              wanted->history);
}

static void check_resumes(run_kind kind, const train_plan *like)
{
    run_result wanted, part, whole;
    small_run  r;
    char       path[256], what[64];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", scratch_folder());
    small_run_open(&r, kind);
    r.plan.accumulate = like ? like->accumulate : 0;
    const int64_t steps = small_run_steps(&r);
    small_run_close(&r);
    small_run_of(kind, like, NULL, NULL, -1, &wanted);
    cr_assert(wanted.status == TRAIN_OK && steps > 2, "%s", wanted.why.text);
    for (int64_t k = 0; k < steps; k++) {
        snprintf(what, sizeof what, "kind %d after step %d of %d", (int)kind, (int)k, (int)steps);
        small_run_of(kind, like, path, NULL, k, &part);
        cr_assert(part.status == TRAIN_STOPPED, "%s: %s", what, part.why.text);
        small_run_of(kind, like, NULL, path, -1, &whole);
        check_same(what, &whole, &wanted);
    }
    small_run_of(kind, like, path, NULL, -1, &whole);
    small_run_of(kind, like, NULL, path, -1, &part);
    check_same("nothing left to do", &part, &wanted);
}

Test(harness, resumes_every_kind_of_run_after_each_step)
{
    for (int kind = 0; kind < RUN_KINDS; kind++)
        check_resumes((run_kind)kind, NULL);
}

Test(harness, resumes_with_clip_schedule_warmup_accumulate)
{
    static const train_plan plans[] = {{.clip = 0.5},
                                       {.schedule = TRAIN_COSINE},
                                       {.schedule = TRAIN_LINEAR, .warmup = 4},
                                       {.schedule = TRAIN_STEPWISE},
                                       {.warmup = 5},
                                       {.accumulate = 2},
                                       {.accumulate = 4},
                                       {.clip = 1, .schedule = TRAIN_COSINE, .warmup = 2, .accumulate = 3}};
    enum { PLANS = sizeof plans / sizeof *plans };
    for (size_t i = 0; i < PLANS; i++)
        check_resumes(RUN_PLAIN, &plans[i]);
    check_resumes(RUN_GAN, &plans[PLANS - 1]);
    check_resumes(RUN_PHASES, &plans[PLANS - 1]);
}

Test(harness, refuses_to_resume_another_plan)
{
    char       path[256];
    run_result result;
    small_run  r;
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", scratch_folder());
    small_run_of(RUN_PLAIN, NULL, path, NULL, 3, &result);
    small_run_of(RUN_PHASES, NULL, NULL, path, -1, &result);
    cr_assert(result.status == TRAIN_FAILED && strstr(result.why.text, "1 phase"), "%s", result.why.text);
    small_run_of(RUN_TOKENS, NULL, NULL, path, -1, &result);
    cr_assert(result.status == TRAIN_FAILED && strstr(result.why.text, "other training examples"), "%s",
              result.why.text);
    small_run_open(&r, RUN_PLAIN);
    r.phase[0].batch = 4;
    small_run_go(&r, NULL, path, -1, &result);
    cr_assert(result.status == TRAIN_FAILED && strstr(result.why.text, "other batches"), "%s", result.why.text);
    small_run_close(&r);
    small_run_open(&r, RUN_PLAIN);
    r.optimizer[0].name = "other";
    small_run_go(&r, NULL, path, -1, &result);
    cr_assert(result.status == TRAIN_FAILED && *result.why.text, "the optimizer's name");
    small_run_close(&r);
}

/* Not the file's, which is the last that a schedule gave. */
Test(harness, a_resumed_run_has_the_learning_rate_of_its_plan)
{
    char             path[256];
    run_result       result;
    small_run        r;
    const train_plan like = {.schedule = TRAIN_LINEAR};
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", scratch_folder());
    small_run_of(RUN_PLAIN, &like, path, NULL, 5, &result);
    small_run_open(&r, RUN_PLAIN);
    small_run_optimize(&r, nn_adam(r.model, nn_adam_defaults(0.25)));
    small_run_go(&r, NULL, path, -1, &result);
    cr_assert(result.status == TRAIN_OK && fabs(nn_lr(r.optimizer[0].optimizer) - 0.25) < 1e-12, "%s", result.why.text);
    small_run_close(&r);
}

/* ---- By hand. ---- */

typedef ag_tensor *batch_fn(small_run *r, ag_tape *tape, const int64_t *index, int64_t n);

static ag_tensor *rows_of(const small_run *r, const ag_real *from, int64_t width, ag_tape *tape, const int64_t *index,
                          int64_t n)
{
    ag_tensor *t = ag_zeros(tape, AG_SHAPE(n, width));
    (void)r;
    for (int64_t i = 0; i < n; i++)
        memcpy(t->data + i * width, from + index[i] * width, (size_t)width * sizeof *from);
    return t;
}

static void step_by_hand(small_run *r, ag_tape *tape, ag_tensor *loss, int optimizer)
{
    nn_zero_grad(r->model);
    cr_assert(ag_backward(loss), "%s", ag_error(tape));
    if (r->plan.clip > 0)
        nn_clip_grad_norm(r->optimizer[optimizer].part, r->plan.clip);
    cr_assert(nn_step(r->optimizer[optimizer].optimizer, tape), "%s", ag_error(tape));
}

/* The same as the run without the harness. */
static uint64_t weights_by_hand(small_run *r)
{
    ag_tape   *tape = ag_tape_new(r->plan.seed);
    ds_batches b;
    cr_assert(ds_batches_init(&b, RUN_EXAMPLES, r->phase[0].batch, r->plan.seed));
    for (int64_t epoch = 0; epoch < r->phase[0].epochs; epoch++) {
        const int64_t *index;
        ds_batches_shuffle(&b, (uint64_t)(epoch + 1));
        for (int64_t n; (n = ds_batches_next(&b, &index)) > 0;) {
            ag_tape_reset(tape);
            if (r->kind == RUN_GAN) {
                small_gan *m = (small_gan *)r->model;
                step_by_hand(r, tape, small_gan_d_loss(m, rows_of(r, r->x, 2, tape, index, n)), 0);
                ag_tape_reset(tape);
                step_by_hand(r, tape, small_gan_g_loss(m, tape, n), 1);
            } else {
                ag_tensor *x = rows_of(r, r->x, RUN_FEATURES, tape, index, n),
                          *y = rows_of(r, r->y, RUN_TARGETS, tape, index, n);
                step_by_hand(r, tape, ag_mse_loss(nn_forward(r->model, x), y, AG_SUM), 0);
            }
        }
    }
    ds_batches_free(&b);
    ag_tape_free(tape);
    return nn_fingerprint(r->model);
}

Test(harness, equals_the_same_steps_by_hand)
{
    static const double clips[] = {0, 0.3};
    for (int kind = RUN_PLAIN; kind <= RUN_GAN; kind++)
        for (int i = 0; i < 2; i++) {
            small_run        r;
            run_result       result;
            const train_plan like = {.clip = clips[i]};
            small_run_of((run_kind)kind, &like, NULL, NULL, -1, &result);
            small_run_open(&r, (run_kind)kind);
            r.plan.clip = clips[i];
            cr_expect(weights_by_hand(&r) == result.weights, "kind %d, clip %g: other weights", kind, clips[i]);
            small_run_close(&r);
        }
}

/* ---- Accumulation: the gradients of N batches are averaged. ---- */

/* The weights after a run of RUN_PLAIN with plain gradient descent. */
static void descend(ag_reduction reduction, int64_t batch, int64_t accumulate, double lr, ag_real *weights,
                    double *loss)
{
    small_run  r;
    run_result result;
    small_run_open(&r, RUN_PLAIN);
    small_run_optimize(&r, nn_sgd(r.model, nn_sgd_defaults(lr)));
    r.reduction = reduction;
    r.phase[0].batch = batch;
    r.plan.accumulate = accumulate;
    small_run_go(&r, NULL, NULL, -1, &result);
    cr_assert(result.status == TRAIN_OK && sscanf(result.history, "0 1 | 48 loss=%lf", loss) == 1, "%s",
              result.why.text);
    memcpy(weights, nn_parameter_named(r.model, "0.weight")->data, 7 * RUN_FEATURES * sizeof *weights);
    small_run_close(&r);
}

/* Of a mean: two batches of 8 are one of 16. Of a sum: half of one of 16, whose learning rate is then half. */
Test(harness, accumulates)
{
    static const struct {
        ag_reduction reduction;
        double       lr, lr_of_16;
    } cases[] = {{AG_MEAN, 0.1, 0.1}, {AG_SUM, 0.004, 0.002}};
    for (int i = 0; i < 2; i++) {
        ag_real two[7 * RUN_FEATURES], one[7 * RUN_FEATURES];
        double  wanted[7 * RUN_FEATURES], two_loss, one_loss;
        descend(cases[i].reduction, 8, 2, cases[i].lr, two, &two_loss);
        descend(cases[i].reduction, 16, 1, cases[i].lr_of_16, one, &one_loss);
        for (int k = 0; k < 7 * RUN_FEATURES; k++)
            wanted[k] = (double)one[k];
        check_close("accumulated", 7 * RUN_FEATURES, two, wanted, sizeof(ag_real) == 4 ? 1e-6 : 1e-14);
        cr_assert(fabs(two_loss - one_loss) < 1e-5 * one_loss, "loss %.9g, expected %.9g", two_loss, one_loss);
    }
}

/* ---- Schedules. ---- */

static double wanted_factor(train_schedule schedule, int64_t warmup, int64_t t, int64_t n)
{
    const double pi = 3.14159265358979323846, share = (double)t / (double)n;
    double       factor = t + 1 < warmup ? (double)(t + 1) / (double)warmup : 1;
    if (schedule == TRAIN_COSINE)
        return factor * (1 + cos(pi * share)) / 2;
    if (schedule == TRAIN_LINEAR)
        return factor * (1 - share);
    return schedule == TRAIN_STEPWISE ? factor * pow(0.1, (double)(t / ((n + 2) / 3))) : factor;
}

static bool check_rate(void *self, train_run *run)
{
    const train_plan *plan = run->plan;
    (void)self;
    const double got = nn_lr(plan->optimizers[run->phase].optimizer), base = run->phase == 2 ? 0.003 : 0.01;
    const double wanted = base * (run->phase == 1 ? 0.25 : 1) *
                          wanted_factor(plan->schedule, plan->warmup, run->step - 1, run->steps);
    cr_expect(fabs(got - wanted) < 1e-12, "schedule %d, warmup %d, phase %d, step %d: %g, expected %g",
              (int)plan->schedule, (int)plan->warmup, run->phase, (int)run->step, got, wanted);
    return true;
}

/* Each phase goes through its schedule anew. */
Test(harness, schedules)
{
    for (int schedule = TRAIN_CONSTANT; schedule <= TRAIN_STEPWISE; schedule++)
        for (int64_t warmup = 0; warmup < 7; warmup += 3) {
            small_run      r;
            run_result     result;
            train_observer checker = {.step = check_rate};
            small_run_open(&r, RUN_PHASES);
            r.plan.schedule = (train_schedule)schedule;
            r.plan.warmup = warmup;
            r.phase[1].lr_scale = 0.25;
            r.observers[r.plan.n_observers++] = &checker;
            small_run_go(&r, NULL, NULL, -1, &result);
            cr_assert(result.status == TRAIN_OK, "%s", result.why.text);
            small_run_close(&r);
        }
}

/* ---- Observers. ---- */

typedef struct witness {
    int     begun, steps, epochs, ended;
    int64_t phase, epoch; /* of the last record */
    bool    fails;
} witness;

/* What an observer may do to the tape: compute, draw random numbers, change its modes, leave an error. */
static bool meddle(train_run *run)
{
    ag_tape *tape = train_evaluate(run);
    ag_randn(tape, AG_SHAPE(5));
    ag_tape_reset(tape);
    ag_set_training(tape, true);
    ag_tape_rng(tape)->draw += 100;
    ag_tensor *x = ag_rand(tape, AG_SHAPE(2, 3));
    ag_matmul(x, x);
    return ag_error(tape) != NULL;
}

static bool see_begin(void *self, train_run *run)
{
    ((witness *)self)->begun++;
    return meddle(run);
}

static bool see_step(void *self, train_run *run)
{
    ((witness *)self)->steps++;
    return meddle(run);
}

static bool see_epoch(void *self, train_run *run, const train_record *record)
{
    witness *w = self;
    w->epochs++;
    w->phase = record->phase;
    w->epoch = record->epoch;
    cr_expect(record == &run->history.at[run->history.n - 1] && record->phase == run->phase && record->train.n > 0);
    cr_expect(isfinite(train_sums_get(&record->train, record->train.at[0].name)));
    cr_expect(isnan(train_sums_get(&record->train, "none")));
    return meddle(run) && !w->fails;
}

static bool see_end(void *self, train_run *run, train_status status)
{
    ((witness *)self)->ended += status == TRAIN_OK;
    return meddle(run);
}

static train_observer witness_observer(witness *w)
{
    return (train_observer){see_begin, see_step, see_epoch, see_end, w};
}

Test(harness, looking_changes_nothing)
{
    for (int kind = 0; kind < RUN_KINDS; kind++) {
        run_result     wanted, seen;
        small_run      r;
        witness        w = {0};
        train_observer observer = witness_observer(&w);
        small_run_of((run_kind)kind, NULL, NULL, NULL, -1, &wanted);
        small_run_open(&r, (run_kind)kind);
        const int64_t steps = small_run_steps(&r);
        r.observers[r.plan.n_observers++] = &observer;
        small_run_go(&r, NULL, NULL, -1, &seen);
        check_same("observed", &seen, &wanted);
        cr_expect(w.begun == 1 && w.ended == 1 && w.steps == steps, "kind %d: %d steps", kind, w.steps);
        cr_expect(w.epochs == (kind == RUN_PHASES ? 6 : 2) && w.phase == (kind == RUN_PHASES ? 2 : 0) && w.epoch == 2);
        w.fails = true;
        small_run_go(&r, NULL, NULL, -1, &seen);
        cr_expect(seen.status == TRAIN_FAILED && strstr(seen.why.text, "observer"), "%s", seen.why.text);
        small_run_close(&r);
    }
}

/* An observer's run is stopped and resumed as any other is. */
Test(harness, observed_runs_resume)
{
    char       path[256];
    run_result wanted, seen;
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", scratch_folder());
    small_run_of(RUN_GAN, NULL, NULL, NULL, -1, &wanted);
    for (int64_t k = 0; k < 12; k++) {
        small_run      r;
        witness        w = {0};
        train_observer observer = witness_observer(&w);
        for (int part = 0; part < 2; part++) {
            small_run_open(&r, RUN_GAN);
            r.observers[r.plan.n_observers++] = &observer;
            small_run_go(&r, part ? NULL : path, part ? path : NULL, part ? -1 : k, &seen);
            small_run_close(&r);
        }
        check_same("observed and resumed", &seen, &wanted);
        cr_assert(w.steps == 12, "%d steps", w.steps);
    }
}

/* ---- metrics.csv. ---- */

/* Without the numbers: each cell is N, or empty. */
static void check_csv(const char *path, const char *wanted)
{
    char  *text = read_text(path), shape[1024];
    size_t n = 0;
    cr_assert(text, "%s", path);
    bool header = true;
    for (const char *c = text; *c && n < sizeof shape - 2; c++) {
        bool number = !header && (*c == '-' || (*c >= '0' && *c <= '9'));
        if (!number)
            shape[n++] = *c;
        header = header && *c != '\n';
        if (number) {
            c += strspn(c, "0123456789.e+-") - 1;
            shape[n++] = 'N';
        }
    }
    shape[n] = '\0';
    cr_expect(!strcmp(shape, wanted), "%s, expected\n%s", shape, wanted);
    free(text);
}

Test(harness, metrics_csv_has_the_phase_and_its_metrics)
{
    char              path[256], checkpoint[256];
    run_result        result;
    static const char wanted[] =
        "epoch,phase,train_outer,train_inner,train_both,train_size,test_outer,test_inner,seconds\n"
        "N,outer,N,,,,N,,N\nN,outer,N,,,,N,,N\nN,inner,,N,,,,N,N\nN,inner,,N,,,,N,N\n"
        "N,both,,,N,N,,,N\nN,both,,,N,N,,,N\n";
    snprintf(path, sizeof path, "%s/metrics.csv", scratch_folder());
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", scratch_folder());
    for (int stopped = 0; stopped < 2; stopped++) {
        train_observer csv = train_csv_observer(path);
        for (int part = stopped ? 0 : 1; part < 2;
             part++) { /* stopped in the second phase, in the middle of its first epoch */
            small_run r;
            small_run_open(&r, RUN_PHASES);
            r.observers[r.plan.n_observers++] = &csv;
            small_run_go(&r, part ? NULL : checkpoint, stopped && part ? checkpoint : NULL, part ? -1 : 14, &result);
            small_run_close(&r);
        }
        cr_assert(result.status == TRAIN_OK, "%s", result.why.text);
        check_csv(path, wanted);
    }
}
