/* The observer that ends a run with the weights of its best epoch: what early stopping ends with, without stopping. */
#ifndef TRAIN_BEST_H
#define TRAIN_BEST_H

#include "models/train/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where the weights are kept, and texts for the file. The paths and texts must outlive the observer. */
typedef struct train_best {
    const char           *path;
    const char           *before; /* the file of the run that is resumed, if it is another; else NULL */
    int                   n_texts;
    const nn_stored_text *texts;
    int64_t               epoch; /* whose weights the model has after the run; 0: the last one's */
    int                   phase; /* of that epoch */
} train_best;

/* After each whole epoch whose test metric, the first that its phase reports, is the smallest so far of
 * the phase and of those that it continues, the model is written to b->path; at the end of a run
 * that was not stopped, it is read back. A phase without a test is an error. */
train_observer train_best_observer(train_best *b);

#ifdef __cplusplus
}
#endif
#endif
