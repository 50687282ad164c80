/* The codes of test images, for report.html. */
#ifndef TRAIN_LATENT_INTERNAL_H
#define TRAIN_LATENT_INTERNAL_H

#include "models/train/images.h"

/* The codes as points of a plane, how far each of their numbers spreads, and the decoder, if it is small, to play with.
 * Writes codes.svg. */
bool train__show_codes(train_images *m, tl_page *page, tl_error *why);
void train__free_codes(train_images *m);

#endif
