/* conv_transpose2d: conv2d with the roles of input and output exchanged. Its plan is that of the convolution which
 * leads from its output back to its input. */
#include "autograd/ops/conv_internal.h"
#include "autograd/ops/written_internal.h"

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
    ag_conv_plan          *p = node->attr;
    const ag_conv_options *o = &p->options;
    const ag_shape        *x = &node->in[0]->shape, *w = &node->in[1]->shape;
    if (!ag__conv_ranks(node) || !ag__conv_options_complete(node, &p->options) || !channels_fit(node, o) ||
        !ag__conv_bias(node, w->dim[1] * o->groups))
        return false;
    p->conv = (agk_conv){
        .batch = x->dim[0], .in_channels = w->dim[1] * o->groups, .out_channels = x->dim[1], .groups = o->groups};
    for (int i = 0; i < 2; i++) {
        if (o->output_padding[i] >= o->stride[i] && o->output_padding[i] >= o->dilation[i])
            return ag_op_fail(node, "output_padding %lld must be smaller than stride %lld or dilation %lld",
                              (long long)o->output_padding[i], (long long)o->stride[i], (long long)o->dilation[i]);
        int64_t out = (x->dim[2 + i] - 1) * o->stride[i] - 2 * o->padding[i] + o->dilation[i] * (w->dim[2 + i] - 1) +
                      o->output_padding[i] + 1;
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
    return ag__conv_take_workspace(node, true);
}

static void conv_transpose2d_forward(ag_node *node)
{
    const agk_conv_batch *b = &((ag_conv_plan *)node->attr)->batch;
    const ag_real        *x = node->in[0]->data, *bias = node->n_in > 2 ? node->in[2]->data : NULL;
    agk_conv_batch_take_output(b, x, node->saved);
    agk_conv_batch_input_gradient(b, x, node->in[1]->data, bias, false, node->out->data, node->saved);
}

/* The input has been taken; its gradient takes its place. A second backward takes the input again. */
static void conv_transpose2d_backward(const ag_node *node)
{
    ag_conv_plan         *p = node->attr;
    const agk_conv_batch *b = &p->batch;
    const ag_real        *g = node->out->grad, *x = node->in[0]->data;
    agk_conv_batch_take_input(b, g, node->saved);
    if (p->input_lost)
        agk_conv_batch_take_output(b, x, node->saved);
    ag_grad_target dw = ag_grad_open(node->in[1]);
    if (dw.data)
        agk_conv_batch_weight_gradient(b, g, x, dw.add, dw.data, node->saved);
    ag_grad_target dx = ag_grad_open(node->in[0]);
    if (dx.data)
        agk_conv_batch_forward(b, g, node->in[1]->data, NULL, dx.add, dx.data, node->saved);
    p->input_lost |= dx.data != NULL;
    if (node->n_in > 2 && ag_grad(node->in[2]))
        agk_conv_batch_input_sum(b, g, node->in[2]->grad, node->saved);
}

const ag_op ag__conv_transpose2d_op = {"conv_transpose2d", conv_transpose2d_shape, conv_transpose2d_forward,
                                       conv_transpose2d_backward};

ag_tensor *ag_conv_transpose2d(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_conv_options options)
{
    ag_tensor   *in[] = {x, weight, bias};
    ag_conv_plan p = {.options = options};
    return ag_apply(&ag__conv_transpose2d_op, bias ? 3 : 2, in, &p, sizeof p);
}
