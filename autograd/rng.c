#include "autograd/rng.h"

#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"

typedef void fill_fn(uint64_t seed, uint64_t draw, int64_t first, int64_t n, ag_real a, ag_real b, ag_real *y);

typedef struct drawing {
    fill_fn *fill;
    ag_rng   state;
    ag_real  a, b;
    ag_real *y;
} drawing;

static void draw_part(void *context, int64_t begin, int64_t end)
{
    const drawing *d = context;
    d->fill(d->state.seed, d->state.draw, begin, end - begin, d->a, d->b, d->y + begin);
}

static void draw(ag_rng *r, fill_fn *fill, int64_t n, ag_real a, ag_real b, ag_real *y)
{
    if (!r || !y || n < 1)
        return;
    drawing d = {fill, *r, a, b, y};
    r->draw++;
    agk_parallel(n, 4096, draw_part, &d);
}

void ag_rng_uniform(ag_rng *r, int64_t n, ag_real low, ag_real high, ag_real *y)
{
    draw(r, agk()->uniform, n, low, high, y);
}

void ag_rng_normal(ag_rng *r, int64_t n, ag_real mean, ag_real deviation, ag_real *y)
{
    draw(r, agk()->normal, n, mean, deviation, y);
}

void ag_rng_bernoulli(ag_rng *r, int64_t n, ag_real p, ag_real value, ag_real *y)
{
    draw(r, agk()->bernoulli, n, p, value, y);
}
