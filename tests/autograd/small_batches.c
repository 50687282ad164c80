/* Few images take other paths through convolutions, pools and linear layers than many: each image's result is the same,
 * bit for bit. */
#include <stdlib.h>
#include <string.h>

#include "autograd/ops.h"
#include "tests/test.h"

enum { MANY = 16 };

typedef struct layer_case {
    bool            transposed;
    int64_t         in, out, height, width, kernel[2];
    ag_conv_options o;
} layer_case;

static const layer_case cases[] = {
    {false, 3, 8, 9, 11, {3, 3}, {.padding = {1, 1}}},
    {false, 16, 20, 30, 33, {3, 3}, {.padding = {1, 1}}},
    {false, 5, 7, 12, 9, {4, 3}, {.stride = {2, 2}, .padding = {1, 1}}},
    {false, 4, 6, 13, 14, {3, 2}, {.stride = {3, 2}, .padding = {2, 0}, .dilation = {2, 3}}},
    {false, 6, 9, 8, 8, {3, 3}, {.padding = {1, 1}, .groups = 3}},
    {false, 12, 5, 7, 7, {1, 1}, {.groups = 1}},
    {false, 150, 150, 4, 5, {3, 3}, {.padding = {1, 1}, .groups = 2}}, /* weights that are larger than the images */
    {false, 2, 3, 60, 50, {7, 7}, {.stride = {2, 2}, .padding = {3, 3}}},
    {true, 6, 4, 7, 7, {4, 4}, {.stride = {2, 2}, .padding = {1, 1}}},
    {true, 8, 3, 5, 6, {5, 5}, {.stride = {3, 3}, .padding = {1, 1}}},
    {true, 4, 6, 9, 5, {3, 3}, {.stride = {2, 3}, .output_padding = {1, 2}, .groups = 2}},
    {true, 3, 5, 22, 21, {3, 3}, {.padding = {1, 1}}},
};

/* Runs images first .. first+n-1 of x; results and gradients of the input go to y and dx. */
static void run(const layer_case *c, const ag_real *x, int64_t n, ag_real **y, ag_real **dx, size_t *y_size,
                size_t *dx_size)
{
    ag_tape      *tape = ag_tape_new(1);
    const int64_t groups = c->o.groups ? c->o.groups : 1;
    ag_shape      ws = c->transposed ? AG_SHAPE(c->in, c->out / groups, c->kernel[0], c->kernel[1])
                                     : AG_SHAPE(c->out, c->in / groups, c->kernel[0], c->kernel[1]);
    ag_tensor    *w = random_input(tape, ws, 5), *b = random_input(tape, AG_SHAPE(c->out), 6);
    ag_tensor    *in = ag_requires_grad(ag_input(tape, AG_SHAPE(n, c->in, c->height, c->width), x));
    ag_tensor    *out = (c->transposed ? ag_conv_transpose2d : ag_conv2d)(in, w, b, c->o);
    cr_assert(!ag_error(tape), "%s", ag_error(tape));
    cr_assert(ag_backward(ag_sum(ag_square(out), AG_ALL, false)), "%s", ag_error(tape));
    *y_size = (size_t)ag_numel(&out->shape) / (size_t)n;
    *dx_size = (size_t)ag_numel(&in->shape) / (size_t)n;
    *y = memcpy(malloc(*y_size * (size_t)n * sizeof **y), out->data, *y_size * (size_t)n * sizeof **y);
    *dx = memcpy(malloc(*dx_size * (size_t)n * sizeof **dx), in->grad, *dx_size * (size_t)n * sizeof **dx);
    ag_tape_free(tape);
}

/* Equal but for the sign of a zero, as taps that meet the border add one. */
static bool same(const ag_real *a, const ag_real *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(a[i] == b[i]))
            return false;
    return true;
}

Test(small_batches, a_convolution_of_one_image_is_that_of_many)
{
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const layer_case *c = &cases[k];
        ag_tape          *tape = ag_tape_new(1);
        ag_tensor        *x = random_input(tape, AG_SHAPE(MANY, c->in, c->height, c->width), 3);
        ag_real          *y, *dx, *one, *done;
        size_t            y_size, dx_size;
        run(c, x->data, MANY, &y, &dx, &y_size, &dx_size);
        for (int64_t n = 1; n <= 4; n++)
            for (int64_t first = 0; first + n <= MANY; first += 5) {
                run(c, x->data + first * (int64_t)dx_size, n, &one, &done, &y_size, &dx_size);
                cr_assert(same(one, y + (size_t)first * y_size, (size_t)n * y_size), "case %d, %d images: result",
                          (int)k, (int)n);
                cr_assert(same(done, dx + (size_t)first * dx_size, (size_t)n * dx_size), "case %d, %d images: gradient",
                          (int)k, (int)n);
                free(one), free(done);
            }
        free(y), free(dx);
        ag_tape_free(tape);
    }
}

Test(small_batches, a_row_through_a_linear_layer_is_that_of_many)
{
    static const int64_t sizes[][2] = {{784, 400}, {37, 53}, {16, 16}, {5, 3}, {1030, 17}, {300, 10}, {100, 90}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const int64_t in = sizes[k][0], out = sizes[k][1];
        ag_tape      *tape = ag_tape_new(1);
        ag_tensor    *x = random_input(tape, AG_SHAPE(MANY, in), 3), *w = random_input(tape, AG_SHAPE(out, in), 4);
        ag_tensor    *b = random_input(tape, AG_SHAPE(out), 5), *y = ag_linear(x, w, b);
        for (int64_t n = 1; n <= 12; n++) {
            ag_tensor *some = ag_linear(ag_slice(x, 0, 3, 3 + n), w, b);
            cr_assert(!ag_error(tape) && same(some->data, y->data + 3 * out, (size_t)(n * out)), "%d x %d, %d rows",
                      (int)in, (int)out, (int)n);
        }
        ag_tape_free(tape);
    }
}

Test(small_batches, a_pool_of_one_image_is_that_of_many)
{
    static const ag_pool_options options[] = {{{2, 2}, {2, 2}, {0, 0}, {1, 1}, false, false},
                                              {{3, 3}, {1, 2}, {1, 1}, {1, 1}, false, false},
                                              {{2, 3}, {3, 1}, {0, 1}, {2, 2}, true, false}};
    for (size_t k = 0; k < 2 * sizeof options / sizeof *options; k++) {
        const ag_pool_options *o = &options[k / 2];
        ag_tape               *tape = ag_tape_new(1);
        ag_tensor *x = random_input(tape, AG_SHAPE(MANY, 3, 21, k % 2 ? 9 : 29), 3), *y = ag_max_pool2d(x, *o);
        ag_tensor *one = ag_max_pool2d(ag_slice(x, 0, 4, 5), *o);
        cr_assert(!ag_error(tape) &&
                      same(one->data, y->data + 4 * ag_numel(&one->shape), (size_t)ag_numel(&one->shape)),
                  "%s", ag_error(tape));
        ag_tape_free(tape);
    }
}
