/* The passes of a run: which examples a step and a test are made of. */
#include <stdio.h>

#include "models/train/run_internal.h"
#include "tools/text.h"

#define EVALUATION 0x70696374u /* sets the random numbers of tests and pictures apart from those of training */

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

/* ---- What must not change when a run is looked at. ---- */

train_kept train__keep(const train_run *run)
{
    return (train_kept){*ag_tape_rng(run->tape), ag_is_training(run->tape), ag_is_grad_enabled(run->tape)};
}

void train__restore(train_run *run, const train_kept *k)
{
    *ag_tape_rng(run->tape) = k->rng;
    ag_set_training(run->tape, k->training);
    ag_set_grad_enabled(run->tape, k->recording);
}

/* ---- Steps. ---- */

const train_phase *train__phase(const train_run *run)
{
    return &run->plan->phases[run->phase];
}

/* Batch `number` of the run's phase, counted through all epochs. */
static int64_t take_batch(train_run *run, int64_t number, int64_t per_epoch, const int64_t **index)
{
    ds_batches *b = &run->train_batches;
    if (train__phase(run)->order == TRAIN_RANDOM)
        return ds_batches_random(b, (uint64_t)number, index);
    if (train__phase(run)->order == TRAIN_BLOCKS)
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

static bool fold(train_run *run, train_sums *sums, const train_note *notes, int64_t count)
{
    return train__fold(sums, notes, count) || tl_fail(&run->error, "out of memory");
}

static bool call_step(train_run *run, train_step *s)
{
    const train_phase *phase = train__phase(run);
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

/* ---- Of one piece: the whole of a batch. ---- */

static bool make_whole(train_run *run, int64_t number, int64_t per_epoch)
{
    train_step s = {.run = run, .source = train__phase(run)->train, .piece = -1, .share = 1, .sums = &run->sums};
    s.n = take_batch(run, number, per_epoch, &s.index);
    return call_step(run, &s);
}

/* ---- Of several: those that are this rank's. ---- */

/* The random numbers of a piece of a step, or of a batch of a test: they do not depend on those of others. */
static void set_random(train_run *run, uint64_t seed, int64_t step, int64_t piece)
{
    const int64_t key[] = {run->phase, piece};
    *ag_tape_rng(run->tape) = (ag_rng){tl_hash_numbers(TL_HASH ^ seed, key, 2, sizeof *key), (uint64_t)step << 32};
}

/* Shard `shard` of the batch of s. */
static bool make_piece(train_run *run, train_step s, int64_t shard, int64_t batches)
{
    const int64_t shards = train__shards(run->plan), begin = train__part(s.n, shards, shard),
                  end = train__part(s.n, shards, shard + 1);
    if (begin == end)
        return true;
    s.share = (train__phase(run)->sum_loss ? 1 : (double)(end - begin) / (double)s.n) / (double)batches;
    s.index += begin;
    s.n = end - begin;
    s.note += s.piece;
    set_random(run, run->plan->seed, run->step, s.piece);
    train__begin_piece(run->shards, s.piece);
    if (!call_step(run, &s))
        return false;
    train__end_piece(run->shards, s.piece);
    return true;
}

static bool make_own(train_run *run, train_note *notes, int64_t number, int64_t per_epoch, int64_t batches)
{
    train_step    s = {.run = run, .source = train__phase(run)->train, .note = notes};
    const int64_t shards = train__shards(run->plan);
    int64_t       begin, end;
    train__own_part(train__ranks(run->plan), batches * shards, &begin, &end);
    for (int64_t i = 0; i < batches; i++) {
        s.n = take_batch(run, number + i, per_epoch, &s.index);
        for (int64_t shard = 0; shard < shards; shard++) {
            s.piece = i * shards + shard;
            if (s.piece >= begin && s.piece < end && !make_piece(run, s, shard, batches))
                return false;
        }
    }
    return true;
}

bool train__agree_on(train_run *run, bool ok)
{
    const train_ranks *ranks = train__ranks(run->plan);
    bool               stop = ranks->size > 1 && run->plan->stop && run->plan->stop();
    const bool         agreed = train__agree(ranks, ok, &stop, &run->error);
    run->stopping = stop;
    run->parted = !agreed;
    return agreed;
}

/* What comes from others; a rank that no longer reaches them is alone. */
static bool heard(train_run *run, bool ok)
{
    run->parted = !ok;
    return ok;
}

/* A step belongs to a pass that has gone backward: here to an empty one, as a rank may have had no piece, and its last
 * piece may have stopped before the loss. */
static void empty_pass(ag_tape *tape)
{
    ag_tape_reset(tape);
    ag_backward(ag_requires_grad(ag_zeros(tape, AG_SCALAR)));
}

/* The steps of the optimizers that have got gradients. */
static bool optimize(train_run *run, const train_note *notes, int64_t count)
{
    uint64_t minimized = 0;
    for (int64_t i = 0; i < count; i++)
        minimized |= notes[i].minimized;
    empty_pass(run->tape);
    for (int i = 0; i < run->plan->n_optimizers; i++) {
        if (!(minimized >> i & 1))
            continue;
        if (!heard(run, train__sum_gradient(run->shards, count, i, &run->error)))
            return false;
        if (!train__optimize(run, i))
            return tl_fail(&run->error, "step %lld: %s", (long long)run->step + 1, ag_error(run->tape));
    }
    return true;
}

static bool make_pieces(train_run *run, int64_t number, int64_t per_epoch, int64_t batches)
{
    const int64_t    count = batches * train__shards(run->plan);
    const train_kept k = train__keep(run);
    train_note      *notes = train__notes(run->shards, count);
    const bool       ok = (notes || tl_fail(&run->error, "out of memory")) &&
                    train__begin_pieces(run->shards, count, &run->error) &&
                    make_own(run, notes, number, per_epoch, batches);
    train__restore(run, &k);
    return train__agree_on(run, ok) && heard(run, train__share_pieces(run->shards, notes, count, &run->error)) &&
           optimize(run, notes, count) && fold(run, &run->sums, notes, count);
}

/* The batches of a step end with those of its epoch. */
bool train__make_step(train_run *run)
{
    const int64_t most = train__batches(run->plan), per_epoch = train_phase_batches(train__phase(run));
    const int64_t begin = run->step % run->steps_per_epoch * most, left = per_epoch - begin,
                  batches = left < most ? left : most;
    const int64_t number = run->step / run->steps_per_epoch * per_epoch + begin;
    if (!(train__has_pieces(run->plan) ? make_pieces(run, number, per_epoch, batches)
                                       : make_whole(run, number, per_epoch)))
        return false;
    run->step++;
    run->made = true;
    return true;
}

/* ---- Tests. ---- */

static int64_t test_batches(const train_run *run)
{
    const train_phase *phase = train__phase(run);
    return (phase->test->count + phase->batch - 1) / phase->batch;
}

static bool test_whole(train_run *run, train_sums *sums)
{
    train_step s = {.run = run, .source = train__phase(run)->test, .test = true, .piece = -1, .sums = sums};
    train_evaluate(run);
    ds_batches_restart(&run->test_batches);
    for (int64_t i = test_batches(run); i > 0; i--) {
        s.n = ds_batches_next(&run->test_batches, &s.index);
        s.loaded = false;
        if (!call_step(run, &s))
            return false;
    }
    return true;
}

/* With pieces, each batch has random numbers of its own and is one rank's. */
static bool test_own(train_run *run, train_note *notes, int64_t count)
{
    train_step s = {.run = run, .source = train__phase(run)->test, .test = true, .piece = -1};
    int64_t    begin, end;
    train__own_part(train__ranks(run->plan), count, &begin, &end);
    train_evaluate(run);
    ds_batches_restart(&run->test_batches);
    for (int64_t i = 0; i < end; i++) {
        s.n = ds_batches_next(&run->test_batches, &s.index);
        s.note = &notes[i];
        s.loaded = false;
        set_random(run, run->plan->seed ^ EVALUATION, 0, i);
        if (i >= begin && !call_step(run, &s))
            return false;
    }
    return true;
}

static bool test_pieces(train_run *run, train_sums *sums)
{
    const int64_t count = test_batches(run);
    train_note   *notes = train__notes(run->shards, count);
    const bool    ok = (notes || tl_fail(&run->error, "out of memory")) && test_own(run, notes, count);
    if (!train__agree_on(run, ok))
        return false;
    if (!train__gather_parts(train__ranks(run->plan), notes, count, sizeof *notes))
        return heard(run, train__unreachable(&run->error));
    return fold(run, sums, notes, count);
}

bool train__test(train_run *run, train_sums *sums)
{
    const train_kept k = train__keep(run);
    const bool       ok = train__has_pieces(run->plan) ? test_pieces(run, sums) : test_whole(run, sums);
    train__restore(run, &k);
    return ok;
}
