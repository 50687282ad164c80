/* Programs on labelled images: --data, and --generate, --encode and the like. train_image_main is a whole main
 * function; a program is its options, its model, its step and its pictures. */
#ifndef TRAIN_IMAGE_PROGRAM_H
#define TRAIN_IMAGE_PROGRAM_H

#include "models/train/images.h"

#ifdef __cplusplus
extern "C" {
#endif

int train_image_main(int argc, char **argv, const train_image_program *program);

#ifdef __cplusplus
}
#endif
#endif
