#include "autograd/ops/conv_internal.h"

bool ag__conv_options_complete(ag_node *node, ag_conv_options *o)
{
    for (int i = 0; i < 2; i++) {
        o->stride[i] = o->stride[i] ? o->stride[i] : 1;
        o->dilation[i] = o->dilation[i] ? o->dilation[i] : 1;
        const int64_t most = 1 << 24;
        if (o->stride[i] < 1 || o->dilation[i] < 1 || o->padding[i] < 0 || o->output_padding[i] < 0 ||
            o->stride[i] > most || o->dilation[i] > most || o->padding[i] > most || o->output_padding[i] > most)
            return ag_op_fail(node, "stride %lld, padding %lld, dilation %lld, output_padding %lld: expected 0 to %lld",
                              (long long)o->stride[i], (long long)o->padding[i], (long long)o->dilation[i],
                              (long long)o->output_padding[i], (long long)most);
    }
    o->groups = o->groups ? o->groups : 1;
    return o->groups > 0 || ag_op_fail(node, "groups is %lld, expected at least 1", (long long)o->groups);
}

bool ag__conv_ranks(ag_node *node)
{
    const ag_shape *x = &node->in[0]->shape, *w = &node->in[1]->shape;
    if (x->rank == 4 && w->rank == 4)
        return true;
    return ag_op_fail(node, "input %s and weight %s, expected four dimensions each", AG_STR(x), AG_STR(w));
}

bool ag__conv_bias(ag_node *node, int64_t channels)
{
    if (node->n_in < 3)
        return true;
    const ag_shape *b = &node->in[2]->shape;
    if (b->rank == 1 && b->dim[0] == channels)
        return true;
    return ag_op_fail(node, "bias %s, expected (%lld) for weight %s", AG_STR(b), (long long)channels,
                      AG_STR(&node->in[1]->shape));
}

bool ag__conv_take_workspace(ag_node *node, bool needs_input_gradient)
{
    ag_conv_plan *p = node->attr;
    if (ag_numel(&node->out->shape) < 0)
        return true; /* refused by whoever called the rule */
    p->batch = agk_conv_batch_of(&p->conv, needs_input_gradient);
    const int64_t size = agk_conv_batch_size(&p->batch);
    if (size < 0)
        return ag_op_fail(node, "out of memory for a result of shape %s", AG_STR(&node->out->shape));
    return ag_op_save(node, size) != NULL;
}
