#include "nn/summary.h"

#include <inttypes.h>
#include <string.h>

#include "autograd/ops.h"

enum { MAX_MODULES = 512, WIDTH = 40 /* of the first column, at least */ };

/* The output shapes that the forward pass shows, in the order of the calls. */
typedef struct trace {
    const nn_module *module[MAX_MODULES];
    ag_shape         shape[MAX_MODULES];
    int              count;
} trace;

static void note_output(void *context, const void *module, const ag_tensor *y)
{
    trace *t = context;
    if (t->count == MAX_MODULES)
        return;
    t->module[t->count] = module;
    t->shape[t->count++] = y->shape;
}

/* "-" for a module that the pass did not go through. */
static ag_text output_of(const trace *t, const nn_module *m)
{
    for (int i = 0; i < t->count; i++)
        if (t->module[i] == m)
            return ag_shape_text(&t->shape[i]);
    return (ag_text){"-"};
}

static int64_t own_parameters(const nn_module *m)
{
    int64_t n = 0;
    for (const nn_parameter *p = m->first_parameter; p; p = p->next)
        n += p->is_buffer || p->is_shared ? 0 : ag_numel(&p->tensor->shape);
    return n;
}

/* "  fc1: Linear(784, 400)" */
static int layer_text(const nn_module *m, int depth, char *text, size_t size)
{
    char arguments[256] = "";
    if (m->type->describe)
        m->type->describe(m, arguments, sizeof arguments);
    return snprintf(text, size, "%*s%s%s%s(%s)", 2 * depth, "", m->name ? m->name : "", m->name ? ": " : "",
                    m->type->name, arguments);
}

static int longest(const nn_module *m, int depth)
{
    int n = layer_text(m, depth, NULL, 0);
    for (const nn_module *c = m->first_child; c; c = c->next) {
        const int below = longest(c, depth + 1);
        n = below > n ? below : n;
    }
    return n;
}

static void print_tree(FILE *file, const trace *t, const nn_module *m, int depth, int width)
{
    char layer[512];
    layer_text(m, depth, layer, sizeof layer);
    fprintf(file, "%-*s %-20s %12" PRId64 "\n", width, layer, output_of(t, m).s, own_parameters(m));
    for (const nn_module *c = m->first_child; c; c = c->next)
        print_tree(file, t, c, depth + 1, width);
}

bool nn_summary(FILE *file, nn_module *model, ag_shape input)
{
    if (!file)
        return false;
    trace t;
    t.count = 0;
    ag_tape *tape = ag_tape_new(0);
    ag_set_training(tape, false);
    ag_set_grad_enabled(tape, false);
    ag_set_trace(tape, note_output, &t);
    nn_forward(model, ag_zeros(tape, input));
    const char *error = nn_error(model) ? nn_error(model) : ag_error(tape);
    if (error) {
        fprintf(file, "%s\n", error);
    } else {
        const int width = longest(model, 0) > WIDTH ? longest(model, 0) : WIDTH;
        fprintf(file, "%-*s %-20s %12s\n", width, "layer", "output", "parameters");
        print_tree(file, &t, model, 0, width);
        fprintf(file, "%-*s %-20s %12" PRId64 "\n", width, "total", "", nn_count(model));
    }
    bool ok = !error;
    ag_tape_free(tape);
    return ok;
}
