/* The convolution layers hand on every option, each with a value of its own, and refuse what makes no sense. */
#include <stddef.h>
#include <string.h>

#include "nn/nn.h"
#include "tests/test.h"

static const nn_conv_options all = {.in = 4,
                                    .out = 6,
                                    .kernel = {2, 3},
                                    .stride = {3, 2},
                                    .padding = {1, 2},
                                    .dilation = {2, 4},
                                    .output_padding = {1, 0},
                                    .groups = 2};

static ag_conv_options of_op(const nn_conv_options *o)
{
    return (ag_conv_options){.stride = {o->stride[0], o->stride[1]},
                             .padding = {o->padding[0], o->padding[1]},
                             .dilation = {o->dilation[0], o->dilation[1]},
                             .output_padding = {o->output_padding[0], o->output_padding[1]},
                             .groups = o->groups};
}

typedef ag_tensor *conv_fn(ag_tensor *x, ag_tensor *w, ag_tensor *b, ag_conv_options o);

/* What the layer makes of x is what the op makes with the layer's weights. */
static void check_same(nn_module *m, conv_fn *op, ag_shape weight, nn_conv_options o)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *x = ag_randn(tape, weight.rank == 3 ? AG_SHAPE(2, 4, 15) : AG_SHAPE(2, 4, 15, 14));
    nn_reset_parameters(m, 1);
    ag_tensor *w = nn_parameter_named(m, "weight"), *b = nn_parameter_named(m, "bias");
    ag_tensor *got = nn_forward(m, x), *expected = op(x, w, b, of_op(&o));
    cr_assert(!ag_error(tape), "%s", ag_error(tape));
    cr_assert(ag_shape_equal(&w->shape, &weight) && (b == NULL) == o.no_bias);
    cr_assert(ag_shape_equal(&got->shape, &expected->shape) &&
              !memcmp(got->data, expected->data, (size_t)ag_numel(&got->shape) * sizeof(ag_real)));
    nn_module_free(m);
    ag_tape_free(tape);
}

Test(layers, convolutions_take_every_option)
{
    nn_conv_options plain = all, bare = {.in = 4, .out = 6, .kernel = {2, 3}, .no_bias = true};
    plain.output_padding[0] = 0;
    check_same(nn_conv2d_with(plain), ag_conv2d, AG_SHAPE(6, 2, 2, 3), plain);
    check_same(nn_conv1d(plain), ag_conv1d, AG_SHAPE(6, 2, 2), plain);
    check_same(nn_conv_transpose2d_with(all), ag_conv_transpose2d, AG_SHAPE(4, 3, 2, 3), all);
    check_same(nn_conv_transpose1d(all), ag_conv_transpose1d, AG_SHAPE(4, 3, 2), all);
    check_same(nn_conv2d_with(bare), ag_conv2d, AG_SHAPE(6, 4, 2, 3), bare);
    check_same(nn_conv_transpose2d_with(bare), ag_conv_transpose2d, AG_SHAPE(4, 6, 2, 3), bare);
}

/* all with one of its numbers changed. */
static nn_conv_options with(size_t at, int64_t value)
{
    nn_conv_options o = all;
    memcpy((char *)&o + at, &value, sizeof value);
    return o;
}

Test(layers, convolutions_refuse)
{
    const size_t field = sizeof(int64_t), groups = offsetof(nn_conv_options, groups);
    for (size_t at = 0; at <= groups; at += field) {
        nn_module *m[] = {nn_conv2d_with(with(at, -1)), nn_conv_transpose2d_with(with(at, -1))};
        for (int i = 0; i < 2; i++) {
            cr_expect(nn_error(m[i]) && strstr(nn_error(m[i]), "nothing negative"), "number %d", (int)(at / field));
            nn_module_free(m[i]);
        }
    }
    const struct {
        size_t  at;
        int64_t value;
    } bad[] = {{offsetof(nn_conv_options, in), 0},
               {offsetof(nn_conv_options, in), 5},
               {offsetof(nn_conv_options, out), 0},
               {offsetof(nn_conv_options, out), 7},
               {offsetof(nn_conv_options, kernel), 0},
               {offsetof(nn_conv_options, kernel) + field, 0},
               {groups, 4}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        nn_module *m = nn_conv2d_with(with(bad[i].at, bad[i].value));
        cr_expect(nn_error(m), "%d", (int)i);
        nn_module_free(m);
    }
}
