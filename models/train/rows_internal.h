/* Rows of numbers on their way through the model: images, codes. */
#ifndef TRAIN_ROWS_INTERNAL_H
#define TRAIN_ROWS_INTERNAL_H

#include "models/train/images.h"

typedef struct train_table {
    int64_t        rows, width;
    ag_real       *at;
    const uint8_t *labels; /* of each row, not owned; NULL for none */
} train_table;

/* Undefined numbers, to be freed by free(t->at); NULL after a failure. */
bool train__table_init(train_table *t, int64_t rows, int64_t width, tl_error *why);

/* The first images of a set, at most so many, with their labels; pixels 0..1. */
bool train__unit_images(const ds_dataset *d, int64_t most, train_table *t, tl_error *why);

/* Rows through a function, a batch at a time, as a new table. They keep their labels. */
typedef ag_tensor *train_pass_fn(void *context, const train_batch *b);
bool train__map_rows(train_images *images, train_pass_fn *f, void *context, const train_table *from, train_table *to,
                     tl_error *why);

/* The same through the program's model, on images in its range. */
bool train__encode(train_images *m, const train_table *images, train_table *codes, tl_error *why);
bool train__decode(train_images *m, const train_table *codes, train_table *images, tl_error *why);
bool train__corrupt(train_images *m, const train_table *images, train_table *noisy, tl_error *why);

/* n codes from the program's prior. */
bool train__sample(train_images *m, int64_t n, train_table *codes, tl_error *why);

#endif
