/* What ranks tell each other. All of them call each of these, or none does. */
#ifndef TRAIN_RANKS_INTERNAL_H
#define TRAIN_RANKS_INTERNAL_H

#include <stddef.h>

#include "models/train/ranks.h"
#include "tools/error.h"

enum { TRAIN_MAX_RANKS = 1024 };

/* Where part i of n equal ones begins in `count` things: shards of a rank, elements of a chunk, examples of a shard.
 * The first one is empty only if there is nothing. */
int64_t train__part(int64_t count, int64_t n, int64_t i);

bool train__is_power_of_two(int64_t n);

/* The part of this rank: from *begin to *end - 1. */
void train__own_part(const train_ranks *ranks, int64_t count, int64_t *begin, int64_t *end);

/* Everybody gets everybody's bytes: rank r's are those from data + at[r] to data + at[r + 1]. False if a rank cannot be
 * reached. */
bool train__gather(const train_ranks *ranks, void *data, const int64_t *at);

/* The same for `count` things of `size` bytes, of which each rank has its part; and for the bytes of one rank. */
bool train__gather_parts(const train_ranks *ranks, void *data, int64_t count, size_t size);
bool train__gather_from(const train_ranks *ranks, int rank, void *data, int64_t size);

/* Whether all went well, here and elsewhere, and whether anybody is asked to stop (*stop, in and out). False with the
 * reason: this rank's own, else another's with its number. A rank that is told of a failure calls none of these again.
 */
bool train__agree(const train_ranks *ranks, bool ok, bool *stop, tl_error *why);

bool train__unreachable(tl_error *why);

#endif
