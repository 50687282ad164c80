/* The ops that ag_export_c can write, known by their addresses: a user's own may have the same name. */
#ifndef AG_WRITTEN_INTERNAL_H
#define AG_WRITTEN_INTERNAL_H

#include "autograd/kernels/kernels.h"
#include "autograd/op.h"

extern const ag_op ag__linear_op, ag__conv2d_op, ag__conv_transpose2d_op, ag__max_pool2d_op, ag__batch_norm_op;
extern const ag_op ag__slice_op, ag__concat_op, ag__reshape_op, ag__flatten_op, ag__on_tape_op, ag__dropout_op;
extern const ag_op ag__unary_ops[AGK_UNARY_COUNT], ag__binary_ops[AGK_BINARY_COUNT];

#endif
