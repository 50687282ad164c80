#include "tools/bench/ops.h"

#include <stdlib.h>
#include <string.h>

#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/rng.h"
#include "tools/bench/measure.h"
#include "tools/file.h"

/* ---- Attributes shared by several ops. ---- */

static int64_t whole(const op_case *c, const char *key, int64_t otherwise)
{
    return (int64_t)op_number(c, key, (double)otherwise);
}

static int axis(const op_case *c)
{
    return (int)whole(c, "axis", -1);
}

static ag_reduction reduction(const op_case *c)
{
    const char *name = op_text(c, "reduction", "mean");
    return strcmp(name, "none") == 0 ? AG_NONE : strcmp(name, "sum") == 0 ? AG_SUM : AG_MEAN;
}

static ag_conv_options conv_options(const op_case *c)
{
    ag_conv_options o = {.groups = whole(c, "groups", 1)};
    op_pair(c, "stride", o.stride);
    op_pair(c, "padding", o.padding);
    op_pair(c, "dilation", o.dilation);
    op_pair(c, "output_padding", o.output_padding);
    return o;
}

static ag_pool_options pool_options(const op_case *c)
{
    ag_pool_options o = {0};
    op_pair(c, "kernel", o.kernel);
    op_pair(c, "stride", o.stride);
    op_pair(c, "padding", o.padding);
    return o;
}

static ag_tensor *sum_of_chunks(ag_tensor *x, int axis_of_x)
{
    ag_tensor *piece[2];
    ag_chunk(x, 2, axis_of_x, piece);
    return ag_add(piece[0], piece[1]);
}

/* ---- The ops by name: what each makes of a case c and its inputs x. ---- */

#define STRUCTURAL_OPS(OP)                                                                                             \
    OP(reshape, ag_reshape(x[0], op_shape(c, "to")))                                                                   \
    OP(permute, ag_permute(x[0], op_axes(c, "order")))                                                                 \
    OP(slice, ag_slice(x[0], axis(c), whole(c, "begin", 0), whole(c, "end", 0)))                                       \
    OP(chunk, sum_of_chunks(x[0], axis(c)))                                                                            \
    OP(concat, ag_concat(c->inputs, x, axis(c)))                                                                       \
    OP(expand, ag_expand(x[0], op_shape(c, "to")))                                                                     \
    OP(sum, ag_sum(x[0], op_axes(c, "axes"), false))                                                                   \
    OP(mean, ag_mean(x[0], op_axes(c, "axes"), false))                                                                 \
    OP(max, ag_max(x[0], op_axes(c, "axes"), false))                                                                   \
    OP(softmax, ag_softmax(x[0], axis(c)))                                                                             \
    OP(log_softmax, ag_log_softmax(x[0], axis(c)))                                                                     \
    OP(logsumexp, ag_logsumexp(x[0], axis(c)))                                                                         \
    OP(matmul, ag_matmul(x[0], x[1]))                                                                                  \
    OP(linear, ag_linear(x[0], x[1], x[2]))                                                                            \
    OP(conv1d, ag_conv1d(x[0], x[1], x[2], conv_options(c)))                                                           \
    OP(conv2d, ag_conv2d(x[0], x[1], x[2], conv_options(c)))                                                           \
    OP(conv_transpose2d, ag_conv_transpose2d(x[0], x[1], x[2], conv_options(c)))                                       \
    OP(max_pool2d, ag_max_pool2d(x[0], pool_options(c)))                                                               \
    OP(avg_pool2d, ag_avg_pool2d(x[0], pool_options(c)))                                                               \
    OP(adaptive_avg_pool2d, ag_adaptive_avg_pool2d(x[0], whole(c, "size", 1), whole(c, "size", 1)))                    \
    OP(upsample_nearest2d, ag_upsample_nearest2d(x[0], whole(c, "factor", 2), whole(c, "factor", 2)))                  \
    OP(batch_norm, ag_batch_norm(x[0], x[1], x[2], x[3], x[4], 0.1, 1e-5))                                             \
    OP(layer_norm, ag_layer_norm(x[0], x[1], x[2], 1e-5))                                                              \
    OP(group_norm, ag_group_norm(x[0], whole(c, "groups", 1), x[1], x[2], 1e-5))                                       \
    OP(embedding, ag_embedding(x[0], x[1]))                                                                            \
    OP(rand_like, ag_rand_like(x[0]))                                                                                  \
    OP(randn_like, ag_randn_like(x[0]))                                                                                \
    OP(bernoulli_like, ag_bernoulli_like(x[0], 0.3))                                                                   \
    OP(dropout, ag_dropout(x[0], 0.3))                                                                                 \
    OP(cross_entropy, ag_cross_entropy_loss(x[0], x[1], reduction(c)))                                                 \
    OP(nll_loss, ag_nll_loss(x[0], x[1], (ag_class_options){0}, reduction(c)))                                         \
    OP(where, ag_where(x[0], x[1], x[2]))                                                                              \
    OP(masked_fill, ag_masked_fill(x[0], x[1], -1))                                                                    \
    OP(stack, ag_stack(c->inputs, x, axis(c)))                                                                         \
    OP(pad, ag_pad(x[0], axis(c), whole(c, "before", 0), whole(c, "after", 0), 0))                                     \
    OP(index_select, ag_index_select(x[0], axis(c), x[1]))                                                             \
    OP(gather, ag_gather(x[0], axis(c), x[1]))                                                                         \
    OP(scatter_add, ag_scatter_add(x[0], axis(c), x[1], x[2]))                                                         \
    OP(min, ag_min(x[0], op_axes(c, "axes"), false))                                                                   \
    OP(var, ag_var(x[0], op_axes(c, "axes"), 1, false))                                                                \
    OP(std, ag_std(x[0], op_axes(c, "axes"), 1, false))                                                                \
    OP(argmax, ag_argmax(x[0], axis(c), false))                                                                        \
    OP(argmin, ag_argmin(x[0], axis(c), false))                                                                        \
    OP(cross_entropy_weighted, ag_cross_entropy_loss_with(x[0], x[1], (ag_class_options){.weight = x[2]}, AG_MEAN))    \
    OP(cumsum, ag_cumsum(x[0], axis(c)))                                                                               \
    OP(one_hot, ag_one_hot(x[0], whole(c, "below", 1)))                                                                \
    OP(max_pool1d, ag_max_pool1d(x[0], pool_options(c)))                                                               \
    OP(conv_transpose1d, ag_conv_transpose1d(x[0], x[1], x[2], conv_options(c)))

#define FUNCTION(name, call)                                                                                           \
    static ag_tensor *op_##name(const op_case *c, ag_tensor **x)                                                       \
    {                                                                                                                  \
        (void)c;                                                                                                       \
        return call;                                                                                                   \
    }

STRUCTURAL_OPS(FUNCTION)
#define UNARY(name, domain, y, dx)      FUNCTION(name, ag_##name(x[0]))
#define UNARY_P(name, domain, y, dx)    FUNCTION(name, ag_##name(x[0], op_number(c, "p", 0.5)))
#define UNARY_PQ(name, domain, y, dx)   FUNCTION(name, ag_##name(x[0], -0.5, op_number(c, "p", 0.5)))
#define BINARY(name, domain, y, da, db) FUNCTION(name, ag_##name(x[0], x[1]))
#define LOSS(name, domain, y, da, db)   FUNCTION(name##_loss, ag_##name##_loss(x[0], x[1], reduction(c)))
#include "autograd/kernels/elementwise.def"

typedef struct op_entry {
    const char *name;
    ag_tensor *(*call)(const op_case *c, ag_tensor **x);
} op_entry;

#define ENTRY(name, call) {#name, op_##name},
static const op_entry entries[] = {STRUCTURAL_OPS(ENTRY)
#define UNARY(name, domain, y, dx)      ENTRY(name, )
#define UNARY_P(name, domain, y, dx)    ENTRY(name, )
#define UNARY_PQ(name, domain, y, dx)   ENTRY(name, )
#define BINARY(name, domain, y, da, db) ENTRY(name, )
#define LOSS(name, domain, y, da, db)   ENTRY(name##_loss, )
#include "autograd/kernels/elementwise.def"
};

/* ---- The end of a pass: an op whose backward passes on a ready-made gradient without a copy, as PyTorch's
 * y.backward(g) does. ---- */

static bool end_shape(ag_node *node)
{
    node->out->shape = AG_SCALAR;
    return true;
}

static void end_forward(ag_node *node)
{
    node->out->data[0] = 0;
}

static void end_backward(const ag_node *node)
{
    node->in[0]->grad = *(ag_real **)node->attr;
}

static const ag_op end_op = {"end", end_shape, end_forward, end_backward};

/* ---- One case. ---- */

typedef struct op_run {
    const op_case  *c;
    const op_entry *entry;
    ag_tape        *tape;
    ag_real        *input[OP_MAX_INPUTS], *gradient;
} op_run;

static ag_tensor *forward(op_run *r)
{
    const op_case *c = r->c;
    ag_tensor     *x[OP_MAX_INPUTS] = {0};
    ag_tape_reset(r->tape);
    for (int i = 0; i < c->inputs; i++) {
        x[i] = ag_wrap(r->tape, c->shape[i], r->input[i]);
        if (c->kind[i] <= OP_UNIT)
            ag_requires_grad(x[i]);
    }
    return r->entry->call(c, x);
}

static void run(void *context)
{
    op_run    *r = context;
    ag_tensor *y = forward(r);
    if (y->needs_grad)
        ag_backward(ag_apply(&end_op, 1, &y, &r->gradient, sizeof r->gradient));
}

/* n numbers; NULL when memory runs out. */
static ag_real *numbers(int64_t n, op_kind kind, int64_t below)
{
    ag_real *x = aligned_alloc(64, ((size_t)n * sizeof *x + 63) / 64 * 64);
    ag_rng   rng = {1, (uint64_t)n};
    if (x && kind >= OP_INDEX)
        ag_rng_uniform(&rng, n, 0, (ag_real)below, x);
    else if (x)
        ag_rng_uniform(&rng, n, kind == OP_REAL ? -1 : (ag_real)0.1, kind == OP_REAL ? 1 : (ag_real)0.9, x);
    for (int64_t i = 0; x && kind >= OP_INDEX && i < n; i++)
        x[i] = (ag_real)(int64_t)x[i];
    return x;
}

static bool op_run_open(op_run *r, const op_case *c, const op_entry *entry)
{
    *r = (op_run){.c = c, .entry = entry, .tape = ag_tape_new(1)};
    bool ok = r->tape != NULL;
    for (int i = 0; i < c->inputs; i++) {
        r->input[i] = numbers(ag_numel(&c->shape[i]), c->kind[i], c->kind[i] == OP_MASK ? 2 : whole(c, "below", 1));
        ok = ok && r->input[i];
    }
    if (!ok)
        return false;
    ag_set_grad_enabled(r->tape, !c->forward_only);
    ag_tensor *y = forward(r);
    r->gradient = numbers(ag_numel(&y->shape), OP_REAL, 0);
    return r->gradient != NULL;
}

static void op_run_close(op_run *r)
{
    for (int i = 0; i < OP_MAX_INPUTS; i++)
        free(r->input[i]);
    free(r->gradient);
    ag_tape_free(r->tape);
}

double time_op(const op_case *c, double seconds)
{
    const op_entry *entry = NULL;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        if (strcmp(entries[i].name, c->op) == 0)
            entry = &entries[i];
    if (!entry)
        return OP_UNKNOWN;
    op_run r;
    double us = OP_FAILED;
    if (op_run_open(&r, c, entry))
        us = measure(run, &r, seconds).median;
    if (!r.gradient || ag_error(r.tape)) {
        fprintf(stderr, "bench: %s: %s\n", c->line, r.tape && ag_error(r.tape) ? ag_error(r.tape) : "out of memory");
        us = OP_FAILED;
    }
    op_run_close(&r);
    return us;
}

/* ---- All. ---- */

#define OP(...) #__VA_ARGS__,
static const char *const lines[] = {
#include "tools/bench/ops.def"
};

static double time_case(const op_case *c, const ds_dataset *data, double seconds)
{
    double us = time_op(c, seconds);
    if (us == OP_UNKNOWN)
        us = time_update(c, seconds);
    if (us == OP_UNKNOWN)
        us = time_step(c, seconds);
    if (us == OP_UNKNOWN)
        us = time_model(c, data, seconds);
    if (us == OP_UNKNOWN)
        fprintf(stderr, "bench: %s: no such op\n", c->line);
    return us;
}

static bool bench_case(const yardstick *y, const char *line, const ds_dataset *data, FILE *csv)
{
    op_case c;
    if (!op_case_parse(&c, line)) {
        fprintf(stderr, "bench: cannot read '%s'\n", line);
        return false;
    }
    const double us = time_case(&c, data, y->seconds);
    if (us < 0)
        return false;
    printf("%-64s %10.2f\n", c.line, us);
    fflush(stdout);
    if (csv)
        fprintf(csv, "%s,%d,%.2f\n", c.line, y->threads, us);
    return true;
}

int bench_ops(const yardstick *y, const char *filter, const ds_dataset *data, FILE *csv)
{
    int n = 0;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (!strstr(lines[i], filter))
            continue;
        if (n++ == 0)
            printf("\n%-64s %10s\n", "op", "us");
        if (!bench_case(y, lines[i], data, csv))
            return -1;
    }
    return n;
}

int bench_ops_in(const char *path, const yardstick *y, const char *filter, const ds_dataset *data, FILE *csv)
{
    int      n = 0;
    size_t   size;
    tl_error why;
    char    *text = tl_read_file(path, &size, &why);
    if (!text) {
        fprintf(stderr, "bench: %s\n", why.text);
        return -1;
    }
    printf("\n%-64s %10s\n", "op", "us");
    for (char *line = text, *next; *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = 0;
        n += strstr(line, filter) && bench_case(y, line, data, csv);
    }
    free(text);
    return n;
}
