#define _POSIX_C_SOURCE 200809L
#include "models/train/classifier_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "models/train/images_internal.h"
#include "tools/text.h"

enum { BATCH = 128, EPOCHS = 4, SEED = 1 };

/* ---- The model. ---- */

ag_tensor *train__classifier_features(train_classifier *c, ag_tensor *x)
{
    return nn_forward(c->features, ag_reshape(x, AG_SHAPE(-1, 1, c->height, c->width)));
}

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    train_classifier *c = (train_classifier *)m;
    return nn_forward(c->output, train__classifier_features(c, x));
}

static train_classifier *classifier_new(int64_t height, int64_t width)
{
    static const nn_type type = {.name = "Classifier", .size = sizeof(train_classifier), .forward = forward};
    train_classifier    *c = nn_new(&type);
    if (!c)
        return NULL;
    c->height = height;
    c->width = width;
    NN_CHILD(c, features,
             nn_sequential(nn_conv2d(1, 16, 3, 1, 1), nn_batch_norm2d(16), nn_relu(), nn_max_pool2d(2, 2),
                           nn_conv2d(16, 32, 3, 1, 1), nn_batch_norm2d(32), nn_relu(), nn_max_pool2d(2, 2),
                           nn_flatten(), nn_linear(32 * (height / 4) * (width / 4), TRAIN_FEATURES), nn_relu()));
    NN_CHILD(c, output, nn_sequential(nn_dropout(0.2), nn_linear(TRAIN_FEATURES, TRAIN_CLASSES)));
    return c;
}

/* ---- Its training: a run of its own. ---- */

typedef struct training {
    train_classifier *model;
    train_optimizer   adam;
} training;

static bool step(void *context, train_step *s)
{
    training   *t = context;
    train_batch b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *logits = nn_forward(&t->model->base, b.x);
    ag_tensor *loss = ag_cross_entropy_loss(logits, b.y, AG_MEAN);
    train_report(s, "loss", ag_scale(ag_detach(loss), (double)b.n));
    train_report(s, "accuracy", ag_sum(ag_eq(ag_argmax(logits, 1, false), b.y), AG_ALL, false));
    return train_minimize(s, loss, &t->adam);
}

/* Images in 0..1, whatever the range of the program. */
static bool load(void *self, ag_tape *tape, const int64_t *index, int64_t n, train_batch *out)
{
    return train__load_unit(self, tape, index, n, out);
}

static bool fit(train_classifier *c, train_images *m, tl_error *why)
{
    training           t = {.model = c, .adam = {"adam", NULL, nn_adam(&c->base, nn_adam_defaults(2e-3))}};
    const train_source of[] = {{m->train.count, load, NULL, &m->train}, {m->test.count, load, NULL, &m->test}};
    const train_phase  phase = {.name = "classifier",
                                .train = &of[0],
                                .test = &of[1],
                                .batch = m->train.count < BATCH ? m->train.count : BATCH,
                                .epochs = EPOCHS,
                                .step = step};
    train_terminal     terminal;
    train_observer shown = train_terminal_observer(&terminal), *const observers[] = {&shown};
    const train_plan plan = {.model = &c->base,
                             .optimizers = &t.adam,
                             .n_optimizers = 1,
                             .phases = &phase,
                             .n_phases = 1,
                             .context = &t,
                             .seed = SEED,
                             .schedule = TRAIN_COSINE,
                             .observers = observers,
                             .n_observers = m->job->options.quiet ? 0 : 1,
                             .stop = m->job->plan.stop};
    train_run        run;
    nn_reset_parameters(&c->base, SEED);
    bool ok = train_run_init(&run, &plan, why);
    if (ok) {
        const train_status status = train_run_go(&run);
        ok = status == TRAIN_OK || tl_fail(why, "%s", status == TRAIN_STOPPED ? "stopped" : run.error.text);
    }
    c->accuracy = ok ? train_sums_get(&run.history.at[run.history.n - 1].test, "accuracy") : 0;
    train_run_free(&run);
    nn_optimizer_free(t.adam.optimizer);
    return ok;
}

/* ---- Its file. ---- */

/* Of the images that it was trained on. */
static void write_hash(const train_images *m, char *text, size_t size)
{
    const ds_dataset *d = &m->train;
    snprintf(text, size, "%016" PRIx64, tl_hash(TL_HASH, d->pixels, (size_t)(d->count * d->height * d->width)));
}

static bool save_classifier(train_classifier *c, const train_images *m, const char *path, tl_error *why)
{
    char hash[20];
    write_hash(m, hash, sizeof hash);
    const tl_text        accuracy = tl_exact_text(c->accuracy);
    const nn_stored_text texts[] = {{"accuracy", accuracy.s}, {"data", hash}};
    return nn_save_checkpoint(&c->base, 0, NULL, 2, texts, path, why);
}

static bool read_classifier(train_classifier *c, const train_images *m, const char *path, tl_error *why)
{
    nn_safetensors file;
    tl_error       reason;
    char           hash[20];
    if (!nn_safetensors_read(path, &file, why))
        return false;
    write_hash(m, hash, sizeof hash);
    const char *of = nn_safetensors_text(&file, "data");
    bool        ok = nn_load_checkpoint(&c->base, 0, NULL, &file, true, &reason) ||
              tl_fail_at(why, path, "is not the classifier of a sample score: %s", reason.text);
    if (ok && (!of || strcmp(of, hash) || !tl_parse_number(nn_safetensors_text(&file, "accuracy"), &c->accuracy)))
        ok = tl_fail_at(why, path, "was trained on other images; --classifier names another file");
    nn_safetensors_free(&file);
    return ok;
}

train_classifier *train__classifier_open(train_images *m, const char *path, tl_error *why)
{
    train_classifier *c = classifier_new(m->height, m->width);
    const char       *error = c ? nn_error(&c->base) : "out of memory";
    const bool        there = access(path, F_OK) == 0;
    bool              ok = !error || tl_fail(why, "the classifier of the sample score: %s", error);
    if (ok && !there && !m->job->options.quiet)
        puts("training the classifier of the sample score");
    ok = ok && (there ? read_classifier(c, m, path, why) : fit(c, m, why) && save_classifier(c, m, path, why));
    if (ok)
        return c;
    nn_module_free(c ? &c->base : NULL);
    return NULL;
}
