/* Trains a conditional variational autoencoder and draws the digits that it is asked for. */
#include "models/cvae.h"
#include "models/recipes.h"
#include "models/train/draw.h"
#include "models/train/image_program.h"

typedef struct cvae_program {
    int64_t         hidden, latent, classes, digit, kl_warmup;
    double          beta, free_bits;
    cvae           *model;
    train_optimizer adam;
} cvae_program;

static bool step(void *context, train_step *s)
{
    cvae_program *p = context;
    train_batch   b;
    if (!train_load(s, &b))
        return false;
    const double beta = p->beta * train_rise(s, p->kl_warmup);
    vae_losses   l = vae_loss(cvae_forward(p->model, b.x, ag_one_hot(b.y, p->classes)), b.x, beta);
    if (p->free_bits > 0 && !train_is_test(s))
        l.total = ag_add(l.total, ag_scale(vae_free_bits(vae_divergence(l.code), p->free_bits), beta));
    train_report(s, "loss", l.total);
    train_report(s, "bce", l.bce);
    train_report(s, "kld", l.kld);
    return train_minimize(s, l.total, &p->adam);
}

/* ---- Codes: z, and beside it the digit as a one-hot row. ---- */

static ag_tensor *code_of(const cvae_program *p, ag_tensor *z, ag_tensor *digit)
{
    return ag_concat(2, (ag_tensor *[]){z, ag_one_hot(digit, p->classes)}, 1);
}

static ag_tensor *encode(void *context, const train_batch *b)
{
    cvae_program *p = context;
    ag_tensor    *digit = p->digit < 0 ? b->y : ag_full(b->x->tape, AG_SHAPE(b->n), (double)p->digit);
    if (!digit)
        return ag_fail(b->x->tape, "the images have no labels; --digit N gives all of them one");
    return code_of(p, cvae_encode(p->model, b->x, ag_one_hot(digit, p->classes)).mu, digit);
}

static ag_tensor *decode(void *context, ag_tensor *code)
{
    cvae_program *p = context;
    ag_tensor    *z = ag_slice(code, 1, 0, p->latent), *digit = ag_slice(code, 1, p->latent, p->latent + p->classes);
    return ag_sigmoid(cvae_decode(p->model, z, digit));
}

/* z from N(0, 1), with the digit of --digit or with all of them in turn. */
static ag_tensor *sample(void *context, ag_tape *tape, int64_t n)
{
    cvae_program *p = context;
    ag_tensor    *digit = ag_full(tape, AG_SHAPE(n), (double)p->digit);
    for (int64_t i = 0; i < n && p->digit < 0 && !ag_error(tape); i++)
        digit->data[i] = (ag_real)(i % p->classes);
    return code_of(p, ag_randn(tape, AG_SHAPE(n, p->latent)), digit);
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    cvae_program *p = context;
    ag_tensor    *codes = sample(p, train_image_tape(m), 10 * p->classes), *digits = decode(p, codes);
    return train_draw_rows(m, "samples.png", &(tl_labels){"new images of each digit", 0, 10, NULL, train_digits}, 1,
                           &digits, p->classes, why) &&
           train_draw_reconstructions(m, why);
}

/* ---- Options and model. ---- */

static void defaults(void *context, train_options *o, train_image_use *use)
{
    cvae_program *p = context;
    const recipe *r = recipe_of('o');
    recipe_defaults(r, o, use);
    p->hidden = r->size[1];
    p->latent = r->size[2];
    p->classes = r->size[3];
}

static bool build(void *context, train_images *m, tl_error *why)
{
    cvae_program *p = context;
    (void)why;
    m->code = p->latent + p->classes;
    m->class_at = p->latent;
    m->classes = p->classes;
    m->phase.sum_loss = true;
    m->job->input = AG_SHAPE(m->phase.batch, m->height * m->width + p->classes);
    m->columns = p->digit < 0 ? p->classes : m->columns;
    p->model = cvae_new((cvae_config){m->height * m->width, p->hidden, p->latent, p->classes});
    nn_module *model = (nn_module *)p->model;
    train_set_model(m->job, model, &p->adam, "adam", nn_adam(model, nn_adam_defaults(m->job->options.lr)));
    return true;
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    return ((cvae_program *)context)->digit < 0 || !train_given(job, "score") ||
           tl_fail(why, "--digit: not with --score, whose images are of all digits");
}

int main(int argc, char **argv)
{
    cvae_program p = {.beta = 1, .digit = -1};
    tl_option    options[] = {
           {"hidden", TL_INT, &p.hidden, 1, 1e6, "N", "units of the hidden layers", false},
           {"latent", TL_INT, &p.latent, 1, 1e6, "N", "numbers in z", false},
           {"beta", TL_REAL, &p.beta, 0, 1e6, "X", "weight of the KL term", false},
           {"kl-warmup", TL_INT, &p.kl_warmup, 0, 1e9, "N", "steps over which the KL term's weight rises to --beta",
            false},
           {"free-bits", TL_REAL, &p.free_bits, 0, 1e6, "X",
            "nats of KL divergence, for each number of the code, that are not penalised", false},
           TL_OPTIONS_END,
    };
    tl_option uses[] = {
        {"digit", TL_INT, &p.digit, 0, 9, "N", "  the digit to draw, or of a file's images; else all", false},
        TL_OPTIONS_END,
    };
    const train_image_program program = {
        .name = "cvae_mnist",
        .about = "Trains a conditional variational autoencoder on images of digits and draws digits of each kind.",
        .options = options,
        .uses = uses,
        .defaults = defaults,
        .check = check,
        .build = build,
        .step = step,
        .draw = draw,
        .encode = encode,
        .decode = decode,
        .sample = sample,
        .context = &p};
    return train_image_main(argc, argv, &program);
}
