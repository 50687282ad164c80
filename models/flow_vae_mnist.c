/* Trains variational autoencoders of binary images and estimates how likely they make the test images: the recipes of
 * the tables for fixed-binarised MNIST (models/README.md). */
#include <math.h>
#include <string.h>

#include "models/flow_vae.h"
#include "models/train/draw.h"
#include "models/train/image_program.h"
#include "models/train/likelihood.h"
#include "models/vae.h"

enum { PHASES = 3 };

/* `epochs` are those of the phases; each next one has 10^(-1/5) times the rate of the one before. */
typedef struct flow_recipe {
    const char *name;
    int64_t     hidden, layers, latent, flows, batch, epochs[PHASES];
    double      lr;
    bool        adam;   /* else centred RMSprop */
    bool        planar; /* flows */
} flow_recipe;

static const flow_recipe recipes[] = {
    {"vae", 400, 1, 40, 0, 100, {200, 150, 150}, 1e-4, true, false},
    {"planar", 400, 1, 40, 10, 100, {200, 150, 150}, 1e-4, true, true},
    {"mean-field", 256, 2, 128, 0, 128, {166, 0, 0}, 1e-3, false, false}, /* 65,000 steps of 50,000 images */
    {"iaf", 256, 2, 128, 2, 128, {383, 0, 0}, 1e-3, false, false},        /* 150,000 */
};

typedef struct flow_program {
    const char     *recipe;
    int64_t         hidden, layers, latent, flows, kl_warmup, nll;
    double          free_bits;
    train_phase     phase[PHASES];
    flow_vae       *model;
    train_optimizer optimizer;
} flow_program;

/* One of them: the option's table lets no other name through. */
static const flow_recipe *recipe_named(const char *name)
{
    size_t i = 0;
    while (i + 1 < sizeof recipes / sizeof *recipes && strcmp(recipes[i].name, name))
        i++;
    return &recipes[i];
}

static int64_t all_epochs(const flow_recipe *r)
{
    return r->epochs[0] + r->epochs[1] + r->epochs[2];
}

static bool step(void *context, train_step *s)
{
    flow_program *p = context;
    train_batch   b;
    if (!train_load(s, &b))
        return false;
    const double    beta = train_rise(s, p->kl_warmup);
    flow_vae_losses l = flow_vae_loss(p->model, train_binarise(b.x), beta);
    if (p->free_bits > 0 && !train_is_test(s))
        l.total = ag_add(l.total, ag_scale(vae_free_bits(l.divergence, p->free_bits), beta / (double)b.n));
    train_report(s, "loss", ag_scale(ag_detach(l.total), (double)b.n));
    train_report(s, "kld", ag_sum(ag_detach(l.divergence), AG_ALL, false));
    return train_minimize(s, l.total, &p->optimizer);
}

/* ---- Codes and pictures. ---- */

static ag_tensor *encode(void *context, const train_batch *b)
{
    flow_vae     *m = ((flow_program *)context)->model;
    flow_vae_code q = flow_vae_encode(m, b->x);
    return flow_vae_carry(m, q.mu, q.context, NULL);
}

static ag_tensor *decode(void *context, ag_tensor *z)
{
    return ag_sigmoid(flow_vae_decode(((flow_program *)context)->model, z));
}

static ag_tensor *sample(void *context, ag_tape *tape, int64_t n)
{
    return ag_randn(tape, AG_SHAPE(n, ((flow_program *)context)->latent));
}

static ag_tensor *log_weights(void *context, ag_tensor *x, int64_t k)
{
    return flow_vae_log_weights(((flow_program *)context)->model, x, k);
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    flow_program *p = context;
    return train_draw_reconstructions(m, why) &&
           train_draw_grid(m, "samples.png", "decoded from z drawn from N(0, 1)",
                           decode(p, sample(p, train_image_tape(m), 128)), 16, why);
}

static bool finish(void *context, train_images *m, tl_error *why)
{
    flow_program *p = context;
    return p->nll == 0 || train_estimate_likelihood(m, p->nll, log_weights, p, why);
}

/* ---- Options and model. ---- */

static const char *variant(void *context)
{
    return ((flow_program *)context)->recipe;
}

static void defaults(void *context, train_options *o, train_image_use *use)
{
    flow_program      *p = context;
    const flow_recipe *r = recipe_named(p->recipe);
    (void)use;
    p->hidden = r->hidden;
    p->layers = r->layers;
    p->latent = r->latent;
    p->flows = r->flows;
    o->batch = r->batch;
    o->lr = r->lr;
    o->epochs = all_epochs(r);
}

/* The recipe's phases; a run of another length has one, at the first rate. */
static void set_phases(flow_program *p, train_images *m)
{
    static const char *const names[PHASES] = {"first rate", "second rate", "third rate"};
    const flow_recipe       *r = recipe_named(p->recipe);
    if (m->job->options.epochs != all_epochs(r) || m->job->options.steps > 0)
        return;
    m->job->plan.phases = p->phase;
    for (int i = 0; i < PHASES && r->epochs[i] > 0; i++) {
        p->phase[i] = m->phase;
        p->phase[i].name = names[i];
        p->phase[i].epochs = r->epochs[i];
        p->phase[i].lr_scale = pow(10, -i / 5.0);
        p->phase[i].continues = i > 0;
        m->job->plan.n_phases = i + 1;
    }
}

static bool build(void *context, train_images *m, tl_error *why)
{
    flow_program      *p = context;
    const double       lr = m->job->options.lr;
    const flow_recipe *r = recipe_named(p->recipe);
    nn_rmsprop_options rmsprop = nn_rmsprop_defaults(lr);
    (void)why;
    rmsprop.centered = true;
    m->code = p->latent;
    p->model = flow_vae_new(
        (flow_vae_config){m->height * m->width, p->hidden, p->layers, p->latent, p->flows, r->planar});
    nn_module *model = (nn_module *)p->model;
    train_set_model(m->job, model, &p->optimizer, r->adam ? "adam" : "rmsprop",
                    r->adam ? nn_adam(model, nn_adam_defaults(lr)) : nn_rmsprop(model, rmsprop));
    set_phases(p, m);
    return true;
}

int main(int argc, char **argv)
{
    flow_program p = {.recipe = "vae"};
    tl_option    options[] = {
           {"recipe", TL_TEXT, &p.recipe, 0, 0, "vae|planar|mean-field|iaf",
            "sizes, batch, optimizer, rate and length of run", false},
           {"hidden", TL_INT, &p.hidden, 1, 1e6, "N", "units of a hidden layer", false},
           {"layers", TL_INT, &p.layers, 1, 4, "N", "hidden layers of encoder and decoder", false},
           {"latent", TL_INT, &p.latent, 1, 1e6, "N", "numbers in the code", false},
           {"flows", TL_INT, &p.flows, 0, FLOW_VAE_MOST_FLOWS, "N", "flows of the posterior", false},
           {"kl-warmup", TL_INT, &p.kl_warmup, 0, 1e9, "N", "steps over which the KL term's weight rises to 1", false},
           {"free-bits", TL_REAL, &p.free_bits, 0, 1e6, "X",
            "nats of KL divergence, for the whole code, that are not penalised", false},
           {"nll", TL_INT, &p.nll, 0, 1e9, "N", "estimate the test images' likelihood with N samples; 0: do not", false},
           TL_OPTIONS_END,
    };
    return train_image_main(
        argc, argv,
        &(train_image_program){
            .name = "flow_vae_mnist",
            .about =
                "Trains a variational autoencoder of binary images, with a Gaussian posterior or one with planar\n"
                "or inverse autoregressive flows. metrics.csv has the bound's negative in nats; nll.csv the likelihood (--nll).",
            .options = options,
            .variant = variant,
            .defaults = defaults,
            .build = build,
            .step = step,
            .draw = draw,
            .finish = finish,
            .encode = encode,
            .decode = decode,
            .edits = true,
            .sample = sample,
            .context = &p});
}
