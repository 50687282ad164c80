/* conv2d; conv1d is made of it in composed.c. */
#include "autograd/ops/conv_internal.h"
#include "autograd/ops/written_internal.h"

static bool channels_fit(ag_node *node, const ag_conv_options *o)
{
    const ag_shape *x = &node->in[0]->shape, *w = &node->in[1]->shape;
    if (w->dim[0] % o->groups)
        return ag_op_fail(node, "the %lld outputs of weight %s do not divide into %lld groups", (long long)w->dim[0],
                          AG_STR(w), (long long)o->groups);
    if (x->dim[1] != w->dim[1] * o->groups)
        return ag_op_fail(node, "input %s has %lld channels, weight %s expects %lld", AG_STR(x), (long long)x->dim[1],
                          AG_STR(w), (long long)(w->dim[1] * o->groups));
    return true;
}

static bool conv2d_shape(ag_node *node)
{
    ag_conv_plan          *p = node->attr;
    const ag_conv_options *o = &p->options;
    const ag_shape        *x = &node->in[0]->shape, *w = &node->in[1]->shape;
    if (!ag__conv_ranks(node) || !ag__conv_options_complete(node, &p->options) || !channels_fit(node, o) ||
        !ag__conv_bias(node, w->dim[0]))
        return false;
    p->conv = (agk_conv){.batch = x->dim[0], .in_channels = x->dim[1], .out_channels = w->dim[0], .groups = o->groups};
    for (int i = 0; i < 2; i++) {
        int64_t in = x->dim[2 + i], kernel = w->dim[2 + i], reach = o->dilation[i] * (kernel - 1) + 1;
        if (reach > in + 2 * o->padding[i])
            return ag_op_fail(node, "the kernel of weight %s covers %lld pixels, the padded input %s has %lld",
                              AG_STR(w), (long long)reach, AG_STR(x), (long long)(in + 2 * o->padding[i]));
        p->conv.in[i] = in;
        p->conv.kernel[i] = kernel;
        p->conv.stride[i] = o->stride[i];
        p->conv.padding[i] = o->padding[i];
        p->conv.dilation[i] = o->dilation[i];
        p->conv.out[i] = (in + 2 * o->padding[i] - reach) / o->stride[i] + 1;
    }
    node->out->shape = AG_SHAPE(x->dim[0], w->dim[0], p->conv.out[0], p->conv.out[1]);
    return ag__conv_take_workspace(node, node->in[0]->needs_grad);
}

static void conv2d_forward(ag_node *node)
{
    const agk_conv_batch *b = &((ag_conv_plan *)node->attr)->batch;
    const ag_real        *x = node->in[0]->data, *bias = node->n_in > 2 ? node->in[2]->data : NULL;
    agk_conv_batch_take_input(b, x, node->saved);
    agk_conv_batch_forward(b, x, node->in[1]->data, bias, false, node->out->data, node->saved);
}

/* The input has been taken; its gradient takes its place. A second backward takes the input again. */
static void conv2d_backward(const ag_node *node)
{
    ag_conv_plan         *p = node->attr;
    const agk_conv_batch *b = &p->batch;
    const ag_real        *g = node->out->grad, *x = node->in[0]->data;
    agk_conv_batch_take_output(b, g, node->saved);
    if (p->input_lost)
        agk_conv_batch_take_input(b, x, node->saved);
    ag_grad_target dw = ag_grad_open(node->in[1]);
    if (dw.data)
        agk_conv_batch_weight_gradient(b, x, g, dw.add, dw.data, node->saved);
    ag_grad_target dx = ag_grad_open(node->in[0]);
    if (dx.data)
        agk_conv_batch_input_gradient(b, g, node->in[1]->data, NULL, dx.add, dx.data, node->saved);
    p->input_lost |= dx.data != NULL;
    if (node->n_in > 2 && ag_grad(node->in[2]))
        agk_conv_batch_output_sum(b, g, node->in[2]->grad, node->saved);
}

const ag_op ag__conv2d_op = {"conv2d", conv2d_shape, conv2d_forward, conv2d_backward};

ag_tensor *ag_conv2d(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_conv_options options)
{
    ag_tensor   *in[] = {x, weight, bias};
    ag_conv_plan p = {.options = options};
    return ag_apply(&ag__conv2d_op, bias ? 3 : 2, in, &p, sizeof p);
}
