/* Every op where some numbers are zeros, denormals, huge, infinite or NaN: the same results and gradients with every
 * table of kernels and any number of threads; of a NaN only that it is one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/kernels/kernels.h"
#include "autograd/runtime.h"
#include "tests/support/samples.h"
#include "tests/test.h"

enum { DRAWS = 6 };

/* A twelfth of x, in every other draw a third; the first two draws without infinities and NaN, which hide the rest. */
static void sharpen(ag_tensor *x, int draw, uint64_t seed)
{
    static const double edges[] = {0, -0.0, 1e-40, -1e-40, 1e20, -1e20, INFINITY, -INFINITY, (double)NAN};
    const int64_t       n = ag_numel(&x->shape), kinds = sizeof edges / sizeof *edges;
    ag_real            *u = malloc((size_t)n * sizeof *u);
    cr_assert(u);
    ag_rng_uniform(&(ag_rng){seed, (uint64_t)draw}, n, 0, 1, u);
    for (int64_t i = 0; i < n; i++) {
        const double at = (double)u[i] * (draw % 2 ? 3.0 : 12.0);
        if (at < 1)
            x->data[i] = (ag_real)edges[(int64_t)(at * (double)(draw < 2 ? kinds - 3 : kinds))];
    }
    free(u);
}

/* The op's result and gradients, one after the other, in memory to be freed. */
static ag_real *compute(const op_sample *s, int set, int draw, int64_t *size)
{
    ag_tensor *in[SAMPLE_INPUTS];
    ag_tape   *tape = ag_tape_new(1);
    sample_inputs(s, set, in);
    for (int i = 0; i < s->sets[set].n; i++)
        if (s->domain[i] != SAMPLE_INDEX)
            sharpen(in[i], draw, (uint64_t)(1000 * i + set));
    ag_tensor    *y = s->f(NULL, tape, in);
    const int64_t n = ag_numel(&y->shape);
    cr_assert(!ag_error(tape), "%s %s: %s", s->name, s->variant, ag_error(tape));
    cr_assert(!y->needs_grad || ag_backward(ag_sum(y, AG_ALL, false)));
    *size = n;
    for (int i = 0; i < s->sets[set].n; i++)
        *size += ag_numel(&in[i]->shape);
    ag_real *all = calloc((size_t)*size, sizeof *all), *to = all + n;
    cr_assert(all);
    memcpy(all, y->data, (size_t)n * sizeof *all);
    for (int i = 0; i < s->sets[set].n; to += ag_numel(&in[i++]->shape))
        if (in[i]->grad)
            memcpy(to, in[i]->grad, (size_t)ag_numel(&in[i]->shape) * sizeof *to);
    ag_tape_free(tape);
    sample_free(s, set, in);
    return all;
}

static void check_sample(const op_sample *s, int set, int draw)
{
    int64_t n, same_n;
    agk_use(agk_find("portable"));
    ag_set_threads(1);
    ag_real *expected = compute(s, set, draw, &n);
    for (int t = 0; agk_name(t); t++)
        for (int threads = 1; agk_find(agk_name(t)) && threads < 4; threads += 2) {
            agk_use(agk_find(agk_name(t)));
            ag_set_threads(threads);
            ag_real *got = compute(s, set, draw, &same_n);
            cr_assert(n == same_n);
            for (int64_t i = 0; i < n; i++)
                cr_expect(!memcmp(&got[i], &expected[i], sizeof *got) || (isnan(got[i]) && isnan(expected[i])),
                          "%s, %d threads: %s %s, set %d, draw %d: number %lld of %lld is %.9g, expected %.9g",
                          agk_name(t), threads, s->name, s->variant, set, draw, (long long)i, (long long)n,
                          (double)got[i], (double)expected[i]);
            free(got);
        }
    free(expected);
}

Test(ops, the_same_at_the_edges)
{
    const agk_table *before = agk();
    for (int i = 0; i < op_sample_count; i++)
        for (int k = 0; op_samples[i].sets[k].n; k++)
            for (int draw = 0; draw < DRAWS && !op_samples[i].random; draw++)
                check_sample(&op_samples[i], k, draw);
    agk_use(before);
    ag_set_threads(1);
}
