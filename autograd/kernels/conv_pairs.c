/* What pairs (channel, tap) meet at pixels of the output of a convolution, side by side. The rows of the image that a
 * band of pixels reads are copied with a border of zeros; there a row of the kernel meets neighbours, which are copied
 * as a run. */
#include <string.h>

#include "autograd/kernels/conv_border_internal.h"
#include "autograd/kernels/conv_weight_internal.h"

enum { COPIED = 4, MOST_RUNS = AGK_MOST_PAIRS + 2 };

/* Rows and columns of a band of the input, and from one row to the next. */
typedef struct bordered {
    int64_t rows, columns, pitch;
} bordered;

static bordered border_of(const agk_conv *c, const int64_t *band)
{
    int64_t read[2];
    for (int i = 0; i < 2; i++)
        read[i] = (band[i] - 1) * c->stride[i] + (c->kernel[i] - 1) * c->dilation[i] + 1;
    return (bordered){read[0], read[1], read[1] + COPIED};
}

int64_t agk__conv_pairs_size(const agk_conv *c, const int64_t *band)
{
    const bordered b = border_of(c, band);
    return c->in_channels / c->groups * b.rows * b.pitch + COPIED;
}

/* Rows of a channel of the image from row `top` and column `left` on, which may be outside. */
static void copy_rows(const agk_conv *c, const bordered *b, const ag_real *plane, int64_t top, int64_t left,
                      ag_real *to)
{
    for (int64_t v = top; v < top + b->rows; v++, to += b->pitch)
        if (v < 0 || v >= c->in[0])
            memset(to, 0, (size_t)b->columns * sizeof *to);
        else
            agk__border_row(plane + v * c->in[1], c->in[1], left, 1, b->columns, to);
}

typedef struct run {
    int64_t from, to, n; /* places in the bordered rows, and among the pairs */
} run;

/* The runs of pairs first .. first + n - 1, in their order. Returns how many they are. */
static int64_t find_runs(const agk_conv *c, const bordered *b, int64_t first, int64_t n, run *runs)
{
    const int64_t length = c->dilation[1] == 1 ? c->kernel[1] : 1, per_row = c->kernel[1] / length;
    int64_t       count = 0;
    for (int64_t i = first / length; i * length < first + n; i++) {
        const int64_t row = i / per_row, channel = row / c->kernel[0], place = i % per_row * c->dilation[1];
        const int64_t begin = i * length < first ? first : i * length, end = agk__least((i + 1) * length, first + n);
        runs[count++] = (run){(channel * b->rows + row % c->kernel[0] * c->dilation[0]) * b->pitch + place + begin -
                                  i * length,
                              begin - first, end - begin};
    }
    return count;
}

int64_t agk__conv_pairs_step(int64_t n)
{
    return agk__parts(n + COPIED - 1, AGK_LANES) * AGK_LANES;
}

/* A run of `width` pixels, `stride` apart. Copies some numbers too many: the next run comes over them. */
static void copy_run(const run *r, int64_t width, const ag_real *from, int64_t stride, ag_real *to, int64_t step)
{
    for (int64_t i = 0; i < r->n; i += COPIED)
        for (int64_t x = 0; x < width; x++)
            memcpy(to + x * step + r->to + i, from + x * stride + r->from + i, COPIED * sizeof *to);
}

void agk__conv_pairs(const agk_conv *c, const ag_real *image, const int64_t *begin, const int64_t *band, int64_t first,
                     int64_t n, ag_real *memory, ag_real *to)
{
    const bordered b = border_of(c, band);
    const int64_t  top = begin[0] * c->stride[0] - c->padding[0], left = begin[1] * c->stride[1] - c->padding[1];
    run            runs[MOST_RUNS];
    const int64_t  count = find_runs(c, &b, first, n, runs);
    for (int64_t k = 0; k < c->in_channels / c->groups; k++)
        copy_rows(c, &b, image + k * agk__area(c->in), top, left, memory + k * b.rows * b.pitch);
    const int64_t step = agk__conv_pairs_step(n);
    for (int64_t y = 0; y < band[0]; y++, to += band[1] * step)
        for (const run *r = runs; r < runs + count; r++)
            copy_run(r, band[1], memory + y * c->stride[0] * b.pitch, c->stride[1], to, step);
}
