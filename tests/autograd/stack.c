/* Ops run on threads with a stack of 64 KiB, which other systems' threads may have: kernels keep little there. */
#include <pthread.h>

#include "autograd/runtime.h"
#include "tests/support/samples.h"
#include "tests/test.h"

/* The instrumented frames of sanitizers are larger. */
#if !SANITIZED

typedef struct pass {
    const op_sample *sample;
    int              set;
    bool             ok;
} pass;

static void *run_sample(void *context)
{
    pass      *p = context;
    ag_tensor *in[SAMPLE_INPUTS];
    ag_tape   *tape = ag_tape_new(1);
    sample_inputs(p->sample, p->set, in);
    ag_tensor *y = p->sample->f(NULL, tape, in);
    p->ok = ag_error(tape) == NULL && (!y->needs_grad || ag_backward(ag_sum(y, AG_ALL, false)));
    ag_tape_free(tape);
    sample_free(p->sample, p->set, in);
    return NULL;
}

/* Large operands take other ways than the samples. */
static void *run_large(void *context)
{
    bool           *ok = context;
    ag_tape        *tape = ag_tape_new(1);
    ag_conv_options padded = {.padding = {1, 1}}, apart = {.padding = {1, 1}, .groups = 24};
    for (int64_t batch = 1; batch <= 33; batch += 16) {
        ag_tensor *x = ag_randn(tape, AG_SHAPE(batch, 24, 40, 40));
        ag_requires_grad(x);
        ag_tensor *y = ag_conv2d(x, ag_randn(tape, AG_SHAPE(24, 24, 3, 3)), NULL, padded);
        y = ag_max_pool2d(y, (ag_pool_options){.kernel = {2, 2}});
        y = ag_conv2d(y, ag_randn(tape, AG_SHAPE(24, 1, 3, 3)), NULL, apart);
        y = ag_avg_pool2d(y, (ag_pool_options){.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
        y = ag_adaptive_avg_pool2d(y, 3, 3);
        y = ag_softmax(ag_flatten(y, 1, 3), 1);
        ag_tensor *w = ag_randn(tape, AG_SHAPE(300, 216));
        ag_requires_grad(w);
        y = ag_matmul(ag_transpose(ag_linear(y, w, NULL), 0, 1), ag_randn(tape, AG_SHAPE(batch, 700)));
        *ok = ag_backward(ag_mean(y, AG_ALL, false)) && ag_error(tape) == NULL && *ok;
        ag_tape_reset(tape);
    }
    ag_tape_free(tape);
    return NULL;
}

static bool on_small_stack(void *(*body)(void *), void *context)
{
    pthread_attr_t attributes;
    pthread_t      thread;
    bool           ok = pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 64 << 10) == 0;
    ok = ok && pthread_create(&thread, &attributes, body, context) == 0 && pthread_join(thread, NULL) == 0;
    pthread_attr_destroy(&attributes);
    return ok;
}

Test(stack, of_64_kib_is_enough_for_every_op)
{
    ag_set_threads(1);
    for (int i = 0; i < op_sample_count; i++)
        for (int k = 0; op_samples[i].sets[k].n; k++) {
            pass p = {&op_samples[i], k, false};
            cr_assert(on_small_stack(run_sample, &p) && p.ok, "%s %s, set %d", p.sample->name, p.sample->variant, k);
        }
    bool ok = true;
    cr_assert(on_small_stack(run_large, &ok) && ok);
}
#endif
