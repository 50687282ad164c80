/* The thread pool: workers that wait for the next piece of work, first awake, then asleep. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "autograd/kernels/threadpool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "autograd/kernels/workspace.h"
#include "autograd/runtime.h"

#define SPINS  2000 /* looks at the next work before a thread goes to sleep: some 50 microseconds */
#define YIELDS 100  /* the same where there are more threads than CPUs, each look leaving the CPU to others */
#define STACK  ((size_t)256 << 10) /* of a worker: kernels take little, as what they copy lies in their workspace */

typedef struct job {
    agk_body *body;
    void     *context;
    int64_t   n, part; /* items in all and per thread */
} job;

static struct pool {
    pthread_mutex_t owner; /* held by the thread whose work runs */
    pthread_mutex_t sleep; /* guards going to sleep */
    pthread_cond_t  wake;
    pthread_t       worker[AG_MAX_THREADS];
    int             workers; /* running, beside the caller */
    bool            crowded; /* more threads than CPUs */
    bool            fork_watched;
    job             job;
    atomic_bool     stop;
    atomic_uint     turn;    /* grows with each job */
    atomic_int      pending; /* workers that have not finished it */
    atomic_int      asleep;
    atomic_int      threads; /* wanted; 0 until first asked */
} pool = {.owner = PTHREAD_MUTEX_INITIALIZER, .sleep = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static _Thread_local bool in_body;

static int cpus(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > AG_MAX_THREADS ? AG_MAX_THREADS : (int)n;
}

int agk_threads_from(const char *text)
{
    char *end;
    long  n = strtol(text, &end, 10);
    return *text && !*end && n >= 1 && n <= AG_MAX_THREADS ? (int)n : 0;
}

int ag_threads(void)
{
    int n = atomic_load(&pool.threads);
    if (n > 0)
        return n;
    const char *text = getenv("HOURGLASS_THREADS");
    n = text ? agk_threads_from(text) : 0;
    if (n == 0)
        n = cpus();
    if (n > AG_MAX_THREADS)
        n = AG_MAX_THREADS;
    int unset = 0; /* unless another thread has set it meanwhile */
    return atomic_compare_exchange_strong(&pool.threads, &unset, n) ? n : unset;
}

/* Between two looks at what another thread is to change. */
static void pause_once(void)
{
    if (pool.crowded)
        sched_yield();
#if defined(__x86_64__)
    else
        __builtin_ia32_pause();
#elif defined(__aarch64__)
    else
        __asm__ volatile("yield");
#endif
}

static void run_part(const job *j, int index)
{
    int64_t begin = j->part * index, end = begin + j->part < j->n ? begin + j->part : j->n;
    if (begin < end)
        j->body(j->context, begin, end);
}

/* Returns when a turn later than `seen` is there. */
static unsigned wait_for_turn(unsigned seen)
{
    for (int i = 0; i < (pool.crowded ? YIELDS : SPINS); i++, pause_once())
        if (atomic_load_explicit(&pool.turn, memory_order_acquire) != seen)
            return atomic_load(&pool.turn);
    pthread_mutex_lock(&pool.sleep);
    atomic_fetch_add(&pool.asleep, 1);
    while (atomic_load(&pool.turn) == seen)
        pthread_cond_wait(&pool.wake, &pool.sleep);
    atomic_fetch_sub(&pool.asleep, 1);
    pthread_mutex_unlock(&pool.sleep);
    return atomic_load(&pool.turn);
}

/* A new turn; `pending` and the job are set. */
static void next_turn(void)
{
    atomic_fetch_add(&pool.turn, 1);
    if (atomic_load(&pool.asleep) > 0) {
        pthread_mutex_lock(&pool.sleep);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.sleep);
    }
}

static void *worker_main(void *index)
{
    in_body = true;
    for (unsigned turn = 0;;) {
        turn = wait_for_turn(turn);
        if (atomic_load(&pool.stop))
            break;
        run_part(&pool.job, (int)(intptr_t)index);
        atomic_fetch_sub_explicit(&pool.pending, 1, memory_order_release);
    }
    agk_workspace_free();
    return NULL;
}

static void stop_workers(void)
{
    if (pool.workers > 0) {
        atomic_store(&pool.stop, true);
        next_turn();
        for (int i = 0; i < pool.workers; i++)
            pthread_join(pool.worker[i], NULL);
    }
    pool.workers = 0;
    atomic_store(&pool.stop, false);
    atomic_store(&pool.turn, 0);
}

/* A forked child has no workers; it starts its own when it needs them. */
static void forget_workers(void)
{
    pthread_mutex_init(&pool.owner, NULL);
    pthread_mutex_init(&pool.sleep, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pool.workers = 0;
    atomic_store(&pool.turn, 0);
    atomic_store(&pool.asleep, 0);
    in_body = false;
}

static bool create_worker(int index, const pthread_attr_t *attributes)
{
    return pthread_create(&pool.worker[index], attributes, worker_main, (void *)(intptr_t)(index + 1)) == 0;
}

/* Signals are for the application's own threads. A program with much thread-local memory, which lies in the stack,
 * needs the default one. */
static bool start_worker(int index)
{
    pthread_attr_t with_stack;
    sigset_t       all, before;
    if (pthread_attr_init(&with_stack) != 0)
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool ok = (pthread_attr_setstacksize(&with_stack, STACK) == 0 && create_worker(index, &with_stack)) ||
                    create_worker(index, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&with_stack);
    return ok;
}

/* As many workers as there can be, up to what is wanted. */
static void start_workers(void)
{
    int wanted = ag_threads() - 1;
    if (pool.workers == wanted)
        return;
    stop_workers();
    if (!pool.fork_watched)
        pool.fork_watched = pthread_atfork(NULL, NULL, forget_workers) == 0;
    pool.crowded = wanted >= cpus();
    while (pool.workers < wanted && start_worker(pool.workers))
        pool.workers++;
    if (pool.workers < wanted)
        atomic_store(&pool.threads, pool.workers + 1);
}

bool ag_set_threads(int n)
{
    if (n < 1 || n > AG_MAX_THREADS)
        return false;
    pthread_mutex_lock(&pool.owner);
    atomic_store(&pool.threads, n);
    start_workers();
    pthread_mutex_unlock(&pool.owner);
    return true;
}

static void run_on_all(int64_t n, int parts, agk_body *body, void *context)
{
    int64_t part = (n + parts - 1) / parts;
    int64_t unit = part >= 1024 ? 64 : part >= 64 ? 8 : 1;
    part = (part + unit - 1) / unit * unit;
    pool.job = (job){body, context, n, part};
    atomic_store_explicit(&pool.pending, pool.workers, memory_order_relaxed);
    next_turn();
    in_body = true;
    run_part(&pool.job, 0);
    in_body = false;
    for (int i = 0; atomic_load_explicit(&pool.pending, memory_order_acquire) > 0; i++)
        if (i < SPINS)
            pause_once();
        else
            sched_yield();
}

void agk_parallel(int64_t n, int64_t grain, agk_body *body, void *context)
{
    int64_t parts = n / (grain > 0 ? grain : 1);
    if (parts < 2 || in_body || ag_threads() == 1 || pthread_mutex_trylock(&pool.owner) != 0) {
        body(context, 0, n);
        return;
    }
    start_workers();
    if (parts > pool.workers + 1)
        parts = pool.workers + 1;
    run_on_all(n, (int)parts, body, context);
    pthread_mutex_unlock(&pool.owner);
}

/* The process ends, or the library is unloaded. */
__attribute__((destructor)) static void end_pool(void)
{
    if (pthread_mutex_trylock(&pool.owner) != 0)
        return;
    stop_workers();
    pthread_mutex_unlock(&pool.owner);
}
