#include "models/vq_vae.h"

#include <math.h>

int64_t vq_vae_places(const vq_vae *m)
{
    return m->config.height / 4 * (m->config.width / 4);
}

static codebook *book(vq_vae *m)
{
    return (codebook *)m->codebook;
}

/* (N, pixels) to (M, size): a row for each place of the grid. */
static ag_tensor *features(vq_vae *m, ag_tensor *x)
{
    const vq_vae_config *c = &m->config;
    ag_tensor           *h = nn_forward(m->encoder, ag_reshape(x, AG_SHAPE(-1, 1, c->height, c->width)));
    return ag_reshape(ag_permute(h, AG_AXES(0, 2, 3, 1)), AG_SHAPE(-1, c->size));
}

static ag_tensor *image(vq_vae *m, ag_tensor *vectors)
{
    const vq_vae_config *c = &m->config;
    ag_tensor           *grid = ag_reshape(vectors, AG_SHAPE(-1, c->height / 4, c->width / 4, c->size));
    return nn_forward(m->decoder, ag_permute(grid, AG_AXES(0, 3, 1, 2)));
}

vq_vae_output vq_vae_forward(vq_vae *m, ag_tensor *x)
{
    ag_tensor *z = features(m, x);
    ag_tensor *index = codebook_nearest(book(m), z);
    ag_tensor *quantised = codebook_lookup(book(m), index);
    ag_tensor *straight_through = ag_add(z, ag_detach(ag_sub(quantised, z)));
    return (vq_vae_output){image(m, straight_through), z, quantised, index};
}

ag_tensor *vq_vae_encode(vq_vae *m, ag_tensor *x)
{
    return ag_reshape(codebook_nearest(book(m), features(m, x)), AG_SHAPE(-1, vq_vae_places(m)));
}

ag_tensor *vq_vae_decode(vq_vae *m, ag_tensor *index)
{
    return image(m, codebook_lookup(book(m), index));
}

vq_vae_losses vq_vae_loss(vq_vae *m, vq_vae_output o, ag_tensor *x, double variance, double beta)
{
    vq_vae_losses l = {0};
    l.error = ag_scale(ag_mse_loss(o.reconstruction, x, AG_MEAN), 1 / variance);
    l.commitment = ag_scale(ag_mse_loss(o.z, ag_detach(o.quantised), AG_MEAN), beta);
    l.total = ag_add(l.error, l.commitment);
    if (!m->config.averages) {
        l.codebook = ag_mse_loss(o.quantised, ag_detach(o.z), AG_MEAN);
        l.total = ag_add(l.total, l.codebook);
    }
    return l;
}

double vq_vae_perplexity(const ag_tensor *index, int64_t vectors)
{
    const int64_t n = ag_numel(&index->shape);
    double        entropy = 0;
    for (int64_t v = 0; v < vectors; v++) {
        int64_t taken = 0;
        for (int64_t i = 0; i < n; i++)
            taken += (int64_t)index->data[i] == v;
        if (taken > 0)
            entropy -= (double)taken / (double)n * log((double)taken / (double)n);
    }
    return exp(entropy);
}

/* ---- The module. ---- */

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return vq_vae_forward((vq_vae *)m, x).reconstruction;
}

static const nn_type vq_vae_type = {.name = "VQVAE", .size = sizeof(vq_vae), .forward = forward};

vq_vae *vq_vae_new(vq_vae_config c)
{
    vq_vae *m = nn_new(&vq_vae_type);
    if (!m)
        return NULL;
    m->config = c;
    if (c.height < 4 || c.height % 4 || c.width < 4 || c.width % 4) {
        NN_CHILD(m, encoder,
                 nn_failed("VQVAE", "images of %lld x %lld, expected multiples of 4", (long long)c.height,
                           (long long)c.width));
        return m;
    }
    NN_CHILD(m, encoder,
             nn_sequential(nn_conv2d(1, c.first, 4, 2, 1), nn_relu(), nn_conv2d(c.first, c.second, 4, 2, 1), nn_relu(),
                           nn_conv2d(c.second, c.size, 1, 1, 0)));
    NN_CHILD(m, codebook, codebook_new(c.vectors, c.size, c.averages));
    NN_CHILD(m, decoder,
             nn_sequential(nn_conv2d(c.size, c.second, 3, 1, 1), nn_relu(),
                           nn_conv_transpose2d(c.second, c.first, 4, 2, 1), nn_relu(),
                           nn_conv_transpose2d(c.first, 1, 4, 2, 1), nn_flatten()));
    return m;
}
