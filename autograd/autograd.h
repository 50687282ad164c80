/* All of autograd, for users: tensors, tapes, ops, gradient check. Authors of ops include autograd/op.h as well. */
#ifndef AG_AUTOGRAD_H
#define AG_AUTOGRAD_H

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "autograd/rng.h"
#include "autograd/runtime.h"
#include "autograd/tape.h"
#include "autograd/tensor.h"

#endif
