/* The first program: a network with one hidden layer learns XOR. Compiles as C++ too.
 *
 *     cc xor.c $(pkg-config --cflags --libs hourglass) -o xor && ./xor
 *
 * It prints:
 *
 *     step   0  loss 0.6962
 *     step  50  loss 0.0102
 *     step 100  loss 0.0010
 *     step 150  loss 0.0006
 *     step 200  loss 0.0004
 */
#include <nn/nn.h>
#include <stdio.h>

int main(void)
{
    static const ag_real inputs[] = {0, 0, 0, 1, 1, 0, 1, 1}, targets[] = {0, 1, 1, 0};

    nn_module *net = nn_sequential(nn_linear(2, 8), nn_tanh(), nn_linear(8, 1));
    nn_reset_parameters(net, 1); /* PyTorch's default initialisation, from seed 1 */
    nn_optimizer *adam = nn_adam(net, nn_adam_defaults(0.05));
    ag_tape      *tape = ag_tape_new(1);

    for (int step = 0; step <= 200; step++) {
        ag_tape_reset(tape);
        ag_tensor *x = ag_input(tape, AG_SHAPE(4, 2), inputs);
        ag_tensor *t = ag_input(tape, AG_SHAPE(4, 1), targets);
        ag_tensor *loss = ag_bce_with_logits_loss(nn_forward(net, x), t, AG_MEAN);
        nn_zero_grad(net);
        ag_backward(loss);
        if (!nn_step(adam, tape)) { /* the one check: it reports whatever failed in this pass */
            fprintf(stderr, "%s\n", ag_error(tape));
            return 1;
        }
        if (step % 50 == 0)
            printf("step %3d  loss %.4f\n", step, ag_item(loss));
    }
    ag_tape_free(tape);
    nn_optimizer_free(adam);
    nn_module_free(net);
}
