/* Every op with inputs that make no sense: a clear message, a poison result, no crash. */
#include <string.h>

#include "tests/support/samples.h"
#include "tests/test.h"

/* Every sample with each input in turn NULL, and with a poison tensor. */
Test(bad_input, null_and_poison)
{
    ag_tape *tape = ag_tape_new(0);
    for (int i = 0; i < op_sample_count; i++) {
        const op_sample *s = &op_samples[i];
        ag_tensor       *in[SAMPLE_INPUTS];
        sample_inputs(s, 0, in);
        for (int bad = 0; bad < s->sets[0].n; bad++) {
            ag_tensor *kept = in[bad];
            ag_tape_reset(tape);
            in[bad] = NULL;
            s->f(NULL, tape, in);
            bool optional = strstr(s->name, "_norm") ? bad > 0 : bad == 2 && !strcmp(s->variant, "bias");
            cr_expect(optional || ag_error(tape), "%s %s: input %d NULL is not refused", s->name, s->variant, bad);
            ag_tape_reset(tape);
            in[bad] = ag_fail(tape, "broken before");
            ag_tensor *y = s->f(NULL, tape, in);
            cr_expect(y->tape == tape && !strcmp(ag_error(tape), "broken before"), "%s: poison", s->name);
            in[bad] = kept;
        }
        sample_free(s, 0, in);
    }
    ag_tape_free(tape);
}

/* A tensor of ones with `size` along each of its axes, which wants a gradient. */
static ag_tensor *cube(ag_tape *tape, int rank, int64_t size)
{
    ag_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dim[i] = size;
    ag_tensor *t = ag_ones(tape, shape);
    t->needs_grad = true;
    return t;
}

/* Each input in turn with any number of axes, none of them included: the op says what is wrong, or computes a result
 * that backward can go through. */
Test(bad_input, any_rank)
{
    ag_tape *tape = ag_tape_new(0);
    int      refused = 0, computed = 0;
    for (int i = 0; i < op_sample_count; i++) {
        const op_sample *s = &op_samples[i];
        ag_tensor       *in[SAMPLE_INPUTS];
        sample_inputs(s, 0, in);
        for (int bad = 0; bad < s->sets[0].n; bad++)
            for (int rank = 0; rank <= AG_MAX_RANK; rank++)
                for (int64_t size = 1; size <= 3; size++) {
                    ag_tensor *kept = in[bad];
                    ag_tape_reset(tape);
                    in[bad] = cube(tape, rank, size);
                    ag_tensor *loss = ag_sum(s->f(NULL, tape, in), AG_ALL, false);
                    if (ag_error(tape))
                        refused++;
                    else if (loss->needs_grad) {
                        cr_expect(ag_backward(loss), "%s %s of rank %d: %s", s->name, s->variant, rank, ag_error(tape));
                        computed++;
                    }
                    in[bad] = kept;
                }
        sample_free(s, 0, in);
    }
    cr_assert(refused > 1000 && computed > 1000, "%d refused, %d computed", refused, computed);
    ag_tape_free(tape);
}

static ag_tape *tape;

static ag_tensor *ones(ag_shape shape)
{
    return ag_ones(tape, shape);
}

#define S(...) ones(AG_SHAPE(__VA_ARGS__))

Test(bad_input, shapes)
{
    ag_tensor *piece[3];
    tape = ag_tape_new(0);
    REFUSED("reshape: (2, 3) has 6 elements, which do not make (4, 2)", ag_reshape(S(2, 3), AG_SHAPE(4, 2)));
    REFUSED("reshape: ", ag_reshape(S(2, 3), AG_SHAPE(-1, -1)));
    REFUSED("reshape: ", ag_reshape(S(2, 3), AG_SHAPE(4, -1)));
    REFUSED("reshape: ", ag_reshape(S(2, 3), AG_SHAPE(0, -1)));
    REFUSED("flatten: ", ag_flatten(S(2, 3), 1, 0));
    REFUSED("flatten: ", ag_flatten(S(2, 3), 0, 5));
    REFUSED("permute: 1 axes given for (2, 3), expected 2", ag_permute(S(2, 3), AG_AXES(0)));
    REFUSED("permute: axis 0 of (2, 3): out of range, or named twice", ag_permute(S(2, 3), AG_AXES(0, 0)));
    REFUSED("transpose: ", ag_transpose(S(2, 3), 0, 2));
    REFUSED("slice: (2, 3) has no axis 2", ag_slice(S(2, 3), 2, 0, 1));
    REFUSED("slice: [2:2] of axis 1 of (2, 3) is empty", ag_slice(S(2, 3), 1, 2, 2));
    REFUSED("slice: [7:9] of axis 1 of (2, 3) is empty", ag_slice(S(2, 3), 1, 7, 9));
    REFUSED("chunk: ", ag_chunk(S(2, 3), 0, 1, piece));
    REFUSED("chunk: ", ag_chunk(S(2, 3), 3, 4, piece));
    cr_assert(ag_chunk(NULL, 3, 0, piece) == 3 && ag_tensor_error(piece[2]));
    REFUSED("concat: input 1 is (2, 4), expected (2, 3) in every axis but 0",
            ag_concat(2, (ag_tensor *[]){S(2, 3), S(2, 4)}, 0));
    REFUSED("concat: (2, 3) has no axis 2", ag_concat(1, (ag_tensor *[]){S(2, 3)}, 2));
    cr_assert(ag_tensor_error(ag_concat(0, NULL, 0)));
    REFUSED("expand: (2, 3) does not repeat to (2, 4)", ag_expand(S(2, 3), AG_SHAPE(2, 4)));
    REFUSED("expand: ", ag_expand(S(2, 3), AG_SHAPE(3)));
    REFUSED("sum: axis 2 of (2, 3): out of range", ag_sum(S(2, 3), AG_AXES(2), false));
    REFUSED("mean: axis 1 of (2, 3): out of range, or named twice", ag_mean(S(2, 3), AG_AXES(1, 1), false));
    REFUSED("max: more than 8 axes", ag_max(S(2, 3), AG_AXES(0, 0, 0, 0, 0, 0, 0, 0, 0), false));
    REFUSED("softmax: (2, 3) has no axis 2", ag_softmax(S(2, 3), 2));
    REFUSED("log_softmax: ", ag_log_softmax(ag_scalar(tape, 1), 0));
    REFUSED("logsumexp: ", ag_logsumexp(S(2, 3), -3));
    ag_tape_free(tape);
}

/* What a composed op refuses is told on the tape of the inputs that are there; parameters go with any tape. */
Test(bad_input, of_composed_ops)
{
    const ag_class_options none = {0};
    ag_tensor             *p = ag_parameter_new(AG_SHAPE(2, 3)), *same = ag_parameter_new(AG_SHAPE(2, 3));
    tape = ag_tape_new(0);
    REFUSED("where: input 0 is NULL", ag_where(NULL, S(2), S(2)));
    REFUSED("where: input 1 is NULL", ag_where(S(2), NULL, S(2)));
    REFUSED("where: input 0 is NULL", ag_masked_fill(S(2), NULL, 0));
    REFUSED("cross_entropy_loss: the input is NULL", ag_cross_entropy_loss_with(NULL, S(2), none, AG_MEAN));
    REFUSED("cross_entropy_loss: the target is NULL", ag_cross_entropy_loss_with(S(2, 3), NULL, none, AG_MEAN));
    REFUSED("nll_loss: input (2, 3) and target (5)", ag_nll_loss(p, S(5), none, AG_MEAN));
    REFUSED("nll_loss: reduction is 7, expected AG_MEAN", ag_nll_loss(S(2, 3), S(2), none, (ag_reduction)7));
    REFUSED("cross_entropy_loss: label smoothing 2, expected 0 to 1",
            ag_cross_entropy_loss_with(S(2, 3), S(2), (ag_class_options){.label_smoothing = 2}, AG_MEAN));
    REFUSED("argmin: (2, 3) has no axis 2", ag_argmin(S(2, 3), 2, false));
    REFUSED("stack: tensor 0 is NULL", ag_stack(2, (ag_tensor *[]){NULL, S(2)}, 0));
    ag_tape_reset(tape);
    ag_tensor *target = ag_zeros(tape, AG_SHAPE(2)), *zeros = ag_zeros(tape, AG_SHAPE(2, 3));
    ag_tensor *losses[] = {ag_cross_entropy_loss_with(p, target, none, AG_MEAN), ag_nll_loss(p, target, none, AG_MEAN),
                           ag_bce_with_logits_loss_weighted(p, zeros, ag_ones(tape, AG_SHAPE(3)), AG_MEAN),
                           ag_bce_with_logits_loss_weighted(zeros, same, ag_ones(tape, AG_SHAPE(3)), AG_MEAN)};
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        cr_expect(isfinite(ag_item(losses[i])), "loss %d: %s", (int)i, ag_error(tape) ? ag_error(tape) : "");
    ag_parameter_free(p), ag_parameter_free(same), ag_tape_free(tape);
}

Test(bad_input, products_and_losses)
{
    tape = ag_tape_new(0);
    REFUSED("matmul: inner dimensions of (2, 3) and (4, 2) differ: 3 and 4", ag_matmul(S(2, 3), S(4, 2)));
    REFUSED("matmul: batch dimensions of (2, 1, 3) and (3, 3, 1) do not broadcast", ag_matmul(S(2, 1, 3), S(3, 3, 1)));
    REFUSED("matmul: ", ag_matmul(ag_scalar(tape, 1), S(2)));
    REFUSED("linear: input (128, 20) has 20 features, weight (400, 784) expects 784",
            ag_linear(S(128, 20), S(400, 784), NULL));
    REFUSED("linear: weight (4), expected two dimensions", ag_linear(S(2, 4), S(4), NULL));
    REFUSED("linear: bias (3), expected (5)", ag_linear(S(2, 4), S(5, 4), S(3)));
    REFUSED("linear: ", ag_linear(ag_scalar(tape, 1), S(5, 4), NULL));
    REFUSED("embedding: weight (4), expected", ag_embedding(S(2), S(4)));
    REFUSED("embedding: index 0 is 1, expected a whole number from 0 to 0", ag_embedding(S(2), S(1, 3)));
    REFUSED("embedding: index 0 is 0.5", ag_embedding(ag_scale(S(2), 0.5), S(4, 3)));
    REFUSED("embedding: index 0 is -1", ag_embedding(ag_neg(S(2)), S(4, 3)));
    REFUSED("mse_loss: input (2, 3) and target (3, 2) differ in shape", ag_mse_loss(S(2, 3), S(3, 2), AG_MEAN));
    REFUSED("bce_loss: reduction is 7", ag_bce_loss(S(2), S(2), (ag_reduction)7));
    REFUSED("gaussian_kl_loss: ", ag_gaussian_kl_loss(S(2, 3), S(2, 4), AG_SUM));
    REFUSED("cross_entropy_loss: logits (2, 3) and target (3)", ag_cross_entropy_loss(S(2, 3), S(3), AG_MEAN));
    REFUSED("cross_entropy_loss: target 0 is 1, expected a whole number from 0 to 0",
            ag_cross_entropy_loss(S(2, 1), S(2), AG_MEAN));
    REFUSED("cross_entropy_loss: reduction is 9", ag_cross_entropy_loss(S(2, 3), S(2), (ag_reduction)9));
    REFUSED("cross_entropy_loss: logits (2, 3, 4) and target (2, 5)",
            ag_cross_entropy_loss(S(2, 3, 4), S(2, 5), AG_SUM));
    REFUSED("cross_entropy_loss: target 0 is 0.5", ag_cross_entropy_loss(S(2, 3), ag_scale(S(2), 0.5), AG_MEAN));
    REFUSED("one_hot: 0 classes, expected at least 1", ag_one_hot(S(2), 0));
    REFUSED("one_hot: index 0 is 1, expected a whole number from 0 to 0", ag_one_hot(S(2), 1));
    REFUSED("one_hot: index 0 is 0.5", ag_one_hot(ag_scale(S(2), 0.5), 4));
    REFUSED("one_hot: index (1, 1, 1, 1, 1, 1, 1, 1) has no room", ag_one_hot(S(1, 1, 1, 1, 1, 1, 1, 1), 4));
    REFUSED("embedding: index (1, 1, 1, 1, 1, 1, 1, 1) has no room", ag_embedding(S(1, 1, 1, 1, 1, 1, 1, 1), S(4, 3)));
    REFUSED("bernoulli: probability is 2", ag_bernoulli(tape, AG_SHAPE(2), 2));
    REFUSED("slice: [-5:-4] of axis 1", ag_slice(S(2, 3), 1, -5, -4));
    ag_tape_reset(tape);
    cr_assert(ag_item(ag_sum(ag_dropout(S(100), 1), AG_ALL, false)) == 0 && !ag_error(tape));
    REFUSED("dropout: probability is 1.5, expected 0 to 1", ag_dropout(S(2), 1.5));
    REFUSED("bernoulli: probability is -1", ag_bernoulli(tape, AG_SHAPE(2), -1));
    REFUSED("randn: the result's shape (2, 0) is no shape", ag_randn(tape, AG_SHAPE(2, 0)));
    REFUSED("mul: shapes (2, 3) and (3, 2) do not broadcast", ag_mul(S(2, 3), S(3, 2)));
    ag_tape_free(tape);
}
