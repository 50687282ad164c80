/* Module lists, shared parameters, options of norms, parameter groups. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/nn.h"
#include "tests/test.h"

Test(module_list, names_and_children)
{
    nn_module *list = nn_module_list(nn_linear(2, 3), nn_linear(3, 4));
    nn_append(list, nn_linear(4, 1));
    cr_assert(!nn_error(list) && nn_children(list) == 3 && nn_child_at(list, 2) && !nn_child_at(list, 3) &&
              !nn_child_at(list, -1));
    cr_assert(nn_parameter_named(list, "2.weight") && nn_children(NULL) == 0 && !nn_child_at(NULL, 0));
    nn_reset_parameters(list, 1);
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *x = ag_ones(tape, AG_SHAPE(5, 2));
    for (int64_t i = 0; i < nn_children(list); i++)
        x = nn_forward(nn_child_at(list, i), x);
    cr_assert(!ag_error(tape) && x->shape.dim[1] == 1);
    nn_forward(list, ag_ones(tape, AG_SHAPE(5, 2)));
    check_error(tape, "ModuleList: a module without forward");
    cr_assert(nn_append(list, NULL) && strstr(nn_error(list), "module 3 is NULL"));
    nn_module_free(list), ag_tape_free(tape);
}

/* ---- Tied weights. ---- */

typedef struct tied {
    nn_module  base;
    nn_module *in, *out;
} tied;

static const nn_type tied_type = {.name = "Tied", .size = sizeof(tied)};

static nn_module *tied_new(void)
{
    tied *t = nn_new(&tied_type);
    NN_CHILD(t, in, nn_linear_without_bias(4, 3));
    NN_CHILD(t, out, nn_sequential(nn_relu()));
    nn_share_parameter(t->out, "weight", nn_parameter_named(&t->base, "in.weight"));
    return &t->base;
}

Test(shared, a_parameter_under_two_names)
{
    char       path[128];
    tl_error   why;
    nn_module *m = tied_new(), *other = tied_new();
    cr_assert(!nn_error(m) && nn_count(m) == 12, "counted once");
    cr_assert(nn_parameter_named(m, "out.weight") == nn_parameter_named(m, "in.weight"));
    nn_reset_parameters(m, 1), nn_reset_parameters(other, 2);
    snprintf(path, sizeof path, "%s/tied", scratch_folder());
    cr_assert(nn_save(m, path, &why), "%s", why.text);
    nn_safetensors file;
    cr_assert(nn_safetensors_read(path, &file, &why) && file.n_tensors == 2 &&
              nn_safetensors_tensor(&file, "out.weight"));
    nn_safetensors_free(&file);
    cr_assert(nn_load(other, path, true, &why) && nn_fingerprint(other) == nn_fingerprint(m), "%s", why.text);
    nn_module *plain = nn_sequential(nn_linear(2, 2));
    cr_assert(!nn_share_parameter(plain, "x", NULL) && strstr(nn_error(plain), "not a parameter"));
    nn_module_free(m), nn_module_free(other), nn_module_free(plain);
}

/* ---- Norms. ---- */

Test(norm, options)
{
    nn_module *plain = nn_batch_norm1d_with(3, (nn_norm_options){.no_affine = true, .eps = 0.5, .momentum = 1});
    nn_reset_parameters(plain, 1);
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *x = ag_input(tape, AG_SHAPE(2, 3), (ag_real[]){0, 0, 0, 2, 4, 6});
    ag_tensor *y = nn_forward(plain, x);
    cr_assert(nn_count(plain) == 0 && !nn_parameter_named(plain, "weight"));
    cr_assert(fabs((double)y->data[3] - 1 / sqrt(1.5)) < 1e-6, "eps is used");
    cr_assert(fabs((double)nn_parameter_named(plain, "running_mean")->data[2] - 3) < 1e-6, "momentum is used");
    nn_module *layer = nn_layer_norm_with(AG_SHAPE(3), (nn_norm_options){.no_affine = true});
    nn_reset_parameters(layer, 1);
    y = nn_forward(layer, x);
    cr_assert(!ag_error(tape) && fabs((double)(y->data[3] + y->data[4] + y->data[5])) < 1e-5, "%s", ag_error(tape));
    nn_module *bad = nn_batch_norm2d_with(3, (nn_norm_options){.momentum = 2}),
              *worse = nn_layer_norm_with(AG_SHAPE(3), (nn_norm_options){.eps = -1});
    cr_assert(strstr(nn_error(bad), "momentum 2") && strstr(nn_error(worse), "eps -1"));
    nn_module_free(plain), nn_module_free(layer), nn_module_free(bad), nn_module_free(worse), ag_tape_free(tape);
}

/* Over all axes that it was made for, with weights or without, and over no others. */
Test(norm, layer_norm_of_two_axes)
{
    nn_module *m[] = {nn_layer_norm(AG_SHAPE(3, 4)),
                      nn_layer_norm_with(AG_SHAPE(3, 4), (nn_norm_options){.no_affine = true})};
    ag_tape   *tape = ag_tape_new(1);
    ag_tensor *y[2];
    for (int i = 0; i < 2; i++) {
        nn_reset_parameters(m[i], 1);
        y[i] = nn_forward(m[i], random_input(tape, AG_SHAPE(2, 3, 4), 1));
        cr_assert(!ag_error(tape) && y[i]->shape.rank == 3 && y[i]->shape.dim[1] == 3, "%s", ag_error(tape));
    }
    cr_expect(!memcmp(y[0]->data, y[1]->data, 24 * sizeof(ag_real)));
    cr_expect(ag_tensor_error(nn_forward(m[1], ag_ones(tape, AG_SHAPE(2, 4, 3)))) &&
                  strstr(ag_error(tape), "LayerNorm: input (2, 4, 3), expected it to end with (3, 4)"),
              "%s", ag_error(tape));
    nn_module_free(m[0]), nn_module_free(m[1]), ag_tape_free(tape);
}

/* A NaN shows in the running variance of its channel, by columns, also those of several pixels, and by rows. */
Test(norm, batch_norm_of_nan)
{
    nn_module *m[] = {nn_batch_norm1d(2), nn_batch_norm2d(2), nn_batch_norm2d(2)};
    ag_tape   *tape = ag_tape_new(1);
    for (int i = 0; i < 3; i++) {
        ag_tensor *x = ag_ones(tape, i == 0 ? AG_SHAPE(3, 2) : i == 1 ? AG_SHAPE(3, 2, 2, 2) : AG_SHAPE(3, 2, 4, 4));
        x->data[i == 0 ? 1 : i == 1 ? 5 : 20] = (ag_real)NAN;
        nn_reset_parameters(m[i], 1);
        cr_assert(!ag_tensor_error(nn_forward(m[i], x)), "%s", ag_error(tape));
        const ag_real *v = nn_parameter_named(m[i], "running_var")->data;
        cr_expect(isnan((double)v[1]) && !isnan((double)v[0]), "%g %g", (double)v[0], (double)v[1]);
    }
    for (int i = 0; i < 3; i++)
        nn_module_free(m[i]);
    ag_tape_free(tape);
}

/* The output of batch norm and the gradients of its input and parameters, in one array; x is (N, C) or (N, C, L). */
static ag_real *normed(ag_tensor *x, ag_tensor *c)
{
    nn_module    *m = nn_batch_norm1d(x->shape.dim[1]);
    const int64_t n = ag_numel(&x->shape), channels = x->shape.dim[1];
    ag_real      *all = malloc((size_t)(2 * n + 2 * channels) * sizeof *all);
    cr_assert(all);
    nn_reset_parameters(m, 1);
    ag_tensor *y = nn_forward(m, ag_requires_grad(x));
    cr_assert(ag_backward(ag_sum(ag_mul(ag_square(y), c), AG_ALL, false)), "%s", ag_error(x->tape));
    memcpy(all, y->data, (size_t)n * sizeof *all);
    memcpy(all + n, x->grad, (size_t)n * sizeof *all);
    memcpy(all + 2 * n, nn_parameter_named(m, "weight")->grad, (size_t)channels * sizeof *all);
    memcpy(all + 2 * n + channels, nn_parameter_named(m, "bias")->grad, (size_t)channels * sizeof *all);
    nn_module_free(m);
    ag_tape_reset(x->tape);
    return all;
}

/* So many rows that they are summed in parts, each of one pixel or of several: as the same numbers with the channels
 * one after the other, whose sums are made otherwise; and the same bits on several threads. */
static void check_many_rows(int64_t pixels)
{
    enum { N = 1033, C = 5 };
    const int64_t  all = N * C * pixels;
    const ag_shape shape = AG_SHAPE(N, C, pixels);
    ag_tape       *tape = ag_tape_new(1);
    ag_real       *parts[2];
    for (int i = 0; i < 2; i++) {
        ag_set_threads(1 + 2 * i);
        parts[i] = normed(random_input(tape, shape, 1), random_input(tape, shape, 2));
    }
    ag_set_threads(1);
    cr_expect(!memcmp(parts[0], parts[1], (size_t)(2 * all + 2 * C) * sizeof(ag_real)));
    const ag_shape rows_shape = AG_SHAPE(1, C, N * pixels);
    ag_tensor     *x = ag_reshape(ag_permute(random_input(tape, shape, 1), AG_AXES(1, 0, 2)), rows_shape);
    ag_tensor     *c = ag_reshape(ag_permute(random_input(tape, shape, 2), AG_AXES(1, 0, 2)), rows_shape);
    ag_real       *rows = normed(ag_detach(x), c);
    for (int64_t i = 0; i < 2 * all; i++) {
        const int64_t at = i % all, n = at / pixels / C, k = at / pixels % C,
                      there = (k * N + n) * pixels + at % pixels;
        cr_assert(fabs((double)(parts[0][i] - rows[i / all * all + there])) < 1e-4, "row %lld", (long long)n);
    }
    for (int64_t i = 2 * all; i < 2 * all + 2 * C; i++)
        cr_expect(fabs((double)(parts[0][i] - rows[i])) < 1e-4 * (double)(N * pixels), "parameter %lld",
                  (long long)(i - 2 * all));
    free(parts[0]), free(parts[1]), free(rows), ag_tape_free(tape);
}

Test(norm, batch_norm_of_many_rows)
{
    check_many_rows(1);
    check_many_rows(3);
}

/* The gradients of layer norm's weight and bias, of rows begin .. end - 1 of x. They are added to what is there. */
static void normed_rows(nn_module *m, ag_tape *tape, ag_shape all, int64_t begin, int64_t end)
{
    ag_tensor *x = ag_slice(random_input(tape, all, 1), 0, begin, end),
              *c = ag_slice(random_input(tape, all, 2), 0, begin, end);
    cr_assert(ag_backward(ag_sum(ag_mul(ag_square(nn_forward(m, x)), c), AG_ALL, false)), "%s", ag_error(tape));
    ag_tape_reset(tape);
}

/* So many rows that the gradients are summed in parts: the same bits on several threads, and as those of few rows. */
static void check_layer_norm(int64_t width)
{
    enum { N = 521, MOST = 40 };
    const ag_shape shape = AG_SHAPE(N, width);
    ag_tape       *tape = ag_tape_new(1);
    nn_module     *m = nn_layer_norm(AG_SHAPE(width));
    ag_tensor     *of[] = {nn_parameter_named(m, "weight"), nn_parameter_named(m, "bias")};
    ag_real        got[2][2][MOST];
    nn_reset_parameters(m, 1);
    for (int i = 0; i < 2; i++) {
        ag_set_threads(1 + 2 * i);
        nn_zero_grad(m);
        normed_rows(m, tape, shape, 0, N);
        for (int k = 0; k < 2; k++)
            memcpy(got[i][k], of[k]->grad, (size_t)width * sizeof(ag_real));
    }
    ag_set_threads(1);
    nn_zero_grad(m);
    normed_rows(m, tape, shape, 0, N / 2);
    normed_rows(m, tape, shape, N / 2, N);
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < width; i++) {
            cr_expect(got[0][k][i] == got[1][k][i], "%s, %d of %d", k ? "bias" : "weight", (int)i, (int)width);
            cr_expect(fabs((double)(got[0][k][i] - of[k]->grad[i])) < 1e-3, "%s, %d of %d: %g, not %g",
                      k ? "bias" : "weight", (int)i, (int)width, (double)got[0][k][i], (double)of[k]->grad[i]);
        }
    nn_module_free(m), ag_tape_free(tape);
}

Test(norm, layer_norm_of_many_rows)
{
    check_layer_norm(1);
    check_layer_norm(16);
    check_layer_norm(37);
}

/* ---- Parameter groups. ---- */

static nn_optimizer *make(int kind, nn_module *m, double lr, double decay)
{
    return kind == 0   ? nn_sgd(m, (nn_sgd_options){.lr = lr, .momentum = 0.9, .weight_decay = decay})
           : kind == 1 ? nn_adam(m, (nn_adam_options){lr, 0.9, 0.999, 1e-8, decay, 0})
           : kind == 2 ? nn_adamw(m, (nn_adam_options){lr, 0.9, 0.999, 1e-8, decay, 0})
           : kind == 3
               ? nn_adagrad(m, (nn_adagrad_options){.lr = lr, .eps = 1e-10, .weight_decay = decay})
               : nn_rmsprop(m, (nn_rmsprop_options){.lr = lr, .alpha = 0.99, .eps = 1e-8, .weight_decay = decay});
}

static void train(nn_module *m, nn_optimizer *a, nn_optimizer *b)
{
    ag_tape *tape = ag_tape_new(1);
    for (int i = 0; i < 3; i++) {
        ag_tape_reset(tape);
        nn_zero_grad(m);
        cr_assert(ag_backward(ag_sum(ag_square(nn_forward(m, ag_ones(tape, AG_SHAPE(2, 3)))), AG_ALL, false)));
        cr_assert(nn_step(a, tape) && (!b || nn_step(b, tape)), "%s", ag_error(tape));
    }
    ag_tape_free(tape);
}

/* A group does what an optimizer of its own would do. */
Test(groups, are_as_optimizers_of_their_own)
{
    for (int kind = 0; kind < 5; kind++) {
        nn_module *m = nn_sequential(nn_linear(3, 4), nn_tanh(), nn_linear(4, 2)),
                  *k = nn_sequential(nn_linear(3, 4), nn_tanh(), nn_linear(4, 2));
        nn_reset_parameters(m, 1), nn_reset_parameters(k, 1);
        nn_optimizer *both = make(kind, m, 0.04, 0.1), *first = make(kind, nn_child_at(k, 0), 0.04, 0.1);
        nn_optimizer *second = make(kind, nn_child_at(k, 2), 0.02, 0);
        cr_assert(nn_set_group(both, nn_child_at(m, 2), (nn_group_options){.lr_scale = 0.5, .weight_decay = 0}));
        train(m, both, NULL), train(k, first, second);
        cr_assert(nn_fingerprint(m) == nn_fingerprint(k), "optimizer %d", kind);
        cr_assert(!nn_set_group(both, k, (nn_group_options){1, 0}) &&
                  !nn_set_group(both, m, (nn_group_options){-1, 0}));
        cr_assert(!nn_set_group(NULL, m, (nn_group_options){1, 0}) &&
                  !nn_set_parameter_group(both, NULL, (nn_group_options){1, NAN}));
        nn_optimizer_free(both), nn_optimizer_free(first), nn_optimizer_free(second), nn_module_free(m),
            nn_module_free(k);
    }
}

/* ---- Gradients that are added to what is there. ---- */

static ag_tensor *normalise(nn_module *m, ag_tensor *x, bool beside)
{
    ag_tensor *y = nn_forward(m, x), *c = random_input(x->tape, y->shape, 3);
    ag_tensor *loss = ag_sum(ag_mul(ag_square(y), c), AG_ALL, false);
    return beside ? ag_add(loss, ag_sum(ag_mul(x, ag_square(x)), AG_ALL, false)) : loss;
}

/* x is used beside the layer, too: its gradient is the sum of both. */
static void check_adds(nn_module *m, ag_shape shape)
{
    static ag_real alone[4096];
    ag_tape       *tape = ag_tape_new(1);
    const int64_t  n = ag_numel(&shape);
    nn_reset_parameters(m, 1);
    for (int beside = 0; beside < 2; beside++) {
        ag_tape_reset(tape);
        nn_zero_grad(m);
        ag_tensor *x = ag_requires_grad(random_input(tape, shape, 2));
        cr_assert(ag_backward(normalise(m, x, beside)), "%s", ag_error(tape));
        for (int64_t i = 0; i < n; i++)
            if (!beside)
                alone[i] = x->grad[i];
            else
                cr_assert(fabs((double)(x->grad[i] - alone[i] - 3 * x->data[i] * x->data[i])) < 1e-4, "%s: %d",
                          m->type->name, (int)i);
    }
    ag_tape_free(tape);
    nn_module_free(m);
}

Test(norm, gradients_are_added)
{
    check_adds(nn_batch_norm1d(5), AG_SHAPE(7, 5));
    check_adds(nn_batch_norm2d(3), AG_SHAPE(4, 3, 6, 5));
    check_adds(nn_layer_norm(AG_SHAPE(19)), AG_SHAPE(7, 19));
    check_adds(nn_group_norm(2, 4), AG_SHAPE(3, 4, 5, 3));
}
