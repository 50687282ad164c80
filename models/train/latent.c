#include "models/train/latent_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/op.h"
#include "models/train/images_internal.h"
#include "models/train/rows_internal.h"
#include "tools/memory.h"
#include "tools/picture.h"
#include "tools/png.h"
#include "tools/text.h"

enum { POINTS = 1000, COLUMNS = 40, LAYERS = 16, INPUTS = 32, WEIGHTS = 400000, POWER_STEPS = 60 };

/* ---- Two numbers for each code. ---- */

/* Codes of n images in double precision, less their means, with their deviations. */
typedef struct centred {
    int64_t n, width;
    double *at, *mean, *deviation, *direction[2];
} centred;

static void centred_free(centred *c)
{
    free(c->at);
    free(c->mean);
}

static bool centre(const train_table *codes, centred *c)
{
    const int64_t n = codes->rows, width = codes->width;
    *c = (centred){n, width, tl_array(n, width, sizeof *c->at), tl_array(4, width, sizeof *c->mean), NULL, {NULL}};
    if (!c->at || !c->mean)
        return false;
    c->deviation = c->mean + width;
    c->direction[0] = c->mean + 2 * width;
    c->direction[1] = c->mean + 3 * width;
    for (int64_t k = 0; k < width; k++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < n; i++)
            sum += (double)codes->at[i * width + k];
        c->mean[k] = sum / (double)n;
        for (int64_t i = 0; i < n; i++) {
            const double d = c->at[i * width + k] = (double)codes->at[i * width + k] - c->mean[k];
            squares += d * d;
        }
        c->deviation[k] = sqrt(squares / (double)n);
    }
    return true;
}

static double dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* One step of the power method on the covariance, at right angles to the directions before. */
static void power_step(const centred *c, int which, double *next)
{
    double *v = c->direction[which];
    memset(next, 0, (size_t)c->width * sizeof *next);
    for (int64_t i = 0; i < c->n; i++) {
        const double *row = c->at + i * c->width, along = dot(c->width, row, v);
        for (int64_t k = 0; k < c->width; k++)
            next[k] += along * row[k];
    }
    for (int before = 0; before < which; before++) {
        const double along = dot(c->width, next, c->direction[before]);
        for (int64_t k = 0; k < c->width; k++)
            next[k] -= along * c->direction[before][k];
    }
    const double length = sqrt(dot(c->width, next, next));
    for (int64_t k = 0; k < c->width; k++)
        v[k] = length > 0 ? next[k] / length : k == which;
}

/* The two directions in which the codes spread most (principal components); for codes of two or three numbers, axes. */
static bool find_directions(centred *c, const int *axes)
{
    double *next = tl_array(c->width, 1, sizeof *next);
    for (int which = 0; next && which < 2; which++) {
        for (int64_t k = 0; k < c->width; k++)
            c->direction[which][k] = axes ? k == axes[which] : 1.0 / (double)(k + 1 + which);
        for (int step = 0; !axes && step < POWER_STEPS; step++)
            power_step(c, which, next);
    }
    free(next);
    return next != NULL;
}

/* ---- The plane. ---- */

/* The images side by side, as one picture, which is made once. */
static bool make_sprite(train_images *m, int64_t n)
{
    const int64_t rows = (n + COLUMNS - 1) / COLUMNS;
    if (m->sprite)
        return true;
    uint8_t   *pixels = train__sprite(m, n, rows, COLUMNS);
    tl_png    *png = m->sprite = calloc(1, sizeof *png);
    const bool ok = pixels && png &&
                    tl_png_bytes(pixels, COLUMNS * m->width, rows * m->height, 1, &png->bytes, &png->size);
    free(pixels);
    return ok;
}

void train__free_codes(train_images *m)
{
    if (m->sprite)
        free(m->sprite->bytes);
    free(m->sprite);
    m->sprite = NULL;
}

static bool write_svg(train_images *m, const tl_points *points, tl_error *why)
{
    char      path[4200];
    tl_output f;
    if (!train_folder_file(&m->job->folder, "codes.svg", path, sizeof path, why) || !tl_output_open(&f, path, why))
        return false;
    if (tl_points_svg(f.stream, points) || ferror(f.stream))
        return tl_output_close(&f, why);
    tl_output_abandon(&f);
    return tl_fail(why, "out of memory");
}

/* `axes` names two of the code's numbers, or is NULL for the principal components. */
static bool show_plane(train_images *m, centred *c, const int *axes, bool file, tl_page *page, tl_error *why)
{
    double *xy = tl_array(2, c->n, sizeof *xy);
    char    label[2][40];
    if (!xy || !find_directions(c, axes)) {
        free(xy);
        return tl_fail(why, "out of memory");
    }
    for (int axis = 0; axis < 2; axis++) {
        const double middle = axes ? c->mean[axes[axis]] : 0;
        for (int64_t i = 0; i < c->n; i++)
            xy[axis * c->n + i] = middle + dot(c->width, c->at + i * c->width, c->direction[axis]);
        snprintf(label[axis], sizeof label[axis], axes ? "z%d" : "principal component %d",
                 1 + (axes ? axes[axis] : axis));
    }
    const tl_points points = {"Codes of test images", label[0], label[1], c->n, xy, xy + c->n, m->test.labels};
    tl_page_points(page, &points, m->sprite, (int)m->width, (int)m->height, COLUMNS);
    const bool ok = !file || write_svg(m, &points, why);
    free(xy);
    return ok;
}

static bool show_planes(train_images *m, centred *c, tl_page *page, tl_error *why)
{
    static const int planes[3][2] = {{0, 1}, {0, 2}, {1, 2}};
    bool             ok = make_sprite(m, c->n) || tl_fail(why, "out of memory");
    for (int i = 0; ok && i < (c->width == 3 ? 3 : 1); i++)
        ok = show_plane(m, c, c->width <= 3 ? planes[i] : NULL, i == 0, page, why);
    return ok;
}

/* ---- Each number of the code. ---- */

/* As Burda et al., "Importance weighted autoencoders", 2016, section 5.2, count active units: variance above 0.01. */
static void tell_dead(const centred *c, tl_page *page)
{
    char    text[400];
    int64_t dead = 0;
    for (int64_t k = 0; k < c->width; k++)
        dead += c->deviation[k] * c->deviation[k] <= 0.01;
    snprintf(text, sizeof text, "%lld of the code's %lld numbers are active; %lld have a variance of at most 0.01%s",
             (long long)(c->width - dead), (long long)c->width, (long long)dead, dead ? ":" : ".");
    int shown = 0;
    for (int64_t k = 0; k < c->width; k++)
        if (c->deviation[k] * c->deviation[k] <= 0.01 && shown++ < 40)
            snprintf(text + strlen(text), sizeof text - strlen(text), " z%lld", (long long)(k + 1));
    tl_page_text(page, text);
}

/* Means of a table's columns, to be freed; NULL when memory runs out. */
static double *column_means(const train_table *t)
{
    double *mean = tl_array(t->width, 1, sizeof *mean);
    for (int64_t k = 0; mean && k < t->width; k++) {
        mean[k] = 0;
        for (int64_t i = 0; i < t->rows; i++)
            mean[k] += (double)t->at[i * t->width + k] / (double)t->rows;
    }
    return mean;
}

static ag_tensor *divergence_rows(void *program, const train_batch *b)
{
    const train_image_program *p = program;
    return p->divergence(p->context, b);
}

/* By number of the code: deviation and mean over the images, and the divergence from the prior where there is one. */
static bool show_spread(train_images *m, const centred *c, const train_table *images, tl_page *page, tl_error *why)
{
    train_table kl = {0};
    if (m->program->divergence && !train__map_rows(m, divergence_rows, (void *)m->program, images, &kl, why)) {
        free(kl.at);
        return false;
    }
    double *mean_kl = kl.at ? column_means(&kl) : NULL, *k = tl_array(c->width, 1, sizeof *k);
    for (int64_t i = 0; k && i < c->width; i++)
        k[i] = (double)(i + 1);
    const tl_line lines[] = {{"deviation", c->width, k, c->deviation},
                             {"mean", c->width, k, c->mean},
                             {"KL divergence, nats", c->width, k, mean_kl}};
    if (k && c->width > 1)
        tl_page_chart(page, &(tl_chart){"The numbers of the code over test images", "number of the code", "value",
                                        false, mean_kl ? 3 : 2, lines});
    const bool ok = k && (mean_kl || !kl.at);
    free(kl.at);
    free(mean_kl);
    free(k);
    return ok || tl_fail(why, "out of memory");
}

/* ---- The decoder. ---- */

typedef struct reading {
    tl_layer         layers[LAYERS];
    int              n;
    int64_t          weights;
    const ag_tensor *wanted; /* what the next node has to make */
    bool             failed;
} reading;

static float *to_floats(const ag_tensor *t)
{
    const int64_t n = ag_numel(&t->shape);
    float        *to = tl_array(n, 1, sizeof *to);
    for (int64_t i = 0; to && i < n; i++)
        to[i] = (float)t->data[i];
    return to;
}

/* Reads a chain of layers from its end; anything else than a chain of the ops that a page computes is given up. */
static bool read_node(void *context, const ag_node *node)
{
    static const char *const known[] = {"relu", "tanh", "sigmoid", "softplus"};
    reading                 *r = context;
    if (node->out != r->wanted)
        return true;
    r->wanted = node->in[0];
    if (!strcmp(node->op->name, "reshape") || !strcmp(node->op->name, "flatten"))
        return true;
    if (r->n == LAYERS)
        return !(r->failed = true);
    tl_layer *l = &r->layers[r->n++];
    *l = (tl_layer){.op = node->op->name};
    if (!strcmp(node->op->name, "linear")) {
        l->out = node->in[1]->shape.dim[0];
        l->in = node->in[1]->shape.dim[1];
        r->weights += l->in * l->out;
        l->weight = r->weights <= WEIGHTS ? to_floats(node->in[1]) : NULL;
        l->bias = l->weight && node->n_in > 2 ? to_floats(node->in[2]) : NULL;
        r->failed = !l->weight || (node->n_in > 2 && !l->bias);
        return !r->failed;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(node->op->name, known[i]))
            return true;
    return !(r->failed = true);
}

/* Whether the program's decoder is one that a page can compute. */
static bool read_decoder(train_images *m, reading *r)
{
    ag_tape   *tape = train_image_tape(m);
    ag_tensor *z = ag_zeros(tape, AG_SHAPE(1, m->code));
    ag_set_grad_enabled(tape, true);
    const ag_tensor *y = m->program->decode(m->program->context, z);
    ag_set_grad_enabled(tape, false);
    *r = (reading){.wanted = y};
    if (ag_error(tape) || ag_numel(&y->shape) != m->height * m->width)
        return false;
    ag_visit_nodes(tape, read_node, r);
    for (int i = 0; i < r->n / 2; i++) {
        const tl_layer first = r->layers[i];
        r->layers[i] = r->layers[r->n - 1 - i];
        r->layers[r->n - 1 - i] = first;
    }
    return !r->failed && r->wanted == z && r->n > 0 && !strcmp(r->layers[0].op, "linear");
}

static void show_decoder(train_images *m, const train_table *codes, tl_page *page)
{
    float   least[INPUTS], most[INPUTS], start[INPUTS];
    reading r = {.n = 0};
    if (m->code <= INPUTS && m->use.pixels != TRAIN_STANDARD && read_decoder(m, &r)) {
        for (int64_t k = 0; k < m->code; k++) {
            least[k] = most[k] = start[k] = (float)codes->at[k];
            for (int64_t i = 1; i < codes->rows; i++) {
                const float v = (float)codes->at[i * m->code + k];
                least[k] = v < least[k] ? v : least[k];
                most[k] = v > most[k] ? v : most[k];
            }
        }
        tl_page_explorer(page, "The decoder: move the numbers of a code. It begins with the first test image's.",
                         &(tl_network){r.n, (int)m->code, (int)m->width, (int)m->height, r.layers, least, most, start,
                                       m->use.pixels == TRAIN_SIGNED ? -1 : 0, 1});
    }
    for (int i = 0; i < r.n; i++) {
        free((void *)r.layers[i].weight);
        free((void *)r.layers[i].bias);
    }
}

bool train__show_codes(train_images *m, tl_page *page, tl_error *why)
{
    train_table images = {0}, codes = {0};
    centred     c = {0};
    if (!m->program->encode || !m->program->decode || m->symbols || m->test.count == 0)
        return true;
    bool ok = train__unit_images(&m->test, POINTS, &images, why);
    if (ok)
        train_to_range(m, images.rows, images.at);
    ok = ok && train__encode(m, &images, &codes, why) && (centre(&codes, &c) || tl_fail(why, "out of memory"));
    if (ok) {
        tl_page_section(page, "Codes");
        tell_dead(&c, page);
        ok = c.width < 2 || show_planes(m, &c, page, why);
    }
    if (ok && !m->encodes_only)
        show_decoder(m, &codes, page);
    ok = ok && show_spread(m, &c, &images, page, why);
    centred_free(&c);
    free(images.at);
    free(codes.at);
    return ok;
}
