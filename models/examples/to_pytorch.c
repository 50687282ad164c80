/* Weights to PyTorch: saves a model under PyTorch's names, in a file that PyTorch reads. Compiles as C++ too.
 *
 *     cc to_pytorch.c $(pkg-config --cflags --libs hourglass) -o to_pytorch && ./to_pytorch
 *
 * It writes model.safetensors and prints:
 *
 *     0.weight (3, 4)
 *     0.bias (3)
 *     2.weight (2, 3)
 *     2.bias (2)
 *     output -0.09950 -0.42100
 *
 * In Python these lines print the same two numbers:
 *
 *     import torch; from safetensors.torch import load_file
 *     model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
 *     model.load_state_dict(load_file("model.safetensors"))
 *     print("output %.5f %.5f" % tuple(model(torch.ones(4)).tolist()))
 */
#include <nn/nn.h>
#include <stdio.h>

static bool print_parameter(void *context, const char *name, nn_parameter *p)
{
    (void)context;
    printf("%s %s\n", name, AG_STR(&p->tensor->shape));
    return true;
}

int main(void)
{
    nn_module *model = nn_sequential(nn_linear(4, 3), nn_tanh(), nn_linear(3, 2));
    nn_reset_parameters(model, 1);
    nn_visit(model, print_parameter, NULL);

    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *y = nn_forward(model, ag_ones(tape, AG_SHAPE(4)));
    tl_error   why = {""};
    const bool ok = !ag_error(tape) && nn_save(model, "model.safetensors", &why);
    if (ok)
        printf("output %.5f %.5f\n", (double)y->data[0], (double)y->data[1]);
    else
        fprintf(stderr, "%s\n", ag_error(tape) ? ag_error(tape) : why.text);
    ag_tape_free(tape);
    nn_module_free(model);
    return ok ? 0 : 1;
}
