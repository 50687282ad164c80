/* Ranks that are threads of the test: what train_ranks asks of a user's own. */
#ifndef TESTS_RANKS_H
#define TESTS_RANKS_H

#include "tests/support/runs.h"

enum { MOST_RANKS = 8 };

/* Makes a run of a kind on so many ranks, each a thread with a model of its own; results[i] is rank i's. Rank 0 writes
 * the checkpoint; the last one is asked to stop, at the end of step `steps` or of a test before it, if that is at least
 * 0. `change`, if not NULL, changes the run of a rank before it is made. */
void run_on_ranks(run_kind kind, const train_plan *like, int ranks, void (*change)(small_run *r, int rank),
                  const char *checkpoint, const char *resume, int64_t steps, run_result *results);

#endif
