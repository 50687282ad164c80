/* Computations written as C: compiled by the system's compiler they give the library's bits. */
#include "autograd/export.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/op.h"
#include "tests/test.h"

static const char *folder;

static void write_file(const char *name, const void *bytes, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

/* Exports out = f(in), compiles it with `flags`, and compares what it makes of in's data. */
static void check_bits(const char *what, const ag_tensor *in, const ag_tensor *out, const char *flags)
{
    char        path[128], command[1024], output[4096], message[300] = "";
    const char *type = sizeof(ag_real) == 4 ? "float" : "double";
    folder = scratch_folder();
    snprintf(path, sizeof path, "%s/f.c", folder);
    FILE *f = fopen(path, "w");
    cr_assert(f && ag_export_c(f, "compute", in, out, message, sizeof message), "%s: %s", what, message);
    fprintf(
        f,
        "#include <stdio.h>\nstatic real x[%d], y[%d];\nint main(void)\n{\n"
        "    return !(fread(x, sizeof x, 1, stdin) == 1 && (compute(x, y), fwrite(y, sizeof y, 1, stdout) == 1));\n}\n",
        (int)ag_numel(&in->shape), (int)ag_numel(&out->shape));
    cr_assert(fclose(f) == 0);
    const size_t n = (size_t)ag_numel(&out->shape) * sizeof *out->data;
    write_file("x", in->data, (size_t)ag_numel(&in->shape) * sizeof *in->data);
    write_file("wanted", out->data, n);
    snprintf(command, sizeof command,
             "cd %s && ${CC:-cc} -std=c11 -Wall -Wextra -Werror %s f.c -lm -o f && ./f < x > y && cmp y wanted", folder,
             flags);
    cr_expect(run_command(command, output, sizeof output) == 0, "%s in %s, %s: %s", what, type, flags, output);
}

static ag_tensor *values(ag_tape *tape, ag_shape shape, uint64_t seed)
{
    return ag_requires_grad(random_input(tape, shape, seed));
}

/* ---- Each op. ---- */

Test(export, linear)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *x = values(tape, AG_SHAPE(3, 37), 1), *w = values(tape, AG_SHAPE(21, 37), 2);
    check_bits("linear", x, ag_linear(x, w, values(tape, AG_SHAPE(21), 3)), "-O2");
    check_bits("linear without bias", x, ag_linear(x, w, NULL), "-O2");
    ag_tensor *wide = values(tape, AG_SHAPE(1, 784), 4);
    check_bits("one row", wide, ag_linear(wide, values(tape, AG_SHAPE(400, 784), 5), NULL), "-O2");
    ag_tape_free(tape);
}

Test(export, convolutions)
{
    static const struct {
        int64_t         batch, in, out, size[2], kernel[2];
        ag_conv_options o;
    } cases[] = {{1, 1, 32, {28, 28}, {4, 4}, {.stride = {2, 2}, .padding = {1, 1}}},
                 {1, 16, 8, {5, 5}, {3, 3}, {.stride = {2, 2}, .padding = {1, 1}}},
                 {2, 3, 5, {9, 11}, {3, 2}, {.padding = {1, 0}}},
                 {1, 4, 6, {9, 8}, {3, 3}, {.stride = {1, 2}, .padding = {2, 1}, .dilation = {2, 1}, .groups = 2}},
                 {20, 8, 8, {6, 6}, {3, 3}, {.padding = {1, 1}, .groups = 8}},
                 {1, 64, 64, {8, 8}, {1, 1}, {.stride = {1, 1}}}};
    ag_tape *tape = ag_tape_new(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char            what[40];
        ag_conv_options o = cases[i].o;
        const int64_t   groups = o.groups ? o.groups : 1, in = cases[i].in, out = cases[i].out;
        ag_tape_reset(tape);
        ag_tensor *x = values(tape, AG_SHAPE(cases[i].batch, in, cases[i].size[0], cases[i].size[1]), 1);
        ag_tensor *w = values(tape, AG_SHAPE(out, in / groups, cases[i].kernel[0], cases[i].kernel[1]), 2);
        snprintf(what, sizeof what, "conv2d %d", (int)i);
        check_bits(what, x, ag_conv2d(x, w, values(tape, AG_SHAPE(out), 3), o), "-O2");
        ag_tensor *back = values(tape, AG_SHAPE(in, out / groups, cases[i].kernel[0], cases[i].kernel[1]), 4);
        snprintf(what, sizeof what, "conv_transpose2d %d", (int)i);
        o.output_padding[1] = o.stride[1] > 1;
        check_bits(what, x, ag_conv_transpose2d(x, back, i % 2 ? NULL : values(tape, AG_SHAPE(out), 5), o), "-O2");
    }
    ag_tape_free(tape);
}

Test(export, pooling_and_norm)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *x = values(tape, AG_SHAPE(2, 5, 9, 7), 1);
    check_bits("max_pool2d", x,
               ag_max_pool2d(x, (ag_pool_options){.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0}}), "-O2");
    ag_tensor *mean = values(tape, AG_SHAPE(5), 2), *var = ag_square(values(tape, AG_SHAPE(5), 3));
    ag_tensor *w = values(tape, AG_SHAPE(5), 4), *b = values(tape, AG_SHAPE(5), 5);
    ag_set_training(tape, false);
    check_bits("batch_norm", x, ag_batch_norm(x, w, b, mean, var, 0.1, 1e-5), "-O2");
    check_bits("batch_norm without weights", x, ag_batch_norm(x, NULL, NULL, mean, var, 0.1, 1e-5), "-O2");
    ag_tape_free(tape);
}

/* One after the other, so that a wrong one is named. */
Test(export, elementwise)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *x = ag_shift(ag_scale(values(tape, AG_SHAPE(1000), 1), 0.2), 0.5), *y = ag_zeros(tape, AG_SHAPE(1000));
    ag_tensor *other = values(tape, AG_SHAPE(1000), 2);
#define UNARY(name, domain, formula, dx)      y = ag_add(y, ag_##name(x));
#define UNARY_P(name, domain, formula, dx)    y = ag_add(y, ag_##name(x, 0.3));
#define UNARY_PQ(name, domain, formula, dx)   y = ag_add(y, ag_##name(x, 0.3, 0.6));
#define BINARY(name, domain, formula, da, db) y = ag_add(y, ag_##name(x, ag_on_tape(tape, other)));
#include "autograd/kernels/elementwise.def"
    check_bits("elementwise", x, y, "-O2");
    check_bits("elementwise", x, y, "-O0");
    check_bits("elementwise", x, y, "-O3 -march=native");
    ag_tape_free(tape);
}

Test(export, parts)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *x = values(tape, AG_SHAPE(2, 6, 5), 1);
    check_bits("slice", x, ag_slice(x, 1, 2, -1), "-O2");
    check_bits("concat", x,
               ag_concat(3, (ag_tensor *[]){ag_slice(x, 2, 1, 3), x, values(tape, AG_SHAPE(2, 6, 1), 2)}, 2), "-O2");
    check_bits("concat of the first axis", x, ag_concat(2, (ag_tensor *[]){x, ag_relu(x)}, 0), "-O2");
    check_bits("one part", x, ag_concat(1, (ag_tensor *[]){x}, 1), "-O2");
    ag_tape_free(tape);
}

/* Some layers, a diamond, a view, a constant of the tape. */
Test(export, a_network)
{
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *x = values(tape, AG_SHAPE(1, 1, 12, 12), 1);
    ag_tensor *h = ag_relu(ag_conv2d(x, values(tape, AG_SHAPE(4, 1, 3, 3), 2), values(tape, AG_SHAPE(4), 3),
                                     (ag_conv_options){.padding = {1, 1}}));
    h = ag_max_pool2d(ag_mul(h, ag_sigmoid(h)), (ag_pool_options){.kernel = {2, 2}});
    h = ag_tanh(ag_linear(ag_flatten(h, 1, -1), values(tape, AG_SHAPE(9, 144), 4), values(tape, AG_SHAPE(9), 5)));
    check_bits("a network", x, ag_add(ag_softplus(h), values(tape, AG_SHAPE(1, 9), 6)), "-O2");
    check_bits("a network", x, ag_reshape(h, AG_SHAPE(3, 3)), "-O3 -march=native");
    ag_tape_free(tape);
}

/* Numbers that C has no digits for. */
Test(export, what_is_not_finite)
{
    const ag_real numbers[] = {(ag_real)INFINITY, (ag_real)-INFINITY, (ag_real)NAN};
    ag_tape      *tape = ag_tape_new(1);
    ag_tensor    *x = values(tape, AG_SHAPE(3), 1);
    check_bits("sums with them", x, ag_add(x, ag_input(tape, AG_SHAPE(3), numbers)), "-O2");
    ag_tape_free(tape);
}

/* ---- Refusals. ---- */

static void check_refused(const char *part, FILE *to, const char *name, const ag_tensor *in, const ag_tensor *out)
{
    char message[300] = "";
    cr_expect(!ag_export_c(to, name, in, out, message, sizeof message) && strstr(message, part), "%s, expected %s",
              message, part);
    cr_expect(!ag_export_c(to, name, in, out, NULL, 0));
}

/* An op of the user's own, by the name of one that can be written. */
static bool like_input(ag_node *node)
{
    node->out->shape = node->in[0]->shape;
    node->out->data = node->in[0]->data;
    return true;
}

/* batch_norm's statistics become constants: not where they are computed from the input. */
Test(export, refuses_batch_norm_by_the_input)
{
    ag_tape   *tape = ag_tape_new(1);
    FILE      *null = fopen("/dev/null", "w");
    ag_tensor *x = values(tape, AG_SHAPE(2, 3), 1), *mean = ag_zeros(tape, AG_SHAPE(3)),
              *var = ag_ones(tape, AG_SHAPE(3));
    ag_tensor *scale = ag_shift(ag_sum(ag_square(x), AG_AXES(0), false), 1);
    ag_set_training(tape, false);
    check_refused("batch_norm by a weight that is computed", null, "f", x,
                  ag_batch_norm(x, scale, ag_zeros(tape, AG_SHAPE(3)), mean, var, 0.1, 1e-5));
    fclose(null), ag_tape_free(tape);
}

Test(export, refuses)
{
    ag_tape   *tape = ag_tape_new(1), *another = ag_tape_new(1);
    FILE      *null = fopen("/dev/null", "w"), *full = fopen("/dev/full", "w");
    ag_tensor *x = values(tape, AG_SHAPE(2, 3), 1), *y = ag_relu(x), *elsewhere = values(another, AG_SHAPE(2), 1);
    cr_assert(null && full);
    check_refused("no stream", NULL, "f", x, y);
    check_refused("identifier", null, NULL, x, y);
    check_refused("identifier", null, "", x, y);
    check_refused("identifier", null, "a-b", x, y);
    check_refused("identifier", null, "1", x, y);
    check_refused("identifier", null, "double", x, y);
    check_refused("identifier", null, "op_linear", x, y);
    check_refused("not of one tape", null, "f", NULL, y);
    check_refused("not of one tape", null, "f", x, NULL);
    check_refused("not of one tape", null, "f", elsewhere, y);
    ag_tensor *p = ag_parameter_new(AG_SHAPE(3, 3));
    check_refused("linear by a weight that is computed", null, "f", x, ag_linear(x, ag_on_tape(tape, p), NULL));
    check_refused(
        "gelu cannot be written as C", null, "f", x,
        ag_apply(&(ag_op){.name = "gelu", .shape = like_input, .backward = ag_view_backward}, 1, &x, NULL, 0));
    ag_parameter_free(p);
    check_refused("needs no gradient", null, "f", random_input(tape, AG_SHAPE(2), 3), y);
    check_refused("does not depend on the input", null, "f", y, ag_tanh(x));
    check_refused("softmax cannot be written as C", null, "f", x, ag_softmax(x, 1));
    check_refused("tensors of two shapes", null, "f", x, ag_add(x, values(tape, AG_SHAPE(3), 2)));
    check_refused("the stream cannot be written", full, "f", x, y);
    ag_tensor *normed = ag_batch_norm(x, NULL, NULL, ag_zeros(tape, AG_SHAPE(3)), ag_ones(tape, AG_SHAPE(3)), 0.1,
                                      1e-5);
    check_refused("batch_norm was recorded in training mode", null, "f", x, normed);
    ag_tensor *dropped = ag_dropout(x, 0.5);
    ag_set_training(tape, false); /* too late */
    check_refused("dropout was recorded in training mode", null, "f", x, dropped);
    check_refused("add of what was not recorded", null, "f", x, ag_add(x, ag_detach(ag_scale(x, 2))));
    cr_assert(ag_backward(ag_sum(y, AG_ALL, false)));
    check_refused("backward has run", null, "f", x, y);
    ag_fail(tape, "broken");
    check_refused("broken", null, "f", x, y);
    fclose(null), fclose(full), ag_tape_free(tape), ag_tape_free(another);
}
