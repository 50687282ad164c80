/* The convolutional classifier whose features the sample score compares, trained once and kept in a file. */
#ifndef TRAIN_CLASSIFIER_INTERNAL_H
#define TRAIN_CLASSIFIER_INTERNAL_H

#include "models/train/images.h"

enum { TRAIN_FEATURES = 128, TRAIN_CLASSES = 10 };

/* Two of Conv2d(3, padding 1), BatchNorm2d, ReLU, MaxPool2d(2) with 16 and 32 channels; Flatten, Linear(., 128), ReLU:
 * the features; Dropout(0.2), Linear(128, 10). Four epochs of Adam at 2e-3, along half a cosine. On MNIST it recognises
 * 99.2 % of the test images. */
typedef struct train_classifier {
    nn_module  base;
    nn_module *features, *output;
    int64_t    height, width;
    double     accuracy; /* on the test images */
} train_classifier;

/* Reads the classifier from the file, or, if there is none, trains it on the job's training images, always with the
 * same seed, and writes it. NULL with the reason; freed by nn_module_free(&c->base). */
train_classifier *train__classifier_open(train_images *images, const char *path, tl_error *why);

/* Of images x (N, pixels) in 0..1: features (N, 128). */
ag_tensor *train__classifier_features(train_classifier *c, ag_tensor *x);

#endif
