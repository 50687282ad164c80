/* The loop. It knows phases, steps and observers, and nothing of files, options or images. */
#define _POSIX_C_SOURCE 200809L
#include "models/train/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/run_internal.h"
#include "tools/progress.h"
#include "tools/text.h"

double train_measure(const train_run *run, double sum, int64_t examples)
{
    if (!run || !run->plan)
        return NAN;
    return train__phase(run)->totals ? sum : sum / (double)examples;
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
    const train_kept k = train__keep(run);
    for (int i = 0; i < run->plan->n_observers; i++) {
        bool ok = call_observer(run, run->plan->observers[i], when, record, status);
        train__restore(run, &k);
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
    ok = ok && (!train__phase(run)->test || train__test(run, &r.test));
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

/* Ranks stop together, after the step at whose end they heard of it. */
static bool must_stop(const train_run *run)
{
    return train__ranks(run->plan)->size > 1 ? run->stopping : run->plan->stop && run->plan->stop();
}

static train_status run_epoch(train_run *run)
{
    const int64_t whole = run->epoch * run->steps_per_epoch, last = whole < run->steps ? whole : run->steps;
    const double  started = tl_progress_now();
    while (run->step < last) {
        if (must_stop(run))
            return TRAIN_STOPPED;
        if (!train__make_step(run) || !observe(run, AT_STEP, NULL, TRAIN_OK))
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
    const train_phase *p = train__phase(run);
    const uint64_t     seed = run->plan->seed ^ (uint64_t)run->phase * 0x9e3779b97f4a7c15u;
    ds_batches_free(&run->train_batches);
    ds_batches_free(&run->test_batches);
    if (!ds_batches_init(&run->train_batches, p->train->count, p->batch, seed) ||
        (p->test && !ds_batches_init(&run->test_batches, p->test->count, p->batch, 0)))
        return tl_fail(&run->error, "%s: out of memory, or no examples, or a batch below 1", p->name);
    run->steps_per_epoch = train__steps_per_epoch(run->plan, p);
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

/* All ranks have come this far, and have the same weights and the same plan. */
static bool begin_together(train_run *run)
{
    const train_ranks *ranks = train__ranks(run->plan);
    const int64_t      numbers[] = {run->phase, run->step, run->steps, run->steps_per_epoch, run->plan->shards};
    uint64_t           hash[TRAIN_MAX_RANKS];
    int                other = 0;
    if (ranks->size == 1)
        return true;
    if (!train__agree_on(run, true))
        return false;
    hash[ranks->rank] = tl_hash_numbers(nn_fingerprint(run->plan->model), numbers, 5, sizeof *numbers);
    run->parted = true;
    if (!train__gather_parts(ranks, hash, ranks->size, sizeof *hash))
        return train__unreachable(&run->error);
    while (other < ranks->size && hash[other] == hash[0])
        other++;
    run->parted = other < ranks->size;
    return !run->parted || tl_fail(&run->error,
                                   "rank %d has other weights or another plan than rank 0: all need the same program, "
                                   "options and checkpoint",
                                   other);
}

/* Whether a phase after the present one has steps. */
static bool has_more(const train_run *run)
{
    for (int i = run->phase + 1; i < run->plan->n_phases; i++)
        if (train_phase_steps(run->plan, &run->plan->phases[i]) > 0)
            return true;
    return false;
}

static train_status go(train_run *run)
{
    train_status status = enter_phase(run) ? TRAIN_OK : TRAIN_FAILED;
    if (status == TRAIN_OK)
        forget_interrupted(run);
    if (status == TRAIN_OK && (!observe(run, AT_BEGIN, NULL, TRAIN_OK) || !begin_together(run)))
        status = TRAIN_FAILED;
    while (status == TRAIN_OK) {
        status = run_phase(run);
        if (status != TRAIN_OK || !has_more(run))
            break;
        run->phase++;
        run->step = 0;
        train_sums_free(&run->sums);
        status = enter_phase(run) ? TRAIN_OK : TRAIN_FAILED;
    }
    return observe(run, AT_END, NULL, status) ? status : TRAIN_FAILED;
}

train_status train_run_go(train_run *run)
{
    if (!run || !run->plan || !run->tape)
        return TRAIN_FAILED;
    const train_status status = go(run);
    if (run->parted)
        return TRAIN_FAILED;
    const bool together = train__agree_on(run, status != TRAIN_FAILED);
    run->parted = true;
    return together ? status : TRAIN_FAILED;
}

/* ---- Runs. ---- */

static train_shards *new_shards(const train_plan *plan)
{
    nn_module *parts[TRAIN_MAX_PARTS];
    for (int i = 0; i < plan->n_optimizers; i++)
        parts[i] = plan->optimizers[i].part ? plan->optimizers[i].part : plan->model;
    return train__shards_new(train__ranks(plan), plan->model, plan->n_optimizers, parts);
}

bool train_run_init(train_run *run, const train_plan *plan, tl_error *why)
{
    if (!run)
        return tl_fail(why, "no run");
    *run = (train_run){.plan = plan, .ordered = -1};
    const char *wrong = train__wrong_with(plan);
    if (wrong)
        return tl_fail(why, "%s", wrong);
    run->tape = ag_tape_new(plan->seed);
    run->shards = new_shards(plan);
    run->lr = malloc((size_t)(plan->n_optimizers + 1) * sizeof *run->lr);
    for (int i = 0; run->lr && i < plan->n_optimizers; i++)
        run->lr[i] = nn_lr(plan->optimizers[i].optimizer);
    return (run->shards && run->tape && run->lr) || tl_fail(why, "out of memory");
}

void train_run_free(train_run *run)
{
    if (!run)
        return;
    ds_batches_free(&run->train_batches);
    ds_batches_free(&run->test_batches);
    train_sums_free(&run->sums);
    train_history_free(&run->history);
    train__shards_free(run->shards);
    ag_tape_free(run->tape);
    free(run->lr);
    run->shards = NULL;
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
