#include "models/conv_vae.h"

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return conv_vae_forward((conv_vae *)m, x).logits;
}

static const nn_type conv_vae_type = {.name = "ConvVAE", .size = sizeof(conv_vae), .forward = forward};

conv_vae *conv_vae_new(conv_vae_config c)
{
    conv_vae *m = nn_new(&conv_vae_type);
    if (!m)
        return NULL;
    m->config = c;
    if (c.height % 4 || c.width % 4) {
        NN_CHILD(m, encoder,
                 nn_failed("ConvVAE", "images of %d x %d, expected multiples of 4", (int)c.height, (int)c.width));
        return m;
    }
    int64_t h = c.height / 4, w = c.width / 4, features = c.second * h * w;
    NN_CHILD(m, encoder,
             nn_sequential(nn_conv2d(c.channels, c.first, 4, 2, 1), nn_relu(), nn_conv2d(c.first, c.second, 4, 2, 1),
                           nn_relu(), nn_flatten()));
    NN_CHILD(m, mu, nn_linear(features, c.latent));
    NN_CHILD(m, logvar, nn_linear(features, c.latent));
    NN_CHILD(m, expand, nn_linear(c.latent, features));
    NN_CHILD(m, decoder,
             nn_sequential(nn_unflatten(AG_SHAPE(c.second, h, w)), nn_conv_transpose2d(c.second, c.first, 4, 2, 1),
                           nn_relu(), nn_conv_transpose2d(c.first, c.channels, 4, 2, 1), nn_flatten()));
    return m;
}

ag_tensor *conv_vae_decode(conv_vae *m, ag_tensor *z)
{
    return nn_forward(m->decoder, nn_forward(m->expand, z));
}

vae_code conv_vae_encode(conv_vae *m, ag_tensor *x)
{
    const conv_vae_config *c = &m->config;
    ag_tensor             *h = nn_forward(m->encoder, ag_reshape(x, AG_SHAPE(-1, c->channels, c->height, c->width)));
    ag_tensor             *mu = nn_forward(m->mu, h);
    ag_tensor             *logvar = nn_forward(m->logvar, h);
    return (vae_code){mu, logvar};
}

vae_output conv_vae_forward(conv_vae *m, ag_tensor *x)
{
    vae_code code = conv_vae_encode(m, x);
    return (vae_output){conv_vae_decode(m, vae_sample(code.mu, code.logvar)), code.mu, code.logvar};
}

/* ---- As a variant. ---- */

static nn_module *make(int64_t height, int64_t width, const int64_t *size)
{
    return (nn_module *)conv_vae_new((conv_vae_config){1, height, width, size[0], size[1], size[2]});
}

static vae_losses loss(nn_module *m, ag_tensor *x, double beta)
{
    return vae_loss(conv_vae_forward((conv_vae *)m, x), x, beta);
}

static vae_code encode(nn_module *m, ag_tensor *x)
{
    return conv_vae_encode((conv_vae *)m, x);
}

static ag_tensor *decode(nn_module *m, ag_tensor *z)
{
    return ag_sigmoid(conv_vae_decode((conv_vae *)m, z));
}

const vae_kind vae_conv = {"conv", "bce", make, loss, false, encode, decode};
