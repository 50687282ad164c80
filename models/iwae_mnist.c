/* Trains an importance-weighted autoencoder on binary images, with the schedule of Burda, Grosse, Salakhutdinov:
 * "Importance weighted autoencoders", 2016, and estimates the likelihood of the test images. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/iwae.h"
#include "models/train/draw.h"
#include "models/train/image_program.h"
#include "tools/file.h"
#include "tools/memory.h"
#include "tools/text.h"

enum { STAGES = 8, NLL_BATCH = 100 /* samples at a time */ };

typedef struct iwae_program {
    int64_t         k, hidden, latent, stages, nll;
    const char     *estimator;
    train_phase     phase[STAGES];
    double          lr[STAGES];
    ag_real        *mean; /* of the training pixels */
    iwae           *model;
    train_optimizer adam;
} iwae_program;

/* Each time it is used, a pixel is 1 with its grey value as probability; those of fixed images are 0 or 1 already. */
static ag_tensor *binarise(ag_tensor *x)
{
    ag_tensor *u = ag_rand_like(x);
    return ag_lt(u, x);
}

static bool step(void *context, train_step *s)
{
    iwae_program *p = context;
    train_batch   b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *x = binarise(b.x);
    const bool dreg = !strcmp(p->estimator, "dreg") && !train_is_test(s);
    ag_tensor *loss = dreg ? iwae_dreg_loss(p->model, x, p->k) : iwae_loss(p->model, x, p->k);
    train_report(s, "loss", ag_scale(ag_detach(loss), (double)b.n));
    if (!train_is_test(s))
        nn_set_lr(p->adam.optimizer, p->lr[train_step_phase(s)]);
    return train_minimize(s, loss, &p->adam);
}

static ag_tensor *encode(void *context, const train_batch *b)
{
    return iwae_encode(((iwae_program *)context)->model, b->x).mu;
}

static ag_tensor *divergence(void *context, const train_batch *b)
{
    return vae_divergence(iwae_encode(((iwae_program *)context)->model, b->x));
}

static ag_tensor *decode(void *context, ag_tensor *z)
{
    return ag_sigmoid(iwae_decode(((iwae_program *)context)->model, z));
}

static ag_tensor *sample(void *context, ag_tape *tape, int64_t n)
{
    return ag_randn(tape, AG_SHAPE(n, ((iwae_program *)context)->latent));
}

/* ---- The likelihood of the test images. ---- */

/* Test images on the job's tape, whose random numbers go on. */
static ag_tensor *load_test(train_images *m, int64_t first, int64_t n)
{
    const ag_rng rng = *ag_tape_rng(m->job->run.tape);
    ag_tensor   *x = train_test_images(m, first, n).x;
    *ag_tape_rng(m->job->run.tape) = rng;
    return x;
}

/* -log p(x) of n images from the weights of so many samples: the bound L_k, whose distance from log p(x) falls as 1 /
 * k. `best` and `sum` (n) are room for a log-sum-exp that grows chunk by chunk. False when the pass fails. */
static bool estimate(const iwae_program *p, train_images *m, int64_t first, int64_t n, double *best, double *sum)
{
    const int64_t size = m->height * m->width;
    ag_tape      *tape = m->job->run.tape;
    ag_tensor    *drawn = binarise(load_test(m, first, n));
    ag_real      *x = ag_tensor_error(drawn) ? NULL : malloc((size_t)(n * size) * sizeof *x);
    if (!x)
        return false;
    memcpy(x, drawn->data, (size_t)(n * size) * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        best[i] = -INFINITY;
        sum[i] = 0;
    }
    for (int64_t done = 0; done < p->nll && !ag_error(tape); done += NLL_BATCH) {
        const int64_t k = p->nll - done < NLL_BATCH ? p->nll - done : NLL_BATCH;
        ag_tape_reset(tape);
        ag_tensor *images = ag_input(tape, AG_SHAPE(n, size), x);
        vae_code   q = iwae_encode(p->model, images);
        ag_tensor *w = iwae_log_weights(p->model, images, q, iwae_sample(q, k));
        for (int64_t i = 0; i < n * k && !ag_error(tape); i++) {
            const double log_w = (double)w->data[i], most = fmax(best[i / k], log_w);
            sum[i / k] = sum[i / k] * exp(best[i / k] - most) + exp(log_w - most);
            best[i / k] = most;
        }
    }
    free(x);
    return !ag_error(tape);
}

static bool write_nll(train_images *m, const iwae_program *p, double nll, tl_error *why)
{
    char      path[4200];
    tl_output f;
    if (!train_folder_file(&m->job->folder, "nll.csv", path, sizeof path, why) || !tl_output_open(&f, path, why))
        return false;
    fprintf(f.stream, "images,samples,nll\n%lld,%lld,%s\n", (long long)m->test.count, (long long)p->nll,
            TL_NUMBER(nll, 7));
    if (!m->job->options.quiet)
        printf("test images: %s nats by %lld samples each\n", TL_NUMBER(nll, 6), (long long)p->nll);
    return tl_output_close(&f, why);
}

static bool estimate_all(const iwae_program *p, train_images *m, tl_error *why)
{
    enum { IMAGES = 20 };
    double best[IMAGES], sum[IMAGES], total = 0;
    train_image_tape(m);
    for (int64_t first = 0; first < m->test.count; first += IMAGES) {
        const int64_t n = m->test.count - first < IMAGES ? m->test.count - first : IMAGES;
        if (!estimate(p, m, first, n, best, sum))
            return tl_fail(why, "%s", ag_error(m->job->run.tape) ? ag_error(m->job->run.tape) : "out of memory");
        for (int64_t i = 0; i < n; i++)
            total -= best[i] + log(sum[i]) - log((double)p->nll);
    }
    return write_nll(m, p, total / (double)m->test.count, why);
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    iwae_program *p = context;
    return train_draw_reconstructions(m, why) &&
           train_draw_grid(m, "samples.png", "decoded from z drawn from N(0, 1)",
                           decode(p, sample(p, train_image_tape(m), 128)), 16, why) &&
           (p->nll == 0 || estimate_all(p, m, why));
}

/* ---- Options and model. ---- */

static void defaults(void *context, train_options *o, train_image_use *use)
{
    (void)context, (void)use;
    o->batch = 20;
    o->lr = 1e-4;
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    (void)context;
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
        p->lr[i] = m->job->options.lr * round(10 * pow(10, 1 - i / 7.0)) / 10;
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
        for (int64_t i = 0; i < m->train.count; i++)
            sum += m->train.pixels[i * size + j];
        p->mean[j] = m->train.count > 0 ? (ag_real)((double)sum / (double)m->train.count / 255) : 0;
    }
    return p->mean != NULL;
}

static bool build(void *context, train_images *m, tl_error *why)
{
    iwae_program   *p = context;
    nn_adam_options adam = nn_adam_defaults(m->job->options.lr);
    adam.beta1 = 0.99;
    adam.eps = 1e-4;
    if (!find_mean(p, m))
        return tl_fail(why, "out of memory");
    m->code = p->latent;
    p->model = iwae_new((iwae_config){m->height * m->width, p->hidden, p->latent, p->mean});
    nn_module *model = (nn_module *)p->model;
    train_set_model(m->job, model, &p->adam, "adam", nn_adam(model, adam));
    set_stages(p, m);
    return true;
}

int main(int argc, char **argv)
{
    iwae_program p = {.k = 5, .hidden = 200, .latent = 50, .stages = 3, .estimator = "iwae"};
    tl_option    options[] = {
           {"k", TL_INT, &p.k, 1, 1e6, "N", "samples of a training image's code; 1: a VAE", false},
           {"estimator", TL_TEXT, &p.estimator, 0, 0, "iwae|dreg",
            "of the encoder's gradient: the paper's, or doubly reparameterised", false},
           {"stages", TL_INT, &p.stages, 1, STAGES, "N", "of the schedule; 8, 3,280 epochs, is the paper's", false},
           {"hidden", TL_INT, &p.hidden, 1, 1e6, "N", "units of the hidden layers", false},
           {"latent", TL_INT, &p.latent, 1, 1e6, "N", "numbers in the code", false},
           {"nll", TL_INT, &p.nll, 0, 1e9, "N", "estimate the test images' likelihood by N samples (paper: 5000); 0: not",
            false},
           TL_OPTIONS_END,
    };
    const int status = train_image_main(
        argc, argv,
        &(train_image_program){
            .name = "iwae_mnist",
            .about =
                "Trains an importance-weighted autoencoder on images whose pixels are drawn anew, black or white, each time.\n"
                "metrics.csv has the loss, -L_k in nats; nll.csv the likelihood of the test images (--nll).",
            .options = options,
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
    free(p.mean);
    return status;
}
