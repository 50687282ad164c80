/* A layer of your own: a residual block with a parameter and a child, used in a Sequential and trained.
 *
 *     cc own_layer.c $(pkg-config --cflags --libs hourglass) -o own_layer && ./own_layer
 *
 * It prints:
 *
 *     0.weight (8, 2)
 *     0.bias (8)
 *     1.scale (8)
 *     1.inner.weight (8, 8)
 *     1.inner.bias (8)
 *     3.weight (1, 8)
 *     3.bias (1)
 *     loss 0.6007, after 300 steps 0.0000
 */
#include <nn/nn.h>
#include <stdio.h>

typedef struct {
    nn_module  base;
    ag_tensor *scale;
    nn_module *inner;
} residual;

static ag_tensor *residual_forward(nn_module *m, ag_tensor *x)
{
    residual *r = (residual *)m;
    return ag_add(ag_mul(x, r->scale), nn_forward(r->inner, x));
}

static void residual_reset(nn_module *m, ag_rng *rng)
{
    (void)rng;
    nn_init_constant(((residual *)m)->scale, 1);
}

static const nn_type residual_type = {"Residual", sizeof(residual), residual_forward, residual_reset, NULL};

nn_module *residual_new(int64_t n)
{
    residual *r = nn_new(&residual_type);
    if (!r)
        return nn_failed("Residual", "out of memory");
    NN_PARAMETER(r, scale, AG_SHAPE(n));
    NN_CHILD(r, inner, nn_linear(n, n));
    return &r->base;
}

/* ---- Its use. ---- */

static bool print_parameter(void *context, const char *name, nn_parameter *p)
{
    (void)context;
    printf("%s %s\n", name, AG_STR(&p->tensor->shape));
    return true;
}

/* One step on XOR; the loss before it. */
static double train(nn_module *net, nn_optimizer *adam, ag_tape *tape)
{
    static const ag_real inputs[] = {0, 0, 0, 1, 1, 0, 1, 1}, targets[] = {0, 1, 1, 0};
    ag_tape_reset(tape);
    ag_tensor *x = ag_input(tape, AG_SHAPE(4, 2), inputs);
    ag_tensor *t = ag_input(tape, AG_SHAPE(4, 1), targets);
    ag_tensor *loss = ag_mse_loss(nn_forward(net, x), t, AG_MEAN);
    nn_zero_grad(net);
    ag_backward(loss);
    nn_step(adam, tape);
    return ag_item(loss);
}

int main(void)
{
    nn_module *net = nn_sequential(nn_linear(2, 8), residual_new(8), nn_tanh(), nn_linear(8, 1));
    nn_reset_parameters(net, 1);
    nn_optimizer *adam = nn_adam(net, nn_adam_defaults(0.05));
    ag_tape      *tape = ag_tape_new(1);

    nn_visit(net, print_parameter, NULL);
    const double first = train(net, adam, tape);
    double       last = first;
    for (int step = 1; step < 300; step++)
        last = train(net, adam, tape);
    if (ag_error(tape))
        fprintf(stderr, "%s\n", ag_error(tape));
    else
        printf("loss %.4f, after 300 steps %.4f\n", first, last);
    const bool failed = ag_error(tape) != NULL;
    ag_tape_free(tape);
    nn_optimizer_free(adam);
    nn_module_free(net);
    return failed;
}
