/* Sources: where the examples of a training run come from. A source knows nothing of models or epochs; a user's own is
 * four fields. */
#ifndef TRAIN_SOURCE_H
#define TRAIN_SOURCE_H

#include "autograd/autograd.h"
#include "datasets/idx_files.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A few examples, as tensors of one tape. */
typedef struct train_batch {
    int64_t    n;
    ag_tensor *x; /* (n, ...): what the model is shown */
    ag_tensor *y; /* (n, ...): labels or targets; NULL if the source has none */
} train_batch;

typedef struct train_source {
    int64_t count; /* of examples */
    /* Puts examples index[0 .. n-1] on the tape. False on failure, with the error on the tape. */
    bool (*load)(void *self, ag_tape *tape, const int64_t *index, int64_t n, train_batch *out);
    /* A hash of all examples: a run is resumed only with those that it began with. NULL: not compared. */
    uint64_t (*hash)(void *self);
    void *self;
} train_source;

/* The order in which an epoch sees the examples; see datasets/batches.h. */
typedef enum train_order { TRAIN_SHUFFLED, TRAIN_RANDOM, TRAIN_BLOCKS } train_order;

/* A source of rows of plain arrays, which must outlive it: numbers, tokens (as whole numbers), pairs. */
typedef struct train_rows {
    int64_t        count;
    ag_shape       x_shape, y_shape; /* of one example: AG_SHAPE(784), AG_SCALAR */
    const ag_real *x, *y;            /* (count, x_shape) and (count, y_shape); y may be NULL */
} train_rows;

train_source train_rows_source(train_rows *rows);

/* A source of images in IDX files, which are read batch by batch: data larger than memory. A pixel is its byte / 255.
 * The struct must outlive the source. A source of no examples if there are labels, but not as many as images. */
typedef struct train_files {
    ds_idx_files images, labels; /* opened with ds_idx_files_open; labels.count 0: none */
} train_files;

train_source train_files_source(train_files *files);

#ifdef __cplusplus
}
#endif
#endif
