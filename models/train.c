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
    int64_t           epochs, steps_per_epoch;
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
    train_session *s = l->s;
    ag_tensor *parts[TRAIN_MAX_PARTS] = {NULL};
    train_batch batch = {train_images(s, d, index, n), ag_zeros(s->tape, AG_SHAPE(n)), n};
    for (int64_t i = 0; i < n && !ag_error(s->tape); i++)
        batch.labels->data[i] = d->labels[index[i]];
    ag_tensor *loss = l->task->loss(l->task->context, &batch, parts);
    sum->images += n;
    for (int i = 0; i < l->task->n_parts; i++)
        sum->part[i] += ag_item(parts[i]);
    return loss;
}

/* The batch of a step, counted from 0 through the whole run. */
static int64_t batch_of_step(loop *l, int64_t step, const int64_t **index)
{
    if (l->s->use.batches == TRAIN_RANDOM)
        return ds_batches_random(&l->train, (uint64_t)step, index);
    if (l->s->use.batches == TRAIN_BLOCKS)
        return ds_batches_block(&l->train, (uint64_t)step, index);
    if (step % l->steps_per_epoch == 0)
        ds_batches_shuffle(&l->train, (uint64_t)(step / l->steps_per_epoch + 1));
    return ds_batches_next(&l->train, index);
}

static bool train_step(loop *l, int64_t step, totals *sum)
{
    train_session *s = l->s;
    const int64_t *index;
    int64_t n = batch_of_step(l, step, &index);
    ag_tape_reset(s->tape);
    ag_tensor *loss = batch_loss(l, &s->train, index, n, sum);
    nn_zero_grad(l->task->model);
    ag_backward(loss);
    if (nn_step(l->task->optimizer, s->tape))
        return true;
    progress_end(&l->progress);
    train_fail(s, "step %lld: %s", (long long)step + 1, ag_error(s->tape));
    return false;
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
    ag_set_training(s->tape, true);
    ag_set_grad_enabled(s->tape, true);
    return ok;
}

/* ---- What is reported. ---- */

static double measure(const loop *l, const totals *t, int part)
{
    return l->task->totals ? t->part[part] : t->part[part] / (double)t->images;
}

static bool write_row(loop *l, int64_t epoch, const totals *train, const totals *test, double seconds)
{
    fprintf(l->csv, "%lld,%.9g", (long long)epoch, measure(l, train, 0));
    for (int i = 0; i < l->task->n_parts; i++)
        fprintf(l->csv, ",%.9g", measure(l, test, i));
    fprintf(l->csv, ",%.3f\n", seconds);
    return fflush(l->csv) == 0 && !ferror(l->csv);
}

static void print_line(const loop *l, int64_t epoch, const totals *train, const totals *test, double seconds)
{
    if (l->s->options.quiet)
        return;
    printf("epoch %2lld  train %-8.4g", (long long)epoch, measure(l, train, 0));
    for (int i = 0; i < l->task->n_parts; i++)
        printf("  %s%s %-8.4g", i ? "" : "test", i ? l->task->part[i] : "", measure(l, test, i));
    printf("  %.1f s\n", seconds);
    fflush(stdout);
}

/* One row of the report: steps first .. last-1, then the test. */
static int run_epoch(loop *l, int64_t epoch, int64_t first, int64_t last)
{
    char label[48];
    totals train = {0}, test = {0};
    double started = progress_now();
    snprintf(label, sizeof label, "epoch %lld/%lld", (long long)epoch, (long long)l->epochs);
    for (int64_t step = first; step < last; step++) {
        if (stop_asked) {
            progress_end(&l->progress);
            fprintf(stderr, "%s: stopped in epoch %lld after %lld of %lld steps\n", l->s->program, (long long)epoch,
                    (long long)(step - first), (long long)(last - first));
            return TRAIN_STOPPED;
        }
        if (!train_step(l, step, &train))
            return TRAIN_FAILED;
        progress_add(&l->progress, 1, label, measure(l, &train, 0), (double)train.images / (progress_now() - started));
    }
    if (!test_epoch(l, &test))
        return TRAIN_FAILED;
    double seconds = progress_now() - started;
    progress_end(&l->progress);
    print_line(l, epoch, &train, &test, seconds);
    if (!write_row(l, epoch, &train, &test, seconds))
        return train_fail(l->s, "%s/metrics.csv: cannot be written: %s", l->s->out, strerror(errno));
    if (!isfinite(train.part[0]) || !isfinite(test.part[0]))
        return train_fail(l->s, "epoch %lld: the loss is no number any more; try a smaller --lr", (long long)epoch);
    return TRAIN_OK;
}

static int run_epochs(loop *l)
{
    const train_options *o = &l->s->options;
    l->steps_per_epoch = (l->s->train.count + o->batch - 1) / o->batch;
    int64_t steps = o->steps > 0 ? o->steps : o->epochs * l->steps_per_epoch;
    l->epochs = (steps + l->steps_per_epoch - 1) / l->steps_per_epoch;
    progress_start(&l->progress, steps, o->quiet);
    int status = TRAIN_OK;
    for (int64_t epoch = 1; status == TRAIN_OK && epoch <= l->epochs; epoch++) {
        int64_t first = (epoch - 1) * l->steps_per_epoch, last = first + l->steps_per_epoch;
        status = run_epoch(l, epoch, first, last < steps ? last : steps);
    }
    return status;
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
        status = run_epochs(&l);
        if (fclose(l.csv) != 0 && status == TRAIN_OK)
            status = train_fail(s, "%s/metrics.csv: %s", s->out, strerror(errno));
    }
    ds_batches_free(&l.train);
    ds_batches_free(&l.test);
    return status;
}
