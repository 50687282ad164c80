/* For the tests of kernels: every table that this machine can run, and what they are called with. */
#ifndef TESTS_TABLES_H
#define TESTS_TABLES_H

#include <string.h>

#include "autograd/kernels/kernels.h"
#include "tests/test.h"

#ifdef AG_DOUBLE
#define TOLERANCE 1e-12
#else
#define TOLERANCE 2e-5
#endif

enum { MOST = 300 }; /* elements of the vectors here */

static const int64_t lengths[] = {1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 255, 300};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static inline void fill(ag_real *x, int64_t n, uint64_t seed)
{
    ag_rng_uniform(&(ag_rng){seed, 0}, n, (ag_real)0.05, (ag_real)0.95, x);
}

/* Calls f with each table that this machine can run; the last is the portable one. */
static inline void for_tables(void (*f)(const agk_table *table))
{
    int ran = 0;
    for (int i = 0; agk_name(i); i++)
        if (agk_find(agk_name(i))) {
            f(agk_find(agk_name(i)));
            ran++;
        }
    cr_assert(ran >= 1);
}

static inline bool same_bits(const ag_real *a, const ag_real *b, int64_t n)
{
    return memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

#endif
