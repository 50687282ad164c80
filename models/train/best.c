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

/* The best whole epoch of the present phase; NULL if there is none. Only the last record can be of a part. */
static const train_record *best_of(const train_run *run)
{
    const train_history *h = &run->history;
    const train_record  *best = NULL;
    const int64_t        whole = h->n - (run->step % run->steps_per_epoch != 0);
    for (int64_t i = 0; i < whole; i++)
        if (h->at[i].phase == run->phase && (!best || test_of(&h->at[i]) < test_of(best)))
            best = &h->at[i];
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

static bool begin(void *self, train_run *run)
{
    const train_best *b = self;
    return !b->before || !best_of(run) || copy_file(b->before, b->path, &run->error);
}

static bool after_epoch(void *self, train_run *run, const train_record *record)
{
    const train_best *b = self;
    char              epoch[24];
    if (!run->plan->phases[run->phase].test)
        return tl_fail(&run->error, "the best epoch cannot be kept: %s has no test",
                       run->plan->phases[run->phase].name);
    if (record != best_of(run))
        return true;
    nn_stored_text *texts = malloc((size_t)(b->n_texts + 1) * sizeof *texts);
    if (!texts)
        return tl_fail(&run->error, "out of memory");
    snprintf(epoch, sizeof epoch, "%" PRId64, record->epoch);
    if (b->n_texts > 0)
        memcpy(texts, b->texts, (size_t)b->n_texts * sizeof *texts);
    texts[b->n_texts] = (nn_stored_text){"best.epoch", epoch};
    const bool ok = nn_save_checkpoint(run->plan->model, 0, NULL, b->n_texts + 1, texts, b->path, &run->error);
    free(texts);
    return ok;
}

static bool read_back(train_best *b, train_run *run, const train_record *best)
{
    nn_safetensors file;
    tl_error       reason;
    int64_t        epoch = 0;
    if (!nn_safetensors_read(b->path, &file, &run->error))
        return false;
    bool ok = tl_parse_int(nn_safetensors_text(&file, "best.epoch"), &epoch) && epoch == best->epoch;
    if (!ok)
        tl_fail_at(&run->error, b->path, "is not of epoch %" PRId64 ", the best of this run", best->epoch);
    else if (!nn_load_checkpoint(run->plan->model, 0, NULL, &file, true, &reason))
        ok = tl_fail_at(&run->error, b->path, "%s", reason.text);
    nn_safetensors_free(&file);
    b->epoch = ok ? epoch : 0;
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
