/* The library with MPI: `make MPI=1`. */
#include <mpi.h>
#include <stddef.h>
#include <stdlib.h>

#include "models/train/ranks.h"

#define MOST (1 << 30) /* bytes of a message, whose length MPI takes as an int */

static int piece(int64_t n)
{
    return (int)(n < MOST ? n : MOST);
}

/* What is long goes in several messages; what is done, or empty, in none. */
static bool exchange(void *self, int to, const void *sent, int64_t n_sent, int from, void *received, int64_t n_received)
{
    (void)self;
    for (int64_t at = 0; at < n_sent || at < n_received; at += MOST) {
        const bool sends = at < n_sent, receives = at < n_received;
        if (MPI_Sendrecv(sends ? (const char *)sent + at : NULL, sends ? piece(n_sent - at) : 0, MPI_BYTE,
                         sends ? to : MPI_PROC_NULL, 0, receives ? (char *)received + at : NULL,
                         receives ? piece(n_received - at) : 0, MPI_BYTE, receives ? from : MPI_PROC_NULL, 0,
                         MPI_COMM_WORLD, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return false;
    }
    return true;
}

static void end_mpi(void)
{
    int ended = 0;
    MPI_Finalized(&ended);
    if (!ended)
        MPI_Finalize();
}

train_ranks train_ranks_world(void)
{
    int         begun = 0, provided;
    train_ranks r = {0, 1, exchange, NULL};
    MPI_Initialized(&begun);
    if (!begun && (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS || atexit(end_mpi)))
        return r;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &r.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &r.size);
    return r;
}
