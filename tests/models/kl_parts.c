/* The parts of the KL divergence where they are known. */
#include "models/train/kl_parts.h"

#include <math.h>

#include "models/train/draw.h"
#include "tests/test.h"

static train_kl_parts split(int64_t n, int64_t size, const ag_real *mu, const ag_real *logvar, int64_t draws)
{
    ag_tape             *tape = ag_tape_new(4);
    const train_kl_parts p = train_split_kl(tape, n, size, mu, logvar, draws);
    cr_assert(!ag_error(tape), "%s", ag_error(tape));
    cr_expect(fabs(p.kl - p.information - p.correlation - p.dimensions) < 1e-4 * fmax(1, p.kl), "the parts add up");
    ag_tape_free(tape);
    return p;
}

Test(kl_parts, of_codes_that_say_nothing)
{
    enum { N = 50, SIZE = 3 };
    static const ag_real zero[N * SIZE];
    const train_kl_parts p = split(N, SIZE, zero, zero, N);
    cr_expect(fabs(p.kl) < 1e-4 && fabs(p.information) < 1e-4 && fabs(p.correlation) < 1e-4 &&
              fabs(p.dimensions) < 1e-4);
}

/* Half of the codes are near (a, a), half near (-a, -a), with a deviation of s: the code says which half, and one
 * number of it the other. */
Test(kl_parts, of_two_far_clusters)
{
    enum { N = 8000, SIZE = 2 };
    static ag_real mu[N * SIZE], logvar[N * SIZE];
    const double   a = 8, s = 0.5;
    for (int i = 0; i < N * SIZE; i++) {
        mu[i] = (ag_real)(i / SIZE % 2 ? a : -a);
        logvar[i] = (ag_real)(2 * log(s));
    }
    const train_kl_parts p = split(N, SIZE, mu, logvar, 4000);
    const double         one = 0.5 * (a * a + s * s - 1) - log(s); /* KL(N(a, s^2) || N(0, 1)) */
    cr_expect(fabs(p.information - log(2)) < 1e-3, "information %g", p.information);
    cr_expect(fabs(p.correlation - log(2)) < 1e-3, "correlation %g", p.correlation);
    cr_expect(fabs(p.dimensions - 2 * (one - log(2))) < 0.3, "dimensions %g, expected %g", p.dimensions,
              2 * (one - log(2)));
}

/* Codes far from each other say which image they are of: log n. */
Test(kl_parts, information_is_at_most_that_of_the_images)
{
    enum { N = 64 };
    ag_real mu[N], logvar[N];
    for (int i = 0; i < N; i++) {
        mu[i] = (ag_real)(i * 10);
        logvar[i] = 0;
    }
    const train_kl_parts p = split(N, 1, mu, logvar, 1000);
    cr_expect(fabs(p.information - log(N)) < 1e-2 && fabs(p.correlation) < 1e-4, "%g, expected %g", p.information,
              log(N));
}

Test(kl_parts, bad_input)
{
    const ag_real zero[4] = {0};
    ag_tape      *tape = ag_tape_new(1);
    tl_error      why;
    cr_expect(
        isnan(train_split_kl(NULL, 2, 2, zero, zero, 2).kl) && isnan(train_split_kl(tape, 2, 2, NULL, zero, 2).kl) &&
        isnan(train_split_kl(tape, 0, 2, zero, zero, 2).kl) && isnan(train_split_kl(tape, 2, 2, zero, zero, 0).kl));
    cr_expect(!train_draw_kl_parts(NULL, NULL, NULL, &why) && !train_draw_traversals(NULL, &why));
    ag_tape_free(tape);
}
