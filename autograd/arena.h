/* A growing arena: memory that is given out piece by piece and taken back all at once. Internal to autograd. */
#ifndef AG_ARENA_H
#define AG_ARENA_H

#include <stddef.h>

typedef struct ag_arena_block ag_arena_block;

typedef struct ag_arena {
    ag_arena_block *first;
    ag_arena_block *current;
    size_t          first_block; /* bytes of the first block; 0: 1 MiB */
} ag_arena;

/* Zeroed, the struct is an empty arena. */

/* `size` bytes aligned to 64, or NULL when memory runs out. The contents are undefined. */
void *ag__arena_alloc(ag_arena *a, size_t size);

/* Makes sure that the arena holds `size` bytes in blocks, for later. A failure shows when they are needed. */
void ag__arena_reserve(ag_arena *a, size_t size);

/* Takes everything back and keeps the blocks, so that the same requests made again need no malloc. Under
 * AddressSanitizer what was given out is poisoned: use after reset is reported. */
void ag__arena_reset(ag_arena *a);

/* Gives the blocks back to the system; the arena is empty again. */
void ag__arena_free(ag_arena *a);

/* Bytes that the arena holds from the system. */
size_t ag__arena_bytes(const ag_arena *a);

#endif
