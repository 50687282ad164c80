/* Convolutions of few images, for groups of several channels: lanes are neighbouring pixels. The source is copied with
 * a border of zeros, in bands of rows of all channels, so that the channels of a pixel are not far apart. In rows of
 * that pitch, one after the other, each tap finds what some rows of the target meet at one distance:
 *
 *        bordered source               target, with the pitch of the source
 *        0 0 0 0                       y y y .
 *        0 x x x       tap (0, 1)      y y y .        lanes run through rows and through what is between them (.),
 *        0 x x x       --------->      y y y          which is computed for nothing, and not copied
 *        0 x x x
 *        0 0 0 0 0                     the zero behind a row is the one before the next
 *
 * Backward of a strided convolution, pixels whose position leaves the same remainder meet the same taps: each such
 * phase has rows of its own. */
#include <string.h>

#include "autograd/kernels/conv_border_internal.h"
#include "autograd/kernels/conv_order_internal.h"
#include "autograd/kernels/threadpool.h"
#include "autograd/kernels/workspace.h"

enum {
    LINE = 256,                   /* pixels, with what is between rows, that are computed as one */
    SHORT = 64,                   /* the same without workspace */
    LINES = AGK_CONV_ROWS * LINE, /* reals of workspace for the lines of a block of channels */
    MANY = 12,                    /* bands, or blocks of channels, that threads can share evenly */
    CACHED = 32768,               /* reals of a band */
    MOST = AGK_MOST_AREA,
    PHASES = AGK_MOST_STRIDE * AGK_MOST_STRIDE
};

/* Pixels of the target that meet the same taps: rows and columns first, first + step, ..., `count` of each. */
typedef struct phase {
    int64_t  first[2], step[2], count[2];
    agk_line line; /* its taps */
} phase;

/* Bands of `band` rows of the target, and where the source's are: channels of a band lie `step` apart, and `size` reals
 * hold those of one group. */
typedef struct bands {
    agk__border b;
    int64_t     band, count, step, size;
} bands;

typedef struct planes_job {
    const agk__conv_job *j;
    bands                bands;
    int64_t              phases, blocks; /* blocks of AGK_CONV_ROWS channels in a group */
    phase                phase[PHASES];
    int64_t              weight[MOST], source[MOST]; /* of the phases' lines */
    ag_real             *w;                          /* ordered, all or some blocks */
    ag_real             *at;                         /* (image, group, band), bordered */
} planes_job;

/* Taps of phase (v, h), behind the n that others have. Returns how many there are then. */
static int64_t add_phase(planes_job *p, const int64_t *place, const agk__phase *v, const agk__phase *h, int64_t n)
{
    phase *to = &p->phase[p->phases++];
    *to = (phase){.first = {v->first, h->first},
                  .step = {v->step, h->step},
                  .count = {v->count, h->count},
                  .line = {v->taps * h->taps, p->j->depth, p->bands.step, p->weight + n, p->source + n}};
    for (int64_t i = 0; i < to->line.taps; i++, n++) {
        const int64_t tap = v->tap[i / h->taps] * p->j->c->kernel[1] + h->tap[i % h->taps];
        p->weight[n] = tap * p->j->depth * AGK_CONV_ROWS;
        p->source[n] = place[tap];
    }
    return n;
}

static bands bands_of(const agk__conv_job *j, int64_t band)
{
    const int64_t down = j->forward ? 1 : j->c->stride[0], rows = (j->to[0] + down - 1) / down;
    bands         s = {.b = agk__border_of_band(j, band), .band = band, .count = (rows + band - 1) / band};
    const int64_t lines = (s.b.phases[0] * s.b.part[0] * s.b.phases[1] * s.b.part[1] + AGK_LANES - 1) / AGK_LANES;
    s.step = (lines + 1 - lines % 2) * AGK_LANES; /* odd: channels do not share places in the cache */
    s.size = j->depth * s.step + s.b.before[1] + AGK_BORDER_SLACK;
    return s;
}

/* As many rows as a line holds and the second cache level takes, or as are worth reading the weights anew, as each
 * band does; but not fewer than those of its neighbours that the taps reach. Of many bands, more rows that fit. */
static bands find_bands(const agk__conv_job *j)
{
    const int64_t pitch = agk__border_of(j).part[1],
                  reach = j->c->dilation[0] * (j->c->kernel[0] - 1) / j->c->stride[0];
    const int64_t fewest = reach > 1 ? reach : 1, fit = LINE / pitch;
    const int64_t weights = 2 * AGK_CONV_ROWS * j->depth * agk__area(j->c->kernel), images = j->c->batch * j->c->groups;
    bands         s = bands_of(j, fit > fewest ? fit : fewest);
    while (s.band > fewest && s.size > CACHED && s.size > weights)
        s = bands_of(j, s.band - 1);
    while (s.count > 1) {
        const bands two = bands_of(j, 2 * s.band);
        if (two.size > 2 * CACHED || images * two.count < MANY)
            break;
        s = two;
    }
    return s;
}

static void plan(planes_job *p, const agk__conv_job *j)
{
    const agk_conv *c = j->c;
    const int64_t   down = j->forward ? 1 : c->stride[0], across = j->forward ? 1 : c->stride[1];
    int64_t         place[MOST], n = 0;
    *p = (planes_job){.j = j, .bands = find_bands(j), .blocks = (j->rows + AGK_CONV_ROWS - 1) / AGK_CONV_ROWS};
    p->w = j->workspace;
    p->at = j->workspace + (c->groups * agk__group_weights(c, j->forward) + AGK_BORDER_SLACK - 1) / AGK_BORDER_SLACK *
                               AGK_BORDER_SLACK;
    for (int64_t i = 0; i < down * across; i++) {
        const agk__phase v = agk__phase_of(c, j->forward, 0, i / across),
                         h = agk__phase_of(c, j->forward, 1, i % across);
        agk__border_places(&p->bands.b, c, &v, 1, &h, 1, place);
        n = add_phase(p, place, &v, &h, n);
    }
}

/* ---- The source. ---- */

/* That of a band of one image and group. */
static void fill_band(const planes_job *p, int64_t i, ag_real *to)
{
    const agk__conv_job *j = p->j;
    const bands         *s = &p->bands;
    const int64_t        first = i % s->count * s->band * s->b.phases[0];
    const ag_real       *plane = j->source + i / s->count * j->depth * agk__area(j->from);
    memset(to, 0, (size_t)s->size * sizeof *to);
    for (int64_t k = 0; k < j->depth; k++)
        agk__border_fill(&s->b, j->from, first, plane + k * agk__area(j->from), to + k * s->step);
}

static void fill_bands(void *context, int64_t begin, int64_t end)
{
    const planes_job *p = context;
    for (int64_t i = begin; i < end; i++)
        fill_band(p, i, p->at + i * p->bands.size);
}

/* ---- The target. ---- */

/* Rows of the target from lines of that pitch. */
static void put_rows(const phase *f, int64_t rows, int64_t columns, const ag_real *line, int64_t pitch, bool add,
                     int64_t width, ag_real *to)
{
    if (f->step[1] == 1) {
        agk()->copy_rows(rows, columns, line, pitch, add, to, f->step[0] * width);
        return;
    }
    for (int64_t y = 0; y < rows; y++, line += pitch, to += f->step[0] * width)
        for (int64_t x = 0; x < columns; x++)
            to[x * f->step[1]] = add ? to[x * f->step[1]] + line[x] : line[x];
}

/* Some channels of the target: `count` of them from the first of a block on. */
typedef struct channels {
    int64_t        count;
    const ag_real *source, *weight, *bias;
    ag_real       *target;
} channels;

static ag_real *target_at(const planes_job *p, const phase *f, const channels *c, int64_t y, int64_t x)
{
    return c->target + (f->first[0] + y * f->step[0]) * p->j->to[1] + f->first[1] + x * f->step[1];
}

/* Whether a phase's rows are whole vectors of the target, which are written where they belong. */
static bool rows_fit(const planes_job *p, const phase *f)
{
    return !p->j->add && f->step[1] == 1 && f->count[1] % AGK_LANES == 0;
}

/* Row y of a phase, of the band that begins at `top`. */
static void target_row(const planes_job *p, const phase *f, const channels *c, int64_t top, int64_t y)
{
    agk()->conv_line(c->count, f->count[1], &f->line, c->weight, c->source + (y - top) * p->bands.b.part[1], c->bias,
                     target_at(p, f, c, y, 0), agk__area(p->j->to));
}

/* Rows [y, y + rows) of a phase, from column x on as far as a line of `length` goes; of the band that begins at `top`.
 */
static int64_t target_line(const planes_job *p, const phase *f, const channels *c, int64_t top, int64_t y, int64_t rows,
                           int64_t x, ag_real *lines, int64_t length)
{
    const int64_t pitch = p->bands.b.part[1], *to = p->j->to;
    const int64_t columns = rows > 1 ? f->count[1] : agk__least(f->count[1] - x, length);
    agk()->conv_line(c->count, (rows - 1) * pitch + columns, &f->line, c->weight, c->source + (y - top) * pitch + x,
                     c->bias, lines, length);
    for (int64_t r = 0; r < c->count; r++)
        put_rows(f, rows, columns, lines + r * length, pitch, p->j->add, to[1],
                 target_at(p, f, c, y, x) + r * agk__area(to));
    return columns;
}

/* One band of all phases. */
static void target_band(const planes_job *p, const channels *c, int64_t band)
{
    _Alignas(64) ag_real small[AGK_CONV_ROWS * SHORT];
    ag_real             *workspace = agk_workspace(), *lines = workspace ? workspace : small;
    const int64_t        length = workspace ? LINE : SHORT;
    for (const phase *f = p->phase; f < p->phase + p->phases; f++) {
        const int64_t top = band * p->bands.band, end = agk__least(top + p->bands.band, f->count[0]),
                      fit = (length - f->count[1]) / p->bands.b.part[1] + 1;
        const bool fits = rows_fit(p, f);
        for (int64_t y = top; fits && y < end; y++)
            target_row(p, f, c, top, y);
        for (int64_t y = top, rows; !fits && y < end; y += rows) {
            rows = agk__least(fit > 1 ? fit : 1, end - y);
            for (int64_t x = 0; x < f->count[1];)
                x += target_line(p, f, c, top, y, rows, x, lines, length);
        }
    }
}

/* Reals of the weights of a block. */
static int64_t block_size(const agk__conv_job *j)
{
    return AGK_CONV_ROWS * j->depth * agk__area(j->c->kernel);
}

static int64_t group_of(const planes_job *p, int64_t band)
{
    return band / p->bands.count % p->j->c->groups;
}

/* A block of channels of one band of one image and group, whose source is `source`. */
static void target_block(const planes_job *p, int64_t band, int64_t block, const ag_real *weight, const ag_real *source)
{
    const agk__conv_job *j = p->j;
    const int64_t        row = block * AGK_CONV_ROWS, image = band / p->bands.count; /* image and group */
    channels             c = {.count = agk__least(j->rows - row, AGK_CONV_ROWS), .weight = weight, .source = source};
    c.bias = j->bias ? j->bias + group_of(p, band) * j->rows + row : NULL;
    c.target = j->target + (image * j->rows + row) * agk__area(j->to);
    target_band(p, &c, band % p->bands.count);
}

static const ag_real *weight_of(const planes_job *p, int64_t band, int64_t block)
{
    return p->w + (group_of(p, band) * p->blocks + block) * block_size(p->j);
}

/* Items are blocks of bands, those of a band one after the other: so its source stays in a near cache. */
static void target_items(void *context, int64_t begin, int64_t end)
{
    const planes_job *p = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t band = i / p->blocks, block = i % p->blocks;
        target_block(p, band, block, weight_of(p, band, block), p->at + band * p->bands.size);
    }
}

/* Items are blocks of all groups, where they are larger than what they meet: each is ordered and used at once, always
 * in the place of the thread's first, where no other thread comes. */
static void whole_blocks(void *context, int64_t begin, int64_t end)
{
    const planes_job *p = context;
    const agk_conv   *c = p->j->c;
    ag_real          *weight = p->w + begin * block_size(p->j);
    for (int64_t i = begin; i < end; i++) {
        agk__order_block(c, p->j->forward, p->j->w, i, weight);
        for (int64_t k = 0; k < c->batch * p->bands.count; k++) {
            const int64_t image = k / p->bands.count * c->groups + i / p->blocks;
            const int64_t band = image * p->bands.count + k % p->bands.count;
            target_block(p, band, i % p->blocks, weight, p->at + band * p->bands.size);
        }
    }
}

/* Items are bands, where there are many, as of large planes: their source is not kept, but lies behind the lines. */
static void whole_bands(void *context, int64_t begin, int64_t end)
{
    const planes_job *p = context;
    ag_real          *workspace = agk_workspace();
    for (int64_t i = begin; i < end; i++) {
        ag_real *source = workspace ? workspace + LINES : p->at + i * p->bands.size;
        fill_band(p, i, source);
        for (int64_t block = 0; block < p->blocks; block++)
            target_block(p, i, block, weight_of(p, i, block), source);
    }
}

void agk__conv_planes(const agk__conv_job *j)
{
    planes_job p;
    plan(&p, j);
    const int64_t count = j->c->batch * j->c->groups * p.bands.count,
                  work = block_size(j) * LINE; /* about, per block */
    if (count >= MANY && LINES + p.bands.size <= AGK_WORKSPACE) {
        agk__order_weights(j->c, j->forward, j->w, p.w);
        agk_parallel(count, AGK_CONV_GRAIN / (work * p.blocks) + 1, whole_bands, &p);
        return;
    }
    agk_parallel(count, AGK_CONV_GRAIN / p.bands.size + 1, fill_bands, &p);
    const int64_t blocks = j->c->groups * p.blocks;
    if (blocks >= MANY && count * p.bands.size < blocks * block_size(j)) {
        agk_parallel(blocks, AGK_CONV_GRAIN / (work * count) + 1, whole_blocks, &p);
        return;
    }
    agk__order_weights(j->c, j->forward, j->w, p.w);
    agk_parallel(count * p.blocks, AGK_CONV_GRAIN / work + 1, target_items, &p);
}

double agk__conv_planes_workspace_size(const agk_conv *c)
{
    double most = 0;
    for (int forward = 0; forward < 2; forward++) {
        const agk__conv_job j = agk__conv_job_of(c, forward);
        const bands         s = find_bands(&j);
        const double        weights = (double)c->groups * (double)agk__group_weights(c, forward) + AGK_BORDER_SLACK;
        const double        size = weights + (double)(c->batch * c->groups) * (double)s.count * (double)s.size;
        most = size > most ? size : most;
    }
    return most;
}
