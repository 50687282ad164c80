#include "tests/support/samples.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#define R SAMPLE_REAL
#define P SAMPLE_POSITIVE
#define U SAMPLE_UNIT
#define I SAMPLE_INDEX

#define S0()                                                                                                           \
    {                                                                                                                  \
        0,                                                                                                             \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }
#define S1(a)                                                                                                          \
    {                                                                                                                  \
        1,                                                                                                             \
        {                                                                                                              \
            a                                                                                                          \
        }                                                                                                              \
    }
#define S2(a, b)                                                                                                       \
    {                                                                                                                  \
        2,                                                                                                             \
        {                                                                                                              \
            a, b                                                                                                       \
        }                                                                                                              \
    }
#define S3(a, b, c)                                                                                                    \
    {                                                                                                                  \
        3,                                                                                                             \
        {                                                                                                              \
            a, b, c                                                                                                    \
        }                                                                                                              \
    }
#define S4(a, b, c, d)                                                                                                 \
    {                                                                                                                  \
        4,                                                                                                             \
        {                                                                                                              \
            a, b, c, d                                                                                                 \
        }                                                                                                              \
    }
#define S5(a, b, c, d, e)                                                                                              \
    {                                                                                                                  \
        5,                                                                                                             \
        {                                                                                                              \
            a, b, c, d, e                                                                                              \
        }                                                                                                              \
    }
#define ONE(s)                                                                                                         \
    {                                                                                                                  \
        1,                                                                                                             \
        {                                                                                                              \
            s                                                                                                          \
        }                                                                                                              \
    }
#define TWO(s, t)                                                                                                      \
    {                                                                                                                  \
        2,                                                                                                             \
        {                                                                                                              \
            s, t                                                                                                       \
        }                                                                                                              \
    }
#define THREE(s, t, u)                                                                                                 \
    {                                                                                                                  \
        3,                                                                                                             \
        {                                                                                                              \
            s, t, u                                                                                                    \
        }                                                                                                              \
    }
#define END                                                                                                            \
    {                                                                                                                  \
        0,                                                                                                             \
        {                                                                                                              \
            S0()                                                                                                       \
        }                                                                                                              \
    }

/* Input i, put on the tape where it is not there already. */
#define IN(i) (in[i] && in[i]->tape ? in[i] : ag_on_tape(tape, in[i]))

#define SAMPLE(id, expression)                                                                                         \
    static ag_tensor *id(void *context, ag_tape *tape, ag_tensor *const *in)                                           \
    {                                                                                                                  \
        (void)context;                                                                                                 \
        return expression;                                                                                             \
    }

static const sample_shapes plain_sets[] = {ONE(S1(7)), ONE(S2(3, 5)), ONE(S0()), ONE(S5(2, 1, 3, 2, 2)), ONE(S1(67)),
                                           END};
static const sample_shapes broadcast_sets[] = {TWO(S2(3, 4), S2(3, 4)),
                                               TWO(S2(3, 4), S1(4)),
                                               TWO(S1(4), S2(3, 4)),
                                               TWO(S2(3, 1), S2(1, 4)),
                                               TWO(S0(), S2(2, 3)),
                                               TWO(S2(2, 3), S0()),
                                               TWO(S3(2, 3, 4), S2(3, 1)),
                                               TWO(S4(2, 3, 2, 2), S3(3, 1, 1)),
                                               TWO(S3(2, 1, 5), S3(1, 3, 1)),
                                               TWO(S1(70), S1(70)),
                                               TWO(S2(2, 37), S2(2, 1)),
                                               TWO(S5(1, 2, 1, 3, 1), S4(2, 2, 1, 3)),
                                               END};
static const sample_shapes pair_sets[] = {TWO(S2(3, 4), S2(3, 4)), TWO(S1(71), S1(71)), TWO(S3(2, 3, 2), S3(2, 3, 2)),
                                          END};

/* ---- Elementwise, from the table. ---- */

#define UNARY(name, domain, y, dx)      SAMPLE(name##_sample, ag_##name(IN(0)))
#define UNARY_P(name, domain, y, dx)    SAMPLE(name##_sample, ag_##name(IN(0), 0.7))
#define UNARY_PQ(name, domain, y, dx)   SAMPLE(name##_sample, ag_##name(IN(0), -0.7, 0.8))
#define BINARY(name, domain, y, da, db) SAMPLE(name##_sample, ag_##name(IN(0), IN(1)))
#define LOSS(name, domain, y, da, db)                                                                                  \
    SAMPLE(name##_mean, ag_##name##_loss(IN(0), IN(1), AG_MEAN))                                                       \
    SAMPLE(name##_sum, ag_##name##_loss(IN(0), IN(1), AG_SUM))                                                         \
    SAMPLE(name##_none, ag_##name##_loss(IN(0), IN(1), AG_NONE))
#include "autograd/kernels/elementwise.def"

/* ---- Structural ops. ---- */

static ag_tensor *chunk_then_mul(void *context, ag_tape *tape, ag_tensor *const *in)
{
    ag_tensor *piece[2];
    (void)context;
    ag_chunk(IN(0), 2, 1, piece);
    return ag_mul(piece[0], ag_tanh(piece[1]));
}

static ag_tensor *chunk_uneven(void *context, ag_tape *tape, ag_tensor *const *in)
{
    ag_tensor *piece[4];
    (void)context;
    int        n = ag_chunk(IN(0), 4, -1, piece);
    ag_tensor *sum = ag_sum(ag_square(piece[0]), AG_ALL, false);
    for (int i = 1; i < n; i++)
        sum = ag_add(sum, ag_sum(ag_scale(ag_square(piece[i]), i + 1), AG_ALL, false));
    return sum;
}

static ag_tensor *dropout_eval_sample(void *context, ag_tape *tape, ag_tensor *const *in)
{
    (void)context;
    ag_set_training(tape, false);
    ag_tensor *y = ag_dropout(IN(0), 0.4);
    ag_set_training(tape, true);
    return y;
}

#define CONCAT(axis, ...)                                                                                              \
    ag_concat((int)(sizeof((ag_tensor *[]){__VA_ARGS__}) / sizeof(ag_tensor *)), (ag_tensor *[]){__VA_ARGS__}, axis)

SAMPLE(reshape_sample, ag_reshape(IN(0), AG_SHAPE(4, -1)))
SAMPLE(flatten_sample, ag_flatten(IN(0), 1, -1))
SAMPLE(permute_sample, ag_permute(IN(0), AG_AXES(2, 0, 1)))
SAMPLE(transpose_sample, ag_transpose(IN(0), 0, -1))
SAMPLE(slice_sample, ag_slice(IN(0), 1, 1, -1))
SAMPLE(slice_first, ag_slice(IN(0), 0, 0, 1))
SAMPLE(concat_rows, CONCAT(0, IN(0), IN(1)))
SAMPLE(concat_middle, CONCAT(-2, IN(0), IN(1), IN(0)))
SAMPLE(expand_sample, ag_expand(IN(0), AG_SHAPE(2, 3, 4)))
SAMPLE(expand_keep, ag_expand(IN(0), AG_SHAPE(5, -1, 4)))
SAMPLE(sum_all, ag_sum(IN(0), AG_ALL, false))
SAMPLE(sum_all_keep, ag_sum(IN(0), AG_ALL, true))
SAMPLE(sum_first, ag_sum(IN(0), AG_AXES(0), false))
SAMPLE(sum_last, ag_sum(IN(0), AG_AXES(-1), true))
SAMPLE(sum_two, ag_sum(IN(0), AG_AXES(0, 2), false))
SAMPLE(mean_all, ag_mean(IN(0), AG_ALL, false))
SAMPLE(mean_two, ag_mean(IN(0), AG_AXES(1, 2), true))
SAMPLE(mean_middle, ag_mean(IN(0), AG_AXES(1), false))
SAMPLE(max_all, ag_max(IN(0), AG_ALL, false))
SAMPLE(max_last, ag_max(IN(0), AG_AXES(2), false))
SAMPLE(max_outer, ag_max(IN(0), AG_AXES(0, 1), true))
SAMPLE(softmax_last, ag_softmax(IN(0), -1))
SAMPLE(softmax_middle, ag_softmax(IN(0), 1))
SAMPLE(log_softmax_last, ag_log_softmax(IN(0), -1))
SAMPLE(log_softmax_first, ag_log_softmax(IN(0), 0))
SAMPLE(logsumexp_last, ag_logsumexp(IN(0), 2))
SAMPLE(logsumexp_first, ag_logsumexp(IN(0), 0))
SAMPLE(matmul_sample, ag_matmul(IN(0), IN(1)))
SAMPLE(linear_bias, ag_linear(IN(0), in[1], in[2]))
SAMPLE(linear_plain, ag_linear(IN(0), in[1], NULL))
SAMPLE(embedding_sample, ag_embedding(IN(0), in[1]))
SAMPLE(one_hot_sample, ag_mul(ag_one_hot(IN(0), 4), in[1]))
SAMPLE(dropout_sample, ag_dropout(IN(0), 0.4))
SAMPLE(rand_sample, ag_mul(IN(0), ag_rand(tape, AG_SHAPE(3, 4))))
SAMPLE(randn_sample, ag_mul(IN(0), ag_randn(tape, AG_SHAPE(3, 4))))
SAMPLE(bernoulli_sample, ag_mul(IN(0), ag_bernoulli(tape, AG_SHAPE(3, 4), 0.3)))
SAMPLE(rand_like_sample, ag_mul(IN(0), ag_rand_like(IN(0))))
SAMPLE(randn_like_sample, ag_add(IN(0), ag_mul(ag_randn_like(IN(0)), ag_exp(IN(0)))))
SAMPLE(bernoulli_like_sample, ag_mul(IN(0), ag_bernoulli_like(IN(0), 0.3)))
SAMPLE(cross_entropy_mean, ag_cross_entropy_loss(IN(0), in[1], AG_MEAN))
SAMPLE(cross_entropy_sum, ag_cross_entropy_loss(IN(0), in[1], AG_SUM))
SAMPLE(cross_entropy_none, ag_cross_entropy_loss(IN(0), in[1], AG_NONE))

/* ---- Selecting. ---- */

SAMPLE(where_sample, ag_where(ag_gt(IN(0), in[1]), ag_mul(IN(0), in[1]), IN(2)))
SAMPLE(masked_fill_sample, ag_masked_fill(IN(0), ag_lt(IN(0), ag_scalar(tape, 0.05)), -0.5))
SAMPLE(index_select_sample, ag_index_select(IN(1), 1, in[0]))
SAMPLE(gather_last, ag_gather(IN(1), -1, in[0]))
SAMPLE(gather_first, ag_gather(IN(1), 0, in[0]))
SAMPLE(scatter_add_last, ag_scatter_add(IN(1), -1, in[0], IN(2)))
SAMPLE(scatter_add_first, ag_scatter_add(IN(1), 0, in[0], IN(2)))
SAMPLE(stack_last, ag_stack(2, (ag_tensor *[]){IN(0), IN(1)}, -1))
SAMPLE(stack_middle, ag_stack(3, (ag_tensor *[]){IN(0), IN(1), IN(0)}, 1))
SAMPLE(pad_middle, ag_pad(IN(0), 1, 2, 1, 0.5))
SAMPLE(cumsum_last, ag_cumsum(IN(0), -1))
SAMPLE(cumsum_middle, ag_cumsum(IN(0), 1))
SAMPLE(argmax_middle, ag_mul(IN(0), ag_argmax(IN(0), 1, true)))
SAMPLE(argmin_last, ag_mul(ag_sum(IN(0), AG_AXES(-1), false), ag_argmin(IN(0), -1, false)))
SAMPLE(min_last, ag_min(IN(0), AG_AXES(2), false))
SAMPLE(min_all, ag_min(IN(0), AG_ALL, true))
SAMPLE(var_two, ag_var(IN(0), AG_AXES(0, 2), 1, true))
SAMPLE(var_all, ag_var(IN(0), AG_ALL, 0, false))
SAMPLE(std_last, ag_std(IN(0), AG_AXES(-1), 1, false))

/* ---- Losses with weights. ---- */

#define CLASS_WEIGHTS ag_input(tape, AG_SHAPE(4), (ag_real[]){0.5, 1.5, 1, 2})
#define CLASS_OPTIONS(smoothing, ignoring)                                                                             \
    (ag_class_options)                                                                                                 \
    {                                                                                                                  \
        .weight = CLASS_WEIGHTS, .label_smoothing = smoothing, .ignore = ignoring, .ignore_index = 1                   \
    }
SAMPLE(nll_loss_mean, ag_nll_loss(IN(0), in[1], CLASS_OPTIONS(0, true), AG_MEAN))
SAMPLE(nll_loss_none, ag_nll_loss(IN(0), in[1], CLASS_OPTIONS(0, false), AG_NONE))
SAMPLE(nll_loss_plain, ag_nll_loss(IN(0), in[1], (ag_class_options){0}, AG_MEAN))
SAMPLE(entropy_with_mean, ag_cross_entropy_loss_with(IN(0), in[1], CLASS_OPTIONS(0.1, true), AG_MEAN))
SAMPLE(entropy_with_sum, ag_cross_entropy_loss_with(IN(0), in[1], CLASS_OPTIONS(0.3, false), AG_SUM))
SAMPLE(entropy_with_smoothing,
       ag_cross_entropy_loss_with(IN(0), in[1], (ag_class_options){.label_smoothing = 0.2}, AG_NONE))
SAMPLE(bce_weighted_mean, ag_bce_with_logits_loss_weighted(IN(0), IN(1), CLASS_WEIGHTS, AG_MEAN))
SAMPLE(bce_weighted_none, ag_bce_with_logits_loss_weighted(IN(0), IN(1), CLASS_WEIGHTS, AG_NONE))

static const sample_shapes where_sets[] = {THREE(S2(3, 4), S2(3, 4), S2(3, 4)), THREE(S2(2, 70), S1(70), S2(2, 1)),
                                           THREE(S1(5), S2(3, 1), S0()), END};
static const sample_shapes index_select_sets[] = {TWO(S1(6), S2(3, 4)), TWO(S1(2), S3(2, 5, 3)), END};
static const sample_shapes gather_last_sets[] = {TWO(S2(3, 5), S2(3, 4)), TWO(S1(7), S1(4)),
                                                 TWO(S3(2, 2, 3), S3(2, 3, 5)), END};
static const sample_shapes gather_first_sets[] = {TWO(S2(3, 5), S2(4, 5)), TWO(S3(6, 2, 2), S3(4, 3, 2)), END};
static const sample_shapes scatter_last_sets[] = {THREE(S2(3, 5), S2(3, 4), S2(3, 5)),
                                                  THREE(S3(2, 2, 3), S3(2, 3, 5), S3(2, 2, 3)), END};
static const sample_shapes scatter_first_sets[] = {THREE(S2(3, 5), S2(4, 5), S2(3, 5)),
                                                   THREE(S2(2, 30), S2(4, 30), S2(2, 30)), END};
static const sample_shapes class_sets[] = {TWO(S2(5, 4), S1(5)), TWO(S3(2, 4, 3), S2(2, 3)), END};
static const sample_shapes plain_class_sets[] = {TWO(S2(5, 4), S1(5)), TWO(S4(2, 4, 2, 2), S3(2, 2, 2)), END};
static const sample_shapes weighted_sets[] = {TWO(S2(3, 4), S2(3, 4)), END};

static ag_tensor *batch_norm_of(ag_tape *tape, ag_tensor *x, ag_tensor *weight, ag_tensor *bias, bool training)
{
    int64_t    c = x && x->shape.rank > 1 ? x->shape.dim[1] : 1;
    ag_tensor *mean = ag_full(tape, AG_SHAPE(c), 0.25), *var = ag_full(tape, AG_SHAPE(c), 1.5);
    ag_set_training(tape, training);
    ag_tensor *y = ag_batch_norm(x, weight, bias, mean, var, 0.1, 1e-5);
    ag_set_training(tape, true);
    return y;
}

static const ag_conv_options conv_options = {{2, 1}, {1, 2}, {1, 2}, {0, 0}, 2};
static const ag_conv_options transpose_options = {{2, 1}, {1, 1}, {1, 2}, {1, 1}, 2};
static const ag_conv_options line_options = {{2, 0}, {1, 0}, {2, 0}, {0, 0}, 1};
static const ag_pool_options max_options = {{3, 2}, {2, 1}, {1, 0}, {1, 2}, true, false};
static const ag_pool_options avg_options = {{3, 2}, {2, 0}, {1, 1}, {0, 0}, true, true};
SAMPLE(conv2d_sample, ag_conv2d(IN(0), in[1], in[2], conv_options))
SAMPLE(conv1d_sample, ag_conv1d(IN(0), in[1], in[2], line_options))
SAMPLE(conv_transpose2d_sample, ag_conv_transpose2d(IN(0), in[1], in[2], transpose_options))
SAMPLE(conv_transpose1d_sample,
       ag_conv_transpose1d(IN(0), in[1], in[2], (ag_conv_options){{2, 0}, {1, 0}, {2, 0}, {1, 0}, 1}))
SAMPLE(max_pool1d_sample,
       ag_max_pool1d(IN(0), (ag_pool_options){.kernel = {3, 0}, .stride = {2, 0}, .padding = {1, 0}}))
SAMPLE(max_pool2d_sample, ag_max_pool2d(IN(0), max_options))
SAMPLE(avg_pool2d_sample, ag_avg_pool2d(IN(0), avg_options))
SAMPLE(adaptive_avg_pool2d_sample, ag_adaptive_avg_pool2d(IN(0), 3, 2))
SAMPLE(upsample_nearest2d_sample, ag_upsample_nearest2d(IN(0), 2, 3))
SAMPLE(batch_norm_train, batch_norm_of(tape, IN(0), in[1], in[2], true))
SAMPLE(batch_norm_eval, batch_norm_of(tape, IN(0), in[1], in[2], false))
SAMPLE(batch_norm_scale, batch_norm_of(tape, IN(0), in[1], NULL, true))
SAMPLE(layer_norm_sample, ag_layer_norm(IN(0), in[1], in[2], 1e-5))
SAMPLE(group_norm_sample, ag_group_norm(IN(0), 2, in[1], in[2], 1e-5))
SAMPLE(group_norm_plain, ag_group_norm(IN(0), 3, NULL, NULL, 1e-5))
SAMPLE(layer_norm_scale, ag_layer_norm(IN(0), in[1], NULL, 1e-5))
SAMPLE(group_norm_shift, ag_group_norm(IN(0), 2, NULL, in[1], 1e-5))
SAMPLE(layer_norm_plain, ag_layer_norm(IN(0), NULL, NULL, 1e-5))

static const sample_shapes conv2d_sets[] = {THREE(S4(2, 4, 5, 4), S4(2, 2, 3, 2), S1(2)), END};
static const sample_shapes conv1d_sets[] = {THREE(S3(2, 3, 9), S3(4, 3, 3), S1(4)), END};
static const sample_shapes conv_transpose2d_sets[] = {THREE(S4(2, 4, 3, 2), S4(4, 2, 3, 2), S1(4)), END};
static const sample_shapes conv_transpose1d_sets[] = {THREE(S3(2, 3, 5), S3(3, 4, 3), S1(4)), END};
static const sample_shapes signal_sets[] = {ONE(S3(2, 3, 9)), ONE(S3(1, 1, 4)), END};
static const sample_shapes picture_sets[] = {ONE(S4(2, 2, 7, 5)), ONE(S4(1, 3, 4, 6)), END};
static const sample_shapes batch_norm_sets[] = {THREE(S2(5, 3), S1(3), S1(3)), THREE(S3(2, 3, 4), S1(3), S1(3)),
                                                THREE(S4(2, 2, 3, 2), S1(2), S1(2)), END};
static const sample_shapes layer_norm_sets[] = {THREE(S2(3, 5), S1(5), S1(5)), THREE(S3(2, 3, 4), S2(3, 4), S2(3, 4)),
                                                END};
static const sample_shapes group_norm_sets[] = {THREE(S4(2, 4, 3, 2), S1(4), S1(4)), THREE(S2(3, 6), S1(6), S1(6)),
                                                END};
static const sample_shapes scale_sets[] = {TWO(S3(2, 4, 4), S1(4)), TWO(S2(5, 4), S1(4)), END};
static const sample_shapes groups_sets[] = {ONE(S3(2, 3, 4)), ONE(S2(2, 12)), END};
static const sample_shapes deep_sets[] = {ONE(S3(2, 3, 4)), ONE(S3(3, 1, 37)), END};
static const sample_shapes four_sets[] = {ONE(S4(2, 3, 2, 2)), END};
static const sample_shapes reshape_sets[] = {ONE(S3(2, 3, 4)), ONE(S2(4, 1)), END};
static const sample_shapes transpose_sets[] = {ONE(S3(2, 3, 4)), ONE(S1(5)), ONE(S2(9, 2)), END};
static const sample_shapes slice_sets[] = {ONE(S3(2, 5, 3)), ONE(S2(3, 4)), END};
static const sample_shapes chunk_sets[] = {ONE(S2(3, 4)), ONE(S3(2, 6, 3)), END};
static const sample_shapes uneven_sets[] = {ONE(S2(3, 5)), ONE(S1(9)), END};
static const sample_shapes rows_sets[] = {TWO(S2(2, 3), S2(4, 3)), TWO(S3(1, 2, 3), S3(2, 2, 3)), END};
static const sample_shapes middle_sets[] = {TWO(S3(2, 3, 2), S3(2, 1, 2)), END};
static const sample_shapes expand_sets[] = {ONE(S2(3, 1)), ONE(S1(4)),       ONE(S3(2, 1, 1)),
                                            ONE(S0()),     ONE(S3(2, 3, 4)), END};
static const sample_shapes keep_sets[] = {ONE(S3(1, 3, 4)), ONE(S2(2, 1)), END};
static const sample_shapes matmul_sets[] = {TWO(S2(3, 4), S2(4, 5)),
                                            TWO(S1(4), S2(4, 5)),
                                            TWO(S2(3, 4), S1(4)),
                                            TWO(S1(6), S1(6)),
                                            TWO(S3(2, 3, 4), S3(2, 4, 2)),
                                            TWO(S3(2, 3, 4), S2(4, 2)),
                                            TWO(S2(3, 4), S3(2, 4, 2)),
                                            TWO(S4(2, 1, 3, 2), S3(3, 2, 2)),
                                            TWO(S3(1, 2, 3), S4(2, 2, 3, 1)),
                                            TWO(S1(2), S3(3, 2, 4)),
                                            TWO(S2(13, 2), S2(2, 35)),
                                            END};
static const sample_shapes linear_sets[] = {THREE(S2(5, 4), S2(3, 4), S1(3)), THREE(S1(4), S2(3, 4), S1(3)),
                                            THREE(S3(2, 3, 4), S2(2, 4), S1(2)), THREE(S2(14, 3), S2(37, 3), S1(37)),
                                            END};
static const sample_shapes linear_plain_sets[] = {TWO(S2(5, 4), S2(3, 4)), TWO(S2(1, 7), S2(1, 7)), END};
static const sample_shapes embedding_sets[] = {TWO(S1(6), S2(4, 3)), TWO(S2(2, 3), S2(4, 1)), TWO(S0(), S2(5, 2)), END};
static const sample_shapes one_hot_sets[] = {TWO(S1(6), S2(6, 4)), TWO(S2(2, 3), S1(4)), TWO(S0(), S1(4)), END};
static const sample_shapes grid_sets[] = {ONE(S2(3, 4)), END};
static const sample_shapes dropout_sets[] = {ONE(S2(3, 40)), ONE(S1(3)), END};
static const sample_shapes entropy_sets[] = {TWO(S2(3, 4), S1(3)), TWO(S2(5, 40), S1(5)), TWO(S3(2, 4, 3), S2(2, 3)),
                                             TWO(S4(2, 5, 2, 2), S3(2, 2, 2)), END};

#define DOMAINS_REAL                                                                                                   \
    {                                                                                                                  \
        R, R, R                                                                                                        \
    }
#define DOMAINS_POSITIVE                                                                                               \
    {                                                                                                                  \
        P, R, R                                                                                                        \
    }
#define DOMAINS_POSITIVE_B                                                                                             \
    {                                                                                                                  \
        R, P, R                                                                                                        \
    }
#define DOMAINS_UNIT                                                                                                   \
    {                                                                                                                  \
        U, U, R                                                                                                        \
    }

const op_sample op_samples[] = {
#define UNARY(name, domain, y, dx)      {#name, "", name##_sample, DOMAINS_##domain, plain_sets, false},
#define BINARY(name, domain, y, da, db) {#name, "", name##_sample, DOMAINS_##domain, broadcast_sets, false},
#define LOSS(name, domain, y, da, db)                                                                                  \
    {#name "_loss", "mean", name##_mean, DOMAINS_##domain, pair_sets, false},                                          \
        {#name "_loss", "sum", name##_sum, DOMAINS_##domain, pair_sets, false},                                        \
        {#name "_loss", "none", name##_none, DOMAINS_##domain, pair_sets, false},
#include "autograd/kernels/elementwise.def"
    {"reshape", "", reshape_sample, {R}, reshape_sets, false},
    {"flatten", "", flatten_sample, {R}, deep_sets, false},
    {"permute", "", permute_sample, {R}, deep_sets, false},
    {"transpose", "", transpose_sample, {R}, transpose_sets, false},
    {"slice", "middle", slice_sample, {R}, slice_sets, false},
    {"slice", "first", slice_first, {R}, slice_sets, false},
    {"chunk", "then_mul", chunk_then_mul, {R}, chunk_sets, false},
    {"chunk", "uneven", chunk_uneven, {R}, uneven_sets, false},
    {"concat", "rows", concat_rows, {R, R}, rows_sets, false},
    {"concat", "middle", concat_middle, {R, R}, middle_sets, false},
    {"expand", "", expand_sample, {R}, expand_sets, false},
    {"expand", "keep", expand_keep, {R}, keep_sets, false},
    {"sum", "all", sum_all, {R}, plain_sets, false},
    {"sum", "all_keep", sum_all_keep, {R}, deep_sets, false},
    {"sum", "first", sum_first, {R}, deep_sets, false},
    {"sum", "last", sum_last, {R}, deep_sets, false},
    {"sum", "two", sum_two, {R}, four_sets, false},
    {"mean", "all", mean_all, {R}, plain_sets, false},
    {"mean", "two", mean_two, {R}, four_sets, false},
    {"mean", "middle", mean_middle, {R}, deep_sets, false},
    {"max", "all", max_all, {R}, plain_sets, false},
    {"max", "last", max_last, {R}, deep_sets, false},
    {"max", "outer", max_outer, {R}, four_sets, false},
    {"softmax", "last", softmax_last, {R}, deep_sets, false},
    {"softmax", "middle", softmax_middle, {R}, deep_sets, false},
    {"log_softmax", "last", log_softmax_last, {R}, deep_sets, false},
    {"log_softmax", "first", log_softmax_first, {R}, deep_sets, false},
    {"logsumexp", "last", logsumexp_last, {R}, deep_sets, false},
    {"logsumexp", "first", logsumexp_first, {R}, deep_sets, false},
    {"matmul", "", matmul_sample, {R, R}, matmul_sets, false},
    {"linear", "bias", linear_bias, {R, R, R}, linear_sets, false},
    {"linear", "plain", linear_plain, {R, R}, linear_plain_sets, false},
    {"embedding", "", embedding_sample, {I, R}, embedding_sets, false},
    {"dropout", "train", dropout_sample, {R}, dropout_sets, true},
    {"dropout", "eval", dropout_eval_sample, {R}, dropout_sets, false},
    {"rand", "", rand_sample, {R}, grid_sets, true},
    {"randn", "", randn_sample, {R}, grid_sets, true},
    {"bernoulli", "", bernoulli_sample, {R}, grid_sets, true},
    {"rand_like", "", rand_like_sample, {R}, grid_sets, true},
    {"randn_like", "", randn_like_sample, {R}, grid_sets, true},
    {"bernoulli_like", "", bernoulli_like_sample, {R}, grid_sets, true},
    {"conv2d", "bias", conv2d_sample, {R, R, R}, conv2d_sets, false},
    {"conv1d", "bias", conv1d_sample, {R, R, R}, conv1d_sets, false},
    {"conv_transpose2d", "bias", conv_transpose2d_sample, {R, R, R}, conv_transpose2d_sets, false},
    {"conv_transpose1d", "bias", conv_transpose1d_sample, {R, R, R}, conv_transpose1d_sets, false},
    {"max_pool1d", "", max_pool1d_sample, {R}, signal_sets, false},
    {"max_pool2d", "", max_pool2d_sample, {R}, picture_sets, false},
    {"avg_pool2d", "", avg_pool2d_sample, {R}, picture_sets, false},
    {"adaptive_avg_pool2d", "", adaptive_avg_pool2d_sample, {R}, picture_sets, false},
    {"upsample_nearest2d", "", upsample_nearest2d_sample, {R}, picture_sets, false},
    {"batch_norm", "train", batch_norm_train, {R, R, R}, batch_norm_sets, false},
    {"batch_norm", "eval", batch_norm_eval, {R, R, R}, batch_norm_sets, false},
    {"batch_norm", "scale", batch_norm_scale, {R, R}, scale_sets, false},
    {"layer_norm", "weight", layer_norm_sample, {R, R, R}, layer_norm_sets, false},
    {"layer_norm", "scale", layer_norm_scale, {R, R}, scale_sets, false},
    {"group_norm", "shift", group_norm_shift, {R, R}, scale_sets, false},
    {"layer_norm", "plain", layer_norm_plain, {R}, deep_sets, false},
    {"group_norm", "weight", group_norm_sample, {R, R, R}, group_norm_sets, false},
    {"group_norm", "plain", group_norm_plain, {R}, groups_sets, false},
    {"cross_entropy_loss", "mean", cross_entropy_mean, {R, I}, entropy_sets, false},
    {"cross_entropy_loss", "sum", cross_entropy_sum, {R, I}, entropy_sets, false},
    {"cross_entropy_loss", "none", cross_entropy_none, {R, I}, entropy_sets, false},
    {"one_hot", "times", one_hot_sample, {I, R}, one_hot_sets, false},
    {"where", "", where_sample, {R, R, R}, where_sets, false},
    {"masked_fill", "", masked_fill_sample, {R}, plain_sets, false},
    {"index_select", "", index_select_sample, {I, R}, index_select_sets, false},
    {"gather", "last", gather_last, {I, R}, gather_last_sets, false},
    {"gather", "first", gather_first, {I, R}, gather_first_sets, false},
    {"scatter_add", "last", scatter_add_last, {I, R, R}, scatter_last_sets, false},
    {"scatter_add", "first", scatter_add_first, {I, R, R}, scatter_first_sets, false},
    {"stack", "last", stack_last, {R, R}, pair_sets, false},
    {"stack", "middle", stack_middle, {R, R}, pair_sets, false},
    {"pad", "middle", pad_middle, {R}, deep_sets, false},
    {"cumsum", "last", cumsum_last, {R}, deep_sets, false},
    {"cumsum", "middle", cumsum_middle, {R}, deep_sets, false},
    {"argmax", "middle", argmax_middle, {R}, deep_sets, false},
    {"argmin", "last", argmin_last, {R}, deep_sets, false},
    {"min", "last", min_last, {R}, deep_sets, false},
    {"min", "all", min_all, {R}, plain_sets, false},
    {"var", "two", var_two, {R}, four_sets, false},
    {"var", "all", var_all, {R}, deep_sets, false},
    {"std", "last", std_last, {R}, deep_sets, false},
    {"nll_loss", "mean", nll_loss_mean, {R, I}, class_sets, false},
    {"nll_loss", "none", nll_loss_none, {R, I}, class_sets, false},
    {"nll_loss", "plain", nll_loss_plain, {R, I}, plain_class_sets, false},
    {"cross_entropy_loss_with", "mean", entropy_with_mean, {R, I}, class_sets, false},
    {"cross_entropy_loss_with", "sum", entropy_with_sum, {R, I}, class_sets, false},
    {"cross_entropy_loss_with", "smoothing", entropy_with_smoothing, {R, I}, plain_class_sets, false},
    {"bce_with_logits_loss_weighted", "mean", bce_weighted_mean, {R, U}, weighted_sets, false},
    {"bce_with_logits_loss_weighted", "none", bce_weighted_none, {R, U}, weighted_sets, false},
};
const int op_sample_count = sizeof op_samples / sizeof *op_samples;

static void fill_domain(ag_tensor *t, sample_domain domain, uint64_t seed)
{
    fill_random(t, seed);
    for (int64_t i = 0, n = ag_numel(&t->shape); i < n; i++) {
        double x = (double)t->data[i];
        if (domain == SAMPLE_POSITIVE)
            x = fabs(x) + 0.2;
        else if (domain == SAMPLE_UNIT)
            x = fabs(x) / 2.2 + 0.04;
        else if (domain == SAMPLE_INDEX)
            x = (double)((int64_t)(fabs(x) * 100) % 4);
        t->data[i] = (ag_real)x;
    }
    t->needs_grad = domain != SAMPLE_INDEX;
}

void sample_inputs(const op_sample *s, int k, ag_tensor **in)
{
    for (int i = 0; i < s->sets[k].n; i++) {
        in[i] = ag_parameter_new(s->sets[k].shape[i]);
        cr_assert(in[i]);
        fill_domain(in[i], s->domain[i], (uint64_t)(100 * k + i + 1));
    }
}

void sample_free(const op_sample *s, int k, ag_tensor **in)
{
    for (int i = 0; i < s->sets[k].n; i++)
        ag_parameter_free(in[i]);
}

const char *next_name(const char *at, const char *prefix, char *name, int size)
{
    at = at ? strstr(at, prefix) : NULL;
    if (!at)
        return NULL;
    at += strlen(prefix);
    int n = 0;
    while (n + 1 < size && (isalnum((unsigned char)*at) || *at == '_'))
        name[n++] = *at++;
    name[n] = '\0';
    return at;
}

char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    char *text = malloc((size_t)size + 1);
    if (text)
        text[fread(text, 1, (size_t)size, f)] = '\0';
    fclose(f);
    return text;
}
