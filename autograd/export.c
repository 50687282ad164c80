/* Writing a recorded computation as C.
 *
 * Each op on the way becomes one call of a function that is written out beside it: the same chain of fused
 * multiply-adds for each element as the kernels', so that the bits are theirs, in loops that a compiler vectorises over
 * the elements. The formulas of elementwise ops are those of elementwise.def, and the functions in them those of
 * simd/math.h, which the build hands over as text. */
#include "autograd/export.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/op.h"
#include "autograd/ops/conv_internal.h"
#include "autograd/ops/pool_internal.h"
#include "autograd/ops/slice_internal.h"
#include "autograd/runtime.h"

static const char *const math_text[] = {
#include "generated/math_text.h"
};

typedef struct writing {
    FILE            *to;
    const char      *name; /* of the function */
    const ag_tensor *in, *out;
    const ag_node  **nodes; /* of the tape, the newest first; then only those on the way */
    int64_t          n, room;
    bool             reached; /* the input */
    char            *message;
    size_t           size;
} writing;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static bool
fail(const writing *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (w->message && w->size > 0)
        vsnprintf(w->message, w->size, format, args);
    va_end(args);
    return false;
}

/* ---- The nodes on the way. ---- */

static bool collect(void *context, const ag_node *node)
{
    writing *w = context;
    if (w->n == w->room) {
        const int64_t   room = w->room ? 2 * w->room : 64;
        const ag_node **more = realloc(w->nodes, (size_t)room * sizeof *more);
        if (!more)
            return false;
        w->nodes = more;
        w->room = room;
    }
    w->nodes[w->n++] = node;
    return true;
}

/* How many of a node's inputs are written: what batch_norm needs of the others, it has worked out. */
static int inputs_of(const ag_node *node)
{
    return strcmp(node->op->name, "batch_norm") ? node->n_in : 1;
}

static bool is_input_of_any(const ag_node *const *nodes, int64_t n, const ag_tensor *t)
{
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < inputs_of(nodes[i]); k++)
            if (nodes[i]->in[k] == t)
                return true;
    return false;
}

/* Keeps what `out` needs, the newest first. */
static bool find_way(writing *w)
{
    if (!ag_visit_nodes(w->out->tape, collect, w))
        return fail(w, "out of memory");
    int64_t kept = 0;
    for (int64_t i = 0; i < w->n; i++) {
        const ag_node *node = w->nodes[i];
        if (node->out != w->in && (node->out == w->out || is_input_of_any(w->nodes, kept, node->out)))
            w->nodes[kept++] = node;
    }
    w->n = kept;
    return is_input_of_any(w->nodes, kept, w->in) || fail(w, "the result does not depend on the input");
}

/* ---- Names: x, t3 of a node, w3_1 of a node's constant. ---- */

enum { NAME = 48 };

static const char *name_of(const writing *w, int64_t node, int input, char *text)
{
    const ag_tensor *t = w->nodes[node]->in[input];
    if (t == w->in)
        return "x";
    for (int64_t i = w->n - 1; i > node; i--)
        if (w->nodes[i]->out == t) {
            snprintf(text, NAME, "t%" PRId64, w->n - i);
            return text;
        }
    snprintf(text, NAME, "w%" PRId64 "_%d", w->n - node, input);
    return text;
}

static bool is_constant(const writing *w, int64_t node, int input)
{
    char text[NAME];
    return name_of(w, node, input, text)[0] == 'w';
}

/* ---- Numbers. ---- */

/* With as many digits as tell all reals apart. */
static void write_number(FILE *to, ag_real x)
{
    char text[64];
    if (x - x != x - x) { /* not finite */
        fputs(x > 0 ? "INFINITY" : x < 0 ? "-INFINITY" : "NAN", to);
        return;
    }
    snprintf(text, sizeof text, sizeof x == 4 ? "%.9g" : "%.17g", (double)x);
    for (char *c = text; *c; c++) /* in any locale */
        if (!isdigit((unsigned char)*c) && *c != '-' && *c != '+' && *c != 'e')
            *c = '.';
    fprintf(to, "%s%s%s", text, strpbrk(text, ".e") ? "" : ".0", sizeof x == 4 ? "f" : "");
}

/* A constant of (rows, columns), or its transpose. */
static void write_array(const writing *w, const char *name, int64_t rows, int64_t columns, const ag_real *at,
                        bool transposed)
{
    const int64_t n = rows * columns;
    fprintf(w->to, "static const real %s[%" PRId64 "] = {", name, n);
    for (int64_t i = 0; i < n; i++) {
        fputs(i % 8 ? ", " : i ? ",\n    " : "\n    ", w->to);
        write_number(w->to, at[transposed ? i % rows * columns + i / rows : i]);
    }
    fputs("};\n", w->to);
}

/* ---- Ops. ---- */

typedef void write_fn(const writing *w, int64_t i, const char *out);

static const char linear_text[] =
    "/* y = x W + b: x (rows, in), W (in, out). */\n"
    "static void linear(int rows, int in, int out, const real *x, const real *w, const real *b, real *restrict y)\n"
    "{\n"
    "    for (int r = 0; r < rows; r++, x += in, y += out) {\n"
    "        for (int j = 0; j < out; j++)\n"
    "            y[j] = b ? b[j] : 0;\n"
    "        for (int k = 0; k < in; k++)\n"
    "            for (int j = 0; j < out; j++)\n"
    "                y[j] = r_fma(x[k], w[k * out + j], y[j]);\n"
    "    }\n"
    "}\n\n";

static void write_linear(const writing *w, int64_t i, const char *out)
{
    const ag_node  *node = w->nodes[i];
    const ag_shape *s = &node->in[1]->shape;
    char            x[NAME], weight[NAME], bias[NAME];
    fprintf(w->to, "    linear(%" PRId64 ", %" PRId64 ", %" PRId64 ", %s, %s, %s, %s);\n",
            ag_numel(&node->out->shape) / s->dim[0], s->dim[1], s->dim[0], name_of(w, i, 0, x),
            name_of(w, i, 1, weight), node->n_in > 2 ? name_of(w, i, 2, bias) : "NULL", out);
}

/* `in` and `out` are those of the convolution; the transposed one leads from out to in. */
static const char conv_text[] =
    "/* x (batch, in_channels, in), w (out_channels, in_channels / groups, kernel), y (batch, out_channels, out). */\n"
    "struct conv {\n"
    "    int batch, in_channels, out_channels, groups, in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];\n"
    "};\n\n";

static const char conv2d_text[] =
    "static void conv2d(struct conv c, const real *x, const real *w, const real *b, real *restrict y)\n"
    "{\n"
    "    const int depth = c.in_channels / c.groups, in = c.in[0] * c.in[1], kernel = c.kernel[0] * c.kernel[1];\n"
    "    for (int n = 0; n < c.batch; n++, x += c.in_channels * in)\n"
    "        for (int o = 0; o < c.out_channels; o++, y += c.out[0] * c.out[1]) {\n"
    "            const real *from = x + o / (c.out_channels / c.groups) * depth * in;\n"
    "            for (int p = 0; p < c.out[0] * c.out[1]; p++)\n"
    "                y[p] = b ? b[o] : 0;\n"
    "            for (int v = 0; v < c.kernel[0]; v++)\n"
    "                for (int h = 0; h < c.kernel[1]; h++)\n"
    "                    for (int k = 0; k < depth; k++) {\n"
    "                        const real weight = w[(o * depth + k) * kernel + v * c.kernel[1] + h];\n"
    "                        for (int i = 0; i < c.out[0]; i++) {\n"
    "                            const int row = i * c.stride[0] - c.padding[0] + v * c.dilation[0];\n"
    "                            for (int j = 0; row >= 0 && row < c.in[0] && j < c.out[1]; j++) {\n"
    "                                const int column = j * c.stride[1] - c.padding[1] + h * c.dilation[1];\n"
    "                                if (column >= 0 && column < c.in[1])\n"
    "                                    y[i * c.out[1] + j] = r_fma(weight, from[k * in + row * c.in[1] + column], "
    "y[i * c.out[1] + j]);\n"
    "                            }\n"
    "                        }\n"
    "                    }\n"
    "        }\n"
    "}\n\n";

static const char conv_transpose2d_text[] =
    "static void conv_transpose2d(struct conv c, const real *x, const real *w, const real *b, real *restrict y)\n"
    "{\n"
    "    const int depth = c.out_channels / c.groups, in = c.in[0] * c.in[1], out = c.out[0] * c.out[1];\n"
    "    const int channels = c.in_channels / c.groups, kernel = c.kernel[0] * c.kernel[1];\n"
    "    for (int n = 0; n < c.batch; n++, x += c.out_channels * out)\n"
    "        for (int o = 0; o < c.in_channels; o++, y += in) {\n"
    "            for (int p = 0; p < in; p++)\n"
    "                y[p] = b ? b[o] : 0;\n"
    "            for (int v = 0; v < c.kernel[0]; v++)\n"
    "                for (int h = 0; h < c.kernel[1]; h++)\n"
    "                    for (int k = o / channels * depth; k < (o / channels + 1) * depth; k++) {\n"
    "                        const real weight = w[(k * channels + o % channels) * kernel + v * c.kernel[1] + h];\n"
    "                        for (int i = 0; i < c.out[0]; i++) {\n"
    "                            const int row = i * c.stride[0] - c.padding[0] + v * c.dilation[0];\n"
    "                            for (int j = 0; row >= 0 && row < c.in[0] && j < c.out[1]; j++) {\n"
    "                                const int column = j * c.stride[1] - c.padding[1] + h * c.dilation[1];\n"
    "                                real     *to = y + row * c.in[1] + column;\n"
    "                                if (column >= 0 && column < c.in[1])\n"
    "                                    *to = r_fma(weight, x[k * out + i * c.out[1] + j], *to);\n"
    "                            }\n"
    "                        }\n"
    "                    }\n"
    "        }\n"
    "}\n\n";

static void write_conv(const writing *w, int64_t i, const char *out)
{
    const ag_node  *node = w->nodes[i];
    const agk_conv *c = &((const ag_conv_plan *)node->attr)->conv;
    const int64_t  *pairs[] = {c->in, c->out, c->kernel, c->stride, c->padding, c->dilation};
    char            x[NAME], weight[NAME], bias[NAME];
    fprintf(w->to, "    %s((struct conv){%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64, node->op->name, c->batch,
            c->in_channels, c->out_channels, c->groups);
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++)
        fprintf(w->to, ", {%" PRId64 ", %" PRId64 "}", pairs[k][0], pairs[k][1]);
    fprintf(w->to, "}, %s, %s, %s, %s);\n", name_of(w, i, 0, x), name_of(w, i, 1, weight),
            node->n_in > 2 ? name_of(w, i, 2, bias) : "NULL", out);
}

static const char max_pool2d_text[] =
    "/* `size`: planes, then rows and columns of in, out, kernel, stride, padding, dilation. */\n"
    "static void max_pool2d(const int *size, const real *x, real *restrict y)\n"
    "{\n"
    "    const int *in = size + 1, *out = size + 3, *kernel = size + 5, *stride = size + 7, *padding = size + 9, "
    "*dilation = size + 11;\n"
    "    for (int n = 0; n < size[0]; n++, x += in[0] * in[1])\n"
    "        for (int i = 0; i < out[0]; i++)\n"
    "            for (int j = 0; j < out[1]; j++) {\n"
    "                real most = -INFINITY;\n"
    "                for (int v = 0; v < kernel[0]; v++)\n"
    "                    for (int h = 0; h < kernel[1]; h++) {\n"
    "                        const int row = i * stride[0] - padding[0] + v * dilation[0];\n"
    "                        const int column = j * stride[1] - padding[1] + h * dilation[1];\n"
    "                        if (row >= 0 && row < in[0] && column >= 0 && column < in[1])\n"
    "                            most = r_max(x[row * in[1] + column], most);\n"
    "                    }\n"
    "                *y++ = most;\n"
    "            }\n"
    "}\n\n";

static void write_max_pool2d(const writing *w, int64_t i, const char *out)
{
    const ag_node  *node = w->nodes[i];
    const agk_pool *p = &((const ag__pool_plan *)node->attr)->p;
    const int64_t  *pairs[] = {p->in, p->out, p->kernel, p->stride, p->padding, p->dilation};
    char            x[NAME];
    fprintf(w->to, "    max_pool2d((const int[]){%" PRId64, ag_numel(&node->out->shape) / (p->out[0] * p->out[1]));
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++)
        fprintf(w->to, ", %" PRId64 ", %" PRId64, pairs[k][0], pairs[k][1]);
    fprintf(w->to, "}, %s, %s);\n", name_of(w, i, 0, x), out);
}

static const char batch_norm_text[] =
    "static void batch_norm(int batch, int channels, int pixels, const real *x, const real *centre, const real *scale, "
    "const real *shift,\n"
    "                       real *restrict y)\n"
    "{\n"
    "    for (int n = 0; n < batch; n++)\n"
    "        for (int c = 0; c < channels; c++)\n"
    "            for (int p = 0; p < pixels; p++)\n"
    "                *y++ = (*x++ - centre[c]) * scale[c] + shift[c];\n"
    "}\n\n";

/* What it has saved is the running mean and one over the deviation of each channel, side by side. */
static void write_batch_norm(const writing *w, int64_t i, const char *out)
{
    enum { WEIGHT = 3, BIAS };
    const ag_node  *node = w->nodes[i];
    const ag_shape *s = &node->in[0]->shape;
    const int64_t   channels = s->dim[1], pixels = ag_numel(s) / (s->dim[0] * channels);
    const ag_real  *saved = node->saved;
    char            x[NAME];
    for (int part = 0; part < 3; part++) {
        fprintf(w->to, "    static const real %s_%s[] = {", out, part == 0 ? "centre" : part == 1 ? "scale" : "shift");
        for (int64_t c = 0; c < channels; c++) {
            const bool    affine = node->n_in > BIAS;
            const ag_real scale = affine ? saved[2 * c + 1] * node->in[WEIGHT]->data[c] : saved[2 * c + 1];
            fputs(c ? ", " : "", w->to);
            write_number(w->to, part == 0 ? saved[2 * c] : part == 1 ? scale : affine ? node->in[BIAS]->data[c] : 0);
        }
        fputs("};\n", w->to);
    }
    fprintf(w->to, "    batch_norm(%" PRId64 ", %" PRId64 ", %" PRId64 ", %s, %s_centre, %s_scale, %s_shift, %s);\n",
            s->dim[0], channels, pixels, name_of(w, i, 0, x), out, out, out, out);
}

/* Of each block of `from`, a part of `n` elements, to blocks of `to`. */
static const char copy_text[] =
    "static void copy(int blocks, int n, const real *from, int from_block, real *restrict to, int to_block)\n"
    "{\n"
    "    for (int i = 0; i < blocks; i++)\n"
    "        memcpy(to + i * to_block, from + i * from_block, (size_t)n * sizeof *to);\n"
    "}\n\n";

static void write_slice(const writing *w, int64_t i, const char *out)
{
    const ag__slice_plan *p = w->nodes[i]->attr;
    char                  x[NAME];
    fprintf(w->to, "    copy(%" PRId64 ", %" PRId64 ", %s + %" PRId64 ", %" PRId64 ", %s, %" PRId64 ");\n", p->blocks,
            p->piece, name_of(w, i, 0, x), p->offset, p->block, out, p->piece);
}

/* The axis is the one in which the inputs differ from the output. */
static void write_concat(const writing *w, int64_t i, const char *out)
{
    const ag_node  *node = w->nodes[i];
    const ag_shape *s = &node->out->shape;
    int64_t         blocks = 1, at = 0;
    for (int axis = 0; axis < s->rank && s->dim[axis] == node->in[0]->shape.dim[axis]; axis++)
        blocks *= s->dim[axis];
    for (int k = 0; k < node->n_in; k++) {
        const int64_t n = ag_numel(&node->in[k]->shape) / blocks;
        char          x[NAME];
        fprintf(w->to, "    copy(%" PRId64 ", %" PRId64 ", %s, %" PRId64 ", %s + %" PRId64 ", %" PRId64 ");\n", blocks,
                n, name_of(w, i, k, x), n, out, at, ag_numel(s) / blocks);
        at += n;
    }
}

static void write_view(const writing *w, int64_t i, const char *out)
{
    char x[NAME];
    fprintf(w->to, "    const real *%s = %s;\n", out, name_of(w, i, 0, x));
}

static void write_unary(const writing *w, int64_t i, const char *out)
{
    const ag_node *node = w->nodes[i];
    const ag_real *pq = node->attr;
    char           x[NAME];
    fprintf(w->to, "    for (int i = 0; i < %" PRId64 "; i++)\n        %s[i] = op_%s(%s[i], ",
            ag_numel(&node->out->shape), out, node->op->name, name_of(w, i, 0, x));
    write_number(w->to, pq[0]);
    fputs(", ", w->to);
    write_number(w->to, pq[1]);
    fputs(");\n", w->to);
}

static void write_binary(const writing *w, int64_t i, const char *out)
{
    const ag_node *node = w->nodes[i];
    char           a[NAME], b[NAME];
    fprintf(w->to, "    for (int i = 0; i < %" PRId64 "; i++)\n        %s[i] = op_%s(%s[i], %s[i]);\n",
            ag_numel(&node->out->shape), out, node->op->name, name_of(w, i, 0, a), name_of(w, i, 1, b));
}

/* An op, how its call is written, and what goes before: its own text, or a formula. `text` of all convolutions is
 * `shared`, once. */
static const struct c_op {
    const char *name;
    write_fn   *write;
    const char *shared, *text, *formula;
} c_ops[] = {
    {"linear", write_linear, NULL, linear_text, NULL},
    {"conv2d", write_conv, conv_text, conv2d_text, NULL},
    {"conv_transpose2d", write_conv, conv_text, conv_transpose2d_text, NULL},
    {"max_pool2d", write_max_pool2d, NULL, max_pool2d_text, NULL},
    {"batch_norm", write_batch_norm, NULL, batch_norm_text, NULL},
    {"slice", write_slice, copy_text, NULL, NULL},
    {"concat", write_concat, copy_text, NULL, NULL},
    {"reshape", write_view, NULL, NULL, NULL},
    {"flatten", write_view, NULL, NULL, NULL},
    {"dropout", write_view, NULL, NULL, NULL}, /* in evaluation */
    {"on_tape", write_view, NULL, NULL, NULL},
    {"detach", write_view, NULL, NULL, NULL},
#define UNARY(name, domain, y, dx)      {#name, write_unary, NULL, NULL, #y},
#define BINARY(name, domain, y, da, db) {#name, write_binary, NULL, NULL, #y},
#include "autograd/kernels/elementwise.def"
};

static const struct c_op *c_op_of(const ag_node *node)
{
    for (size_t i = 0; i < sizeof c_ops / sizeof *c_ops; i++)
        if (!strcmp(c_ops[i].name, node->op->name))
            return &c_ops[i];
    return NULL;
}

/* Elementwise ops of two tensors have inputs of the output's shape; what a convolution's plan counts fits an int. */
static bool can_be_written(const writing *w, const ag_node *node)
{
    const struct c_op *op = c_op_of(node);
    const bool         needs_plan = op && (op->write == write_unary || op->write == write_conv ||
                                   op->write == write_max_pool2d || op->write == write_slice);
    if (!op || (needs_plan && !node->attr)) /* a user's own by such a name has none */
        return fail(w, "%s cannot be written as C", node->op->name);
    for (int k = 0; k < node->n_in; k++) {
        const ag_shape *s = &node->in[k]->shape;
        if (op->write == write_binary && !ag_shape_equal(s, &node->out->shape))
            return fail(w, "%s of %s and %s: tensors of two shapes cannot be written as C", op->name,
                        AG_STR(&node->in[0]->shape), AG_STR(&node->in[1]->shape));
        if (ag_numel(s) > INT32_MAX / 16)
            return fail(w, "%s of %s: too large to be written as C", op->name, AG_STR(s));
    }
    if ((!strcmp(op->name, "batch_norm") || !strcmp(op->name, "dropout")) && ag_is_training(w->out->tape))
        return fail(w, "%s was recorded in training mode", op->name);
    return true;
}

/* ---- The file. ---- */

static void write_math(const writing *w)
{
    fprintf(w->to,
            "#if defined(__clang__)\n#pragma STDC FP_CONTRACT OFF\n#elif defined(__GNUC__)\n"
            "#pragma GCC optimize(\"fp-contract=off\")\n#endif\n"
            "#ifdef __FAST_MATH__\n#error \"-ffast-math would change the results\"\n#endif\n"
            "#include <math.h>\n#include <stdbool.h>\n#include <stdint.h>\n#include <string.h>\n\n"
            "typedef %s real;\n\n"
            "/* ---- Functions of one number, as the library has them. ---- */\n\n"
            "#define ag_real real\n%s#define INLINE static inline %s\n\n"
            "INLINE real r_fma(real x, real y, real z)\n{\n    return %s(x, y, z);\n}\n",
            sizeof(ag_real) == 4 ? "float" : "double", sizeof(ag_real) == 4 ? "" : "#define AG_DOUBLE\n",
            "__attribute__((unused))", sizeof(ag_real) == 4 ? "fmaf" : "fma");
    for (size_t i = 0; i < sizeof math_text / sizeof *math_text; i++)
        fputs(math_text[i], w->to);
    fputs("\n/* ---- The computation. ---- */\n\n", w->to);
}

/* Whether node i is the first with its op; or, `shared`, with its op's shared text. */
static bool is_first(const writing *w, int64_t i, bool shared)
{
    for (int64_t k = w->n - 1; k > i; k--) {
        const struct c_op *earlier = c_op_of(w->nodes[k]), *op = c_op_of(w->nodes[i]);
        if (shared ? earlier->shared == op->shared : earlier == op)
            return false;
    }
    return true;
}

static void write_functions(const writing *w)
{
    for (int64_t i = w->n - 1; i >= 0; i--) {
        const struct c_op *op = c_op_of(w->nodes[i]);
        if (op->shared && is_first(w, i, true))
            fputs(op->shared, w->to);
        if (!is_first(w, i, false))
            continue;
        if (op->text)
            fputs(op->text, w->to);
        if (op->formula)
            fprintf(w->to, "INLINE real op_%s(%s)\n{\n%s    return %s;\n}\n\n", op->name,
                    op->write == write_unary ? "real x, real p, real q" : "real a, real b",
                    op->write == write_unary ? "    (void)p, (void)q;\n" : "", op->formula);
    }
}

/* The weight of a linear layer is transposed, so that a loop over its outputs reads it in order. */
static void write_constants(const writing *w)
{
    for (int64_t i = w->n - 1; i >= 0; i--) {
        const ag_node *node = w->nodes[i];
        for (int k = 0; k < inputs_of(node); k++) {
            char            name[NAME];
            const ag_shape *s = &node->in[k]->shape;
            const bool      transposed = k == 1 && !strcmp(node->op->name, "linear");
            if (is_constant(w, i, k))
                write_array(w, name_of(w, i, k, name), transposed ? s->dim[0] : 1, transposed ? s->dim[1] : ag_numel(s),
                            node->in[k]->data, transposed);
        }
    }
}

static void write_all(const writing *w)
{
    const int64_t x = ag_numel(&w->in->shape), y = ag_numel(&w->out->shape);
    int64_t       reals = 0;
    for (int64_t i = 0; i < w->n; i++)
        reals += ag_numel(&w->nodes[i]->out->shape);
    fprintf(w->to,
            "/* %s: from x %s to y %s. Written by Hourglass %s; needs no library but libm, and some\n"
            " * %" PRId64 " KiB of stack. */\n",
            w->name, AG_STR(&w->in->shape), AG_STR(&w->out->shape), AG_VERSION,
            reals * (int64_t)sizeof(ag_real) / 1024 + 1);
    write_math(w);
    write_functions(w);
    write_constants(w);
    fprintf(w->to, "\nvoid %s(const real *x, real *y);\n\n", w->name);
    fprintf(w->to, "/* x has %" PRId64 " numbers, y takes %" PRId64 ". */\nvoid %s(const real *x, real *y)\n{\n", x, y,
            w->name);
    for (int64_t i = w->n - 1; i >= 0; i--) {
        char out[NAME];
        snprintf(out, sizeof out, "t%" PRId64, w->n - i);
        if (c_op_of(w->nodes[i])->write != write_view)
            fprintf(w->to, "    real %s[%" PRId64 "];\n", out, ag_numel(&w->nodes[i]->out->shape));
        c_op_of(w->nodes[i])->write(w, i, out);
    }
    fprintf(w->to, "    memcpy(y, t%" PRId64 ", %" PRId64 " * sizeof *y);\n}\n", w->n, y);
}

static bool is_identifier(const char *name)
{
    if (!name || !(isalpha((unsigned char)*name) || *name == '_'))
        return false;
    while (isalnum((unsigned char)*name) || *name == '_')
        name++;
    return !*name;
}

bool ag_export_c(FILE *to, const char *name, const ag_tensor *in, const ag_tensor *out, char *message, size_t size)
{
    writing w = {.to = to, .name = name, .in = in, .out = out, .message = message, .size = size};
    if (!to || !is_identifier(name))
        return fail(&w, "%s", to ? "the name is no identifier of C" : "no stream");
    if (!in || !out || !out->tape || in->tape != out->tape || ag_error(out->tape))
        return fail(&w, "%s",
                    out && out->tape && ag_error(out->tape) ? ag_error(out->tape)
                                                            : "input and output are not of one tape");
    if (!in->needs_grad)
        return fail(&w, "the input needs no gradient, so what was made of it alone was not recorded");
    bool ok = find_way(&w);
    for (int64_t i = 0; ok && i < w.n; i++)
        ok = can_be_written(&w, w.nodes[i]);
    if (ok) {
        write_all(&w);
        ok = (fflush(to) == 0 && !ferror(to)) || fail(&w, "the stream cannot be written");
    }
    free(w.nodes);
    return ok;
}
