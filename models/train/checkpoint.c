#include "models/train/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/text.h"

#define VERSION "2" /* of the texts below; 0.1.0 wrote none, and one optimizer without a name */

/* ---- What is compared. ---- */

/* Of what the position in a phase is counted in, of so many phases. */
static uint64_t hash_batches(const train_plan *plan, int phases)
{
    uint64_t hash = TL_HASH;
    for (int i = 0; i < phases; i++) {
        const train_phase *p = &plan->phases[i];
        const int64_t      counts[] = {p->batch, plan->accumulate > 1 ? plan->accumulate : 1, p->order};
        hash = tl_hash_numbers(hash, counts, 3, sizeof *counts);
    }
    if (plan->shards > 1)
        hash = tl_hash_numbers(hash, &plan->shards, 1, sizeof plan->shards);
    return hash;
}

/* Of the phases before the present one. */
static uint64_t steps_before(const train_plan *plan, int phase)
{
    uint64_t steps = 0;
    for (int i = 0; i < phase; i++)
        steps += (uint64_t)train_phase_steps(plan, &plan->phases[i]);
    return steps;
}

/* ---- Writing. ---- */

static nn_named_optimizer *named_optimizers(const train_plan *plan)
{
    nn_named_optimizer *o = malloc((size_t)(plan->n_optimizers + 1) * sizeof *o);
    for (int i = 0; o && i < plan->n_optimizers; i++)
        o[i] = (nn_named_optimizer){plan->optimizers[i].name, plan->optimizers[i].optimizer};
    return o;
}

/* The texts of a run's state, and their memory. */
enum { STATE_NUMBERS = 8, STATE_TEXTS = STATE_NUMBERS + 3 };

typedef struct state_texts {
    nn_stored_text at[STATE_TEXTS];
    char           number[STATE_NUMBERS][24];
    char          *history, *sums;
} state_texts;

static bool describe_state(const train_run *run, uint64_t data, state_texts *t)
{
    const ag_rng            *rng = ag_tape_rng(run->tape);
    const uint64_t           numbers[STATE_NUMBERS] = {(uint64_t)run->phase,
                                                       (uint64_t)run->step,
                                                       rng->seed,
                                                       rng->draw,
                                                       data,
                                                       (uint64_t)run->plan->n_phases,
                                                       hash_batches(run->plan, run->plan->n_phases),
                                                       steps_before(run->plan, run->phase)};
    static const char *const keys[STATE_NUMBERS] = {"phase", "step",   "random.seed", "random.draw",
                                                    "data",  "phases", "batches",     "steps_before"};
    for (int i = 0; i < STATE_NUMBERS; i++) {
        snprintf(t->number[i], sizeof t->number[i], "%" PRIu64, numbers[i]);
        t->at[i] = (nn_stored_text){keys[i], t->number[i]};
    }
    t->history = train_history_text(&run->history);
    t->sums = train_sums_text(&run->sums);
    t->at[STATE_NUMBERS] = (nn_stored_text){"version", VERSION};
    t->at[STATE_NUMBERS + 1] = (nn_stored_text){"history", t->history};
    t->at[STATE_NUMBERS + 2] = (nn_stored_text){"epoch", t->sums};
    return t->history && t->sums;
}

static bool write_checkpoint(train_checkpoint *c, train_run *run)
{
    const train_plan   *plan = run->plan;
    state_texts         state = {.history = NULL};
    nn_named_optimizer *optimizers = named_optimizers(plan);
    nn_stored_text     *texts = malloc((size_t)(STATE_TEXTS + c->n_texts) * sizeof *texts);
    bool                ok = (describe_state(run, train_data_hash(run), &state) && optimizers && texts) ||
              tl_fail_at(&run->error, c->path, "out of memory");
    if (ok) {
        memcpy(texts, state.at, sizeof state.at);
        if (c->n_texts > 0)
            memcpy(texts + STATE_TEXTS, c->texts, (size_t)c->n_texts * sizeof *texts);
        ok = nn_save_checkpoint(plan->model, plan->n_optimizers, optimizers, STATE_TEXTS + c->n_texts, texts, c->path,
                                &run->error);
    }
    free(state.history);
    free(state.sums);
    free(optimizers);
    free(texts);
    return ok;
}

static bool after_step(void *self, train_run *run)
{
    train_checkpoint *c = self;
    const bool        ends_epoch = run->step % run->steps_per_epoch == 0 || run->step == run->steps;
    if (c->every < 1 || run->step % c->every || ends_epoch || !train_sums_finite(&run->sums))
        return true;
    return write_checkpoint(c, run);
}

static bool after_epoch(void *self, train_run *run, const train_record *record)
{
    return !train_sums_finite(&record->train) || !train_sums_finite(&record->test) || write_checkpoint(self, run);
}

static bool at_end(void *self, train_run *run, train_status status)
{
    return status != TRAIN_STOPPED || write_checkpoint(self, run);
}

train_observer train_checkpoint_observer(train_checkpoint *c)
{
    return (train_observer){.step = after_step, .epoch = after_epoch, .end = at_end, .self = c};
}

/* ---- Reading. ---- */

static bool read_number(const nn_safetensors *file, const char *key, uint64_t *n)
{
    return tl_parse_uint(nn_safetensors_text(file, key), n);
}

bool train_is_checkpoint(const nn_safetensors *file, int64_t *phase, int64_t *step)
{
    uint64_t    p, s;
    const char *version = nn_safetensors_text(file, "version");
    if (!version || strcmp(version, VERSION) || !read_number(file, "phase", &p) || !read_number(file, "step", &s) ||
        p > 1000 || s > INT64_MAX / 2)
        return false;
    *phase = (int64_t)p;
    *step = (int64_t)s;
    return true;
}

/* Whether a plan has the phases of the file's run; of those that continue its last there may be more. */
static bool has_its_phases(const train_plan *plan, uint64_t phases)
{
    bool more = phases >= 1 && phases <= (uint64_t)plan->n_phases;
    for (int i = (int)phases; more && i < plan->n_phases; i++)
        more = plan->phases[i].continues;
    return more;
}

/* Whether a file is of a run of this plan; if so all but the tensors is read. */
static bool read_state(train_run *run, const nn_safetensors *file, tl_error *why)
{
    int64_t  phase, step;
    uint64_t seed, draw, data, phases, batches, before;
    if (!train_is_checkpoint(file, &phase, &step))
        return tl_fail(why, nn_safetensors_text(file, "step")
                                ? "was written by an older version, whose runs cannot be resumed; --load "
                                  "reads its weights"
                                : "holds no run to resume; --load reads its weights");
    if (!read_number(file, "random.seed", &seed) || !read_number(file, "random.draw", &draw) ||
        !read_number(file, "data", &data) || !read_number(file, "phases", &phases) ||
        !read_number(file, "batches", &batches) || !train_sums_parse(&run->sums, nn_safetensors_text(file, "epoch")) ||
        !train_history_parse(&run->history, nn_safetensors_text(file, "history")))
        return tl_fail(why, "its state of the run is damaged, or memory runs out");
    if (!has_its_phases(run->plan, phases) || (uint64_t)phase >= phases)
        return tl_fail(
            why, "is of a run with %llu phase%s, expected %d; leave the options that say how long it is as they were",
            (unsigned long long)phases, phases == 1 ? "" : "s", run->plan->n_phases);
    if (data != train_data_hash(run))
        return tl_fail(why, "was made with other training examples; --data names theirs");
    if (batches != hash_batches(run->plan, (int)phases))
        return tl_fail(why, "was made with other batches; their size, their order and how many make a step must stay");
    if (read_number(file, "steps_before", &before) && before != steps_before(run->plan, (int)phase))
        return tl_fail(
            why,
            "is in phase %s, after %llu steps of those before it, expected %llu: what is over cannot be made longer",
            run->plan->phases[phase].name, (unsigned long long)before,
            (unsigned long long)steps_before(run->plan, (int)phase));
    run->phase = (int)phase;
    run->step = step;
    *ag_tape_rng(run->tape) = (ag_rng){seed, draw};
    return true;
}

bool train_resume(train_run *run, const nn_safetensors *file, tl_error *why)
{
    if (!run || !run->plan || !file)
        return tl_fail(why, "no run, or no file");
    const train_plan *plan = run->plan;
    if (!read_state(run, file, why))
        return false;
    nn_named_optimizer *optimizers = named_optimizers(plan);
    bool ok = optimizers ? nn_load_checkpoint(plan->model, plan->n_optimizers, optimizers, file, true, why)
                         : tl_fail(why, "out of memory");
    for (int i = 0; ok && i < plan->n_optimizers; i++)
        nn_set_lr(optimizers[i].optimizer,
                  run->lr[i]); /* the command line's; the file has the last that a schedule gave */
    free(optimizers);
    return ok;
}
