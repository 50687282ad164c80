/* Trains a deep sigmoid classifier after its layers were pre-trained as denoising autoencoders, and the same one
 * without; or, with --deep, the deep autoencoder of the same idea. */
#include <math.h>
#include <stdio.h>

#include "models/mlp_ae.h"
#include "models/mlp_classifier.h"
#include "models/stacked_ae.h"
#include "models/train/draw.h"
#include "models/train/image_program.h"
#include "tools/file.h"
#include "tools/text.h"

/* Phases and optimizers: one of each layer, then the fine-tuning, then the network that was not pre-trained. */
enum { LAYERS = 3, FINE_TUNING = LAYERS, PLAIN, PHASES };

/* The network that is pre-trained, and the one to compare it with. */
typedef struct pair {
    nn_module  base;
    nn_module *pretrained, *plain;
} pair;

typedef struct stacked_program {
    bool            deep, only_plain, in_pieces; /* a batch is computed in several: none has the gradient of it */
    int64_t         hidden, pretrain_epochs;
    double          pretrain_lr;
    pair           *pair;
    mlp_ae         *autoencoder;
    train_optimizer optimizer[PHASES];
    train_phase     phase[PHASES];
} stacked_program;

/* ---- Steps. ---- */

static stacked_ae *network(const stacked_program *p, bool plain)
{
    return (stacked_ae *)(plain ? p->pair->plain : p->pair->pretrained);
}

static bool pretrain(void *context, train_step *s)
{
    stacked_program *p = context;
    train_batch      b;
    if (!train_load(s, &b))
        return false;
    const int  layer = train_step_phase(s);
    ag_tensor *loss = stacked_ae_layer_loss(network(p, false), b.x, layer);
    train_report(s, "loss", ag_scale(ag_detach(loss), (double)b.n));
    return train_minimize(s, loss, &p->optimizer[layer]);
}

/* The norm of each layer's gradient: small ones at the bottom learn little. */
static bool report_gradients(train_step *s, stacked_ae *m, int64_t n)
{
    for (int i = 0; i <= LAYERS; i++) {
        char       name[TRAIN_METRIC_NAME];
        nn_module *layer = i < LAYERS ? nn_child_at(m->layers, i) : m->output;
        snprintf(name, sizeof name, "gradient%d", i + 1);
        train_report_number(s, name, nn_clip_grad_norm(layer, INFINITY) * (double)n);
    }
    return !ag_error(train_tape(s));
}

static bool classify(void *context, train_step *s)
{
    stacked_program *p = context;
    train_batch      b;
    if (!train_load(s, &b))
        return false;
    const int   phase = train_step_phase(s);
    stacked_ae *m = network(p, phase == PLAIN);
    ag_tensor  *logits = stacked_ae_forward(m, b.x), *loss = ag_cross_entropy_loss(logits, b.y, AG_MEAN);
    train_report(s, "loss", ag_scale(ag_detach(loss), (double)b.n));
    train_report_number(s, "error", (double)(b.n - mlp_classifier_correct(logits, b.y)));
    if (!train_minimize(s, loss, &p->optimizer[phase]))
        return false;
    return train_is_test(s) || p->in_pieces || report_gradients(s, m, b.n);
}

/* Learns by cross entropy, and reports the error that Hinton and Salakhutdinov give: squared, summed over an image. */
static bool autoencode(void *context, train_step *s)
{
    stacked_program *p = context;
    train_batch      b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *logits = mlp_ae_forward(p->autoencoder, b.x).reconstruction;
    ag_tensor *loss = ag_bce_with_logits_loss(logits, b.x, AG_SUM);
    train_report(s, "loss", loss);
    train_report(s, "mse", ag_mse_loss(ag_sigmoid(ag_detach(logits)), b.x, AG_SUM));
    return train_minimize(s, ag_scale(loss, 1.0 / (double)b.n), &p->optimizer[0]);
}

/* ---- What is left at the end. ---- */

static bool test_error(const stacked_program *p, train_images *m, bool plain, double *error, tl_error *why)
{
    const int64_t most = 500;
    int64_t       correct = 0;
    for (int64_t first = 0; first < m->test.count; first += most) {
        train_batch b = train_test_images(m, first, most);
        correct += mlp_classifier_correct(stacked_ae_forward(network(p, plain), b.x), b.y);
        if (ag_error(b.x->tape))
            return tl_fail(why, "%s", ag_error(b.x->tape));
    }
    *error = 1 - (double)correct / (double)m->test.count;
    return true;
}

static bool write_errors(const double *error, const char *path, tl_error *why)
{
    tl_output out;
    if (!tl_output_open(&out, path, why))
        return false;
    fprintf(out.stream, "pretrained,plain\n%s,", TL_NUMBER(error[0], 4));
    fprintf(out.stream, "%s\n", TL_NUMBER(error[1], 4));
    return tl_output_close(&out, why);
}

/* What units of the first layer look for: their weights as images, each from its least to its greatest. */
static bool draw_filters(const stacked_program *p, train_images *m, tl_error *why)
{
    enum { SHOWN = 128, COLUMNS = 16 };
    const int64_t    pixels = m->height * m->width;
    const ag_tensor *weight = nn_parameter_named(&network(p, p->only_plain)->base, "layers.0.linear.weight");
    const int64_t    n = weight->shape.dim[0] < SHOWN ? weight->shape.dim[0] : SHOWN;
    ag_tensor       *filters = ag_input(train_image_tape(m), AG_SHAPE(n, pixels), weight->data);
    for (int64_t i = 0; i < n && !ag_error(filters->tape); i++) {
        ag_real *w = filters->data + i * pixels, low = w[0], high = w[0];
        for (int64_t k = 1; k < pixels; k++) {
            low = w[k] < low ? w[k] : low;
            high = w[k] > high ? w[k] : high;
        }
        for (int64_t k = 0; k < pixels; k++)
            w[k] = high > low ? (w[k] - low) / (high - low) : 0;
    }
    return train_draw_grid(m, "filters.png", "what units of the first layer weigh", filters, COLUMNS, why);
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    stacked_program     *p = context;
    const train_history *h = &m->job->run.history;
    char                 path[4200];
    double               error[2];
    if (p->deep)
        return train_draw_reconstructions(m, why);
    error[0] = error[1] = NAN; /* of a network that is not there, or not trained yet */
    if (!draw_filters(p, m, why) || (train_history_last(h, FINE_TUNING) && !test_error(p, m, false, &error[0], why)) ||
        (train_history_last(h, PLAIN) && !test_error(p, m, true, &error[1], why)) ||
        !train_folder_file(&m->job->folder, "errors.csv", path, sizeof path, why) || !write_errors(error, path, why))
        return false;
    if (!m->job->options.quiet && isfinite(error[0]) && isfinite(error[1]))
        printf("test error: %.2f %% pre-trained, %.2f %% without\n", 100 * error[0], 100 * error[1]);
    else if (!m->job->options.quiet && isfinite(error[1]))
        printf("test error: %.2f %% without pre-training\n", 100 * error[1]);
    return true;
}

/* The classifier's code is what its last hidden layer says. */
static ag_tensor *encode(void *context, const train_batch *b)
{
    stacked_program *p = context;
    return p->deep ? mlp_ae_forward(p->autoencoder, b->x).code
                   : stacked_ae_encode(network(p, p->only_plain), b->x, LAYERS);
}

static ag_tensor *decode(void *context, ag_tensor *code)
{
    stacked_program *p = context;
    return p->deep ? ag_sigmoid(nn_forward(p->autoencoder->decoder, code))
                   : ag_fail(code->tape, "a classifier decodes nothing; the autoencoder of --deep does");
}

/* ---- Options and model. ---- */

static const char *variant(void *context)
{
    const stacked_program *p = context;
    return p->deep ? "deep" : p->only_plain ? "plain" : NULL;
}

static void defaults(void *context, train_options *o, train_image_use *use)
{
    stacked_program *p = context;
    use->held_out = p->deep ? 0 : 6; /* the test images are for the end */
    o->batch = p->deep ? 64 : 50;
    o->epochs = p->deep ? 50 : 25;
    o->lr = p->deep ? 5e-4 : 1;
    o->schedule = "linear";
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    static const char *const own[] = {"pretrain-epochs", "pretrain-lr", "hidden", "plain"};
    enum { PRETRAINING = 2, OWN = 4 }; /* how many are of pre-training, and in all */
    const stacked_program *p = context;
    for (int i = 0; i < OWN; i++)
        if (p->deep && train_given(job, own[i]))
            return tl_fail(why, "--%s: not with --deep, whose layers are 784-1000-500-250-30, trained together",
                           own[i]);
    for (int i = 0; i < PRETRAINING; i++)
        if (p->only_plain && train_given(job, own[i]))
            return tl_fail(why, "--%s: not with --plain, which pre-trains nothing", own[i]);
    return p->deep || p->only_plain || !job->options.keep_best ||
           tl_fail(
               why,
               "--keep-best: only with --deep or --plain; else two networks are compared after equally many epochs");
}

/* Its decoder gives logits. */
static bool build_deep(stacked_program *p, train_images *m)
{
    const mlp_ae_config c = {
        .widths = 5, .width = {m->height * m->width, 1000, 500, 250, 30}, .activation = nn_tanh, .xavier = true};
    m->code = 30;
    m->phase.step = autoencode;
    p->autoencoder = mlp_ae_new(&c);
    nn_module *model = (nn_module *)p->autoencoder;
    train_set_model(m->job, model, &p->optimizer[0], "adam", nn_adam(model, nn_adam_defaults(m->job->options.lr)));
    return true;
}

/* A rate of pre-training is that of a single example: the loss is a mean over the batch. */
static void set_optimizers(stacked_program *p, const train_options *o)
{
    static const char *const names[] = {"layer1", "layer2", "layer3", "fine-tuning", "plain"};
    for (int i = 0; i < PHASES; i++) {
        nn_module   *part = i < LAYERS         ? nn_child_at(network(p, false)->layers, i)
                            : i == FINE_TUNING ? p->pair->pretrained
                                               : p->pair->plain;
        const double lr = i < LAYERS ? p->pretrain_lr * (double)o->batch : o->lr;
        p->optimizer[i] = (train_optimizer){names[i], part, nn_sgd(part, nn_sgd_defaults(lr))};
    }
}

static void set_phases(stacked_program *p, train_images *m)
{
    static const char *const names[] = {"layer 1", "layer 2", "layer 3", "fine-tuning", "without pre-training"};
    for (int i = 0; i < PHASES; i++) {
        p->phase[i] = m->phase;
        p->phase[i].name = names[i];
        p->phase[i].step = i < LAYERS ? pretrain : classify;
        if (i < LAYERS)
            p->phase[i].steps = 0;
        if (i < LAYERS)
            p->phase[i].epochs = p->pretrain_epochs;
        if (p->only_plain && i < PLAIN)
            p->phase[i].steps = p->phase[i].epochs = 0;
    }
}

static bool build(void *context, train_images *m, tl_error *why)
{
    static const nn_type type = {.name = "Pair", .size = sizeof(pair)};
    stacked_program     *p = context;
    if (p->deep)
        return build_deep(p, m);
    const stacked_ae_config c = {.input = m->height * m->width,
                                 .classes = 10,
                                 .layers = LAYERS,
                                 .width = {p->hidden, p->hidden, p->hidden},
                                 .corruption = {0.1, 0.2, 0.3}};
    m->code = p->hidden;
    m->encodes_only = true;
    m->job->input.rank = -1; /* no summary: two networks */
    m->job->plan.model = (nn_module *)(p->pair = nn_new(&type));
    if (!p->pair)
        return tl_fail(why, "out of memory");
    NN_CHILD(p->pair, pretrained, (nn_module *)stacked_ae_new(&c));
    NN_CHILD(p->pair, plain, (nn_module *)stacked_ae_new(&c));
    if (nn_error(&p->pair->base))
        return tl_fail(why, "%s", nn_error(&p->pair->base));
    p->in_pieces = m->job->options.shards > 1 || m->job->options.accumulate > 1;
    set_optimizers(p, &m->job->options);
    set_phases(p, m);
    m->job->plan.optimizers = p->optimizer;
    m->job->plan.n_optimizers = PHASES;
    m->job->plan.phases = p->phase;
    m->job->plan.n_phases = PHASES;
    return true;
}

int main(int argc, char **argv)
{
    stacked_program p = {.hidden = 1000, .pretrain_epochs = 15, .pretrain_lr = 0.001};
    tl_option       options[] = {
              {"deep", TL_FLAG, &p.deep, 0, 0, NULL, "the autoencoder 784-1000-500-250-30 in place of a classifier", false},
              {"hidden", TL_INT, &p.hidden, 1, 1e5, "N", "units of each of the three layers", false},
              {"pretrain-epochs", TL_INT, &p.pretrain_epochs, 0, 1e6, "N", "epochs that each layer is pre-trained", false},
              {"pretrain-lr", TL_REAL, &p.pretrain_lr, 0, 1e3, "X", "learning rate of pre-training, for one example", false},
              {"plain", TL_FLAG, &p.only_plain, 0, 0, NULL, "only the network that is not pre-trained", false},
              TL_OPTIONS_END,
    };
    return train_image_main(
        argc, argv,
        &(train_image_program){
            .name = "stacked_ae_mnist",
            .about =
                "Pre-trains the layers of a classifier as denoising autoencoders, one after the other, and fine-tunes it;\n"
                "then trains the same network without. metrics.csv has the loss and the error on a sixth of the training\n"
                "images, kept apart, and the norm of each layer's gradient; errors.csv the errors on the test images.\n"
                "--epochs and --steps are those of the classifiers, --pretrain-epochs those of each layer.",
            .options = options,
            .variant = variant,
            .defaults = defaults,
            .check = check,
            .build = build,
            .step = classify,
            .draw = draw,
            .encode = encode,
            .decode = decode,
            .context = &p});
}
