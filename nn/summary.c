#include "nn/summary.h"

#include <inttypes.h>
#include <string.h>

#include "autograd/ops.h"

#define MAX_MODULES 512

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

static void print_tree(FILE *file, const trace *t, const nn_module *m, int depth)
{
    char arguments[96] = "", layer[160];
    if (m->type->describe)
        m->type->describe(m, arguments, sizeof arguments);
    snprintf(layer, sizeof layer, "%*s%s%s%s(%s)", 2 * depth, "", m->name ? m->name : "", m->name ? ": " : "",
             m->type->name, arguments);
    fprintf(file, "%-40s %-20s %12" PRId64 "\n", layer, output_of(t, m).s, own_parameters(m));
    for (const nn_module *c = m->first_child; c; c = c->next)
        print_tree(file, t, c, depth + 1);
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
        fprintf(file, "%-40s %-20s %12s\n", "layer", "output", "parameters");
        print_tree(file, &t, model, 0);
        fprintf(file, "%-40s %-20s %12" PRId64 "\n", "total", "", nn_count(model));
    }
    bool ok = !error;
    ag_tape_free(tape);
    return ok;
}
