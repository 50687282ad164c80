#include "models/iwae_upper.h"

static vae_code gaussian(nn_module *body, nn_module *mu, nn_module *logvar, ag_tensor *x)
{
    ag_tensor *h = nn_forward(body, x);
    ag_tensor *mean = nn_forward(mu, h);
    return (vae_code){mean, nn_forward(logvar, h)};
}

vae_code iwae_upper_encode(iwae_upper *m, ag_tensor *z)
{
    return gaussian(m->encoder, m->mu, m->logvar, z);
}

vae_code iwae_upper_prior(iwae_upper *m, ag_tensor *u)
{
    return gaussian(m->decoder, m->prior_mu, m->prior_logvar, u);
}

static ag_tensor *half_sum(ag_tensor *t)
{
    return ag_scale(ag_sum(t, AG_AXES(-1), false), 0.5);
}

ag_tensor *iwae_upper_log_weights(iwae_upper *m, ag_tensor *z)
{
    vae_code   q = iwae_upper_encode(m, z);
    ag_tensor *u = vae_sample(q.mu, q.logvar);
    vae_code   p = iwae_upper_prior(m, u);
    return ag_sub(half_sum(ag_sub(vae_deviance(u, q), ag_square(u))), half_sum(vae_deviance(z, p)));
}

/* ---- The module. ---- */

/* Each code to the mean of the prior at the mean of its u. */
static ag_tensor *forward(nn_module *base, ag_tensor *z)
{
    iwae_upper *m = (iwae_upper *)base;
    return iwae_upper_prior(m, iwae_upper_encode(m, z).mu).mu;
}

static const nn_type iwae_upper_type = {.name = "Upper", .size = sizeof(iwae_upper), .forward = forward};

static nn_module *hidden_layers(int64_t in, int64_t hidden)
{
    return nn_sequential(nn_linear(in, hidden), nn_tanh(), nn_linear(hidden, hidden), nn_tanh());
}

nn_module *iwae_upper_new(int64_t latent, int64_t hidden, int64_t size)
{
    iwae_upper *m = nn_new(&iwae_upper_type);
    if (!m)
        return nn_failed("Upper", "out of memory");
    NN_CHILD(m, encoder, hidden_layers(latent, hidden));
    NN_CHILD(m, mu, nn_linear(hidden, size));
    NN_CHILD(m, logvar, nn_linear(hidden, size));
    NN_CHILD(m, decoder, hidden_layers(size, hidden));
    NN_CHILD(m, prior_mu, nn_linear(hidden, latent));
    NN_CHILD(m, prior_logvar, nn_linear(hidden, latent));
    return &m->base;
}
