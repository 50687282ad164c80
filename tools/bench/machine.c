#include "tools/bench/machine.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/runtime.h"
#include "tools/bench/measure.h"
#include "tools/progress.h"

/* ---- The peak: twelve independent chains of fused multiply-adds in registers. In assembler, as no compiler is to
 * spill, reorder or drop any of it. ---- */

enum { CHAINS = 12, ROUNDS = 100000 };

#define EACH_CHAIN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

#if defined(__x86_64__)
#define CHAIN_REGISTERS "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11"
#define CHAIN_512(i)    "vfmadd231ps %%zmm30, %%zmm31, %%zmm" #i "\n\t"
#define CHAIN_256(i)    "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #i "\n\t"
static void fma_512(int64_t rounds)
{
    __asm__ volatile("1:\n\t" EACH_CHAIN(CHAIN_512) "decq %0\n\tjnz 1b" : "+r"(rounds) : : "cc", CHAIN_REGISTERS);
}

static void fma_256(int64_t rounds)
{
    __asm__ volatile("1:\n\t" EACH_CHAIN(CHAIN_256) "decq %0\n\tjnz 1b" : "+r"(rounds) : : "cc", CHAIN_REGISTERS);
}
#elif defined(__aarch64__)
#define CHAIN_REGISTERS "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11"
#define CHAIN_128(i)    "fmla v" #i ".4s, v30.4s, v31.4s\n\t"
static void fma_128(int64_t rounds)
{
    __asm__ volatile("1:\n\t" EACH_CHAIN(CHAIN_128) "subs %0, %0, #1\n\tb.ne 1b"
                     : "+r"(rounds)
                     :
                     : "cc", CHAIN_REGISTERS);
}
#endif

/* Scalar: what is left for the portable kernels. */
static void fma_scalar(int64_t rounds)
{
    volatile float sink;
    float          x[CHAINS] = {0}, a = (float)rounds;
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++)
            x[i] = __builtin_fmaf(x[i], a, a);
    for (int i = 0; i < CHAINS; i++)
        sink = x[i];
    (void)sink;
}

typedef struct fma_loop {
    void (*run)(int64_t rounds);
    int floats; /* per instruction */
    int threads;
} fma_loop;

static fma_loop loop_of(const char *isa)
{
#if defined(__x86_64__)
    if (!strcmp(isa, "avx512"))
        return (fma_loop){fma_512, 16, 1};
    if (!strcmp(isa, "avx2"))
        return (fma_loop){fma_256, 8, 1};
#elif defined(__aarch64__)
    if (!strcmp(isa, "neon"))
        return (fma_loop){fma_128, 4, 1};
#endif
    (void)isa;
    return (fma_loop){fma_scalar, 1, 1};
}

static void spin(void *context, int64_t begin, int64_t end)
{
    const fma_loop *l = context;
    for (int64_t i = begin; i < end; i++)
        l->run(ROUNDS);
}

static void spin_all(void *context)
{
    fma_loop *l = context;
    agk_parallel(l->threads, 1, spin, l);
}

/* The pool with this many threads for what follows; returns what was set before. */
static int set_threads(int threads)
{
    int before = ag_threads();
    ag_set_threads(threads);
    return before;
}

double machine_peak(int threads, double seconds)
{
    int      before = set_threads(threads);
    fma_loop l = loop_of(ag_isa());
    l.threads = threads;
    timing t = measure(spin_all, &l, seconds);
    ag_set_threads(before);
    return 2.0 * l.floats * CHAINS * ROUNDS * threads / t.median * 1e-3;
}

/* ---- Bandwidth. ---- */

enum { FLOATS = 16 << 20 };

typedef struct arrays {
    ag_real *x, *y;
} arrays;

static void add(void *context, int64_t begin, int64_t end)
{
    const arrays *a = context;
    agk()->add(end - begin, a->x + begin, a->y + begin);
}

static void add_all(void *context)
{
    agk_parallel(FLOATS, 1 << 16, add, context);
}

double machine_bandwidth(int threads, double seconds)
{
    arrays a = {calloc(FLOATS, sizeof *a.x), calloc(FLOATS, sizeof *a.y)};
    double rate = 0;
    if (a.x && a.y) {
        memset(a.x, 0, FLOATS * sizeof *a.x);
        int before = set_threads(threads);
        rate = 3.0 * FLOATS * sizeof *a.x / measure(add_all, &a, seconds).median * 1e-3;
        ag_set_threads(before);
    }
    free(a.x);
    free(a.y);
    return rate;
}

/* ---- The pool. ---- */

typedef struct wake {
    int    threads, rest;
    double total;
    int    jobs;
} wake;

static void nothing(void *context, int64_t begin, int64_t end)
{
    (void)context, (void)begin, (void)end;
}

static void rest_and_wake(void *context)
{
    wake  *w = context;
    double until = tl_progress_now() + 1e-6 * w->rest;
    while (tl_progress_now() < until)
        continue;
    double begin = tl_progress_now();
    agk_parallel(w->threads, 1, nothing, NULL);
    w->total += tl_progress_now() - begin;
    w->jobs++;
}

double machine_wake(int threads, int rest, double seconds)
{
    int  before = set_threads(threads);
    wake w = {threads, rest, 0, 0};
    measure(rest_and_wake, &w, seconds);
    ag_set_threads(before);
    return 1e6 * w.total / w.jobs;
}

/* ---- Memory. ---- */

void machine_forget_memory(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w"); /* 5: the peak begins anew */
    if (f) {
        fputs("5\n", f);
        fclose(f);
    }
}

double machine_peak_memory(void)
{
    char  line[256];
    long  kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %ld kB", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return (double)kb / 1024;
}
