/* Trains a denoising autoencoder; draws noisy, denoised and clean images. Without options that say otherwise it is a deep one
 * on Gaussian noise; --tutorial gives the tutorial's shallow one. */
#include <stdio.h>
#include <string.h>

#include "models/denoising_ae.h"
#include "models/draw.h"

typedef struct denoising_run {
    train_session s;
    denoising_ae *model;
    bool          tutorial;
} denoising_run;

/* Reported per image: half the squared error of what comes out, and of what went in. */
static ag_tensor *loss(void *context, const train_batch *batch, ag_tensor **parts)
{
    denoising_run *r = context;
    ag_tensor *noisy = denoising_ae_corrupt(r->model, batch->x);
    ag_tensor *out = denoising_ae_forward(r->model, noisy);
    ag_tensor *sum = ag_scale(ag_mse_loss(out, batch->x, AG_SUM), 0.5);
    parts[0] = sum;
    parts[1] = ag_scale(ag_mse_loss(noisy, batch->x, AG_SUM), 0.5);
    return sum;
}

/* Rows of noisy, denoised and clean images. */
static bool draw_denoised(denoising_run *r)
{
    enum { SHOWN = 48 };
    train_session *s = &r->s;
    ag_tensor *x = train_test_images(s, 0, s->test.count < SHOWN ? s->test.count : SHOWN);
    ag_tensor *noisy = denoising_ae_corrupt(r->model, x);
    ag_tensor *rows[] = {noisy, denoising_ae_forward(r->model, noisy), x};
    return draw_rows(s, "denoised.png", 3, rows, 16);
}

/* The mean squared error before and after, over the test set. */
static bool report_errors(denoising_run *r)
{
    train_session *s = &r->s;
    double before = 0, after = 0;
    int64_t n = s->options.batch < s->test.count ? s->options.batch : s->test.count, seen = 0;
    for (; seen + n <= s->test.count; seen += n) {
        ag_tensor *x = train_test_images(s, seen, n), *noisy = denoising_ae_corrupt(r->model, x);
        before += ag_item(ag_mse_loss(noisy, x, AG_MEAN)) * (double)n;
        after += ag_item(ag_mse_loss(denoising_ae_forward(r->model, noisy), x, AG_MEAN)) * (double)n;
    }
    if (ag_error(s->tape))
        return train_fail(s, "%s", ag_error(s->tape)) == TRAIN_OK;
    if (!s->options.quiet)
        printf("mean squared error of the test images: noisy %.5f, denoised %.5f\n", before / (double)seen,
               after / (double)seen);
    return true;
}

static bool draw(void *context)
{
    return draw_denoised(context) && report_errors(context);
}

static ag_tensor *encode(void *context, ag_tensor *x)
{
    return denoising_ae_encode(((denoising_run *)context)->model, x);
}

static ag_tensor *decode(void *context, ag_tensor *code)
{
    return denoising_ae_decode(((denoising_run *)context)->model, code);
}

static int train(denoising_run *r, denoising_ae_config config)
{
    config.height = r->s.train.height;
    config.width = r->s.train.width;
    r->model = denoising_ae_new(config, r->s.options.seed);
    nn_module *model = r->model ? &r->model->base : NULL;
    return train_model(&r->s, &(train_task){
        .model = model,
        .optimizer = nn_adam(model, nn_adam_defaults(r->s.options.lr)),
        .loss = loss,
        .draw = draw,
        .encode = encode,
        .decode = decode,
        .code = config.latent,
        .context = r,
        .n_parts = 2,
        .part = {"loss", "noise"},
        .totals = r->tutorial,
    });
}

static bool noise_named(const char *name, bool tutorial, denoising_noise *noise)
{
    if (!strcmp(name, "gaussian"))
        *noise = tutorial ? DENOISING_VECTOR : DENOISING_GAUSSIAN;
    else if (!strcmp(name, "masking"))
        *noise = DENOISING_MASKING;
    else if (!strcmp(name, "saltpepper"))
        *noise = DENOISING_SALTPEPPER;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    denoising_run r;
    train_begin(&r.s, argc, argv, "denoising_ae_mnist");
    r.tutorial = strcmp(train_peek(&r.s, "tutorial", "false"), "false") != 0;
    const char *noise = train_peek(&r.s, "noise", "gaussian");
    bool masking = !strcmp(noise, "masking");
    denoising_ae_config config = {.channels = 1, .latent = r.tutorial ? 200 : 64, .hidden = r.tutorial ? 0 : 512};
    config.level = !r.tutorial ? 0.3 : masking ? 0.05 : 0.01;
    const args_option own[] = {
        {"noise", ARGS_TEXT, &noise, 0, 0, "KIND", "gaussian, masking or saltpepper"},
        {"level", ARGS_REAL, &config.level, 0, 1, "X", "deviation of the noise, or the share of pixels that it hits"},
        {"latent", ARGS_INT, &config.latent, 1, 1e6, "N", "numbers in the code"},
        {"conv", ARGS_FLAG, &config.conv, 0, 0, NULL, "convolutions in place of the hidden layer"},
        {"tutorial", ARGS_FLAG, &r.tutorial, 0, 0, NULL, "784-200-784, softplus, standardised pixels, slight noise"},
        {NULL, ARGS_FLAG, NULL, 0, 0, NULL, NULL},
    };
    train_options defaults = {.epochs = r.tutorial ? 20 : 10, .batch = 128, .lr = 1e-3, .seed = 1};
    int status = train_open(&r.s, "Trains a denoising autoencoder on images of digits and draws what it makes of noisy ones.", own,
                            defaults);
    if (status == TRAIN_GO && !noise_named(noise, r.tutorial, &config.noise)) {
        train_fail(&r.s, "--noise %s: expected gaussian, masking or saltpepper", noise);
        status = TRAIN_USAGE;
    }
    if (status == TRAIN_GO && r.tutorial)
        status = train_use(&r.s, (train_data){.pixels = TRAIN_STANDARD, .batches = TRAIN_BLOCKS, .last = 55000});
    if (status == TRAIN_GO)
        status = train(&r, config);
    return train_close(&r.s, status);
}
