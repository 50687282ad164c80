/* The zoo's nine recipes as training steps to be timed. */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include "datasets/batches.h"
#include "datasets/dataset.h"
#include "models/recipes.h"
#include "nn/nn.h"

typedef struct workload workload;

/* What one workload needs to step. */
typedef struct workload_run {
    const workload *w;
    const recipe   *recipe;
    nn_module      *model;
    nn_optimizer   *optimizer;
    ag_tape        *tape;
    ds_dataset      data; /* not its own */
    ds_batches      batches;
    uint64_t        epoch;
    ag_real        *pixels; /* room for one batch */
} workload_run;

struct workload {
    const char *name; /* "a vae": the recipe's letter first */
    double mega_flop; /* per step: two operations per multiply-add, forward, and both gradients where there are both */
    nn_module *(*make)(const recipe *r);
    nn_optimizer *(*optimize)(nn_module *m, double lr);
    ag_tensor *(*loss)(nn_module *m, ag_tensor *x, ag_tensor *labels);
};

/* Nine, and one without a name. */
extern const workload workloads[];

/* Makes a run on the images of `data`, which stays the caller's. False when memory runs out. */
bool workload_open(workload_run *r, const workload *w, const ds_dataset *data, int64_t batch);
void workload_close(workload_run *r);

/* A whole step: the batch gathered, forward, loss, backward, optimizer. */
void workload_step(void *run);

#endif
