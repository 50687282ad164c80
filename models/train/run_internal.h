/* The inside of a run, for the files that make it. */
#ifndef TRAIN_RUN_INTERNAL_H
#define TRAIN_RUN_INTERNAL_H

#include "models/train/run.h"
#include "models/train/shards_internal.h"

struct train_step {
    train_run          *run;
    const train_source *source;
    const int64_t      *index; /* the examples of this piece */
    int64_t             n;
    bool                test;
    int64_t             piece;  /* of the step; -1 if it has only this one */
    double              share;  /* of this piece in the step's gradient */
    train_sums         *sums;   /* where its reports are added up, */
    train_note         *note;   /* or, with pieces, kept apart */
    bool                loaded; /* the examples are counted */
};

/* ---- plan.c: what follows from a plan. ---- */

/* What is wrong with a plan, or NULL. */
const char *train__wrong_with(const train_plan *plan);

/* Batches of a step, but for the last of an epoch, and steps of an epoch of a phase. */
int64_t train__batches(const train_plan *plan);
int64_t train__steps_per_epoch(const train_plan *plan, const train_phase *phase);

/* Shards of a batch; whether a step has several pieces: batches, shards or both. */
int64_t train__shards(const train_plan *plan);
bool    train__has_pieces(const train_plan *plan);

/* The plan's ranks, or one alone. */
const train_ranks *train__ranks(const train_plan *plan);

/* ---- passes.c ---- */

/* What observers and tests leave as it was. */
typedef struct train_kept {
    ag_rng rng;
    bool   training, recording;
} train_kept;

train_kept train__keep(const train_run *run);
void       train__restore(train_run *run, const train_kept *k);

const train_phase *train__phase(const train_run *run);

/* The run's next step; a test, added up in sums. False with run->error. */
bool train__make_step(train_run *run);
bool train__test(train_run *run, train_sums *sums);

/* train__agree for a run under way. */
bool train__agree_on(train_run *run, bool ok);

/* ---- step.c ---- */

/* The optimizer's step with the gradients of its part: clipped, at the rate of the schedule. */
bool train__optimize(train_run *run, int optimizer);

#endif
