/* Trains a fully connected autoencoder and draws its reconstructions and its codes. */
#include <string.h>

#include "models/mlp_ae.h"
#include "models/recipes.h"
#include "models/train/draw.h"
#include "models/train/image_program.h"

typedef struct mlp_ae_program {
    const char     *variant;
    const recipe   *recipe;
    double          dropout, sparsity;
    mlp_ae         *model;
    train_optimizer adam;
} mlp_ae_program;

/* Reported: the mean squared error, and the share of the code's numbers that are not near zero. */
static bool step(void *context, train_step *s)
{
    mlp_ae_program *p = context;
    train_batch     b;
    if (!train_load(s, &b))
        return false;
    mlp_ae_output out = mlp_ae_forward(p->model, b.x);
    ag_tensor    *active = ag_clamp(ag_scale(ag_abs(out.code), 100), 0, 1); /* 1 from 0.01 on */
    train_report(s, "loss", ag_scale(ag_mse_loss(ag_detach(out.reconstruction), b.x, AG_MEAN), (double)b.n));
    train_report(s, "active", ag_scale(ag_mean(ag_detach(active), AG_ALL, false), (double)b.n));
    return train_minimize(s, mlp_ae_loss(out, b.x, p->sparsity), &p->adam);
}

static ag_tensor *encode(void *context, const train_batch *b)
{
    return nn_forward(((mlp_ae_program *)context)->model->encoder, b->x);
}

static ag_tensor *decode(void *context, ag_tensor *code)
{
    return nn_forward(((mlp_ae_program *)context)->model->decoder, code);
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    (void)context;
    return train_draw_reconstructions(m, why);
}

/* ---- Options and model. ---- */

static const char *variant(void *context)
{
    const mlp_ae_program *p = context;
    return strcmp(p->variant, "relu20") ? p->variant : NULL;
}

static void defaults(void *context, train_options *o, train_image_use *use)
{
    mlp_ae_program *p = context;
    p->recipe = recipe_named("mlp_ae_mnist", p->variant);
    if (p->recipe->batch == 0) /* refused as an option's value; there must be some defaults until then */
        p->recipe = recipe_named("mlp_ae_mnist", "relu20");
    recipe_defaults(p->recipe, o, use);
}

static bool build(void *context, train_images *m, tl_error *why)
{
    mlp_ae_program *p = context;
    const bool      relu2 = !strcmp(p->variant, "relu2"), tanh3 = !strcmp(p->variant, "tanh3");
    nn_adam_options adam = nn_adam_defaults(m->job->options.lr);
    mlp_ae_config   config = {.widths = recipe_sizes(p->recipe),
                              .activation = tanh3 ? nn_tanh : nn_relu,
                              .activate_code = !relu2 && !tanh3,
                              .output = relu2 ? nn_tanh : nn_sigmoid,
                              .xavier = relu2,
                              .dropout = p->dropout};
    (void)why;
    memcpy(config.width, p->recipe->size, sizeof p->recipe->size);
    config.width[0] = m->height * m->width;
    m->code = config.width[config.widths - 1];
    adam.eps = relu2 ? 1e-7 : adam.eps; /* Keras's */
    p->model = mlp_ae_new(&config);
    nn_module *model = (nn_module *)p->model;
    train_set_model(m->job, model, &p->adam, "adam", nn_adam(model, adam));
    return true;
}

int main(int argc, char **argv)
{
    mlp_ae_program p = {.variant = "relu20"};
    tl_option      options[] = {
             {"variant", TL_TEXT, &p.variant, 0, 0, "relu20|tanh3|relu2", "codes of 20, 3 or 2 numbers", false},
             {"dropout", TL_REAL, &p.dropout, 0, 1, "P", "dropout in the encoder", false},
             {"sparsity", TL_REAL, &p.sparsity, 0, 1e6, "L", "weight of the code's mean absolute value in the loss", false},
             TL_OPTIONS_END,
    };
    return train_image_main(
        argc, argv,
        &(train_image_program){
            .name = "mlp_ae_mnist",
            .about = "Trains a fully connected autoencoder on images of digits; draws reconstructions and codes.\n"
                     "In metrics.csv, active is the share of the code's numbers above 0.01 in absolute value.",
            .options = options,
            .variant = variant,
            .defaults = defaults,
            .build = build,
            .step = step,
            .draw = draw,
            .encode = encode,
            .decode = decode,
            .context = &p});
}
