/* A few of the labelled training images, as many of each digit: for programs that learn from few labels. */
#ifndef TRAIN_FEW_H
#define TRAIN_FEW_H

#include "models/train/images.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TRAIN_DIGITS = 10 };

typedef struct train_few {
    int64_t count; /* of images */

    /* ---- Private. ---- */
    int64_t            *at; /* their indices; on the heap */
    const train_source *all;
} train_few;

/* Chooses `labels` (a multiple of ten) of the training images, from a place among them on that the seed gives; fewer if
 * there are fewer. Made in a program's build; free it in any case. */
bool train_few_choose(train_few *f, train_images *images, int64_t labels, tl_error *why);
void train_few_free(train_few *f);

/* A source of `count` examples, which goes through the few as often as that makes. */
train_source train_few_source(train_few *f, int64_t count);

/* n of them, drawn with the tape's random numbers. False on failure, with the error on the tape. */
bool train_few_draw(train_few *f, ag_tape *tape, int64_t n, train_batch *out);

#ifdef __cplusplus
}
#endif
#endif
