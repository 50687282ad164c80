#include "autograd/arena.h"

#include <stdint.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#define RED_ZONE       64
#else
#define POISON(p, n)   ((void)0)
#define UNPOISON(p, n) ((void)0)
#define RED_ZONE       0
#endif

#define ALIGNMENT   ((size_t)64)
#define FIRST_BLOCK ((size_t)1 << 20)

struct ag_arena_block {
    ag_arena_block *next;
    size_t          size; /* bytes of payload */
    size_t          used;
};

/* The header takes one alignment unit, so that the payload is aligned too. */
static char *payload(ag_arena_block *b)
{
    return (char *)b + ALIGNMENT;
}

static ag_arena_block *block_new(size_t size)
{
    ag_arena_block *b = aligned_alloc(ALIGNMENT, ALIGNMENT + size);
    if (!b)
        return NULL;
    *b = (ag_arena_block){NULL, size, 0};
    POISON(payload(b), size);
    return b;
}

static size_t total(const ag_arena *a)
{
    size_t sum = 0;
    for (const ag_arena_block *b = a->first; b; b = b->next)
        sum += b->size;
    return sum;
}

/* A block with room for `size` bytes: the next one kept from before if it is large enough, else a new one put in
 * its place. Blocks double, so that their number stays small. */
static ag_arena_block *next_block(ag_arena *a, size_t size)
{
    ag_arena_block *next = a->current ? a->current->next : a->first;
    if (!next || next->size < size) {
        size_t          first = a->first_block ? a->first_block : FIRST_BLOCK;
        size_t          want = total(a) > first ? total(a) : first;
        ag_arena_block *b = block_new(want > size ? want : size);
        if (!b && want > size)
            b = block_new(size);
        if (!b)
            return NULL;
        b->next = next;
        if (a->current)
            a->current->next = b;
        else
            a->first = b;
        next = b;
    }
    next->used = 0;
    return a->current = next;
}

void *ag__arena_alloc(ag_arena *a, size_t size)
{
    if (size > SIZE_MAX / 4)
        return NULL;
    size_t          rounded = (size + RED_ZONE + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    ag_arena_block *b = a->current;
    if (!b || b->size - b->used < rounded)
        b = next_block(a, rounded);
    if (!b)
        return NULL;
    char *p = payload(b) + b->used;
    b->used += rounded;
    UNPOISON(p, size);
    return p;
}

void ag__arena_reserve(ag_arena *a, size_t size)
{
    ag_arena_block **end = &a->first;
    size_t           held = total(a);
    while (*end)
        end = &(*end)->next;
    if (held < size)
        *end = block_new(size - held);
}

void ag__arena_reset(ag_arena *a)
{
    for (ag_arena_block *b = a->first; b; b = b->next) {
        POISON(payload(b), b->size);
        b->used = 0;
    }
    a->current = NULL;
}

void ag__arena_free(ag_arena *a)
{
    for (ag_arena_block *b = a->first, *next; b; b = next) {
        next = b->next;
        UNPOISON(payload(b), b->size);
        free(b);
    }
    a->first = a->current = NULL;
}

size_t ag__arena_bytes(const ag_arena *a)
{
    return total(a);
}
