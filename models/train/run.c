/* The loop. It knows phases, steps and observers, and nothing of files, options or images. */
#define _POSIX_C_SOURCE 200809L
#include "models/train/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/run_internal.h"
#include "tools/progress.h"
#include "tools/text.h"

#define EVALUATION 0x70696374u /* sets the random numbers of tests and pictures apart from those of training */

static const train_phase *phase_of(const train_run *run)
{
    return &run->plan->phases[run->phase];
}

double train_measure(const train_run *run, double sum, int64_t examples)
{
    if (!run || !run->plan)
        return NAN;
    return phase_of(run)->totals ? sum : sum / (double)examples;
}

ag_tape *train_evaluate(train_run *run)
{
    if (!run)
        return NULL;
    ag_tape_reset(run->tape);
    ag_set_training(run->tape, false);
    ag_set_grad_enabled(run->tape, false);
    *ag_tape_rng(run->tape) = (ag_rng){run->plan->seed ^ EVALUATION, 0};
    return run->tape;
}

uint64_t train_data_hash(train_run *run)
{
    if (!run || !run->plan || run->hashed)
        return run ? run->data : 0;
    run->data = TL_HASH;
    for (int i = 0; i < run->plan->n_phases; i++) {
        const train_source *s = run->plan->phases[i].train;
        const bool          same = i > 0 && s == run->plan->phases[i - 1].train;
        if (same || !s->hash)
            continue;
        const uint64_t of_source = s->hash(s->self);
        run->data = tl_hash_numbers(run->data, &of_source, 1, sizeof of_source);
    }
    run->hashed = true;
    return run->data;
}

/* ---- What must not change when a run is looked at. ---- */

typedef struct kept {
    ag_rng rng;
    bool   training, recording;
} kept;

static kept keep(const train_run *run)
{
    return (kept){*ag_tape_rng(run->tape), ag_is_training(run->tape), ag_is_grad_enabled(run->tape)};
}

static void restore(train_run *run, const kept *k)
{
    *ag_tape_rng(run->tape) = k->rng;
    ag_set_training(run->tape, k->training);
    ag_set_grad_enabled(run->tape, k->recording);
}

/* ---- Steps. ---- */

static int64_t batches_per_step(const train_plan *plan)
{
    return plan->accumulate > 1 ? plan->accumulate : 1;
}

int64_t train_phase_batches(const train_phase *phase)
{
    if (!phase || !phase->train || phase->batch < 1)
        return 0;
    return (phase->train->count + phase->batch - 1) / phase->batch;
}

static int64_t steps_per_epoch(const train_plan *plan, const train_phase *phase)
{
    const int64_t most = batches_per_step(plan);
    return (train_phase_batches(phase) + most - 1) / most;
}

int64_t train_phase_steps(const train_plan *plan, const train_phase *phase)
{
    if (!plan || !phase)
        return 0;
    return phase->steps > 0 ? phase->steps : phase->epochs * steps_per_epoch(plan, phase);
}

/* Batch `number` of the run's phase, counted through all epochs. */
static int64_t take_batch(train_run *run, int64_t number, int64_t per_epoch, const int64_t **index)
{
    ds_batches *b = &run->train_batches;
    if (phase_of(run)->order == TRAIN_RANDOM)
        return ds_batches_random(b, (uint64_t)number, index);
    if (phase_of(run)->order == TRAIN_BLOCKS)
        return ds_batches_block(b, (uint64_t)number, index);
    const int64_t epoch = number / per_epoch;
    if (run->ordered != epoch) {
        ds_batches_shuffle(b, (uint64_t)(epoch + 1));
        for (int64_t done = number % per_epoch; done > 0; done--)
            ds_batches_next(b, index);
        run->ordered = epoch;
    }
    return ds_batches_next(b, index);
}

static bool call_step(train_run *run, train_step *s)
{
    const train_phase *phase = phase_of(run);
    train_step_fn     *f = s->test && phase->test_step ? phase->test_step : phase->step;
    if (f(run->plan->context, s) && !ag_error(run->tape) && s->loaded)
        return true;
    const char *error = ag_error(run->tape);
    if (!error && !s->loaded)
        error = "the step function has not loaded its examples";
    return tl_fail(&run->error, "%s%s%s %lld: %s", run->plan->n_phases > 1 ? phase->name : "",
                   run->plan->n_phases > 1 ? ", " : "", s->test ? "test after step" : "step",
                   (long long)run->step + !s->test, error ? error : "the step function failed");
}

/* The batches of a step end with those of its epoch. */
static bool make_step(train_run *run)
{
    const train_phase *phase = phase_of(run);
    const int64_t      most = batches_per_step(run->plan), per_epoch = train_phase_batches(phase);
    const int64_t      begin = run->step % run->steps_per_epoch * most, left = per_epoch - begin,
                  n = left < most ? left : most;
    const int64_t first = run->step / run->steps_per_epoch * per_epoch + begin;
    train_step    s = {.run = run, .source = phase->train, .sums = &run->sums, .share = 1 / (double)n};
    for (int64_t i = 0; i < n; i++) {
        s.n = take_batch(run, first + i, per_epoch, &s.index);
        s.first = i == 0;
        s.last = i == n - 1;
        s.loaded = false;
        if (!call_step(run, &s))
            return false;
    }
    run->step++;
    run->made = true;
    return true;
}

static bool test_all(train_run *run, train_sums *sums)
{
    const train_phase *phase = phase_of(run);
    train_step         s = {.run = run, .source = phase->test, .test = true, .sums = sums};
    kept               k = keep(run);
    bool               ok = true;
    train_evaluate(run);
    ds_batches_restart(&run->test_batches);
    while (ok && (s.n = ds_batches_next(&run->test_batches, &s.index)) > 0) {
        s.loaded = false;
        ok = call_step(run, &s);
    }
    restore(run, &k);
    return ok;
}

/* ---- Epochs. ---- */

enum { AT_BEGIN, AT_STEP, AT_EPOCH, AT_END };

static bool call_observer(train_run *run, const train_observer *o, int when, const train_record *record,
                          train_status status)
{
    if (when == AT_BEGIN && o->begin)
        return o->begin(o->self, run);
    if (when == AT_STEP && o->step)
        return o->step(o->self, run);
    if (when == AT_EPOCH && o->epoch)
        return o->epoch(o->self, run, record);
    return when != AT_END || !o->end || o->end(o->self, run, status);
}

/* What one observer does to the tape the next does not see: it may be the one that writes the checkpoint. */
static bool observe(train_run *run, int when, const train_record *record, train_status status)
{
    const kept k = keep(run);
    for (int i = 0; i < run->plan->n_observers; i++) {
        bool ok = call_observer(run, run->plan->observers[i], when, record, status);
        restore(run, &k);
        if (!ok)
            return *run->error.text ? false : tl_fail(&run->error, "an observer failed without a reason");
    }
    return true;
}

static void to_measures(const train_run *run, train_sums *s)
{
    for (int i = 0; i < s->n; i++)
        s->at[i].value = train_measure(run, s->at[i].value, s->examples);
}

static bool copy_sums(train_sums *to, const train_sums *from)
{
    to->examples = from->examples;
    for (int i = 0; i < from->n; i++)
        if (!train_sums_add(to, from->at[i].name, from->at[i].value))
            return false;
    return true;
}

/* The record of an epoch that has ended, or, when a run ends within one, of what was made of it. */
static bool record_epoch(train_run *run, double started)
{
    train_record r = {.phase = run->phase, .epoch = run->epoch};
    bool         ok = copy_sums(&r.train, &run->sums) || tl_fail(&run->error, "out of memory");
    ok = ok && (!phase_of(run)->test || test_all(run, &r.test));
    r.seconds = tl_progress_now() - started;
    to_measures(run, &r.train);
    to_measures(run, &r.test);
    if (!ok) {
        train_sums_free(&r.train);
        train_sums_free(&r.test);
        return false;
    }
    return train_history_add(&run->history, r) || tl_fail(&run->error, "out of memory");
}

static train_status run_epoch(train_run *run)
{
    const int64_t whole = run->epoch * run->steps_per_epoch, last = whole < run->steps ? whole : run->steps;
    const double  started = tl_progress_now();
    while (run->step < last) {
        if (run->plan->stop && run->plan->stop())
            return TRAIN_STOPPED;
        if (!make_step(run) || !observe(run, AT_STEP, NULL, TRAIN_OK))
            return TRAIN_FAILED;
    }
    if (!record_epoch(run, started))
        return TRAIN_FAILED;
    if (run->step % run->steps_per_epoch == 0)
        train_sums_clear(&run->sums);
    const train_record *r = &run->history.at[run->history.n - 1];
    bool                finite = train_sums_finite(&r->train) && train_sums_finite(&r->test);
    if (!finite)
        tl_fail(&run->error, "epoch %lld: a metric became NaN or infinite; try a smaller learning rate (--lr)",
                (long long)run->epoch);
    return observe(run, AT_EPOCH, r, finite ? TRAIN_OK : TRAIN_FAILED) && finite ? TRAIN_OK : TRAIN_FAILED;
}

/* ---- Phases. ---- */

/* Sets up the present phase; its step may be above 0 when a run is resumed. */
static bool enter_phase(train_run *run)
{
    const train_phase *p = phase_of(run);
    const uint64_t     seed = run->plan->seed ^ (uint64_t)run->phase * 0x9e3779b97f4a7c15u;
    ds_batches_free(&run->train_batches);
    ds_batches_free(&run->test_batches);
    if (!ds_batches_init(&run->train_batches, p->train->count, p->batch, seed) ||
        (p->test && !ds_batches_init(&run->test_batches, p->test->count, p->batch, 0)))
        return tl_fail(&run->error, "%s: out of memory, or no examples, or a batch below 1", p->name);
    run->steps_per_epoch = steps_per_epoch(run->plan, p);
    run->steps = train_phase_steps(run->plan, p);
    run->epochs = (run->steps + run->steps_per_epoch - 1) / run->steps_per_epoch;
    run->epoch = run->step / run->steps_per_epoch + 1;
    run->ordered = -1;
    return !p->begin || p->begin(run->plan->context) || tl_fail(&run->error, "%s: could not begin", p->name);
}

/* A resumed run may go on within an epoch that the record has as the end of a shorter one. */
static void forget_interrupted(train_run *run)
{
    const train_record *last = run->history.n > 0 ? &run->history.at[run->history.n - 1] : NULL;
    if (last && run->step < run->steps && last->phase == run->phase && last->epoch == run->epoch)
        train_history_drop_last(&run->history);
}

static train_status run_phase(train_run *run)
{
    train_status status = TRAIN_OK;
    while (status == TRAIN_OK && run->step < run->steps) {
        run->epoch = run->step / run->steps_per_epoch + 1;
        status = run_epoch(run);
    }
    return status;
}

train_status train_run_go(train_run *run)
{
    if (!run || !run->plan || !run->tape)
        return TRAIN_FAILED;
    train_status status = enter_phase(run) ? TRAIN_OK : TRAIN_FAILED;
    if (status == TRAIN_OK)
        forget_interrupted(run);
    if (status == TRAIN_OK && !observe(run, AT_BEGIN, NULL, TRAIN_OK))
        status = TRAIN_FAILED;
    while (status == TRAIN_OK) {
        status = run_phase(run);
        if (status != TRAIN_OK || run->phase + 1 == run->plan->n_phases)
            break;
        run->phase++;
        run->step = 0;
        train_sums_free(&run->sums);
        status = enter_phase(run) ? TRAIN_OK : TRAIN_FAILED;
    }
    return observe(run, AT_END, NULL, status) ? status : TRAIN_FAILED;
}

/* ---- Runs. ---- */

static const char *wrong_with_optimizers(const train_plan *plan)
{
    for (int i = 0; i < plan->n_optimizers; i++) {
        const train_optimizer *o = &plan->optimizers[i];
        if (nn_optimizer_error(o->optimizer))
            return nn_optimizer_error(o->optimizer);
        if (!o->name || !*o->name || strchr(o->name, '/'))
            return "an optimizer needs a name without a '/'";
        for (int k = 0; k < i; k++)
            if (!strcmp(plan->optimizers[k].name, o->name))
                return "two optimizers have the same name";
    }
    return NULL;
}

static const char *wrong_with_phase(const train_phase *p)
{
    if (!p->name || !p->train || !p->train->load || !p->step || p->batch < 1 || p->epochs < 0 || p->steps < 0)
        return "a phase needs a name, a source, a step and a batch of at least 1";
    if (p->train->count < 1 || (p->test && (p->test->count < 1 || !p->test->load)))
        return "a source has no examples";
    if ((unsigned)p->order > TRAIN_BLOCKS)
        return "a phase's order is none of the three";
    if (!(p->lr_scale >= 0) || isinf(p->lr_scale))
        return "a phase's lr_scale is at least 0";
    if (p->epochs > INT64_MAX / 4 / p->train->count || p->steps > INT64_MAX / 4 / p->train->count ||
        p->batch > INT64_MAX / 4)
        return "too many epochs or steps";
    return NULL;
}

static const char *wrong_with(const train_plan *plan)
{
    if (!plan || !plan->model || plan->n_phases < 1 || !plan->phases || plan->n_optimizers < 0 ||
        (plan->n_optimizers > 0 && !plan->optimizers))
        return "a plan needs a model and at least one phase";
    if (!(plan->clip >= 0) || plan->warmup < 0 || plan->accumulate < 0 || (unsigned)plan->schedule > TRAIN_STEPWISE)
        return "a plan's clip, warmup and accumulate are at least 0, its schedule is one of the four";
    if (plan->n_observers < 0 || (plan->n_observers > 0 && !plan->observers))
        return "a plan of observers needs them";
    for (int i = 0; i < plan->n_observers; i++)
        if (!plan->observers[i])
            return "an observer is NULL";
    const char *wrong = wrong_with_optimizers(plan);
    for (int i = 0; i < plan->n_phases && !wrong; i++)
        wrong = wrong_with_phase(&plan->phases[i]);
    return wrong ? wrong : nn_error(plan->model);
}

bool train_run_init(train_run *run, const train_plan *plan, tl_error *why)
{
    if (!run)
        return tl_fail(why, "no run");
    *run = (train_run){.plan = plan, .ordered = -1};
    const char *wrong = wrong_with(plan);
    if (wrong)
        return tl_fail(why, "%s", wrong);
    run->tape = ag_tape_new(plan->seed);
    run->lr = malloc((size_t)(plan->n_optimizers + 1) * sizeof *run->lr);
    for (int i = 0; run->lr && i < plan->n_optimizers; i++)
        run->lr[i] = nn_lr(plan->optimizers[i].optimizer);
    return (run->tape && run->lr) || tl_fail(why, "out of memory");
}

void train_run_free(train_run *run)
{
    if (!run)
        return;
    ds_batches_free(&run->train_batches);
    ds_batches_free(&run->test_batches);
    train_sums_free(&run->sums);
    train_history_free(&run->history);
    ag_tape_free(run->tape);
    free(run->lr);
    run->tape = NULL;
    run->lr = NULL;
}

train_status train_run_plan(const train_plan *plan, tl_error *why)
{
    train_run    run;
    train_status status = train_run_init(&run, plan, why) ? train_run_go(&run) : TRAIN_FAILED;
    if (status == TRAIN_FAILED && *run.error.text)
        tl_fail(why, "%s", run.error.text);
    train_run_free(&run);
    return status;
}
