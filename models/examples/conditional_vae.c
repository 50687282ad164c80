/* A conditional VAE (Sohn, Lee, Yan: "Learning structured output representation using deep conditional generative
 * models", 2015): encoder and decoder also see the label, so that it draws the digit it is asked for. The library
 * brings the rest: options, data, progress bar, checkpoints, --resume, pictures.
 *
 *     cc conditional_vae.c $(pkg-config --cflags --libs hourglass) -o conditional_vae
 *     ./conditional_vae --data synthetic --steps 100 --quiet
 *
 * It leaves a row of samples of each digit in runs/conditional_vae/digits.png (ten epochs, without --steps, make them
 * good) and prints:
 *
 *     weights ad4dfe16b2d504c6
 */
#include <models/train/draw.h>
#include <models/train/image_program.h>

enum { PIXELS = 784, CLASSES = 10, LABEL = 16, HIDDEN = 400, LATENT = 20 };

/* ---- The model. ---- */

typedef struct {
    nn_module  base;
    nn_module *label; /* a class to LABEL numbers: a one-hot code and a linear layer in one */
    nn_module *fc1, *mu, *logvar, *fc3, *fc4;
} cvae;

static cvae *cvae_new(void)
{
    static const nn_type type = {.name = "CVAE", .size = sizeof(cvae)};
    cvae                *m = nn_new(&type);
    if (!m)
        return NULL;
    NN_CHILD(m, label, nn_embedding(CLASSES, LABEL));
    NN_CHILD(m, fc1, nn_linear(PIXELS + LABEL, HIDDEN));
    NN_CHILD(m, mu, nn_linear(HIDDEN, LATENT));
    NN_CHILD(m, logvar, nn_linear(HIDDEN, LATENT));
    NN_CHILD(m, fc3, nn_linear(LATENT + LABEL, HIDDEN));
    NN_CHILD(m, fc4, nn_linear(HIDDEN, PIXELS));
    return m;
}

/* Rows x (N, ...) followed by their labels y (N). */
static ag_tensor *with_label(cvae *m, ag_tensor *x, ag_tensor *y)
{
    ag_tensor *both[] = {x, nn_forward(m->label, y)};
    return ag_concat(2, both, 1);
}

static ag_tensor *decode(cvae *m, ag_tensor *z, ag_tensor *y) /* logits (N, PIXELS) */
{
    return nn_forward(m->fc4, ag_relu(nn_forward(m->fc3, with_label(m, z, y))));
}

/* ---- The loss: the evidence lower bound, summed over the batch. ---- */

typedef struct {
    cvae           *model;
    train_optimizer adam;
} program;

static bool step(void *context, train_step *s)
{
    program    *p = context;
    train_batch b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *h = ag_relu(nn_forward(p->model->fc1, with_label(p->model, b.x, b.y)));
    ag_tensor *mu = nn_forward(p->model->mu, h);
    ag_tensor *logvar = nn_forward(p->model->logvar, h);
    ag_tensor *z = ag_add(mu, ag_mul(ag_randn_like(mu), ag_exp(ag_scale(logvar, 0.5))));
    ag_tensor *bce = ag_bce_with_logits_loss(decode(p->model, z, b.y), b.x, AG_SUM);
    ag_tensor *kld = ag_gaussian_kl_loss(mu, logvar, AG_SUM);
    ag_tensor *loss = ag_add(bce, kld);
    train_report(s, "loss", loss);
    train_report(s, "kld", kld);
    return train_minimize(s, loss, &p->adam);
}

/* ---- The program. ---- */

static bool build(void *context, train_images *images, tl_error *why)
{
    program *p = context;
    if (images->height * images->width != PIXELS)
        return tl_fail(why, "images of %d pixels, expected %d", (int)(images->height * images->width), PIXELS);
    nn_module *model = (nn_module *)(p->model = cvae_new());
    train_set_model(images->job, model, &p->adam, "adam", nn_adam(model, nn_adam_defaults(images->job->options.lr)));
    images->phase.sum_loss = true; /* the loss is a sum over the batch, so those of --shards are added */
    images->job->input.rank = -1;  /* no summary: the model takes more than one input */
    return true;
}

static bool draw(void *context, train_images *images, tl_error *why)
{
    enum { COLUMNS = 16 };
    program   *p = context;
    ag_tape   *tape = train_image_tape(images);
    ag_tensor *y = ag_zeros(tape, AG_SHAPE(CLASSES * COLUMNS));
    for (int i = 0; i < CLASSES * COLUMNS && !ag_error(tape); i++)
        y->data[i] = (ag_real)(i / COLUMNS);
    ag_tensor *z = ag_randn(tape, AG_SHAPE(CLASSES * COLUMNS, LATENT));
    ag_tensor *digits = ag_sigmoid(decode(p->model, z, y));
    return train_draw_rows(images, "digits.png", &(tl_labels){"new images of each digit", 10, 0, train_digits, NULL}, 1,
                           &digits, COLUMNS, why);
}

int main(int argc, char **argv)
{
    program p = {.model = NULL};
    return train_image_main(argc, argv,
                            &(train_image_program){
                                .name = "conditional_vae",
                                .about = "Trains a conditional VAE and draws a row of each digit.",
                                .build = build,
                                .step = step,
                                .draw = draw,
                                .context = &p,
                            });
}
