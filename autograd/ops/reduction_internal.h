/* What the losses say of a reduction that is none. */
#ifndef AG_REDUCTION_INTERNAL_H
#define AG_REDUCTION_INTERNAL_H

#include "autograd/ops.h"

#define AG__REDUCTIONS "reduction is %d, expected AG_MEAN, AG_SUM or AG_NONE"

static inline bool ag__is_reduction(ag_reduction r)
{
    return r == AG_MEAN || r == AG_SUM || r == AG_NONE;
}

#endif
