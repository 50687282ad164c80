/* The inside of a step, for run.c and step.c. */
#ifndef TRAIN_RUN_INTERNAL_H
#define TRAIN_RUN_INTERNAL_H

#include "models/train/run.h"

struct train_step {
    train_run          *run;
    const train_source *source;
    const int64_t      *index; /* the examples of this batch */
    int64_t             n;
    bool                test, first, last; /* batches of the step */
    double              share;             /* of this batch in the step's gradient */
    train_sums         *sums;
    bool                loaded; /* the examples are counted */
};

#endif
