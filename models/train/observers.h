/* The observers that most runs want: metrics.csv, a progress bar, a line for each epoch. */
#ifndef TRAIN_OBSERVERS_H
#define TRAIN_OBSERVERS_H

#include "models/train/run.h"
#include "tools/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the whole history to a CSV file (train_history_csv), atomically, after each epoch. The path must outlive the
 * observer. */
train_observer train_csv_observer(const char *path);

/* A progress bar on the terminal while an epoch runs, and a line on standard output after it. */
typedef struct train_terminal {
    tl_progress bar;
    double      begun;  /* seconds: of the epoch */
    int64_t     before; /* examples of the epoch when this run began with it */
    int64_t     epoch;
} train_terminal;

train_observer train_terminal_observer(train_terminal *t);

#ifdef __cplusplus
}
#endif
#endif
