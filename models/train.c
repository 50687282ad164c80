/* The training loop. train_session.c has the rest. */
#define _POSIX_C_SOURCE 200809L
#include "models/train.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tools/progress.h"

/* Sums over the images seen. */
typedef struct totals {
    int64_t images;
    double  part[TRAIN_MAX_PARTS];
} totals;

typedef struct loop {
    train_session    *s;
    const train_task *task;
    ds_batches        train, test;
    progress          progress;
    FILE             *csv;
} loop;

/* ---- Ctrl-C: noted by the handler, looked at between steps. ---- */

static volatile sig_atomic_t stop_asked;

static void ask_stop(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = ask_stop, .sa_flags = (int)SA_RESETHAND}; /* a second Ctrl-C kills */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- Passes. ---- */

static ag_tensor *batch_loss(loop *l, const ds_dataset *d, const int64_t *index, int64_t n, totals *sum)
{
    ag_tensor *parts[TRAIN_MAX_PARTS] = {NULL};
    ds_images(d, index, n, l->s->pixels);
    ag_tensor *x = ag_wrap(l->s->tape, AG_SHAPE(n, d->height * d->width), l->s->pixels);
    ag_tensor *loss = l->task->loss(l->task->context, x, parts);
    sum->images += n;
    for (int i = 0; i < l->task->n_parts; i++)
        sum->part[i] += ag_item(parts[i]);
    return loss;
}

static bool train_epoch(loop *l, int64_t epoch, totals *sum)
{
    train_session *s = l->s;
    char label[48];
    snprintf(label, sizeof label, "epoch %lld/%lld", (long long)epoch, (long long)s->options.epochs);
    ds_batches_shuffle(&l->train, (uint64_t)epoch);
    ag_set_training(s->tape, true);
    ag_set_grad_enabled(s->tape, true);
    const int64_t *index;
    for (int64_t n; !stop_asked && (n = ds_batches_next(&l->train, &index)) > 0;) {
        ag_tape_reset(s->tape);
        ag_tensor *loss = batch_loss(l, &s->train, index, n, sum);
        nn_zero_grad(l->task->model);
        ag_backward(loss);
        if (!nn_step(l->task->optimizer, s->tape)) {
            progress_end(&l->progress);
            train_fail(s, "epoch %lld: %s", (long long)epoch, ag_error(s->tape));
            return false;
        }
        progress_add(&l->progress, n, label, sum->part[0] / (double)sum->images);
    }
    return true;
}

/* The random numbers of the test are the same every epoch, and those of training go on as if there had been no test. */
static bool test_epoch(loop *l, totals *sum)
{
    train_session *s = l->s;
    ag_rng state = *ag_tape_rng(s->tape);
    train_evaluating(s);
    ds_batches_restart(&l->test);
    const int64_t *index;
    bool ok = true;
    for (int64_t n; ok && (n = ds_batches_next(&l->test, &index)) > 0;) {
        ag_tape_reset(s->tape);
        batch_loss(l, &s->test, index, n, sum);
        ok = !ag_error(s->tape);
    }
    if (!ok)
        train_fail(s, "test: %s", ag_error(s->tape));
    *ag_tape_rng(s->tape) = state;
    return ok;
}

/* ---- What is reported. ---- */

static bool write_row(loop *l, int64_t epoch, const totals *train, const totals *test, double seconds)
{
    fprintf(l->csv, "%lld,%.9g", (long long)epoch, train->part[0] / (double)train->images);
    for (int i = 0; i < l->task->n_parts; i++)
        fprintf(l->csv, ",%.9g", test->part[i] / (double)test->images);
    fprintf(l->csv, ",%.3f\n", seconds);
    return fflush(l->csv) == 0 && !ferror(l->csv);
}

static void print_line(const loop *l, int64_t epoch, const totals *train, const totals *test, double seconds)
{
    if (l->s->options.quiet)
        return;
    printf("epoch %2lld  train %-8.4g", (long long)epoch, train->part[0] / (double)train->images);
    for (int i = 0; i < l->task->n_parts; i++)
        printf("  %s%s %-8.4g", i ? "" : "test ", i ? l->task->part[i] : "", test->part[i] / (double)test->images);
    printf("  %.1f s\n", seconds);
    fflush(stdout);
}

static int run_epochs(loop *l)
{
    for (int64_t epoch = 1; epoch <= l->s->options.epochs; epoch++) {
        totals train = {0}, test = {0};
        double started = progress_now();
        if (!train_epoch(l, epoch, &train))
            return TRAIN_FAILED;
        if (stop_asked) {
            progress_end(&l->progress);
            fprintf(stderr, "%s: stopped in epoch %lld after %lld of %lld images\n", l->s->program, (long long)epoch,
                    (long long)train.images, (long long)l->s->train.count);
            return TRAIN_STOPPED;
        }
        if (!test_epoch(l, &test))
            return TRAIN_FAILED;
        progress_end(&l->progress);
        print_line(l, epoch, &train, &test, progress_now() - started);
        if (!write_row(l, epoch, &train, &test, progress_now() - started))
            return train_fail(l->s, "%s/metrics.csv: %s", l->s->out, strerror(errno));
        if (!isfinite(train.part[0]))
            return train_fail(l->s, "epoch %lld: the loss is no number any more; try a smaller --lr", (long long)epoch);
    }
    return TRAIN_OK;
}

static bool open_csv(loop *l)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/metrics.csv", l->s->out);
    l->csv = fopen(path, "w");
    if (!l->csv) {
        train_fail(l->s, "%s: %s", path, strerror(errno));
        return false;
    }
    fprintf(l->csv, "epoch,train_%s", l->task->part[0]);
    for (int i = 0; i < l->task->n_parts; i++)
        fprintf(l->csv, ",test_%s", l->task->part[i]);
    fprintf(l->csv, ",seconds\n");
    return true;
}

int train_run(train_session *s, const train_task *task)
{
    loop l = {.s = s, .task = task};
    const char *wrong = nn_error(task->model) ? nn_error(task->model) : nn_optimizer_error(task->optimizer);
    if (wrong)
        return train_fail(s, "%s", wrong);
    int status = TRAIN_FAILED;
    catch_signals();
    if (!ds_batches_init(&l.train, s->train.count, s->options.batch, s->options.seed) ||
        !ds_batches_init(&l.test, s->test.count, s->options.batch, 0))
        train_fail(s, "out of memory");
    else if (open_csv(&l)) {
        progress_start(&l.progress, s->train.count * s->options.epochs, s->options.quiet);
        status = run_epochs(&l);
        if (fclose(l.csv) != 0 && status == TRAIN_OK)
            status = train_fail(s, "%s/metrics.csv: %s", s->out, strerror(errno));
    }
    ds_batches_free(&l.train);
    ds_batches_free(&l.test);
    return status;
}
