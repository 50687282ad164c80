#include "tools/bench/growth.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/conv_vae.h"
#include "models/vae.h"
#include "nn/nn.h"
#include "tools/bench/measure.h"

/* Forward and backward of a model on one batch. The optimizer is left out: its cost goes by parameters, not by images.
 */
typedef struct passes {
    nn_module *model;
    ag_tape   *tape;
    ag_real   *pixels;
    ag_shape   shape;
    ag_tensor *(*loss)(nn_module *m, ag_tensor *x);
} passes;

static void run(void *context)
{
    passes *p = context;
    ag_tape_reset(p->tape);
    ag_tensor *loss = p->loss(p->model, ag_wrap(p->tape, p->shape, p->pixels));
    nn_zero_grad(p->model);
    ag_backward(loss);
}

/* Median microseconds, or below 0 on failure. Frees the model. */
static double time_of(nn_module *model, ag_shape shape, ag_tensor *(*loss)(nn_module *, ag_tensor *), double seconds)
{
    passes p = {model, ag_tape_new(1), malloc((size_t)ag_numel(&shape) * sizeof(ag_real)), shape, loss};
    double us = -1;
    nn_reset_parameters(model, 1);
    if (p.tape && p.pixels) {
        for (int64_t i = 0; i < ag_numel(&shape); i++)
            p.pixels[i] = (ag_real)(i * 7919 % 1009) / 1009;
        us = measure(run, &p, seconds).median;
    }
    if (p.tape && ag_error(p.tape)) {
        fprintf(stderr, "bench: %s\n", ag_error(p.tape));
        us = -1;
    }
    ag_tape_free(p.tape);
    nn_module_free(model);
    free(p.pixels);
    return us;
}

static ag_tensor *vae_total(nn_module *m, ag_tensor *x)
{
    return vae_loss(vae_forward((vae *)m, x), x, 1).total;
}

static ag_tensor *conv_vae_total(nn_module *m, ag_tensor *x)
{
    return vae_loss(conv_vae_forward((conv_vae *)m, x), x, 1).total;
}

static ag_tensor *square_error(nn_module *m, ag_tensor *x)
{
    return ag_mse_loss(nn_forward(m, x), x, AG_MEAN);
}

/* ---- The series: how many units of work `n` is, and the model and its input. ---- */

typedef struct subject {
    nn_module *model;
    ag_shape   input;
    ag_tensor *(*loss)(nn_module *, ag_tensor *);
    double units;
} subject;

static subject of_batch(int64_t n)
{
    return (subject){(nn_module *)vae_new((vae_config){784, 400, 20}), AG_SHAPE(n, 784), vae_total, (double)n};
}

static subject of_width(int64_t n)
{
    nn_module *m = nn_sequential(nn_linear(n, n), nn_relu(), nn_linear(n, n));
    return (subject){m, AG_SHAPE(128, n), square_error, 5.0 * 128 * (double)(n * n)};
}

static subject of_side(int64_t n)
{
    conv_vae *m = conv_vae_new((conv_vae_config){1, n, n, 32, 64, 32});
    return (subject){(nn_module *)m, AG_SHAPE(16, n * n), conv_vae_total, 16.0 * (double)(n * n)};
}

static subject of_images(int64_t n)
{
    conv_vae *m = conv_vae_new((conv_vae_config){1, 28, 28, 32, 64, 32});
    return (subject){(nn_module *)m, AG_SHAPE(n, 784), conv_vae_total, (double)n};
}

enum { DEEPEST = 100 };

static subject of_depth(int64_t n)
{
    nn_module *layers[2 * DEEPEST];
    for (int i = 0; i < n; i++) {
        layers[2 * i] = nn_linear(128, 128);
        layers[2 * i + 1] = nn_relu();
    }
    return (subject){nn_sequential_of((int)(2 * n), layers), AG_SHAPE(128, 128), square_error, (double)n};
}

typedef struct series {
    const char *name, *unit;
    subject (*of)(int64_t n);
    int64_t n[12]; /* up to the first 0 */
} series;

static const series all[] = {
    {"vae, batch", "image", of_batch, {1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096}},
    {"conv_vae, batch", "image", of_images, {1, 2, 4, 8, 16, 32, 64, 128, 256, 1024}},
    {"two layers, batch 128, width", "multiply-add", of_width, {16, 32, 64, 128, 256, 512, 1024, 2048, 4096}},
    {"conv_vae, batch 16, side", "pixel", of_side, {8, 16, 28, 32, 56, 64, 112, 128, 224}},
    {"linear(128, 128) and ReLU, batch 128, depth", "layer", of_depth, {1, 2, 5, 10, 20, 50, DEEPEST}},
};

/* How much more a unit costs at point i than at the cheaper of its neighbours. */
static double beside_neighbours(const double *cost, int n, int i)
{
    double best = i > 0 ? cost[i - 1] : cost[i];
    if (i + 1 < n && (cost[i + 1] < best || i == 0))
        best = cost[i + 1];
    return cost[i] / best;
}

/* The points in turn, several times over, and of each the least: another program's burst of work would look like
 * growth. */
static bool bench_series(const series *s, double seconds)
{
    enum { ROUNDS = 4 };
    double least[12], cost[12];
    int    n = 0;
    for (int round = 0; round < ROUNDS; round++)
        for (n = 0; n < 12 && s->n[n]; n++) {
            const subject u = s->of(s->n[n]);
            const double  us = time_of(u.model, u.input, u.loss, seconds / ROUNDS);
            if (us < 0)
                return false;
            least[n] = round == 0 || us < least[n] ? us : least[n];
            cost[n] = least[n] * 1e3 / u.units;
        }
    printf("\n%-44s %12s %14s %10s\n", s->name, "us", "ns per unit", "neighbour");
    for (int i = 0; i < n; i++)
        printf("%44lld %12.1f %14.4g %10.2f  %s\n", (long long)s->n[i], least[i], cost[i],
               beside_neighbours(cost, n, i), s->unit);
    return true;
}

bool bench_growth(double seconds)
{
    printf("\nforward and backward: cost per unit, and over that of the cheaper neighbour\n");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!bench_series(&all[i], seconds))
            return false;
    return true;
}
