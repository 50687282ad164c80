#include "models/train/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/memory.h"
#include "tools/progress.h"
#include "tools/stream_internal.h"
#include "tools/text.h"

enum { MOST_POINTS = 500, LINES = 8, PAUSE = 50 /* times what writing the page takes */ };

/* ---- Norms of weights and gradients, epoch by epoch. ---- */

static double norm(const ag_real *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

typedef struct visit {
    double *row;
    int     n;
    char (*names)[64];
} visit;

static bool count_one(void *context, const char *name, nn_parameter *p)
{
    (void)name;
    ((visit *)context)->n += !p->is_buffer;
    return true;
}

static bool measure_one(void *context, const char *name, nn_parameter *p)
{
    visit *v = context;
    (void)name;
    if (p->is_buffer)
        return true;
    const int64_t n = ag_numel(&p->tensor->shape);
    v->row[1 + 2 * v->n] = norm(p->tensor->data, n);
    v->row[2 + 2 * v->n] = p->tensor->grad ? norm(p->tensor->grad, n) : NAN;
    v->n++;
    return true;
}

static bool name_one(void *context, const char *name, nn_parameter *p)
{
    visit *v = context;
    if (!p->is_buffer)
        snprintf(v->names[v->n++], sizeof *v->names, "%s", name);
    return true;
}

/* Of a long run every second epoch is forgotten, then every second of those, and so on. */
static void thin(train_report_page *r)
{
    const size_t row = 1 + 2 * (size_t)r->n_norms;
    for (int64_t i = 0; 2 * i + 1 < r->n_epochs; i++)
        memcpy(r->norms + (size_t)i * row, r->norms + (size_t)(2 * i + 1) * row, row * sizeof *r->norms);
    r->n_epochs /= 2;
    r->every *= 2;
}

static void measure(train_report_page *r, train_run *run)
{
    const size_t row = 1 + 2 * (size_t)r->n_norms;
    if (run->history.n % r->every)
        return;
    visit v = {.row = r->norms + (size_t)r->n_epochs * row};
    v.row[0] = (double)run->history.n;
    nn_visit(run->plan->model, measure_one, &v);
    if (++r->n_epochs == MOST_POINTS)
        thin(r);
}

/* ---- Charts. ---- */

/* Lines of equal length over common places. */
typedef struct lines {
    int     n;
    tl_line at[LINES];
    double *x, *y; /* (n), (LINES, n) */
} lines;

static bool lines_init(lines *l, int64_t n)
{
    *l = (lines){.x = tl_array(n, 1, sizeof *l->x), .y = tl_array(n, LINES, sizeof *l->y)};
    if (l->x && l->y)
        return true;
    free(l->x);
    free(l->y);
    return false;
}

static void lines_free(lines *l)
{
    free(l->x);
    free(l->y);
}

/* Adds one, unless it has no value at all. */
static void add_line(lines *l, const char *name, int64_t n, const double *y)
{
    double *to = l->y + l->n * n;
    bool    any = false;
    for (int64_t i = 0; i < n; i++) {
        to[i] = y[i];
        any = any || isfinite(y[i]);
    }
    if (any)
        l->at[l->n++] = (tl_line){name, n, l->x, to};
}

/* Records of a phase, not more than MOST_POINTS of them, the last among them. */
static int64_t select_records(const train_history *h, int phase, int64_t *chosen)
{
    int64_t in_phase = 0, n = 0, seen = 0;
    for (int64_t i = 0; i < h->n; i++)
        in_phase += h->at[i].phase == phase;
    const int64_t every = (in_phase + MOST_POINTS - 1) / MOST_POINTS;
    for (int64_t i = 0; i < h->n; i++)
        if (h->at[i].phase == phase && (in_phase - ++seen) % every == 0)
            chosen[n++] = i;
    return n;
}

/* Training and test of one metric of a phase. */
static bool metric_chart(train_run *run, int phase, const char *metric, bool (*put)(void *to, const tl_chart *c),
                         void *to)
{
    const train_phase *p = &run->plan->phases[phase];
    int64_t            chosen[MOST_POINTS];
    const int64_t      n = select_records(&run->history, phase, chosen);
    double             y[MOST_POINTS];
    char               title[160];
    lines              l;
    if (!lines_init(&l, n))
        return false;
    for (int test = 0; test < 2; test++) {
        for (int64_t i = 0; i < n; i++) {
            const train_record *r = &run->history.at[chosen[i]];
            l.x[i] = (double)r->epoch;
            y[i] = train_sums_get(test ? &r->test : &r->train, metric);
        }
        add_line(&l, test ? "test" : "training", n, y);
    }
    snprintf(title, sizeof title, "%s%s%s", run->plan->n_phases > 1 ? p->name : "", run->plan->n_phases > 1 ? ": " : "",
             metric);
    const bool ok = put(
        to, &(tl_chart){title, "epoch", p->totals ? "sum over the examples" : "mean of an example", false, l.n, l.at});
    lines_free(&l);
    return ok;
}

static bool put_on_page(void *to, const tl_chart *c)
{
    tl_page_chart(to, c);
    return true;
}

static bool put_in_file(void *to, const tl_chart *c)
{
    tl_chart_svg(to, c); /* closing the file tells whether it was written */
    return true;
}

static bool show_metrics(train_run *run, tl_page *page)
{
    bool ok = true;
    tl_page_section(page, "Loss and other metrics");
    for (int phase = 0; phase <= run->phase; phase++) {
        const train_record *last = train_history_last(&run->history, phase);
        for (int i = 0; last && i < last->train.n; i++)
            ok = ok && metric_chart(run, phase, last->train.at[i].name, put_on_page, page);
        for (int i = 0; last && i < last->test.n; i++) /* of the test alone: accuracy */
            if (isnan(train_sums_get(&last->train, last->test.at[i].name)))
                ok = ok && metric_chart(run, phase, last->test.at[i].name, put_on_page, page);
    }
    return ok;
}

/* One chart of at most LINES parameters, from `first` on. */
static bool norm_chart(const train_report_page *r, tl_page *page, char (*names)[64], int first, bool gradient)
{
    const int    n = r->n_norms - first < LINES ? r->n_norms - first : LINES;
    const size_t row = 1 + 2 * (size_t)r->n_norms;
    double       y[MOST_POINTS];
    lines        l;
    if (!lines_init(&l, r->n_epochs))
        return false;
    for (int k = 0; k < n; k++) {
        for (int64_t i = 0; i < r->n_epochs; i++) {
            l.x[i] = r->norms[(size_t)i * row];
            y[i] = r->norms[(size_t)i * row + 1 + 2 * (size_t)(first + k) + gradient];
        }
        add_line(&l, names[first + k], r->n_epochs, y);
    }
    if (l.n > 0)
        tl_page_chart(page, &(tl_chart){gradient ? "Norm of the last step's gradient" : "Norm of the weights",
                                        "epoch, of the whole run", "norm", true, l.n, l.at});
    lines_free(&l);
    return true;
}

static bool show_norms(const train_report_page *r, train_run *run, tl_page *page)
{
    enum { SHOWN = 3 * LINES };
    if (r->n_epochs == 0)
        return true;
    char(*names)[64] = tl_array(r->n_norms, 1, sizeof *names);
    if (!names)
        return false;
    nn_visit(run->plan->model, name_one, &(visit){.names = names});
    bool ok = true;
    tl_page_section(page, "Weights and gradients");
    for (int first = 0; first < r->n_norms && first < SHOWN; first += LINES)
        ok = ok && norm_chart(r, page, names, first, false) && norm_chart(r, page, names, first, true);
    char more[64];
    snprintf(more, sizeof more, "Only the first %d parameters are drawn.", SHOWN);
    if (r->n_norms > SHOWN)
        tl_page_text(page, more);
    free(names);
    return ok;
}

/* ---- The page. ---- */

static void time_text(double seconds, char *text, size_t size)
{
    if (seconds < 120)
        snprintf(text, size, "%s s", TL_NUMBER(round(seconds * 10) / 10, 4));
    else if (seconds < 7200)
        snprintf(text, size, "%d min %02d s", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(text, size, "%.0f h %02d min", floor(seconds / 3600), (int)fmod(seconds / 60, 60));
}

static double seconds_left(const train_run *run, double each)
{
    double steps = (double)(run->steps - run->step);
    for (int i = run->phase + 1; i < run->plan->n_phases; i++)
        steps += (double)train_phase_steps(run->plan, &run->plan->phases[i]);
    return steps * each / (double)run->steps_per_epoch;
}

static void show_state(const train_report_page *r, train_run *run, const char *state, tl_page *page)
{
    const train_record *last = run->history.n > 0 ? &run->history.at[run->history.n - 1] : NULL;
    char                place[200], spent[64], epoch[80], left[64];
    snprintf(place, sizeof place, "%s%sepoch %lld of %lld, step %lld of %lld",
             run->plan->n_phases > 1 ? run->plan->phases[run->phase].name : "", run->plan->n_phases > 1 ? ", " : "",
             (long long)run->epoch, (long long)run->epochs, (long long)run->step, (long long)run->steps);
    time_text(tl_progress_now() - r->begun, spent, sizeof spent);
    const double seconds = last ? last->seconds : 0;
    snprintf(epoch, sizeof epoch, "%s s, %.0f examples a second", TL_NUMBER(seconds, 3),
             last && seconds > 0 ? (double)last->train.examples / seconds : 0);
    time_text(seconds_left(run, seconds), left, sizeof left);
    const tl_fact facts[] = {{"State", state},
                             {"Position", place},
                             {"Time", spent},
                             {"Last epoch with its test", epoch},
                             {"Time left, about", left}};
    tl_page_facts(page, strcmp(state, "running") ? 4 : 5, facts);
}

static void show_results(const train_run *run, tl_page *page)
{
    const train_record *last = run->history.n > 0 ? &run->history.at[run->history.n - 1] : NULL;
    tl_fact             facts[2 * LINES];
    char                names[2 * LINES][48];
    tl_text             values[2 * LINES];
    int                 n = 0;
    for (int test = 0; last && test < 2; test++) {
        const train_sums *s = test ? &last->test : &last->train;
        for (int i = 0; i < s->n && i < LINES; i++, n++) {
            snprintf(names[n], sizeof names[n], "%s %s", test ? "Test" : "Training", s->at[i].name);
            values[n] = tl_number_text(s->at[i].value, 6);
            facts[n] = (tl_fact){names[n], values[n].s};
        }
    }
    tl_page_section(page, "Results of the last epoch");
    tl_page_facts(page, n, facts);
}

static bool write_chart(const train_report_page *r, train_run *run)
{
    const train_record *last = run->history.n > 0 ? &run->history.at[run->history.n - 1] : NULL;
    tl_output           f;
    if (!r->chart_path || !last || last->train.n == 0)
        return true;
    if (!tl_output_open(&f, r->chart_path, &run->error))
        return false;
    if (metric_chart(run, last->phase, last->train.at[0].name, put_in_file, f.stream))
        return tl_output_close(&f, &run->error);
    tl_output_abandon(&f);
    return tl_fail(&run->error, "out of memory");
}

bool train_report_write(train_report_page *r, train_run *run, const char *state)
{
    tl_page page;
    if (!r || !run || !state)
        return run && tl_fail(&run->error, "train_report_write: no page or no state");
    const double started = tl_progress_now();
    const bool   live = !strcmp(state, "running");
    const double each = run->history.n > 0 ? run->history.at[run->history.n - 1].seconds : 0;
    if (!tl_page_open(&page, r->path, r->title, live ? 60 + (int)fmin(5 * each, 1e6) : 0, &run->error))
        return false;
    show_state(r, run, state, &page);
    show_results(run, &page);
    bool ok = show_metrics(run, &page) || tl_fail(&run->error, "out of memory");
    ok = ok && (!r->show || r->show(r->context, run, &page));
    ok = ok && (show_norms(r, run, &page) || tl_fail(&run->error, "out of memory"));
    if (!ok) {
        tl_page_abandon(&page);
        return false;
    }
    tl_page_section(&page, "What was run");
    tl_page_facts(&page, r->n_facts, r->facts);
    if (r->summary)
        tl_page_verbatim(&page, r->summary);
    ok = tl_page_close(&page, &run->error) && write_chart(r, run);
    r->written = tl_progress_now();
    r->cost = r->written - started;
    return ok;
}

/* ---- The observer. ---- */

static bool begin_report(void *self, train_run *run)
{
    train_report_page *r = self;
    tl__stream         s;
    visit              v = {0};
    nn_visit(run->plan->model, count_one, &v);
    r->n_norms = v.n;
    r->every = 1;
    r->begun = r->written = tl_progress_now();
    r->norms = tl_array(MOST_POINTS, 1 + 2 * (int64_t)v.n, sizeof *r->norms);
    if (r->input.rank >= 0 && tl__stream_open(&s)) {
        nn_summary(s.file, run->plan->model, r->input);
        r->summary = tl__stream_close(&s, NULL);
    }
    return (r->norms && (r->summary || r->input.rank < 0)) || tl_fail(&run->error, "out of memory");
}

static bool after_epoch(void *self, train_run *run, const train_record *record)
{
    train_report_page *r = self;
    measure(r, run);
    if (r->collect && !r->collect(r->context, run, record))
        return false;
    return tl_progress_now() - r->written < PAUSE * r->cost || train_report_write(r, run, "running");
}

/* A run that failed before it had a page leaves none. */
static bool end_report(void *self, train_run *run, train_status status)
{
    train_report_page *r = self;
    char               failed[sizeof run->error.text + 16];
    if (status == TRAIN_FAILED ? !(r->written > r->begun) : r->goes_on)
        return true;
    snprintf(failed, sizeof failed, "failed: %s", run->error.text);
    return train_report_write(r, run,
                              status == TRAIN_OK        ? "finished"
                              : status == TRAIN_STOPPED ? "stopped; it can be resumed"
                                                        : failed);
}

train_observer train_report_observer(train_report_page *r)
{
    return (train_observer){.begin = begin_report, .epoch = after_epoch, .end = end_report, .self = r};
}

void train_report_free(train_report_page *r)
{
    if (!r)
        return;
    free(r->summary);
    free(r->norms);
    r->summary = NULL;
    r->norms = NULL;
}
