#define _POSIX_C_SOURCE 200809L
#include "tests/support/ranks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

/* What one rank sends another, until that has taken it. */
typedef struct letter {
    const void *bytes;
    int64_t     n;
} letter;

typedef struct post {
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    int             size;
    letter          box[MOST_RANKS][MOST_RANKS]; /* from, to */
    bool            ended[MOST_RANKS];
} post;

typedef struct rank_run {
    post             *post;
    int               rank;
    run_kind          kind;
    const train_plan *like;
    void (*change)(small_run *r, int rank);
    const char *checkpoint, *resume;
    int64_t     steps;
    run_result *result;
} rank_run;

/* False if the rank that is waited for has ended. */
static bool wait_while(post *p, const letter *l, bool full, int rank)
{
    while ((l->bytes != NULL) == full && !p->ended[rank])
        pthread_cond_wait(&p->changed, &p->lock);
    return (l->bytes != NULL) != full;
}

static bool exchange(void *self, int to, const void *sent, int64_t n_sent, int from, void *received, int64_t n_received)
{
    const rank_run *r = self;
    post           *p = r->post;
    letter         *out = &p->box[r->rank][to], *in = &p->box[from][r->rank];
    bool            ok = true;
    pthread_mutex_lock(&p->lock);
    if (n_sent > 0) {
        *out = (letter){sent, n_sent};
        pthread_cond_broadcast(&p->changed);
    }
    if (n_received > 0 && (ok = wait_while(p, in, false, from))) {
        ok = in->n == n_received;
        if (ok)
            memcpy(received, in->bytes, (size_t)n_received);
        *in = (letter){NULL, 0};
        pthread_cond_broadcast(&p->changed);
    }
    if (n_sent > 0) {
        ok = wait_while(p, out, true, to) && ok;
        *out = (letter){NULL, 0};
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

static void *make_run(void *context)
{
    rank_run   *r = context;
    small_run   run;
    train_ranks ranks = {r->rank, r->post->size, exchange, r};
    small_run_open(&run, r->kind);
    small_run_like(&run, r->like);
    run.plan.ranks = &ranks;
    if (r->change)
        r->change(&run, r->rank);
    small_run_go(&run, r->rank == 0 ? r->checkpoint : NULL, r->resume, r->steps, r->result);
    small_run_close(&run);
    pthread_mutex_lock(&r->post->lock);
    r->post->ended[r->rank] = true;
    pthread_cond_broadcast(&r->post->changed);
    pthread_mutex_unlock(&r->post->lock);
    return NULL;
}

void run_on_ranks(run_kind kind, const train_plan *like, int ranks, void (*change)(small_run *r, int rank),
                  const char *checkpoint, const char *resume, int64_t steps, run_result *results)
{
    post      p = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .size = ranks};
    pthread_t thread[MOST_RANKS];
    rank_run  run[MOST_RANKS];
    for (int i = 0; i < ranks; i++) {
        run[i] = (rank_run){&p, i, kind, like, change, checkpoint, resume, i == ranks - 1 ? steps : -1, &results[i]};
        cr_assert(pthread_create(&thread[i], NULL, make_run, &run[i]) == 0);
    }
    for (int i = 0; i < ranks; i++)
        pthread_join(thread[i], NULL);
}
