/* Asks for p[i] to be brought into the caches, to be read or written soon. It may lie outside of all arrays. Internal.
 */
#ifndef AG_PREFETCH_H
#define AG_PREFETCH_H

#include <stdint.h>

#include "autograd/real.h"

static inline void agk__prefetch(const ag_real *p, int64_t i)
{
    __builtin_prefetch((const void *)((uintptr_t)p + (uintptr_t)i * sizeof *p));
}

static inline void agk__prefetch_to_write(const ag_real *p, int64_t i)
{
    __builtin_prefetch((const void *)((uintptr_t)p + (uintptr_t)i * sizeof *p), 1, 2);
}

#endif
