/* Trains the variational autoencoder and draws what it has learnt. */
#include <stdio.h>

#include "models/train.h"
#include "models/vae.h"
#include "tools/picture.h"

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

/* Writes the picture, whose images were computed on the session's tape. */
static bool finish_picture(vae_run *r, picture *p, const char *name)
{
    char message[4200];
    const char *error = ag_error(r->s.tape);
    bool ok = !error && picture_write(p, r->s.out, name, message, sizeof message);
    if (!ok)
        train_fail(&r->s, "%s", error ? error : message);
    picture_free(p);
    return ok;
}

static bool new_picture(vae_run *r, picture *p, int64_t rows, int64_t columns)
{
    bool ok = picture_init(p, rows, columns, r->s.test.height, r->s.test.width, 1);
    if (!ok)
        train_fail(&r->s, "out of memory");
    return ok;
}

/* Decodes z (rows * columns, latent) into the places of the picture. */
static void put_decoded(vae_run *r, picture *p, ag_tensor *z)
{
    ag_tensor *images = ag_sigmoid(vae_decode(r->model, z));
    for (int64_t i = 0; i < p->rows * p->columns && !ag_error(r->s.tape); i++)
        picture_put(p, i / p->columns, i % p->columns, images->data + i * r->model->config.input);
}

/* Pairs of rows: test images, and what comes out for them. */
static bool draw_reconstructions(vae_run *r)
{
    enum { PAIRS = 4, COLUMNS = 16 };
    picture p;
    if (!new_picture(r, &p, 2 * PAIRS, COLUMNS))
        return false;
    int64_t count = r->s.test.count < PAIRS * COLUMNS ? r->s.test.count : PAIRS * COLUMNS;
    ag_tensor *x = train_test_images(&r->s, 0, count);
    ag_tensor *y = ag_sigmoid(vae_decode(r->model, vae_forward(r->model, x).mu));
    for (int64_t i = 0; i < count && !ag_error(r->s.tape); i++) {
        picture_put(&p, i / COLUMNS * 2, i % COLUMNS, x->data + i * r->model->config.input);
        picture_put(&p, i / COLUMNS * 2 + 1, i % COLUMNS, y->data + i * r->model->config.input);
    }
    return finish_picture(r, &p, "reconstructions.png");
}

static bool draw_samples(vae_run *r)
{
    enum { ROWS = 8, COLUMNS = 16 };
    picture p;
    if (!new_picture(r, &p, ROWS, COLUMNS))
        return false;
    put_decoded(r, &p, ag_randn(train_evaluating(&r->s), AG_SHAPE(ROWS * COLUMNS, r->model->config.latent)));
    return finish_picture(r, &p, "samples.png");
}

/* The square from -2 to 2 of a latent plane. */
static bool draw_manifold(vae_run *r)
{
    enum { SIDE = 20 };
    picture p;
    if (!new_picture(r, &p, SIDE, SIDE))
        return false;
    ag_real z[SIDE * SIDE * 2];
    for (int i = 0; i < SIDE * SIDE; i++) {
        z[2 * i] = (ag_real)(-2 + 4.0 * (i % SIDE) / (SIDE - 1));
        z[2 * i + 1] = (ag_real)(2 - 4.0 * (double)(i / SIDE) / (SIDE - 1));
    }
    put_decoded(r, &p, ag_input(train_evaluating(&r->s), AG_SHAPE(SIDE * SIDE, 2), z));
    return finish_picture(r, &p, "manifold.png");
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
