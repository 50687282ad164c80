#include "models/chunked_vae.h"

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return chunked_vae_forward((chunked_vae *)m, x).reconstruction;
}

static const nn_type chunked_vae_type = {.name = "ChunkedVAE", .size = sizeof(chunked_vae), .forward = forward};

chunked_vae *chunked_vae_new(chunked_vae_config c)
{
    chunked_vae *m = nn_new(&chunked_vae_type);
    if (!m)
        return NULL;
    m->config = c;
    NN_CHILD(m, encoder,
             nn_sequential(nn_linear(c.input, c.first), nn_relu(), nn_linear(c.first, c.second), nn_relu(),
                           nn_linear(c.second, 2 * c.latent), nn_relu()));
    NN_CHILD(m, decoder,
             nn_sequential(nn_linear(c.latent, c.second), nn_relu(), nn_linear(c.second, c.first), nn_relu(),
                           nn_linear(c.first, c.input), nn_sigmoid()));
    return m;
}

ag_tensor *chunked_vae_decode(chunked_vae *m, ag_tensor *z)
{
    return nn_forward(m->decoder, z);
}

chunked_vae_output chunked_vae_forward(chunked_vae *m, ag_tensor *x)
{
    ag_tensor *half[2];
    ag_chunk(nn_forward(m->encoder, x), 2, 1, half);
    ag_tensor *mu = half[0], *sigma = half[1];
    ag_tensor *z = ag_add(mu, ag_mul(sigma, ag_randn_like(mu)));
    return (chunked_vae_output){chunked_vae_decode(m, z), mu, sigma};
}

chunked_vae_losses chunked_vae_loss(chunked_vae_output out, ag_tensor *x, double beta)
{
    ag_tensor *variance = ag_square(out.sigma);
    ag_tensor *excess = ag_sub(ag_add(ag_square(out.mu), variance), ag_shift(ag_log(ag_shift(variance, 1e-8)), 1));
    ag_tensor *kld = ag_scale(ag_sum(excess, AG_ALL, false), 0.5 / (double)ag_numel(&x->shape));
    ag_tensor *mse = ag_mse_loss(out.reconstruction, x, AG_MEAN);
    return (chunked_vae_losses){ag_add(mse, ag_scale(kld, beta)), mse, kld};
}

/* ---- As a variant. ---- */

static nn_module *make(int64_t height, int64_t width, const int64_t *size)
{
    return (nn_module *)chunked_vae_new((chunked_vae_config){height * width, size[0], size[1], size[2]});
}

static vae_losses loss(nn_module *m, ag_tensor *x, double beta)
{
    chunked_vae_losses l = chunked_vae_loss(chunked_vae_forward((chunked_vae *)m, x), x, beta);
    return (vae_losses){l.total, l.mse, l.kld, {NULL, NULL}};
}

static vae_code encode(nn_module *m, ag_tensor *x)
{
    ag_tensor *half[2];
    ag_chunk(nn_forward(((chunked_vae *)m)->encoder, x), 2, 1, half);
    return (vae_code){half[0], ag_log(ag_shift(ag_square(half[1]), 1e-8))};
}

static ag_tensor *decode(nn_module *m, ag_tensor *z)
{
    return chunked_vae_decode((chunked_vae *)m, z);
}

const vae_kind vae_chunked = {"chunked", "mse", make, loss, true, encode, decode};
