/* Trains the variational autoencoder and draws what it has learnt. */
#include <stdio.h>

#include "models/draw.h"
#include "models/vae.h"

typedef struct vae_run {
    train_session s;
    vae          *model;
    double        beta;
} vae_run;

static ag_tensor *loss(void *context, const train_batch *batch, ag_tensor **parts)
{
    vae_run *r = context;
    vae_losses l = vae_loss(vae_forward(r->model, batch->x), batch->x, r->beta);
    parts[0] = l.total;
    parts[1] = l.bce;
    parts[2] = l.kld;
    return l.total;
}

/* ---- Pictures. ---- */

/* Pairs of rows: test images, and what comes out for them. */
static bool draw_reconstructions(vae_run *r)
{
    enum { SHOWN = 64 };
    ag_tensor *x = train_test_images(&r->s, 0, r->s.test.count < SHOWN ? r->s.test.count : SHOWN);
    ag_tensor *both[] = {x, ag_sigmoid(vae_decode(r->model, vae_forward(r->model, x).mu))};
    return draw_rows(&r->s, "reconstructions.png", 2, both, 16);
}

static bool draw_samples(vae_run *r)
{
    ag_tensor *z = ag_randn(train_evaluating(&r->s), AG_SHAPE(128, r->model->config.latent));
    return draw_grid(&r->s, "samples.png", ag_sigmoid(vae_decode(r->model, z)), 16);
}

/* The square from -2 to 2 of a latent plane. */
static bool draw_manifold(vae_run *r)
{
    enum { SIDE = 20 };
    ag_real z[SIDE * SIDE * 2];
    for (int i = 0; i < SIDE * SIDE; i++) {
        z[2 * i] = (ag_real)(-2 + 4.0 * (i % SIDE) / (SIDE - 1));
        z[2 * i + 1] = (ag_real)(2 - 4.0 * (double)(i / SIDE) / (SIDE - 1));
    }
    ag_tensor *plane = ag_input(train_evaluating(&r->s), AG_SHAPE(SIDE * SIDE, 2), z);
    return draw_grid(&r->s, "manifold.png", ag_sigmoid(vae_decode(r->model, plane)), SIDE);
}

static int train_and_draw(vae_run *r, vae_config config)
{
    r->model = vae_new(config, r->s.options.seed);
    if (!r->model)
        return train_fail(&r->s, "out of memory");
    nn_module *model = &r->model->base;
    if (!r->s.options.quiet)
        nn_summary(stdout, model, AG_SHAPE(r->s.options.batch, config.input));
    train_task task = {
        .model = model,
        .optimizer = nn_adam(model, nn_adam_defaults(r->s.options.lr)),
        .loss = loss,
        .context = r,
        .n_parts = 3,
        .part = {"loss", "bce", "kld"},
    };
    int status = train_run(&r->s, &task);
    nn_optimizer_free(task.optimizer);
    if (status != TRAIN_FAILED) {
        bool drawn = draw_reconstructions(r) && draw_samples(r) && (config.latent != 2 || draw_manifold(r));
        status = train_report(&r->s, model, drawn ? status : TRAIN_FAILED);
    }
    nn_module_free(model);
    return status;
}

int main(int argc, char **argv)
{
    vae_config config = {.hidden = 400, .latent = 20};
    vae_run r = {.beta = 1};
    const args_option own[] = {
        {"hidden", ARGS_INT, &config.hidden, 1, 1e6, "N", "units of the hidden layers"},
        {"latent", ARGS_INT, &config.latent, 1, 1e6, "N", "numbers in the code; 2 draws the latent plane too"},
        {"beta", ARGS_REAL, &r.beta, 0, 1e6, "X", "weight of the KL term"},
        {NULL, ARGS_FLAG, NULL, 0, 0, NULL, NULL},
    };
    train_options defaults = {.epochs = 10, .batch = 128, .lr = 1e-3, .seed = 1};
    int status = train_open(&r.s, argc, argv, "vae_mnist",
                            "Trains a variational autoencoder on images of digits and draws reconstructions and samples.",
                            own, defaults);
    if (status == TRAIN_GO) {
        config.input = r.s.train.height * r.s.train.width;
        status = train_and_draw(&r, config);
    }
    return train_close(&r.s, status);
}
