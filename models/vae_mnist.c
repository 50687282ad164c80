/* Trains a variational autoencoder and draws what it has learnt. */
#include <stdio.h>
#include <string.h>

#include "models/chunked_vae.h"
#include "models/conv_vae.h"
#include "models/draw.h"
#include "models/vae.h"

/* ---- The variants, each made to look alike. ---- */

typedef struct sizes {
    int64_t height, width, hidden, latent;
} sizes;

typedef struct variant {
    const char *name;
    int64_t     latent, batch, epochs; /* the recipe's */
    const char *part[3];               /* of the loss: columns of metrics.csv */
    nn_module *(*make)(sizes z, uint64_t seed);
    /* The loss of a batch, and in parts[0 .. 2] the sums over its images of the loss and its two parts. */
    ag_tensor *(*loss)(nn_module *m, ag_tensor *x, double beta, ag_tensor **parts);
    ag_tensor *(*encode)(nn_module *m, ag_tensor *x); /* mu (N, latent) */
    ag_tensor *(*decode)(nn_module *m, ag_tensor *z); /* images (N, pixels), 0..1 */
} variant;

static ag_tensor *report_vae(vae_losses l, ag_tensor **parts)
{
    parts[0] = l.total;
    parts[1] = l.bce;
    parts[2] = l.kld;
    return l.total;
}

static nn_module *standard_make(sizes z, uint64_t seed)
{
    vae *m = vae_new((vae_config){z.height * z.width, z.hidden, z.latent}, seed);
    return m ? &m->base : NULL;
}

static ag_tensor *standard_loss(nn_module *m, ag_tensor *x, double beta, ag_tensor **parts)
{
    return report_vae(vae_loss(vae_forward((vae *)m, x), x, beta), parts);
}

static ag_tensor *standard_encode(nn_module *m, ag_tensor *x)
{
    return vae_forward((vae *)m, x).mu;
}

static ag_tensor *standard_decode(nn_module *m, ag_tensor *z)
{
    return ag_sigmoid(vae_decode((vae *)m, z));
}

static nn_module *chunked_make(sizes z, uint64_t seed)
{
    chunked_vae *m = chunked_vae_new((chunked_vae_config){z.height * z.width, 256, 64, z.latent}, seed);
    return m ? &m->base : NULL;
}

static ag_tensor *chunked_loss(nn_module *m, ag_tensor *x, double beta, ag_tensor **parts)
{
    chunked_vae_losses l = chunked_vae_loss(chunked_vae_forward((chunked_vae *)m, x), x, beta);
    double n = (double)x->shape.dim[0];
    parts[0] = ag_scale(ag_detach(l.total), n);
    parts[1] = ag_scale(ag_detach(l.mse), n);
    parts[2] = ag_scale(ag_detach(l.kld), n);
    return l.total;
}

static ag_tensor *chunked_encode(nn_module *m, ag_tensor *x)
{
    return chunked_vae_forward((chunked_vae *)m, x).mu;
}

static ag_tensor *chunked_decode(nn_module *m, ag_tensor *z)
{
    return chunked_vae_decode((chunked_vae *)m, z);
}

static nn_module *conv_make(sizes z, uint64_t seed)
{
    conv_vae *m = conv_vae_new((conv_vae_config){1, z.height, z.width, 32, 64, z.latent}, seed);
    return m ? &m->base : NULL;
}

static ag_tensor *conv_loss(nn_module *m, ag_tensor *x, double beta, ag_tensor **parts)
{
    return report_vae(vae_loss(conv_vae_forward((conv_vae *)m, x), x, beta), parts);
}

static ag_tensor *conv_encode(nn_module *m, ag_tensor *x)
{
    return conv_vae_forward((conv_vae *)m, x).mu;
}

static ag_tensor *conv_decode(nn_module *m, ag_tensor *z)
{
    return ag_sigmoid(conv_vae_decode((conv_vae *)m, z));
}

static const variant variants[] = {
    {"standard", 20, 128, 10, {"loss", "bce", "kld"}, standard_make, standard_loss, standard_encode, standard_decode},
    {"chunked", 10, 32, 10, {"loss", "mse", "kld"}, chunked_make, chunked_loss, chunked_encode, chunked_decode},
    {"conv", 32, 128, 3, {"loss", "bce", "kld"}, conv_make, conv_loss, conv_encode, conv_decode},
};
enum { VARIANTS = sizeof variants / sizeof *variants };

typedef struct vae_run {
    train_session  s;
    const variant *v;
    nn_module     *model;
    int64_t        latent;
    double         beta;
    bool           interpolate;
} vae_run;

static ag_tensor *loss(void *context, const train_batch *batch, ag_tensor **parts)
{
    vae_run *r = context;
    return r->v->loss(r->model, batch->x, r->beta, parts);
}

/* ---- Pictures. ---- */

/* Pairs of rows: test images, and what comes out for them. */
static bool draw_reconstructions(vae_run *r)
{
    enum { SHOWN = 64 };
    ag_tensor *x = train_test_images(&r->s, 0, r->s.test.count < SHOWN ? r->s.test.count : SHOWN);
    ag_tensor *both[] = {x, r->v->decode(r->model, r->v->encode(r->model, x))};
    return draw_rows(&r->s, "reconstructions.png", 2, both, 16);
}

static bool draw_samples(vae_run *r)
{
    ag_tensor *z = ag_randn(train_evaluating(&r->s), AG_SHAPE(128, r->latent));
    return draw_grid(&r->s, "samples.png", r->v->decode(r->model, z), 16);
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
    return draw_grid(&r->s, "manifold.png", r->v->decode(r->model, plane), SIDE);
}

/* Each row goes in a straight line of the latent space from one test digit to another. */
static bool draw_interpolations(vae_run *r)
{
    enum { ROWS = 8, STEPS = 16 };
    int64_t ends = r->s.test.count / 2 < ROWS ? r->s.test.count / 2 : ROWS;
    if (ends < 1)
        return train_fail(&r->s, "--interpolate: at least two test images are needed") == TRAIN_OK;
    ag_tensor *mu = r->v->encode(r->model, train_test_images(&r->s, 0, 2 * ends));
    ag_tensor *from = ag_reshape(ag_slice(mu, 0, 0, ends), AG_SHAPE(ends, 1, r->latent));
    ag_tensor *to = ag_reshape(ag_slice(mu, 0, ends, 2 * ends), AG_SHAPE(ends, 1, r->latent));
    ag_real t[STEPS];
    for (int i = 0; i < STEPS; i++)
        t[i] = (ag_real)i / (STEPS - 1);
    ag_tensor *along = ag_input(r->s.tape, AG_SHAPE(1, STEPS, 1), t);
    ag_tensor *z = ag_add(from, ag_mul(ag_sub(to, from), along));
    return draw_grid(&r->s, "interpolations.png", r->v->decode(r->model, ag_reshape(z, AG_SHAPE(-1, r->latent))), STEPS);
}

static bool draw(void *context)
{
    vae_run *r = context;
    return draw_reconstructions(r) && draw_samples(r) && (r->latent != 2 || draw_manifold(r)) &&
           (!r->interpolate || draw_interpolations(r));
}

static ag_tensor *encode(void *context, ag_tensor *x)
{
    vae_run *r = context;
    return r->v->encode(r->model, x);
}

static ag_tensor *decode(void *context, ag_tensor *z)
{
    vae_run *r = context;
    return r->v->decode(r->model, z);
}

static int train(vae_run *r, int64_t hidden)
{
    train_session *s = &r->s;
    r->model = r->v->make((sizes){s->train.height, s->train.width, hidden, r->latent}, s->options.seed);
    return train_model(s, &(train_task){
        .model = r->model,
        .optimizer = nn_adam(r->model, nn_adam_defaults(s->options.lr)),
        .loss = loss,
        .draw = draw,
        .encode = encode,
        .decode = decode,
        .code = r->latent,
        .context = r,
        .n_parts = 3,
        .part = {r->v->part[0], r->v->part[1], r->v->part[2]},
    });
}

static const variant *variant_named(const char *name)
{
    for (int i = 0; i < VARIANTS; i++)
        if (!strcmp(variants[i].name, name))
            return &variants[i];
    return NULL;
}

int main(int argc, char **argv)
{
    vae_run r = {.beta = 1};
    train_begin(&r.s, argc, argv, "vae_mnist");
    const char *name = train_peek(&r.s, "variant", "standard");
    const variant *v = variant_named(name), *d = v ? v : &variants[0];
    r.v = v;
    r.latent = d->latent;
    int64_t hidden = 400;
    const args_option own[] = {
        {"variant", ARGS_TEXT, &name, 0, 0, "NAME", "standard, chunked or conv"},
        {"hidden", ARGS_INT, &hidden, 1, 1e6, "N", "units of the standard variant's hidden layers"},
        {"latent", ARGS_INT, &r.latent, 1, 1e6, "N", "numbers in the code; 2 draws the latent plane too"},
        {"beta", ARGS_REAL, &r.beta, 0, 1e6, "X", "weight of the KL term"},
        {"interpolate", ARGS_FLAG, &r.interpolate, 0, 0, NULL, "draw straight lines between test digits"},
        {NULL, ARGS_FLAG, NULL, 0, 0, NULL, NULL},
    };
    train_options defaults = {.epochs = d->epochs, .batch = d->batch, .lr = 1e-3, .seed = 1};
    int status = train_open(&r.s, "Trains a variational autoencoder on images of digits and draws reconstructions and samples.",
                            own, defaults);
    if (status == TRAIN_GO && !v) {
        train_fail(&r.s, "--variant %s: expected standard, chunked or conv", name);
        status = TRAIN_USAGE;
    }
    if (status == TRAIN_GO)
        status = train(&r, hidden);
    return train_close(&r.s, status);
}
