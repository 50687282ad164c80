/* Trains an importance-weighted autoencoder on binary images, with the schedule of Burda, Grosse, Salakhutdinov:
 * "Importance weighted autoencoders", 2016, and estimates the likelihood of the test images. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/iwae.h"
#include "models/train/draw.h"
#include "models/train/image_program.h"
#include "models/train/likelihood.h"
#include "tools/memory.h"

enum { STAGES = 8 };

typedef struct iwae_program {
    int64_t         layers, k, hidden, latent, upper_hidden, upper, stages, kl_warmup, nll;
    double          free_bits;
    const char     *estimator;
    train_phase     phase[STAGES];
    ag_real        *mean; /* of the training pixels */
    iwae           *model;
    train_optimizer adam;
} iwae_program;

static bool is_dreg(const iwae_program *p)
{
    return !strcmp(p->estimator, "dreg");
}

static bool step(void *context, train_step *s)
{
    iwae_program *p = context;
    train_batch   b;
    if (!train_load(s, &b))
        return false;
    ag_tensor   *x = train_binarise(b.x);
    const bool   dreg = is_dreg(p) && !train_is_test(s);
    const double beta = train_rise(s, p->kl_warmup);
    ag_tensor   *loss = dreg ? iwae_dreg_loss(p->model, x, p->k) : iwae_loss(p->model, x, p->k, beta);
    if (p->free_bits > 0 && !train_is_test(s)) {
        ag_tensor *lacking = vae_free_bits(iwae_divergence(p->model, iwae_encode(p->model, x)), p->free_bits);
        loss = ag_add(loss, ag_scale(lacking, beta / (double)b.n));
    }
    train_report(s, "loss", ag_scale(ag_detach(loss), (double)b.n));
    return train_minimize(s, loss, &p->adam);
}

static ag_tensor *encode(void *context, const train_batch *b)
{
    return iwae_encode(((iwae_program *)context)->model, b->x).mu;
}

static ag_tensor *divergence(void *context, const train_batch *b)
{
    iwae *m = ((iwae_program *)context)->model;
    return iwae_divergence(m, iwae_encode(m, b->x));
}

static ag_tensor *decode(void *context, ag_tensor *z)
{
    return ag_sigmoid(iwae_decode(((iwae_program *)context)->model, z));
}

static ag_tensor *sample(void *context, ag_tape *tape, int64_t n)
{
    return iwae_prior_sample(((iwae_program *)context)->model, tape, n);
}

/* ---- Pictures and the likelihood of the test images. ---- */

static ag_tensor *log_weights(void *context, ag_tensor *x, int64_t k)
{
    iwae      *m = ((iwae_program *)context)->model;
    vae_code   q = iwae_encode(m, x);
    ag_tensor *z = iwae_sample(q, k);
    return iwae_log_weights(m, x, q, z);
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    iwae_program *p = context;
    return train_draw_reconstructions(m, why) &&
           train_draw_grid(m, "samples.png", "decoded from codes drawn from the prior",
                           decode(p, sample(p, train_image_tape(m), 128)), 16, why);
}

static bool finish(void *context, train_images *m, tl_error *why)
{
    iwae_program *p = context;
    return p->nll == 0 || train_estimate_likelihood(m, p->nll, log_weights, p, why);
}

/* ---- Options and model. ---- */

static const char *variant(void *context)
{
    return ((iwae_program *)context)->layers == 2 ? "two-layers" : NULL;
}

static void defaults(void *context, train_options *o, train_image_use *use)
{
    iwae_program *p = context;
    (void)use;
    p->latent = p->layers == 1 ? 50 : 100;
    o->batch = 20;
    o->lr = 1e-4;
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    const iwae_program *p = context;
    const char *upper = train_given(job, "upper") ? "upper" : train_given(job, "upper-hidden") ? "upper-hidden" : NULL;
    if (p->layers == 1 && upper)
        return tl_fail(why, "--%s: of a second stochastic layer, which --layers 2 makes", upper);
    if (p->layers == 2 && is_dreg(p))
        return tl_fail(why, "--estimator dreg: offered for one stochastic layer");
    if (p->kl_warmup > 0 && is_dreg(p))
        return tl_fail(why, "--kl-warmup: not with --estimator dreg, which is derived for a weight of 1");
    return !train_given(job, "epochs") ||
           tl_fail(why, "--epochs: stage i of the schedule has 3^(i-1); --stages or --steps say how long a run is");
}

/* Stage i runs 3^i epochs at 10^(1 - i / 7), rounded to a tenth, times the learning rate. */
static void set_stages(iwae_program *p, train_images *m)
{
    static const char *const names[STAGES] = {"stage 1", "stage 2", "stage 3", "stage 4",
                                              "stage 5", "stage 6", "stage 7", "stage 8"};
    int64_t                  epochs = 1;
    for (int i = 0; i < STAGES; i++, epochs *= 3) {
        p->phase[i] = m->phase;
        p->phase[i].name = names[i];
        p->phase[i].epochs = epochs;
        p->phase[i].continues = i > 0;
        p->phase[i].lr_scale = round(10 * pow(10, 1 - i / 7.0)) / 10;
    }
    m->job->plan.phases = p->phase;
    m->job->plan.n_phases = m->job->options.steps > 0 ? 1 : (int)p->stages;
}

/* Of the training images, as the model's reset wants it. */
static bool find_mean(iwae_program *p, const train_images *m)
{
    const int64_t size = m->height * m->width;
    p->mean = tl_array(size, 1, sizeof *p->mean);
    for (int64_t j = 0; p->mean && j < size; j++) {
        int64_t sum = 0;
        for (int64_t i = 0; i < m->trained; i++)
            sum += m->train.pixels[i * size + j];
        p->mean[j] = m->trained > 0 ? (ag_real)((double)sum / (double)m->trained / 255) : 0;
    }
    return p->mean != NULL;
}

static bool build(void *context, train_images *m, tl_error *why)
{
    iwae_program   *p = context;
    nn_adam_options adam = nn_adam_defaults(m->job->options.lr);
    /* As in the authors' code (github.com/yburda/iwae). Their gradient is a sum over the batch, ours a mean, so that
     * eps weighs more here. */
    adam.beta1 = 0.99;
    adam.eps = 1e-4;
    adam.initial_exp_avg_sq = 1;
    if (!find_mean(p, m))
        return tl_fail(why, "out of memory");
    m->code = p->latent;
    p->model = iwae_new((iwae_config){.input = m->height * m->width,
                                      .hidden = p->hidden,
                                      .latent = p->latent,
                                      .mean = p->mean,
                                      .upper_hidden = p->upper_hidden,
                                      .upper = p->layers == 2 ? p->upper : 0});
    nn_module *model = (nn_module *)p->model;
    train_set_model(m->job, model, &p->adam, "adam", nn_adam(model, adam));
    set_stages(p, m);
    return true;
}

int main(int argc, char **argv)
{
    iwae_program p = {
        .layers = 1, .k = 5, .hidden = 200, .upper_hidden = 100, .upper = 50, .stages = 3, .estimator = "iwae"};
    tl_option options[] = {
        {"layers", TL_INT, &p.layers, 1, 2, "N", "stochastic layers", false},
        {"k", TL_INT, &p.k, 1, 1e6, "N", "samples of a training image's code; 1: a VAE", false},
        {"estimator", TL_TEXT, &p.estimator, 0, 0, "iwae|dreg",
         "of the encoder's gradient: the paper's, or doubly reparameterised", false},
        {"stages", TL_INT, &p.stages, 1, STAGES, "N", "of the schedule; 8, 3,280 epochs, is the paper's", false},
        {"hidden", TL_INT, &p.hidden, 1, 1e6, "N", "units of the hidden layers", false},
        {"latent", TL_INT, &p.latent, 1, 1e6, "N", "numbers in the code: 50, with two layers 100", false},
        {"upper-hidden", TL_INT, &p.upper_hidden, 1, 1e6, "N", "units of the second stochastic layer's hidden layers",
         false},
        {"upper", TL_INT, &p.upper, 1, 1e6, "N", "numbers of the second stochastic layer", false},
        {"kl-warmup", TL_INT, &p.kl_warmup, 0, 1e9, "N",
         "steps over which the weight of log p(z) - log q(z | x) rises to 1", false},
        {"free-bits", TL_REAL, &p.free_bits, 0, 1e6, "X",
         "nats of KL divergence, for each number of the code, that are not penalised", false},
        {"nll", TL_INT, &p.nll, 0, 1e9, "N",
         "estimate the test images' likelihood with N samples (paper: 5000); 0: do not", false},
        TL_OPTIONS_END,
    };
    const int status = train_image_main(
        argc, argv,
        &(train_image_program){
            .name = "iwae_mnist",
            .about =
                "Trains an importance-weighted autoencoder on images whose pixels are drawn anew, black or white, each time.\n"
                "metrics.csv has the loss, -L_k in nats; nll.csv the likelihood of the test images (--nll).\n"
                "The length of a run is --stages or --steps, not --epochs.",
            .options = options,
            .variant = variant,
            .defaults = defaults,
            .check = check,
            .build = build,
            .step = step,
            .draw = draw,
            .finish = finish,
            .encode = encode,
            .divergence = divergence,
            .decode = decode,
            .edits = true,
            .sample = sample,
            .context = &p});
    free(p.mean);
    return status;
}
