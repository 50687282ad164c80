#include "models/train/likelihood.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/file.h"
#include "tools/text.h"

enum { SAMPLES = 100, IMAGES = 20 /* at a time */ };

ag_tensor *train_binarise(ag_tensor *x)
{
    ag_tensor *u = ag_rand_like(x);
    return ag_lt(u, x);
}

/* What an estimate works on. `best` and `sum` are those of a log-sum-exp that grows chunk by chunk. */
typedef struct estimate {
    train_images         *images;
    train_log_weights_fn *log_weights;
    void                 *context;
    int64_t               samples;
    double                best[IMAGES], sum[IMAGES];
} estimate;

static void add_weights(estimate *e, const ag_tensor *w, int64_t n, int64_t k)
{
    for (int64_t i = 0; i < n * k; i++) {
        const double log_w = (double)w->data[i], most = fmax(e->best[i / k], log_w);
        if (log_w == -INFINITY) /* adds nothing; and less itself it is NaN */
            continue;
        e->sum[i / k] = e->sum[i / k] * exp(e->best[i / k] - most) + exp(log_w - most);
        e->best[i / k] = most;
    }
}

static bool add_images(estimate *e, int64_t first, int64_t n)
{
    const int64_t size = e->images->height * e->images->width;
    ag_tape      *tape = e->images->job->run.tape;
    ag_tensor    *drawn = train_binarise(train_next_test_images(e->images, first, n).x);
    ag_real      *x = ag_tensor_error(drawn) ? NULL : malloc((size_t)(n * size) * sizeof *x);
    if (!x)
        return false;
    memcpy(x, drawn->data, (size_t)(n * size) * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        e->best[i] = -INFINITY;
        e->sum[i] = 0;
    }
    for (int64_t done = 0; done < e->samples && !ag_error(tape); done += SAMPLES) {
        const int64_t k = e->samples - done < SAMPLES ? e->samples - done : SAMPLES;
        ag_tape_reset(tape);
        const ag_tensor *w = e->log_weights(e->context, ag_input(tape, AG_SHAPE(n, size), x), k);
        if (!ag_error(tape))
            add_weights(e, w, n, k);
    }
    free(x);
    return !ag_error(tape);
}

static bool write_nll(train_images *m, int64_t samples, double nll, tl_error *why)
{
    char      path[4200];
    tl_output f;
    if (!train_folder_file(&m->job->folder, "nll.csv", path, sizeof path, why) || !tl_output_open(&f, path, why))
        return false;
    fprintf(f.stream, "images,samples,nll\n%lld,%lld,%s\n", (long long)m->test.count, (long long)samples,
            TL_NUMBER(nll, 7));
    if (!m->job->options.quiet)
        printf("test images: %s nats by %lld samples each\n", TL_NUMBER(nll, 6), (long long)samples);
    return tl_output_close(&f, why);
}

bool train_estimate_likelihood(train_images *m, int64_t samples, train_log_weights_fn *log_weights, void *context,
                               tl_error *why)
{
    estimate e = {m, log_weights, context, samples, {0}, {0}};
    double   total = 0;
    if (!m || !log_weights || samples < 1)
        return tl_fail(why, "train_estimate_likelihood: no images, no weights, or no samples");
    train_image_tape(m);
    for (int64_t first = 0; first < m->test.count; first += IMAGES) {
        const int64_t n = m->test.count - first < IMAGES ? m->test.count - first : IMAGES;
        if (!add_images(&e, first, n))
            return tl_fail(why, "%s", ag_error(m->job->run.tape) ? ag_error(m->job->run.tape) : "out of memory");
        for (int64_t i = 0; i < n; i++)
            total -= e.best[i] + log(e.sum[i]) - log((double)samples);
    }
    return write_nll(m, samples, total / (double)m->test.count, why);
}
