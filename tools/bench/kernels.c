#include "tools/bench/kernels.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/kernels/conv.h"
#include "autograd/kernels/kernels.h"
#include "autograd/kernels/threadpool.h"
#include "tools/bench/measure.h"

/* n numbers in -1..1; NULL when memory runs out. */
static ag_real *numbers(int64_t n)
{
    ag_real *x = aligned_alloc(64, ((size_t)n * sizeof *x + 63) / 64 * 64);
    for (int64_t i = 0; x && i < n; i++)
        x[i] = (ag_real)(i * 7919 % 10007) / 5000 - 1;
    return x;
}

static int out_of_memory(void)
{
    fprintf(stderr, "bench: out of memory\n");
    return -1;
}

/* ---- Matrix products. ---- */

typedef struct product {
    const char *used; /* where, and which of forward, weight gradient, input gradient */
    int64_t     m, n, k;
    char        a, b; /* 'n' as it lies, 't' transposed */
    ag_real    *x, *y, *z;
} product;

static void multiply(void *context)
{
    const product *p = context;
    agk_matrix     a = p->a == 't' ? (agk_matrix){p->x, 1, p->m} : (agk_matrix){p->x, p->k, 1};
    agk_matrix     b = p->b == 't' ? (agk_matrix){p->y, 1, p->k} : (agk_matrix){p->y, p->n, 1};
    agk_gemm(p->m, p->n, p->k, a, b, NULL, 0, p->z, p->n);
}

static const product products[] = {
    {"a fc1 forward", 128, 400, 784, 'n', 't', 0, 0, 0},     {"a fc1 weight", 400, 784, 128, 't', 'n', 0, 0, 0},
    {"a fc4 forward", 128, 784, 400, 'n', 't', 0, 0, 0},     {"a fc4 input", 128, 400, 784, 'n', 'n', 0, 0, 0},
    {"a fc4 weight", 784, 400, 128, 't', 'n', 0, 0, 0},      {"a fc21 forward", 128, 20, 400, 'n', 't', 0, 0, 0},
    {"a fc21 input", 128, 400, 20, 'n', 'n', 0, 0, 0},       {"a fc21 weight", 20, 400, 128, 't', 'n', 0, 0, 0},
    {"b 1 forward", 32, 256, 784, 'n', 't', 0, 0, 0},        {"b 1 weight", 256, 784, 32, 't', 'n', 0, 0, 0},
    {"b 6 forward", 32, 784, 256, 'n', 't', 0, 0, 0},        {"b 6 input", 32, 256, 784, 'n', 'n', 0, 0, 0},
    {"b 6 weight", 784, 256, 32, 't', 'n', 0, 0, 0},         {"b 2 forward", 32, 64, 256, 'n', 't', 0, 0, 0},
    {"d 1 forward", 64, 128, 784, 'n', 't', 0, 0, 0},        {"d 1 weight", 128, 784, 64, 't', 'n', 0, 0, 0},
    {"d 8 forward", 64, 784, 128, 'n', 't', 0, 0, 0},        {"f 1 forward", 128, 200, 784, 'n', 't', 0, 0, 0},
    {"f 1 weight", 200, 784, 128, 't', 'n', 0, 0, 0},        {"g 1 forward", 100, 300, 784, 'n', 't', 0, 0, 0},
    {"g 1 weight", 300, 784, 100, 't', 'n', 0, 0, 0},        {"g 2 forward", 100, 10, 300, 'n', 't', 0, 0, 0},
    {"h 2 forward", 128, 1000, 1000, 'n', 't', 0, 0, 0},     {"h 2 input", 128, 1000, 1000, 'n', 'n', 0, 0, 0},
    {"h 2 weight", 1000, 1000, 128, 't', 'n', 0, 0, 0},      {"square 512", 512, 512, 512, 'n', 'n', 0, 0, 0},
    {"square 1024", 1024, 1024, 1024, 'n', 'n', 0, 0, 0},    {"square 1024 nt", 1024, 1024, 1024, 'n', 't', 0, 0, 0},
    {"square 1024 tn", 1024, 1024, 1024, 't', 'n', 0, 0, 0},
};

int bench_products(const yardstick *y, const char *filter)
{
    int lines = 0;
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        product p = products[i];
        if (!strstr(p.used, filter))
            continue;
        if (lines++ == 0)
            printf("\n%-16s %22s %10s %10s %9s\n", "matrix product", "m x n x k", "us", "GFLOP/s", "of peak");
        p.x = numbers(p.m * p.k);
        p.y = numbers(p.k * p.n);
        p.z = numbers(p.m * p.n);
        bool ok = p.x && p.y && p.z;
        if (ok) {
            double us = measure(multiply, &p, y->seconds).median, rate = 2e-3 * (double)(p.m * p.n * p.k) / us;
            char   shape[64];
            snprintf(shape, sizeof shape, "%lld x %lld x %lld %c%c", (long long)p.m, (long long)p.n, (long long)p.k,
                     p.a, p.b);
            printf("%-16s %22s %10.1f %10.1f %8.0f%%\n", p.used, shape, us, rate, 100 * rate / y->peak);
        }
        free(p.x);
        free(p.y);
        free(p.z);
        if (!ok)
            return out_of_memory();
    }
    return lines;
}

/* ---- Convolutions. ---- */

typedef struct convolution {
    const char     *used;
    agk_conv        c;
    ag_real        *memory, *w;
    agk_conv_images images;
} convolution;

#define SQUARE(channels, outputs, side, size, taps, step, border)                                                      \
    {                                                                                                                  \
        .batch = 128, .in_channels = channels, .out_channels = outputs, .groups = 1, .in = {side, side},               \
        .out = {size, size}, .kernel = {taps, taps}, .stride = {step, step}, .padding = {border, border},              \
        .dilation = {                                                                                                  \
            1,                                                                                                         \
            1                                                                                                          \
        }                                                                                                              \
    }

static const convolution convolutions[] = {
    {"e conv 1", .c = SQUARE(1, 16, 28, 10, 3, 3, 1)},      {"e conv 2", .c = SQUARE(16, 8, 5, 3, 3, 2, 1)},
    {"e transposed 1", .c = SQUARE(16, 8, 5, 2, 3, 2, 0)},  {"e transposed 2", .c = SQUARE(8, 16, 15, 5, 5, 3, 1)},
    {"e transposed 3", .c = SQUARE(1, 8, 28, 15, 2, 2, 1)}, {"i conv 1", .c = SQUARE(1, 32, 28, 14, 4, 2, 1)},
    {"i conv 2", .c = SQUARE(32, 64, 14, 7, 4, 2, 1)},      {"3x3, 64 channels", .c = SQUARE(64, 64, 14, 14, 3, 1, 1)},
};

static void conv_forward(void *context)
{
    const convolution *v = context;
    agk_conv_forward(&v->c, v->images, v->w, NULL);
}

static void conv_input_gradient(void *context)
{
    const convolution *v = context;
    agk_conv_input_gradient(&v->c, v->images, v->w, NULL);
}

static void conv_weight_gradient(void *context)
{
    const convolution *v = context;
    agk_conv_weight_gradient(&v->c, v->images, false, v->w);
}

static void print_convolution(const yardstick *y, convolution *v)
{
    static const struct {
        const char *name;
        void (*run)(void *);
    } way[] = {{"forward", conv_forward}, {"input", conv_input_gradient}, {"weight", conv_weight_gradient}};
    const agk_conv *c = &v->c;
    double flop = 2.0 * (double)(c->batch * c->in_channels * c->out_channels * c->out[0] * c->out[1] * c->kernel[0] *
                                 c->kernel[1]);
    for (int i = 0; i < 3; i++) {
        double us = measure(way[i].run, v, y->seconds).median;
        printf("%-18s %-9s %10.1f %10.1f %8.0f%%\n", v->used, way[i].name, us, flop / us * 1e-3,
               100 * flop / us * 1e-3 / y->peak);
    }
}

int bench_convolutions(const yardstick *y, const char *filter)
{
    int lines = 0;
    for (size_t i = 0; i < sizeof convolutions / sizeof *convolutions; i++) {
        convolution v = convolutions[i];
        if (!strstr(v.used, filter))
            continue;
        if (lines++ == 0)
            printf("\n%-18s %-9s %10s %10s %9s\n", "convolution", "", "us", "GFLOP/s", "of peak");
        v.memory = numbers(agk_conv_images_size(&v.c));
        v.w = numbers(v.c.out_channels * v.c.in_channels * v.c.kernel[0] * v.c.kernel[1]);
        bool ok = v.memory && v.w;
        if (ok) {
            v.images = agk_conv_images_in(&v.c, v.memory);
            print_convolution(y, &v);
        }
        free(v.memory);
        free(v.w);
        if (!ok)
            return out_of_memory();
    }
    return lines;
}

/* ---- Passes over memory. ---- */

enum { LONG = 100352, HUGE = 8 << 20 }; /* the logits of a; and out of every cache */

typedef struct pass {
    const char *name;
    int         bytes; /* moved per element */
    agk_body   *body;
    int64_t     n;
    ag_real    *x[4];
} pass;

static const ag_real none[2]; /* parameters of functions that have none */

static void relu(void *context, int64_t begin, int64_t end)
{
    const pass *p = context;
    agk()->unary(AGK_UNARY_relu, end - begin, p->x[0] + begin, none, p->x[1] + begin);
}

static void sigmoid(void *context, int64_t begin, int64_t end)
{
    const pass *p = context;
    agk()->unary(AGK_UNARY_sigmoid, end - begin, p->x[0] + begin, none, p->x[1] + begin);
}

static void tanh_pass(void *context, int64_t begin, int64_t end)
{
    const pass *p = context;
    agk()->unary(AGK_UNARY_tanh, end - begin, p->x[0] + begin, none, p->x[1] + begin);
}

static void add(void *context, int64_t begin, int64_t end)
{
    const pass *p = context;
    agk()->binary(AGK_BINARY_add, 1, end - begin, (agk_operand){p->x[0] + begin, 1, 0},
                  (agk_operand){p->x[1] + begin, 1, 0}, p->x[2] + begin, 0);
}

static void normal(void *context, int64_t begin, int64_t end)
{
    const pass *p = context;
    agk()->normal(1, 0, begin, end - begin, 0, 1, p->x[0] + begin);
}

static void adam(void *context, int64_t begin, int64_t end)
{
    const pass    *p = context;
    const agk_adam o = {1e-3f, 1, 0.1f, 0.999f, 0.001f, 1e-8f, 0, 1};
    agk()->adam(end - begin, &o, p->x[0] + begin, p->x[1] + begin, p->x[2] + begin, p->x[3] + begin);
}

static void run_pass(void *context)
{
    const pass *p = context;
    agk_parallel(p->n, 4096, p->body, context);
}

static const pass passes[] = {
    {"relu", 8, relu, LONG, {0}},       {"relu, large", 8, relu, HUGE, {0}},
    {"sigmoid", 8, sigmoid, LONG, {0}}, {"sigmoid, large", 8, sigmoid, HUGE, {0}},
    {"tanh", 8, tanh_pass, LONG, {0}},  {"tanh, large", 8, tanh_pass, HUGE, {0}},
    {"add", 12, add, LONG, {0}},        {"add, large", 12, add, HUGE, {0}},
    {"normal", 4, normal, LONG, {0}},   {"normal, large", 4, normal, HUGE, {0}},
    {"adam", 28, adam, LONG, {0}},      {"adam, large", 28, adam, HUGE, {0}},
};

int bench_passes(const yardstick *y, const char *filter)
{
    int lines = 0;
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        pass p = passes[i];
        if (!strstr(p.name, filter))
            continue;
        if (lines++ == 0)
            printf("\n%-18s %10s %10s %10s %15s\n", "pass", "elements", "us", "GB/s", "of bandwidth");
        bool ok = true;
        for (int k = 0; k < 4; k++)
            ok = (p.x[k] = numbers(p.n)) && ok;
        if (ok) {
            double us = measure(run_pass, &p, y->seconds).median, rate = (double)(p.bytes * p.n) / us * 1e-3;
            printf("%-18s %10lld %10.1f %10.1f %14.0f%%\n", p.name, (long long)p.n, us, rate,
                   100 * rate / y->bandwidth);
        }
        for (int k = 0; k < 4; k++)
            free(p.x[k]);
        if (!ok)
            return out_of_memory();
    }
    return lines;
}
