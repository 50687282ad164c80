/* Trains the classifier; metrics.csv has its accuracy. */
#include <stdio.h>
#include <string.h>

#include "models/mlp_classifier.h"
#include "models/train.h"

typedef struct classifier_run {
    train_session   s;
    mlp_classifier *model;
} classifier_run;

static ag_tensor *loss(void *context, const train_batch *batch, ag_tensor **parts)
{
    classifier_run *r = context;
    ag_tensor *logits = mlp_classifier_forward(r->model, batch->x);
    ag_tensor *entropy = ag_cross_entropy_loss(logits, batch->labels, AG_MEAN);
    parts[0] = ag_scale(ag_detach(entropy), (double)batch->n);
    parts[1] = ag_scalar(entropy->tape, (double)mlp_classifier_correct(logits, batch->labels));
    return entropy;
}

/* Of a classifier, --encode gives the logits. */
static ag_tensor *encode(void *context, ag_tensor *x)
{
    return mlp_classifier_forward(((classifier_run *)context)->model, x);
}

/* Adagrad as TensorFlow has it for the hidden layer; plain gradient descent for softmax regression. */
static nn_optimizer *make_optimizer(nn_module *model, double lr, bool hidden)
{
    if (!hidden)
        return nn_sgd(model, nn_sgd_defaults(lr));
    return nn_adagrad(model, (nn_adagrad_options){.lr = lr, .initial_accumulator = 0.1});
}

static int train(classifier_run *r, mlp_classifier_config config)
{
    config.input = r->s.train.height * r->s.train.width;
    r->model = mlp_classifier_new(config, r->s.options.seed);
    nn_module *model = r->model ? &r->model->base : NULL;
    return train_model(&r->s, &(train_task){
        .model = model,
        .optimizer = make_optimizer(model, r->s.options.lr, config.hidden > 0),
        .loss = loss,
        .encode = encode,
        .context = r,
        .n_parts = 2,
        .part = {"loss", "accuracy"},
    });
}

int main(int argc, char **argv)
{
    mlp_classifier_config config = {.hidden = 300, .classes = 10, .dropout = 0.25};
    classifier_run r;
    train_begin(&r.s, argc, argv, "mlp_classifier_mnist");
    const args_option own[] = {
        {"hidden", ARGS_INT, &config.hidden, 0, 1e6, "N", "units of the hidden layer; 0: softmax regression"},
        {"dropout", ARGS_REAL, &config.dropout, 0, 1, "P", "dropout of the hidden layer"},
        {NULL, ARGS_FLAG, NULL, 0, 0, NULL, NULL},
    };
    bool regression = !strcmp(train_peek(&r.s, "hidden", "300"), "0");
    train_options defaults = {.steps = regression ? 1000 : 3000, .batch = 100, .lr = regression ? 0.5 : 0.3, .seed = 1,
                              .encodes_only = true};
    int status = train_open(&r.s, "Trains a classifier with one hidden layer on images of digits.", own, defaults);
    if (status == TRAIN_GO)
        status = train_use(&r.s, (train_data){.last = 55000});
    if (status == TRAIN_GO)
        status = train(&r, config);
    return train_close(&r.s, status);
}
