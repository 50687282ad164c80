#include "models/couplet_vae.h"

#include "models/vae.h"

/* x + a sigmoid(b), a and b being the halves of a convolution of x; x (N, width, length). */
static ag_tensor *gated(nn_module *conv, ag_tensor *x)
{
    ag_tensor *half[2];
    ag_chunk(nn_forward(conv, x), 2, 1, half);
    return ag_add(x, ag_mul(half[0], ag_sigmoid(half[1])));
}

/* The mean over the positions, of what the convolutions make of the embeddings. */
static ag_tensor *features(couplet_vae *m, ag_tensor *x)
{
    ag_tensor *h = ag_transpose(nn_forward(m->embedding, x), 1, 2); /* (N, width, length) */
    h = gated(m->conv2, gated(m->conv1, h));
    return ag_mean(h, AG_AXES(2), false);
}

ag_tensor *couplet_vae_encode(couplet_vae *m, ag_tensor *x)
{
    return nn_forward(m->mu, features(m, x));
}

ag_tensor *couplet_vae_decode(couplet_vae *m, ag_tensor *z)
{
    ag_tensor *h = ag_reshape(nn_forward(m->expand, z), AG_SHAPE(-1, m->config.length, m->config.width));
    h = ag_transpose(gated(m->conv3, ag_transpose(h, 1, 2)), 1, 2);
    return nn_forward(m->output, h);
}

couplet_vae_output couplet_vae_forward(couplet_vae *m, ag_tensor *x)
{
    ag_tensor *h = features(m, x), *mu = nn_forward(m->mu, h), *logvar = nn_forward(m->logvar, h);
    return (couplet_vae_output){couplet_vae_decode(m, vae_sample(mu, logvar)), mu, logvar};
}

couplet_vae_losses couplet_vae_loss(couplet_vae_output out, ag_tensor *x, double kl_weight)
{
    ag_tensor *logits = ag_flatten(out.logits, 0, 1);
    ag_tensor *reconstruction = ag_cross_entropy_loss(logits, ag_flatten(x, 0, 1), AG_SUM);
    ag_tensor *kld = ag_gaussian_kl_loss(out.mu, out.logvar, AG_SUM);
    return (couplet_vae_losses){ag_add(reconstruction, ag_scale(kld, kl_weight)), reconstruction, kld};
}

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return couplet_vae_forward((couplet_vae *)m, x).logits;
}

static void reset(nn_module *module, ag_rng *rng)
{
    couplet_vae *m = (couplet_vae *)module;
    (void)rng;
    for (int64_t i = 0; m->code_points && i < m->config.characters; i++)
        m->characters->data[i] = (ag_real)m->code_points[i];
}

static const nn_type couplet_vae_type = {
    .name = "CoupletVAE", .size = sizeof(couplet_vae), .forward = forward, .reset = reset};

/* Width 3, "same", two halves. */
static nn_module *gate(int64_t width)
{
    return nn_conv1d((nn_conv_options){.in = width, .out = 2 * width, .kernel = {3}, .padding = {1}, .no_bias = true});
}

couplet_vae *couplet_vae_new(couplet_vae_config c, const uint32_t *code_points)
{
    couplet_vae *m = nn_new(&couplet_vae_type);
    if (!m)
        return NULL;
    m->config = c;
    m->code_points = code_points;
    NN_BUFFER(m, characters, AG_SHAPE(c.characters));
    NN_CHILD(m, embedding, nn_embedding(c.characters, c.width));
    NN_CHILD(m, conv1, gate(c.width));
    NN_CHILD(m, conv2, gate(c.width));
    NN_CHILD(m, mu, nn_linear(c.width, c.latent));
    NN_CHILD(m, logvar, nn_linear(c.width, c.latent));
    NN_CHILD(m, expand, nn_linear(c.latent, c.length * c.width));
    NN_CHILD(m, conv3, gate(c.width));
    NN_CHILD(m, output, nn_linear(c.width, c.characters));
    return m;
}
