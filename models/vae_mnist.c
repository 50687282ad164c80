/* Trains a variational autoencoder and draws what it has learnt. */
#include <string.h>

#include "models/chunked_vae.h"
#include "models/conv_vae.h"
#include "models/recipes.h"
#include "models/train/draw.h"
#include "models/train/image_program.h"
#include "models/train/kl_parts.h"

static const vae_kind *const kinds[] = {&vae_standard, &vae_chunked, &vae_conv};

typedef struct vae_program {
    const char     *variant;
    int64_t         hidden, latent, kl_warmup;
    double          beta, free_bits;
    bool            interpolate;
    const vae_kind *kind;
    nn_module      *model;
    train_optimizer adam;
} vae_program;

static bool step(void *context, train_step *s)
{
    vae_program *p = context;
    train_batch  b;
    if (!train_load(s, &b))
        return false;
    const double beta = p->beta * train_rise(s, p->kl_warmup);
    vae_losses   l = p->kind->loss(p->model, b.x, beta);
    if (p->free_bits > 0 && !train_is_test(s))
        l.total = ag_add(l.total, ag_scale(vae_free_bits(vae_divergence(l.code), p->free_bits), beta));
    const double sums = p->kind->is_mean ? (double)b.n : 1;
    train_report(s, "loss", ag_scale(ag_detach(l.total), sums));
    train_report(s, p->kind->reconstruction, ag_scale(ag_detach(l.bce), sums));
    train_report(s, "kld", ag_scale(ag_detach(l.kld), sums));
    return train_minimize(s, l.total, &p->adam);
}

static ag_tensor *encode(void *context, const train_batch *b)
{
    vae_program *p = context;
    return p->kind->encode(p->model, b->x).mu;
}

static ag_tensor *divergence(void *context, const train_batch *b)
{
    vae_program *p = context;
    return vae_divergence(p->kind->encode(p->model, b->x));
}

static ag_tensor *decode(void *context, ag_tensor *z)
{
    vae_program *p = context;
    return p->kind->decode(p->model, z);
}

static ag_tensor *sample(void *context, ag_tape *tape, int64_t n)
{
    return ag_randn(tape, AG_SHAPE(n, ((vae_program *)context)->latent));
}

static void posterior(void *context, ag_tensor *x, ag_tensor **mu, ag_tensor **logvar)
{
    vae_program *p = context;
    vae_code     code = p->kind->encode(p->model, x);
    *mu = code.mu;
    *logvar = code.logvar;
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    vae_program *p = context;
    return train_draw_reconstructions(m, why) &&
           train_draw_grid(m, "samples.png", "decoded from z drawn from N(0, 1)",
                           decode(p, sample(p, train_image_tape(m), 128)), 16, why) &&
           train_draw_traversals(m, why) && train_draw_kl_parts(m, posterior, p, why) &&
           (p->latent != 2 || train_draw_manifold(m, why)) && (!p->interpolate || train_draw_interpolations(m, why));
}

/* ---- Options and model. ---- */

static const char *variant(void *context)
{
    const vae_program *p = context;
    return p->kind == &vae_standard ? NULL : p->variant;
}

static void defaults(void *context, train_options *o, train_image_use *use)
{
    vae_program *p = context;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i]->name, p->variant))
            p->kind = kinds[i];
    const recipe *r = recipe_named("vae_mnist", p->kind->name);
    recipe_defaults(r, o, use);
    p->hidden = r->size[1];
    p->latent = r->size[recipe_sizes(r) - 1];
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    const vae_program *p = context;
    if (p->free_bits > 0 && p->kind->is_mean)
        return tl_fail(why, "--free-bits: not with the %s variant, whose divergence is no sum of nats", p->variant);
    return p->kind == &vae_standard || !train_given(job, "hidden") ||
           tl_fail(why, "--hidden: the %s variant has no such layers; only the standard one has", p->variant);
}

static bool build(void *context, train_images *m, tl_error *why)
{
    vae_program  *p = context;
    const recipe *r = recipe_named("vae_mnist", p->kind->name);
    int64_t       size[RECIPE_SIZES];
    (void)why;
    memcpy(size, r->size, sizeof size);
    size[1] = p->hidden;
    m->phase.sum_loss = !p->kind->is_mean;
    size[recipe_sizes(r) - 1] = m->code = p->latent;
    p->model = p->kind->make(m->height, m->width, size + 1);
    train_set_model(m->job, p->model, &p->adam, "adam", nn_adam(p->model, nn_adam_defaults(m->job->options.lr)));
    return true;
}

int main(int argc, char **argv)
{
    vae_program p = {.variant = "standard", .kind = &vae_standard, .beta = 1};
    tl_option   options[] = {
          {"variant", TL_TEXT, &p.variant, 0, 0, "standard|chunked|conv", "the model", false},
          {"hidden", TL_INT, &p.hidden, 1, 1e6, "N", "units of the standard variant's hidden layers", false},
          {"latent", TL_INT, &p.latent, 1, 1e6, "N", "numbers in the code; 2 draws the latent plane too", false},
          {"beta", TL_REAL, &p.beta, 0, 1e6, "X", "weight of the KL term", false},
          {"kl-warmup", TL_INT, &p.kl_warmup, 0, 1e9, "N", "steps over which the KL term's weight rises to --beta",
           false},
          {"free-bits", TL_REAL, &p.free_bits, 0, 1e6, "X",
           "nats of KL divergence, for each number of the code, that are not penalised", false},
          {"interpolate", TL_FLAG, &p.interpolate, 0, 0, NULL, "draw straight lines between test digits", false},
          TL_OPTIONS_END,
    };
    return train_image_main(
        argc, argv,
        &(train_image_program){
            .name = "vae_mnist",
            .about =
                "Trains a variational autoencoder on images of digits and draws reconstructions and samples.\n"
                "metrics.csv has the loss and its parts: the error of the reconstruction (bce or mse), and kld before --beta;\n"
                "kl.csv what the latter is made of.",
            .options = options,
            .variant = variant,
            .defaults = defaults,
            .check = check,
            .build = build,
            .step = step,
            .draw = draw,
            .encode = encode,
            .divergence = divergence,
            .decode = decode,
            .edits = true,
            .sample = sample,
            .context = &p});
}
