#include "tools/bench/workloads.h"

#include <stdlib.h>

#include "models/chunked_vae.h"
#include "models/conv_ae.h"
#include "models/conv_vae.h"
#include "models/denoising_ae.h"
#include "models/mlp_ae.h"
#include "models/mlp_classifier.h"
#include "models/vae.h"

#define BASE(model) ((nn_module *)(model)) /* a model begins with its module; NULL stays NULL */

static nn_module *make_vae(void)
{
    return BASE(vae_new((vae_config){784, 400, 20}, 1));
}

static nn_module *make_relu20(void)
{
    return BASE(mlp_ae_new(&(mlp_ae_config){.widths = 4, .width = {784, 256, 64, 20}, .activation = nn_relu,
                                            .activate_code = true, .output = nn_sigmoid}, 1));
}

static nn_module *make_chunked(void)
{
    return BASE(chunked_vae_new((chunked_vae_config){784, 256, 64, 10}, 1));
}

static nn_module *make_tanh3(void)
{
    return BASE(mlp_ae_new(&(mlp_ae_config){.widths = 5, .width = {784, 128, 64, 12, 3}, .activation = nn_tanh,
                                            .output = nn_sigmoid}, 1));
}

static nn_module *make_conv_ae(void)
{
    return BASE(conv_ae_new((conv_ae_config){1, 28, 28, 16, 8}, 1));
}

static nn_module *make_denoising(void)
{
    return BASE(denoising_ae_new((denoising_ae_config){.channels = 1, .height = 28, .width = 28, .latent = 200,
                                                       .noise = DENOISING_VECTOR, .level = 0.01}, 1));
}

static nn_module *make_classifier(void)
{
    return BASE(mlp_classifier_new((mlp_classifier_config){784, 300, 10, 0.25}, 1));
}

static nn_module *make_relu2(void)
{
    return BASE(mlp_ae_new(&(mlp_ae_config){.widths = 4, .width = {784, 1000, 1000, 2}, .activation = nn_relu,
                                            .output = nn_tanh, .xavier = true}, 1));
}

static nn_module *make_conv_vae(void)
{
    return BASE(conv_vae_new((conv_vae_config){1, 28, 28, 32, 64, 32}, 1));
}

static nn_optimizer *adam(nn_module *m)
{
    return nn_adam(m, nn_adam_defaults(1e-3));
}

static nn_optimizer *adagrad(nn_module *m)
{
    return nn_adagrad(m, (nn_adagrad_options){.lr = 0.3, .initial_accumulator = 0.1});
}

static ag_tensor *vae_total(nn_module *m, ag_tensor *x, ag_tensor *labels)
{
    (void)labels;
    return vae_loss(vae_forward((vae *)m, x), x, 1).total;
}

static ag_tensor *chunked_total(nn_module *m, ag_tensor *x, ag_tensor *labels)
{
    (void)labels;
    return chunked_vae_loss(chunked_vae_forward((chunked_vae *)m, x), x, 1).total;
}

static ag_tensor *conv_vae_total(nn_module *m, ag_tensor *x, ag_tensor *labels)
{
    (void)labels;
    return vae_loss(conv_vae_forward((conv_vae *)m, x), x, 1).total;
}

static ag_tensor *mlp_ae_error(nn_module *m, ag_tensor *x, ag_tensor *labels)
{
    (void)labels;
    return mlp_ae_loss(mlp_ae_forward((mlp_ae *)m, x), x, 0);
}

static ag_tensor *conv_ae_error(nn_module *m, ag_tensor *x, ag_tensor *labels)
{
    (void)labels;
    return ag_mse_loss(conv_ae_forward((conv_ae *)m, x), x, AG_MEAN);
}

static ag_tensor *denoising_error(nn_module *m, ag_tensor *x, ag_tensor *labels)
{
    (void)labels;
    return denoising_ae_loss((denoising_ae *)m, x);
}

static ag_tensor *classifier_entropy(nn_module *m, ag_tensor *x, ag_tensor *labels)
{
    return ag_cross_entropy_loss(mlp_classifier_forward((mlp_classifier *)m, x), labels, AG_MEAN);
}

const workload workloads[] = {
    {"a vae", 128, 420.1, make_vae, adam, vae_total, false},
    {"b mlp_ae", 32, 71.0, make_relu20, adam, mlp_ae_error, false},
    {"c chunked_vae", 32, 70.9, make_chunked, adam, chunked_total, false},
    {"d mlp_ae 3", 64, 71.4, make_tanh3, adam, mlp_ae_error, false},
    {"e conv_ae", 128, 85.8, make_conv_ae, adam, conv_ae_error, true},
    {"f denoising_ae", 128, 200.7, make_denoising, adam, denoising_error, false},
    {"g mlp_classifier", 100, 95.8, make_classifier, adagrad, classifier_entropy, false},
    {"h mlp_ae 2", 128, 2543.1, make_relu2, adam, mlp_ae_error, true},
    {"i conv_vae", 128, 2825.9, make_conv_vae, adam, conv_vae_total, false},
    {0},
};

bool workload_open(workload_run *r, const workload *w, const ds_dataset *data, int64_t batch)
{
    *r = (workload_run){.w = w, .model = w->make(), .tape = ag_tape_new(1), .data = *data};
    r->optimizer = r->model ? w->optimize(r->model) : NULL;
    r->pixels = malloc((size_t)(batch * data->height * data->width) * sizeof *r->pixels);
    bool ok = r->optimizer && r->tape && r->pixels && ds_batches_init(&r->batches, data->count, batch, 1);
    if (!ok)
        workload_close(r);
    return ok;
}

void workload_close(workload_run *r)
{
    nn_optimizer_free(r->optimizer);
    nn_module_free(r->model);
    ag_tape_free(r->tape);
    ds_batches_free(&r->batches);
    free(r->pixels);
    *r = (workload_run){0};
}

void workload_step(void *run)
{
    workload_run *r = run;
    const int64_t *index;
    int64_t n = ds_batches_next(&r->batches, &index), size = r->data.height * r->data.width;
    if (n < r->batches.size) {
        ds_batches_shuffle(&r->batches, ++r->epoch);
        n = ds_batches_next(&r->batches, &index);
    }
    ag_tape_reset(r->tape);
    ds_images(&r->data, index, n, r->pixels);
    for (int64_t i = 0; r->w->is_signed && i < n * size; i++)
        r->pixels[i] = 2 * r->pixels[i] - 1;
    ag_tensor *x = ag_wrap(r->tape, AG_SHAPE(n, size), r->pixels), *labels = ag_zeros(r->tape, AG_SHAPE(n));
    for (int64_t i = 0; i < n && !ag_error(r->tape); i++)
        labels->data[i] = r->data.labels[index[i]];
    ag_tensor *loss = r->w->loss(r->model, x, labels);
    nn_zero_grad(r->model);
    ag_backward(loss);
    nn_step(r->optimizer, r->tape);
}
