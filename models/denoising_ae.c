#include "models/denoising_ae.h"

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return denoising_ae_forward((denoising_ae *)m, x);
}

static int64_t pixels(const denoising_ae_config *c)
{
    return c->channels * c->height * c->width;
}

/* The tutorial's: Xavier-uniform weights of the first layer, all else zero. */
static void make_shallow(denoising_ae *m, int64_t size)
{
    NN_CHILD(m, encoder, nn_sequential(nn_linear(size, m->config.latent), nn_softplus()));
    NN_CHILD(m, decoder, nn_sequential(nn_linear(m->config.latent, size)));
}

static void make_deep(denoising_ae *m, int64_t size)
{
    const denoising_ae_config *c = &m->config;
    NN_CHILD(m, encoder,
             nn_sequential(nn_linear(size, c->hidden), nn_relu(), nn_linear(c->hidden, c->latent), nn_relu()));
    NN_CHILD(m, decoder,
             nn_sequential(nn_linear(c->latent, c->hidden), nn_relu(), nn_linear(c->hidden, size), nn_sigmoid()));
}

static void make_conv(denoising_ae *m)
{
    const denoising_ae_config *c = &m->config;
    int64_t                    h = c->height / 4, w = c->width / 4, features = 32 * h * w;
    if (c->height % 4 || c->width % 4) {
        NN_CHILD(m, encoder,
                 nn_failed("DenoisingAutoencoder", "images of %d x %d, expected multiples of 4", (int)c->height,
                           (int)c->width));
        return;
    }
    NN_CHILD(m, encoder,
             nn_sequential(nn_unflatten(AG_SHAPE(c->channels, c->height, c->width)),
                           nn_conv2d(c->channels, 16, 4, 2, 1), nn_relu(), nn_conv2d(16, 32, 4, 2, 1), nn_relu(),
                           nn_flatten(), nn_linear(features, c->latent)));
    NN_CHILD(m, decoder,
             nn_sequential(nn_linear(c->latent, features), nn_relu(), nn_unflatten(AG_SHAPE(32, h, w)),
                           nn_conv_transpose2d(32, 16, 4, 2, 1), nn_relu(),
                           nn_conv_transpose2d(16, c->channels, 4, 2, 1), nn_flatten(), nn_sigmoid()));
}

static bool set_zero(void *context, const char *name, nn_parameter *p)
{
    (void)context, (void)name;
    return nn_init_constant(p->tensor, 0);
}

static void reset(nn_module *m, ag_rng *rng)
{
    const denoising_ae_config *c = &((denoising_ae *)m)->config;
    if (c->conv || c->hidden > 0)
        return;
    nn_visit(m, set_zero, NULL);
    nn_init_xavier_uniform(nn_parameter_named(m, "encoder.0.weight"), 1, &(ag_rng){rng->seed, 0});
}

static const nn_type denoising_ae_type = {
    .name = "DenoisingAutoencoder", .size = sizeof(denoising_ae), .forward = forward, .reset = reset};

denoising_ae *denoising_ae_new(denoising_ae_config c)
{
    denoising_ae *m = nn_new(&denoising_ae_type);
    if (!m)
        return NULL;
    m->config = c;
    if (c.conv)
        make_conv(m);
    else if (c.hidden > 0)
        make_deep(m, pixels(&c));
    else
        make_shallow(m, pixels(&c));
    return m;
}

ag_tensor *denoising_ae_corrupt(denoising_ae *m, ag_tensor *x)
{
    double level = m->config.level;
    switch (m->config.noise) {
    case DENOISING_VECTOR: return ag_add(x, ag_scale(ag_randn(x->tape, AG_SHAPE(pixels(&m->config))), level));
    case DENOISING_GAUSSIAN: return ag_add(x, ag_scale(ag_randn_like(x), level));
    case DENOISING_MASKING: return ag_mul(x, ag_bernoulli_like(x, 1 - level));
    default: { /* x (1 - hit) + hit * (0 or 1) */
        ag_tensor *hit = ag_bernoulli_like(x, level);
        ag_tensor *salt = ag_bernoulli_like(x, 0.5);
        return ag_add(ag_sub(x, ag_mul(x, hit)), ag_mul(hit, salt));
    }
    }
}

ag_tensor *denoising_ae_encode(denoising_ae *m, ag_tensor *x)
{
    return nn_forward(m->encoder, x);
}

ag_tensor *denoising_ae_decode(denoising_ae *m, ag_tensor *code)
{
    return nn_forward(m->decoder, code);
}

ag_tensor *denoising_ae_forward(denoising_ae *m, ag_tensor *x)
{
    return denoising_ae_decode(m, denoising_ae_encode(m, x));
}

ag_tensor *denoising_ae_loss(denoising_ae *m, ag_tensor *x)
{
    ag_tensor *r = denoising_ae_forward(m, denoising_ae_corrupt(m, x));
    return ag_scale(ag_mse_loss(r, x, AG_SUM), 0.5);
}
