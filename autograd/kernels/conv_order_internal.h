/* Weights in the order in which tiles read them: (group, block of AGK_CONV_ROWS channels of the target, tap, depth,
 * channel of the block), depth being the channels of the source in a group. */
#ifndef AG_CONV_ORDER_INTERNAL_H
#define AG_CONV_ORDER_INTERNAL_H

#include "autograd/kernels/conv.h"

/* Reals that those of a group take. */
int64_t agk__group_weights(const agk_conv *c, bool forward);

/* Writes those of w, or only those of a block, counted through all groups. */
void agk__order_weights(const agk_conv *c, bool forward, const ag_real *w, ag_real *to);
void agk__order_block(const agk_conv *c, bool forward, const ag_real *w, int64_t block, ag_real *to);

#endif
