/* The trainer of denoising_ae.h. */
#include <math.h>
#include <string.h>

#include "models/denoising_ae.h"

bool denoiser_init(denoiser *d, denoising_ae_config config, double lr, uint64_t seed)
{
    *d = (denoiser){.model = denoising_ae_new(config), .tape = ag_tape_new(seed), .cost = NAN};
    nn_reset_parameters(d->model ? &d->model->base : NULL, seed);
    d->optimizer = nn_adam(d->model ? &d->model->base : NULL, nn_adam_defaults(lr));
    return !denoiser_error(d);
}

void denoiser_free(denoiser *d)
{
    nn_optimizer_free(d->optimizer);
    ag_tape_free(d->tape);
    nn_module_free(d->model ? &d->model->base : NULL);
    *d = (denoiser){.cost = NAN};
}

const char *denoiser_error(const denoiser *d)
{
    const char *error = nn_error(d->model ? &d->model->base : NULL);
    if (!error)
        error = nn_optimizer_error(d->optimizer);
    return error ? error : ag_error(d->tape);
}

/* A fresh pass. */
static ag_tape *begin(denoiser *d, bool training)
{
    ag_tape_reset(d->tape);
    ag_set_training(d->tape, training);
    ag_set_grad_enabled(d->tape, training);
    return d->tape;
}

static ag_tensor *images(denoiser *d, const ag_real *x, int64_t n)
{
    const denoising_ae_config *c = &d->model->config;
    return ag_input(d->tape, AG_SHAPE(n, c->channels * c->height * c->width), x);
}

/* Copies a result out; false when the pass has failed. */
static bool copy(const ag_tensor *t, ag_real *to)
{
    if (ag_tensor_error(t) || !to)
        return false;
    memcpy(to, t->data, (size_t)ag_numel(&t->shape) * sizeof *to);
    return true;
}

double denoiser_partial_fit(denoiser *d, const ag_real *x, int64_t n)
{
    if (!d->model || !begin(d, true))
        return NAN;
    ag_tensor *loss = denoising_ae_loss(d->model, images(d, x, n));
    nn_zero_grad(&d->model->base);
    ag_backward(loss);
    d->cost = ag_item(loss);
    return nn_step(d->optimizer, d->tape) ? d->cost : NAN;
}

double denoiser_total_cost(denoiser *d, const ag_real *x, int64_t n)
{
    return d->model && begin(d, false) ? ag_item(denoising_ae_loss(d->model, images(d, x, n))) : NAN;
}

bool denoiser_transform(denoiser *d, const ag_real *x, int64_t n, ag_real *code)
{
    return d->model && begin(d, false) && copy(denoising_ae_encode(d->model, images(d, x, n)), code);
}

bool denoiser_generate(denoiser *d, const ag_real *code, int64_t n, ag_real *to)
{
    if (!d->model || !begin(d, false))
        return false;
    ag_shape   shape = AG_SHAPE(n, d->model->config.latent);
    ag_tensor *z = code ? ag_input(d->tape, shape, code) : ag_randn(d->tape, shape);
    return copy(denoising_ae_decode(d->model, z), to);
}

bool denoiser_reconstruct(denoiser *d, const ag_real *x, int64_t n, ag_real *to)
{
    return d->model && begin(d, false) && copy(denoising_ae_forward(d->model, images(d, x, n)), to);
}

const ag_tensor *denoiser_weights(const denoiser *d)
{
    return d->model ? nn_parameter_named(&d->model->base, "encoder.0.weight") : NULL;
}

const ag_tensor *denoiser_biases(const denoiser *d)
{
    return d->model ? nn_parameter_named(&d->model->base, "encoder.0.bias") : NULL;
}
