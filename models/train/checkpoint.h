/* Checkpoints of runs: the model, its optimizers, and all that a run needs to go on as if it had never stopped. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include "models/train/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes `path` after each epoch, every so many steps besides if `every` is above 0, and when the run is stopped. */
typedef struct train_checkpoint {
    const char           *path;
    int64_t               every;
    int64_t               n_texts; /* of the caller's, kept in the file */
    const nn_stored_text *texts;
} train_checkpoint;

train_observer train_checkpoint_observer(train_checkpoint *c);

/* Puts a run that was just made ready into the state of a file. False with the reason: the file has no such state, or
 * one of another plan, or other examples. */
bool train_resume(train_run *run, const nn_safetensors *file, tl_error *why);

/* Whether the file holds the state of a run, at all; *step and *phase are where it stopped. */
bool train_is_checkpoint(const nn_safetensors *file, int64_t *phase, int64_t *step);

#ifdef __cplusplus
}
#endif
#endif
