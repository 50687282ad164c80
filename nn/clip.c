/* Gradient clipping: torch.nn.utils.clip_grad_norm_ and clip_grad_value_. */
#include <math.h>

#include "autograd/kernels/kernels.h"
#include "nn/optimizer.h"

#define CHUNK 4096 /* elements summed in ag_real; chunks are added up in double */

static bool add_squares(void *context, const char *name, nn_parameter *p)
{
    double          *total = context;
    const ag_tensor *t = p->tensor;
    (void)name;
    for (int64_t i = 0, n = ag_numel(&t->shape); t->grad && i < n; i += CHUNK)
        *total += (double)agk()->dot(n - i < CHUNK ? n - i : CHUNK, t->grad + i, t->grad + i);
    return true;
}

static bool scale_grad(void *context, const char *name, nn_parameter *p)
{
    ag_real    factor = *(const ag_real *)context, pq[2] = {factor, 0};
    ag_tensor *t = p->tensor;
    (void)name;
    if (t->grad)
        agk()->unary(AGK_UNARY_scale, ag_numel(&t->shape), t->grad, pq, t->grad);
    return true;
}

double nn_clip_grad_norm(nn_module *model, double max)
{
    double total = 0;
    nn_visit(model, add_squares, &total);
    double  norm = sqrt(total), factor = max / (norm + 1e-6);
    ag_real scale = (ag_real)factor;
    if (!(factor >= 1)) /* a norm that is no number makes every gradient none */
        nn_visit(model, scale_grad, &scale);
    return norm;
}

static bool cut_grad(void *context, const char *name, nn_parameter *p)
{
    ag_real    max = *(const ag_real *)context, pq[2] = {-max, max};
    ag_tensor *t = p->tensor;
    (void)name;
    if (t->grad)
        agk()->unary(AGK_UNARY_clamp, ag_numel(&t->shape), t->grad, pq, t->grad);
    return true;
}

void nn_clip_grad_value(nn_module *model, double max)
{
    ag_real limit = (ag_real)max;
    nn_visit(model, cut_grad, &limit);
}
