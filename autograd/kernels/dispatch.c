/* Which instruction set's kernels are in use. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/runtime.h"

extern const agk_table agk_portable_table;
#if defined(__x86_64__)
extern const agk_table agk_avx512_table, agk_avx2_table;
#elif defined(__aarch64__)
extern const agk_table agk_neon_table;
#endif

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

static const struct choice {
    const agk_table *table;
    bool (*supported)(void);
} choices[] = {
#if defined(__x86_64__)
    {&agk_avx512_table, has_avx512},
    {&agk_avx2_table, has_avx2},
#elif defined(__aarch64__)
    {&agk_neon_table, always},
#endif
    {&agk_portable_table, always},
};
enum { CHOICES = sizeof choices / sizeof *choices };

static _Atomic(const agk_table *) in_use;

const char *agk_name(int index)
{
    return index >= 0 && index < CHOICES ? choices[index].table->name : NULL;
}

const agk_table *agk_find(const char *name)
{
    for (int i = 0; name && i < CHOICES; i++)
        if (!strcmp(choices[i].table->name, name) && choices[i].supported())
            return choices[i].table;
    return NULL;
}

static const agk_table *choose(void)
{
    const agk_table *table = agk_find(getenv("HOURGLASS_ISA"));
    for (int i = 0; !table; i++)
        if (choices[i].supported())
            table = choices[i].table;
    return table;
}

const agk_table *agk(void)
{
    const agk_table *table = atomic_load_explicit(&in_use, memory_order_acquire);
    if (table)
        return table;
    const agk_table *chosen = choose(); /* unless another thread has set one meanwhile */
    return atomic_compare_exchange_strong(&in_use, &table, chosen) ? chosen : table;
}

void agk_use(const agk_table *table)
{
    atomic_store_explicit(&in_use, table, memory_order_release);
}

const char *ag_isa(void)
{
    return agk()->name;
}

bool ag_set_isa(const char *name)
{
    const agk_table *table = agk_find(name);
    if (table)
        agk_use(table);
    return table != NULL;
}

bool ag_environment_ok(char *message, size_t size)
{
    const char *isa = getenv("HOURGLASS_ISA"), *threads = getenv("HOURGLASS_THREADS");
    if (isa && !agk_find(isa)) {
        int at = snprintf(message, size, "HOURGLASS_ISA=%s: not available on this machine, expected one of:", isa);
        for (int i = 0; i < CHOICES && at >= 0 && (size_t)at < size; i++)
            if (choices[i].supported())
                at += snprintf(message + at, size - (size_t)at, " %s", choices[i].table->name);
        return false;
    }
    if (threads && agk_threads_from(threads) == 0) {
        snprintf(message, size, "HOURGLASS_THREADS=%s: expected a number from 1 to %d", threads, AG_MAX_THREADS);
        return false;
    }
    return true;
}
