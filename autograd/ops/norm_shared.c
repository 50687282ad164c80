#include "autograd/ops/norm_internal.h"

void ag__norm_affine(ag_tensor *x, ag_tensor **weight, ag_tensor **bias)
{
    const ag_tensor *given = *weight ? *weight : *bias;
    ag_tape         *tape = x && x->tape ? x->tape : given ? given->tape : NULL;
    if (!given || !tape)
        return; /* both are missing; or none is on a tape, which ag_apply refuses */
    if (!*weight)
        *weight = ag_full(tape, given->shape, 1);
    if (!*bias)
        *bias = ag_full(tape, given->shape, 0);
}
