#include "tools/bench/workloads.h"

#include <stdlib.h>
#include <string.h>

#include "models/chunked_vae.h"
#include "models/conv_ae.h"
#include "models/conv_vae.h"
#include "models/denoising_ae.h"
#include "models/mlp_ae.h"
#include "models/mlp_classifier.h"
#include "models/vae.h"

#define BASE(model) ((nn_module *)(model)) /* a model begins with its module; NULL stays NULL */

static nn_module *make_vae(const recipe *r)
{
    return BASE(vae_new((vae_config){r->size[0], r->size[1], r->size[2]}));
}

static nn_module *make_mlp_ae(const recipe *r)
{
    const bool    relu2 = r->id == 'h', tanh3 = r->id == 'd';
    mlp_ae_config c = {.widths = recipe_sizes(r),
                       .activation = tanh3 ? nn_tanh : nn_relu,
                       .activate_code = !relu2 && !tanh3,
                       .output = relu2 ? nn_tanh : nn_sigmoid,
                       .xavier = relu2};
    memcpy(c.width, r->size, sizeof r->size);
    return BASE(mlp_ae_new(&c));
}

static nn_module *make_chunked(const recipe *r)
{
    return BASE(chunked_vae_new((chunked_vae_config){r->size[0], r->size[1], r->size[2], r->size[3]}));
}

static nn_module *make_conv_ae(const recipe *r)
{
    return BASE(conv_ae_new((conv_ae_config){1, r->size[0], r->size[0], r->size[1], r->size[2]}));
}

static nn_module *make_denoising(const recipe *r)
{
    return BASE(denoising_ae_new((denoising_ae_config){
        .channels = 1, .height = 28, .width = 28, .latent = r->size[1], .noise = DENOISING_VECTOR, .level = 0.01}));
}

static nn_module *make_classifier(const recipe *r)
{
    return BASE(mlp_classifier_new((mlp_classifier_config){r->size[0], r->size[1], r->size[2], 0.25}));
}

static nn_module *make_conv_vae(const recipe *r)
{
    return BASE(conv_vae_new((conv_vae_config){1, r->size[0], r->size[0], r->size[1], r->size[2], r->size[3]}));
}

static nn_optimizer *adam(nn_module *m, double lr)
{
    return nn_adam(m, nn_adam_defaults(lr));
}

static nn_optimizer *adagrad(nn_module *m, double lr)
{
    return nn_adagrad(m, (nn_adagrad_options){.lr = lr, .initial_accumulator = 0.1});
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
    {"a vae", 420.1, make_vae, adam, vae_total},
    {"b mlp_ae", 71.0, make_mlp_ae, adam, mlp_ae_error},
    {"c chunked_vae", 70.9, make_chunked, adam, chunked_total},
    {"d mlp_ae 3", 71.4, make_mlp_ae, adam, mlp_ae_error},
    {"e conv_ae", 85.8, make_conv_ae, adam, conv_ae_error},
    {"f denoising_ae", 200.7, make_denoising, adam, denoising_error},
    {"g mlp_classifier", 95.8, make_classifier, adagrad, classifier_entropy},
    {"h mlp_ae 2", 2543.1, make_mlp_ae, adam, mlp_ae_error},
    {"i conv_vae", 2825.9, make_conv_vae, adam, conv_vae_total},
    {0},
};

bool workload_open(workload_run *r, const workload *w, const ds_dataset *data, int64_t batch)
{
    *r = (workload_run){.w = w, .recipe = recipe_of(w->name[0]), .tape = ag_tape_new(1), .data = *data};
    r->model = w->make(r->recipe);
    nn_reset_parameters(r->model, 1);
    r->optimizer = r->model ? w->optimize(r->model, r->recipe->lr) : NULL;
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
    workload_run  *r = run;
    const int64_t *index;
    int64_t        n = ds_batches_next(&r->batches, &index), size = r->data.height * r->data.width;
    if (n < r->batches.size) {
        ds_batches_shuffle(&r->batches, ++r->epoch);
        n = ds_batches_next(&r->batches, &index);
    }
    ag_tape_reset(r->tape);
    ds_images(&r->data, index, n, r->pixels);
    for (int64_t i = 0; r->recipe->use.pixels == TRAIN_SIGNED && i < n * size; i++)
        r->pixels[i] = 2 * r->pixels[i] - 1;
    ag_tensor *x = ag_wrap(r->tape, AG_SHAPE(n, size), r->pixels), *labels = ag_zeros(r->tape, AG_SHAPE(n));
    for (int64_t i = 0; i < n && !ag_error(r->tape); i++)
        labels->data[i] = r->data.labels[index[i]];
    ag_tensor *loss = r->w->loss(r->model, x, labels);
    nn_zero_grad(r->model);
    ag_backward(loss);
    nn_step(r->optimizer, r->tape);
}
