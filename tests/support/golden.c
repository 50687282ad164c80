#include "tests/support/golden.h"

#include <string.h>

#include "tests/test.h"

bool golden_find(FILE *f, const char *name, int number)
{
    char line[65536], wanted[128];
    snprintf(wanted, sizeof wanted, "case %s %d\n", name, number);
    rewind(f);
    while (fgets(line, sizeof line, f))
        if (!strcmp(line, wanted))
            return true;
    return false;
}

void golden_read(FILE *f, const char *label, golden *g)
{
    char word[64] = "";
    cr_assert(fscanf(f, "%63s %d", word, &g->shape.rank) == 2 && !strcmp(word, label), "\"%s\", expected \"%s\"", word,
              label);
    int64_t n = 1;
    for (int i = 0; i < g->shape.rank; i++) {
        long long d;
        cr_assert(fscanf(f, "%lld", &d) == 1);
        g->shape.dim[i] = d;
        n *= d;
    }
    cr_assert(n <= (int64_t)(sizeof g->value / sizeof *g->value), "%s: too many values", label);
    for (int64_t i = 0; i < n; i++)
        cr_assert(fscanf(f, "%lf", &g->value[i]) == 1);
}

void golden_read_into(FILE *f, const char *label, ag_tensor *t)
{
    static golden g;
    golden_read(f, label, &g);
    cr_assert(ag_shape_equal(&g.shape, &t->shape), "%s: %s, expected %s", label, AG_STR(&g.shape), AG_STR(&t->shape));
    for (int64_t i = 0; i < ag_numel(&g.shape); i++)
        t->data[i] = (ag_real)g.value[i];
}

void golden_check(FILE *f, const char *label, const char *what, const ag_shape *shape, const ag_real *got)
{
    static golden g;
    golden_read(f, label, &g);
    cr_assert(ag_shape_equal(&g.shape, shape), "%s, %s: %s, expected %s", what, label, AG_STR(shape), AG_STR(&g.shape));
    cr_assert(got, "%s: no %s", what, label);
    char text[160];
    snprintf(text, sizeof text, "%s, %s", what, label);
    check_close(text, ag_numel(shape), got, g.value, GOLDEN_TOLERANCE);
}
