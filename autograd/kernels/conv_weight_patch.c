/* One patch of the gradient of a convolution's weight. What is multiplied is transposed first, a band of pixels at a
 * time, to panels (pixels, images, 16 channels); the sums of its products are kept from band to band. */
#include <string.h>

#include "autograd/kernels/conv_weight_internal.h"

enum { LANES = AGK_LANES };

/* Pixels begin[0] <= y < end[0], begin[1] <= x < end[1]. */
typedef struct area {
    int64_t begin[2], end[2];
} area;

static int64_t height(const area *a)
{
    return a->end[0] - a->begin[0];
}

static int64_t width(const area *a)
{
    return a->end[1] - a->begin[1];
}

/* The channels of a group of a block of images. Interleaved, the numbers of a pixel lie together; else, planes. */
typedef struct view {
    const ag_real *data;
    int64_t        height, width;  /* of an image */
    int64_t        pixel, channel; /* from one to the next */
} view;

static view view_of(int64_t block, int64_t index, const int64_t *size, int64_t all, int64_t first, const ag_real *data)
{
    const int64_t channel = block > 1 ? LANES : agk__area(size), pixel = block > 1 ? all * LANES : 1;
    return (view){data + index * block * all * agk__area(size) + first * channel, size[0], size[1], pixel, channel};
}

/* The work on a patch. */
typedef struct job {
    const agk__weight_plan *p;
    agk__weight_patch       at;
    int64_t                 images; /* of the block at hand */
    ag_real                *sums;   /* (taps, panels of rows, panels of columns, AGK_PANEL_PIXEL) */
    ag_real                *g, *x;  /* panels of output's gradient and input, of the areas below */
    ag_real                *pairs;  /* what agk__conv_pairs works in */
    area                    band, read;
} job;

/* ---- Panels. ---- */

/* Of up to LANES channels of a block, from the first one of a view on. */
static void interleaved_panel(const view *v, int64_t channels, const area *a, int64_t images, ag_real *to)
{
    const ag_real *from[LANES];
    for (int64_t y = a->begin[0]; y < a->end[0]; y++, to += width(a) * images * LANES) {
        for (int64_t i = 0; i < channels; i++)
            from[i] = v->data + (y * v->width + a->begin[1]) * v->pixel + i * v->channel;
        agk()->conv_panel(width(a), channels, images, from, v->pixel, to);
    }
}

/* Of an image as it lies. Rows that are whole are one. Other channels are zero. */
static void planes_panel(const view *v, int64_t channels, const area *a, ag_real *to)
{
    if (channels < LANES)
        memset(to, 0, (size_t)(height(a) * width(a) * LANES) * sizeof *to);
    const bool     whole = width(a) == v->width;
    const int64_t  rows = whole ? 1 : height(a), columns = whole ? height(a) * v->width : width(a);
    const ag_real *from = v->data + a->begin[0] * v->width + a->begin[1];
    for (int64_t y = 0; y < rows; y++, from += v->width, to += columns * LANES)
        agk()->transpose(channels, columns, from, v->channel, false, to, LANES);
}

/* n channels of a view. */
static void fill_panels(const job *j, view v, int64_t n, const area *a, ag_real *to)
{
    for (int64_t k = 0; k < n; k += LANES) {
        const int64_t channels = agk__least(n - k, LANES);
        if (j->p->block > 1)
            interleaved_panel(&v, channels, a, j->images, to);
        else
            planes_panel(&v, channels, a, to);
        v.data += LANES * v.channel;
        to += height(a) * width(a) * j->images * LANES;
    }
}

/* The pixels that up to LANES pairs (channel, tap) from `pair` on meet at pixels x .. x + n - 1 of row y of the output.
 * If there are several, all are inside the image. */
static void gather_pairs(const job *j, const view *from, int64_t pair, int64_t pairs, int64_t y, int64_t x, int64_t n,
                         ag_real *to)
{
    static const ag_real border[LANES];
    const agk_conv      *c = j->p->c;
    const int64_t        tap = pair % agk__area(c->kernel);
    int64_t              channel = pair / agk__area(c->kernel), tv = tap / c->kernel[1], th = tap % c->kernel[1];
    const ag_real       *place[LANES];
    for (int64_t i = 0; i < pairs; i++) {
        const int64_t v = y * c->stride[0] - c->padding[0] + tv * c->dilation[0];
        const int64_t h = x * c->stride[1] - c->padding[1] + th * c->dilation[1];
        const bool    inside = v >= 0 && v < from->height && h >= 0 && h < from->width;
        place[i] = inside ? from->data + (v * from->width + h) * from->pixel + channel * from->channel : border;
        if (++th == c->kernel[1]) {
            th = 0;
            tv = tv + 1 < c->kernel[0] ? tv + 1 : 0;
            channel += tv == 0;
        }
    }
    agk()->conv_panel(n, pairs, j->images, place, c->stride[1] * from->pixel, to);
}

/* Along one axis: positions begin <= i < end of the output all of whose taps are inside the input. */
static void inner(const agk_conv *c, int axis, int64_t *begin, int64_t *end)
{
    const int64_t reach = (c->kernel[axis] - 1) * c->dilation[axis], last = c->in[axis] + c->padding[axis] - reach;
    *begin = agk__parts(c->padding[axis], c->stride[axis]);
    *end = last > 0 ? agk__parts(last, c->stride[axis]) : 0;
}

static void gather_panels(const job *j, const view *from, ag_real *to)
{
    int64_t top, bottom, left, right;
    inner(j->p->c, 0, &top, &bottom);
    inner(j->p->c, 1, &left, &right);
    for (int64_t k = 0; k < j->at.n_in; k += LANES)
        for (int64_t y = j->band.begin[0]; y < j->band.end[0]; y++)
            for (int64_t x = j->band.begin[1], n; x < j->band.end[1]; x += n, to += n * j->images * LANES) {
                const bool inside = y >= top && y < bottom && x >= left && x < right;
                n = inside ? agk__least(right, j->band.end[1]) - x : 1;
                gather_pairs(j, from, j->at.in + k, agk__least(j->at.n_in - k, LANES), y, x, n, to);
            }
}

/* ---- Products. ---- */

/* Along one axis: the pixels of the band that a tap pairs with pixels of the input, the first with `partner`. */
typedef struct overlap {
    int64_t begin, end, partner;
} overlap;

static overlap overlap_of(const job *j, int axis, int64_t tap)
{
    const agk_conv *c = j->p->c;
    const int64_t   stride = c->stride[axis], shift = tap * c->dilation[axis] - c->padding[axis];
    const int64_t   first = shift < 0 ? agk__parts(-shift, stride) : 0,
                  past = shift < c->in[axis] ? agk__parts(c->in[axis] - shift, stride) : 0;
    const int64_t begin = first > j->band.begin[axis] ? first : j->band.begin[axis];
    return (overlap){begin, agk__least(past, j->band.end[axis]), begin * stride + shift};
}

/* All sums of one tap: a window of the band, and of what was read, with every pair of panels. */
static void multiply(const job *j, agk_window w, const ag_real *g, int64_t g_panel, const ag_real *x, int64_t x_panel,
                     ag_real *sums)
{
    const bool    swapped = j->p->rows_are_in; /* rows are input channels */
    const int64_t rows = swapped ? j->at.n_in : j->at.n_out, columns = swapped ? j->at.n_out : j->at.n_in;
    const int64_t b_panel = swapped ? g_panel : x_panel, a_panel = swapped ? x_panel : g_panel,
                  panels = agk__parts(columns, LANES);
    const ag_real *a = swapped ? x : g, *b = swapped ? g : x;
    if (swapped)
        w = (agk_window){w.height, w.width, w.depth, w.b_row, w.b_column, w.b_step, w.a_row, w.a_column, w.a_step};
    for (int64_t k = 0; k < panels; k += 2)
        for (int64_t r = 0; r < rows; r += LANES)
            agk()->conv_products(agk__least(rows - r, LANES), agk__least(panels - k, 2), &w, a + r / LANES * a_panel,
                                 b + k * b_panel, b_panel, sums + (r / LANES * panels + k) * AGK_PANEL_PIXEL);
}

static int64_t sums_of_tap(const job *j)
{
    return agk__parts(j->at.n_out, LANES) * agk__parts(j->at.n_in, LANES) * AGK_PANEL_PIXEL;
}

static void multiply_tap(const job *j, int64_t i)
{
    const agk_conv *c = j->p->c;
    const int64_t   pixel = j->images * LANES, tap = j->at.tap + i, g_row = width(&j->band) * pixel,
                  x_row = width(&j->read) * pixel;
    const overlap v = overlap_of(j, 0, tap / c->kernel[1]), h = overlap_of(j, 1, tap % c->kernel[1]);
    if (v.begin >= v.end || h.begin >= h.end)
        return;
    agk_window w = {v.end - v.begin,      h.end - h.begin,      j->images, g_row, pixel, LANES,
                    x_row * c->stride[0], pixel * c->stride[1], LANES};
    if (c->stride[1] == 1 || j->images == 1) { /* neighbours, one after the other */
        w.b_step *= c->stride[1];
        w.depth *= w.width;
        w.width = 1;
    }
    multiply(j, w, j->g + (v.begin - j->band.begin[0]) * g_row + (h.begin - j->band.begin[1]) * pixel,
             height(&j->band) * g_row,
             j->x + (v.partner - j->read.begin[0]) * x_row + (h.partner - j->read.begin[1]) * pixel,
             height(&j->read) * x_row, j->sums + i * sums_of_tap(j));
}

/* Whether agk__conv_pairs gathers them. */
static bool has_pairs_of_planes(const agk__weight_plan *p)
{
    return p->gathered && p->block == 1;
}

/* Pairs (channel, tap) lie as the band does, one after the other: by panels; or those of a pixel side by side. */
static void multiply_gathered(const job *j, const view *x)
{
    const int64_t band[2] = {height(&j->band), width(&j->band)}, n = band[0] * band[1] * j->images;
    const bool    beside = has_pairs_of_planes(j->p);
    const int64_t step = beside ? agk__conv_pairs_step(j->at.n_in) : LANES;
    if (beside)
        agk__conv_pairs(j->p->c, x->data, j->band.begin, band, j->at.in, j->at.n_in, j->pairs, j->x);
    else
        gather_panels(j, x, j->x);
    multiply(j, (agk_window){1, 1, n, 0, 0, LANES, 0, 0, step}, j->g, n * LANES, j->x, beside ? LANES : n * LANES,
             j->sums);
}

/* ---- Bands. ---- */

/* What the taps of a patch may read for a band. */
static area input_area(const agk_conv *c, const agk__weight_patch *at, const area *band)
{
    const int64_t first = at->tap, last = at->tap + at->n_taps - 1, top = first / c->kernel[1],
                  bottom = last / c->kernel[1];
    const int64_t tap[2][2] = {
        {top, bottom},
        {top == bottom ? first % c->kernel[1] : 0, top == bottom ? last % c->kernel[1] : c->kernel[1] - 1}};
    area a;
    for (int i = 0; i < 2; i++) {
        const int64_t begin = band->begin[i] * c->stride[i] - c->padding[i] + tap[i][0] * c->dilation[i];
        const int64_t end = (band->end[i] - 1) * c->stride[i] - c->padding[i] + tap[i][1] * c->dilation[i] + 1;
        a.begin[i] = begin > 0 ? begin : 0;
        a.end[i] = agk__least(end, c->in[i]);
    }
    return a;
}

static void add_band(job *j, int64_t block)
{
    const agk__weight_plan *p = j->p;
    const agk_conv         *c = p->c;
    const int64_t           in = c->in_channels / c->groups;
    const view g = view_of(p->block, block, c->out, c->out_channels, j->at.group * p->out + j->at.out, p->g);
    const view x = view_of(p->block, block, c->in, c->in_channels, j->at.group * in + (p->gathered ? 0 : j->at.in),
                           p->x);
    if (!p->gathered) {
        j->read = input_area(c, &j->at, &j->band);
        if (height(&j->read) <= 0 || width(&j->read) <= 0)
            return;
    }
    fill_panels(j, g, j->at.n_out, &j->band, j->g);
    if (p->gathered) {
        multiply_gathered(j, &x);
        return;
    }
    fill_panels(j, x, j->at.n_in, &j->read, j->x);
    for (int64_t i = 0; i < j->at.n_taps; i++)
        multiply_tap(j, i);
}

/* The patch's segment of the batch, pixels of each block in their order. */
static void add_segment(job *j)
{
    const agk__weight_plan *p = j->p;
    const agk_conv         *c = p->c;
    const int64_t rows = agk__parts(c->batch, p->block) * c->out[0], end = (j->at.segment + 1) * rows / p->segments;
    for (int64_t row = j->at.segment * rows / p->segments, n; row < end; row += n) {
        const int64_t block = row / c->out[0], top = row % c->out[0];
        n = agk__least(agk__least(p->band[0], c->out[0] - top), end - row);
        j->images = agk__least(c->batch - block * p->block, p->block);
        for (int64_t left = 0; left < c->out[1]; left += p->band[1]) {
            j->band = (area){{top, left}, {top + n, agk__least(left + p->band[1], c->out[1])}};
            add_band(j, block);
        }
    }
}

/* ---- Patches. ---- */

static void put_sums(const job *j)
{
    const agk__weight_plan *p = j->p;
    const bool              swapped = p->rows_are_in;
    const int64_t           panels = agk__parts(swapped ? j->at.n_out : j->at.n_in, LANES), of_tap = sums_of_tap(j);
    const int64_t           first = j->at.segment * p->c->out_channels + j->at.group * p->out + j->at.out;
    for (int64_t o = 0; o < j->at.n_out; o++)
        for (int64_t k = 0; k < j->at.n_in; k++) {
            const int64_t  row = swapped ? k : o, column = swapped ? o : k;
            const ag_real *sum = j->sums + (row / LANES * panels + column / LANES) * AGK_PANEL_PIXEL +
                                 row % LANES * LANES + column % LANES;
            ag_real *dw = p->dw + ((first + o) * p->in + j->at.in + k) * p->taps + j->at.tap;
            for (int64_t i = 0; i < j->at.n_taps; i++)
                dw[i] = p->add ? dw[i] + sum[i * of_tap] : sum[i * of_tap];
        }
}

/* Reals of a patch's panels: of the output's gradient, and of the input. */
static int64_t g_size(const agk__weight_plan *p, int64_t n_out)
{
    return p->band[0] * p->band[1] * p->block * agk__parts(n_out, LANES) * LANES;
}

static int64_t x_size(const agk__weight_plan *p, int64_t n_in, int64_t n_taps)
{
    const agk_conv *c = p->c;
    const int64_t   all = agk__parts(n_in, LANES) * LANES * p->block;
    int64_t         pixels = 1;
    if (p->gathered)
        return p->band[0] * p->band[1] * (has_pairs_of_planes(p) ? agk__conv_pairs_step(n_in) : all);
    for (int i = 0; i < 2; i++) {
        const int64_t taps = i == 1 ? agk__least(n_taps, c->kernel[1]) : agk__parts(n_taps, c->kernel[1]);
        const int64_t read = (p->band[i] - 1) * c->stride[i] + (taps - 1) * c->dilation[i] + 1;
        pixels *= agk__least(read, c->in[i]);
    }
    return pixels * all;
}

int64_t agk__weight_patch_size(const agk__weight_plan *p)
{
    const int64_t pairs = has_pairs_of_planes(p) ? agk__conv_pairs_size(p->c, p->band) : 0;
    return g_size(p, p->some_out) + x_size(p, p->some_in, p->some_taps) + pairs +
           p->some_taps * agk__parts(p->some_out, LANES) * agk__parts(p->some_in, LANES) * AGK_PANEL_PIXEL;
}

void agk__weight_patch_gradient(const agk__weight_plan *p, const agk__weight_patch *at, ag_real *memory)
{
    job j = {.p = p, .at = *at, .sums = memory};
    j.g = memory + at->n_taps * sums_of_tap(&j);
    j.x = j.g + g_size(p, p->some_out);
    j.pairs = j.x + x_size(p, p->some_in, p->some_taps);
    memset(j.sums, 0, (size_t)(j.g - j.sums) * sizeof *j.sums);
    if (has_pairs_of_planes(p)) /* most numbers beyond the last pair are never written */
        memset(j.x, 0, (size_t)(j.pairs - j.x) * sizeof *j.x);
    add_segment(&j);
    put_sums(&j);
}
