#include "models/planar_flow.h"

static ag_tensor *dot(ag_tensor *a, ag_tensor *b)
{
    return ag_sum(ag_mul(a, b), AG_AXES(-1), true);
}

/* Appendix A.1: u moves along w until u.w is softplus(u.w) - 1, above -1, where the flow can be inverted. */
ag_tensor *planar_flow_carry(planar_flow *m, ag_tensor *z, ag_tensor *context, ag_tensor **log_det)
{
    ag_tensor *u = nn_forward(m->push, context), *w = nn_forward(m->normal, context);
    ag_tensor *b = nn_forward(m->offset, context);
    ag_tensor *along = dot(u, w), *soft = ag_softplus(along);
    u = ag_add(u, ag_mul(w, ag_div(ag_sub(ag_shift(soft, -1), along), dot(w, w))));
    ag_tensor *h = ag_tanh(ag_add(dot(w, z), b));
    ag_tensor *slope = ag_shift(ag_neg(ag_square(h)), 1);
    /* 1 + slope (soft - 1), of which no part cancels another. */
    *log_det = ag_sum(ag_log(ag_add(ag_square(h), ag_mul(slope, soft))), AG_AXES(-1), false);
    return ag_add(z, ag_mul(u, h));
}

static const nn_type planar_flow_type = {.name = "PlanarFlow", .size = sizeof(planar_flow)};

planar_flow *planar_flow_new(int64_t size, int64_t context)
{
    planar_flow *m = nn_new(&planar_flow_type);
    if (!m)
        return NULL;
    NN_CHILD(m, push, nn_linear(context, size));
    NN_CHILD(m, normal, nn_linear(context, size));
    NN_CHILD(m, offset, nn_linear(context, 1));
    return m;
}
