#include "models/train/few.h"

#include <stdlib.h>

enum { MOST_LABELS = 1000000 }; /* as many as the programs' options let through */

bool train_few_choose(train_few *f, train_images *m, int64_t labels, tl_error *why)
{
    if (!f || !m || labels < TRAIN_DIGITS || labels > MOST_LABELS)
        return tl_fail(why, "few: NULL, or not 10 to %d labels", MOST_LABELS);
    const int64_t each = labels / TRAIN_DIGITS, n = m->trained;
    int64_t       of[TRAIN_DIGITS] = {0};
    *f = (train_few){.at = malloc((size_t)(each * TRAIN_DIGITS) * sizeof *f->at), .all = m->phase.train};
    if (!f->at)
        return tl_fail(why, "out of memory");
    const int64_t first = n > 0 ? (int64_t)(m->job->options.seed % 1000 * 7919 % (uint64_t)n) : 0;
    for (int64_t i = 0; i < n && f->count < each * TRAIN_DIGITS; i++) {
        const int64_t at = (first + i) % n;
        const int     digit = m->train.labels[at];
        if (digit < TRAIN_DIGITS && of[digit] < each) {
            of[digit]++;
            f->at[f->count++] = at;
        }
    }
    return f->count > 0 || m->job->options.load || tl_fail(why, "--labels: no training images of ten digits");
}

void train_few_free(train_few *f)
{
    if (!f)
        return;
    free(f->at);
    f->at = NULL;
}

static bool load(void *self, ag_tape *tape, const int64_t *index, int64_t n, train_batch *out)
{
    const train_few *f = self;
    if (!f || !f->at || f->count < 1) {
        ag_fail(tape, "few: no images are chosen");
        return false;
    }
    int64_t *at = ag_tape_alloc(tape, (size_t)n * sizeof *at);
    for (int64_t i = 0; at && i < n; i++)
        at[i] = f->at[index[i] % f->count];
    return at && f->all->load(f->all->self, tape, at, n, out);
}

/* Of all images: which are chosen depends on them and on the seed. */
static uint64_t hash(void *self)
{
    const train_source *all = ((const train_few *)self)->all;
    return all->hash(all->self);
}

train_source train_few_source(train_few *f, int64_t count)
{
    return (train_source){count, load, hash, f};
}

bool train_few_draw(train_few *f, ag_tape *tape, int64_t n, train_batch *out)
{
    if (!f || !tape || n < 1 || !out) {
        ag_fail(tape, "few: NULL, or %lld images", (long long)n);
        return false;
    }
    int64_t         *index = ag_tape_alloc(tape, (size_t)n * sizeof *index);
    const ag_tensor *u = ag_rand(tape, AG_SHAPE(n));
    for (int64_t i = 0; index && i < n && !ag_error(tape); i++)
        index[i] = (int64_t)((double)u->data[i] * (double)f->count);
    *out = (train_batch){.n = n};
    return index && !ag_error(tape) && load(f, tape, index, n, out);
}
