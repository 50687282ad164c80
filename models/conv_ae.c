#include "models/conv_ae.h"

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return conv_ae_forward((conv_ae *)m, x);
}

static const nn_type conv_ae_type = {.name = "ConvAutoencoder", .size = sizeof(conv_ae), .forward = forward};

int64_t conv_ae_code_side(int64_t side)
{
    int64_t pooled = ((side - 1) / 3 + 1) / 2; /* convolution with stride 3, pool of 2 */
    return (pooled - 1) / 2;                   /* convolution with stride 2, pool of 2 with stride 1 */
}

/* The side of the picture before the last layer, from the side of the image: 15 for 28. */
static int64_t last_input(int64_t side)
{
    return ((conv_ae_code_side(side) - 1) * 2 + 3 - 1) * 3 - 2 + 5;
}

/* The last layer doubles the picture; its kernel, with padding 1, makes up what is left to the image's size: 2 for 28.
 */
static nn_module *last_layer(const conv_ae_config *c)
{
    nn_conv_options o = {.in = c->second, .out = c->channels, .stride = {2, 2}, .padding = {1, 1}};
    o.kernel[0] = c->height - (last_input(c->height) - 1) * 2 + 2;
    o.kernel[1] = c->width - (last_input(c->width) - 1) * 2 + 2;
    return nn_conv_transpose2d_with(o);
}

conv_ae *conv_ae_new(conv_ae_config c)
{
    conv_ae *m = nn_new(&conv_ae_type);
    if (!m)
        return NULL;
    m->config = c;
    if (conv_ae_code_side(c.height) < 1 || conv_ae_code_side(c.width) < 1) {
        NN_CHILD(m, encoder,
                 nn_failed("ConvAutoencoder", "images of %lld x %lld, expected at least 16 x 16", (long long)c.height,
                           (long long)c.width));
        return m;
    }
    NN_CHILD(m, encoder,
             nn_sequential(nn_conv2d(c.channels, c.first, 3, 3, 1), nn_relu(), nn_max_pool2d(2, 2),
                           nn_conv2d(c.first, c.second, 3, 2, 1), nn_relu(), nn_max_pool2d(2, 1)));
    NN_CHILD(m, decoder,
             nn_sequential(nn_conv_transpose2d(c.second, c.first, 3, 2, 0), nn_relu(),
                           nn_conv_transpose2d(c.first, c.second, 5, 3, 1), nn_relu(), last_layer(&c), nn_tanh()));
    return m;
}

ag_tensor *conv_ae_encode(conv_ae *m, ag_tensor *x)
{
    const conv_ae_config *c = &m->config;
    return nn_forward(m->encoder, ag_reshape(x, AG_SHAPE(-1, c->channels, c->height, c->width)));
}

ag_tensor *conv_ae_decode(conv_ae *m, ag_tensor *code)
{
    int64_t height = conv_ae_code_side(m->config.height), width = conv_ae_code_side(m->config.width);
    return ag_flatten(nn_forward(m->decoder, ag_reshape(code, AG_SHAPE(-1, m->config.second, height, width))), 1, -1);
}

ag_tensor *conv_ae_forward(conv_ae *m, ag_tensor *x)
{
    return conv_ae_decode(m, conv_ae_encode(m, x));
}
