#include "autograd/kernels/interleave.h"

#include <string.h>

#include "autograd/kernels/pool.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t agk_interleaved(int64_t batch, int64_t size)
{
    return (batch + AGK_LANES - 1) / AGK_LANES * AGK_LANES * size;
}

int64_t agk_interleaved_blocks(int64_t batch)
{
    return (batch + AGK_INTERLEAVED_BLOCK - 1) / AGK_INTERLEAVED_BLOCK;
}

int64_t agk_interleaved_lanes(int64_t batch, int64_t block)
{
    return batch - block * AGK_INTERLEAVED_BLOCK > AGK_LANES ? AGK_INTERLEAVED_BLOCK : AGK_LANES;
}

typedef struct layout {
    int64_t        batch, size;
    const ag_real *from;
    ag_real       *to;
    bool           add;
} layout;

enum { PIECE = 256 }; /* numbers of each image that are moved together */

static int64_t pieces(int64_t size)
{
    return (size + PIECE - 1) / PIECE;
}

static void interleave_pieces(void *context, int64_t begin, int64_t end)
{
    const layout *l = context;
    for (int64_t i = begin; i < end; i++) {
        int64_t block = i / pieces(l->size), first = i % pieces(l->size) * PIECE, n = least(l->size - first, PIECE);
        int64_t lanes = agk_interleaved_lanes(l->batch, block),
                images = least(l->batch - block * AGK_INTERLEAVED_BLOCK, lanes);
        ag_real *to = l->to + block * AGK_INTERLEAVED_BLOCK * l->size + first * lanes;
        if (images < lanes)
            memset(to, 0, (size_t)(n * lanes) * sizeof *to);
        agk()->transpose(images, n, l->from + block * AGK_INTERLEAVED_BLOCK * l->size + first, l->size, false, to,
                         lanes);
    }
}

void agk_interleave(int64_t batch, int64_t size, const ag_real *x, ag_real *interleaved)
{
    layout l = {batch, size, x, interleaved, false};
    agk_parallel(agk_interleaved_blocks(batch) * pieces(size), 2, interleave_pieces, &l);
}

static void deinterleave_pieces(void *context, int64_t begin, int64_t end)
{
    const layout *l = context;
    for (int64_t i = begin; i < end; i++) {
        int64_t block = i / pieces(l->size), first = i % pieces(l->size) * PIECE, n = least(l->size - first, PIECE);
        int64_t lanes = agk_interleaved_lanes(l->batch, block),
                images = least(l->batch - block * AGK_INTERLEAVED_BLOCK, lanes);
        agk()->transpose(n, images, l->from + block * AGK_INTERLEAVED_BLOCK * l->size + first * lanes, lanes, l->add,
                         l->to + block * AGK_INTERLEAVED_BLOCK * l->size + first, l->size);
    }
}

void agk_deinterleave(int64_t batch, int64_t size, const ag_real *interleaved, bool add, ag_real *x)
{
    layout l = {batch, size, interleaved, x, add};
    agk_parallel(agk_interleaved_blocks(batch) * pieces(size), 2, deinterleave_pieces, &l);
}
