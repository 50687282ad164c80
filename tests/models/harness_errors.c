/* What can go wrong in a run ends it with a message: bad plans, bad names, steps that fail, memory that runs out. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/train/draw.h"
#include "models/train/few.h"
#include "models/train/kl_parts.h"
#include "models/train/likelihood.h"
#include "models/train/observers.h"
#include "tests/support/malloc.h"
#include "tests/support/runs.h"
#include "tests/test.h"

/* ---- Plans. ---- */

static small_run       r;
static train_optimizer twins[2];

/* Changes one thing of a good plan, and expects a message that contains `part`. */
#define BAD(part, ...)                                                                                                 \
    do {                                                                                                               \
        tl_error     reason = {""};                                                                                    \
        train_plan   plan = r.plan;                                                                                    \
        train_phase  phase = r.phase[0];                                                                               \
        train_source source = r.source;                                                                                \
        phase.train = &source;                                                                                         \
        plan.phases = &phase;                                                                                          \
        __VA_ARGS__;                                                                                                   \
        cr_expect(train_run_plan(&plan, &reason) == TRAIN_FAILED && strstr(reason.text, part),                         \
                  #__VA_ARGS__ ": \"%s\"", reason.text);                                                               \
    } while (0)

static void bad_phases(void)
{
    BAD("at least one phase", plan.phases = NULL);
    BAD("at least one phase", plan.n_phases = 0);
    BAD("a phase needs a name", phase.name = NULL);
    BAD("a phase needs a name", phase.step = NULL);
    BAD("a phase needs a name", phase.train = NULL);
    BAD("a batch of at least 1", phase.batch = 0);
    BAD("a batch of at least 1", phase.batch = -3);
    BAD("a phase needs", phase.epochs = -1);
    BAD("a phase needs", phase.steps = -1);
    BAD("lr_scale is at least 0", phase.lr_scale = -1);
    BAD("lr_scale is at least 0", phase.lr_scale = NAN);
    BAD("too many", phase.epochs = INT64_MAX);
    BAD("too many", phase.steps = INT64_MAX);
    BAD("too many", phase.batch = INT64_MAX);
    BAD("order", phase.order = (train_order)7);
    BAD("a phase needs", source.load = NULL);
    BAD("no examples", source.count = 0);
    BAD("no examples", source.count = -1; phase.test = &source);
}

Test(harness_errors, bad_plans)
{
    train_observer *none[] = {NULL};
    tl_error        why = {""};
    small_run_open(&r, RUN_PLAIN);
    cr_expect(train_run_plan(NULL, &why) == TRAIN_FAILED && *why.text);
    cr_expect(train_run_plan(&(train_plan){0}, &why) == TRAIN_FAILED && *why.text);
    cr_expect(train_run_plan(&r.plan, NULL) == TRAIN_OK, "nobody needs the reason");
    BAD("a model", plan.model = NULL);
    BAD("a model", plan.optimizers = NULL);
    BAD("a model", plan.n_optimizers = -1);
    BAD("optimizer", twins[0] = (train_optimizer){"a", NULL, NULL}; plan.optimizers = twins);
    BAD("needs a name", twins[0] = r.optimizer[0]; twins[0].name = NULL; plan.optimizers = twins);
    BAD("needs a name", twins[0] = r.optimizer[0]; twins[0].name = "a/b"; plan.optimizers = twins);
    BAD("the same name", twins[0] = twins[1] = r.optimizer[0]; plan.optimizers = twins; plan.n_optimizers = 2);
    BAD("clip", plan.clip = -1);
    BAD("clip", plan.clip = NAN);
    BAD("warmup", plan.warmup = -1);
    BAD("accumulate", plan.accumulate = -2);
    BAD("schedule", plan.schedule = (train_schedule)9);
    BAD("observers", plan.observers = NULL; plan.n_observers = 1);
    BAD("observers", plan.n_observers = -1);
    BAD("NULL", plan.observers = none; plan.n_observers = 1);
    BAD("not one of the plan's", plan.n_optimizers = 0);
    bad_phases();
    small_run_close(&r);
}

Test(harness_errors, nothing_to_do_is_no_error)
{
    small_run_open(&r, RUN_PHASES);
    run_result     result;
    const uint64_t before = nn_fingerprint(r.model);
    for (int i = 0; i < 3; i++)
        r.phase[i].epochs = r.phase[i].steps = 0;
    small_run_go(&r, NULL, NULL, -1, &result);
    cr_expect(result.status == TRAIN_OK && !*result.history && result.weights == before, "%s", result.why.text);
    small_run_close(&r);
}

/* ---- Steps. ---- */

static const char *metric;

static bool report_only(void *context, train_step *s)
{
    train_batch b;
    (void)context;
    if (!train_load(s, &b))
        return false;
    train_report_number(s, metric, 1);
    return true;
}

static bool report_rows(void *context, train_step *s)
{
    train_batch b;
    (void)context;
    if (!train_load(s, &b))
        return false;
    train_report(s, "loss", b.x);
    return true;
}

static bool loads_nothing(void *context, train_step *s)
{
    (void)context, (void)s;
    return true;
}

static bool just_fails(void *context, train_step *s)
{
    (void)context, (void)s;
    return false;
}

static bool reports_infinity(void *context, train_step *s)
{
    train_batch b;
    (void)context;
    train_load(s, &b);
    train_report_number(s, "loss", INFINITY);
    return true;
}

static bool minimizes_nothing(void *context, train_step *s)
{
    train_batch b;
    return train_load(s, &b) && train_minimize(s, NULL, &((small_run *)context)->optimizer[0]);
}

static bool minimizes_with_nothing(void *context, train_step *s)
{
    train_batch b;
    (void)context;
    return train_load(s, &b) && train_minimize(s, ag_sum(b.x, AG_ALL, false), NULL);
}

static void check_step(train_step_fn *step, train_status status, const char *part)
{
    run_result result;
    small_run_open(&r, RUN_PLAIN);
    r.phase[0].step = step;
    small_run_go(&r, NULL, NULL, -1, &result);
    cr_expect(result.status == status && strstr(result.why.text, part), "\"%s\", expected \"%s\"", result.why.text,
              part);
    small_run_close(&r);
}

Test(harness_errors, bad_steps)
{
    static const char *const bad[] = {"", "a b", "ab,c", "a=b", "\xc3\xbc", "12345678901234567890123456789012", NULL};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        metric = bad[i];
        check_step(report_only, TRAIN_FAILED, "step 1: report: ");
    }
    metric = "1234567890123456789012345678901"; /* the longest name */
    check_step(report_only, TRAIN_OK, "");
    check_step(report_rows, TRAIN_FAILED, "report: loss has shape (9, 6), expected one element");
    check_step(loads_nothing, TRAIN_FAILED, "step 1: the step function has not loaded its examples");
    check_step(just_fails, TRAIN_FAILED, "step 1: the step function ");
    check_step(reports_infinity, TRAIN_FAILED, "a metric became NaN or infinite");
    check_step(minimizes_nothing, TRAIN_FAILED, "step 1: ");
    check_step(minimizes_with_nothing, TRAIN_FAILED, "minimize: the optimizer is not one of the plan's");
}

/* More metrics than any fixed table would hold. */
static bool reports_many(void *context, train_step *s)
{
    train_batch b;
    (void)context;
    if (!train_load(s, &b))
        return false;
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        train_report_number(s, name, i);
    }
    return true;
}

Test(harness_errors, many_metrics)
{
    check_step(reports_many, TRAIN_OK, "");
}

static bool fails_to_begin(void *context)
{
    (void)context;
    return false;
}

static bool fails_to_load(void *self, ag_tape *tape, const int64_t *index, int64_t n, train_batch *out)
{
    (void)self, (void)tape, (void)index, (void)n, (void)out;
    return false;
}

Test(harness_errors, sources_and_phases_that_fail)
{
    run_result result;
    small_run_open(&r, RUN_PHASES);
    r.phase[1].begin = fails_to_begin;
    small_run_go(&r, NULL, NULL, -1, &result);
    cr_expect(result.status == TRAIN_FAILED && strstr(result.why.text, "inner: could not begin"), "%s",
              result.why.text);
    small_run_close(&r);
    small_run_open(&r, RUN_PHASES);
    train_source broken = r.test_source;
    broken.load = fails_to_load;
    r.phase[1].test = &broken;
    small_run_go(&r, NULL, NULL, -1, &result);
    static const char part[] = "inner, test after step 3: the examples could not be loaded";
    cr_expect(result.status == TRAIN_FAILED && strstr(result.why.text, part), "%s", result.why.text);
    small_run_close(&r);
}

/* ---- Memory. ---- */

/* Allocation number n and all later ones fail, for each n until the run ends well. */
static void fail_in_turn(run_kind kind, const char *folder, const char *resume)
{
    char csv_path[256], path[256];
    snprintf(csv_path, sizeof csv_path, "%s/metrics.csv", folder);
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", folder);
    for (long limit = 0;; limit++) {
        static run_result result;
        train_observer    csv = train_csv_observer(csv_path);
        small_run_open(&r, kind);
        for (int i = 0; i < r.plan.n_phases; i++)
            r.phase[i].steps = 2;
        r.observers[r.plan.n_observers++] = &csv;
        malloc_watch(limit);
        small_run_go(&r, path, resume, -1, &result);
        const long made = malloc_unwatch();
        small_run_close(&r);
        cr_assert(result.status == TRAIN_OK || *result.why.text, "kind %d, allocation %ld: no reason", kind, limit);
        cr_assert(result.status == TRAIN_OK || result.status == TRAIN_FAILED);
        if (result.status == TRAIN_OK && made <= limit)
            break;
        cr_assert(limit < 5000, "no end");
    }
}

Test(harness_errors, memory_that_runs_out)
{
    char folder[128], begun[256];
    snprintf(folder, sizeof folder, "%s", scratch_folder());
    snprintf(begun, sizeof begun, "%s/begun.safetensors", folder);
    for (int kind = 0; kind < RUN_KINDS; kind++) {
        static run_result result;
        fail_in_turn((run_kind)kind, folder, NULL);
        small_run_of((run_kind)kind, NULL, begun, NULL, 1, &result);
        cr_assert(result.status == TRAIN_STOPPED);
        fail_in_turn((run_kind)kind, folder, begun);
    }
}

/* ---- Pictures and figures of images that are not there. ---- */

static ag_tensor *no_weights(void *context, ag_tensor *x, int64_t k)
{
    (void)context, (void)k;
    return x;
}

#define SAYS(part, call) cr_expect(!(call) && strstr(why.text, part), #call ": \"%s\"", why.text)

Test(harness_errors, images_that_are_not_there)
{
    static const train_image_program program = {.name = "none"};
    train_images                     m = {.program = &program};
    train_few                        few;
    tl_error                         why = {""};
    ag_tape                         *tape = ag_tape_new(1);
    ag_tensor *const                 kinds[] = {NULL};
    const ag_real *const             arrays[] = {NULL};
    SAYS("no images", train_draw_reconstructions(NULL, &why));
    SAYS("no encode function", train_draw_reconstructions(&m, &why));
    SAYS("no encode function", train_draw_interpolations(&m, &why));
    SAYS("train_draw_rows: no images", train_draw_rows(NULL, NULL, NULL, 1, kinds, 1, &why));
    SAYS("x: 9 kinds of images, expected 1 to 8", train_draw_rows(&m, "x", NULL, 9, kinds, 1, &why));
    SAYS("train_draw_arrays: no images", train_draw_arrays(NULL, NULL, NULL, 1, arrays, 1, 1, &why));
    SAYS("x: images of kind 0 are NULL", train_draw_arrays(&m, "x", NULL, 1, arrays, 1, 1, &why));
    SAYS("few: NULL", train_few_choose(&few, NULL, 10, &why));
    SAYS("few: NULL", train_few_choose(&few, &m, 9, &why));
    few = (train_few){0};
    SAYS("", train_few_draw(&few, tape, 1, &(train_batch){0}));
    SAYS("no images", train_estimate_likelihood(NULL, 1, no_weights, NULL, &why));
    SAYS("no samples", train_estimate_likelihood(&m, 0, no_weights, NULL, &why));
    SAYS("", train_draw_kl_parts(NULL, NULL, NULL, &why));
    train_few_free(&few), train_few_free(NULL);
    ag_tape_free(tape);
}
