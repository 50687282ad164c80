/* Sums over the shards of a step, in one order whoever computed them: the binary tree over the shards' numbers.
 *
 * A block is `size` shards from number `first` on, summed; size is a power of two and first a multiple of it, so that a
 * block is a node of the tree. The shards of one rank follow each other, and their sums are the few largest blocks in
 * them. */
#ifndef TRAIN_REDUCE_INTERNAL_H
#define TRAIN_REDUCE_INTERNAL_H

#include "autograd/real.h"
#include "models/train/ranks_internal.h"

enum { TRAIN_MAX_BLOCKS = 64 }; /* twice the bits of a shard's number */

typedef struct train_block {
    int64_t  first, size;
    ag_real *values;
} train_block;

/* Adds up the last of n blocks as far as they are siblings in the tree; how many are left. Values of length `n_values`,
 * or NULL. */
int train__merge(train_block *b, int n, int64_t n_values);

/* The blocks of the shards begin .. end-1, without values; how many. */
int train__blocks_of(int64_t begin, int64_t end, train_block *b);

/* Workspace of train__reduce, kept from step to step. */
typedef struct train_reduction {
    ag_real     *sent, *received;
    ag_real     *total; /* of a rank without shards; another's is in its first block */
    int64_t      capacity_sent, capacity_received, capacity_total;
    int          ranks;       /* the memory of these is for so many */
    train_block *all;         /* of all ranks */
    int         *first_block; /* of a rank, among all; one more at the end */
} train_reduction;

/* Takes the memory for a sum of vectors of n numbers over `shards` shards. */
bool train__reduce_prepare(train_reduction *r, const train_ranks *ranks, int64_t shards, int64_t n);

/* The sum of all shards' vectors, after train__reduce_prepare. `own` are this rank's blocks, whose values are
 * overwritten. Each rank adds up a part of the vector and gives it to the others: a rank with one block sends and
 * receives less than 2 n numbers. NULL if a rank cannot be reached. */
ag_real *train__reduce(train_reduction *r, const train_ranks *ranks, int64_t shards, const train_block *own, int64_t n);
void     train__reduction_free(train_reduction *r);

#endif
