#include "datasets/batches.h"

#include <stdlib.h>

#include "datasets/random_internal.h"
#include "tools/memory.h"

bool ds_batches_init(ds_batches *b, int64_t count, int64_t size, uint64_t seed)
{
    if (!b)
        return false;
    *b = (ds_batches){.count = count, .size = size, .seed = seed};
    if (count < 1 || size < 1 || count > INT64_MAX / 8)
        return false;
    b->order = tl_array(count, 1, sizeof *b->order);
    if (!b->order)
        *b = (ds_batches){0};
    ds_batches_restart(b);
    return b->order != NULL;
}

void ds_batches_free(ds_batches *b)
{
    if (!b)
        return;
    free(b->order);
    *b = (ds_batches){0};
}

static void sort_order(ds_batches *b)
{
    for (int64_t i = 0; i < b->count; i++)
        b->order[i] = i;
}

void ds_batches_restart(ds_batches *b)
{
    if (!b || !b->order)
        return;
    sort_order(b);
    b->position = 0;
}

/* A random state for one epoch or step. */
static uint64_t state_for(const ds_batches *b, uint64_t number)
{
    return b->seed ^ ds_random_next(&number);
}

/* Fisher and Yates. The remainder's bias is below count / 2^64. */
void ds_batches_shuffle(ds_batches *b, uint64_t epoch)
{
    if (!b || !b->order)
        return;
    uint64_t state = state_for(b, epoch);
    ds_batches_restart(b);
    for (int64_t i = b->count - 1; i > 0; i--) {
        int64_t j = (int64_t)(ds_random_next(&state) % (uint64_t)(i + 1)), k = b->order[i];
        b->order[i] = b->order[j];
        b->order[j] = k;
    }
}

int64_t ds_batches_next(ds_batches *b, const int64_t **index)
{
    if (!b || !b->order || !index)
        return 0;
    int64_t left = b->count - b->position, n = left < b->size ? left : b->size;
    *index = b->order + b->position;
    b->position += n;
    return n;
}

int64_t ds_batches_random(ds_batches *b, uint64_t step, const int64_t **index)
{
    if (!b || !b->order || !index)
        return 0;
    uint64_t state = state_for(b, step);
    int64_t  n = b->count < b->size ? b->count : b->size;
    for (int64_t i = 0; i < n; i++)
        b->order[i] = (int64_t)(ds_random_next(&state) % (uint64_t)b->count);
    *index = b->order;
    return n;
}

int64_t ds_batches_block(ds_batches *b, uint64_t step, const int64_t **index)
{
    if (!b || !b->order || !index)
        return 0;
    uint64_t state = state_for(b, step);
    int64_t  n = b->count < b->size ? b->count : b->size;
    int64_t  first = (int64_t)(ds_random_next(&state) % (uint64_t)(b->count - n + 1));
    for (int64_t i = 0; i < n; i++)
        b->order[i] = first + i;
    *index = b->order;
    return n;
}
