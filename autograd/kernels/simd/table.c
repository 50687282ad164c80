/* The table of this instruction set's kernels. */
#include "autograd/kernels/simd/isa.h"

#define QUOTE(x)  #x
#define STRING(x) QUOTE(x)

const agk_table AGK(table) = {
    .name = STRING(AGK_ISA),
#define KERNEL(result, name, arguments) .name = AGK(name),
#include "autograd/kernels/kernels.def"
};
