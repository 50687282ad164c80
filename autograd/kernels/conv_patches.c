/* Convolutions of large windows, or windows that cover the image: a product of matrices. Row by row, each pixel of the
 * output has its window of the input, in the order (tap, channel):
 *
 *        output (pixels x channels)  =  patches (pixels x (taps, depth))  *  weights^T ((taps, depth) x channels)
 *
 * for so many pixels at a time that the patches stay in the second cache level. Each sum runs in the order of the other
 * ways, but for the gradient of the input where windows overlap: it adds up patch by patch. Those therefore go this way
 * with any number of images, the others with few. */
#include <stddef.h>

#include "autograd/kernels/conv_direct_internal.h"
#include "autograd/kernels/copy.h"
#include "autograd/kernels/threadpool.h"

enum {
    PATCHES = 65536, /* reals of patches, about */
    FEWEST = 16,     /* pixels at a time */
    TINY = 4         /* pixels of an output that leave most lanes of the other ways empty */
};

static bool has_overlaps(const agk_conv *c)
{
    return (c->out[0] > 1 && c->kernel[0] > c->stride[0]) || (c->out[1] > 1 && c->kernel[1] > c->stride[1]);
}

bool agk__conv_is_patches(const agk_conv *c)
{
    const bool large = c->stride[0] > AGK_MOST_STRIDE || c->stride[1] > AGK_MOST_STRIDE ||
                       c->kernel[0] > AGK_MOST_TAPS || c->kernel[1] > AGK_MOST_TAPS ||
                       agk__area(c->kernel) > AGK_MOST_AREA;
    if (c->dilation[0] != 1 || c->dilation[1] != 1)
        return false;
    return has_overlaps(c) ? large : large || (c->batch < AGK_LANES && agk__area(c->out) <= TINY);
}

/* The work on one group: `n` pixels of all images from `first` on. */
typedef struct patches_job {
    const agk_conv *c;
    int64_t         group, in, out, size;   /* channels of the group, and reals of a patch */
    int64_t         first, n, most;         /* pixels at a time */
    ag_real        *w, *bias, *patch, *row; /* (out, size), (size), (n, size), (n, out) */
    ag_real        *x;                      /* the input, or its gradient */
    bool            add;
} patches_job;

static int64_t pixels_at_once(const agk_conv *c)
{
    const int64_t all = c->batch * agk__area(c->out), size = c->in_channels / c->groups * agk__area(c->kernel);
    const int64_t most = PATCHES / size > FEWEST ? PATCHES / size : FEWEST;
    return agk__least(all, most);
}

static patches_job job_of(const agk_conv *c, ag_real *workspace)
{
    patches_job p = {.c = c, .in = c->in_channels / c->groups, .out = c->out_channels / c->groups, .w = workspace};
    p.size = p.in * agk__area(c->kernel);
    p.most = pixels_at_once(c);
    p.bias = p.w + p.out * p.size;
    p.patch = p.bias + p.size;
    p.row = p.patch + p.most * p.size;
    return p;
}

double agk__conv_patches_workspace_size(const agk_conv *c)
{
    const double in = (double)(c->in_channels / c->groups), out = (double)(c->out_channels / c->groups);
    const double size = in * (double)agk__area(c->kernel);
    return out * size + size + (double)pixels_at_once(c) * (size + out);
}

/* The weights of the group in the order of the patches: w as (channel of the output, depth, tap). */
static void order_weights(const patches_job *p, const ag_real *w)
{
    const int64_t taps = agk__area(p->c->kernel);
    w += p->group * p->out * p->size;
    for (int64_t o = 0; o < p->out; o++)
        agk()->transpose(p->in, taps, w + o * p->size, taps, false, p->w + o * p->size, p->in);
}

/* Copies one row of a window, tap `low` to before `high`: from the input to a patch, or back. */
static void copy_taps(const patches_job *p, int64_t low, int64_t high, ag_real *x, ag_real *patch, bool back)
{
    const int64_t plane = agk__area(p->c->in);
    if (back)
        agk()->transpose(high - low, p->in, patch + low * p->in, p->in, p->add, x + low, plane);
    else
        agk()->transpose(p->in, high - low, x + low, plane, false, patch + low * p->in, p->in);
}

/* The patch of one pixel, zero where the window is outside; or back from it. */
static void copy_patch(const patches_job *p, int64_t pixel, ag_real *patch, bool back)
{
    const agk_conv *c = p->c;
    const int64_t   image = pixel / agk__area(c->out), at = pixel % agk__area(c->out), wide = c->kernel[1] * p->in;
    const int64_t   top = at / c->out[1] * c->stride[0] - c->padding[0];
    const int64_t   left = at % c->out[1] * c->stride[1] - c->padding[1];
    const int64_t   low = left < 0 ? agk__least(-left, c->kernel[1]) : 0;
    const int64_t   high = agk__least(c->kernel[1], c->in[1] - left);
    ag_real        *x = p->x + (image * c->in_channels + p->group * p->in) * agk__area(c->in);
    for (int64_t i = 0; i < c->kernel[0]; i++, patch += wide) {
        const bool inside = top + i >= 0 && top + i < c->in[0] && low < high;
        if (!back && (!inside || high - low < c->kernel[1]))
            agk_zero_rows(1, wide, patch, 0);
        if (inside)
            copy_taps(p, low, high, x + (top + i) * c->in[1] + left, patch, back);
    }
}

static void fill_patches(void *context, int64_t begin, int64_t end)
{
    const patches_job *p = context;
    for (int64_t i = begin; i < end; i++)
        copy_patch(p, p->first + i, p->patch + i * p->size, false);
}

static void put_patches(void *context, int64_t begin, int64_t end)
{
    const patches_job *p = context;
    for (int64_t i = begin; i < end; i++)
        copy_patch(p, p->first + i, p->patch + i * p->size, true);
}

/* The rows of the output from its images, or back. */
static void copy_rows(const patches_job *p, ag_real *y, bool back)
{
    const int64_t pixels = agk__area(p->c->out);
    for (int64_t i = 0, some; i < p->n; i += some) {
        const int64_t image = (p->first + i) / pixels, at = (p->first + i) % pixels;
        ag_real *to = y + (image * p->c->out_channels + p->group * p->out) * pixels + at, *row = p->row + i * p->out;
        some = agk__least(p->n - i, pixels - at);
        if (back)
            agk()->transpose(some, p->out, row, p->out, p->add, to, pixels);
        else
            agk()->transpose(p->out, some, to, pixels, false, row, p->out);
    }
}

static int64_t grain(const patches_job *p)
{
    return AGK_THREAD_COPIES / p->size + 1;
}

static void forward(patches_job *p, const agk__conv_job *j)
{
    const int64_t all = p->c->batch * agk__area(p->c->out);
    for (p->first = 0; p->first < all; p->first += p->n) {
        p->n = agk__least(p->most, all - p->first);
        agk_parallel(p->n, grain(p), fill_patches, p);
        agk_gemm(p->n, p->out, p->size, (agk_matrix){p->patch, p->size, 1}, (agk_matrix){p->w, 1, p->size},
                 j->bias ? j->bias + p->group * p->out : NULL, 0, p->row, p->out);
        copy_rows(p, j->target, true);
    }
}

/* What patches are put on: zeros, and the bias where no window is, or several are. `add` comes without one. */
static void fill_target(const patches_job *p, const agk__conv_job *j)
{
    const int64_t plane = agk__area(p->c->in);
    for (int64_t i = 0; !j->add && i < p->c->batch * p->in; i++) {
        const int64_t channel = p->group * p->in + i % p->in;
        ag_real      *x = j->target + (i / p->in * p->c->in_channels + channel) * plane;
        for (int64_t k = 0; k < plane; k++)
            x[k] = j->bias ? j->bias[channel] : 0;
    }
}

static void backward(patches_job *p, const agk__conv_job *j)
{
    const int64_t all = p->c->batch * agk__area(p->c->out);
    const bool    overlap = has_overlaps(p->c), biased = j->bias && !overlap;
    p->add = j->add || overlap;
    fill_target(p, j);
    for (int64_t i = 0; biased && i < p->size; i++)
        p->bias[i] = j->bias[p->group * p->in + i % p->in];
    for (p->first = 0; p->first < all; p->first += p->n) {
        p->n = agk__least(p->most, all - p->first);
        copy_rows(p, (ag_real *)j->source, false);
        agk_gemm(p->n, p->size, p->out, (agk_matrix){p->row, p->out, 1}, (agk_matrix){p->w, p->size, 1},
                 biased ? p->bias : NULL, 0, p->patch, p->size);
        if (overlap)
            put_patches(p, 0, p->n);
        else
            agk_parallel(p->n, grain(p), put_patches, p);
    }
}

void agk__conv_patches(const agk__conv_job *j)
{
    patches_job p = job_of(j->c, j->workspace);
    p.x = j->forward ? (ag_real *)j->source : j->target;
    p.add = j->add;
    for (p.group = 0; p.group < j->c->groups; p.group++) {
        order_weights(&p, j->w);
        if (j->forward)
            forward(&p, j);
        else
            backward(&p, j);
    }
}

void agk__conv_patches_weight(const agk__conv_job *j, const ag_real *dy, bool add, ag_real *dw)
{
    patches_job   p = job_of(j->c, j->workspace);
    const int64_t all = j->c->batch * agk__area(j->c->out), taps = agk__area(j->c->kernel);
    p.x = (ag_real *)j->source;
    for (p.group = 0; p.group < j->c->groups; p.group++) {
        for (p.first = 0; p.first < all; p.first += p.n) {
            p.n = agk__least(p.most, all - p.first);
            agk_parallel(p.n, grain(&p), fill_patches, &p);
            copy_rows(&p, (ag_real *)dy, false);
            agk_gemm(p.out, p.size, p.n, (agk_matrix){p.row, 1, p.out}, (agk_matrix){p.patch, p.size, 1},
                     p.first > 0 ? p.w : NULL, p.size, p.w, p.size);
        }
        for (int64_t o = 0; o < p.out; o++)
            agk()->transpose(taps, p.in, p.w + o * p.size, p.in, add, dw + (p.group * p.out + o) * p.size, taps);
    }
}
