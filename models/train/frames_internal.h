/* Pictures of a model of images, epoch by epoch, for report.html. */
#ifndef TRAIN_FRAMES_INTERNAL_H
#define TRAIN_FRAMES_INTERNAL_H

#include "models/train/images.h"

/* Adds --preview to a table. */
void train__frame_options(train_images *m, tl_option *table);

/* Keeps a picture of the epoch: test images, noisy ones for a denoiser, their reconstructions, and samples of codes
 * that stay the same. */
bool train__collect_frame(train_images *m, const train_record *record, tl_error *why);

/* Puts these pictures on the page, and writes them as an animation, births.png. */
bool train__show_frames(train_images *m, tl_page *page, tl_error *why);

void train__free_frames(train_images *m);

#endif
