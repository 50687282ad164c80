/* Convolutions and pools over a grid of parameters: tests/golden/windows_cases.txt. Results and gradients against
 * PyTorch, gradients against differences. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/test.h"

#ifdef AG_DOUBLE
#define TOLERANCE 1e-8
#else
#define TOLERANCE 3e-5
#endif

typedef struct window_case {
    char            kind[32];
    int64_t         n, c, h, w, o, groups, flag;
    int64_t         kernel[2];
    ag_conv_options conv;
    ag_pool_options pool;
} window_case;

static bool read_case(FILE *f, window_case *v)
{
    long long k[17];
    if (fscanf(f, "%31s", v->kind) != 1)
        return false;
    for (int i = 0; i < 17; i++)
        cr_assert(fscanf(f, "%lld", &k[i]) == 1);
    v->n = k[0], v->c = k[1], v->h = k[2], v->w = k[3], v->o = k[4], v->groups = k[15], v->flag = k[16];
    v->kernel[0] = k[5], v->kernel[1] = k[6];
    v->conv = (ag_conv_options){{k[7], k[8]}, {k[9], k[10]}, {k[11], k[12]}, {k[13], k[14]}, k[15]};
    v->pool = (ag_pool_options){{k[5], k[6]}, {k[7], k[8]}, {k[9], k[10]}, {k[11], k[12]}, k[15] != 0, k[16] != 0};
    return true;
}

static bool is(const window_case *v, const char *kind)
{
    return !strcmp(v->kind, kind);
}

/* The same in tests/golden/make_windows.py. */
static void fill_values(ag_tensor *t, int64_t seed)
{
    for (int64_t i = 0, n = ag_numel(&t->shape); i < n; i++)
        t->data[i] = (ag_real)((double)((i * 7919 + 1301 * seed) % 10007) / 10007 * 4 - 2);
}

static int make_inputs(const window_case *v, ag_tensor **in)
{
    int n = 1;
    in[0] = ag_parameter_new(AG_SHAPE(v->n, v->c, v->h, v->w));
    if (is(v, "conv2d"))
        in[n++] = ag_parameter_new(AG_SHAPE(v->o, v->c / v->groups, v->kernel[0], v->kernel[1]));
    else if (is(v, "conv_transpose2d"))
        in[n++] = ag_parameter_new(AG_SHAPE(v->c, v->o / v->groups, v->kernel[0], v->kernel[1]));
    if (n == 2 && v->flag)
        in[n++] = ag_parameter_new(AG_SHAPE(v->o));
    for (int i = 0; i < n; i++)
        fill_values(in[i], i + 1);
    return n;
}

static ag_tensor *apply(void *context, ag_tape *tape, ag_tensor *const *in)
{
    const window_case *v = context;
    ag_tensor         *x = ag_on_tape(tape, in[0]);
    if (is(v, "conv2d"))
        return ag_conv2d(x, in[1], v->flag ? in[2] : NULL, v->conv);
    if (is(v, "conv_transpose2d"))
        return ag_conv_transpose2d(x, in[1], v->flag ? in[2] : NULL, v->conv);
    if (is(v, "max_pool2d"))
        return ag_max_pool2d(x, v->pool);
    if (is(v, "avg_pool2d"))
        return ag_avg_pool2d(x, v->pool);
    return ag_adaptive_avg_pool2d(x, v->kernel[0], v->kernel[1]);
}

static void check_row(FILE *f, const char *what, int64_t n, const ag_real *got)
{
    static double wanted[8192];
    long long     count;
    cr_assert(fscanf(f, "%lld", &count) == 1 && count == n && n <= 8192, "%s: %lld elements, expected %lld", what,
              (long long)n, count);
    for (int64_t i = 0; i < n; i++)
        cr_assert(fscanf(f, "%lf", &wanted[i]) == 1);
    check_close(what, n, got, wanted, TOLERANCE);
}

static void check_case(FILE *f, window_case *v, int number)
{
    char       what[64];
    ag_tensor *in[3];
    ag_tape   *tape = ag_tape_new(0);
    int        n = make_inputs(v, in);
    snprintf(what, sizeof what, "%s, case %d", v->kind, number);
    ag_tensor *y = apply(v, tape, in);
    cr_assert(!ag_error(tape), "%s: %s", what, ag_error(tape));
    check_row(f, what, ag_numel(&y->shape), y->data);
    ag_tensor *weight = ag_zeros(tape, y->shape);
    fill_values(weight, 4);
    cr_assert(ag_backward(ag_sum(ag_mul(y, weight), AG_ALL, false)));
    for (int i = 0; i < n; i++)
        check_row(f, what, ag_numel(&in[i]->shape), in[i]->grad);
#ifdef AG_DOUBLE
    ag_gradcheck_result r = ag_gradcheck(apply, v, n, in, 1e-5, 1e-6);
    cr_expect(r.ok, "%s: %s", what, r.message);
#endif
    for (int i = 0; i < n; i++)
        ag_parameter_free(in[i]);
    ag_tape_free(tape);
}

Test(windows, equal_pytorch_and_differences)
{
    window_case v;
    int         seen = 0, convs = 0, transposed = 0;
    char        word[16];
    FILE       *f = fopen("tests/golden/windows.txt", "r");
    cr_assert(f);
    while (fscanf(f, "%15s", word) == 1 && !strcmp(word, "case") && read_case(f, &v)) {
        check_case(f, &v, ++seen);
        convs += is(&v, "conv2d");
        transposed += is(&v, "conv_transpose2d");
    }
    fclose(f);
    cr_assert(seen >= 160 && convs >= 36 && transposed >= 36, "%d cases", seen);
}

#ifdef AG_DOUBLE
/* ---- The other layers of this family over shapes at random, against differences. ---- */

static int64_t roll(uint64_t *state, int64_t least, int64_t most)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return least + (int64_t)((*state >> 33) % (uint64_t)(most - least + 1));
}

typedef enum layer_kind {
    UPSAMPLE,
    BATCH_NORM,
    BATCH_NORM_EVAL,
    LAYER_NORM,
    EMBEDDING,
    CONV1D,
    LAYER_KINDS
} layer_kind;

typedef struct layer_case {
    layer_kind      kind;
    int64_t         factor[2];
    ag_conv_options conv;
} layer_case;

static ag_tensor *apply_layer(void *context, ag_tape *tape, ag_tensor *const *in)
{
    const layer_case *v = context;
    ag_tensor        *x = ag_on_tape(tape, in[0]);
    if (v->kind == UPSAMPLE)
        return ag_upsample_nearest2d(x, v->factor[0], v->factor[1]);
    if (v->kind == LAYER_NORM)
        return ag_layer_norm(x, in[1], in[2], 1e-5);
    if (v->kind == EMBEDDING)
        return ag_embedding(x, in[1]);
    if (v->kind == CONV1D)
        return ag_conv1d(x, in[1], in[2], v->conv);
    int64_t c = in[0]->shape.dim[1];
    ag_set_training(tape, v->kind == BATCH_NORM);
    return ag_batch_norm(x, in[1], in[2], ag_full(tape, AG_SHAPE(c), 0.3), ag_full(tape, AG_SHAPE(c), 1.7), 0.1, 1e-5);
}

/* Inputs of random shapes for one case; returns how many. */
static int make_layer(layer_case *v, uint64_t *state, ag_tensor **in)
{
    int64_t n = roll(state, 2, 4), c = roll(state, 1, 4), h = roll(state, 1, 4), w = roll(state, 2, 5),
            k = roll(state, 1, 2);
    v->factor[0] = roll(state, 1, 3), v->factor[1] = roll(state, 1, 3);
    v->conv = (ag_conv_options){{roll(state, 1, 3), 0}, {roll(state, 0, 2), 0}, {roll(state, 1, 2), 0}, {0, 0}, 1};
    ag_shape picture = AG_SHAPE(n, c, h, w), one = AG_SHAPE(c), last = k == 1 ? AG_SHAPE(w) : AG_SHAPE(h, w);
    if (v->kind == EMBEDDING) {
        in[0] = ag_parameter_new(k == 1 ? AG_SHAPE(n) : AG_SHAPE(n, h));
        in[1] = ag_parameter_new(AG_SHAPE(c + 2, w));
    } else if (v->kind == CONV1D) {
        in[0] = ag_parameter_new(AG_SHAPE(n, c, w + 3));
        in[1] = ag_parameter_new(AG_SHAPE(h, c, k));
        in[2] = ag_parameter_new(AG_SHAPE(h));
    } else {
        in[0] = ag_parameter_new(picture);
        in[1] = ag_parameter_new(v->kind == LAYER_NORM ? last : one);
        in[2] = ag_parameter_new(v->kind == LAYER_NORM ? last : one);
    }
    int count = v->kind == UPSAMPLE ? 1 : v->kind == EMBEDDING ? 2 : 3;
    for (int i = 0; i < count; i++)
        fill_random(in[i], *state + (uint64_t)i);
    for (int64_t i = 0; v->kind == EMBEDDING && i < ag_numel(&in[0]->shape); i++)
        in[0]->data[i] = (ag_real)roll(state, 0, c + 1);
    in[0]->needs_grad = v->kind != EMBEDDING;
    if (v->kind == UPSAMPLE)
        ag_parameter_free(in[1]), ag_parameter_free(in[2]);
    return count;
}

Test(windows, other_layers_equal_differences)
{
    uint64_t state = 5;
    for (int kind = 0; kind < LAYER_KINDS; kind++)
        for (int i = 0; i < 32; i++) {
            layer_case          v = {.kind = (layer_kind)kind};
            ag_tensor          *in[3];
            int                 n = make_layer(&v, &state, in);
            ag_gradcheck_result r = ag_gradcheck(apply_layer, &v, n, in, 1e-5, 1e-6);
            cr_expect(r.ok, "kind %d, case %d: %s", kind, i, r.message);
            for (int k = 0; k < n; k++)
                ag_parameter_free(in[k]);
        }
}
#endif

/* Bits do not depend on threads or kernels: a batch that makes many blocks, forward and backward. */
static uint64_t hash_of(const ag_tensor *t, const ag_real *v)
{
    uint64_t             hash = 0xcbf29ce484222325u;
    const unsigned char *b = (const unsigned char *)v;
    for (size_t i = 0; i < (size_t)ag_numel(&t->shape) * sizeof *v; i++)
        hash = (hash ^ b[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t conv_hash(bool transposed)
{
    window_case v = {.kind = "conv2d",
                     .n = 9,
                     .c = 6,
                     .h = 13,
                     .w = 11,
                     .o = 10,
                     .groups = 2,
                     .flag = 1,
                     .kernel = {3, 4},
                     .conv = {{2, 1}, {1, 2}, {1, 1}, {0, 0}, 2}};
    if (transposed)
        strcpy(v.kind, "conv_transpose2d");
    ag_tensor *in[3];
    ag_tape   *tape = ag_tape_new(0);
    make_inputs(&v, in);
    ag_tensor *y = apply(&v, tape, in);
    cr_assert(ag_backward(ag_sum(ag_square(y), AG_ALL, false)), "%s", ag_error(tape));
    uint64_t hash = hash_of(y, y->data);
    for (int i = 0; i < 3; i++) {
        hash = hash * 31 + hash_of(in[i], in[i]->grad);
        ag_parameter_free(in[i]);
    }
    ag_tape_free(tape);
    return hash;
}

Test(windows, same_bits_for_any_threads_and_kernels)
{
    static const char *const isas[] = {"portable", "avx2", "avx512", "neon"};
    for (int transposed = 0; transposed < 2; transposed++) {
        ag_set_threads(1);
        uint64_t first = conv_hash(transposed);
        for (int i = 0; i < 4; i++)
            for (int threads = 1; ag_set_isa(isas[i]) && threads < 5; threads++) {
                ag_set_threads(threads);
                cr_assert(conv_hash(transposed) == first, "%s, %d threads", isas[i], threads);
            }
    }
    ag_set_threads(1);
}

#define S(...) ag_ones(tape, AG_SHAPE(__VA_ARGS__))

/* A window that dilation carries over a narrow input, from padding to padding: -infinity, as in PyTorch, and no
 * gradient. */
Test(windows, a_window_may_miss_the_input)
{
    ag_tape   *tape = ag_tape_new(0);
    ag_tensor *x = ag_requires_grad(ag_ones(tape, AG_SHAPE(1, 1, 1, 2)));
    ag_tensor *y = ag_max_pool2d(x, (ag_pool_options){.kernel = {2, 1}, .padding = {1, 0}, .dilation = {2, 1}});
    check_close("y", 2, y->data, (double[]){-INFINITY, -INFINITY}, 0);
    cr_assert(ag_backward_from(y, (ag_real[]){1, 1}) && (double)x->grad[0] == 0 && (double)x->grad[1] == 0);
    ag_tape_free(tape);
}

Test(windows, refuse)
{
    ag_tape              *tape = ag_tape_new(0);
    const ag_conv_options plain = {.groups = 1};
    REFUSED("conv2d: input (128, 3, 28, 28) has 3 channels, weight (16, 1, 3, 3) expects 1",
            ag_conv2d(S(128, 3, 28, 28), S(16, 1, 3, 3), NULL, plain));
    REFUSED("conv2d: the kernel of weight (2, 1, 5, 5) covers 5 pixels, the padded input (1, 1, 4, 9) has 4",
            ag_conv2d(S(1, 1, 4, 9), S(2, 1, 5, 5), NULL, plain));
    REFUSED("conv2d: the 3 outputs of weight (3, 1, 1, 1) do not divide into 2 groups",
            ag_conv2d(S(1, 2, 4, 4), S(3, 1, 1, 1), NULL, ((ag_conv_options){.groups = 2})));
    REFUSED("conv2d: input (2, 3, 4) and weight (1, 3, 1, 1), expected four",
            ag_conv2d(S(2, 3, 4), S(1, 3, 1, 1), NULL, plain));
    REFUSED("conv2d: bias (3), expected (2)", ag_conv2d(S(1, 1, 4, 4), S(2, 1, 1, 1), S(3), plain));
    REFUSED("conv2d: stride -1", ag_conv2d(S(1, 1, 4, 4), S(2, 1, 1, 1), NULL, ((ag_conv_options){.stride = {-1, 1}})));
    REFUSED("conv2d: groups is -2", ag_conv2d(S(1, 1, 4, 4), S(2, 1, 1, 1), NULL, ((ag_conv_options){.groups = -2})));
    REFUSED("conv1d: input (1, 2, 3, 4) and weight (1, 2, 3), expected three",
            ag_conv1d(S(1, 2, 3, 4), S(1, 2, 3), NULL, plain));
    REFUSED("conv_transpose2d: output_padding 2 must be smaller than stride 2 or dilation 1",
            ag_conv_transpose2d(S(1, 1, 4, 4), S(1, 2, 3, 3), NULL,
                                ((ag_conv_options){.stride = {2, 2}, .output_padding = {2, 0}})));
    REFUSED("conv_transpose2d: input (1, 2, 4, 4) has 2 channels, weight (3, 1, 2, 2) expects 3",
            ag_conv_transpose2d(S(1, 2, 4, 4), S(3, 1, 2, 2), NULL, plain));
    REFUSED("leave no output",
            ag_conv_transpose2d(S(1, 1, 1, 1), S(1, 1, 1, 1), NULL, ((ag_conv_options){.padding = {1, 1}})));
    REFUSED("do not divide into 2 groups",
            ag_conv_transpose2d(S(1, 3, 4, 4), S(3, 1, 2, 2), NULL, ((ag_conv_options){.groups = 2})));
    REFUSED("max_pool2d: padding 2, expected at most half the kernel of 3",
            ag_max_pool2d(S(1, 1, 9, 9), ((ag_pool_options){.kernel = {3, 3}, .padding = {2, 0}})));
    REFUSED("max_pool2d: kernel 0", ag_max_pool2d(S(1, 1, 9, 9), ((ag_pool_options){.kernel = {0, 3}})));
    REFUSED("avg_pool2d: input (1, 1, 2, 9) is smaller than the window of 3 x 3",
            ag_avg_pool2d(S(1, 1, 2, 9), ((ag_pool_options){.kernel = {3, 3}})));
    REFUSED("avg_pool2d: input (2, 9), expected four", ag_avg_pool2d(S(2, 9), ((ag_pool_options){.kernel = {1, 1}})));
    REFUSED("adaptive_avg_pool2d: a result of 0 x 1, expected at least 1 x 1",
            ag_adaptive_avg_pool2d(S(1, 1, 2, 9), 0, 1));
    REFUSED("adaptive_avg_pool2d: the result's shape", ag_adaptive_avg_pool2d(S(1, 1, 2, 9), INT64_MAX, 4));
    REFUSED("max_pool2d: input (1, 1, 4, 4) is smaller than the window of 3 x 3, dilated",
            ag_max_pool2d(S(1, 1, 4, 4), ((ag_pool_options){.kernel = {3, 3}, .dilation = {2, 2}})));
    REFUSED("upsample_nearest2d: factors 0 and 2", ag_upsample_nearest2d(S(1, 1, 2, 2), 0, 2));
    REFUSED("batch_norm: running_mean (3), expected (2) for input (4, 2)",
            ag_batch_norm(S(4, 2), NULL, NULL, S(3), S(2), 0.1, 1e-5));
    REFUSED("batch_norm: input (1, 2) has one value per channel",
            ag_batch_norm(S(1, 2), NULL, NULL, S(2), S(2), 0.1, 1e-5));
    REFUSED("batch_norm: weight (3), expected (2) for input (4, 2)",
            ag_batch_norm(S(4, 2), S(3), NULL, S(2), S(2), 0.1, 1e-5));
    REFUSED("group_norm: input (4), expected (N, C, ...)", ag_group_norm(S(4), 1, NULL, NULL, 1e-5));
    REFUSED("group_norm: the 4 channels of input (2, 4, 3) in 3 groups",
            ag_group_norm(S(2, 4, 3), 3, NULL, NULL, 1e-5));
    REFUSED("group_norm: the 4 channels of input (2, 4, 3) in 0 groups",
            ag_group_norm(S(2, 4, 3), 0, NULL, NULL, 1e-5));
    REFUSED("group_norm: bias (3), expected (4)", ag_group_norm(S(2, 4, 3), 2, S(4), S(3), 1e-5));
    REFUSED("layer_norm: weight (3) and bias (2), expected both", ag_layer_norm(S(4, 2), S(3), S(2), 1e-5));
    ag_tape_free(tape);
}
