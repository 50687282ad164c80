/* --edit: digits made thicker or more slanted, sums and differences of codes, a walk from digit to digit. */
#ifndef TRAIN_EDIT_INTERNAL_H
#define TRAIN_EDIT_INTERNAL_H

#include "models/train/images.h"

/* Adds the option to a table, for a program whose sums and differences of codes are codes. */
void train__edit_options(train_images *images, tl_option *table);

/* Directions of the space of codes in which a property of the images changes, found from training images. edits.png:
 * test images walked along each; arithmetic.png: for each digit c, c + a - b, where a is the mean of another digit's
 * images that have much of the property, and b that of all of them; edits.csv: the property of what comes out;
 * walk.png: an animation through all digits. */
bool train__edit(train_images *images, tl_error *why);

#endif
