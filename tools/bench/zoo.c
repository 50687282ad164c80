/* The cases `step` of ops.def: training steps of the zoo's models beyond the nine workloads, each with all its losses
 * and optimizers, on a batch that stays the same. */
#include <stdlib.h>
#include <string.h>

#include "models/adversarial_ae.h"
#include "models/couplet_vae.h"
#include "models/cvae.h"
#include "models/flow_vae.h"
#include "models/iwae.h"
#include "models/mlp_ae.h"
#include "models/pixel_cnn.h"
#include "models/stacked_ae.h"
#include "models/vae_gan.h"
#include "models/vq_vae.h"
#include "tools/bench/measure.h"
#include "tools/bench/ops.h"

enum { MOST_LOSSES = 4, PIXELS = 784, CLASSES = 10, CHARACTERS = 8066, GRID = 7, VECTORS = 64 };

/* What the model is shown: a batch of each. */
typedef enum batch_kind { GREY, BINARY, COUPLETS, GRIDS } batch_kind;

typedef struct zoo_model zoo_model;

typedef struct zoo_run {
    const zoo_model *kind;
    const op_case   *c;
    int64_t          batch;
    nn_module       *model;
    nn_optimizer    *optimizer[MOST_LOSSES];
    ag_tape         *tape;
    ag_shape         shape;
    ag_real         *x, *labels;
} zoo_run;

/* `loss` is the i-th of a step, of a pass of its own, or NULL if this variant has no more; `part` is the part of the
 * model that it is for. */
struct zoo_model {
    const char *name;
    batch_kind  batch;
    nn_module *(*make)(const op_case *c);
    int losses;
    ag_tensor *(*loss)(zoo_run *r, ag_tensor *x, ag_tensor *y, int i);
    nn_module *(*part)(nn_module *m, int i); /* NULL: the whole */
    nn_optimizer *(*optimize)(nn_module *part);
};

static nn_optimizer *adam(nn_module *part)
{
    return nn_adam(part, nn_adam_defaults(2e-4));
}

static nn_optimizer *rmsprop(nn_module *part)
{
    return nn_rmsprop(part, nn_rmsprop_defaults(1e-4));
}

static nn_optimizer *sgd(nn_module *part)
{
    return nn_sgd(part, nn_sgd_defaults(0.01));
}

static int64_t option(const op_case *c, const char *key, int64_t otherwise)
{
    return (int64_t)op_number(c, key, (double)otherwise);
}

/* ---- Three or four losses. ---- */

static nn_module *make_adversarial(const op_case *c)
{
    const int64_t labels = option(c, "labels", 0);
    return (nn_module *)adversarial_ae_new((adversarial_ae_config){PIXELS, 1000, labels ? 10 : 8, 0, labels});
}

static ag_tensor *adversarial_loss(zoo_run *r, ag_tensor *x, ag_tensor *y, int i)
{
    adversarial_ae *m = (adversarial_ae *)r->model;
    const int64_t   code = m->config.labels + m->config.latent;
    switch (i) {
    case 0: return adversarial_ae_reconstruction(m, x);
    case 1: return adversarial_ae_judge(m, x, NULL, ag_randn(x->tape, AG_SHAPE(r->batch, code))).loss;
    case 2: return adversarial_ae_deceive(m, x, NULL);
    default: return m->config.labels ? ag_cross_entropy_loss(adversarial_ae_classify(m, x), y, AG_MEAN) : NULL;
    }
}

static nn_module *adversarial_part(nn_module *base, int i)
{
    adversarial_ae *m = (adversarial_ae *)base;
    return i == 0 ? m->autoencoder : i == 1 ? m->discriminator : m->encoder;
}

static nn_module *make_vae_gan(const op_case *c)
{
    (void)c;
    return (nn_module *)vae_gan_new((vae_gan_config){PIXELS, 1024, 32});
}

static ag_tensor *vae_gan_loss(zoo_run *r, ag_tensor *x, ag_tensor *y, int i)
{
    vae_gan *m = (vae_gan *)r->model;
    (void)y;
    return i == 0   ? vae_gan_encoder_loss(m, x).encoder
           : i == 1 ? vae_gan_discriminator_loss(m, x).discriminator
                    : vae_gan_decoder_loss(m, x, 0.01);
}

static nn_module *vae_gan_part(nn_module *base, int i)
{
    vae_gan *m = (vae_gan *)base;
    return i == 0 ? m->encoder : i == 1 ? m->discriminator : m->decoder;
}

/* ---- One loss. ---- */

static nn_module *make_stacked(const op_case *c)
{
    (void)c;
    return (nn_module *)stacked_ae_new(&(stacked_ae_config){
        .input = PIXELS, .classes = CLASSES, .layers = 3, .width = {1000, 1000, 1000}, .corruption = {0.1, 0.2, 0.3}});
}

static ag_tensor *stacked_loss(zoo_run *r, ag_tensor *x, ag_tensor *y, int i)
{
    const int64_t layer = option(r->c, "layer", 3); /* 3: fine-tuning */
    (void)i;
    return layer < 3 ? stacked_ae_layer_loss((stacked_ae *)r->model, x, (int)layer)
                     : ag_cross_entropy_loss(stacked_ae_forward((stacked_ae *)r->model, x), y, AG_MEAN);
}

static nn_module *make_deep(const op_case *c)
{
    (void)c;
    return (nn_module *)mlp_ae_new(
        &(mlp_ae_config){.widths = 5, .width = {PIXELS, 1000, 500, 250, 30}, .activation = nn_tanh, .xavier = true});
}

static ag_tensor *deep_loss(zoo_run *r, ag_tensor *x, ag_tensor *y, int i)
{
    (void)y, (void)i;
    return ag_bce_with_logits_loss(mlp_ae_forward((mlp_ae *)r->model, x).reconstruction, x, AG_SUM);
}

static nn_module *make_couplet(const op_case *c)
{
    (void)c;
    return (nn_module *)couplet_vae_new(
        (couplet_vae_config){.characters = CHARACTERS, .length = 10, .width = 64, .latent = 64}, NULL);
}

static ag_tensor *couplet_loss(zoo_run *r, ag_tensor *x, ag_tensor *y, int i)
{
    (void)y, (void)i;
    return couplet_vae_loss(couplet_vae_forward((couplet_vae *)r->model, x), x, 1).total;
}

static nn_module *make_cvae(const op_case *c)
{
    (void)c;
    return (nn_module *)cvae_new((cvae_config){PIXELS, 400, 20, CLASSES});
}

static ag_tensor *cvae_total(zoo_run *r, ag_tensor *x, ag_tensor *y, int i)
{
    (void)i;
    return vae_loss(cvae_forward((cvae *)r->model, x, ag_one_hot(y, CLASSES)), x, 1).total;
}

static nn_module *make_iwae(const op_case *c)
{
    const bool two = option(c, "layers", 1) == 2;
    return (nn_module *)iwae_new((iwae_config){
        .input = PIXELS, .hidden = 200, .latent = two ? 100 : 50, .upper_hidden = 100, .upper = two ? 50 : 0});
}

static ag_tensor *iwae_total(zoo_run *r, ag_tensor *x, ag_tensor *y, int i)
{
    (void)y, (void)i;
    return iwae_loss((iwae *)r->model, x, option(r->c, "k", 1), 1);
}

/* The recipes of flow_vae_mnist: a layer of 400 and 40 numbers, or two of 256 and 128. */
static nn_module *make_flow(const op_case *c)
{
    const bool    deep = option(c, "layers", 1) == 2;
    const int64_t planar = option(c, "planar", 0);
    return (nn_module *)flow_vae_new((flow_vae_config){.input = PIXELS,
                                                       .hidden = deep ? 256 : 400,
                                                       .layers = deep ? 2 : 1,
                                                       .latent = deep ? 128 : 40,
                                                       .flows = planar ? planar : option(c, "iaf", 0),
                                                       .planar = planar > 0});
}

static ag_tensor *flow_total(zoo_run *r, ag_tensor *x, ag_tensor *y, int i)
{
    (void)y, (void)i;
    return flow_vae_loss((flow_vae *)r->model, x, 1).total;
}

static nn_module *make_vq(const op_case *c)
{
    (void)c;
    return (nn_module *)vq_vae_new((vq_vae_config){28, 28, 32, 64, VECTORS, 16, false});
}

static ag_tensor *vq_total(zoo_run *r, ag_tensor *x, ag_tensor *y, int i)
{
    vq_vae *m = (vq_vae *)r->model;
    (void)y, (void)i;
    return vq_vae_loss(m, vq_vae_forward(m, x), x, 0.1, 0.25).total;
}

static nn_module *make_prior(const op_case *c)
{
    (void)c;
    return (nn_module *)pixel_cnn_new((pixel_cnn_config){GRID, GRID, VECTORS, 32, 4});
}

static ag_tensor *prior_loss(zoo_run *r, ag_tensor *x, ag_tensor *y, int i)
{
    (void)y, (void)i;
    return pixel_cnn_loss((pixel_cnn *)r->model, x);
}

static const zoo_model zoo[] = {
    {"adversarial_ae", GREY, make_adversarial, 4, adversarial_loss, adversarial_part, adam},
    {"vae_gan", GREY, make_vae_gan, 3, vae_gan_loss, vae_gan_part, rmsprop},
    {"stacked_ae", GREY, make_stacked, 1, stacked_loss, NULL, sgd},
    {"deep_ae", GREY, make_deep, 1, deep_loss, NULL, adam},
    {"couplet_vae", COUPLETS, make_couplet, 1, couplet_loss, NULL, adam},
    {"cvae", GREY, make_cvae, 1, cvae_total, NULL, adam},
    {"iwae", BINARY, make_iwae, 1, iwae_total, NULL, adam},
    {"flow_vae", BINARY, make_flow, 1, flow_total, NULL, adam},
    {"vq_vae", GREY, make_vq, 1, vq_total, NULL, adam},
    {"pixel_cnn", GRIDS, make_prior, 1, prior_loss, NULL, adam},
};

/* ---- One case. ---- */

static ag_shape batch_shape(batch_kind kind, int64_t n)
{
    return kind == COUPLETS ? AG_SHAPE(n, 10) : kind == GRIDS ? AG_SHAPE(n, GRID, GRID) : AG_SHAPE(n, PIXELS);
}

/* n draws from 0..most, whole ones if asked for. NULL when memory runs out. */
static ag_real *draws(int64_t n, double most, bool whole)
{
    ag_real *x = malloc((size_t)n * sizeof *x);
    ag_rng   rng = {1, (uint64_t)n};
    if (x)
        ag_rng_uniform(&rng, n, 0, (ag_real)most, x);
    for (int64_t i = 0; x && whole && i < n; i++)
        x[i] = (ag_real)(int64_t)x[i];
    return x;
}

static bool zoo_open(zoo_run *r)
{
    const batch_kind kind = r->kind->batch;
    r->shape = batch_shape(kind, r->batch);
    r->tape = ag_tape_new(1);
    r->x = draws(ag_numel(&r->shape),
                 kind == COUPLETS ? CHARACTERS
                 : kind == GRIDS  ? VECTORS
                 : kind == BINARY ? 2
                                  : 1,
                 kind != GREY);
    r->labels = draws(r->batch, CLASSES, true);
    r->model = r->kind->make(r->c);
    nn_reset_parameters(r->model, 1);
    bool ok = r->tape && r->x && r->labels && r->model;
    for (int i = 0; ok && i < r->kind->losses; i++) {
        r->optimizer[i] = r->kind->optimize(r->kind->part ? r->kind->part(r->model, i) : r->model);
        ok = r->optimizer[i] != NULL;
    }
    return ok;
}

static void zoo_close(zoo_run *r)
{
    for (int i = 0; i < MOST_LOSSES; i++)
        nn_optimizer_free(r->optimizer[i]);
    nn_module_free(r->model);
    ag_tape_free(r->tape);
    free(r->x);
    free(r->labels);
}

static void zoo_step(void *run)
{
    zoo_run *r = run;
    for (int i = 0; i < r->kind->losses; i++) {
        ag_tape_reset(r->tape);
        ag_tensor *x = ag_wrap(r->tape, r->shape, r->x), *y = ag_wrap(r->tape, AG_SHAPE(r->batch), r->labels);
        ag_tensor *loss = r->kind->loss(r, x, y, i);
        if (!loss)
            return;
        nn_zero_grad(r->model);
        ag_backward(loss);
        nn_step(r->optimizer[i], r->tape);
    }
}

double time_step(const op_case *c, double seconds)
{
    const char *name = op_text(c, "model", "");
    size_t      i = 0, n = sizeof zoo / sizeof *zoo;
    while (i < n && strcmp(zoo[i].name, name) != 0)
        i++;
    if (strcmp(c->op, "step") != 0 || i == n)
        return OP_UNKNOWN;
    zoo_run r = {.kind = &zoo[i], .c = c, .batch = option(c, "batch", 1)};
    double  us = zoo_open(&r) ? measure(zoo_step, &r, seconds).median : OP_FAILED;
    if (us < 0 || ag_error(r.tape)) {
        fprintf(stderr, "bench: %s: %s\n", c->line, r.tape && ag_error(r.tape) ? ag_error(r.tape) : "out of memory");
        us = OP_FAILED;
    }
    zoo_close(&r);
    return us;
}
