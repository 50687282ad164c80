#include "models/stacked_ae.h"

/* A sigmoid layer; as an autoencoder, its weights go back transposed. */
typedef struct denoising_layer {
    nn_module  base;
    nn_module *linear;
    ag_tensor *visible_bias;
} denoising_layer;

static ag_tensor *encode(nn_module *m, ag_tensor *x)
{
    return ag_sigmoid(nn_forward(((denoising_layer *)m)->linear, x));
}

static void reset_layer(nn_module *m, ag_rng *rng)
{
    denoising_layer *l = (denoising_layer *)m;
    nn_init_xavier_uniform(nn_parameter_named(l->linear, "weight"), 4, rng);
    nn_init_constant(nn_parameter_named(l->linear, "bias"), 0);
    nn_init_constant(l->visible_bias, 0);
}

static const nn_type layer_type = {
    .name = "DenoisingLayer", .size = sizeof(denoising_layer), .forward = encode, .reset = reset_layer};

static nn_module *denoising_layer_new(int64_t in, int64_t out)
{
    denoising_layer *l = nn_new(&layer_type);
    if (!l)
        return nn_failed("DenoisingLayer", "out of memory");
    NN_CHILD(l, linear, nn_linear(in, out));
    NN_PARAMETER(l, visible_bias, AG_SHAPE(in));
    return &l->base;
}

ag_tensor *stacked_ae_encode(stacked_ae *m, ag_tensor *x, int layers)
{
    for (int i = 0; i < layers; i++)
        x = nn_forward(nn_child_at(m->layers, i), x);
    return x;
}

ag_tensor *stacked_ae_forward(stacked_ae *m, ag_tensor *x)
{
    return nn_forward(m->output, stacked_ae_encode(m, x, m->config.layers));
}

ag_tensor *stacked_ae_layer_loss(stacked_ae *m, ag_tensor *x, int layer)
{
    denoising_layer *l = (denoising_layer *)nn_child_at(m->layers, layer);
    if (layer < 0 || !l)
        return ag_fail(x->tape, "stacked autoencoder: layer %d, expected 0 to %d", layer, m->config.layers - 1);
    ag_tensor *input = ag_detach(stacked_ae_encode(m, x, layer));
    ag_tensor *kept = ag_bernoulli_like(input, 1 - m->config.corruption[layer]);
    ag_tensor *code = encode(&l->base, ag_mul(input, kept));
    ag_tensor *logits = ag_add(ag_matmul(code, nn_parameter_named(l->linear, "weight")), l->visible_bias);
    return ag_scale(ag_bce_with_logits_loss(logits, input, AG_SUM), 1.0 / (double)x->shape.dim[0]);
}

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return stacked_ae_forward((stacked_ae *)m, x);
}

static void reset(nn_module *m, ag_rng *rng)
{
    stacked_ae *s = (stacked_ae *)m;
    (void)rng;
    nn_init_constant(nn_parameter_named(s->output, "weight"), 0);
    nn_init_constant(nn_parameter_named(s->output, "bias"), 0);
}

static const nn_type stacked_ae_type = {
    .name = "StackedAE", .size = sizeof(stacked_ae), .forward = forward, .reset = reset};

stacked_ae *stacked_ae_new(const stacked_ae_config *c)
{
    stacked_ae *m = nn_new(&stacked_ae_type);
    if (!m)
        return NULL;
    m->config = *c;
    NN_CHILD(m, layers, nn_module_list_of(0, NULL));
    if (c->layers < 1 || c->layers > STACKED_AE_MOST) {
        NN_CHILD(m, output, nn_failed("StackedAE", "%d layers, expected 1 to %d", c->layers, STACKED_AE_MOST));
        return m;
    }
    for (int i = 0; i < c->layers; i++)
        nn_append(m->layers, denoising_layer_new(i ? c->width[i - 1] : c->input, c->width[i]));
    NN_CHILD(m, output, nn_linear(c->width[c->layers - 1], c->classes));
    return m;
}
