/* What the direct ways of a convolution share: which pixels meet. conv_direct.c chooses between them. */
#ifndef AG_CONV_DIRECT_INTERNAL_H
#define AG_CONV_DIRECT_INTERNAL_H

#include "autograd/kernels/conv_direct.h"

enum {
    AGK_MOST_TAPS = 121,   /* along one side of a kernel */
    AGK_CONV_GRAIN = 16384 /* multiply-adds or copies that are worth a thread */
};

/* Along one axis: positions first, first + step, ... of the target, `count` of them, and the taps that they meet. Tap
 * tap[t] of position i finds the source at base[t] + i * advance. Forward, the source is the input; for the gradient of
 * the input, it is that of the output. */
typedef struct agk__phase {
    int64_t first, step, count, taps, advance;
    int64_t tap[AGK_MOST_TAPS], base[AGK_MOST_TAPS];
} agk__phase;

/* Phase `remainder` of an axis: of 1 forward, of `stride` backward. */
agk__phase agk__phase_of(const agk_conv *c, bool forward, int axis, int64_t remainder);

/* One direction of a convolution. */
typedef struct agk__conv_job {
    const agk_conv *c;
    bool            forward, add;
    int64_t         depth, rows; /* channels of a group: of the source, of the target */
    const int64_t  *from, *to;
    const ag_real  *source, *w, *bias;
    ag_real        *target, *workspace;
} agk__conv_job;

agk__conv_job agk__conv_job_of(const agk_conv *c, bool forward);

/* The largest stride, and kernel, of the direct ways. */
enum { AGK_MOST_STRIDE = 8, AGK_MOST_AREA = 400, AGK_ROW_TAPS = 128 /* of a group, row by row */ };

/* For groups of several channels: the target, whose lanes are pixels, and reals of workspace. */
double agk__conv_planes_workspace_size(const agk_conv *c);
void   agk__conv_planes(const agk__conv_job *j);

/* And the gradient of the weight: as that of interleaved images (conv_weight.c); or by a matrix of what the taps meet,
 * where there are few input channels or pixels. */
double agk__conv_planes_weight_workspace_size(const agk_conv *c);
void   agk__conv_planes_weight(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw);
double agk__conv_products_workspace_size(const agk_conv *c);
void   agk__conv_products_weight(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw);

/* Kernels of one pixel, if there are enough pixels. */
bool   agk__conv_is_pointwise(const agk_conv *c);
double agk__conv_pointwise_workspace_size(const agk_conv *c);
void   agk__conv_pointwise(const agk__conv_job *j);
void   agk__conv_pointwise_weight(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw);

/* Large windows, or windows that cover the image. */
bool   agk__conv_is_patches(const agk_conv *c);
double agk__conv_patches_workspace_size(const agk_conv *c);
void   agk__conv_patches(const agk__conv_job *j);
void   agk__conv_patches_weight(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw);

/* Row by row: for groups of one or two channels. */
double agk__conv_rows_workspace_size(const agk_conv *c);
void   agk__conv_rows(const agk__conv_job *j);
void   agk__conv_rows_weight(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw);

#endif
