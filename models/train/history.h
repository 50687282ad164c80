/* What a run reports: metrics by name, summed over an epoch, and the record of each epoch. */
#ifndef TRAIN_HISTORY_H
#define TRAIN_HISTORY_H

#include <stdint.h>
#include <stdio.h>

#include "tools/error.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TRAIN_METRIC_NAME = 32 };

/* Sums over the examples seen so far, in the order of their first report. */
typedef struct train_sum {
    char   name[TRAIN_METRIC_NAME];
    double value;
} train_sum;

typedef struct train_sums {
    int64_t    examples;
    int        n;
    train_sum *at;
} train_sums;

/* Whether a text can be a metric's name: 1 to 31 letters, digits and '_'. */
bool train_is_metric(const char *name);

/* Adds to the sum of a name. False if it is none, or when memory runs out. */
bool   train_sums_add(train_sums *s, const char *name, double value);
void   train_sums_clear(train_sums *s);
void   train_sums_free(train_sums *s);
double train_sums_get(const train_sums *s, const char *name); /* NaN if it was not reported */
bool   train_sums_finite(const train_sums *s);

/* One epoch, or the part of one that a run ends with. Values are means over the examples, or sums if the phase asks for
 * them. */
typedef struct train_record {
    int        phase;
    int64_t    epoch;
    double     seconds;
    train_sums train, test;
} train_record;

typedef struct train_history {
    int64_t       n;
    train_record *at;
} train_history;

/* Appends a record, whose sums the history owns from then on. False when memory runs out; they are then freed.
 * Nothing happens if the history is NULL. */
bool train_history_add(train_history *h, train_record record);
void train_history_drop_last(train_history *h);

/* The last record of a phase; NULL if there is none. */
const train_record *train_history_last(const train_history *h, int phase);

void train_history_free(train_history *h);

/* As text, one line a record, and back; the text of sums alone. To be freed by the caller; NULL, or false, when memory
 * runs out or the text is none. */
char *train_history_text(const train_history *h);
bool  train_history_parse(train_history *h, const char *text);
char *train_sums_text(const train_sums *s);
bool  train_sums_parse(train_sums *s, const char *text);

/* metrics.csv: epoch, [phase,] train_<metric> ..., test_<metric> ..., seconds; a cell is empty where a phase has no
 * such metric. `phases` has the phases' names; with one phase the column is left out. False when memory runs out. */
bool train_history_csv(const train_history *h, int n_phases, const char *const *phases, FILE *f);

#ifdef __cplusplus
}
#endif
#endif
