#include "autograd/kernels/interleave.h"

#include <string.h>

#include "autograd/kernels/prefetch.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/kernels/workspace.h"

enum {
    LANES = AGK_LANES,
    NUMBERS = 2048, /* of each image that are moved together, */
    PIXELS = 256,   /* and how many of a channel, at most, are among them */
    SOON = 2        /* so many pixels before they are written they are fetched */
};

_Static_assert(NUMBERS *LANES <= AGK_WORKSPACE, "what is moved together fits the workspace");

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t agk_interleaved_blocks(int64_t batch)
{
    return (batch + LANES - 1) / LANES;
}

int64_t agk_interleaved(int64_t batch, int64_t size)
{
    return agk_interleaved_blocks(batch) * LANES * size;
}

typedef struct layout {
    int64_t        batch, channels, pixels;
    bool           add;
    const ag_real *from;
    ag_real       *to;
} layout;

/* Items are stretches of pixels of a block. */
static int64_t stretches(const layout *l)
{
    return (l->pixels + PIXELS - 1) / PIXELS;
}

/* Pixels of some channels of one block. They pass through `workspace` (channels, pixels, LANES), so that images are
 * read and written along their rows, and interleaved pixels too. A single channel needs none, and several do without.
 */
typedef struct piece {
    int64_t  images, channels, pixels;
    int64_t  image, interleaved; /* where they begin, in the first image and in the blocks */
    ag_real *workspace;
} piece;

typedef void piece_fn(const layout *l, const piece *p);

static void for_pieces(const layout *l, int64_t item, piece_fn *move)
{
    const int64_t block = item / stretches(l), first = item % stretches(l) * PIXELS;
    const int64_t begin = block * LANES * l->channels * l->pixels;
    piece         p = {.images = least(l->batch - block * LANES, LANES),
                       .pixels = least(l->pixels - first, PIXELS),
                       .workspace = l->channels > 1 ? agk_workspace() : NULL};
    for (int64_t c = 0; c < l->channels; c += p.channels) {
        p.channels = least(l->channels - c, NUMBERS / p.pixels);
        p.image = begin + c * l->pixels + first;
        p.interleaved = begin + (first * l->channels + c) * LANES;
        move(l, &p);
    }
}

static void copy_lanes(const ag_real *from, ag_real *to)
{
    memcpy(to, from, LANES * sizeof *to);
}

static void interleave_piece(const layout *l, const piece *p)
{
    const int64_t  size = l->channels * l->pixels, pixel = l->channels * LANES, n = p->pixels;
    const ag_real *x = l->from + p->image;
    ag_real       *to = l->to + p->interleaved, *workspace = p->workspace;
    if (workspace && p->images < LANES) /* the rest of the lanes */
        memset(workspace, 0, (size_t)(p->channels * n * LANES) * sizeof *workspace);
    for (int64_t k = 0; !workspace && p->images < LANES && k < n; k++)
        memset(to + k * pixel, 0, (size_t)(p->channels * LANES) * sizeof *to);
    if (workspace && n == l->pixels)
        agk()->transpose(p->images, p->channels * n, x, size, false, workspace, LANES);
    else
        for (int64_t c = 0; c < p->channels; c++)
            agk()->transpose(p->images, n, x + c * l->pixels, size, false,
                             workspace ? workspace + c * n * LANES : to + c * LANES, workspace ? LANES : pixel);
    for (int64_t k = 0; workspace && k < n; k++)
        for (int64_t c = 0; c < p->channels; c++) {
            agk__prefetch_to_write(to, (k + SOON) * pixel + c * LANES);
            copy_lanes(workspace + (c * n + k) * LANES, to + k * pixel + c * LANES);
        }
}

static void deinterleave_piece(const layout *l, const piece *p)
{
    const int64_t  size = l->channels * l->pixels, pixel = l->channels * LANES, n = p->pixels;
    const ag_real *from = l->from + p->interleaved;
    ag_real       *x = l->to + p->image, *workspace = p->workspace;
    for (int64_t k = 0; workspace && k < n; k++)
        for (int64_t c = 0; c < p->channels; c++)
            copy_lanes(from + k * pixel + c * LANES, workspace + (c * n + k) * LANES);
    if (workspace && n == l->pixels)
        agk()->transpose(p->channels * n, p->images, workspace, LANES, l->add, x, size);
    else
        for (int64_t c = 0; c < p->channels; c++)
            agk()->transpose(n, p->images, workspace ? workspace + c * n * LANES : from + c * LANES,
                             workspace ? LANES : pixel, l->add, x + c * l->pixels, size);
}

static void interleave_items(void *context, int64_t begin, int64_t end)
{
    const layout *l = context;
    for (int64_t i = begin; i < end; i++)
        for_pieces(l, i, interleave_piece);
}

static void deinterleave_items(void *context, int64_t begin, int64_t end)
{
    const layout *l = context;
    for (int64_t i = begin; i < end; i++)
        for_pieces(l, i, deinterleave_piece);
}

static void move(layout l, agk_body *body)
{
    const int64_t work = least(l.pixels, PIXELS) * l.channels * LANES;
    agk_parallel(agk_interleaved_blocks(l.batch) * stretches(&l), AGK_THREAD_COPIES / work + 1, body, &l);
}

void agk_interleave(int64_t batch, int64_t channels, int64_t pixels, const ag_real *x, ag_real *interleaved)
{
    move((layout){batch, channels, pixels, false, x, interleaved}, interleave_items);
}

void agk_deinterleave(int64_t batch, int64_t channels, int64_t pixels, const ag_real *interleaved, bool add, ag_real *x)
{
    move((layout){batch, channels, pixels, add, interleaved, x}, deinterleave_items);
}
