/* What the sources in this folder share. They are compiled once per instruction set, with AGK_ISA its name; the
 * vector width follows from what the compiler was told that the CPU has. */
#ifndef AGK_ISA_H
#define AGK_ISA_H

#include "autograd/kernels/kernels.h"

#define AGK_PASTE3(a, b, c)  a##b##_##c
#define AGK_PASTE(a, b, c)   AGK_PASTE3(a, b, c)
#define AGK(name)            AGK_PASTE(agk_, AGK_ISA, name)
#define INLINE               static inline __attribute__((always_inline))

#define KERNEL(result, name, arguments) result AGK(name) arguments;
#include "autograd/kernels/kernels.def"
#undef KERNEL

/* Before a loop whose iterations do not depend on each other, which gcc then need not prove. */
#ifdef __clang__
#define INDEPENDENT
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* Sums keep this many partial sums, whatever the vector width: so all instruction sets give the same bits. */
#define LANES 32

enum { SUMMED = 4096 }; /* numbers of a row that are added up in ag_real; longer rows go by so many */

INLINE int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* x * y + z, rounded once. */
INLINE ag_real r_fma(ag_real x, ag_real y, ag_real z)
{
#ifdef AG_DOUBLE
    return __builtin_fma(x, y, z);
#else
    return __builtin_fmaf(x, y, z);
#endif
}

#endif
