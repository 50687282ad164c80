/* Every op, by the table of samples: gradients against differences (double), results and gradients against PyTorch. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/golden.h"
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

#ifdef AG_DOUBLE
/* One tensor in the place of two inputs. */
typedef struct shared_inputs {
    const op_sample *sample;
    int              first, second;
} shared_inputs;

static ag_tensor *call_shared(void *context, ag_tape *tape, ag_tensor *const *in)
{
    const shared_inputs *c = context;
    ag_tensor           *all[SAMPLE_INPUTS];
    for (int i = 0; i < SAMPLE_INPUTS; i++)
        all[i] = i < c->sample->sets[0].n ? in[i == c->second ? c->first : i] : NULL;
    return c->sample->f(NULL, tape, all);
}

static bool can_share(const op_sample *s, const sample_shapes *set, int i, int k)
{
    const bool ties = !strcmp(s->name, "maximum") || !strcmp(s->name, "minimum"); /* no derivative */
    return !ties && s->domain[i] != SAMPLE_INDEX && s->domain[i] == s->domain[k] &&
           ag_shape_equal(&set->shape[i], &set->shape[k]);
}

Test(ops, gradients_of_one_tensor_as_two_inputs)
{
    int tried = 0;
    for (int i = 0; i < op_sample_count; i++)
        for (int k = 0; op_samples[i].sets[k].n; k++)
            for (int b = 1; b < op_samples[i].sets[k].n; b++)
                for (int a = 0; a < b; a++) {
                    const op_sample *s = &op_samples[i];
                    shared_inputs    shared = {s, a, b};
                    ag_tensor       *in[SAMPLE_INPUTS];
                    if (!can_share(s, &s->sets[k], a, b))
                        continue;
                    sample_inputs(s, k, in);
                    ag_gradcheck_result r = ag_gradcheck(call_shared, &shared, s->sets[k].n, in, 1e-5, 1e-6);
                    cr_expect(r.ok, "%s %s, set %d, input %d as %d: %s", s->name, s->variant, k, a, b, r.message);
                    sample_free(s, k, in);
                    tried++;
                }
    cr_assert(tried > 20, "%d", tried);
}
#endif

/* ---- PyTorch's numbers: tests/golden/ops.txt, made by tests/golden/make_ops.py. ----
 *
 * A case: "case NAME/VARIANT SET", then lines "in", "weight", "out", "grad", each followed by rank, dimensions and
 * values. weight is what the result is multiplied with before it is summed and differentiated. */

static void check_case(FILE *f, const op_sample *s, int k)
{
    ag_tensor *in[SAMPLE_INPUTS];
    ag_tape   *tape = ag_tape_new(0);
    char       what[128];
    snprintf(what, sizeof what, "%s/%s set %d", s->name, s->variant, k);
    sample_inputs(s, k, in);
    for (int i = 0; i < s->sets[k].n; i++)
        golden_read_into(f, "in", in[i]);
    ag_tensor *y = s->f(NULL, tape, in);
    cr_assert(!ag_error(tape), "%s: %s", what, ag_error(tape));
    ag_tensor *w = ag_zeros(tape, y->shape);
    golden_read_into(f, "weight", w);
    golden_check(f, "out", what, &y->shape, y->data);
    cr_assert(ag_backward(ag_sum(ag_mul(y, w), AG_ALL, false)), "%s: %s", what, ag_error(tape));
    for (int i = 0; i < s->sets[k].n; i++)
        if (in[i]->needs_grad)
            golden_check(f, "grad", what, &in[i]->shape, in[i]->grad);
    sample_free(s, k, in);
    ag_tape_free(tape);
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
            cr_assert(golden_find(f, name, k),
                      "op %s has no values by PyTorch for its sample %d: run `make golden`, which adds them", name, k);
            check_case(f, s, k);
        }
    fclose(f);
}
