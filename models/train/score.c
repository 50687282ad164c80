#include "models/train/score_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/classifier_internal.h"
#include "models/train/images_internal.h"
#include "models/train/kid.h"
#include "models/train/rows_internal.h"
#include "tools/file.h"
#include "tools/text.h"

void train__score_options(train_images *m, tl_option *table)
{
    const tl_option options[TRAIN_SCORES] = {
        {"score", TL_FLAG, &m->score, 0, 0, NULL,
         "compare new images with the test images: kernel inception distance, after training or with --load", false},
        {"classifier", TL_TEXT, &m->classifier, 0, 0, "FILE",
         "with --score: the classifier whose features are compared; trained if it is not there; else "
         "classifier.safetensors beside the model",
         false},
        TL_OPTIONS_END,
    };
    if (m->program->decode && m->program->sample)
        memcpy(table, options, sizeof options);
    else
        table[0] = options[TRAIN_SCORES - 1];
}

/* ---- Features. ---- */

static ag_tensor *features(void *classifier, const train_batch *b)
{
    return train__classifier_features(classifier, b->x);
}

static bool test_features(train_images *m, train_classifier *c, train_table *to, tl_error *why)
{
    train_table images;
    const bool  ok = train__unit_images(&m->test, INT64_MAX, &images, why) &&
                    train__map_rows(m, features, c, &images, to, why);
    free(images.at);
    return ok;
}

/* Of as many new images as there are test images, and the codes that they were made of. */
static bool sample_features(train_images *m, train_classifier *c, train_table *codes, train_table *to, tl_error *why)
{
    train_table images = {0};
    bool        ok = train__sample(m, m->test.count, codes, why) && train__decode(m, codes, &images, why);
    if (ok)
        train_to_unit(m, images.rows, images.at);
    ok = ok && train__map_rows(m, features, c, &images, to, why);
    free(images.at);
    return ok;
}

/* ---- What a conditional model was asked for. ---- */

static ag_tensor *classify(void *classifier, const train_batch *b)
{
    return ag_argmax(nn_forward(((train_classifier *)classifier)->output, b->x), 1, false);
}

/* The share of new images that the classifier takes for what their codes ask for; NaN if they ask for nothing. */
static bool share_as_asked(train_images *m, train_classifier *c, const train_table *codes, const train_table *samples,
                           double *share, tl_error *why)
{
    train_table taken;
    *share = NAN;
    if (m->classes != TRAIN_CLASSES)
        return true;
    if (m->class_at < 0 || m->class_at > m->code - m->classes)
        return tl_fail(why, "the class of a code begins at %lld of %lld numbers: there is no room for %d",
                       (long long)m->class_at, (long long)m->code, TRAIN_CLASSES);
    const bool ok = train__map_rows(m, classify, c, samples, &taken, why);
    int64_t    right = 0;
    for (int64_t i = 0; ok && i < codes->rows; i++)
        right += codes->at[i * codes->width + m->class_at + (int64_t)taken.at[i]] > 0;
    *share = (double)right / (double)codes->rows;
    free(taken.at);
    return ok;
}

/* ---- The score. ---- */

/* --classifier; else where the results are. */
static bool classifier_path(train_images *m, char *path, size_t size, tl_error *why)
{
    if (!m->classifier)
        return train__result_place(m, "classifier.safetensors", path, size, why);
    const int n = snprintf(path, size, "%s", m->classifier);
    return (n > 0 && (size_t)n < size) || tl_fail(why, "--classifier: the path is too long");
}

typedef struct score {
    double kid, halves; /* of the samples; of the two halves of the test images, to compare with */
    double accuracy;    /* of the classifier */
    double as_asked;    /* the share of samples taken for the class that was asked for; NaN if none was */
} score;

static bool write_score(train_images *m, const score *s, tl_error *why)
{
    char      path[4200];
    tl_output out;
    if (m->job->options.load && !m->job->options.out)
        return true;
    if (!train_result_path(m, "score.csv", path, sizeof path, why) || !tl_output_open(&out, path, why))
        return false;
    fprintf(out.stream, "kid,kid_of_test_halves,classifier_accuracy%s\n", isnan(s->as_asked) ? "" : ",as_asked");
    fprintf(out.stream, "%s,%s,", TL_NUMBER(s->kid, 6), TL_NUMBER(s->halves, 6));
    fputs(TL_NUMBER(s->accuracy, 6), out.stream);
    if (!isnan(s->as_asked))
        fprintf(out.stream, ",%s", TL_NUMBER(s->as_asked, 6));
    fputc('\n', out.stream);
    return tl_output_close(&out, why);
}

/* Between every other test image and the rest: MNIST's first five thousand are easier than its last. */
static double kid_of_halves(const train_table *test, ag_real *workspace)
{
    const int64_t half = test->rows / 2;
    for (int64_t i = 0; i < 2 * half; i++)
        memcpy(workspace + (i % 2 * half + i / 2) * TRAIN_FEATURES, test->at + i * TRAIN_FEATURES,
               TRAIN_FEATURES * sizeof *workspace);
    return train_kid(TRAIN_FEATURES, half, workspace, half, workspace + half * TRAIN_FEATURES);
}

static void print_score(const score *s)
{
    printf("sample score (KID) %s; two halves of the test images: ", TL_NUMBER(s->kid, 4));
    printf("%s; the classifier's accuracy: %s\n", TL_NUMBER(s->halves, 2), TL_NUMBER(s->accuracy, 4));
    if (!isnan(s->as_asked))
        printf("taken for the digit that was asked for: %.2f %% of the samples\n", 100 * s->as_asked);
}

static bool compare(train_images *m, train_classifier *c, tl_error *why)
{
    train_table test = {0}, samples = {0}, codes = {0};
    score       s = {.accuracy = c->accuracy};
    bool        ok = test_features(m, c, &test, why) && sample_features(m, c, &codes, &samples, why) &&
              share_as_asked(m, c, &codes, &samples, &s.as_asked, why);
    if (ok) {
        s.kid = train_kid(TRAIN_FEATURES, test.rows, test.at, samples.rows, samples.at);
        s.halves = kid_of_halves(&test, samples.at);
        if (!m->job->options.quiet || m->job->options.load)
            print_score(&s);
        ok = write_score(m, &s, why);
    }
    free(test.at);
    free(samples.at);
    free(codes.at);
    return ok;
}

bool train__score(train_images *m, tl_error *why)
{
    char              path[4200];
    train_classifier *c = classifier_path(m, path, sizeof path, why) ? train__classifier_open(m, path, why) : NULL;
    const bool        ok = c && compare(m, c, why);
    nn_module_free(c ? &c->base : NULL);
    return ok;
}
