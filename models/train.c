/* The training loop. train_session.c has the rest. */
#define _POSIX_C_SOURCE 200809L
#include "models/train_internal.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/progress.h"

typedef struct loop {
    train_session    *s;
    const train_task *task;
    ds_batches        train, test;
    progress          progress;
    int64_t           epochs, steps_per_epoch;
    train_state       state;
    bool              resumed; /* and no step made yet */
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
    struct sigaction action = {.sa_handler = ask_stop, .sa_flags = (int)SA_RESETHAND | SA_RESTART}; /* a second Ctrl-C kills */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- Passes. ---- */

static ag_tensor *batch_loss(loop *l, const ds_dataset *d, const int64_t *index, int64_t n, train_totals *sum)
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

/* The batch of a step, counted from 0 through the whole run. The order is that of the step's epoch; a run that goes on within one
 * skips what was done. */
static int64_t batch_of_step(loop *l, int64_t step, const int64_t **index)
{
    if (l->s->use.batches == TRAIN_RANDOM)
        return ds_batches_random(&l->train, (uint64_t)step, index);
    if (l->s->use.batches == TRAIN_BLOCKS)
        return ds_batches_block(&l->train, (uint64_t)step, index);
    if (step % l->steps_per_epoch == 0 || l->resumed) {
        ds_batches_shuffle(&l->train, (uint64_t)(step / l->steps_per_epoch + 1));
        for (int64_t done = step % l->steps_per_epoch; done > 0; done--)
            ds_batches_next(&l->train, index);
        l->resumed = false;
    }
    return ds_batches_next(&l->train, index);
}

static bool train_step(loop *l, int64_t step, train_totals *sum)
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
static bool test_epoch(loop *l, train_totals *sum)
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

static double measure(const loop *l, const train_totals *t, int part)
{
    return l->task->totals ? t->part[part] : t->part[part] / (double)t->images;
}

static bool write_row(loop *l, int64_t epoch, const train_totals *train, const train_totals *test, double seconds)
{
    char row[64 + 32 * TRAIN_MAX_PARTS];
    int n = snprintf(row, sizeof row, "%lld,%.9g", (long long)epoch, measure(l, train, 0));
    for (int i = 0; i < l->task->n_parts; i++)
        n += snprintf(row + n, sizeof row - (size_t)n, ",%.9g", measure(l, test, i));
    snprintf(row + n, sizeof row - (size_t)n, ",%.3f\n", seconds);
    return train_add_row(&l->state, row) && fputs(row, l->csv) >= 0 && fflush(l->csv) == 0 && !ferror(l->csv);
}

static void print_line(const loop *l, int64_t epoch, const train_totals *train, const train_totals *test, double seconds)
{
    if (l->s->options.quiet)
        return;
    printf("epoch %2lld  train %-8.4g", (long long)epoch, measure(l, train, 0));
    for (int i = 0; i < l->task->n_parts; i++)
        printf("  %s%s %-8.4g", i ? "" : "test", i ? l->task->part[i] : "", measure(l, test, i));
    printf("  %.1f s\n", seconds);
    fflush(stdout);
}

/* Steps up to `last`, with checkpoints where they are asked for. */
static int run_steps(loop *l, int64_t epoch, int64_t last)
{
    char label[48];
    int64_t begun = l->state.totals.images, every = l->s->options.save_every;
    double started = progress_now();
    snprintf(label, sizeof label, "epoch %lld/%lld", (long long)epoch, (long long)l->epochs);
    while (l->state.step < last) {
        if (stop_asked) {
            progress_end(&l->progress);
            fprintf(stderr, "%s: stopped in epoch %lld after step %lld of %lld\n", l->s->program, (long long)epoch,
                    (long long)l->state.step, (long long)last);
            return train_write_checkpoint(l->s, l->task, &l->state) ? TRAIN_STOPPED : TRAIN_FAILED;
        }
        if (!train_step(l, l->state.step, &l->state.totals))
            return TRAIN_FAILED;
        l->state.step++;
        bool due = every > 0 && l->state.step % every == 0 && l->state.step < last && isfinite(l->state.totals.part[0]);
        if (due && !train_write_checkpoint(l->s, l->task, &l->state))
            return TRAIN_FAILED;
        progress_add(&l->progress, 1, label, measure(l, &l->state.totals, 0),
                     (double)(l->state.totals.images - begun) / (progress_now() - started));
    }
    return TRAIN_OK;
}

/* One row of the report: the steps of an epoch, up to `last`, then the test, then a checkpoint. */
static int run_epoch(loop *l, int64_t epoch, int64_t last)
{
    train_totals test = {0}, *train = &l->state.totals;
    double started = progress_now();
    int status = run_steps(l, epoch, last);
    if (status != TRAIN_OK)
        return status;
    if (!test_epoch(l, &test))
        return TRAIN_FAILED;
    double seconds = progress_now() - started;
    progress_end(&l->progress);
    print_line(l, epoch, train, &test, seconds);
    if (!write_row(l, epoch, train, &test, seconds))
        return train_fail(l->s, "%s/metrics.csv: cannot be written: %s", l->s->out, strerror(errno));
    if (!isfinite(train->part[0]) || !isfinite(test.part[0]))
        return train_fail(l->s, "epoch %lld: the loss is no number any more; try a smaller --lr", (long long)epoch);
    if (l->state.step % l->steps_per_epoch == 0)
        *train = (train_totals){0};
    return train_write_checkpoint(l->s, l->task, &l->state) ? TRAIN_OK : TRAIN_FAILED;
}

static int64_t steps_of(const loop *l)
{
    const train_options *o = &l->s->options;
    return o->steps > 0 ? o->steps : o->epochs * l->steps_per_epoch;
}

static int run_epochs(loop *l)
{
    int64_t steps = steps_of(l);
    int status = TRAIN_OK;
    progress_start(&l->progress, steps - l->state.step, l->s->options.quiet);
    while (status == TRAIN_OK && l->state.step < steps) {
        int64_t epoch = l->state.step / l->steps_per_epoch + 1, last = epoch * l->steps_per_epoch;
        status = run_epoch(l, epoch, last < steps ? last : steps);
    }
    return status;
}

/* The state of the checkpoint that is resumed, but for the row of an epoch that was not whole and now goes on. */
static bool resume(loop *l)
{
    if (!l->s->options.resume)
        return true;
    if (!train_read_checkpoint(l->s, l->task, &l->state))
        return false;
    l->resumed = true;
    int64_t epoch = l->state.step / l->steps_per_epoch + 1;
    char *last = strrchr(l->state.rows, '\n');
    while (last && last > l->state.rows && last[-1] != '\n')
        last--;
    if (last && l->state.step < steps_of(l) && strtoll(last, NULL, 10) == epoch)
        *last = '\0';
    if (!l->s->options.quiet)
        printf("resumed at step %lld of %lld\n", (long long)l->state.step, (long long)steps_of(l));
    return true;
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
    fprintf(l->csv, ",seconds\n%s", l->state.rows ? l->state.rows : "");
    return true;
}

int train_run(train_session *s, const train_task *task)
{
    loop l = {.s = s, .task = task, .steps_per_epoch = (s->train.count + s->options.batch - 1) / s->options.batch};
    l.epochs = (steps_of(&l) + l.steps_per_epoch - 1) / l.steps_per_epoch;
    const char *wrong = nn_error(task->model) ? nn_error(task->model) : nn_optimizer_error(task->optimizer);
    if (wrong)
        return train_fail(s, "%s", wrong);
    int status = TRAIN_FAILED;
    catch_signals();
    if (!ds_batches_init(&l.train, s->train.count, s->options.batch, s->options.seed) ||
        !ds_batches_init(&l.test, s->test.count, s->options.batch, 0))
        train_fail(s, "out of memory");
    else if (resume(&l) && open_csv(&l)) {
        status = run_epochs(&l);
        if (fclose(l.csv) != 0 && status == TRAIN_OK)
            status = train_fail(s, "%s/metrics.csv: %s", s->out, strerror(errno));
    }
    ds_batches_free(&l.train);
    ds_batches_free(&l.test);
    free(l.state.rows);
    return status;
}
