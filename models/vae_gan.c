#include "models/vae_gan.h"

typedef struct encoder_part {
    nn_module  base;
    nn_module *body, *mu, *logvar;
} encoder_part;

typedef struct discriminator_part {
    nn_module  base;
    nn_module *features, *verdict;
} discriminator_part;

vae_code vae_gan_encode(vae_gan *m, ag_tensor *x)
{
    ag_tensor *h = nn_forward(m->body, x);
    ag_tensor *mu = nn_forward(m->mu, h);
    return (vae_code){mu, nn_forward(m->logvar, h)};
}

ag_tensor *vae_gan_decode(vae_gan *m, ag_tensor *z)
{
    return ag_sigmoid(nn_forward(m->decoder, z));
}

/* Half the squared distance between what the discriminator sees in images and in their reconstructions, which are the
 * first and the second of three parts of the rows of features (3N, hidden). */
static ag_tensor *feature_error(ag_tensor *features, int64_t n)
{
    ag_tensor *of_x = ag_slice(features, 0, 0, n), *of_made = ag_slice(features, 0, n, 2 * n);
    return ag_scale(ag_mse_loss(of_made, of_x, AG_SUM), 0.5);
}

/* Reconstructions from codes z (N, latent), and as many samples: (2N, input). One batch in every pass, so that the
 * averages of the decoder's batch norm are of both. */
static ag_tensor *make_images(vae_gan *m, ag_tensor *z)
{
    ag_tensor *prior = ag_randn_like(z);
    return vae_gan_decode(m, ag_concat(2, (ag_tensor *[]){z, prior}, 0));
}

vae_gan_losses vae_gan_encoder_loss(vae_gan *m, ag_tensor *x)
{
    const int64_t  n = x->shape.dim[0];
    const vae_code code = vae_gan_encode(m, x);
    ag_tensor     *made = make_images(m, vae_sample(code.mu, code.logvar));
    ag_tensor     *features = nn_forward(m->features, ag_concat(2, (ag_tensor *[]){x, made}, 0));
    ag_tensor     *kld = ag_gaussian_kl_loss(code.mu, code.logvar, AG_SUM);
    ag_tensor     *error = feature_error(features, n);
    return (vae_gan_losses){ag_add(kld, error), kld, error, code};
}

/* Real images, their reconstructions, and as many samples: (3N, input). No gradient reaches the encoder. */
static ag_tensor *real_and_made(vae_gan *m, ag_tensor *x)
{
    const vae_code code = vae_gan_encode(m, x);
    ag_tensor     *made = make_images(m, ag_detach(vae_sample(code.mu, code.logvar)));
    return ag_concat(2, (ag_tensor *[]){x, made}, 0);
}

/* The binary cross entropy of rows begin .. end-1 of logits against one answer, summed. */
static ag_tensor *answer_loss(ag_tensor *logits, int64_t begin, int64_t end, double answer)
{
    ag_tensor *part = ag_slice(logits, 0, begin, end);
    return ag_bce_with_logits_loss(part, ag_full(part->tape, part->shape, answer), AG_SUM);
}

vae_gan_verdict vae_gan_discriminator_loss(vae_gan *m, ag_tensor *x)
{
    const int64_t n = x->shape.dim[0];
    ag_tensor    *logits = nn_forward(m->verdict, nn_forward(m->features, ag_detach(real_and_made(m, x))));
    ag_tensor    *real = answer_loss(logits, 0, n, 1), *fake = answer_loss(logits, n, 3 * n, 0);
    return (vae_gan_verdict){ag_add(ag_scale(real, 0.5), ag_scale(fake, 0.25)), ag_scale(real, 1.0 / (double)n),
                             ag_scale(fake, 0.5 / (double)n)};
}

ag_tensor *vae_gan_decoder_loss(vae_gan *m, ag_tensor *x, double weight)
{
    const int64_t n = x->shape.dim[0];
    ag_tensor    *features = nn_forward(m->features, real_and_made(m, x));
    ag_tensor    *taken = answer_loss(nn_forward(m->verdict, features), n, 3 * n, 1);
    return ag_add(ag_scale(feature_error(features, n), weight), ag_scale(taken, 1 - weight));
}

vae_gan_balance vae_gan_balance_of(double real, double fake)
{
    const double equilibrium = 0.68, margin = 0.35, cost = (real + fake) / 2;
    return (vae_gan_balance){cost >= equilibrium - margin, cost <= equilibrium + margin};
}

/* ---- Making it. ---- */

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return vae_gan_decode((vae_gan *)m, vae_gan_encode((vae_gan *)m, x).mu);
}

static const nn_type encoder_type = {.name = "Encoder", .size = sizeof(encoder_part)};
static const nn_type discriminator_type = {.name = "Discriminator", .size = sizeof(discriminator_part)};
static const nn_type vae_gan_type = {.name = "VAEGAN", .size = sizeof(vae_gan), .forward = forward};

static nn_module *blocks(int64_t in, int64_t hidden)
{
    return nn_sequential(nn_linear(in, hidden), nn_batch_norm1d(hidden), nn_relu(), nn_linear(hidden, hidden),
                         nn_batch_norm1d(hidden), nn_relu());
}

vae_gan *vae_gan_new(vae_gan_config c)
{
    vae_gan            *m = nn_new(&vae_gan_type);
    encoder_part       *e = nn_new(&encoder_type);
    discriminator_part *d = nn_new(&discriminator_type);
    if (!m || !e || !d) {
        nn_module_free((nn_module *)m);
        nn_module_free((nn_module *)e);
        nn_module_free((nn_module *)d);
        return NULL;
    }
    m->config = c;
    m->body = NN_CHILD(e, body, blocks(c.input, c.hidden));
    m->mu = NN_CHILD(e, mu, nn_linear(c.hidden, c.latent));
    m->logvar = NN_CHILD(e, logvar, nn_linear(c.hidden, c.latent));
    m->features = NN_CHILD(d, features, blocks(c.input, c.hidden));
    m->verdict = NN_CHILD(d, verdict, nn_linear(c.hidden, 1));
    NN_CHILD(m, encoder, &e->base);
    NN_CHILD(m, decoder, nn_sequential(blocks(c.latent, c.hidden), nn_linear(c.hidden, c.input)));
    NN_CHILD(m, discriminator, &d->base);
    return m;
}
