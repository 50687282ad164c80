/* conv_transpose2d: conv2d with the roles of input and output exchanged. Its plan is that of the convolution which leads from
 * its output back to its input. */
#include "autograd/ops/conv_internal.h"

static bool channels_fit(ag_node *node, const ag_conv_options *o)
{
    const ag_shape *x = &node->in[0]->shape, *w = &node->in[1]->shape;
    if (x->dim[1] != w->dim[0])
        return ag_op_fail(node, "input %s has %lld channels, weight %s expects %lld", AG_STR(x), (long long)x->dim[1],
                          AG_STR(w), (long long)w->dim[0]);
    if (x->dim[1] % o->groups)
        return ag_op_fail(node, "the %lld channels of input %s do not divide into %lld groups", (long long)x->dim[1],
                          AG_STR(x), (long long)o->groups);
    return true;
}

static bool conv_transpose2d_shape(ag_node *node)
{
    ag_conv_plan *p = node->attr;
    const ag_conv_options *o = &p->options;
    const ag_shape *x = &node->in[0]->shape, *w = &node->in[1]->shape;
    if (!ag_conv_ranks(node) || !ag_conv_options_complete(node, &p->options) || !channels_fit(node, o) ||
        !ag_conv_bias(node, w->dim[1] * o->groups))
        return false;
    p->conv = (agk_conv){.batch = x->dim[0], .in_channels = w->dim[1] * o->groups, .out_channels = x->dim[1],
                         .groups = o->groups};
    for (int i = 0; i < 2; i++) {
        if (o->output_padding[i] >= o->stride[i] && o->output_padding[i] >= o->dilation[i])
            return ag_op_fail(node, "output_padding %lld must be smaller than stride %lld or dilation %lld",
                              (long long)o->output_padding[i], (long long)o->stride[i], (long long)o->dilation[i]);
        int64_t out = (x->dim[2 + i] - 1) * o->stride[i] - 2 * o->padding[i] +
                      o->dilation[i] * (w->dim[2 + i] - 1) + o->output_padding[i] + 1;
        if (out < 1)
            return ag_op_fail(node, "input %s and weight %s with padding %lld leave no output", AG_STR(x), AG_STR(w),
                              (long long)o->padding[i]);
        p->conv.in[i] = out;
        p->conv.kernel[i] = w->dim[2 + i];
        p->conv.stride[i] = o->stride[i];
        p->conv.padding[i] = o->padding[i];
        p->conv.dilation[i] = o->dilation[i];
        p->conv.out[i] = x->dim[2 + i];
    }
    node->out->shape = AG_SHAPE(x->dim[0], p->conv.in_channels, p->conv.in[0], p->conv.in[1]);
    return true;
}

static void conv_transpose2d_forward(ag_node *node)
{
    const ag_conv_plan *p = node->attr;
    int64_t channels = p->conv.in_channels, pixels = p->conv.in[0] * p->conv.in[1];
    agk_conv_input_gradient(&p->conv, node->in[0]->data, node->in[1]->data, false, node->out->data);
    for (int64_t r = 0; node->n_in > 2 && r < p->conv.batch * channels; r++)
        agk()->add_constant(pixels, node->in[2]->data[r % channels], node->out->data + r * pixels);
}

static void conv_transpose2d_backward(const ag_node *node)
{
    const ag_conv_plan *p = node->attr;
    const ag_real *g = node->out->grad;
    ag_grad_target dw = ag_grad_open(node->in[1]);
    if (dw.data)
        agk_conv_weight_gradient(&p->conv, g, node->in[0]->data, dw.add, dw.data);
    ag_grad_target dx = ag_grad_open(node->in[0]);
    if (dx.data)
        agk_conv_forward(&p->conv, g, node->in[1]->data, NULL, dx.add, dx.data);
    ag_conv_bias_gradient(node, p->conv.in_channels);
}

static const ag_op conv_transpose2d_op = {"conv_transpose2d", conv_transpose2d_shape, conv_transpose2d_forward,
                                          conv_transpose2d_backward};

ag_tensor *ag_conv_transpose2d(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_conv_options options)
{
    ag_tensor *in[] = {x, weight, bias};
    ag_conv_plan p = {.options = options};
    return ag_apply(&conv_transpose2d_op, bias ? 3 : 2, in, &p, sizeof p);
}
