/* Training runs: a list of phases, each with its sources and its step; optimizers by name; and observers, which see
 * each epoch.
 *
 *     static bool step(void *context, train_step *s)
 *     {
 *         my_program *p = context;
 *         train_batch b;
 *         if (!train_load(s, &b))
 *             return false;
 *         ag_tensor *loss = ag_mse_loss(nn_forward(p->model, b.x), b.x, AG_SUM); // of a phase with sum_loss
 *         train_report(s, "loss", loss);
 *         return train_minimize(s, loss, &p->adam);
 *     }
 *
 * The same function serves for training and for tests, where train_minimize does nothing. A step that does not call it
 * trains nothing. */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include "datasets/batches.h"
#include "models/train/history.h"
#include "models/train/ranks.h"
#include "models/train/source.h"
#include "nn/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum train_status { TRAIN_OK = 0, TRAIN_FAILED = 1, TRAIN_USAGE = 2, TRAIN_STOPPED = 130 } train_status;

typedef struct train_step train_step;
typedef struct train_run  train_run;
typedef bool              train_step_fn(void *context, train_step *s);

/* An optimizer, its name in checkpoints, and the part of the model whose parameters it has. */
typedef struct train_optimizer {
    const char   *name;
    nn_module    *part;
    nn_optimizer *optimizer;
} train_optimizer;

/* ---- What a step is made of. ---- */

/* Starts a fresh pass on the step's tape and puts the step's examples on it. A step that needs several passes calls it
 * again, and gets the same examples. False when that fails; the step then returns false. */
bool train_load(train_step *s, train_batch *batch);

/* The one place between backward and the optimizer's step. Gives the gradient of `loss` (one element) to the parameters
 * of the optimizer's part, and to no other's; clips it, sets the learning rate that the schedule gives, and makes the
 * optimizer's step. Does nothing in a test. False when the pass has failed.
 *
 * Where a step has several batches or shards (train_plan's accumulate and shards), the step function is called for each
 * of them, all with the weights with which the step began; the optimizers' steps follow the last of them, with the
 * gradients added up. An optimizer is then used once in a step. */
bool train_minimize(train_step *s, ag_tensor *loss, const train_optimizer *o);

/* Reports a metric of the step by name: the sum over its examples. The first that a phase reports leads its line on the
 * terminal. */
void train_report(train_step *s, const char *metric, const ag_tensor *sum);
void train_report_number(train_step *s, const char *metric, double sum);

/* The tape of the pass; whether this is a test; the index of the phase; steps made before this one in it. */
ag_tape *train_tape(const train_step *s);
bool     train_is_test(const train_step *s);
int      train_step_phase(const train_step *s);
int64_t  train_step_number(const train_step *s);

/* From 0 at the first step to 1 after `steps` of them, and 1 in tests: for a term whose weight rises, as the KL
 * divergence's. */
double train_rise(const train_step *s, int64_t steps);

/* ---- What a run is made of. ---- */

typedef struct train_phase {
    const char         *name;
    const train_source *train, *test; /* test NULL: no test */
    train_order         order;
    int64_t             batch;            /* examples */
    int64_t             epochs, steps;    /* with steps above 0 so many, else epochs; 0 of both: none */
    double              lr_scale;         /* times the optimizers' learning rates; 0: they are as they are */
    train_step_fn      *step, *test_step; /* test_step NULL: step */
    bool (*begin)(void *context); /* before the phase's first step, and when a run is resumed in it; NULL for none */
    bool continues; /* the phase before, as one schedule of one model: warm-ups go on, and epochs can be compared */
    bool totals;    /* report sums over all examples in place of means */
    bool sum_loss;  /* its losses are sums over a batch, not means: those of shards are then added, not averaged */
} train_phase;

/* Sees a run from outside. In `step` and `epoch` the gradients are those of the last step, after clipping, of the part
 * that it minimised last; nn_clip_grad_norm(part, INFINITY) only measures them. Each function may be NULL; one that
 * returns false ends the run as failed, with run->error. The loop keeps the tape's random state and modes, so that
 * observing changes nothing. */
typedef struct train_observer {
    bool (*begin)(void *self, train_run *run);                             /* before the first step */
    bool (*step)(void *self, train_run *run);                              /* after each step */
    bool (*epoch)(void *self, train_run *run, const train_record *record); /* after each epoch; it is in run->history */
    bool (*end)(void *self, train_run *run, train_status status); /* after the last, or when the run was stopped */
    void *self;
} train_observer;

typedef enum train_schedule { TRAIN_CONSTANT, TRAIN_COSINE, TRAIN_LINEAR, TRAIN_STEPWISE } train_schedule;

typedef struct train_plan {
    nn_module             *model;
    const train_optimizer *optimizers;
    int                    n_optimizers;
    const train_phase     *phases;
    int                    n_phases;
    void                  *context; /* for the phases' functions */
    uint64_t               seed;    /* of the order of the examples and of the tape */
    double                 clip;    /* gradients to this norm, if above 0 */
    train_schedule schedule; /* of the learning rate over a phase: constant, to 0 along half a cosine or a straight
                                line, or a tenth after each third of the steps */
    int64_t                warmup;     /* steps over which the learning rate rises to its value */
    int64_t                accumulate; /* batches a step, whose gradients are averaged; 0 is 1 */
    int64_t                shards;     /* into which each batch is cut; 0 is 1 */
    const train_ranks     *ranks;      /* who share a step's batches and shards; NULL: this process alone */
    train_observer *const *observers;  /* called in this order */
    int                    n_observers;
    bool (*stop)(void); /* asked between steps; NULL for never */
} train_plan;

/* A run under way, for observers to read. */
struct train_run {
    const train_plan *plan;
    ag_tape          *tape;
    train_history     history;
    int               phase;         /* index of the present one */
    int64_t           step, steps;   /* done, and in all, of the phase */
    int64_t           epoch, epochs; /* from 1; of the phase */
    int64_t           steps_per_epoch;
    train_sums        sums; /* of the epoch so far */
    tl_error          error;

    /* ---- Private. ---- */
    ds_batches           train_batches, test_batches;
    struct train_shards *shards;
    double              *lr;      /* of each optimizer when the run began */
    int64_t              ordered; /* the epoch whose order train_batches has; -1 for none */
    bool                 made;    /* a step, since the run began or was resumed */
    uint64_t             data;    /* train_data_hash, once it is known */
    bool                 hashed;
    bool stopping, parted; /* a rank is asked to stop; the ranks have heard of each other for the last time */
};

/* Makes a run ready: train_run_go then makes it. False with the reason; free it in either case. The model must have its
 * values by then: from nn_reset_parameters, or from train_resume after train_run_init. */
bool         train_run_init(train_run *run, const train_plan *plan, tl_error *why);
train_status train_run_go(train_run *run);
void         train_run_free(train_run *run);

/* All of it: for programs that need nothing in between. */
train_status train_run_plan(const train_plan *plan, tl_error *why);

/* The tape, reset, evaluating, with random numbers that are the same each time: for pictures and the like. */
ag_tape *train_evaluate(train_run *run);

/* Batches of an epoch of a phase, and steps of the whole phase. */
int64_t train_phase_batches(const train_phase *phase);
int64_t train_phase_steps(const train_plan *plan, const train_phase *phase);

/* A hash of the training examples of all phases, worked out once a run. */
uint64_t train_data_hash(train_run *run);

/* Mean or sum, as the phase reports it. */
double train_measure(const train_run *run, double sum, int64_t examples);

#ifdef __cplusplus
}
#endif
#endif
