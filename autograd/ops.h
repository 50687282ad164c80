/* The catalogue of ops. Every op takes tensors of one tape (parameters go with any tape), computes at once, and returns
 * a new tensor on that tape; on any failure it records the error on the tape and returns the tape's poison tensor
 * (see tape.h). Names and semantics are PyTorch's; axes may be negative. */
#ifndef AG_OPS_H
#define AG_OPS_H

#include "autograd/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Elementwise: see elementwise.def for the formulas. ----
 *
 * Of one tensor: neg abs exp log log1p sqrt square reciprocal relu gelu (exact, with erf) silu softplus sigmoid tanh.
 * Also of one tensor: mish sin cos erf.
 * Steps, whose gradient is zero: floor round (halves to even) sign.
 * With one number: leaky_relu (slope), elu (alpha), scale (x * p), shift (x + p), rsub (p - x), pow (x to the p).
 * With two numbers: clamp (low, high).
 * Of two tensors, with numpy's broadcasting: add sub mul div maximum minimum.
 * Comparisons, which broadcast too and give 1 or 0 with no gradient: eq ne lt le gt ge. */
#define UNARY(name, domain, y, dx)      ag_tensor *ag_##name(ag_tensor *x);
#define UNARY_P(name, domain, y, dx)    ag_tensor *ag_##name(ag_tensor *x, double p);
#define UNARY_PQ(name, domain, y, dx)   ag_tensor *ag_##name(ag_tensor *x, double p, double q);
#define BINARY(name, domain, y, da, db) ag_tensor *ag_##name(ag_tensor *a, ag_tensor *b);
#include "autograd/kernels/elementwise.def"

/* a where the condition is not 0, else b; all three broadcast. The one that is not taken gets no gradient, even if it
 * is NaN. */
ag_tensor *ag_where(ag_tensor *condition, ag_tensor *a, ag_tensor *b);

/* x with `value` where the mask is not 0. */
ag_tensor *ag_masked_fill(ag_tensor *x, ag_tensor *mask, double value);

/* ---- Shape. ---- */

/* The same elements in another shape; one dimension may be -1 and is then worked out. Shares the data. */
ag_tensor *ag_reshape(ag_tensor *x, ag_shape shape);

/* Axes first .. last made into one. ag_flatten(x, 1, -1) keeps the batch axis. Shares the data. */
ag_tensor *ag_flatten(ag_tensor *x, int first, int last);

/* Axis i of the result is axis order.axis[i] of x. */
ag_tensor *ag_permute(ag_tensor *x, ag_axes order);
ag_tensor *ag_transpose(ag_tensor *x, int axis0, int axis1);

/* x[begin:end] along an axis as in Python: negative positions count from the end, and positions beyond an end are
 * clipped (INT64_MAX stands for "to the end"). At least one element must be left. */
ag_tensor *ag_slice(ag_tensor *x, int axis, int64_t begin, int64_t end);

/* Cuts x along an axis into `chunks` pieces of ceil(size / chunks), the last one smaller. There may be fewer, as
 * in torch.chunk: returns how many; the rest of piece[0 .. chunks-1] is NULL. On failure all are poison. */
int ag_chunk(ag_tensor *x, int chunks, int axis, ag_tensor **piece);

/* Joins n tensors along `axis`; their shapes agree along every other axis. */
ag_tensor *ag_concat(int n, ag_tensor *const *x, int axis);

/* Joins n tensors of one shape, at most 64, along a new axis. */
ag_tensor *ag_stack(int n, ag_tensor *const *x, int axis);

/* Pads x along an axis with `before` and `after` elements of `value`. */
ag_tensor *ag_pad(ag_tensor *x, int axis, int64_t before, int64_t after, double value);

/* Indexing along an axis. An index holds whole numbers from 0 to the axis's size - 1; anything else is an error. */

/* The slices of x at the places `index` (n): x's shape, with n in place of the axis. */
ag_tensor *ag_index_select(ag_tensor *x, int axis, ag_tensor *index);

/* out[i][j] = x[index[i][j]][j] for axis 0 of two, and so on. The index has as many dimensions as x, none larger but
 * the axis, and gives the result's shape. */
ag_tensor *ag_gather(ag_tensor *x, int axis, ag_tensor *index);

/* A copy of x with source[i][j] added at [index[i][j]][j], and so on: index and source of one shape, as for gather.
 * What comes to one place adds up. */
ag_tensor *ag_scatter_add(ag_tensor *x, int axis, ag_tensor *index, ag_tensor *source);

/* x repeated to `shape` by numpy's broadcasting; a dimension of -1 stays as it is. */
ag_tensor *ag_expand(ag_tensor *x, ag_shape shape);

/* ---- Reductions over some axes, or AG_ALL. keepdim leaves the reduced axes in place with size 1. ---- */

ag_tensor *ag_sum(ag_tensor *x, ag_axes axes, bool keepdim);
ag_tensor *ag_mean(ag_tensor *x, ag_axes axes, bool keepdim);

/* torch.amax and torch.amin: equals share the gradient; NaN wins. */
ag_tensor *ag_max(ag_tensor *x, ag_axes axes, bool keepdim);
ag_tensor *ag_min(ag_tensor *x, ag_axes axes, bool keepdim);

/* Variance and standard deviation; the sum of squares is divided by the count less `correction`: 1, PyTorch's default,
 * or 0. */
ag_tensor *ag_var(ag_tensor *x, ag_axes axes, int64_t correction, bool keepdim);
ag_tensor *ag_std(ag_tensor *x, ag_axes axes, int64_t correction, bool keepdim);

/* The place of the largest, or the smallest, along one axis: the first of equals; NaN wins. No gradient flows. */
ag_tensor *ag_argmax(ag_tensor *x, int axis, bool keepdim);
ag_tensor *ag_argmin(ag_tensor *x, int axis, bool keepdim);

/* Running sums along one axis. */
ag_tensor *ag_cumsum(ag_tensor *x, int axis);

/* Along one axis: the shape of x, but for logsumexp, which removes the axis. */
ag_tensor *ag_softmax(ag_tensor *x, int axis);
ag_tensor *ag_log_softmax(ag_tensor *x, int axis);
ag_tensor *ag_logsumexp(ag_tensor *x, int axis);

/* ---- Products. ---- */

/* torch.matmul: (..., m, k) by (..., k, n), batch axes broadcast; a vector on the left is a row, on the right a
 * column, and that axis is removed from the result. */
ag_tensor *ag_matmul(ag_tensor *a, ag_tensor *b);

/* x W^T + b: x (..., in), weight (out, in), bias (out) or NULL. Result (..., out). */
ag_tensor *ag_linear(ag_tensor *x, ag_tensor *weight, ag_tensor *bias);

/* ---- Convolutions, in PyTorch's layout: x (N, C, H, W). Pairs are vertical, horizontal. ----
 *
 * In the options 0 stands for the default: stride, dilation and groups 1, padding and output_padding 0. */
typedef struct ag_conv_options {
    int64_t stride[2], padding[2], dilation[2], output_padding[2], groups; /* output_padding: of the transposed one */
} ag_conv_options;

/* Cross-correlation: weight (out, in / groups, kH, kW), bias (out) or NULL. Output size
 * (H + 2 padding - dilation (kH - 1) - 1) / stride + 1, rounded down. */
ag_tensor *ag_conv2d(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_conv_options options);

/* The same in one dimension: x (N, C, L), weight (out, in / groups, k); the first of each pair counts. */
ag_tensor *ag_conv1d(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_conv_options options);

/* conv2d's input gradient: weight (in, out / groups, kH, kW), bias (out) or NULL. Output size
 * (H - 1) stride - 2 padding + dilation (kH - 1) + output_padding + 1. */
ag_tensor *ag_conv_transpose2d(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_conv_options options);

/* The same on x (N, C, L), weight (in, out/groups, K); of each pair in the options the first counts. */
ag_tensor *ag_conv_transpose1d(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_conv_options options);

/* 0 stands for the default: stride the kernel's size, dilation 1, padding 0. */
typedef struct ag_pool_options {
    int64_t kernel[2], stride[2], padding[2], dilation[2]; /* dilation: max_pool2d only */
    bool    ceil_mode;                                     /* sizes rounded up; windows begin inside the input */
    bool    exclude_pad;                                   /* avg_pool2d: PyTorch's count_include_pad = False */
} ag_pool_options;

/* Windows of x (N, C, H, W). A result has (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1 rows, rounded
 * down, or up with ceil_mode, and columns likewise; padding is at most half the kernel. */

/* The largest element of each window, the first of equals; padding counts as -infinity; NaN wins. */
ag_tensor *ag_max_pool2d(ag_tensor *x, ag_pool_options options);

/* The same on x (N, C, L); of each pair in the options the first counts. */
ag_tensor *ag_max_pool1d(ag_tensor *x, ag_pool_options options);

/* The mean of each window, the zeros of the padding counted in, unless exclude_pad is set. */
ag_tensor *ag_avg_pool2d(ag_tensor *x, ag_pool_options options);

/* The mean over windows that share out (height, width) evenly; 1, 1 is global average pooling. */
ag_tensor *ag_adaptive_avg_pool2d(ag_tensor *x, int64_t height, int64_t width);

/* Each pixel repeated: vertical and horizontal whole factors. */
ag_tensor *ag_upsample_nearest2d(ag_tensor *x, int64_t vertical, int64_t horizontal);

/* ---- Normalisation. weight, bias or both may be NULL. ---- */

/* Over all axes but 1 (the channels) of x (N, C, ...): Ioffe, Szegedy: "Batch normalization", 2015. In training by the
 * batch's mean and biased variance, and running_mean, running_var (C each) move towards the batch's mean and unbiased
 * variance by `momentum`; in evaluation by the running ones. */
ag_tensor *ag_batch_norm(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_tensor *running_mean,
                         ag_tensor *running_var, double momentum, double eps);

/* Over the last axes of x, as many as weight has (the last one when it is NULL): Ba, Kiros, Hinton: "Layer
 * normalization", 2016. */
ag_tensor *ag_layer_norm(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, double eps);

/* Over the channels of x (N, C, ...) by groups of C / groups, each in each example: Wu, He: "Group normalization",
 * 2018. weight and bias (C). C groups: instance normalization. */
ag_tensor *ag_group_norm(ag_tensor *x, int64_t groups, ag_tensor *weight, ag_tensor *bias, double eps);

/* Rows of a table: index (any shape) holds whole numbers 0 .. rows-1, weight (rows, width). Result
 * (index's shape, width). */
ag_tensor *ag_embedding(ag_tensor *index, ag_tensor *weight);

/* Rows with a single one: index (any shape) holds whole numbers 0 .. classes-1. Result (index's shape, classes). No
 * gradient flows. torch.nn.functional.one_hot. */
ag_tensor *ag_one_hot(ag_tensor *index, int64_t classes);

/* ---- Random numbers, from the tape's state. No gradient flows. ----
 *
 * One draw a statement: C leaves open in which order the arguments of a function are computed, so that
 * ag_sub(ag_randn(...), ag_randn(...)) draws differently under two compilers. */

ag_tensor *ag_rand(ag_tape *tape, ag_shape shape);                /* uniform in [0, 1) */
ag_tensor *ag_randn(ag_tape *tape, ag_shape shape);               /* N(0, 1) */
ag_tensor *ag_bernoulli(ag_tape *tape, ag_shape shape, double p); /* 1 with probability p, else 0 */
ag_tensor *ag_rand_like(ag_tensor *x);
ag_tensor *ag_randn_like(ag_tensor *x);
ag_tensor *ag_bernoulli_like(ag_tensor *x, double p);

/* In training: elements are zero with probability p, and the others are divided by 1 - p. In evaluation: x. Srivastava
 * et al.: "Dropout", 2014. */
ag_tensor *ag_dropout(ag_tensor *x, double p);

/* ---- Losses. Input and target have the same shape, without broadcasting; both get gradients. NONE keeps the shape;
 * MEAN divides by the number of elements (cross_entropy and nll: of targets, or by the sum of their weights). ---- */

typedef enum ag_reduction { AG_MEAN, AG_SUM, AG_NONE } ag_reduction;

ag_tensor *ag_mse_loss(ag_tensor *input, ag_tensor *target, ag_reduction reduction);
ag_tensor *ag_l1_loss(ag_tensor *input, ag_tensor *target, ag_reduction reduction);
ag_tensor *ag_smooth_l1_loss(ag_tensor *input, ag_tensor *target, ag_reduction reduction); /* beta 1 */

/* Binary cross entropy of probabilities, logs floored at -100; and of logits, in the stable form. */
ag_tensor *ag_bce_loss(ag_tensor *input, ag_tensor *target, ag_reduction reduction);
ag_tensor *ag_bce_with_logits_loss(ag_tensor *logits, ag_tensor *target, ag_reduction reduction);

/* The same with the positive targets' part weighted: torch.nn.BCEWithLogitsLoss's pos_weight, which broadcasts. */
ag_tensor *ag_bce_with_logits_loss_weighted(ag_tensor *logits, ag_tensor *target, ag_tensor *pos_weight,
                                            ag_reduction reduction);

/* KL(N(mu, exp(logvar)) || N(0, 1)) = (exp(logvar) + mu^2 - 1 - logvar) / 2 per element. Kingma, Welling:
 * "Auto-encoding variational Bayes", 2014, appendix B. */
ag_tensor *ag_gaussian_kl_loss(ag_tensor *mu, ag_tensor *logvar, ag_reduction reduction);

/* Softmax cross entropy: logits (N, C, ...), target (N, ...) holds class numbers 0 .. C-1. */
ag_tensor *ag_cross_entropy_loss(ag_tensor *logits, ag_tensor *target, ag_reduction reduction);

/* The same with options, and nll_loss, which takes logarithms of probabilities. */
typedef struct ag_class_options {
    ag_tensor *weight;          /* (C), of each class, without gradient; NULL: 1 each */
    double     label_smoothing; /* 0 to 1, not of nll_loss: the share of the target that goes to all classes alike */
    bool       ignore;          /* whether targets equal to ignore_index count for nothing */
    int64_t    ignore_index;
} ag_class_options;
ag_tensor *ag_cross_entropy_loss_with(ag_tensor *logits, ag_tensor *target, ag_class_options options,
                                      ag_reduction reduction);
ag_tensor *ag_nll_loss(ag_tensor *log_p, ag_tensor *target, ag_class_options options, ag_reduction reduction);

#ifdef __cplusplus
}
#endif
#endif
