/* Trains the convolutional autoencoder and draws its reconstructions. */
#include <stdio.h>

#include "models/conv_ae.h"
#include "models/draw.h"

typedef struct conv_ae_run {
    train_session s;
    conv_ae      *model;
} conv_ae_run;

static ag_tensor *loss(void *context, const train_batch *batch, ag_tensor **parts)
{
    conv_ae_run *r = context;
    ag_tensor *mse = ag_mse_loss(conv_ae_forward(r->model, batch->x), batch->x, AG_MEAN);
    parts[0] = ag_scale(ag_detach(mse), (double)batch->n);
    return mse;
}

static bool draw(void *context)
{
    conv_ae_run *r = context;
    enum { SHOWN = 64, CODES = 5000 };
    train_session *s = &r->s;
    ag_tensor *x = train_test_images(s, 0, s->test.count < SHOWN ? s->test.count : SHOWN);
    ag_tensor *both[] = {x, conv_ae_forward(r->model, x)};
    if (!draw_rows(s, "reconstructions.png", 2, both, 16))
        return false;
    x = train_test_images(s, 0, s->test.count < CODES ? s->test.count : CODES);
    return draw_tables(s, ag_flatten(conv_ae_encode(r->model, x), 1, -1));
}

static ag_tensor *encode(void *context, ag_tensor *x)
{
    return ag_flatten(conv_ae_encode(((conv_ae_run *)context)->model, x), 1, -1);
}

static ag_tensor *decode(void *context, ag_tensor *code)
{
    return conv_ae_decode(((conv_ae_run *)context)->model, code);
}

static int train(conv_ae_run *r)
{
    r->model = conv_ae_new((conv_ae_config){1, r->s.train.height, r->s.train.width, 16, 8}, r->s.options.seed);
    nn_module *model = r->model ? &r->model->base : NULL;
    return train_model(&r->s, &(train_task){
        .model = model,
        .optimizer = nn_adam(model, nn_adam_defaults(r->s.options.lr)),
        .loss = loss,
        .draw = draw,
        .encode = encode,
        .decode = decode,
        .code = 8 * conv_ae_code_side(r->s.train.height) * conv_ae_code_side(r->s.train.width),
        .context = r,
        .n_parts = 1,
        .part = {"loss"},
    });
}

int main(int argc, char **argv)
{
    conv_ae_run r;
    train_options defaults = {.epochs = 10, .batch = 128, .lr = 1e-3, .seed = 1};
    train_begin(&r.s, argc, argv, "conv_ae_mnist");
    int status = train_open(&r.s, "Trains a convolutional autoencoder on images of digits and draws reconstructions.", NULL,
                            defaults);
    if (status == TRAIN_GO)
        status = train_use(&r.s, (train_data){.pixels = TRAIN_SIGNED});
    if (status == TRAIN_GO)
        status = train(&r);
    return train_close(&r.s, status);
}
