/* Ops that are a few lines of others. */
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/reduction_internal.h"

ag_tensor *ag_min(ag_tensor *x, ag_axes axes, bool keepdim)
{
    return ag_neg(ag_max(ag_neg(x), axes, keepdim));
}

/* From the deviations themselves, in a second pass: the difference of two large sums would lose all digits. */
ag_tensor *ag_var(ag_tensor *x, ag_axes axes, int64_t correction, bool keepdim)
{
    ag_tensor *sum = ag_sum(ag_square(ag_sub(x, ag_mean(x, axes, true))), axes, keepdim);
    if (ag_tensor_error(sum))
        return sum;
    const int64_t n = ag_numel(&x->shape) / ag_numel(&sum->shape);
    if (correction < 0 || n <= correction)
        return ag_fail(sum->tape, "var: %lld numbers with a correction of %lld, expected more numbers than that",
                       (long long)n, (long long)correction);
    return ag_scale(sum, 1.0 / (double)(n - correction));
}

/* The root's derivative at 0 is infinite; there it is taken at 1 in its place, and the gradient is 0, as in PyTorch. */
ag_tensor *ag_std(ag_tensor *x, ag_axes axes, int64_t correction, bool keepdim)
{
    ag_tensor *var = ag_var(x, axes, correction, keepdim);
    ag_tensor *none = ag_eq(var, ag_scalar(var->tape, 0));
    return ag_sub(ag_sqrt(ag_add(var, none)), none);
}

ag_tensor *ag_stack(int n, ag_tensor *const *x, int axis)
{
    enum { MOST = 64 };
    ag_tensor *with_axis[MOST];
    ag_tape   *tape = NULL;
    for (int i = 0; i < n && x && !tape; i++)
        tape = x[i] ? x[i]->tape : NULL;
    if (n < 1 || n > MOST || !x)
        return ag_fail(tape, "stack: %d tensors, expected 1 to %d", x ? n : 0, MOST);
    if (!x[0])
        return ag_fail(tape, "stack: tensor 0 is NULL");
    const int rank = x[0]->shape.rank, at = axis < 0 ? axis + rank + 1 : axis;
    for (int i = 0; i < n; i++) {
        if (!x[i] || x[i]->shape.rank != rank || at < 0 || at > rank || rank == AG_MAX_RANK)
            return ag_fail(tape, "stack: tensor %d is %s, the first %s: no room for a new axis %d in both", i,
                           x[i] ? AG_STR(&x[i]->shape) : "NULL", AG_STR(&x[0]->shape), axis);
        ag_shape shape = x[i]->shape;
        for (int d = shape.rank++; d > at; d--)
            shape.dim[d] = shape.dim[d - 1];
        shape.dim[at] = 1;
        with_axis[i] = ag_reshape(ag_on_tape(tape, x[i]), shape);
    }
    return ag_concat(n, with_axis, at);
}

ag_tensor *ag_pad(ag_tensor *x, int axis, int64_t before, int64_t after, double value)
{
    ag_tensor *part[3];
    int        n = 0;
    const int  at = x ? ag_axis_index(&x->shape, axis) : -1;
    if (at < 0 || before < 0 || after < 0)
        return ag_fail(x ? x->tape : NULL,
                       "pad: %s by %lld and %lld along axis %d: axis out of range, or negative padding",
                       x ? AG_STR(&x->shape) : "NULL", (long long)before, (long long)after, axis);
    ag_shape shape = x->shape;
    for (int i = 0; i < 3; i++) {
        shape.dim[at] = i == 0 ? before : after;
        if (i == 1)
            part[n++] = x;
        else if (shape.dim[at] > 0)
            part[n++] = ag_full(x->tape, shape, value);
    }
    return ag_concat(n, part, at);
}

ag_tensor *ag_bce_with_logits_loss_weighted(ag_tensor *logits, ag_tensor *target, ag_tensor *pos_weight,
                                            ag_reduction reduction)
{
    ag_tape *tape = logits && logits->tape ? logits->tape : target ? target->tape : NULL;
    if (!ag__is_reduction(reduction))
        return ag_fail(tape, "bce_with_logits_loss: " AG__REDUCTIONS, (int)reduction);
    if (!logits || !target || !pos_weight)
        return ag_fail(tape, "bce_with_logits_loss: an input is NULL");
    if (!ag_shape_equal(&logits->shape, &target->shape) && !ag_tensor_error(logits) && !ag_tensor_error(target))
        return ag_fail(tape, "bce_with_logits_loss: input %s and target %s, expected the same shape",
                       AG_STR(&logits->shape), AG_STR(&target->shape));
    logits = ag_on_tape(tape, logits);
    target = ag_on_tape(tape, target);
    pos_weight = ag_on_tape(tape, pos_weight);
    ag_tensor *weight = ag_shift(ag_mul(ag_shift(pos_weight, -1), target), 1);
    ag_tensor *loss = ag_add(ag_mul(ag_rsub(target, 1), logits), ag_mul(weight, ag_softplus(ag_neg(logits))));
    return reduction == AG_NONE  ? loss
           : reduction == AG_SUM ? ag_sum(loss, AG_ALL, false)
                                 : ag_mean(loss, AG_ALL, false);
}

typedef ag_tensor *conv_fn(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_conv_options o);

/* A convolution of images of one row. */
static ag_tensor *conv_rows(const char *name, conv_fn *conv, ag_tensor *x, ag_tensor *weight, ag_tensor *bias,
                            ag_conv_options o)
{
    ag_tape *tape = x && x->tape ? x->tape : weight ? weight->tape : NULL;
    if (!x || !weight || x->shape.rank != 3 || weight->shape.rank != 3)
        return ag_fail(tape, "%s: input %s and weight %s, expected three dimensions each", name,
                       x ? AG_STR(&x->shape) : "NULL", weight ? AG_STR(&weight->shape) : "NULL");
    const int64_t  *n = x->shape.dim, *k = weight->shape.dim;
    ag_conv_options flat = {
        {1, o.stride[0]}, {0, o.padding[0]}, {1, o.dilation[0]}, {0, o.output_padding[0]}, o.groups};
    ag_tensor *y = conv(ag_reshape(ag_on_tape(tape, x), AG_SHAPE(n[0], n[1], 1, n[2])),
                        ag_reshape(ag_on_tape(tape, weight), AG_SHAPE(k[0], k[1], 1, k[2])), bias, flat);
    return ag_flatten(y, 2, 3);
}

ag_tensor *ag_conv1d(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_conv_options o)
{
    return conv_rows("conv1d", ag_conv2d, x, weight, bias, o);
}

ag_tensor *ag_conv_transpose1d(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_conv_options o)
{
    return conv_rows("conv_transpose1d", ag_conv_transpose2d, x, weight, bias, o);
}

ag_tensor *ag_max_pool1d(ag_tensor *x, ag_pool_options o)
{
    if (!x || x->shape.rank != 3)
        return ag_fail(x ? x->tape : NULL, "max_pool1d: input %s, expected (N, C, L)", x ? AG_STR(&x->shape) : "NULL");
    const int64_t *n = x->shape.dim;
    o.kernel[1] = o.kernel[0];
    o.stride[1] = o.stride[0];
    o.padding[1] = o.padding[0];
    o.dilation[1] = o.dilation[0];
    o.kernel[0] = o.stride[0] = o.dilation[0] = 1;
    o.padding[0] = 0;
    return ag_flatten(ag_max_pool2d(ag_reshape(x, AG_SHAPE(n[0], n[1], 1, n[2])), o), 2, 3);
}
