/* Images with a border of zeros, in which each tap of a kernel finds what it meets at one distance. */
#ifndef AG_CONV_BORDER_INTERNAL_H
#define AG_CONV_BORDER_INTERNAL_H

#include "autograd/kernels/conv_direct_internal.h"

enum { AGK_BORDER_SLACK = 64 }; /* reals that may be read beyond a plane */

/* The source with a border of zeros: `before` rows and columns on the low side. Forward, rows and columns are sorted by
 * their remainder by the stride, so that what one tap meets lies side by side: phases[0] by phases[1] parts of part[0]
 * rows by part[1] columns. Where they are not sorted, the zeros before a row are also those behind the row before, up
 * to their number. */
typedef struct agk__border {
    int64_t before[2], phases[2], part[2];
    int64_t size; /* of a plane, reals */
} agk__border;

agk__border agk__border_of(const agk__conv_job *j);

/* Where each tap of the kernel finds what meets the first position of its phase. */
void agk__border_places(const agk__border *b, const agk_conv *c, const agk__phase *v, int64_t down, const agk__phase *h,
                        int64_t across, int64_t *place);

/* The same for bands of rows: their border holds what `band` rows of the target meet. */
agk__border agk__border_of_band(const agk__conv_job *j, int64_t band);

/* Copies a plane of that size into a border that is there already, of which the first row is row `first` of the whole
 * one. */
void agk__border_fill(const agk__border *b, const int64_t *size, int64_t first, const ag_real *plane, ag_real *to);

/* to[i] = number at + i * stride of a row of `width`, 0 beyond its ends. */
void agk__border_row(const ag_real *row, int64_t width, int64_t at, int64_t stride, int64_t n, ag_real *to);

#endif
