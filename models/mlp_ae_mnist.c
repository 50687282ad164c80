/* Trains a fully connected autoencoder and draws its reconstructions and its codes. */
#include <stdio.h>
#include <string.h>

#include "models/draw.h"
#include "models/mlp_ae.h"

/* The tutorials' recipes. */
typedef struct recipe {
    const char     *name;
    mlp_ae_config   model;
    nn_adam_options adam;
    train_data      data;
    int64_t         epochs, steps, batch;
} recipe;

static const recipe recipes[] = {
    {"relu20", {.widths = 4, .width = {784, 256, 64, 20}, .activation = nn_relu, .activate_code = true, .output = nn_sigmoid},
     {1e-3, 0.9, 0.999, 1e-8, 0}, {.pixels = TRAIN_UNIT}, 10, 0, 32},
    {"tanh3", {.widths = 5, .width = {784, 128, 64, 12, 3}, .activation = nn_tanh, .output = nn_sigmoid},
     {5e-3, 0.9, 0.999, 1e-8, 0}, {.pixels = TRAIN_UNIT}, 10, 0, 64},
    {"relu2", {.widths = 4, .width = {784, 1000, 1000, 2}, .activation = nn_relu, .output = nn_tanh, .xavier = true},
     {2e-3, 0.9, 0.999, 1e-7, 0}, {.pixels = TRAIN_SIGNED, .batches = TRAIN_RANDOM}, 1, 100, 128},
};
enum { RECIPES = sizeof recipes / sizeof *recipes };

typedef struct mlp_ae_run {
    train_session s;
    mlp_ae       *model;
    double        sparsity;
} mlp_ae_run;

/* Reported: the mean squared error, and how many numbers of the code are near zero. */
static ag_tensor *loss(void *context, const train_batch *batch, ag_tensor **parts)
{
    mlp_ae_run *r = context;
    mlp_ae_output out = mlp_ae_forward(r->model, batch->x);
    ag_tensor *active = ag_clamp(ag_scale(ag_abs(out.code), 100), 0, 1); /* 1 from 0.01 on */
    parts[0] = ag_scale(ag_mse_loss(ag_detach(out.reconstruction), batch->x, AG_MEAN), (double)batch->n);
    parts[1] = ag_scale(ag_mean(ag_detach(active), AG_ALL, false), (double)batch->n);
    return mlp_ae_loss(out, batch->x, r->sparsity);
}

static bool draw(void *context)
{
    mlp_ae_run *r = context;
    enum { SHOWN = 64, CODES = 5000 };
    train_session *s = &r->s;
    ag_tensor *x = train_test_images(s, 0, s->test.count < SHOWN ? s->test.count : SHOWN);
    ag_tensor *both[] = {x, mlp_ae_forward(r->model, x).reconstruction};
    if (!draw_rows(s, "reconstructions.png", 2, both, 16))
        return false;
    x = train_test_images(s, 0, s->test.count < CODES ? s->test.count : CODES);
    ag_tensor *codes = mlp_ae_forward(r->model, x).code;
    bool plotted = codes->shape.rank < 2 || codes->shape.dim[1] > 3 || draw_codes(s, "codes.png", codes);
    return plotted && draw_tables(s, codes);
}

static ag_tensor *encode(void *context, ag_tensor *x)
{
    return nn_forward(((mlp_ae_run *)context)->model->encoder, x);
}

static ag_tensor *decode(void *context, ag_tensor *code)
{
    return nn_forward(((mlp_ae_run *)context)->model->decoder, code);
}

static int train(mlp_ae_run *r, const recipe *chosen, double dropout)
{
    mlp_ae_config config = chosen->model;
    config.width[0] = r->s.train.height * r->s.train.width;
    config.dropout = dropout;
    r->model = mlp_ae_new(&config, r->s.options.seed);
    nn_module *model = r->model ? &r->model->base : NULL;
    nn_adam_options adam = chosen->adam;
    adam.lr = r->s.options.lr;
    return train_model(&r->s, &(train_task){
        .model = model,
        .optimizer = nn_adam(model, adam),
        .loss = loss,
        .draw = draw,
        .encode = encode,
        .decode = decode,
        .code = config.width[config.widths - 1],
        .context = r,
        .n_parts = 2,
        .part = {"loss", "active"},
    });
}

static const recipe *recipe_named(const char *name)
{
    for (int i = 0; i < RECIPES; i++)
        if (!strcmp(recipes[i].name, name))
            return &recipes[i];
    return NULL;
}

int main(int argc, char **argv)
{
    double dropout = 0;
    mlp_ae_run r = {.sparsity = 0};
    train_begin(&r.s, argc, argv, "mlp_ae_mnist");
    const char *variant = train_peek(&r.s, "variant", "relu20");
    const args_option own[] = {
        {"variant", ARGS_TEXT, &variant, 0, 0, "NAME", "relu20, tanh3 (a code of 3 numbers) or relu2 (of 2)"},
        {"dropout", ARGS_REAL, &dropout, 0, 1, "P", "dropout in the encoder"},
        {"sparsity", ARGS_REAL, &r.sparsity, 0, 1e6, "L", "weight of the code's mean absolute value in the loss"},
        {NULL, ARGS_FLAG, NULL, 0, 0, NULL, NULL},
    };
    const recipe *chosen = recipe_named(variant), *d = chosen ? chosen : &recipes[0];
    train_options defaults = {.epochs = d->epochs, .steps = d->steps, .batch = d->batch, .lr = d->adam.lr, .seed = 1};
    int status = train_open(&r.s, "Trains a fully connected autoencoder on images of digits; draws reconstructions and codes.",
                            own, defaults);
    if (status == TRAIN_GO && !chosen) {
        train_fail(&r.s, "--variant %s: expected relu20, tanh3 or relu2", variant);
        status = TRAIN_USAGE;
    }
    if (status == TRAIN_GO)
        status = train_use(&r.s, chosen->data);
    if (status == TRAIN_GO)
        status = train(&r, chosen, dropout);
    return train_close(&r.s, status);
}
