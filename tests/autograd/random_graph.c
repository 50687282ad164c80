/* Ops composed at random: the gradient of the whole is checked. */
#include <stdio.h>

#include "tests/test.h"

enum { STEPS = 14, INPUTS = 3 };

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static ag_tensor *pick(uint64_t *state, ag_tensor **pool, int n)
{
    return pool[next_random(state) % (uint64_t)n];
}

/* One more tensor of shape (4, 4), smooth in its inputs and of moderate size. */
static ag_tensor *grow(uint64_t *state, ag_tensor **pool, int n)
{
    ag_tensor *a = pick(state, pool, n), *b = pick(state, pool, n), *half[2];
    switch (next_random(state) % 14) {
    case 0: return ag_add(a, b);
    case 1: return ag_sub(a, ag_scale(b, 0.5));
    case 2: return ag_mul(a, ag_tanh(b));
    case 3: return ag_div(a, ag_shift(ag_square(b), 1));
    case 4: return ag_scale(ag_matmul(a, b), 0.3);
    case 5: return ag_softmax(a, (int)(next_random(state) % 2));
    case 6: return ag_sigmoid(ag_transpose(a, 0, 1));
    case 7: return ag_add(a, ag_sum(b, AG_AXES(0), true));
    case 8: return ag_mul(a, ag_mean(b, AG_AXES(1), true));
    case 9: return ag_silu(ag_linear(a, b, ag_reshape(ag_slice(a, 0, 1, 2), AG_SHAPE(4))));
    case 10: ag_chunk(a, 2, 1, half); return ag_concat(2, (ag_tensor *[]){half[1], ag_gelu(half[0])}, 1);
    case 11: return ag_tanh(ag_add(a, ag_randn_like(a)));
    case 12: return ag_sub(a, ag_reshape(ag_logsumexp(b, 1), AG_SHAPE(4, 1)));
    default: return ag_softplus(ag_dropout(a, 0.25));
    }
}

static ag_tensor *random_graph(void *context, ag_tape *tape, ag_tensor *const *in)
{
    uint64_t   state = *(const uint64_t *)context;
    ag_tensor *pool[INPUTS + STEPS];
    for (int i = 0; i < INPUTS; i++)
        pool[i] = ag_on_tape(tape, in[i]);
    for (int i = 0; i < STEPS; i++)
        pool[INPUTS + i] = grow(&state, pool, INPUTS + i);
    return ag_add(pool[INPUTS + STEPS - 1], pool[INPUTS + STEPS - 2]);
}

#ifdef AG_DOUBLE
Test(random_graph, gradients)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        ag_tensor *in[INPUTS];
        for (int i = 0; i < INPUTS; i++) {
            in[i] = ag_parameter_new(AG_SHAPE(4, 4));
            fill_random(in[i], 10 * seed + (uint64_t)i);
        }
        ag_gradcheck_result r = ag_gradcheck(random_graph, &seed, INPUTS, in, 1e-5, 1e-6);
        cr_expect(r.ok, "seed %d: %s", (int)seed, r.message);
        for (int i = 0; i < INPUTS; i++)
            ag_parameter_free(in[i]);
    }
}
#else
/* In float the same graphs run; their gradients are the double build's business. */
Test(random_graph, runs)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        ag_tape   *tape = ag_tape_new(seed);
        ag_tensor *in[INPUTS];
        for (int i = 0; i < INPUTS; i++) {
            in[i] = ag_parameter_new(AG_SHAPE(4, 4));
            fill_random(in[i], 10 * seed + (uint64_t)i);
        }
        cr_assert(ag_backward(ag_sum(random_graph(&seed, tape, in), AG_ALL, false)), "%s", ag_error(tape));
        for (int i = 0; i < INPUTS; i++)
            ag_parameter_free(in[i]);
        ag_tape_free(tape);
    }
}
#endif
