/* Optimizer updates: torch.optim's formulas, each one pass over the parameters and their state. */
#include <float.h>

#include "autograd/kernels/simd/math.h"

/* The averages of a unit that died decay for ever: rounding keeps them among the subnormal numbers, with which x86 computes
 * ten to thirty times as slowly. So what is smaller than any normal number becomes 0, and no parameter changes by it. */
#ifdef AG_DOUBLE
#define SMALLEST DBL_MIN
#else
#define SMALLEST FLT_MIN
#endif

INLINE ag_real flushed(ag_real x)
{
    return r_abs(x) < SMALLEST ? 0 : x;
}

/* An average of squares, whose root is added to eps: without a usual eps its smallest values count. */
INLINE ag_real flushed_square(ag_real x, ag_real eps)
{
    return x < (eps >= (ag_real)1e-9 ? SMALLEST : 0) ? 0 : x;
}

void AGK(sgd)(int64_t n, const agk_sgd *options, const ag_real *g, ag_real *velocity, ag_real *p)
{
    const agk_sgd o = *options;
    if (!velocity) {
        for (int64_t i = 0; i < n; i++)
            p[i] = r_fma(-o.lr, r_fma(o.weight_decay, p[i], g[i]), p[i]);
        return;
    }
    const ag_real keep = o.first ? 0 : o.momentum, take = o.first ? 1 : 1 - o.dampening;
    for (int64_t i = 0; i < n; i++) {
        ag_real d = r_fma(o.weight_decay, p[i], g[i]);
        ag_real v = flushed(r_fma(keep, velocity[i], take * d));
        velocity[i] = v;
        p[i] = r_fma(-o.lr, o.nesterov ? r_fma(o.momentum, v, d) : v, p[i]);
    }
}

/* Kingma, Ba: "Adam: a method for stochastic optimization", 2015; with `keep` below 1, Loshchilov, Hutter:
 * "Decoupled weight decay regularization", 2019. */
void AGK(adam)(int64_t n, const agk_adam *options, const ag_real *g, ag_real *m, ag_real *v, ag_real *p)
{
    const agk_adam o = *options;
    for (int64_t i = 0; i < n; i++) {
        ag_real x = p[i] * o.keep, d = r_fma(o.weight_decay, x, g[i]);
        ag_real m1 = flushed(r_fma(o.one_minus_beta1, d - m[i], m[i]));
        ag_real v1 = flushed_square(r_fma(o.beta2, v[i], o.one_minus_beta2 * d * d), o.eps);
        m[i] = m1;
        v[i] = v1;
        p[i] = x - o.step_size * m1 / r_fma(r_sqrt(v1), o.root_correction, o.eps);
    }
}

/* Duchi, Hazan, Singer: "Adaptive subgradient methods", 2011. */
void AGK(adagrad)(int64_t n, const agk_adagrad *options, const ag_real *g, ag_real *sum, ag_real *p)
{
    const agk_adagrad o = *options;
    for (int64_t i = 0; i < n; i++) {
        ag_real d = r_fma(o.weight_decay, p[i], g[i]);
        ag_real s = r_fma(d, d, sum[i]);
        sum[i] = s;
        p[i] -= o.lr * d / (r_sqrt(s) + o.eps);
    }
}

/* Tieleman, Hinton: "Neural networks for machine learning", lecture 6.5, 2012; centred: Graves, 2013. `centred` and `moves` are
 * compile-time constants at every call. */
INLINE void rmsprop(int64_t n, const agk_rmsprop *options, bool centred, bool moves, const ag_real *restrict g, ag_real *restrict square,
                    ag_real *restrict mean, ag_real *restrict velocity, ag_real *restrict p)
{
    const agk_rmsprop o = *options;
    for (int64_t i = 0; i < n; i++) {
        ag_real d = r_fma(o.weight_decay, p[i], g[i]);
        ag_real s = flushed_square(r_fma(o.alpha, square[i], o.one_minus_alpha * d * d), o.eps), spread = s;
        square[i] = s;
        if (centred) {
            ag_real average = flushed(r_fma(o.one_minus_alpha, d - mean[i], mean[i]));
            mean[i] = average;
            spread = r_fma(-average, average, s);
        }
        ag_real step = d / (r_sqrt(spread) + o.eps);
        if (moves)
            velocity[i] = step = flushed(r_fma(o.momentum, velocity[i], step));
        p[i] = r_fma(-o.lr, step, p[i]);
    }
}

void AGK(rmsprop)(int64_t n, const agk_rmsprop *options, const ag_real *g, ag_real *square, ag_real *mean,
                  ag_real *velocity, ag_real *p)
{
    if (mean && velocity)
        rmsprop(n, options, true, true, g, square, mean, velocity, p);
    else if (mean)
        rmsprop(n, options, true, false, g, square, mean, NULL, p);
    else if (velocity)
        rmsprop(n, options, false, true, g, square, NULL, velocity, p);
    else
        rmsprop(n, options, false, false, g, square, NULL, NULL, p);
}
