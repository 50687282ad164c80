/* Pictures of epochs: kept, written as the animation births.png, and read again when a run is resumed. */
#ifndef TRAIN_BIRTHS_INTERNAL_H
#define TRAIN_BIRTHS_INTERNAL_H

#include "models/train/images.h"

enum { TRAIN_MOST_FRAMES = 48 };

/* Of every so many epochs; every second one goes when there is no more room. */
struct train_frames {
    int      n, every, width, height;
    tl_png   png[TRAIN_MOST_FRAMES];
    uint8_t *pixels[TRAIN_MOST_FRAMES];
    int64_t  ordinal[TRAIN_MOST_FRAMES]; /* of the epoch's record in the history, from 1 on */
    char     caption[TRAIN_MOST_FRAMES][64];
};

/* Takes over the pixels, of the epoch with that number. */
bool train__keep_frame(struct train_frames *f, int64_t ordinal, int64_t epoch, uint8_t *pixels, tl_error *why);

bool train__write_births(train_images *m, tl_error *why);

/* Frames of the epochs before that number, counted over all phases, from the births.png beside the checkpoint that is
 * resumed; none where there is no such file, or another one. */
void train__read_births(train_images *m, int64_t before);

void train__drop_frames(struct train_frames *f);

#endif
