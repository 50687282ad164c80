/* What the normalisations share. */
#ifndef AG_NORM_INTERNAL_H
#define AG_NORM_INTERNAL_H

#include "autograd/tensor.h"

/* The pair of which one may be missing: then weight is 1, or bias is 0, in the other's shape. */
void ag__norm_affine(ag_tensor *x, ag_tensor **weight, ag_tensor **bias);

#endif
