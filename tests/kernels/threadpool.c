/* The thread pool: every item once, whatever the number of threads and callers. */
#define _POSIX_C_SOURCE 200809L
#include "autograd/kernels/threadpool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

enum { ITEMS = 5000 };

typedef struct tally {
    atomic_int visits[ITEMS];
} tally;

static void visit(void *context, int64_t begin, int64_t end)
{
    tally *t = context;
    for (int64_t i = begin; i < end; i++)
        atomic_fetch_add(&t->visits[i], 1);
}

static bool all_visited(tally *t, int64_t n, int times)
{
    for (int64_t i = 0; i < ITEMS; i++)
        if (t->visits[i] != (i < n ? times : 0))
            return false;
    return true;
}

Test(threadpool, visits_each_item_once)
{
    static const int64_t sizes[] = {1, 2, 3, 63, 64, 65, 129, 1000, ITEMS};
    for (int threads = 1; threads <= 9; threads++) {
        cr_assert(ag_set_threads(threads) && ag_threads() == threads);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            tally t = {0};
            agk_parallel(sizes[s], 1, visit, &t);
            cr_assert(all_visited(&t, sizes[s], 1), "%d threads, %lld items", threads, (long long)sizes[s]);
        }
    }
    ag_set_threads(1);
}

static void nested(void *context, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++)
        agk_parallel(ITEMS, 1, visit, context);
}

Test(threadpool, runs_nested_work)
{
    tally t = {0};
    ag_set_threads(3);
    agk_parallel(4, 1, nested, &t);
    cr_assert(all_visited(&t, ITEMS, 4));
    ag_set_threads(1);
}

static void *caller(void *context)
{
    for (int i = 0; i < 200; i++)
        agk_parallel(ITEMS, 1, visit, context);
    return NULL;
}

Test(threadpool, serves_several_callers)
{
    pthread_t    thread[3];
    static tally t[3];
    ag_set_threads(2);
    for (int i = 0; i < 3; i++)
        cr_assert(pthread_create(&thread[i], NULL, caller, &t[i]) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < 3; i++)
        cr_assert(all_visited(&t[i], ITEMS, 200));
    ag_set_threads(1);
}

#ifndef PLAIN_RUNNER
/* A forked child has no workers of its parent's, and starts its own. */
Test(threadpool, works_after_fork)
{
    static tally t;
    ag_set_threads(2);
    agk_parallel(ITEMS, 1, visit, &t);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        tally *own = calloc(1, sizeof *own);
        agk_parallel(ITEMS, 1, visit, own);
        _exit(own && all_visited(own, ITEMS, 1) ? 0 : 1);
    }
    int status = -1;
    cr_assert(waitpid(child, &status, 0) == child && status == 0);
    ag_set_threads(1);
}
#endif

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

/* What the application has blocked waits for it, and does not end up on a worker. */
Test(threadpool, takes_no_signals)
{
    tally    t = {0};
    sigset_t one, waiting;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    signal(SIGUSR1, count_signal);
    cr_assert(ag_set_threads(3));
    agk_parallel(ITEMS, 1, visit, &t);
    pthread_sigmask(SIG_BLOCK, &one, NULL);
    kill(getpid(), SIGUSR1);
    agk_parallel(ITEMS, 1, visit, &t);
    cr_assert(signals == 0 && sigpending(&waiting) == 0 && sigismember(&waiting, SIGUSR1) == 1);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    cr_assert(signals == 1 && all_visited(&t, ITEMS, 2));
    ag_set_threads(1);
}

Test(threadpool, refuses_bad_settings)
{
    int before = ag_threads();
    cr_assert(!ag_set_threads(0) && !ag_set_threads(-1) && !ag_set_threads(AG_MAX_THREADS + 1));
    cr_assert(ag_threads() == before);
    cr_assert(!ag_set_isa("sse9") && !ag_set_isa(NULL));
    cr_assert(ag_set_isa("portable") && ag_isa()[0] == 'p');
}

Test(threadpool, reads_the_environment_strictly)
{
    char                     message[256];
    static const char *const bad[] = {"0", "-1", "65", "two", "", "1x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("HOURGLASS_THREADS", bad[i], 1);
        cr_assert(!ag_environment_ok(message, sizeof message), "HOURGLASS_THREADS=%s", bad[i]);
    }
    setenv("HOURGLASS_THREADS", "2", 1);
    cr_assert(ag_environment_ok(message, sizeof message));
    setenv("HOURGLASS_ISA", "mmx", 1);
    cr_assert(!ag_environment_ok(message, sizeof message));
    unsetenv("HOURGLASS_ISA");
    unsetenv("HOURGLASS_THREADS");
}
