/* Optimizer updates: each instruction set as the portable one; the formulas are compared with PyTorch in tests/nn. */
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
