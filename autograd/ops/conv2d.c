/* conv2d, and conv1d as a picture of height 1. */
#include "autograd/ops/conv_internal.h"

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
    return ag__conv_take_workspace(node);
}

static void conv2d_forward(ag_node *node)
{
    const ag_conv_plan *p = node->attr;
    const agk_conv     *c = &p->conv;
    if (p->direct) {
        agk_conv_direct_forward(c, node->in[0]->data, node->in[1]->data, node->n_in > 2 ? node->in[2]->data : NULL,
                                false, node->out->data, node->saved);
        return;
    }
    agk_conv_images images = agk_conv_images_in(c, node->saved);
    const int64_t   in = agk__area(c->in), out = agk__area(c->out);
    agk_interleave(c->batch, c->in_channels, in, node->in[0]->data, images.x);
    agk_conv_forward(c, images, node->in[1]->data, node->n_in > 2 ? node->in[2]->data : NULL);
    agk_deinterleave(c->batch, c->out_channels, out, images.y, false, node->out->data);
}

static void direct_backward(const ag_node *node)
{
    const agk_conv *c = &((ag_conv_plan *)node->attr)->conv;
    const ag_real  *g = node->out->grad;
    ag_grad_target  dw = ag_grad_open(node->in[1]), dx = ag_grad_open(node->in[0]);
    if (dw.data)
        agk_conv_direct_weight_gradient(c, node->in[0]->data, g, dw.add, dw.data, node->saved);
    if (dx.data)
        agk_conv_direct_input_gradient(c, g, node->in[1]->data, NULL, dx.add, dx.data, node->saved);
    if (node->n_in > 2 && ag_grad(node->in[2]))
        agk_conv_direct_bias_gradient(c->batch, c->out_channels, c->out[0] * c->out[1], g, node->in[2]->grad);
}

/* images.x still holds the input; its gradient takes its place. A second backward interleaves the input again. */
static void conv2d_backward(const ag_node *node)
{
    ag_conv_plan   *p = node->attr;
    const agk_conv *c = &p->conv;
    if (p->direct) {
        direct_backward(node);
        return;
    }
    agk_conv_images images = agk_conv_images_in(c, node->saved);
    const int64_t   in = agk__area(c->in), out = agk__area(c->out);
    agk_interleave(c->batch, c->out_channels, out, node->out->grad, images.y);
    if (p->input_lost)
        agk_interleave(c->batch, c->in_channels, in, node->in[0]->data, images.x);
    ag_grad_target dw = ag_grad_open(node->in[1]);
    if (dw.data)
        agk_conv_weight_gradient(c, images, dw.add, dw.data);
    ag_grad_target dx = ag_grad_open(node->in[0]);
    if (dx.data) {
        agk_conv_input_gradient(c, images, node->in[1]->data, NULL);
        p->input_lost = true;
        agk_deinterleave(c->batch, c->in_channels, in, images.x, dx.add, dx.data);
    }
    if (node->n_in > 2 && ag_grad(node->in[2]))
        agk_conv_bias_gradient(c->batch, c->out_channels, c->out[0] * c->out[1], images.y, node->in[2]->grad);
}

static const ag_op conv2d_op = {"conv2d", conv2d_shape, conv2d_forward, conv2d_backward};

ag_tensor *ag_conv2d(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, ag_conv_options options)
{
    ag_tensor   *in[] = {x, weight, bias};
    ag_conv_plan p = {.options = options};
    return ag_apply(&conv2d_op, bias ? 3 : 2, in, &p, sizeof p);
}
