/* The importance-weighted autoencoder: its bound where the likelihood is known, and its two gradients. */
#include "models/iwae.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/gradcheck.h"
#include "tests/support/programs.h"
#include "tests/test.h"

enum { N = 3, INPUT = 6, HIDDEN = 5, LATENT = 2, K = 4 };

/* ---- A linear Gaussian model: z ~ N(0, 1), x ~ N(z, 1), so x ~ N(0, 2), and z given x ~ N(x / 2, 1 / 2). ---- */

static double log_normal(double x, double mean, double variance)
{
    return -0.5 * (log(2 * 3.14159265358979323846 * variance) + (x - mean) * (x - mean) / variance);
}

/* The mean over `rows` draws of L_k for x, with codes from N(mean, variance). */
static double linear_bound(double x, double mean, double variance, int64_t rows, int64_t k)
{
    ag_tape   *tape = ag_tape_new(3);
    ag_tensor *w = ag_zeros(tape, AG_SHAPE(rows, k)), *eps = ag_randn(tape, AG_SHAPE(rows, k));
    for (int64_t i = 0; i < rows * k; i++) {
        const double z = mean + sqrt(variance) * (double)eps->data[i];
        w->data[i] = (ag_real)(log_normal(z, 0, 1) + log_normal(x, z, 1) - log_normal(z, mean, variance));
    }
    const double bound = ag_item(ag_mean(iwae_bound(w), AG_ALL, false));
    ag_tape_free(tape);
    return bound;
}

/* With the posterior itself every weight is p(x). */
Test(iwae, bound_is_exact_with_the_posterior)
{
    for (int64_t k = 1; k < 100; k *= 7)
        for (double x = -2; x <= 2; x += 0.5)
            cr_expect(fabs(linear_bound(x, x / 2, 0.5, 10, k) - log_normal(x, 0, 2)) < 2e-6, "x %g, k %d", x, (int)k);
}

/* With another proposal it is below, rises with k, and comes near. */
Test(iwae, bound_rises_to_the_likelihood)
{
    const double x = 1.3, truth = log_normal(x, 0, 2);
    double       before = -INFINITY;
    for (int64_t k = 1; k <= 1000; k *= 10) {
        const double bound = linear_bound(x, 0, 1, 20000 / k + 200, k);
        cr_expect(bound > before && bound < truth + 3e-3, "k %d: %g, before %g, truth %g", (int)k, bound, before,
                  truth);
        before = bound;
    }
    cr_expect(fabs(before - truth) < 3e-3, "%g, expected %g", before, truth);
}

/* ---- Gradients. ---- */

static iwae *model_of(int64_t upper)
{
    static ag_real mean[INPUT] = {0, 0.2f, 0.5f, 0.7f, 1, 0.9f};
    iwae          *m = iwae_new((iwae_config){
                 .input = INPUT, .hidden = HIDDEN, .latent = LATENT, .mean = mean, .upper_hidden = 4, .upper = upper});
    cr_assert(m && !nn_error(&m->base), "%s", nn_error(&m->base));
    nn_reset_parameters(&m->base, 5);
    return m;
}

static iwae *small_model(void)
{
    return model_of(0);
}

static ag_tensor *ones_and_zeros(ag_tape *tape)
{
    ag_tensor *x = ag_zeros(tape, AG_SHAPE(N, INPUT));
    for (int i = 0; i < N * INPUT; i++)
        x->data[i] = (ag_real)(i * 5 % 7 > 3);
    return x;
}

Test(iwae, first_values)
{
    iwae            *m = small_model();
    const ag_tensor *bias = nn_parameter_named(&m->base, "decoder.4.bias");
    const double     wanted[INPUT] = {log(0.001 / 0.999), log(0.25), 0, log(0.7 / 0.3), log(0.999 / 0.001), log(9)};
    check_close("the output's bias", INPUT, bias->data, wanted, 1e-5);
    const ag_tensor *weight = nn_parameter_named(&m->base, "encoder.0.weight");
    for (int i = 0; i < HIDDEN * INPUT; i++)
        cr_expect(fabs((double)weight->data[i]) <= sqrt(6.0 / (HIDDEN + INPUT)));
    nn_module_free(&m->base);
}

#ifdef AG_DOUBLE
/* Against differences: the same noise for every value of a parameter. */
Test(iwae, gradient_is_that_of_the_bound)
{
    iwae       *m = model_of(2);
    ag_tape    *tape = ag_tape_new(9);
    const char *names[] = {"encoder.0.weight",
                           "mu.bias",
                           "logvar.weight",
                           "decoder.0.weight",
                           "decoder.4.bias",
                           "upper.mu.weight",
                           "upper.logvar.bias",
                           "upper.encoder.2.bias",
                           "upper.decoder.0.weight",
                           "upper.prior_mu.bias",
                           "upper.prior_logvar.weight"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ag_tensor *p = nn_parameter_named(&m->base, names[i]);
        double     value[3];
        for (int d = 0; d < 3; d++) {
            const double h = d == 1 ? 1e-5 : d == 2 ? -1e-5 : 0;
            ag_tape_reset(tape);
            *ag_tape_rng(tape) = (ag_rng){9, 0};
            p->data[1] += h;
            ag_tensor *loss = iwae_loss(m, ones_and_zeros(tape), K, 1);
            value[d] = ag_item(loss);
            if (d == 0) {
                nn_zero_grad(&m->base);
                cr_assert(ag_backward(loss), "%s", ag_error(tape));
            }
            p->data[1] -= h;
        }
        const double difference = (value[1] - value[2]) / 2e-5;
        cr_expect(fabs(p->grad[1] - difference) < 1e-8 * fmax(1, fabs(difference)), "%s: %g, by differences %g",
                  names[i], p->grad[1], difference);
    }
    ag_tape_free(tape);
    nn_module_free(&m->base);
}
#endif

/* A second layer that is N(0, 1) whatever the code, and makes N(0, 1) of it, changes nothing. */
Test(iwae, a_second_layer_that_does_nothing)
{
    static const char *const zero[] = {"upper.mu.weight",           "upper.mu.bias",          "upper.logvar.weight",
                                       "upper.logvar.bias",         "upper.prior_mu.weight",  "upper.prior_mu.bias",
                                       "upper.prior_logvar.weight", "upper.prior_logvar.bias"};
    iwae                    *m = model_of(2);
    ag_tape                 *tape = ag_tape_new(9);
    double                   wanted[N * K], apart[N * LATENT];
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++)
        cr_assert(nn_init_constant(nn_parameter_named(&m->base, zero[i]), 0));
    ag_tensor *x = ones_and_zeros(tape);
    vae_code   q = iwae_encode(m, x);
    ag_tensor *z = iwae_sample(q, K), *both = iwae_log_weights(m, x, q, z), *of_both = iwae_divergence(m, q);
    nn_module *upper = m->upper;
    m->upper = NULL;
    ag_tensor *one = iwae_log_weights(m, x, q, z), *of_one = iwae_divergence(m, q);
    m->upper = upper;
    cr_assert(!ag_error(tape), "%s", ag_error(tape));
    for (int i = 0; i < N * K; i++)
        wanted[i] = (double)one->data[i];
    for (int i = 0; i < N * LATENT; i++)
        apart[i] = (double)of_one->data[i];
    check_close("log weights", N * K, both->data, wanted, 1e-6);
    check_close("divergence", N * LATENT, of_both->data, apart, 1e-6);
    REFUSED("two stochastic layers, expected one", iwae_dreg_loss(m, ones_and_zeros(tape), K));
    ag_tape_free(tape);
    nn_module_free(&m->base);
}

/* Codes drawn from a prior whose deviation is exp(-1) around 3. */
Test(iwae, codes_of_the_prior)
{
    iwae    *m = model_of(2);
    ag_tape *tape = ag_tape_new(9);
    nn_init_constant(nn_parameter_named(&m->base, "upper.prior_mu.weight"), 0);
    nn_init_constant(nn_parameter_named(&m->base, "upper.prior_mu.bias"), 3);
    nn_init_constant(nn_parameter_named(&m->base, "upper.prior_logvar.weight"), 0);
    nn_init_constant(nn_parameter_named(&m->base, "upper.prior_logvar.bias"), -2);
    ag_tensor *z = iwae_prior_sample(m, tape, 20000);
    cr_assert(!ag_error(tape) && z->shape.dim[1] == LATENT, "%s", ag_error(tape));
    cr_expect(fabs(ag_item(ag_mean(z, AG_ALL, false)) - 3) < 0.01);
    cr_expect(fabs(ag_item(ag_std(z, AG_ALL, 1, false)) - exp(-1)) < 0.01);
    vae_code     q = {ag_shift(ag_zeros(tape, AG_SHAPE(1, LATENT)), 2), ag_zeros(tape, AG_SHAPE(1, LATENT))};
    const double apart = 0.5 * (exp(2) * (1 + 1) - 1 - 2); /* N(2, 1) from N(3, exp(-2)) */
    cr_expect(fabs((double)iwae_divergence(m, q)->data[1] - apart) < 1e-5, "%s", ag_error(tape));
    ag_tape_free(tape);
    nn_module_free(&m->base);
}

/* Gradients of a parameter by one of the losses, from the same noise. */
static void gradient_of(iwae *m, ag_tensor *(*loss)(iwae *, ag_tensor *, int64_t), const char *name, ag_real *to)
{
    ag_tape *tape = ag_tape_new(9);
    nn_zero_grad(&m->base);
    ag_tensor *l = loss(m, ones_and_zeros(tape), K);
    cr_assert(ag_backward(l), "%s", ag_error(tape));
    const ag_tensor *p = nn_parameter_named(&m->base, name);
    memcpy(to, p->grad, (size_t)ag_numel(&p->shape) * sizeof *to);
    ag_tape_free(tape);
}

static ag_tensor *paper_loss(iwae *m, ag_tensor *x, int64_t k)
{
    return iwae_loss(m, x, k, 1);
}

/* With one sample the loss is a straight line in beta, from the error of the reconstruction to the VAE's loss. */
Test(iwae, beta_weighs_the_prior_and_the_posterior)
{
    iwae  *m = small_model();
    double loss[3];
    for (int i = 0; i < 3; i++) {
        ag_tape *tape = ag_tape_new(4);
        loss[i] = ag_item(iwae_loss(m, ones_and_zeros(tape), 1, i / 2.0));
        ag_tape_free(tape);
    }
    ag_tape   *tape = ag_tape_new(4);
    ag_tensor *x = ones_and_zeros(tape);
    vae_code   q = iwae_encode(m, x);
    ag_tensor *z = iwae_sample(q, 1);
    ag_tensor *logits = ag_reshape(iwae_decode(m, z), x->shape);
    ag_tensor *error = ag_scale(ag_bce_with_logits_loss(logits, x, AG_SUM), 1.0 / (double)x->shape.dim[0]);
    cr_expect(fabs(loss[0] - ag_item(error)) < 1e-5, "%g, expected %g", loss[0], ag_item(error));
    cr_expect(fabs(loss[0] - 2 * loss[1] + loss[2]) < 1e-5 && fabs(loss[0] - loss[2]) > 1e-3, "%g %g %g", loss[0],
              loss[1], loss[2]);
    ag_tape_free(tape);
    nn_module_free(&m->base);
}

/* The decoder's is the same; the encoder's is -1/N sum_i w_i^2 d log w_i / d z_i dz_i / d mu, put together by hand. */
Test(iwae, doubly_reparameterised_gradient)
{
    iwae   *m = small_model();
    ag_real decoder[2][HIDDEN * LATENT], mu[LATENT];
    double  wanted[HIDDEN * LATENT], by_hand[LATENT] = {0};
    gradient_of(m, paper_loss, "decoder.0.weight", decoder[0]);
    gradient_of(m, iwae_dreg_loss, "decoder.0.weight", decoder[1]);
    for (int i = 0; i < HIDDEN * LATENT; i++)
        wanted[i] = (double)decoder[0][i];
    check_close("decoder", HIDDEN * LATENT, decoder[1], wanted, 1e-5);
    gradient_of(m, iwae_dreg_loss, "mu.bias", mu);

    ag_tape   *tape = ag_tape_new(9);
    ag_tensor *x = ones_and_zeros(tape);
    vae_code   q = iwae_encode(m, x), fixed = {ag_detach(q.mu), ag_detach(q.logvar)};
    ag_tensor *z = ag_detach(iwae_sample(fixed, K));
    ag_requires_grad(z);
    ag_tensor *log_w = iwae_log_weights(m, x, fixed, z);
    ag_tensor *w = ag_softmax(log_w, 1);
    cr_assert(ag_backward(ag_sum(log_w, AG_ALL, false)), "%s", ag_error(tape));
    for (int i = 0; i < N * K; i++)
        for (int j = 0; j < LATENT; j++)
            by_hand[j] -= (double)(w->data[i] * w->data[i] * z->grad[i * LATENT + j]) / N;
    check_close("mu", LATENT, mu, by_hand, 1e-5);
    ag_tape_free(tape);
    nn_module_free(&m->base);
}

Test(iwae, bad_input)
{
    ag_tape *tape = ag_tape_new(1);
    iwae    *m = small_model();
    REFUSED("iwae: 0 samples", iwae_loss(m, ones_and_zeros(tape), 0, 1));
    REFUSED("iwae: -1 samples", iwae_dreg_loss(m, ones_and_zeros(tape), -1));
    REFUSED("linear", iwae_loss(m, ag_zeros(tape, AG_SHAPE(N, INPUT + 1)), 2, 1));
    ag_tape_free(tape);
    nn_module_free(&m->base);
}

#ifndef AG_DOUBLE
/* Stages, a file with the likelihood, the same bits for other threads, and after a stop within a stage. */
Test(iwae, program)
{
    static const char options[] = "--hidden 16 --latent 3 --k 2 --stages 3 --nll 30";
    char              whole[64], command[1024];
    make_data();
    snprintf(command, sizeof command, "%s --threads 1 --out @/whole", options);
    cr_assert(run_there("iwae_mnist", command) == 0, "%s", output);
    cr_expect(strstr(output, "stage 3: epoch  9") && strstr(output, "nats by 30 samples"), "%s", output);
    snprintf(whole, sizeof whole, "%s", last_line());
    snprintf(command, sizeof command,
             "%s --data %s/data --batch 64 %s --threads 2 --save-every 1 --out %s/run > /dev/null & "
             "while kill -0 $! && ! [ -s %s/run/checkpoint.safetensors ]; do sleep 0.01; done; kill $!; wait",
             program("iwae_mnist"), folder, options, folder, folder);
    run_command(command, output, sizeof output);
    cr_expect(file_is_there("run/samples.png") && !file_is_there("run/nll.csv"));
    cr_assert(run_there("iwae_mnist", "--resume @/run/checkpoint.safetensors") == 0, "%s", output);
    cr_expect(!strcmp(last_line(), whole), "%s, expected %s", last_line(), whole);
    cr_expect(run_there("iwae_mnist", "--epochs 3") == 2 && strstr(output, "--stages or --steps"), "%s", output);
    cr_expect(file_is_there("whole/nll.csv") && file_is_there("run/nll.csv"));
}

/* After training, one signal ends it. */
Test(iwae, stopped_while_it_estimates)
{
    char command[1024];
    make_data();
    snprintf(
        command, sizeof command,
        "%s --data %s/data --hidden 16 --steps 1 --nll 300000 --quiet --out %s/run & "
        "while kill -0 $! && ! [ -s %s/run/samples.png ]; do sleep 0.01; done; kill $!; wait $!; echo ended with $?",
        program("iwae_mnist"), folder, folder, folder);
    run_command(command, output, sizeof output);
    cr_expect(strstr(output, "ended with 143"), "%s", output);
    cr_expect(file_is_there("run/model.safetensors"));
}
#endif
