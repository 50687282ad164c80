#include "tools/bench/growth.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/conv_vae.h"
#include "models/vae.h"
#include "nn/nn.h"
#include "tools/bench/measure.h"

/* Forward and backward of a model on one batch. The optimiser is left out: its cost goes by parameters, not by images.
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

bool bench_growth(double seconds)
{
    bool ok = true;
    printf("\nforward and backward, cost per unit\n%-42s %10s %14s\n", "", "us", "ns per unit");
    for (int64_t batch = 16; ok && batch <= 4096; batch *= 2) {
        vae   *m = vae_new((vae_config){784, 400, 20});
        double us = time_of((nn_module *)m, AG_SHAPE(batch, 784), vae_total, seconds);
        printf("vae, batch %-31lld %10.1f %14.1f  image\n", (long long)batch, us, us * 1e3 / (double)batch);
        ok = us >= 0;
    }
    for (int64_t width = 64; ok && width <= 4096; width *= 2) {
        nn_module *m = nn_sequential(nn_linear(width, width), nn_relu(), nn_linear(width, width));
        double     us = time_of(m, AG_SHAPE(128, width), square_error, seconds);
        printf("two layers, batch 128, width %-13lld %10.1f %14.4f  multiply-add\n", (long long)width, us,
               us * 1e3 / (5.0 * 128 * (double)(width * width)));
        ok = us >= 0;
    }
    for (int64_t side = 16; ok && side <= 128; side *= 2) {
        conv_vae *m = conv_vae_new((conv_vae_config){1, side, side, 32, 64, 32});
        double    us = time_of((nn_module *)m, AG_SHAPE(32, side * side), conv_vae_total, seconds);
        printf("conv_vae, batch 32, side %-17lld %10.1f %14.2f  pixel\n", (long long)side, us,
               us * 1e3 / (32.0 * (double)(side * side)));
        ok = us >= 0;
    }
    return ok;
}
