/* Trains a denoising autoencoder; draws noisy, denoised and clean images. It is a deep one on Gaussian noise unless
 * options say otherwise; --tutorial gives the tutorial's shallow one. */
#include <stdio.h>
#include <string.h>

#include "models/denoising_ae.h"
#include "models/recipes.h"
#include "models/train/draw.h"
#include "models/train/image_program.h"

typedef struct denoising_program {
    const char         *noise;
    bool                tutorial;
    denoising_ae_config config;
    denoising_ae       *model;
    train_optimizer     adam;
} denoising_program;

/* Reported per image: half the squared error of what comes out, and of what went in. */
static bool step(void *context, train_step *s)
{
    denoising_program *p = context;
    train_batch        b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *noisy = denoising_ae_corrupt(p->model, b.x);
    ag_tensor *loss = ag_scale(ag_mse_loss(denoising_ae_forward(p->model, noisy), b.x, AG_SUM), 0.5);
    train_report(s, "loss", loss);
    train_report(s, "noise", ag_scale(ag_mse_loss(noisy, b.x, AG_SUM), 0.5));
    return train_minimize(s, loss, &p->adam);
}

static ag_tensor *corrupt(void *context, ag_tensor *x)
{
    return denoising_ae_corrupt(((denoising_program *)context)->model, x);
}

static ag_tensor *encode(void *context, const train_batch *b)
{
    return denoising_ae_encode(((denoising_program *)context)->model, b->x);
}

static ag_tensor *decode(void *context, ag_tensor *code)
{
    return denoising_ae_decode(((denoising_program *)context)->model, code);
}

/* The mean squared error before and after, over the test set. */
static bool report_errors(denoising_program *p, train_images *m, tl_error *why)
{
    double  before = 0, after = 0;
    int64_t seen = 0;
    train_image_tape(m); /* the noise goes on from batch to batch, and is the same each time */
    for (int64_t n; seen < m->test.count; seen += n) {
        n = m->phase.batch < m->test.count - seen ? m->phase.batch : m->test.count - seen;
        ag_tensor *x = train_next_test_images(m, seen, n).x, *noisy = denoising_ae_corrupt(p->model, x);
        before += ag_item(ag_mse_loss(noisy, x, AG_MEAN)) * (double)n;
        after += ag_item(ag_mse_loss(denoising_ae_forward(p->model, noisy), x, AG_MEAN)) * (double)n;
    }
    if (ag_error(m->job->run.tape))
        return tl_fail(why, "%s", ag_error(m->job->run.tape));
    if (m->job->options.quiet)
        return true;
    printf("mean squared error of the test images: noisy %.5f, denoised %.5f\n", before / (double)seen,
           after / (double)seen);
    if (p->tutorial)
        puts(
            "(per pixel, in units of the pixel's variance over the training set: the tutorial's noise of 0.01 deviations cannot be\n"
            "seen, and a code of 200 numbers loses more than so little noise; its recipe learns a code, not to denoise)");
    return true;
}

/* Rows of noisy, denoised and clean images. */
static bool draw(void *context, train_images *m, tl_error *why)
{
    enum { SHOWN = 48, COLUMNS = 16 };
    denoising_program *p = context;
    ag_tensor         *x = train_test_images(m, 0, SHOWN).x, *noisy = denoising_ae_corrupt(p->model, x);
    ag_tensor         *rows[] = {noisy, denoising_ae_forward(p->model, noisy), x};
    const tl_labels    labels = {"test images", 3, 0, (const char *const[]){"noisy", "denoised", "clean"}, NULL};
    return train_draw_rows(m, "denoised.png", &labels, 3, rows, COLUMNS, why) && report_errors(p, m, why);
}

/* ---- Options and model. ---- */

static const char *variant(void *context)
{
    const denoising_program *p = context;
    return p->tutorial ? "tutorial" : p->config.conv ? "conv" : NULL;
}

static void defaults(void *context, train_options *o, train_image_use *use)
{
    denoising_program *p = context;
    if (p->tutorial)
        recipe_defaults(recipe_of('f'), o, use);
    p->config.latent = p->tutorial ? recipe_of('f')->size[1] : 64;
    p->config.hidden = p->tutorial || p->config.conv ? 0 : 512;
    p->config.level = !p->tutorial ? 0.3 : !strcmp(p->noise, "masking") ? 0.05 : 0.01;
    p->config.noise = !strcmp(p->noise, "masking")      ? DENOISING_MASKING
                      : !strcmp(p->noise, "saltpepper") ? DENOISING_SALTPEPPER
                      : p->tutorial                     ? DENOISING_VECTOR
                                                        : DENOISING_GAUSSIAN;
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    const denoising_program *p = context;
    (void)job;
    if (p->tutorial && p->config.conv)
        return tl_fail(why, "--tutorial and --conv: expected one of them");
    return !(p->tutorial && p->config.noise == DENOISING_SALTPEPPER) ||
           tl_fail(why, "--noise saltpepper: not with --tutorial, whose pixels are standardised");
}

static bool build(void *context, train_images *m, tl_error *why)
{
    denoising_program *p = context;
    (void)why;
    p->config.height = m->height;
    p->config.width = m->width;
    p->model = denoising_ae_new(p->config);
    m->code = p->config.latent;
    m->phase.totals = p->tutorial;
    m->phase.sum_loss = true;
    nn_module *model = (nn_module *)p->model;
    train_set_model(m->job, model, &p->adam, "adam", nn_adam(model, nn_adam_defaults(m->job->options.lr)));
    return true;
}

int main(int argc, char **argv)
{
    denoising_program p = {.noise = "gaussian", .config.channels = 1};
    tl_option         options[] = {
                {"noise", TL_TEXT, &p.noise, 0, 0, "gaussian|masking|saltpepper", "the noise that is added to the images",
                 false},
                {"level", TL_REAL, &p.config.level, 0, 1, "X", "deviation of the noise, or the share of pixels that it hits",
                 false},
                {"latent", TL_INT, &p.config.latent, 1, 1e6, "N", "numbers in the code", false},
                {"conv", TL_FLAG, &p.config.conv, 0, 0, NULL, "convolutions in place of the hidden layer", false},
                {"tutorial", TL_FLAG, &p.tutorial, 0, 0, NULL, "784-200-784, softplus, standardised pixels, slight noise",
                 false},
                TL_OPTIONS_END,
    };
    return train_image_main(
        argc, argv,
        &(train_image_program){
            .name = "denoising_ae_mnist",
            .about =
                "Trains a denoising autoencoder on images of digits and draws what it makes of noisy ones.\n"
                "In metrics.csv, loss is half the squared error of the output and noise half that of the noisy input.",
            .options = options,
            .variant = variant,
            .defaults = defaults,
            .check = check,
            .build = build,
            .step = step,
            .draw = draw,
            .encode = encode,
            .decode = decode,
            .corrupt = corrupt,
            .context = &p});
}
