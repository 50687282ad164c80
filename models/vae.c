#include "models/vae.h"

ag_tensor *vae_sample(ag_tensor *mu, ag_tensor *logvar)
{
    ag_tensor *std = ag_exp(ag_scale(logvar, 0.5));
    return ag_add(mu, ag_mul(ag_randn_like(std), std));
}

ag_tensor *vae_deviance(ag_tensor *z, vae_code of)
{
    return ag_add(ag_mul(ag_square(ag_sub(z, of.mu)), ag_exp(ag_neg(of.logvar))), of.logvar);
}

ag_tensor *vae_decode(vae *m, ag_tensor *z)
{
    return nn_forward(m->fc4, ag_relu(nn_forward(m->fc3, z)));
}

vae_code vae_encode(vae *m, ag_tensor *x)
{
    ag_tensor *h = ag_relu(nn_forward(m->fc1, x));
    ag_tensor *mu = nn_forward(m->fc21, h);
    ag_tensor *logvar = nn_forward(m->fc22, h);
    return (vae_code){mu, logvar};
}

ag_tensor *vae_divergence(vae_code c)
{
    ag_tensor *squares = ag_add(ag_square(c.mu), ag_exp(c.logvar));
    return ag_scale(ag_shift(ag_sub(squares, c.logvar), -1), 0.5);
}

ag_tensor *vae_free_bits(ag_tensor *divergence, double nats)
{
    if (ag_tensor_error(divergence))
        return divergence;
    ag_tensor *lacking = ag_relu(ag_rsub(ag_mean(divergence, AG_AXES(0), false), nats));
    return ag_scale(ag_sum(lacking, AG_ALL, false), (double)divergence->shape.dim[0]);
}

vae_output vae_forward(vae *m, ag_tensor *x)
{
    vae_code   code = vae_encode(m, x);
    ag_tensor *logits = vae_decode(m, vae_sample(code.mu, code.logvar));
    return (vae_output){logits, code.mu, code.logvar};
}

vae_losses vae_loss(vae_output out, ag_tensor *x, double beta)
{
    ag_tensor *bce = ag_bce_with_logits_loss(out.logits, x, AG_SUM);
    ag_tensor *kld = ag_gaussian_kl_loss(out.mu, out.logvar, AG_SUM);
    return (vae_losses){ag_add(bce, ag_scale(kld, beta)), bce, kld, {out.mu, out.logvar}};
}

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return vae_forward((vae *)m, x).logits;
}

static const nn_type vae_type = {.name = "VAE", .size = sizeof(vae), .forward = forward};

vae *vae_new(vae_config config)
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
    return m;
}

/* ---- As a variant. ---- */

static nn_module *make(int64_t height, int64_t width, const int64_t *size)
{
    return (nn_module *)vae_new((vae_config){height * width, size[0], size[1]});
}

static vae_losses loss(nn_module *m, ag_tensor *x, double beta)
{
    return vae_loss(vae_forward((vae *)m, x), x, beta);
}

static vae_code encode(nn_module *m, ag_tensor *x)
{
    return vae_encode((vae *)m, x);
}

static ag_tensor *decode(nn_module *m, ag_tensor *z)
{
    return ag_sigmoid(vae_decode((vae *)m, z));
}

const vae_kind vae_standard = {"standard", "bce", make, loss, false, encode, decode};
