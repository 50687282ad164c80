#include "models/flow_vae.h"

#include <stdio.h>

flow_vae_code flow_vae_encode(flow_vae *m, ag_tensor *x)
{
    ag_tensor *h = nn_forward(m->encoder, x);
    ag_tensor *mu = nn_forward(m->mu, h), *deviation = ag_softplus(nn_forward(m->deviation, h));
    return (flow_vae_code){mu, deviation, h};
}

ag_tensor *flow_vae_decode(flow_vae *m, ag_tensor *z)
{
    return nn_forward(m->decoder, z);
}

/* Algorithm 1: z = sigmoid(gate) z + (1 - sigmoid(gate)) mean. The gates begin nearly open. */
static ag_tensor *carry_autoregressive(masked_ar *flow, ag_tensor *z, ag_tensor *context, ag_tensor **log_det)
{
    masked_ar_output o = masked_ar_forward(flow, z, context);
    ag_tensor       *gate = ag_shift(o.gate, 2);
    *log_det = ag_neg(ag_sum(ag_softplus(ag_neg(gate)), AG_AXES(-1), false));
    return ag_add(o.mean, ag_mul(ag_sigmoid(gate), ag_sub(z, o.mean)));
}

ag_tensor *flow_vae_carry(flow_vae *m, ag_tensor *z, ag_tensor *context, ag_tensor **log_det)
{
    ag_tensor *total = NULL, *one;
    for (int64_t i = 0; i < m->config.flows; i++) {
        z = m->config.planar ? planar_flow_carry((planar_flow *)m->flow[i], z, context, &one)
                             : carry_autoregressive((masked_ar *)m->flow[i], z, context, &one);
        total = total ? ag_add(total, one) : one;
    }
    if (log_det)
        *log_det = total;
    return z;
}

/* (N, width) to (N k, width): each row k times. */
static ag_tensor *repeated(ag_tensor *t, int64_t k)
{
    if (k == 1 || ag_tensor_error(t))
        return t;
    const int64_t n = t->shape.dim[0], width = t->shape.dim[1];
    return ag_reshape(ag_expand(ag_reshape(t, AG_SHAPE(n, 1, width)), AG_SHAPE(n, k, width)), AG_SHAPE(n * k, width));
}

static ag_tensor *half_squares(ag_tensor *x)
{
    return ag_scale(ag_sum(ag_square(x), AG_AXES(-1), false), 0.5);
}

/* Of k codes for each x, (N, k). */
typedef struct drawn {
    ag_tensor *log_weights, *divergence;
} drawn;

/* log q(z0) = -eps^2 / 2 - log deviation; what is 2 pi in it and in log p(z) is left out of both. */
static drawn draw(flow_vae *m, ag_tensor *x, int64_t k, double beta)
{
    flow_vae_code q = flow_vae_encode(m, x);
    if (ag_tensor_error(q.deviation) || k < 1) {
        ag_tensor *poison = ag_fail(x ? x->tape : NULL, "flow_vae: %lld samples", (long long)k);
        return (drawn){poison, poison};
    }
    ag_tensor *mu = repeated(q.mu, k), *deviation = repeated(q.deviation, k), *log_det;
    ag_tensor *eps = ag_randn_like(mu);
    ag_tensor *z = flow_vae_carry(m, ag_add(mu, ag_mul(deviation, eps)), repeated(q.context, k), &log_det);
    ag_tensor *log_q = ag_neg(ag_add(half_squares(eps), ag_sum(ag_log(deviation), AG_AXES(-1), false)));
    if (log_det)
        log_q = ag_sub(log_q, log_det);
    ag_tensor *error = ag_bce_with_logits_loss(flow_vae_decode(m, z), repeated(x, k), AG_NONE);
    ag_tensor *squares = half_squares(z);
    ag_tensor *log_p = ag_neg(ag_add(ag_sum(error, AG_AXES(-1), false), ag_scale(squares, beta)));
    return (drawn){ag_reshape(ag_sub(log_p, ag_scale(log_q, beta)), AG_SHAPE(-1, k)),
                   ag_reshape(ag_add(log_q, squares), AG_SHAPE(-1, k))};
}

ag_tensor *flow_vae_log_weights(flow_vae *m, ag_tensor *x, int64_t k)
{
    return draw(m, x, k, 1).log_weights;
}

flow_vae_losses flow_vae_loss(flow_vae *m, ag_tensor *x, double beta)
{
    const drawn d = draw(m, x, 1, beta);
    return (flow_vae_losses){ag_neg(ag_mean(d.log_weights, AG_ALL, false)), d.divergence};
}

/* ---- The module. ---- */

static ag_tensor *forward(nn_module *base, ag_tensor *x)
{
    flow_vae     *m = (flow_vae *)base;
    flow_vae_code q = flow_vae_encode(m, x);
    return flow_vae_decode(m, flow_vae_carry(m, q.mu, q.context, NULL));
}

static const nn_type flow_vae_type = {.name = "FlowVAE", .size = sizeof(flow_vae), .forward = forward};

/* `layers` of linear and ReLU. */
static nn_module *layers(int64_t in, int64_t hidden, int64_t n)
{
    nn_module *s = nn_sequential(nn_linear(in, hidden), nn_relu());
    for (int64_t i = 1; i < n; i++) {
        nn_append(s, nn_linear(hidden, hidden));
        nn_append(s, nn_relu());
    }
    return s;
}

flow_vae *flow_vae_new(flow_vae_config c)
{
    flow_vae *m = nn_new(&flow_vae_type);
    if (!m)
        return NULL;
    m->config = c;
    if (c.layers < 1 || c.layers > 4 || c.flows < 0 || c.flows > FLOW_VAE_MOST_FLOWS) {
        nn_add_child(&m->base, "encoder",
                     nn_failed("FlowVAE", "%lld layers and %lld flows, expected 1 to 4 and 0 to %d",
                               (long long)c.layers, (long long)c.flows, FLOW_VAE_MOST_FLOWS));
        return m;
    }
    NN_CHILD(m, encoder, layers(c.input, c.hidden, c.layers));
    NN_CHILD(m, mu, nn_linear(c.hidden, c.latent));
    NN_CHILD(m, deviation, nn_linear(c.hidden, c.latent));
    for (int64_t i = 0; i < c.flows; i++) {
        char name[24];
        snprintf(name, sizeof name, "flow%lld", (long long)i);
        m->flow[i] = c.planar ? (nn_module *)planar_flow_new(c.latent, c.hidden)
                              : (nn_module *)masked_ar_new(c.latent, c.hidden, c.hidden, i % 2 == 1);
        nn_add_child(&m->base, name, m->flow[i]);
    }
    NN_CHILD(m, decoder, layers(c.latent, c.hidden, c.layers));
    nn_append(m->decoder, nn_linear(c.hidden, c.input));
    return m;
}
