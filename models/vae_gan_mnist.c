/* Trains a VAE-GAN on images of digits and draws what it makes of them. */
#include "models/train/draw.h"
#include "models/train/image_program.h"
#include "models/vae_gan.h"

enum { ENCODER, DISCRIMINATOR, DECODER, OPTIMIZERS };

typedef struct gan_program {
    int64_t         hidden, latent, kl_warmup;
    double          weight, free_bits;
    vae_gan        *model;
    train_optimizer optimizer[OPTIMIZERS];
} gan_program;

/* The encoder's, with the KL term as the options weigh it. */
static ag_tensor *encoder_loss(const gan_program *p, train_step *s, vae_gan_losses l)
{
    const double beta = train_rise(s, p->kl_warmup);
    ag_tensor   *loss = beta < 1 ? ag_add(l.error, ag_scale(l.kld, beta)) : l.encoder;
    if (p->free_bits > 0 && !train_is_test(s))
        loss = ag_add(loss, ag_scale(vae_free_bits(vae_divergence(l.code), p->free_bits), beta));
    return loss;
}

/* Three passes over the same images: encoder, discriminator, decoder. */
static bool step(void *context, train_step *s)
{
    gan_program *p = context;
    train_batch  b;
    if (!train_load(s, &b))
        return false;
    const vae_gan_losses l = vae_gan_encoder_loss(p->model, b.x);
    ag_tensor           *loss = encoder_loss(p, s, l);
    train_report(s, "loss", loss);
    train_report(s, "kld", l.kld);
    train_report(s, "features", l.error);
    if (!train_minimize(s, loss, &p->optimizer[ENCODER]) || !train_load(s, &b))
        return false;
    const vae_gan_verdict v = vae_gan_discriminator_loss(p->model, b.x);
    const double          real = ag_item(v.real), fake = ag_item(v.fake), n = (double)b.n;
    const vae_gan_balance balance = vae_gan_balance_of(real, fake);
    train_report_number(s, "real", real * n);
    train_report_number(s, "fake", fake * n);
    train_report_number(s, "discriminator_steps", balance.discriminator ? n : 0);
    train_report_number(s, "decoder_steps", balance.decoder ? n : 0);
    if (balance.discriminator && !train_minimize(s, v.discriminator, &p->optimizer[DISCRIMINATOR]))
        return false;
    return !balance.decoder || (train_load(s, &b) && train_minimize(s, vae_gan_decoder_loss(p->model, b.x, p->weight),
                                                                    &p->optimizer[DECODER]));
}

static ag_tensor *encode(void *context, const train_batch *b)
{
    return vae_gan_encode(((gan_program *)context)->model, b->x).mu;
}

static ag_tensor *decode(void *context, ag_tensor *z)
{
    return vae_gan_decode(((gan_program *)context)->model, z);
}

static ag_tensor *sample(void *context, ag_tape *tape, int64_t n)
{
    return ag_randn(tape, AG_SHAPE(n, ((gan_program *)context)->latent));
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    return train_draw_reconstructions(m, why) &&
           train_draw_grid(m, "samples.png", "decoded from z drawn from N(0, 1)",
                           decode(context, sample(context, train_image_tape(m), 128)), 16, why) &&
           train_draw_interpolations(m, why);
}

static void defaults(void *context, train_options *o, train_image_use *use)
{
    (void)context, (void)use;
    o->batch = 64;
    o->epochs = 10;
    o->lr = 2e-4;
    o->schedule = "linear";
}

/* Whether some shard of a batch has one image, which batch norm cannot train on. */
static bool leaves_one(int64_t batch, int64_t shards)
{
    return batch > 0 && batch < 2 * (shards > 1 ? shards : 1);
}

static bool batches_fit(const train_images *m, tl_error *why)
{
    const int64_t batch = m->phase.batch, last = m->trained % batch, shards = m->job->options.shards;
    if (m->job->options.load || (!leaves_one(batch, shards) && !leaves_one(last, shards)))
        return true;
    return tl_fail(
        why,
        "--batch %lld: of %lld images a batch or a shard would have only one, on which batch norm cannot be trained",
        (long long)batch, (long long)m->trained);
}

static bool build(void *context, train_images *m, tl_error *why)
{
    if (!batches_fit(m, why))
        return false;
    static const char *const names[] = {"encoder", "discriminator", "decoder"};
    gan_program             *p = context;
    const nn_rmsprop_options rmsprop = nn_rmsprop_defaults(m->job->options.lr);
    m->code = p->latent;
    m->phase.sum_loss = true;
    p->model = vae_gan_new((vae_gan_config){m->height * m->width, p->hidden, p->latent});
    m->job->plan.model = (nn_module *)p->model;
    if (!p->model)
        return tl_fail(why, "out of memory");
    nn_module *const parts[] = {p->model->encoder, p->model->discriminator, p->model->decoder};
    for (int i = 0; i < OPTIMIZERS; i++)
        p->optimizer[i] = (train_optimizer){names[i], parts[i], nn_rmsprop(parts[i], rmsprop)};
    m->job->plan.optimizers = p->optimizer;
    m->job->plan.n_optimizers = OPTIMIZERS;
    return true;
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    (void)context;
    return !job->options.keep_best ||
           tl_fail(why, "--keep-best: losses of a model and its adversary cannot be compared among epochs");
}

int main(int argc, char **argv)
{
    gan_program p = {.hidden = 1024, .latent = 32, .weight = 0.01};
    tl_option   options[] = {
          {"hidden", TL_INT, &p.hidden, 1, 1e5, "N", "units of each hidden layer", false},
          {"latent", TL_INT, &p.latent, 1, 1e5, "N", "numbers in the code", false},
          {"kl-warmup", TL_INT, &p.kl_warmup, 0, 1e9, "N", "steps over which the KL term's weight rises to 1", false},
          {"free-bits", TL_REAL, &p.free_bits, 0, 1e6, "X",
           "nats of KL divergence, for each number of the code, that are not penalised", false},
          {"weight", TL_REAL, &p.weight, 0, 1, "X",
           "of the features' error in the decoder's loss; the adversary has the rest", false},
          TL_OPTIONS_END,
    };
    return train_image_main(
        argc, argv,
        &(train_image_program){
            .name = "vae_gan_mnist",
            .about =
                "Trains a VAE whose decoder is a GAN's generator on images of digits.\n"
                "In metrics.csv, real and fake are the discriminator's cross entropies (0.69: it cannot tell), features\n"
                "is the error of reconstructions as it sees them, and *_steps the share of steps that were made.",
            .options = options,
            .defaults = defaults,
            .check = check,
            .build = build,
            .step = step,
            .draw = draw,
            .encode = encode,
            .decode = decode,
            .sample = sample,
            .context = &p});
}
