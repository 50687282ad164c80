/* Trains the classifier that the tutorials begin with; metrics.csv has its accuracy. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/mlp_classifier.h"
#include "models/recipes.h"
#include "models/train/draw.h"
#include "models/train/image_program.h"
#include "tools/file.h"
#include "tools/memory.h"

enum { CLASSES = 10, SHOWN = 64 /* mistakes */ };

typedef struct classifier_program {
    int64_t         hidden;
    double          dropout;
    mlp_classifier *model;
    train_optimizer optimizer;
    int64_t         confusion[CLASSES][CLASSES]; /* test images by their digit and by what they were taken for */
} classifier_program;

static bool step(void *context, train_step *s)
{
    classifier_program *p = context;
    train_batch         b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *logits = mlp_classifier_forward(p->model, b.x);
    ag_tensor *entropy = ag_cross_entropy_loss(logits, b.y, AG_MEAN);
    train_report(s, "loss", ag_scale(ag_detach(entropy), (double)b.n));
    train_report_number(s, "accuracy", (double)mlp_classifier_correct(logits, b.y));
    return train_minimize(s, entropy, &p->optimizer);
}

/* The classifier's code is its logits. */
static ag_tensor *encode(void *context, const train_batch *b)
{
    return mlp_classifier_forward(((classifier_program *)context)->model, b->x);
}

/* ---- What is taken for what. ---- */

static int most_likely(const ag_real *logits)
{
    int best = 0;
    for (int i = 1; i < CLASSES; i++)
        best = logits[i] > logits[best] ? i : best;
    return best;
}

/* Counts all test images, and keeps the first that are not recognised; `wrong` has room for SHOWN. False when a pass
 * fails. */
static bool classify_all(classifier_program *p, train_images *m, ag_real *wrong, int64_t *n_wrong)
{
    const int64_t size = m->height * m->width, batch = 500;
    memset(p->confusion, 0, sizeof p->confusion);
    *n_wrong = 0;
    for (int64_t first = 0; first < m->test.count; first += batch) {
        const train_batch b = train_test_images(m, first, batch);
        const ag_tensor  *logits = encode(p, &b);
        if (ag_tensor_error(logits))
            return false;
        for (int64_t i = 0; i < b.n; i++) {
            const int digit = m->test.labels[first + i] % CLASSES, taken = most_likely(logits->data + i * CLASSES);
            p->confusion[digit][taken]++;
            if (digit != taken && *n_wrong < SHOWN)
                memcpy(wrong + (*n_wrong)++ * size, b.x->data + i * size, (size_t)size * sizeof *wrong);
        }
    }
    return true;
}

static bool write_confusion(const classifier_program *p, train_images *m, tl_error *why)
{
    char      path[4200];
    tl_output f;
    if (!train_folder_file(&m->job->folder, "confusion.csv", path, sizeof path, why) || !tl_output_open(&f, path, why))
        return false;
    fputs("digit,0,1,2,3,4,5,6,7,8,9\n", f.stream);
    for (int digit = 0; digit < CLASSES; digit++)
        for (int taken = -1; taken < CLASSES; taken++)
            fprintf(f.stream, "%lld%c", (long long)(taken < 0 ? digit : p->confusion[digit][taken]),
                    taken + 1 < CLASSES ? ',' : '\n');
    return tl_output_close(&f, why);
}

/* mistakes.png: test images that are not recognised. */
static bool draw(void *context, train_images *m, tl_error *why)
{
    classifier_program *p = context;
    const int64_t       size = m->height * m->width;
    int64_t             n = 0;
    ag_real            *wrong = tl_array(SHOWN, size, sizeof *wrong);
    bool                ok = wrong ? classify_all(p, m, wrong, &n) || tl_fail(why, "%s", ag_error(m->job->run.tape))
                                   : tl_fail(why, "out of memory");
    ok = ok && write_confusion(p, m, why);
    if (ok && n > 0)
        ok = train_draw_grid(m, "mistakes.png", "test images that are not recognised",
                             ag_input(train_image_tape(m), AG_SHAPE(n, size), wrong), 16, why);
    free(wrong);
    return ok;
}

static bool show(void *context, train_images *m, tl_page *page, tl_error *why)
{
    const classifier_program *p = context;
    char                      text[2048] = "digit  taken for 0     1     2     3     4     5     6     7     8     9\n";
    (void)m, (void)why;
    int64_t counted = 0;
    for (int digit = 0; digit < CLASSES; digit++) {
        size_t n = strlen(text);
        n += (size_t)snprintf(text + n, sizeof text - n, "%5d        ", digit);
        for (int taken = 0; taken < CLASSES; counted += p->confusion[digit][taken++])
            n += (size_t)snprintf(text + n, sizeof text - n, "%6lld", (long long)p->confusion[digit][taken]);
        snprintf(text + n, sizeof text - n, "\n");
    }
    if (counted == 0)
        return true; /* before the first pictures */
    tl_page_section(page, "Confusion matrix of the test images");
    tl_page_verbatim(page, text);
    return true;
}

/* ---- Options and model. ---- */

static const char *variant(void *context)
{
    return ((classifier_program *)context)->hidden > 0 ? NULL : "softmax";
}

static void defaults(void *context, train_options *o, train_image_use *use)
{
    classifier_program *p = context;
    recipe_defaults(recipe_of('g'), o, use);
    if (p->hidden == 0) {
        o->steps = 1000;
        o->lr = 0.5;
    }
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    return ((classifier_program *)context)->hidden > 0 || !train_given(job, "dropout") ||
           tl_fail(why, "--dropout: softmax regression (--hidden 0) has no hidden layer to drop");
}

/* Adagrad as TensorFlow has it for the hidden layer; plain gradient descent for softmax regression. */
static bool build(void *context, train_images *m, tl_error *why)
{
    classifier_program *p = context;
    const double        lr = m->job->options.lr;
    (void)why;
    m->code = recipe_of('g')->size[2];
    p->model = mlp_classifier_new((mlp_classifier_config){m->height * m->width, p->hidden, m->code, p->dropout});
    nn_module    *model = (nn_module *)p->model;
    nn_optimizer *o = p->hidden > 0 ? nn_adagrad(model, (nn_adagrad_options){.lr = lr, .initial_accumulator = 0.1})
                                    : nn_sgd(model, nn_sgd_defaults(lr));
    train_set_model(m->job, model, &p->optimizer, p->hidden > 0 ? "adagrad" : "sgd", o);
    return true;
}

int main(int argc, char **argv)
{
    classifier_program p = {.hidden = recipe_of('g')->size[1], .dropout = 0.25};
    tl_option          options[] = {
                 {"hidden", TL_INT, &p.hidden, 0, 1e6, "N", "units of the hidden layer; 0: softmax regression", false},
                 {"dropout", TL_REAL, &p.dropout, 0, 1, "P", "dropout of the hidden layer", false},
                 TL_OPTIONS_END,
    };
    return train_image_main(
        argc, argv,
        &(train_image_program){.name = "mlp_classifier_mnist",
                               .about = "Trains a classifier with one hidden layer on images of digits.\n"
                                        "In metrics.csv, accuracy is the share of images whose digit is recognised.",
                               .options = options,
                               .variant = variant,
                               .defaults = defaults,
                               .check = check,
                               .build = build,
                               .step = step,
                               .draw = draw,
                               .show = show,
                               .encode = encode,
                               .context = &p});
}
