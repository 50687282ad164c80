/* Whether the samples of a conditional VAE help a classifier that has few labelled images: it is trained with them
 * alone, and with as many samples in each batch, of a VAE that was trained on the same few. */
#include <math.h>
#include <stdio.h>

#include "models/cvae.h"
#include "models/mlp_classifier.h"
#include "models/train/draw.h"
#include "models/train/few.h"
#include "models/train/image_program.h"
#include "tools/file.h"
#include "tools/text.h"

enum { CLASSES = TRAIN_DIGITS, LATENT = 20, HIDDEN = 400, CLASSIFIER_HIDDEN = 300, EPOCH = 10000 };
enum { GENERATOR, ALONE, AUGMENTED, PHASES };

typedef struct trio {
    nn_module  base;
    nn_module *generator, *alone, *augmented;
} trio;

typedef struct augmentation_program {
    int64_t         labels;
    bool            around;
    trio           *model;
    train_few       few;
    train_source    source;
    train_phase     phase[PHASES];
    train_optimizer optimizer[PHASES];
} augmentation_program;

/* ---- Steps. ---- */

static bool train_generator(void *context, train_step *s)
{
    augmentation_program *p = context;
    train_batch           b;
    if (!train_load(s, &b))
        return false;
    vae_losses l = vae_loss(cvae_forward((cvae *)p->model->generator, b.x, ag_one_hot(b.y, CLASSES)), b.x, 1);
    train_report(s, "loss", l.total);
    train_report(s, "kld", l.kld);
    return train_minimize(s, l.total, &p->optimizer[GENERATOR]);
}

/* New images of the digits y (N). */
static ag_tensor *new_images(augmentation_program *p, ag_tensor *y)
{
    ag_tensor *z = ag_randn(y->tape, AG_SHAPE(y->shape.dim[0], LATENT));
    return ag_detach(ag_sigmoid(cvae_decode((cvae *)p->model->generator, z, ag_one_hot(y, CLASSES))));
}

/* Images like x (N, pixels): from draws of their codes' posterior. */
static ag_tensor *variants(augmentation_program *p, ag_tensor *x, ag_tensor *y)
{
    return ag_detach(ag_sigmoid(cvae_forward((cvae *)p->model->generator, x, ag_one_hot(y, CLASSES)).logits));
}

/* With as many new images of the same digits in the batch, but not in a test. */
static bool classify(void *context, train_step *s)
{
    augmentation_program *p = context;
    train_batch           b;
    if (!train_load(s, &b))
        return false;
    const int       phase = train_step_phase(s);
    mlp_classifier *m = (mlp_classifier *)(phase == ALONE ? p->model->alone : p->model->augmented);
    if (phase == AUGMENTED && !train_is_test(s)) {
        ag_tensor *made = p->around ? variants(p, b.x, b.y) : new_images(p, b.y);
        b.x = ag_concat(2, (ag_tensor *[]){b.x, made}, 0);
        b.y = ag_concat(2, (ag_tensor *[]){b.y, b.y}, 0);
    }
    ag_tensor   *logits = mlp_classifier_forward(m, b.x), *loss = ag_cross_entropy_loss(logits, b.y, AG_MEAN);
    const double share = (double)b.n / (double)b.y->shape.dim[0];
    train_report(s, "loss", ag_scale(ag_detach(loss), (double)b.n));
    train_report_number(s, "accuracy", share * (double)mlp_classifier_correct(logits, b.y));
    return train_minimize(s, loss, &p->optimizer[phase]);
}

/* ---- What is left at the end. ---- */

/* The last accuracy of a phase on the test images; NaN before it has begun. */
static double last_accuracy(const train_run *run, int phase)
{
    const train_record *last = train_history_last(&run->history, phase);
    return last ? train_sums_get(&last->test, "accuracy") : NAN;
}

static bool write_accuracy(const augmentation_program *p, train_images *m, tl_error *why)
{
    char         path[4200];
    tl_output    out;
    const double alone = last_accuracy(&m->job->run, ALONE), augmented = last_accuracy(&m->job->run, AUGMENTED);
    if (!train_folder_file(&m->job->folder, "accuracy.csv", path, sizeof path, why) || !tl_output_open(&out, path, why))
        return false;
    fprintf(out.stream, "labels,alone,augmented\n%lld,%s,", (long long)p->few.count, TL_NUMBER(alone, 6));
    fprintf(out.stream, "%s\n", TL_NUMBER(augmented, 6));
    if (!m->job->options.quiet && isfinite(alone) && isfinite(augmented))
        printf("test accuracy with %lld labelled images: %.2f %% alone, %.2f %% with samples\n",
               (long long)p->few.count, 100 * alone, 100 * augmented);
    return tl_output_close(&out, why);
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    augmentation_program *p = context;
    ag_tensor            *y = ag_zeros(train_image_tape(m), AG_SHAPE(10 * CLASSES));
    for (int64_t i = 0; i < 10 * CLASSES && !ag_error(y->tape); i++)
        y->data[i] = (ag_real)(i % CLASSES);
    ag_tensor *images = new_images(p, y);
    return train_draw_rows(m, "samples.png", &(tl_labels){"new images of each digit", 0, CLASSES, NULL, train_digits},
                           1, &images, CLASSES, why) &&
           write_accuracy(p, m, why);
}

static ag_tensor *encode(void *context, const train_batch *b)
{
    return mlp_classifier_forward((mlp_classifier *)((augmentation_program *)context)->model->augmented, b->x);
}

/* ---- Options and model. ---- */

static void defaults(void *context, train_options *o, train_image_use *use)
{
    (void)context, (void)use;
    o->batch = 100;
    o->steps = 3000;
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    if (job->options.keep_best)
        return tl_fail(why, "--keep-best: two classifiers are compared here after equally many steps");
    return ((augmentation_program *)context)->labels % CLASSES == 0 ||
           tl_fail(why, "--labels: expected a multiple of ten, as many of each digit");
}

static void set_phases(augmentation_program *p, train_images *m)
{
    static const char *const    names[] = {"generator", "alone", "augmented"};
    static train_step_fn *const steps[] = {train_generator, classify, classify};
    nn_module *const            parts[] = {p->model->generator, p->model->alone, p->model->augmented};
    p->source = train_few_source(&p->few, p->few.count * (EPOCH > p->few.count ? EPOCH / p->few.count : 1));
    for (int i = 0; i < PHASES; i++) {
        p->phase[i] = m->phase;
        p->phase[i].name = names[i];
        p->phase[i].train = &p->source;
        p->phase[i].step = steps[i];
        p->phase[i].sum_loss = steps[i] == train_generator;
        p->optimizer[i] = (train_optimizer){names[i], parts[i],
                                            nn_adam(parts[i], nn_adam_defaults(m->job->options.lr))};
    }
}

static bool build(void *context, train_images *m, tl_error *why)
{
    static const nn_type  type = {.name = "Trio", .size = sizeof(trio)};
    augmentation_program *p = context;
    const int64_t         pixels = m->height * m->width;
    mlp_classifier_config c = {pixels, CLASSIFIER_HIDDEN, CLASSES, 0.25};
    m->code = CLASSES;
    m->job->input.rank = -1; /* no summary: three models */
    m->job->plan.model = (nn_module *)(p->model = nn_new(&type));
    if (!p->model)
        return tl_fail(why, "out of memory");
    NN_CHILD(p->model, generator, (nn_module *)cvae_new((cvae_config){pixels, HIDDEN, LATENT, CLASSES}));
    NN_CHILD(p->model, alone, (nn_module *)mlp_classifier_new(c));
    NN_CHILD(p->model, augmented, (nn_module *)mlp_classifier_new(c));
    if (nn_error(&p->model->base))
        return tl_fail(why, "%s", nn_error(&p->model->base));
    if (!train_few_choose(&p->few, m, p->labels, why))
        return false;
    set_phases(p, m);
    m->job->plan.optimizers = p->optimizer;
    m->job->plan.n_optimizers = PHASES;
    m->job->plan.phases = p->phase;
    m->job->plan.n_phases = PHASES;
    return true;
}

int main(int argc, char **argv)
{
    augmentation_program p = {.labels = 100};
    tl_option            options[] = {
                   {"labels", TL_INT, &p.labels, 10, 1e6, "N", "labelled images to learn from, as many of each digit", false},
                   {"around", TL_FLAG, &p.around, 0, 0, NULL, "samples like the few images, not from the prior", false},
                   TL_OPTIONS_END,
    };
    const int status = train_image_main(
        argc, argv,
        &(train_image_program){
            .name = "augmentation_mnist",
            .about =
                "Trains a conditional VAE on few labelled images, a classifier on the same images, and a classifier\n"
                "on them and as many samples of the VAE. accuracy.csv has the accuracy of both on the test images.",
            .options = options,
            .defaults = defaults,
            .check = check,
            .build = build,
            .step = classify,
            .draw = draw,
            .encode = encode,
            .context = &p});
    train_few_free(&p.few);
    return status;
}
