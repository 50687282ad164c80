/* Optimizer updates: each instruction set as the portable one; the formulas are compared with PyTorch in tests/nn. */
#include <float.h>

#include "tests/kernels/tables.h"

static void check_optimizers(const agk_table *t)
{
    const agk_table  *plain = agk_find("portable");
    ag_real           s[2][4][MOST], g[MOST];
    const agk_adam    adam = {(ag_real)1e-2, (ag_real)1.5,  (ag_real)0.1, (ag_real)0.99,
                              (ag_real)0.01, (ag_real)1e-8, (ag_real)0.1, (ag_real)0.99};
    const agk_sgd     sgd = {(ag_real)1e-2, (ag_real)0.9, (ag_real)0.1, (ag_real)0.01, true, false};
    const agk_adagrad adagrad = {(ag_real)1e-2, (ag_real)1e-10, (ag_real)0.1};
    const agk_rmsprop rmsprop = {(ag_real)1e-2, (ag_real)0.9, (ag_real)0.1, (ag_real)1e-8, (ag_real)0.1, (ag_real)0.5};
    for (int l = 0; l < LENGTHS; l++) {
        int64_t n = lengths[l];
        for (int which = 0; which < 2; which++) {
            const agk_table *k = which ? plain : t;
            for (int i = 0; i < 4; i++)
                fill(s[which][i], MOST, (uint64_t)(10 + i));
            for (int i = 0; i < MOST; i++)
                s[which][2][i] /= 100; /* a mean whose square is below the mean of the squares */
            fill(g, MOST, 3);
            k->adam(n, &adam, g, s[which][0], s[which][1], s[which][3]);
            k->sgd(n, &sgd, g, s[which][0], s[which][3]);
            k->sgd(n, &sgd, g, NULL, s[which][3]);
            k->adagrad(n, &adagrad, g, s[which][1], s[which][3]);
            k->rmsprop(n, &rmsprop, g, s[which][1], s[which][2], s[which][0], s[which][3]);
        }
        cr_assert(memcmp(s[0], s[1], sizeof s[0]) == 0, "%s: an optimizer differs at %lld", t->name, (long long)n);
    }
}

Test(kernels, optimizers)
{
    for_tables(check_optimizers);
}

#ifdef AG_DOUBLE
#define SMALLEST DBL_MIN
#else
#define SMALLEST FLT_MIN
#endif

/* With a gradient of 0 all averages decay; what falls below the normal numbers is 0, not subnormal for ever. */
static void check_averages_of_the_dead(const agk_table *t)
{
    const agk_adam    adam = {(ag_real)1e-2, 1, (ag_real)0.1, (ag_real)0.999, (ag_real)0.001, (ag_real)1e-8, 0, 1};
    const agk_sgd     sgd = {(ag_real)1e-2, (ag_real)0.9, 0, 0, false, false};
    const agk_rmsprop rmsprop = {(ag_real)1e-2, (ag_real)0.99, (ag_real)0.01, (ag_real)1e-8, 0, (ag_real)0.9};
    agk_adam          bare = adam;
    ag_real           g[MOST] = {0}, p[MOST], m[MOST], v[MOST], velocity[MOST];
    bare.eps = 0;
    for (int i = 0; i < MOST; i++)
        m[i] = -SMALLEST, v[i] = SMALLEST, velocity[i] = -SMALLEST, p[i] = 1;
    t->adam(MOST, &adam, g, m, v, p);
    t->sgd(MOST, &sgd, g, velocity, p);
    for (int i = 0; i < MOST; i++)
        cr_assert(m[i] == 0 && v[i] == 0 && velocity[i] == 0 && p[i] == 1, "%s: %g %g %g at %d", t->name, (double)m[i],
                  (double)v[i], (double)velocity[i], i);
    for (int i = 0; i < MOST; i++)
        m[i] = -SMALLEST, v[i] = SMALLEST, velocity[i] = SMALLEST;
    t->rmsprop(MOST, &rmsprop, g, v, m, velocity, p);
    for (int i = 0; i < MOST; i++)
        cr_assert(m[i] == 0 && v[i] == 0 && velocity[i] == 0 && p[i] == 1, "%s: rmsprop at %d", t->name, i);
    v[0] = SMALLEST;
    t->adam(1, &bare, g, m, v, p);
    cr_assert(v[0] > 0 && p[0] == 1, "%s: without eps the smallest squares count", t->name);
}

Test(kernels, averages_of_dead_units_become_zero)
{
    for_tables(check_averages_of_the_dead);
}
