/* The models: the formulas of the VAE, sizes other than MNIST's, the denoiser's trainer, XOR. */
#include <math.h>

#include "models/chunked_vae.h"
#include "models/conv_ae.h"
#include "models/conv_vae.h"
#include "models/cvae.h"
#include "models/denoising_ae.h"
#include "models/mlp_ae.h"
#include "models/mlp_classifier.h"
#include "models/vae.h"
#include "tests/support/malloc.h"
#include "tests/test.h"

Test(vae, is_its_formulas)
{
    ag_tape *tape = ag_tape_new(4);
    vae     *m = vae_new((vae_config){1, 1, 1});
    nn_reset_parameters(&m->base, 1);
    const char *const zero[] = {"fc1.weight", "fc1.bias", "fc21.weight", "fc22.weight", "fc3.bias", "fc4.bias"};
    for (int i = 0; i < 6; i++)
        nn_init_constant(nn_parameter_named(&m->base, zero[i]), 0);
    nn_init_constant(m->fc3->first_parameter->tensor, 1), nn_init_constant(m->fc4->first_parameter->tensor, 1);
    nn_init_constant(nn_parameter_named(&m->base, "fc21.bias"), 100); /* mu; log 4 makes the deviation 2 */
    nn_init_constant(nn_parameter_named(&m->base, "fc22.bias"), log(4));
    double noise = ag_item(ag_randn(tape, AG_SHAPE(1, 1)));
    ag_tape_rng(tape)->draw = 0;
    ag_tensor *x = ag_full(tape, AG_SHAPE(1, 1), 0.5);
    vae_output out = vae_forward(m, x);
    vae_losses l = vae_loss(out, x, 3);
    cr_assert(fabs(ag_item(out.logits) - (100 + 2 * noise)) < 1e-4);
    cr_assert(fabs(ag_item(l.kld) - (4 + 1e4 - 1 - log(4)) / 2) < 1e-2);
    cr_assert(fabs(ag_item(l.total) - (ag_item(l.bce) + 3 * ag_item(l.kld))) < 1e-2);
    ag_tensor *two = ag_zeros(tape, AG_SHAPE(2, 1));
    cr_assert(fabs(ag_item(vae_loss((vae_output){two, two, two}, two, 1).bce) - 2 * log(2)) < 1e-5,
              "a sum over the batch");
    nn_module_free(&m->base), ag_tape_free(tape);
}

/* Two numbers, of mean divergence 2 and 0.125: with half a nat free, the second lacks 0.375 in each of the two
 * examples, and only it has a gradient. */
Test(models, free_bits)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *mu = ag_requires_grad(ag_input(tape, AG_SHAPE(2, 2), (ag_real[]){2, 0.5, 2, 0.5}));
    vae_code   code = {mu, ag_zeros(tape, AG_SHAPE(2, 2))};
    ag_tensor *lacking = vae_free_bits(vae_divergence(code), 0.5);
    cr_assert(fabs(ag_item(lacking) - 0.75) < 1e-6, "%g", ag_item(lacking));
    cr_assert(ag_backward(lacking));
    check_close("gradient", 4, mu->grad, (const double[]){0, -0.5, 0, -0.5}, 1e-6);
    ag_tape_reset(tape);
    ag_fail(tape, "broken");
    check_error(tape, "broken");
    ag_tape_free(tape);
}

/* ---- Every model on images of 32 x 32 x 3: a few steps bring its loss down. ---- */

typedef ag_tensor *loss_fn(nn_module *m, ag_tensor *x);

static void check_learns(nn_module *m, loss_fn *loss, ag_shape shape)
{
    cr_assert(m && !nn_error(m), "%s", nn_error(m));
    nn_reset_parameters(m, 1);
    nn_optimizer *o = nn_adam(m, nn_adam_defaults(1e-3));
    ag_tape      *tape = ag_tape_new(1);
    double        first = 0, last = 0;
    for (int step = 0; step < 40; step++) {
        if (step == 1)
            malloc_watch(-1);
        ag_tape_reset(tape);
        ag_tensor *x = random_input(tape, shape, 7);
        for (int64_t i = 0; i < ag_numel(&shape); i++)
            x->data[i] = (ag_real)(i / 32 % 2 ? 0.8 : 0.2) + x->data[i] / 100;
        ag_tensor *l = loss(m, x);
        nn_zero_grad(m);
        cr_assert(ag_backward(l) && nn_step(o, tape), "%s", ag_error(tape));
        last = ag_item(l);
        first = step == 0 ? last : first;
    }
    long made = malloc_unwatch();
    cr_assert(made == 0, "%ld calls of malloc after the first step", made);
    cr_assert(last < 0.98 * first, "the loss went from %g to %g", first, last);
    nn_optimizer_free(o);
    ag_tape_free(tape);
    nn_module_free(m);
}

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE };

static ag_tensor *loss_mlp_ae(nn_module *m, ag_tensor *x)
{
    return mlp_ae_loss(mlp_ae_forward((mlp_ae *)m, x), x, 0.1);
}

static ag_tensor *loss_conv_ae(nn_module *m, ag_tensor *x)
{
    ag_tensor *y = conv_ae_forward((conv_ae *)m, x);
    return ag_mse_loss(y, ag_flatten(x, 1, -1), AG_MEAN);
}

static ag_tensor *loss_conv_vae(nn_module *m, ag_tensor *x)
{
    return vae_loss(conv_vae_forward((conv_vae *)m, x), ag_flatten(x, 1, -1), 1).total;
}

static ag_tensor *loss_vae(nn_module *m, ag_tensor *x)
{
    return vae_loss(vae_forward((vae *)m, x), x, 1).total;
}

static ag_tensor *loss_cvae(nn_module *m, ag_tensor *x)
{
    ag_tensor *label = ag_input(x->tape, AG_SHAPE(4), (ag_real[]){2, 0, 1, 2});
    return vae_loss(cvae_forward((cvae *)m, x, ag_one_hot(label, 3)), x, 1).total;
}

static ag_tensor *loss_chunked_vae(nn_module *m, ag_tensor *x)
{
    return chunked_vae_loss(chunked_vae_forward((chunked_vae *)m, x), x, 1).total;
}

static ag_tensor *loss_denoising(nn_module *m, ag_tensor *x)
{
    return denoising_ae_loss((denoising_ae *)m, x);
}

Test(models, other_sizes)
{
    mlp_ae_config mlp = {
        .widths = 3, .width = {PIXELS, 32, 4}, .activation = nn_tanh, .output = nn_sigmoid, .dropout = 0.1};
    check_learns(&mlp_ae_new(&mlp)->base, loss_mlp_ae, AG_SHAPE(4, PIXELS));
    check_learns(&conv_ae_new((conv_ae_config){3, SIDE, SIDE, 6, 4})->base, loss_conv_ae, AG_SHAPE(4, 3, SIDE, SIDE));
    check_learns(&conv_vae_new((conv_vae_config){3, SIDE, SIDE, 4, 6, 5})->base, loss_conv_vae,
                 AG_SHAPE(4, 3, SIDE, SIDE));
    check_learns(&vae_new((vae_config){PIXELS, 32, 4})->base, loss_vae, AG_SHAPE(4, PIXELS));
    check_learns(&cvae_new((cvae_config){PIXELS, 32, 4, 3})->base, loss_cvae, AG_SHAPE(4, PIXELS));
    check_learns(&chunked_vae_new((chunked_vae_config){PIXELS, 32, 16, 4})->base, loss_chunked_vae,
                 AG_SHAPE(4, PIXELS));
    for (int noise = DENOISING_VECTOR; noise <= DENOISING_SALTPEPPER; noise++)
        for (int kind = 0; kind < 3; kind++) {
            denoising_ae_config c = {3, SIDE, SIDE, 12, kind == 1 ? 24 : 0, kind == 2, (denoising_noise)noise, 0.1};
            check_learns(&denoising_ae_new(c)->base, loss_denoising, AG_SHAPE(4, PIXELS));
        }
}

Test(models, refuse_impossible_sizes)
{
    mlp_ae_config none = {.widths = 1};
    nn_module    *bad[] = {&mlp_ae_new(&none)->base,
                           &conv_ae_new((conv_ae_config){1, 28, 0, 6, 4})->base,
                           &conv_ae_new((conv_ae_config){1, 15, 28, 6, 4})->base,
                           &conv_vae_new((conv_vae_config){1, 30, 28, 4, 6, 5})->base,
                           &denoising_ae_new((denoising_ae_config){1, 28, 30, 8, 0, true, DENOISING_MASKING, 0.1})->base,
                           &vae_new((vae_config){0, 5, 2})->base,
                           &cvae_new((cvae_config){4, 5, 0, 3})->base};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect(nn_error(bad[i]), "model %d", (int)i);
        nn_module_free(bad[i]);
    }
}

/* ---- The noises are what they are called. ---- */

Test(models, noises)
{
    ag_tape      *tape = ag_tape_new(3);
    denoising_ae *m = denoising_ae_new((denoising_ae_config){1, 20, 20, 4, 0, false, DENOISING_MASKING, 0.25});
    int           zeros = 0, ones = 0, same = 0;
    ag_tensor    *y = denoising_ae_corrupt(m, ag_full(tape, AG_SHAPE(5, 400), 0.5));
    for (int i = 0; i < 2000; i++)
        zeros += y->data[i] <= 0;
    cr_assert(zeros > 430 && zeros < 570, "masking: %d of 2000", zeros);
    m->config.noise = DENOISING_SALTPEPPER;
    y = denoising_ae_corrupt(m, ag_full(tape, AG_SHAPE(5, 400), 0.5));
    zeros = 0;
    for (int i = 0; i < 2000; i++) {
        zeros += y->data[i] <= 0;
        ones += y->data[i] >= 1;
    }
    cr_assert(zeros > 190 && zeros < 310 && ones > 190 && ones < 310, "salt and pepper: %d and %d of 2000", ones,
              zeros);
    m->config.noise = DENOISING_VECTOR;
    y = denoising_ae_corrupt(m, ag_full(tape, AG_SHAPE(5, 400), 0.5));
    for (int i = 0; i < 400; i++)
        same += !(y->data[i] < y->data[400 + i]) && !(y->data[i] > y->data[400 + i]);
    cr_assert(same == 400, "one vector for all images");
    nn_module_free(&m->base);
    ag_tape_free(tape);
}

/* ---- The denoiser. ---- */

Test(models, denoiser)
{
    enum { N = 6, IMAGE = 64 };
    ag_real  x[N * IMAGE], code[N * 5], again[N * IMAGE];
    denoiser d;
    for (int i = 0; i < N * IMAGE; i++)
        x[i] = (ag_real)(i % 7 < 3 ? 0.9 : 0.1);
    cr_assert(denoiser_init(&d, (denoising_ae_config){1, 8, 8, 5, 0, false, DENOISING_GAUSSIAN, 0.1}, 0.01, 1), "%s",
              denoiser_error(&d));
    double before = denoiser_total_cost(&d, x, N);
    for (int step = 0; step < 60; step++)
        cr_assert(denoiser_partial_fit(&d, x, N) > 0);
    cr_assert(denoiser_total_cost(&d, x, N) < before / 4);
    cr_assert(denoiser_transform(&d, x, N, code) && denoiser_generate(&d, code, N, again));
    ag_real direct[N * IMAGE];
    cr_assert(denoiser_reconstruct(&d, x, N, direct));
    for (int i = 0; i < N * IMAGE; i++)
        cr_assert(fabs((double)(direct[i] - again[i])) < 1e-6);
    cr_assert(denoiser_generate(&d, NULL, N, again) && denoiser_weights(&d)->shape.dim[0] == 5 && denoiser_biases(&d));
    cr_assert(isnan(denoiser_partial_fit(&d, NULL, N)) && denoiser_error(&d) && !denoiser_transform(&d, x, 0, code));
    cr_assert(denoiser_partial_fit(&d, x, N) > 0, "the next pass is a fresh one");
    denoiser_free(&d);
    cr_assert(!denoiser_init(&d, (denoising_ae_config){1, 8, 8, 0, 0, false, DENOISING_GAUSSIAN, 0.1}, 0.01, 1) &&
              denoiser_error(&d));
    denoiser_free(&d);
}

/* ---- XOR, and counting what is right. ---- */

Test(models, xor)
{
    static const ag_real inputs[] = {0, 0, 0, 1, 1, 0, 1, 1}, targets[] = {0, 1, 1, 0};
    nn_module           *net = nn_sequential(nn_linear(2, 8), nn_tanh(), nn_linear(8, 1));
    nn_reset_parameters(net, 1);
    nn_optimizer *adam = nn_adam(net, nn_adam_defaults(0.05));
    ag_tape      *tape = ag_tape_new(1);
    ag_tensor    *y = NULL;
    for (int step = 0; step < 200; step++) {
        ag_tape_reset(tape);
        y = nn_forward(net, ag_input(tape, AG_SHAPE(4, 2), inputs));
        nn_zero_grad(net);
        ag_backward(ag_bce_with_logits_loss(y, ag_input(tape, AG_SHAPE(4, 1), targets), AG_MEAN));
        cr_assert(nn_step(adam, tape), "%s", ag_error(tape));
    }
    for (int i = 0; i < 4; i++)
        cr_assert((y->data[i] > 0) == (targets[i] > 0), "input %d", i);
    nn_optimizer_free(adam);
    nn_module_free(net);
    ag_tape_free(tape);
}

Test(models, classifier)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *logits = ag_input(tape, AG_SHAPE(3, 2), (ag_real[]){1, 2, 5, 3, 0, 0}),
              *labels = ag_input(tape, AG_SHAPE(3), (ag_real[]){1, 1, 0});
    cr_assert(mlp_classifier_correct(logits, labels) == 2 && mlp_classifier_correct(NULL, labels) == 0);
    mlp_classifier *m = mlp_classifier_new((mlp_classifier_config){6, 5, 3, 0.25}),
                   *plain = mlp_classifier_new((mlp_classifier_config){6, 0, 3, 0});
    cr_assert(m && plain && nn_count(&m->base) == 6 * 5 + 5 + 5 * 3 + 3 && nn_count(&plain->base) == 21);
    nn_reset_parameters(&m->base, 1);
    ag_real          largest = 0;
    const ag_tensor *w = nn_parameter_named(&m->base, "layers.0.weight");
    for (int i = 0; i < 30; i++)
        if (w->data[i] > largest)
            largest = w->data[i];
    cr_assert(largest > (ag_real)0.05 && largest <= (ag_real)0.2 &&
              (double)nn_parameter_named(&m->base, "layers.3.weight")->data[0] == 0);
    nn_module_free(&m->base), nn_module_free(&plain->base);
    ag_tape_free(tape);
}

/* Number by number, the KL term of the loss. */
Test(models, divergence_of_a_code)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *mu = ag_randn(tape, AG_SHAPE(3, 4));
    ag_tensor *logvar = ag_randn(tape, AG_SHAPE(3, 4));
    vae_code   code = {mu, logvar};
    ag_tensor *each = vae_divergence(code);
    cr_assert(each->shape.rank == 2 && each->shape.dim[1] == 4, "%s", ag_error(tape));
    const double whole = ag_item(ag_gaussian_kl_loss(code.mu, code.logvar, AG_SUM));
    cr_expect(fabs(ag_item(ag_sum(each, AG_ALL, false)) - whole) < 1e-5 * whole);
    ag_tape_free(tape);
}
