/* Trains the classifier that the tutorials begin with; metrics.csv has its accuracy. */
#include "models/mlp_classifier.h"
#include "models/recipes.h"
#include "models/train/image_program.h"

typedef struct classifier_program {
    int64_t         hidden;
    double          dropout;
    mlp_classifier *model;
    train_optimizer optimizer;
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

/* The classifier's code are the logits. */
static ag_tensor *encode(void *context, const train_batch *b)
{
    return mlp_classifier_forward(((classifier_program *)context)->model, b->x);
}

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
                               .encode = encode,
                               .context = &p});
}
