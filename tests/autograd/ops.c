/* Every op, by the table of samples: gradients against differences (double), results and gradients against PyTorch. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/samples.h"
#include "tests/test.h"

static bool has_sample(const char *name)
{
    for (int i = 0; i < op_sample_count; i++)
        if (!strcmp(op_samples[i].name, name))
            return true;
    return false;
}

/* Names of elementwise ops come from the table, as their samples do; all others stand in ops.h. */
Test(ops, each_has_a_sample)
{
    char *text = read_text("autograd/ops.h"), name[64];
    cr_assert(text, "run the tests in the project's folder");
    const char *at = strstr(text, "---- Shape. ----");
    int         found = 0;
    while ((at = next_name(at, "ag_tensor *ag_", name, sizeof name))) {
        cr_expect(has_sample(name), "ag_%s has no sample in tests/support/samples.c", name);
        found++;
    }
    cr_assert(found >= 25, "only %d ops found in ops.h", found);
    free(text);
}

#ifdef AG_DOUBLE
Test(ops, gradients)
{
    double worst = 0;
    for (int i = 0; i < op_sample_count; i++)
        for (int k = 0; op_samples[i].sets[k].n; k++) {
            const op_sample *s = &op_samples[i];
            ag_tensor       *in[SAMPLE_INPUTS];
            sample_inputs(s, k, in);
            ag_gradcheck_result r = ag_gradcheck(s->f, NULL, s->sets[k].n, in, 1e-5, 1e-6);
            cr_expect(r.ok, "%s %s, set %d: %s", s->name, s->variant, k, r.message);
            worst = fmax(worst, r.worst);
            sample_free(s, k, in);
        }
    cr_assert(worst < 1e-6);
}
#endif

/* ---- PyTorch's numbers: tests/golden/ops.txt, made by tests/golden/make_ops.py. ----
 *
 * A case: "case NAME/VARIANT SET", then lines "in", "weight", "out", "grad", each followed by rank, dimensions and
 * values. weight is what the result is multiplied with before it is summed and differentiated. */

#ifdef AG_DOUBLE
#define TOLERANCE 1e-9
#else
#define TOLERANCE 2e-5
#endif

typedef struct golden {
    ag_shape shape;
    double   value[1024];
} golden;

static void read_array(FILE *f, const char *label, golden *g)
{
    char word[16];
    cr_assert(fscanf(f, "%15s %d", word, &g->shape.rank) == 2 && !strcmp(word, label), "expected \"%s\"", label);
    int64_t n = 1;
    for (int i = 0; i < g->shape.rank; i++) {
        long long d;
        cr_assert(fscanf(f, "%lld", &d) == 1);
        g->shape.dim[i] = d;
        n *= d;
    }
    cr_assert(n <= 1024);
    for (int64_t i = 0; i < n; i++)
        cr_assert(fscanf(f, "%lf", &g->value[i]) == 1);
}

static void check_case(FILE *f, const op_sample *s, int k)
{
    static golden g;
    ag_tensor    *in[SAMPLE_INPUTS];
    ag_tape      *tape = ag_tape_new(0);
    char          what[128];
    snprintf(what, sizeof what, "%s/%s set %d", s->name, s->variant, k);
    sample_inputs(s, k, in);
    for (int i = 0; i < s->sets[k].n; i++) {
        read_array(f, "in", &g);
        cr_assert(ag_shape_equal(&g.shape, &in[i]->shape), "%s: input %d", what, i);
        for (int64_t e = 0; e < ag_numel(&g.shape); e++)
            in[i]->data[e] = (ag_real)g.value[e];
    }
    ag_tensor *y = s->f(NULL, tape, in);
    cr_assert(!ag_error(tape), "%s: %s", what, ag_error(tape));
    read_array(f, "weight", &g);
    ag_tensor *w = ag_zeros(tape, g.shape);
    for (int64_t e = 0; e < ag_numel(&g.shape); e++)
        w->data[e] = (ag_real)g.value[e];
    read_array(f, "out", &g);
    cr_assert(ag_shape_equal(&g.shape, &y->shape), "%s: result %s", what, AG_STR(&y->shape));
    check_close(what, ag_numel(&y->shape), y->data, g.value, TOLERANCE);
    cr_assert(ag_backward(ag_sum(ag_mul(y, w), AG_ALL, false)), "%s: %s", what, ag_error(tape));
    for (int i = 0; i < s->sets[k].n; i++)
        if (in[i]->needs_grad) {
            read_array(f, "grad", &g);
            check_close(what, ag_numel(&g.shape), in[i]->grad, g.value, TOLERANCE);
        }
    sample_free(s, k, in);
    ag_tape_free(tape);
}

/* Where a case begins in the file of golden values, or -1. */
static long find_case(FILE *f, const char *name, int k)
{
    char line[65536], wanted[128];
    snprintf(wanted, sizeof wanted, "case %s %d\n", name, k);
    rewind(f);
    while (fgets(line, sizeof line, f))
        if (!strcmp(line, wanted))
            return ftell(f);
    return -1;
}

Test(ops, equal_pytorch)
{
    FILE *f = fopen("tests/golden/ops.txt", "r");
    cr_assert(f);
    for (int i = 0; i < op_sample_count; i++)
        for (int k = 0; !op_samples[i].random && op_samples[i].sets[k].n; k++) {
            const op_sample *s = &op_samples[i];
            char             name[96];
            snprintf(name, sizeof name, "%s/%s", s->name, s->variant);
            const long at = find_case(f, name, k);
            cr_assert(at >= 0, "op %s has no values by PyTorch for its sample %d: run `make golden`, which adds them",
                      name, k);
            cr_assert(fseek(f, at, SEEK_SET) == 0);
            check_case(f, s, k);
        }
    fclose(f);
}
