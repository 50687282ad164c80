/* Processes that train one model together, each called a rank. Every step's batches are cut into shards; a rank
 * computes the gradients of some of them, and all ranks make the optimizer's step with the sum.
 *
 * train_ranks_world() is MPI in a library that was built with MPI=1. Any other way to carry bytes between processes, or
 * threads with a model each, is three fields and one function. */
#ifndef TRAIN_RANKS_H
#define TRAIN_RANKS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct train_ranks {
    int rank, size; /* this one's number, from 0; how many there are */
    /* Sends bytes to one rank while it receives others from one, as MPI_Sendrecv does; either count may be 0. All ranks
     * call it in the same order with counts that fit. False if a rank cannot be reached any more. */
    bool (*exchange)(void *self, int to, const void *sent, int64_t n_sent, int from, void *received,
                     int64_t n_received);
    void *self;
} train_ranks;

/* The ranks that the program was started as: by mpirun with MPI=1, else one alone. Threads do not share the result's
 * exchange. MPI is begun by the first call, and ended when the program exits. */
train_ranks train_ranks_world(void);

#ifdef __cplusplus
}
#endif
#endif
