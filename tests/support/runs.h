/* Small training runs of every kind that the harness is for: one loss, an adversarial pair, tokens, three phases. */
#ifndef TESTS_RUNS_H
#define TESTS_RUNS_H

#include "models/train/checkpoint.h"

enum {
    RUN_EXAMPLES = 48,
    RUN_TESTS = 10,
    RUN_FEATURES = 6,
    RUN_TARGETS = 3,
    RUN_BATCH = 9,
    RUN_WORDS = 11,
    RUN_OBSERVERS = 3
};

typedef enum run_kind { RUN_PLAIN, RUN_GAN, RUN_TOKENS, RUN_PHASES, RUN_KINDS } run_kind;

typedef struct small_run {
    run_kind        kind;
    ag_reduction    reduction; /* of RUN_PLAIN's loss; AG_SUM at first */
    nn_module      *model;
    train_optimizer optimizer[3];
    ag_real         x[RUN_EXAMPLES * RUN_FEATURES], y[RUN_EXAMPLES * RUN_TARGETS];
    train_rows      rows, test_rows;
    train_source    source, test_source;
    train_phase     phase[3];
    train_plan      plan;
    train_observer *observers[RUN_OBSERVERS + 1]; /* the test's own; plan.n_observers says how many */
} small_run;

/* A generator and a discriminator of two numbers. */
typedef struct small_gan {
    nn_module  base;
    nn_module *g, *d;
} small_gan;

/* How a run ended. */
typedef struct run_result {
    train_status status;
    uint64_t     weights;       /* fingerprint */
    char         history[8192]; /* all but the seconds */
    tl_error     why;
} run_result;

/* Fills it: model with values, optimizers, sources, phases, plan. It points into itself and must not be moved. */
void small_run_open(small_run *r, run_kind kind);
void small_run_close(small_run *r);

/* In place of its optimizer 0. */
void small_run_optimize(small_run *r, nn_optimizer *o);

/* Makes the run, or `steps` steps of it if that is at least 0. Writes a checkpoint to the path `checkpoint`, and begins
 * with `resume`, if they are not NULL. */
void small_run_go(small_run *r, const char *checkpoint, const char *resume, int64_t steps, run_result *result);

/* Takes over the numbers of a plan, if it is not NULL: clip, schedule, warmup, accumulate, shards. */
void small_run_like(small_run *r, const train_plan *like);

/* Opens, makes and closes a run of a kind. */
void small_run_of(run_kind kind, const train_plan *like, const char *checkpoint, const char *resume, int64_t steps,
                  run_result *result);

/* Steps of all phases. */
int64_t small_run_steps(const small_run *r);

/* The losses of the adversarial pair: the discriminator's of real examples x (N, 2), the generator's of n examples. */
ag_tensor *small_gan_d_loss(small_gan *m, ag_tensor *x);
ag_tensor *small_gan_g_loss(small_gan *m, ag_tape *tape, int64_t n);

#endif
