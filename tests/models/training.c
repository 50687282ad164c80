/* 100 training steps of the models against PyTorch, from the same weights, batches and noise:
 * tests/golden/training.txt, made by tests/golden/make_training.py. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/adversarial_ae.h"
#include "models/conv_ae.h"
#include "models/conv_vae.h"
#include "models/couplet_vae.h"
#include "models/flow_vae.h"
#include "models/iwae.h"
#include "models/mlp_ae.h"
#include "models/pixel_cnn.h"
#include "models/recipes.h"
#include "models/stacked_ae.h"
#include "models/vae.h"
#include "models/vae_gan.h"
#include "models/vq_vae.h"
#include "tests/test.h"

#ifdef AG_DOUBLE
#define TOLERANCE 1e-8
#else
#define TOLERANCE 1e-4
#endif

enum { STEPS = 100, BATCH = 16, SEED = 7 };

/* How many of the steps are compared. */
#define COMPARED (SLOW ? 20 : STEPS)

/* The golden values from those of workload `name` on. */
static FILE *golden_of(char name)
{
    char  line[256], wanted[16];
    FILE *f = fopen("tests/golden/training.txt", "r");
    cr_assert(f);
    snprintf(wanted, sizeof wanted, "workload %c\n", name);
    while (fgets(line, sizeof line, f))
        if (!strcmp(line, wanted))
            return f;
    cr_assert(false, "training.txt has no workload %c", name);
    return NULL;
}

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

static void check_training(char name, double lr, int64_t width, int64_t tokens, nn_module *m, loss_fn *loss)
{
    int64_t k = 0;
    FILE   *f = golden_of(name);
    cr_assert(m && !nn_error(m) && nn_visit(m, set_parameter, &k));
    nn_set_ready(m);
    nn_optimizer *adam = nn_adam(m, nn_adam_defaults(lr));
    ag_tape      *tape = ag_tape_new(SEED);
    double        worst = 0;
    for (int64_t t = 0; t < COMPARED; t++) {
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
    fclose(f);
}

static void check_workload(const recipe *r, nn_module *m, loss_fn *loss)
{
    check_training(r->id, r->lr, r->size[0] == 28 ? 28 * 28 : r->size[0], 0, m, loss);
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

static FILE *begin_workload(char name, nn_module *m)
{
    int64_t k = 0;
    cr_assert(m && !nn_error(m) && nn_visit(m, set_parameter, &k));
    nn_set_ready(m);
    return golden_of(name);
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

/* With labels, whose images are those of the batch, four losses a step, else three. */
static void check_adversarial_ae(char name, adversarial_ae_config c)
{
    adversarial_ae  *m = adversarial_ae_new(c);
    ag_tape         *tape = ag_tape_new(SEED);
    nn_adam_options  options = nn_adam_defaults(2e-3);
    nn_module *const parts[] = {m->autoencoder, m->discriminator, m->encoder, m->encoder};
    const int        losses = c.labels > 0 ? 4 : 3;
    nn_optimizer    *adam[4];
    options.beta1 = 0.5;
    FILE *f = begin_workload(name, &m->base);
    for (int i = 0; i < losses; i++)
        adam[i] = nn_adam(parts[i], options);
    for (int64_t t = 0; t < COMPARED; t++) {
        for (int i = 0; i < losses; i++) {
            ag_tape_reset(tape);
            ag_tensor *x = examples(tape, 784, 0, t), *y = labels(tape, t), *loss;
            switch (i) {
            case 0: loss = adversarial_ae_reconstruction(m, x); break;
            case 1:
                loss = adversarial_ae_judge(m, x, y, ag_randn(tape, AG_SHAPE(BATCH, c.labels + c.latent))).loss;
                break;
            case 2: loss = adversarial_ae_deceive(m, x, y); break;
            default: loss = ag_cross_entropy_loss(adversarial_ae_classify(m, x), y, AG_MEAN);
            }
            make_step(f, name, tape, &m->base, adam[i], loss, t);
        }
    }
    for (int i = 0; i < losses; i++)
        nn_optimizer_free(adam[i]);
    ag_tape_free(tape);
    nn_module_free(&m->base);
    fclose(f);
}

Test(training, adversarial_ae_equals_pytorch)
{
    check_adversarial_ae('j', (adversarial_ae_config){784, 32, 8, 10, 0});
}

Test(training, adversarial_ae_with_labels_equals_pytorch)
{
    check_adversarial_ae('y', (adversarial_ae_config){784, 32, 8, 0, 10});
}

Test(training, vae_gan_equals_pytorch)
{
    vae_gan         *m = vae_gan_new((vae_gan_config){784, 32, 8});
    ag_tape         *tape = ag_tape_new(SEED);
    nn_module *const parts[] = {m->encoder, m->discriminator, m->decoder};
    nn_optimizer    *rule[3];
    FILE            *f = begin_workload('k', &m->base);
    for (int i = 0; i < 3; i++)
        rule[i] = nn_rmsprop(parts[i], nn_rmsprop_defaults(1e-3));
    for (int64_t t = 0; t < COMPARED; t++) {
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
    fclose(f);
}

/* ---- A quarter of the steps for each layer, then for all of them as a classifier. ---- */

Test(training, stacked_ae_equals_pytorch)
{
    stacked_ae_config c = {
        .input = 784, .classes = 10, .layers = 3, .width = {40, 30, 20}, .corruption = {0.1, 0.2, 0.3}};
    stacked_ae   *m = stacked_ae_new(&c);
    ag_tape      *tape = ag_tape_new(SEED);
    nn_optimizer *sgd[4];
    FILE         *f = begin_workload('m', &m->base);
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
    fclose(f);
}

static ag_tensor *loss_n(nn_module *m, ag_tensor *x)
{
    return ag_scale(couplet_vae_loss(couplet_vae_forward((couplet_vae *)m, x), x, 1).total, 1.0 / BATCH);
}

static ag_tensor *loss_q(nn_module *m, ag_tensor *x)
{
    return iwae_loss((iwae *)m, x, 3, 1);
}

static ag_tensor *loss_r(nn_module *m, ag_tensor *x)
{
    return iwae_dreg_loss((iwae *)m, x, 3);
}

static ag_tensor *loss_s(nn_module *m, ag_tensor *x)
{
    return flow_vae_loss((flow_vae *)m, x, 1).total;
}

Test(training, flow_vae_equals_pytorch)
{
    flow_vae *m = flow_vae_new((flow_vae_config){784, 32, 2, 6, 2, false});
    nn_reset_parameters(&m->base, 1); /* the masks */
    check_training('s', 2e-4, 784, 0, &m->base, loss_s);
}

Test(training, vae_with_planar_flows_equals_pytorch)
{
    check_training('x', 2e-4, 784, 0, &flow_vae_new((flow_vae_config){784, 32, 1, 6, 3, true})->base, loss_s);
}

Test(training, vae_equals_pytorch)
{
    const recipe *r = recipe_of('a');
    check_workload(r, &vae_new((vae_config){r->size[0], r->size[1], r->size[2]})->base, loss_a);
}

static void check_mlp_ae(char name, nn_module *(*activation)(void), bool activate_code)
{
    const recipe *r = recipe_of(name);
    mlp_ae_config c = {
        .widths = recipe_sizes(r), .activation = activation, .activate_code = activate_code, .output = nn_sigmoid};
    memcpy(c.width, r->size, sizeof r->size);
    check_workload(r, &mlp_ae_new(&c)->base, loss_bd);
}

Test(training, mlp_ae_relu_equals_pytorch)
{
    check_mlp_ae('b', nn_relu, true);
}

Test(training, mlp_ae_tanh_equals_pytorch)
{
    check_mlp_ae('d', nn_tanh, false);
}

Test(training, conv_ae_equals_pytorch)
{
    const recipe *r = recipe_of('e');
    check_workload(r, &conv_ae_new((conv_ae_config){1, r->size[0], r->size[0], r->size[1], r->size[2]})->base, loss_e);
}

Test(training, conv_vae_equals_pytorch)
{
    const recipe   *r = recipe_of('i');
    conv_vae_config c = {1, r->size[0], r->size[0], r->size[1], r->size[2], r->size[3]};
    check_workload(r, &conv_vae_new(c)->base, loss_i);
}

Test(training, couplet_vae_equals_pytorch)
{
    couplet_vae *m = couplet_vae_new((couplet_vae_config){50, 10, 16, 8}, NULL);
    check_training('n', 1e-3, 10, 50, (nn_module *)m, loss_n);
}

Test(training, iwae_equals_pytorch)
{
    check_training('q', 2e-4, 784, 0, &iwae_new((iwae_config){.input = 784, .hidden = 32, .latent = 8})->base, loss_q);
}

Test(training, iwae_with_two_layers_equals_pytorch)
{
    const iwae_config c = {784, 32, 8, NULL, 12, 5};
    check_training('w', 2e-4, 784, 0, &iwae_new(c)->base, loss_q);
}

Test(training, iwae_by_dreg_equals_pytorch)
{
    check_training('r', 2e-4, 784, 0, &iwae_new((iwae_config){.input = 784, .hidden = 32, .latent = 8})->base, loss_r);
}

/* ---- A codebook, moved by its loss or as averages; and the prior of its numbers. ---- */

static const vq_vae_config small_vq_vae = {28, 28, 8, 10, 12, 6, false};

static ag_tensor *loss_t(nn_module *base, ag_tensor *x)
{
    vq_vae *m = (vq_vae *)base;
    return vq_vae_loss(m, vq_vae_forward(m, x), x, 0.1, 0.25).total;
}

Test(training, vq_vae_equals_pytorch)
{
    check_training('t', 1e-3, 784, 0, &vq_vae_new(small_vq_vae)->base, loss_t);
}

Test(training, vq_vae_with_averages_equals_pytorch)
{
    vq_vae_config c = small_vq_vae;
    c.averages = true;
    vq_vae       *m = vq_vae_new(c);
    codebook     *book = (codebook *)m->codebook;
    ag_tape      *tape = ag_tape_new(SEED);
    FILE         *f = begin_workload('u', &m->base);
    nn_optimizer *encoder = nn_adam(m->encoder, nn_adam_defaults(1e-3)),
                 *decoder = nn_adam(m->decoder, nn_adam_defaults(1e-3)),
                 *averages = nn_sgd(m->codebook, (nn_sgd_options){.lr = 0.01, .weight_decay = 1});
    cr_assert(nn_init_constant(book->count, 1));
    for (int64_t t = 0; t < COMPARED; t++) {
        double  wanted;
        ag_real tally[12 * 7];
        ag_tape_reset(tape);
        ag_tensor    *x = examples(tape, 784, 0, t);
        vq_vae_output o = vq_vae_forward(m, x);
        ag_tensor    *loss = vq_vae_loss(m, o, x, 0.1, 0.25).total;
        memcpy(tally, codebook_tally(o.z, o.index, 12)->data, sizeof tally);
        nn_zero_grad(&m->base);
        cr_assert(ag_backward(loss) && nn_step(encoder, tape) && nn_step(decoder, tape), "%s", ag_error(tape));
        cr_assert(fscanf(f, "%lf", &wanted) == 1);
        cr_assert(fabs(ag_item(loss) - wanted) <= TOLERANCE * wanted, "step %d: %.9g, PyTorch %.9g", (int)t,
                  ag_item(loss), wanted);
        ag_tape_reset(tape);
        nn_zero_grad(&m->base);
        loss = codebook_loss(book, ag_input(tape, AG_SHAPE(12, 7), tally));
        cr_assert(ag_backward(loss) && nn_step(averages, tape), "%s", ag_error(tape));
    }
    nn_optimizer_free(encoder);
    nn_optimizer_free(decoder);
    nn_optimizer_free(averages);
    ag_tape_free(tape);
    nn_module_free(&m->base);
    fclose(f);
}

static ag_tensor *loss_v(nn_module *m, ag_tensor *x)
{
    return pixel_cnn_loss((pixel_cnn *)m, ag_reshape(x, AG_SHAPE(-1, 7, 7)));
}

Test(training, pixel_cnn_equals_pytorch)
{
    pixel_cnn *m = pixel_cnn_new((pixel_cnn_config){7, 7, 12, 8, 2});
    nn_reset_parameters(&m->base, 1); /* the masks */
    check_training('v', 1e-3, 49, 12, &m->base, loss_v);
}
