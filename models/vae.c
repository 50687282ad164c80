#include "models/vae.h"

ag_tensor *vae_sample(ag_tensor *mu, ag_tensor *logvar)
{
    ag_tensor *std = ag_exp(ag_scale(logvar, 0.5));
    return ag_add(mu, ag_mul(ag_randn_like(std), std));
}

ag_tensor *vae_decode(vae *m, ag_tensor *z)
{
    return nn_forward(m->fc4, ag_relu(nn_forward(m->fc3, z)));
}

vae_output vae_forward(vae *m, ag_tensor *x)
{
    ag_tensor *h      = ag_relu(nn_forward(m->fc1, x));
    ag_tensor *mu     = nn_forward(m->fc21, h);
    ag_tensor *logvar = nn_forward(m->fc22, h);
    ag_tensor *logits = vae_decode(m, vae_sample(mu, logvar));
    return (vae_output){logits, mu, logvar};
}

vae_losses vae_loss(vae_output out, ag_tensor *x, double beta)
{
    ag_tensor *bce = ag_bce_with_logits_loss(out.logits, x, AG_SUM);
    ag_tensor *kld = ag_gaussian_kl_loss(out.mu, out.logvar, AG_SUM);
    return (vae_losses){ag_add(bce, ag_scale(kld, beta)), bce, kld};
}

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return vae_forward((vae *)m, x).logits;
}

static const nn_type vae_type = {.name = "VAE", .size = sizeof(vae), .forward = forward};

vae *vae_new(vae_config config, uint64_t seed)
{
    vae *m = nn_new(&vae_type);
    if (!m)
        return NULL;
    m->config = config;
    NN_CHILD(m, fc1, nn_linear(config.input, config.hidden));
    NN_CHILD(m, fc21, nn_linear(config.hidden, config.latent));
    NN_CHILD(m, fc22, nn_linear(config.hidden, config.latent));
    NN_CHILD(m, fc3, nn_linear(config.latent, config.hidden));
    NN_CHILD(m, fc4, nn_linear(config.hidden, config.input));
    nn_reset_parameters(&m->base, seed);
    return m;
}
