#define _POSIX_C_SOURCE 200809L
#include "models/train/observers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/file.h"
#include "tools/terminal.h"
#include "tools/text.h"

/* ---- metrics.csv. ---- */

static bool write_csv(void *self, train_run *run, const train_record *record)
{
    tl_output         f;
    const train_plan *plan = run->plan;
    const char      **names = malloc((size_t)plan->n_phases * sizeof *names);
    (void)record;
    for (int i = 0; names && i < plan->n_phases; i++)
        names[i] = plan->phases[i].name;
    bool ok = names ? tl_output_open(&f, self, &run->error) : tl_fail(&run->error, "out of memory");
    if (ok && train_history_csv(&run->history, plan->n_phases, names, f.stream)) {
        ok = tl_output_close(&f, &run->error);
    } else if (ok) {
        tl_output_abandon(&f);
        ok = tl_fail(&run->error, "out of memory");
    }
    free(names);
    return ok;
}

static bool end_csv(void *self, train_run *run, train_status status)
{
    return status == TRAIN_FAILED || write_csv(self, run, NULL);
}

train_observer train_csv_observer(const char *path)
{
    return (train_observer){.epoch = write_csv, .end = end_csv, .self = (void *)path};
}

/* ---- The terminal. ---- */

static bool begin_terminal(void *self, train_run *run)
{
    train_terminal *t = self;
    int64_t         total = run->steps - run->step;
    for (int i = run->phase + 1; i < run->plan->n_phases; i++)
        total += train_phase_steps(run->plan, &run->plan->phases[i]);
    t->before = run->sums.examples;
    t->begun = tl_progress_now();
    t->epoch = 0;
    tl_progress_start(&t->bar, total, false);
    return true;
}

static bool show_step(void *self, train_run *run)
{
    train_terminal *t = self;
    char            label[64];
    if (t->epoch != run->epoch) {
        t->before = t->epoch ? 0 : t->before;
        t->begun = t->epoch ? tl_progress_now() : t->begun;
        t->epoch = run->epoch;
    }
    const train_sums *s = &run->sums;
    double            seconds = tl_progress_now() - t->begun;
    snprintf(label, sizeof label, "%s%sepoch %lld/%lld",
             run->plan->n_phases > 1 ? run->plan->phases[run->phase].name : "", run->plan->n_phases > 1 ? ": " : "",
             (long long)run->epoch, (long long)run->epochs);
    tl_progress_add(&t->bar, 1, label, s->n > 0 ? train_measure(run, s->at[0].value, s->examples) : 0,
                    (double)(s->examples - t->before) / seconds);
    return true;
}

/* The course of the leading metric over the phase's last epochs, as a row of blocks. */
static void print_course(const train_run *run)
{
    enum { SHOWN = 16 };
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double                   y[SHOWN], low = INFINITY, high = -INFINITY;
    int                      n = 0;
    const int64_t            first = run->history.n > SHOWN ? run->history.n - SHOWN : 0;
    for (int64_t i = first; i < run->history.n; i++) {
        const train_record *r = &run->history.at[i];
        const train_sums   *s = r->test.n > 0 ? &r->test : &r->train;
        if (r->phase != run->phase || s->n == 0 || !isfinite(s->at[0].value))
            continue;
        y[n] = s->at[0].value;
        low = fmin(low, y[n]);
        high = fmax(high, y[n]);
        n++;
    }
    if (n > 1)
        fputs("  ", stdout);
    for (int i = 0; i < n && n > 1; i++)
        fputs(blocks[high > low ? (int)(7.99 * (y[i] - low) / (high - low)) : 0], stdout);
}

static bool print_epoch(void *self, train_run *run, const train_record *r)
{
    train_terminal *t = self;
    tl_progress_end(&t->bar);
    if (run->plan->n_phases > 1)
        printf("%s: ", run->plan->phases[run->phase].name);
    printf("epoch %2lld", (long long)r->epoch);
    for (int i = 0; i < (r->test.n > 0 ? 1 : r->train.n); i++) /* the test's parts say more than the training's */
        printf("  %s%s %-8s", i ? "" : "train", i ? r->train.at[i].name : "", TL_NUMBER(r->train.at[i].value, 4));
    for (int i = 0; i < r->test.n; i++)
        printf("  %s%s %-8s", i ? "" : "test", i ? r->test.at[i].name : "", TL_NUMBER(r->test.at[i].value, 4));
    printf("  %.1f s", r->seconds);
    if (isatty(STDOUT_FILENO) && tl_terminal_utf8())
        print_course(run);
    putchar('\n');
    fflush(stdout); /* an error stays with the stream, for the program to tell at its end; the run goes on and saves */
    return true;
}

static bool end_terminal(void *self, train_run *run, train_status status)
{
    (void)run, (void)status;
    tl_progress_end(&((train_terminal *)self)->bar);
    return true;
}

train_observer train_terminal_observer(train_terminal *t)
{
    return (train_observer){begin_terminal, show_step, print_epoch, end_terminal, t};
}
