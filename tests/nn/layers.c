/* Every layer, by the table of samples, against PyTorch: tests/golden/layers.txt, made by tests/golden/make_layers.py.
 *
 * A case: lines "training" (1, or 0 for evaluation), "in", "state:NAME" for each parameter and buffer in the order of
 * the state dict, "weight", "out", "grad" of the input if it has one, and again by the state dict "grad:NAME" of a
 * parameter or "moved:NAME", what a buffer holds afterwards. weight is what the result is multiplied with before it is
 * summed and differentiated. */
#include <stdio.h>

#include "tests/support/golden.h"
#include "tests/support/layers.h"
#include "tests/test.h"

typedef struct golden_case {
    FILE *f;
    char  what[96]; /* "linear sample 0" */
} golden_case;

static bool read_state(void *context, const char *name, nn_parameter *p)
{
    char label[64];
    snprintf(label, sizeof label, "state:%s", name);
    golden_read_into(((golden_case *)context)->f, label, p->tensor);
    return true;
}

static bool check_state(void *context, const char *name, nn_parameter *p)
{
    const golden_case *c = context;
    char               label[64];
    snprintf(label, sizeof label, "%s:%s", p->is_buffer ? "moved" : "grad", name);
    golden_check(c->f, label, c->what, &p->tensor->shape, p->is_buffer ? p->tensor->data : p->tensor->grad);
    return true;
}

static void check_layer(golden_case *c, const layer_sample *s)
{
    static golden g;
    nn_module    *m = s->make();
    ag_tape      *tape = ag_tape_new(0);
    ag_tensor    *x = ag_parameter_new(ag_shape_of(s->rank, s->dim));
    cr_assert(m && !nn_error(m) && tape && x, "%s", c->what);
    x->needs_grad = !s->is_index;
    golden_read(c->f, "training", &g);
    ag_set_training(tape, g.value[0] > 0);
    golden_read_into(c->f, "in", x);
    nn_visit(m, read_state, c);
    nn_set_ready(m);
    ag_tensor *y = nn_forward(m, ag_on_tape(tape, x));
    cr_assert(!ag_error(tape), "%s: %s", c->what, ag_error(tape));
    ag_tensor *weight = ag_zeros(tape, y->shape);
    golden_read_into(c->f, "weight", weight);
    golden_check(c->f, "out", c->what, &y->shape, y->data);
    cr_assert(ag_backward(ag_sum(ag_mul(y, weight), AG_ALL, false)), "%s: %s", c->what, ag_error(tape));
    if (x->needs_grad)
        golden_check(c->f, "grad", c->what, &x->shape, x->grad);
    nn_visit(m, check_state, c);
    ag_parameter_free(x);
    nn_module_free(m);
    ag_tape_free(tape);
}

Test(layers, equal_pytorch)
{
    FILE *f = fopen("tests/golden/layers.txt", "r");
    cr_assert(f, "run the tests in the project's folder");
    for (int i = 0; i < layer_sample_count; i++) {
        const char *name = layer_samples[i].name;
        int         k = layer_sample_number(i);
        cr_assert(golden_find(f, name, k),
                  "layer nn_%s has no values by PyTorch for its sample %d: add it to LAYERS in "
                  "tests/golden/make_layers.py and run `make golden`",
                  name, k);
        golden_case c = {.f = f};
        snprintf(c.what, sizeof c.what, "%s sample %d", name, k);
        check_layer(&c, &layer_samples[i]);
    }
    fclose(f);
}
