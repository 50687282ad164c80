/* --score: how near new images are to the test images. */
#ifndef TRAIN_SCORE_INTERNAL_H
#define TRAIN_SCORE_INTERNAL_H

#include "models/train/images.h"

/* The options, into a table of TRAIN_SCORES, for a program that draws codes and decodes them. */
enum { TRAIN_SCORES = 3 };
void train__score_options(train_images *images, tl_option *table);

/* As many new images as there are test images, compared with them: the distance on standard output, and in score.csv of
 * a run. */
bool train__score(train_images *images, tl_error *why);

#endif
