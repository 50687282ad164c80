/* 100 training steps of ten models against PyTorch, from the same weights, batches and noise:
 * tests/golden/training.txt, made by tests/golden/make_training.py. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/adversarial_ae.h"
#include "models/conv_ae.h"
#include "models/conv_vae.h"
#include "models/couplet_vae.h"
#include "models/iwae.h"
#include "models/mlp_ae.h"
#include "models/recipes.h"
#include "models/stacked_ae.h"
#include "models/vae.h"
#include "models/vae_gan.h"
#include "tests/test.h"

#ifdef AG_DOUBLE
#define TOLERANCE 1e-8
#else
#define TOLERANCE 1e-4
#endif

enum { STEPS = 100, BATCH = 16, SEED = 7 };

/* Numbers in -1..1 that both sides make. */
static double value(int64_t i, int64_t k)
{
    return (double)((i * 7919 + 1301 * k) % 10007) / 10007 * 2 - 1;
}

static bool set_parameter(void *context, const char *name, nn_parameter *p)
{
    const ag_shape *shape = &p->tensor->shape;
    int64_t        *k = context, n = ag_numel(shape);
    double          bound = shape->rank > 1 ? 1 / sqrt((double)n / (double)shape->dim[0]) : 0.05;
    (void)name;
    if (p->is_buffer)
        return true;
    ++*k;
    for (int64_t i = 0; i < n; i++)
        p->tensor->data[i] = (ag_real)(value(i, *k) * bound);
    return true;
}

typedef ag_tensor *loss_fn(nn_module *m, ag_tensor *x);

/* Examples of step t: images, or with `tokens` above 0 whole numbers below it. */
static ag_tensor *examples(ag_tape *tape, int64_t width, int64_t tokens, int64_t t)
{
    ag_tensor *x = ag_zeros(tape, AG_SHAPE(BATCH, width));
    for (int64_t i = 0; i < BATCH * width; i++)
        x->data[i] = tokens ? (ag_real)((i * 7919 + (int64_t)1301 * 104729 * t) % 10007 % tokens)
                            : (ag_real)((value(i, 104729 * t) + 1) / 2);
    return x;
}

static void check_training(FILE *f, char name, double lr, int64_t width, int64_t tokens, nn_module *m, loss_fn *loss)
{
    char    found[16];
    int64_t k = 0;
    cr_assert(fscanf(f, " workload %15s", found) == 1 && found[0] == name, "expected workload %c", name);
    cr_assert(m && !nn_error(m) && nn_visit(m, set_parameter, &k));
    nn_set_ready(m);
    nn_optimizer *adam = nn_adam(m, nn_adam_defaults(lr));
    ag_tape      *tape = ag_tape_new(SEED);
    double        worst = 0;
    for (int64_t t = 0; t < STEPS; t++) {
        double wanted;
        ag_tape_reset(tape);
        ag_tensor *l = loss(m, examples(tape, width, tokens, t));
        nn_zero_grad(m);
        cr_assert(ag_backward(l) && nn_step(adam, tape), "%s", ag_error(tape));
        cr_assert(fscanf(f, "%lf", &wanted) == 1);
        double error = fabs(ag_item(l) - wanted) / wanted;
        worst = error > worst ? error : worst;
        cr_assert(error <= TOLERANCE, "%c, step %d: %.9g, PyTorch %.9g, relative error %.2g", name, (int)t, ag_item(l),
                  wanted, error);
    }
    cr_expect(worst <= TOLERANCE);
    nn_optimizer_free(adam);
    ag_tape_free(tape);
    nn_module_free(m);
}

static void check_workload(FILE *f, const recipe *r, nn_module *m, loss_fn *loss)
{
    check_training(f, r->id, r->lr, r->size[0] == 28 ? 28 * 28 : r->size[0], 0, m, loss);
}

static ag_tensor *loss_a(nn_module *m, ag_tensor *x)
{
    return vae_loss(vae_forward((vae *)m, x), x, 1).total;
}

static ag_tensor *loss_bd(nn_module *m, ag_tensor *x)
{
    return mlp_ae_loss(mlp_ae_forward((mlp_ae *)m, x), x, 0);
}

static ag_tensor *loss_e(nn_module *m, ag_tensor *x)
{
    x = ag_shift(ag_scale(x, 2), -1);
    return ag_mse_loss(conv_ae_forward((conv_ae *)m, x), x, AG_MEAN);
}

static ag_tensor *loss_i(nn_module *m, ag_tensor *x)
{
    return vae_loss(conv_vae_forward((conv_vae *)m, x), x, 1).total;
}

/* ---- Three losses and three optimizers a step. ---- */

static void begin_workload(FILE *f, char name, nn_module *m)
{
    char    found[16];
    int64_t k = 0;
    cr_assert(fscanf(f, " workload %15s", found) == 1 && found[0] == name, "expected workload %c", name);
    cr_assert(m && !nn_error(m) && nn_visit(m, set_parameter, &k));
    nn_set_ready(m);
}

/* Adversaries amplify the rounding of float: there, only their first steps are compared. */
static void make_step(FILE *f, char name, ag_tape *tape, nn_module *m, nn_optimizer *o, ag_tensor *loss, int64_t t)
{
    double wanted;
    nn_zero_grad(m);
    cr_assert(ag_backward(loss) && nn_step(o, tape), "%s", ag_error(tape));
    cr_assert(fscanf(f, "%lf", &wanted) == 1);
    const int64_t compared = TOLERANCE < 1e-6 || name == 'm' ? STEPS : name == 'j' ? 40 : 1;
    cr_assert(t >= compared || fabs(ag_item(loss) - wanted) <= TOLERANCE * fabs(wanted),
              "%c, step %d: %.9g, PyTorch %.9g", name, (int)t, ag_item(loss), wanted);
}

/* The labels that go with the examples of step t. */
static ag_tensor *labels(ag_tape *tape, int64_t t)
{
    ag_tensor *y = ag_zeros(tape, AG_SHAPE(BATCH));
    for (int64_t n = 0; n < BATCH; n++)
        y->data[n] = (ag_real)((n + t) % 10);
    return y;
}

static void check_adversarial(FILE *f)
{
    adversarial_ae  *m = adversarial_ae_new((adversarial_ae_config){784, 32, 8, 10});
    ag_tape         *tape = ag_tape_new(SEED);
    nn_adam_options  options = nn_adam_defaults(2e-3);
    nn_module *const parts[] = {m->autoencoder, m->discriminator, m->encoder};
    nn_optimizer    *adam[3];
    options.beta1 = 0.5;
    begin_workload(f, 'j', &m->base);
    for (int i = 0; i < 3; i++)
        adam[i] = nn_adam(parts[i], options);
    for (int64_t t = 0; t < STEPS; t++) {
        for (int i = 0; i < 3; i++) {
            ag_tape_reset(tape);
            ag_tensor *x = examples(tape, 784, 0, t), *y = labels(tape, t);
            ag_tensor *loss = i == 0   ? adversarial_ae_reconstruction(m, x)
                              : i == 1 ? adversarial_ae_judge(m, x, y, ag_randn(tape, AG_SHAPE(BATCH, 8))).loss
                                       : adversarial_ae_deceive(m, x, y);
            make_step(f, 'j', tape, &m->base, adam[i], loss, t);
        }
    }
    for (int i = 0; i < 3; i++)
        nn_optimizer_free(adam[i]);
    ag_tape_free(tape);
    nn_module_free(&m->base);
}

static void check_vae_gan(FILE *f)
{
    vae_gan         *m = vae_gan_new((vae_gan_config){784, 32, 8});
    ag_tape         *tape = ag_tape_new(SEED);
    nn_module *const parts[] = {m->encoder, m->discriminator, m->decoder};
    nn_optimizer    *rule[3];
    begin_workload(f, 'k', &m->base);
    for (int i = 0; i < 3; i++)
        rule[i] = nn_rmsprop(parts[i], nn_rmsprop_defaults(1e-3));
    for (int64_t t = 0; t < STEPS; t++) {
        for (int i = 0; i < 3; i++) {
            ag_tape_reset(tape);
            ag_tensor *x = examples(tape, 784, 0, t);
            ag_tensor *loss = i == 0   ? vae_gan_encoder_loss(m, x).encoder
                              : i == 1 ? vae_gan_discriminator_loss(m, x).discriminator
                                       : vae_gan_decoder_loss(m, x, 0.01);
            make_step(f, 'k', tape, &m->base, rule[i], loss, t);
        }
    }
    for (int i = 0; i < 3; i++)
        nn_optimizer_free(rule[i]);
    ag_tape_free(tape);
    nn_module_free(&m->base);
}

/* ---- A quarter of the steps for each layer, then for all of them as a classifier. ---- */

static void check_stacked(FILE *f)
{
    stacked_ae_config c = {
        .input = 784, .classes = 10, .layers = 3, .width = {40, 30, 20}, .corruption = {0.1, 0.2, 0.3}};
    stacked_ae   *m = stacked_ae_new(&c);
    ag_tape      *tape = ag_tape_new(SEED);
    nn_optimizer *sgd[4];
    begin_workload(f, 'm', &m->base);
    for (int i = 0; i < 3; i++)
        sgd[i] = nn_sgd(nn_child_at(m->layers, i), nn_sgd_defaults(0.01));
    sgd[3] = nn_sgd(&m->base, nn_sgd_defaults(0.1));
    for (int64_t t = 0; t < STEPS; t++) {
        const int k = (int)(t * 4 / STEPS);
        ag_tape_reset(tape);
        ag_tensor *x = examples(tape, 784, 0, t);
        ag_tensor *loss = k < 3 ? stacked_ae_layer_loss(m, x, k)
                                : ag_cross_entropy_loss(stacked_ae_forward(m, x), labels(tape, t), AG_MEAN);
        make_step(f, 'm', tape, &m->base, sgd[k], loss, t);
    }
    for (int i = 0; i < 4; i++)
        nn_optimizer_free(sgd[i]);
    ag_tape_free(tape);
    nn_module_free(&m->base);
}

static ag_tensor *loss_n(nn_module *m, ag_tensor *x)
{
    return ag_scale(couplet_vae_loss(couplet_vae_forward((couplet_vae *)m, x), x, 1).total, 1.0 / BATCH);
}

static ag_tensor *loss_q(nn_module *m, ag_tensor *x)
{
    return iwae_loss((iwae *)m, x, 3);
}

static ag_tensor *loss_r(nn_module *m, ag_tensor *x)
{
    return iwae_dreg_loss((iwae *)m, x, 3);
}

Test(training, equals_pytorch)
{
    FILE *f = fopen("tests/golden/training.txt", "r");
    cr_assert(f);
    const recipe *a = recipe_of('a'), *b = recipe_of('b'), *d = recipe_of('d'), *e = recipe_of('e'),
                 *i = recipe_of('i');
    mlp_ae_config relu20 = {
        .widths = recipe_sizes(b), .activation = nn_relu, .activate_code = true, .output = nn_sigmoid};
    mlp_ae_config tanh3 = {.widths = recipe_sizes(d), .activation = nn_tanh, .output = nn_sigmoid};
    memcpy(relu20.width, b->size, sizeof b->size);
    memcpy(tanh3.width, d->size, sizeof d->size);
    check_workload(f, a, &vae_new((vae_config){a->size[0], a->size[1], a->size[2]})->base, loss_a);
    check_workload(f, b, &mlp_ae_new(&relu20)->base, loss_bd);
    check_workload(f, d, &mlp_ae_new(&tanh3)->base, loss_bd);
    check_workload(f, e, &conv_ae_new((conv_ae_config){1, e->size[0], e->size[0], e->size[1], e->size[2]})->base,
                   loss_e);
    conv_vae_config conv = {1, i->size[0], i->size[0], i->size[1], i->size[2], i->size[3]};
    check_workload(f, i, &conv_vae_new(conv)->base, loss_i);
    couplet_vae *couplets = couplet_vae_new((couplet_vae_config){50, 10, 16, 8}, NULL);
    check_training(f, 'n', 1e-3, 10, 50, (nn_module *)couplets, loss_n);
    check_training(f, 'q', 2e-4, 784, 0, &iwae_new((iwae_config){784, 32, 8, NULL})->base, loss_q);
    check_training(f, 'r', 2e-4, 784, 0, &iwae_new((iwae_config){784, 32, 8, NULL})->base, loss_r);
    check_adversarial(f);
    check_vae_gan(f);
    check_stacked(f);
    fclose(f);
}
