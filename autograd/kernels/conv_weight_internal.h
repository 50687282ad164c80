/* The gradient of a convolution's weight: how it is cut, into patches of the weights and segments of the batch, and the
 * work on one of them. Internal. */
#ifndef AG_CONV_WEIGHT_INTERNAL_H
#define AG_CONV_WEIGHT_INTERNAL_H

#include "autograd/kernels/conv.h"

/* Reals of a pixel of a panel, and of the sums of two panels. */
enum { AGK_PANEL_PIXEL = AGK_LANES * AGK_LANES };

/* Pairs (channel, tap) of a patch, and memory that those of one pixel take, at most. */
enum { AGK_MOST_PAIRS = 12 * AGK_LANES, AGK_PAIRS_PIXEL = 512 };

/* How the whole is cut. Where there are few input channels, the pairs (channel, tap), in the order of the weights,
 * count as channels, and there is one tap. */
typedef struct agk__weight_plan {
    const agk_conv *c;
    const ag_real  *x, *g; /* the input, and the gradient of the output */
    int64_t         block; /* images that are multiplied together: AGK_LANES interleaved ones; or one, as it lies */
    bool            gathered;
    bool            rows_are_in; /* of the products: channels of the input, those of the output being columns */
    bool            add;
    ag_real        *dw;                           /* (segments, weights) */
    int64_t         out, in, taps;                /* channels of a group, and taps */
    int64_t         some_out, some_in, some_taps; /* of a patch, at most; taps: all, a row of the kernel, or one */
    int64_t         segments;                     /* of the batch, whose sums are apart */
    int64_t         band[2];                      /* pixels of the output that are done together */
} agk__weight_plan;

/* A part of a group's weights: output channels out .. out + n_out - 1, and so on; and the segment. */
typedef struct agk__weight_patch {
    int64_t group, out, n_out, in, n_in, tap, n_taps, segment;
} agk__weight_patch;

/* Reals of memory that the work on a patch takes, at most. */
int64_t agk__weight_patch_size(const agk__weight_plan *p);

/* Puts a patch's gradient where it belongs, or adds it. */
void agk__weight_patch_gradient(const agk__weight_plan *p, const agk__weight_patch *at, ag_real *memory);

/* Reals that the sums of the segments take, or 0 if there is one segment. */
int64_t agk__weight_sums(const agk_conv *c, int64_t block);

/* Whether there are input channels so few that such pairs count as channels. */
bool agk__conv_has_pairs(const agk_conv *c);

/* to[i * step + k] = what pair first + k, k < n, meets at pixel i of a band of the output, an area of band[0] by
 * band[1] pixels that begins at begin; of one image, from the first channel of a group on. The memory for it, and the
 * step. (conv_pairs.c) */
void agk__conv_pairs(const agk_conv *c, const ag_real *image, const int64_t *begin, const int64_t *band, int64_t first,
                     int64_t n, ag_real *memory, ag_real *to);
int64_t agk__conv_pairs_size(const agk_conv *c, const int64_t *band);
int64_t agk__conv_pairs_step(int64_t n);

static inline int64_t agk__parts(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

#endif
