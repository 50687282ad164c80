/* What the parts of the training programs share among themselves. */
#ifndef MODELS_TRAIN_INTERNAL_H
#define MODELS_TRAIN_INTERNAL_H

#include "models/train.h"

/* Sums over the images seen. */
typedef struct train_totals {
    int64_t images;
    double  part[TRAIN_MAX_PARTS];
} train_totals;

/* How far a run has come. */
typedef struct train_state {
    int64_t      step;   /* steps done, of the whole run */
    train_totals totals; /* since the epoch began */
    char        *rows;   /* of metrics.csv, without the heading; allocated, or NULL */
} train_state;

/* Appends to state->rows. False when memory is out. */
bool train_add_row(train_state *state, const char *row);

/* Write OUT/checkpoint.safetensors and OUT/model.safetensors. False, and the reason on stderr, when that fails. */
bool train_write_checkpoint(train_session *s, const train_task *task, const train_state *state);
bool train_write_model(train_session *s, const train_task *task);

/* Read the session's file into the task's model; and, for a run to go on, into its optimiser, the tape's random state and *state. */
bool train_read_model(train_session *s, const train_task *task);
bool train_read_checkpoint(train_session *s, const train_task *task, train_state *state);

/* What --generate, --encode, --decode and --reconstruct ask for. Returns the exit status. */
int train_apply(train_session *s, const train_task *task);

#endif
