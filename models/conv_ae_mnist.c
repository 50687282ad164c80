/* Trains the convolutional autoencoder and draws its reconstructions. */
#include "models/conv_ae.h"
#include "models/recipes.h"
#include "models/train/draw.h"
#include "models/train/image_program.h"

typedef struct conv_ae_program {
    conv_ae        *model;
    train_optimizer adam;
} conv_ae_program;

static bool step(void *context, train_step *s)
{
    conv_ae_program *p = context;
    train_batch      b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *mse = ag_mse_loss(conv_ae_forward(p->model, b.x), b.x, AG_MEAN);
    train_report(s, "loss", ag_scale(ag_detach(mse), (double)b.n));
    return train_minimize(s, mse, &p->adam);
}

static ag_tensor *encode(void *context, const train_batch *b)
{
    return ag_flatten(conv_ae_encode(((conv_ae_program *)context)->model, b->x), 1, -1);
}

static ag_tensor *decode(void *context, ag_tensor *code)
{
    return conv_ae_decode(((conv_ae_program *)context)->model, code);
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    (void)context;
    return train_draw_reconstructions(m, why);
}

static void defaults(void *context, train_options *o, train_image_use *use)
{
    (void)context;
    recipe_defaults(recipe_of('e'), o, use);
}

static bool build(void *context, train_images *m, tl_error *why)
{
    conv_ae_program *p = context;
    const int64_t    first = recipe_of('e')->size[1], second = recipe_of('e')->size[2];
    (void)why;
    p->model = conv_ae_new((conv_ae_config){1, m->height, m->width, first, second});
    m->code = second * conv_ae_code_side(m->height) * conv_ae_code_side(m->width);
    nn_module *model = (nn_module *)p->model;
    train_set_model(m->job, model, &p->adam, "adam", nn_adam(model, nn_adam_defaults(m->job->options.lr)));
    return true;
}

int main(int argc, char **argv)
{
    conv_ae_program p = {0};
    return train_image_main(
        argc, argv,
        &(train_image_program){
            .name = "conv_ae_mnist",
            .about = "Trains a convolutional autoencoder on images of digits and draws reconstructions.\n"
                     "In metrics.csv, loss is the mean squared error of a pixel, which goes from -1 to 1.",
            .defaults = defaults,
            .build = build,
            .step = step,
            .draw = draw,
            .encode = encode,
            .decode = decode,
            .context = &p});
}
