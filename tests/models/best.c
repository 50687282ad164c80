/* --keep-best: a run that ends with the weights of its best epoch, also when it was stopped and resumed elsewhere. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/train/best.h"
#include "tests/support/runs.h"
#include "tests/test.h"
#include "tools/file.h"

enum { EPOCHS = 6, STEPS_OF_EPOCH = 6, STEPS = EPOCHS * STEPS_OF_EPOCH };

/* Puts losses of the test's choice in place of the measured ones, and remembers each epoch's weights. */
typedef struct script {
    const double *loss; /* of each epoch; those of a second phase after those of the first */
    uint64_t      weights[2 * EPOCHS + 1];
} script;

static bool forge(void *self, train_run *run, const train_record *record)
{
    script       *s = self;
    const int64_t ordinal = record->phase * EPOCHS + record->epoch;
    run->history.at[run->history.n - 1].test.at[0].value = s->loss[ordinal - 1];
    s->weights[ordinal] = nn_fingerprint(run->plan->model);
    return true;
}

static char *path_of(const char *folder, const char *name)
{
    static char path[4][300];
    static int  next;
    char       *p = path[next++ % 4];
    snprintf(p, sizeof *path, "%s/%s.safetensors", folder, name);
    return p;
}

/* A run of `length` steps, or `steps` of it, with the weights of the best of `s`. */
static void go(script *s, train_best *best, const char *checkpoint, const char *resume, int64_t length, int64_t steps,
               run_result *result)
{
    small_run      r;
    train_observer forger = {.epoch = forge, .self = s}, keeper = train_best_observer(best);
    small_run_open(&r, RUN_PLAIN);
    r.phase[0].steps = length;
    r.observers[0] = &forger;
    r.observers[1] = &keeper;
    r.plan.n_observers = 2;
    small_run_go(&r, checkpoint, resume, steps, result);
    small_run_close(&r);
}

Test(best, the_first_of_the_smallest)
{
    static const double losses[][EPOCHS] = {
        {6, 5, 4, 3, 2, 1}, {1, 2, 3, 4, 5, 6}, {3, 1, 2, 1, 5, 4}, {2, 2, 2, 2, 2, 2}, {-1, -3, 0, -2, 7, -3}};
    static const int64_t wanted[] = {6, 1, 2, 1, 2};
    const char          *path = path_of(scratch_folder(), "best");
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        script     s = {.loss = losses[i]};
        train_best best = {.path = path};
        run_result result;
        go(&s, &best, NULL, NULL, STEPS, -1, &result);
        cr_assert(result.status == TRAIN_OK, "%s", result.why.text);
        cr_assert(best.epoch == wanted[i] && result.weights == s.weights[wanted[i]], "losses %zu: epoch %d", i,
                  (int)best.epoch);
    }
}

/* Stopped after each step, and resumed with the files in another folder: the same weights. A checkpoint keeps the last
 * epoch's weights, from which the run goes on. */
Test(best, resumed_elsewhere)
{
    static const double losses[EPOCHS] = {3, 1, 2, 0.5, 5, 4};
    char                first[128], second[160];
    snprintf(first, sizeof first, "%s", scratch_folder());
    snprintf(second, sizeof second, "%s/second", first);
    cr_assert(tl_make_folder(second, NULL));
    script     s = {.loss = losses};
    train_best best = {.path = path_of(first, "best")};
    run_result whole, part;
    go(&s, &best, NULL, NULL, STEPS, -1, &whole);
    for (int64_t k = 1; k < STEPS; k++) {
        best = (train_best){.path = path_of(first, "best")};
        remove(best.path);
        go(&s, &best, path_of(first, "checkpoint"), NULL, STEPS, k, &part);
        cr_assert(part.status == TRAIN_STOPPED && best.epoch == 0, "%s", part.why.text);
        best = (train_best){.path = path_of(second, "best"), .before = path_of(first, "best")};
        remove(best.path);
        go(&s, &best, NULL, path_of(first, "checkpoint"), STEPS, -1, &part);
        cr_assert(part.status == TRAIN_OK && best.epoch == 4 && part.weights == whole.weights, "step %d: %s", (int)k,
                  part.why.text);
    }
}

/* A run that ends within its third epoch has two to choose from; made longer, it ends as one that was long at first. */
Test(best, a_part_of_an_epoch_does_not_count)
{
    static const double losses[EPOCHS] = {3, 2, 1, 4, 5, 6};
    const char         *checkpoint = path_of(scratch_folder(), "checkpoint");
    script              s = {.loss = losses};
    train_best          best = {.path = path_of(scratch_folder(), "best")};
    run_result          whole, part;
    go(&s, &best, NULL, NULL, STEPS, -1, &whole);
    cr_assert(best.epoch == 3);
    go(&s, &best, checkpoint, NULL, 2 * STEPS_OF_EPOCH + 3, -1, &part);
    cr_assert(part.status == TRAIN_OK && best.epoch == 2 && part.weights == s.weights[2], "%s", part.why.text);
    go(&s, &best, NULL, checkpoint, STEPS, -1, &part);
    cr_assert(part.status == TRAIN_OK && best.epoch == 3 && part.weights == whole.weights, "%s", part.why.text);
}

/* A phase that continues another, as a stage of a schedule does, has its best epoch in common with it; others have not.
 */
Test(best, of_all_phases_of_a_schedule)
{
    static const double losses[][2 * EPOCHS] = {{3, 1, 2, 4, 5, 6, 3, 4, 2, 5, 6, 7},
                                                {3, 1, 2, 4, 5, 6, 3, 4, 0, 5, 6, 7}};
    for (int i = 0; i < 3; i++) {
        script         s = {.loss = losses[i % 2]};
        train_best     best = {.path = path_of(scratch_folder(), "best")};
        train_observer forger = {.epoch = forge, .self = &s}, keeper = train_best_observer(&best);
        small_run      r;
        run_result     result;
        small_run_open(&r, RUN_PLAIN);
        r.phase[0].steps = STEPS;
        r.phase[1] = r.phase[0];
        r.phase[1].name = "second";
        r.phase[1].continues = i < 2;
        r.plan.n_phases = 2;
        r.observers[0] = &forger;
        r.observers[1] = &keeper;
        r.plan.n_observers = 2;
        small_run_go(&r, NULL, NULL, -1, &result);
        small_run_close(&r);
        cr_expect(result.status == TRAIN_OK && best.phase == (i > 0) && best.epoch == (i ? 3 : 2) &&
                      result.weights == s.weights[i ? EPOCHS + 3 : 2],
                  "%d: phase %d, epoch %d: %s", i, best.phase, (int)best.epoch, result.why.text);
    }
}

/* A run that was killed after its best weights were written, and before its checkpoint: they are of an epoch to come.
 */
Test(best, written_before_the_checkpoint)
{
    static const double losses[EPOCHS] = {3, 2, 4, 1, 5, 6};
    const char         *folder = scratch_folder();
    script              s = {.loss = losses};
    train_best          best = {.path = path_of(folder, "best")};
    run_result          whole, part;
    go(&s, &best, path_of(folder, "checkpoint"), NULL, STEPS, 3 * STEPS_OF_EPOCH, &part);
    cr_assert(part.status == TRAIN_STOPPED, "%s", part.why.text);
    go(&s, &best, NULL, NULL, STEPS, -1, &whole); /* leaves the fourth's */
    go(&s, &best, NULL, path_of(folder, "checkpoint"), STEPS, -1, &part);
    cr_expect(part.status == TRAIN_OK && best.epoch == 4 && part.weights == whole.weights, "%s", part.why.text);
}

Test(best, an_epoch_that_diverged_is_not_kept)
{
    static const double losses[EPOCHS] = {NAN, 1, 2, 3, 4, 5};
    script              s = {.loss = losses};
    train_best          best = {.path = path_of(scratch_folder(), "best")};
    run_result          part;
    go(&s, &best, NULL, NULL, STEPS, STEPS_OF_EPOCH, &part);
    cr_expect(part.status == TRAIN_STOPPED && access(best.path, F_OK) != 0, "%s", part.why.text);
}

static bool lose(void *self, train_run *run, const train_record *record)
{
    (void)run;
    return record->epoch < EPOCHS || remove(((train_best *)self)->path) == 0;
}

static bool swap(void *self, train_run *run, const train_record *record)
{
    const train_best *b = self;
    return record->epoch < EPOCHS || nn_save(run->plan->model, b->path, NULL);
}

static bool no_test(void *context)
{
    ((small_run *)context)->phase[0].test = NULL;
    return true;
}

/* The file is gone, is another's, cannot be written; the phase has no test. */
Test(best, says_what_is_wrong)
{
    static const struct {
        bool (*epoch)(void *self, train_run *run, const train_record *record);
        bool (*begin)(void *context);
        const char *folder, *message;
    } cases[] = {{lose, NULL, "", "No such file"},
                 {swap, NULL, "", "is not of epoch"},
                 {NULL, NULL, "/none/", "No such file"},
                 {NULL, no_test, "", "has no test"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char folder[160];
        snprintf(folder, sizeof folder, "%s%s", scratch_folder(), cases[i].folder);
        small_run      r;
        run_result     result;
        train_best     best = {.path = path_of(folder, "best")};
        train_observer keeper = train_best_observer(&best), breaker = {.epoch = cases[i].epoch, .self = &best};
        small_run_open(&r, RUN_PLAIN);
        r.phase[0].epochs = EPOCHS;
        r.phase[0].steps = 0;
        if (cases[i].begin)
            cases[i].begin(&r);
        r.observers[0] = &keeper;
        r.observers[1] = &breaker;
        r.plan.n_observers = 2;
        small_run_go(&r, NULL, NULL, -1, &result);
        cr_assert(result.status == TRAIN_FAILED && strstr(result.why.text, cases[i].message), "case %zu: %s", i,
                  result.why.text);
        small_run_close(&r);
    }
}

/* A run that is resumed without the best weights that it has had fails before it trains. */
Test(best, resumed_without_its_file)
{
    static const double losses[EPOCHS] = {1, 2, 3, 4, 5, 6};
    const char         *folder = scratch_folder(), *checkpoint = path_of(folder, "checkpoint");
    script              s = {.loss = losses};
    train_best          best = {.path = path_of(folder, "best")};
    run_result          part;
    go(&s, &best, checkpoint, NULL, STEPS, STEPS_OF_EPOCH + 2, &part);
    cr_assert(part.status == TRAIN_STOPPED && remove(best.path) == 0);
    s = (script){.loss = losses};
    go(&s, &best, NULL, checkpoint, STEPS, -1, &part);
    cr_assert(part.status == TRAIN_FAILED && strstr(part.why.text, "No such file") && s.weights[2] == 0, "%s",
              part.why.text);
    best.before = path_of(folder, "nowhere");
    go(&s, &best, NULL, checkpoint, STEPS, -1, &part);
    cr_assert(part.status == TRAIN_FAILED && strstr(part.why.text, "nowhere.safetensors: No such file"), "%s",
              part.why.text);
}
