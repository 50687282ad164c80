#include "models/train/best.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/file.h"
#include "tools/text.h"

static double test_of(const train_record *r)
{
    return r->test.n > 0 ? r->test.at[0].value : INFINITY;
}

/* Whether an epoch can be compared with those of the present phase: it is of this one, or of one that this continues.
 */
static bool is_comparable(const train_run *run, const train_record *r)
{
    int first = run->phase;
    while (first > r->phase && run->plan->phases[first].continues)
        first--;
    return r->phase == first && (first < run->phase || r->epoch * run->steps_per_epoch <= run->step);
}

/* The best whole epoch so far; NULL if there is none. */
static const train_record *best_of(const train_run *run)
{
    const train_history *h = &run->history;
    const train_record  *best = NULL;
    for (int64_t i = 0; i < h->n; i++) {
        const train_record *r = &h->at[i];
        if (is_comparable(run, r) && (!best || test_of(r) < test_of(best)))
            best = r;
    }
    return best;
}

static bool copy_file(const char *from, const char *to, tl_error *why)
{
    size_t    size;
    tl_output f;
    void     *bytes = tl_read_file(from, &size, why);
    bool      ok = bytes && tl_output_open(&f, to, why);
    if (ok) {
        fwrite(bytes, 1, size, f.stream); /* an error is seen by close */
        ok = tl_output_close(&f, why);
    }
    free(bytes);
    return ok;
}

/* Reads the file, which must be of the epoch that the history says is the best, or of one of this phase after `last`.
 */
static bool open_best(const train_best *b, train_run *run, const train_record *best, int64_t last, nn_safetensors *file)
{
    int64_t phase = best->phase, epoch = 0;
    if (!nn_safetensors_read(b->path, file, &run->error))
        return false;
    const bool told = tl_parse_int(nn_safetensors_text(file, "best.epoch"), &epoch);
    tl_parse_int(nn_safetensors_text(file, "best.phase"), &phase);
    if (told && ((phase == best->phase && epoch == best->epoch) || (phase == run->phase && epoch > last)))
        return true;
    nn_safetensors_free(file);
    return tl_fail_at(&run->error, b->path, "is not of epoch %" PRId64 ", the best of this run", best->epoch);
}

/* A run that is resumed has had a best epoch: its weights must be there before more is trained. If it ended between
 * writing these and its checkpoint, they are of an epoch that will be made again. */
static bool begin(void *self, train_run *run)
{
    const train_best   *b = self;
    const train_record *best = best_of(run);
    nn_safetensors      file;
    if (!best)
        return true;
    if ((b->before && !copy_file(b->before, b->path, &run->error)) ||
        !open_best(b, run, best, run->step / run->steps_per_epoch, &file))
        return false;
    nn_safetensors_free(&file);
    return true;
}

static bool after_epoch(void *self, train_run *run, const train_record *record)
{
    const train_best *b = self;
    char              phase[24], epoch[24];
    if (!run->plan->phases[run->phase].test)
        return tl_fail(&run->error, "the best epoch cannot be kept: %s has no test",
                       run->plan->phases[run->phase].name);
    if (record != best_of(run) || !train_sums_finite(&record->train) || !train_sums_finite(&record->test))
        return true; /* a run that diverges leaves the file of the run that it was to replace */
    nn_stored_text *texts = malloc((size_t)(b->n_texts + 2) * sizeof *texts);
    if (!texts)
        return tl_fail(&run->error, "out of memory");
    snprintf(phase, sizeof phase, "%d", record->phase);
    snprintf(epoch, sizeof epoch, "%" PRId64, record->epoch);
    if (b->n_texts > 0)
        memcpy(texts, b->texts, (size_t)b->n_texts * sizeof *texts);
    texts[b->n_texts] = (nn_stored_text){"best.phase", phase};
    texts[b->n_texts + 1] = (nn_stored_text){"best.epoch", epoch};
    const bool ok = nn_save_checkpoint(run->plan->model, 0, NULL, b->n_texts + 2, texts, b->path, &run->error);
    free(texts);
    return ok;
}

static bool read_back(train_best *b, train_run *run, const train_record *best)
{
    nn_safetensors file;
    tl_error       reason;
    if (!open_best(b, run, best, INT64_MAX, &file))
        return false;
    const bool ok = nn_load_checkpoint(run->plan->model, 0, NULL, &file, true, &reason) ||
                    tl_fail_at(&run->error, b->path, "%s", reason.text);
    nn_safetensors_free(&file);
    b->epoch = ok ? best->epoch : 0;
    b->phase = best->phase;
    return ok;
}

static bool at_end(void *self, train_run *run, train_status status)
{
    const train_record *best = status == TRAIN_OK ? best_of(run) : NULL;
    return !best || read_back(self, run, best);
}

train_observer train_best_observer(train_best *b)
{
    return (train_observer){.begin = begin, .epoch = after_epoch, .end = at_end, .self = b};
}
