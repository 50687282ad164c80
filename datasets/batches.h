/* Batches: the examples of an epoch in a shuffled order, a few at a time.
 *
 *     const int64_t *index;
 *     ds_batches_shuffle(&b, epoch);
 *     for (int64_t n; (n = ds_batches_next(&b, &index)) > 0;) {
 *         ag_tape_reset(tape);
 *         ds_images(&data, index, n, pixels);
 *         ag_tensor *x = ag_input(tape, AG_SHAPE(n, 784), pixels);
 *         ...
 *     } */
#ifndef DS_BATCHES_H
#define DS_BATCHES_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ds_batches {
    int64_t  count, size, position; /* examples in all, per batch, and already given out */
    uint64_t seed;
    int64_t *order;
} ds_batches;

/* Batches of `size` of the examples 0 .. count-1, in order at first. False when a number is below 1 or memory runs out.
 */
bool ds_batches_init(ds_batches *b, int64_t count, int64_t size, uint64_t seed);
void ds_batches_free(ds_batches *b);

/* Starts an epoch: in the order that (seed, epoch) gives, or, to evaluate, from first to last. */
void ds_batches_shuffle(ds_batches *b, uint64_t epoch);
void ds_batches_restart(ds_batches *b);

/* The next batch: its size, and where its examples' numbers are. The last one may be smaller; 0 at the end. */
int64_t ds_batches_next(ds_batches *b, const int64_t **index);

/* Batch `step` of an endless draw, a function of (seed, step): examples at random, with repetition; and a block of
 * neighbours that begins at random. Returns the batch's size: `size`, or count if that is less. An index is valid until
 * the next call; these two overwrite the epoch's order, so call shuffle or restart before the next ds_batches_next. */
int64_t ds_batches_random(ds_batches *b, uint64_t step, const int64_t **index);
int64_t ds_batches_block(ds_batches *b, uint64_t step, const int64_t **index);

#ifdef __cplusplus
}
#endif
#endif
