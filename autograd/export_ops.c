/* How each op that can be written as C is: the function that is written out once, with the kernels' chain of fused
 * multiply-adds for an element, and its call. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "autograd/export_internal.h"
#include "autograd/ops/conv_internal.h"
#include "autograd/ops/pool_internal.h"
#include "autograd/ops/slice_internal.h"
#include "autograd/ops/written_internal.h"

enum { NAME = AG__C_NAME };

static const char linear_text[] =
    "/* y = x W + b: x (rows, in), W (in, out). */\n"
    "static void op_linear(int rows, int in, int out, const real *x, const real *w, const real *b, real *restrict y)\n"
    "{\n"
    "    for (int r = 0; r < rows; r++, x += in, y += out) {\n"
    "        for (int j = 0; j < out; j++)\n"
    "            y[j] = b ? b[j] : 0;\n"
    "        for (int k = 0; k < in; k++)\n"
    "            for (int j = 0; j < out; j++)\n"
    "                y[j] = r_fma(x[k], w[k * out + j], y[j]);\n"
    "    }\n"
    "}\n\n";

static void write_linear(const ag__writing *w, int64_t i, const char *out)
{
    const ag_node  *node = w->nodes[i];
    const ag_shape *s = &node->in[1]->shape;
    char            x[NAME], weight[NAME], bias[NAME];
    fprintf(w->to, "    op_linear(%" PRId64 ", %" PRId64 ", %" PRId64 ", %s, %s, %s, %s);\n",
            ag_numel(&node->out->shape) / s->dim[0], s->dim[1], s->dim[0], ag__c_name(w, i, 0, x),
            ag__c_name(w, i, 1, weight), node->n_in > 2 ? ag__c_name(w, i, 2, bias) : "NULL", out);
}

/* `in` and `out` are those of the convolution; the transposed one leads from out to in. */
static const char conv_text[] =
    "/* x (batch, in_channels, in), w (out_channels, in_channels / groups, kernel), y (batch, out_channels, out). */\n"
    "struct conv {\n"
    "    int batch, in_channels, out_channels, groups, in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];\n"
    "};\n\n";

static const char conv2d_text[] =
    "static void op_conv2d(struct conv c, const real *x, const real *w, const real *b, real *restrict y)\n"
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
    "static void op_conv_transpose2d(struct conv c, const real *x, const real *w, const real *b, real *restrict y)\n"
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

/* Sizes of windows, down and across: in, out, kernel, stride, padding, dilation. */
enum { PAIRS = 6 };

static void write_pairs(FILE *to, const int64_t *const *pairs)
{
    for (int k = 0; k < PAIRS; k++)
        fprintf(to, ", {%" PRId64 ", %" PRId64 "}", pairs[k][0], pairs[k][1]);
}

static void write_conv(const ag__writing *w, int64_t i, const char *out)
{
    const ag_node  *node = w->nodes[i];
    const agk_conv *c = &((const ag_conv_plan *)node->attr)->conv;
    char            x[NAME], weight[NAME], bias[NAME];
    fprintf(w->to, "    op_%s((struct conv){%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64, node->op->name, c->batch,
            c->in_channels, c->out_channels, c->groups);
    write_pairs(w->to, (const int64_t *const[PAIRS]){c->in, c->out, c->kernel, c->stride, c->padding, c->dilation});
    fprintf(w->to, "}, %s, %s, %s, %s);\n", ag__c_name(w, i, 0, x), ag__c_name(w, i, 1, weight),
            node->n_in > 2 ? ag__c_name(w, i, 2, bias) : "NULL", out);
}

static const char max_pool2d_text[] =
    "struct pool {\n"
    "    int planes, in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];\n"
    "};\n\n"
    "static void op_max_pool2d(struct pool p, const real *x, real *restrict y)\n"
    "{\n"
    "    for (int n = 0; n < p.planes; n++, x += p.in[0] * p.in[1])\n"
    "        for (int i = 0; i < p.out[0]; i++)\n"
    "            for (int j = 0; j < p.out[1]; j++) {\n"
    "                real most = -INFINITY;\n"
    "                for (int v = 0; v < p.kernel[0]; v++)\n"
    "                    for (int h = 0; h < p.kernel[1]; h++) {\n"
    "                        const int row = i * p.stride[0] - p.padding[0] + v * p.dilation[0];\n"
    "                        const int column = j * p.stride[1] - p.padding[1] + h * p.dilation[1];\n"
    "                        if (row >= 0 && row < p.in[0] && column >= 0 && column < p.in[1])\n"
    "                            most = r_max(x[row * p.in[1] + column], most);\n"
    "                    }\n"
    "                *y++ = most;\n"
    "            }\n"
    "}\n\n";

static void write_max_pool2d(const ag__writing *w, int64_t i, const char *out)
{
    const ag_node  *node = w->nodes[i];
    const agk_pool *p = &((const ag__pool_plan *)node->attr)->p;
    char            x[NAME];
    fprintf(w->to, "    op_max_pool2d((struct pool){%" PRId64, ag_numel(&node->out->shape) / (p->out[0] * p->out[1]));
    write_pairs(w->to, (const int64_t *const[PAIRS]){p->in, p->out, p->kernel, p->stride, p->padding, p->dilation});
    fprintf(w->to, "}, %s, %s);\n", ag__c_name(w, i, 0, x), out);
}

static const char batch_norm_text[] =
    "static void op_batch_norm(int batch, int channels, int pixels, const real *x, const real *centre, const real *scale, "
    "const real *shift,\n"
    "                       real *restrict y)\n"
    "{\n"
    "    for (int n = 0; n < batch; n++)\n"
    "        for (int c = 0; c < channels; c++)\n"
    "            for (int p = 0; p < pixels; p++)\n"
    "                *y++ = (*x++ - centre[c]) * scale[c] + shift[c];\n"
    "}\n\n";

/* What it has saved is the running mean and one over the deviation of each channel, side by side. */
static void write_batch_norm(const ag__writing *w, int64_t i, const char *out)
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
            ag__c_number(w->to, part == 0 ? saved[2 * c] : part == 1 ? scale : affine ? node->in[BIAS]->data[c] : 0);
        }
        fputs("};\n", w->to);
    }
    fprintf(w->to, "    op_batch_norm(%" PRId64 ", %" PRId64 ", %" PRId64 ", %s, %s_centre, %s_scale, %s_shift, %s);\n",
            s->dim[0], channels, pixels, ag__c_name(w, i, 0, x), out, out, out, out);
}

/* Of each block of `from`, a part of `n` elements, to blocks of `to`. */
static const char copy_text[] =
    "static void op_copy(int blocks, int n, const real *from, int from_block, real *restrict to, int to_block)\n"
    "{\n"
    "    for (int i = 0; i < blocks; i++)\n"
    "        memcpy(to + i * to_block, from + i * from_block, (size_t)n * sizeof *to);\n"
    "}\n\n";

static void write_slice(const ag__writing *w, int64_t i, const char *out)
{
    const ag__slice_plan *p = w->nodes[i]->attr;
    char                  x[NAME];
    fprintf(w->to, "    op_copy(%" PRId64 ", %" PRId64 ", %s + %" PRId64 ", %" PRId64 ", %s, %" PRId64 ");\n",
            p->blocks, p->piece, ag__c_name(w, i, 0, x), p->offset, p->block, out, p->piece);
}

/* The axis is the one in which the inputs differ from the output. */
static void write_concat(const ag__writing *w, int64_t i, const char *out)
{
    const ag_node  *node = w->nodes[i];
    const ag_shape *s = &node->out->shape;
    int64_t         blocks = 1, at = 0;
    for (int axis = 0; axis < s->rank && s->dim[axis] == node->in[0]->shape.dim[axis]; axis++)
        blocks *= s->dim[axis];
    for (int k = 0; k < node->n_in; k++) {
        const int64_t n = ag_numel(&node->in[k]->shape) / blocks;
        char          x[NAME];
        fprintf(w->to, "    op_copy(%" PRId64 ", %" PRId64 ", %s, %" PRId64 ", %s + %" PRId64 ", %" PRId64 ");\n",
                blocks, n, ag__c_name(w, i, k, x), n, out, at, ag_numel(s) / blocks);
        at += n;
    }
}

static void write_view(const ag__writing *w, int64_t i, const char *out)
{
    char x[NAME];
    fprintf(w->to, "    const real *%s = %s;\n", out, ag__c_name(w, i, 0, x));
}

static const char unary_head[] = "real x, real p, real q)\n{\n    (void)p, (void)q;\n";

static void write_unary(const ag__writing *w, int64_t i, const char *out)
{
    const ag_node *node = w->nodes[i];
    const ag_real *pq = node->attr;
    char           x[NAME];
    fprintf(w->to, "    for (int i = 0; i < %" PRId64 "; i++)\n        %s[i] = op_%s(%s[i], ",
            ag_numel(&node->out->shape), out, node->op->name, ag__c_name(w, i, 0, x));
    ag__c_number(w->to, pq[0]);
    fputs(", ", w->to);
    ag__c_number(w->to, pq[1]);
    fputs(");\n", w->to);
}

static const char binary_head[] = "real a, real b)\n{\n";

static void write_binary(const ag__writing *w, int64_t i, const char *out)
{
    const ag_node *node = w->nodes[i];
    char           a[NAME], b[NAME];
    fprintf(w->to, "    for (int i = 0; i < %" PRId64 "; i++)\n        %s[i] = op_%s(%s[i], %s[i]);\n",
            ag_numel(&node->out->shape), out, node->op->name, ag__c_name(w, i, 0, a), ag__c_name(w, i, 1, b));
}

static const ag__c_op c_ops[] = {
    {.op = &ag__linear_op, .write = write_linear, .text = linear_text},
    {.op = &ag__conv2d_op, .write = write_conv, .shared = conv_text, .text = conv2d_text},
    {.op = &ag__conv_transpose2d_op, .write = write_conv, .shared = conv_text, .text = conv_transpose2d_text},
    {.op = &ag__max_pool2d_op, .write = write_max_pool2d, .text = max_pool2d_text},
    {.op = &ag__batch_norm_op, .write = write_batch_norm, .text = batch_norm_text},
    {.op = &ag__slice_op, .write = write_slice, .shared = copy_text},
    {.op = &ag__concat_op, .write = write_concat, .shared = copy_text},
    {.op = &ag__reshape_op, .write = write_view, .is_view = true},
    {.op = &ag__flatten_op, .write = write_view, .is_view = true},
    {.op = &ag__dropout_op, .write = write_view, .is_view = true}, /* in evaluation */
    {.op = &ag__on_tape_op, .write = write_view, .is_view = true},
#define UNARY(name, domain, y, dx)                                                                                     \
    {.op = &ag__unary_ops[AGK_UNARY_##name], .write = write_unary, .head = unary_head, .formula = #y},
#define BINARY(name, domain, y, da, db)                                                                                \
    {.op = &ag__binary_ops[AGK_BINARY_##name], .write = write_binary, .head = binary_head, .formula = #y},
#include "autograd/kernels/elementwise.def"
};

const ag__c_op *ag__c_op_of(const ag_node *node)
{
    for (size_t i = 0; i < sizeof c_ops / sizeof *c_ops; i++)
        if (c_ops[i].op == node->op)
            return &c_ops[i];
    return NULL;
}

/* Elementwise ops of two tensors have inputs of the output's shape; what a convolution's plan counts fits an int. */
bool ag__c_can_write(const ag__writing *w, const ag_node *node)
{
    const ag__c_op *op = ag__c_op_of(node);
    const char     *name = node->op->name;
    if (!op)
        return ag__c_fail(w, "%s cannot be written as C", name);
    for (int k = 0; k < node->n_in; k++) {
        if (node->in[k]->unrecorded)
            return ag__c_fail(w, "%s of what was not recorded (by detach, argmax and the like, or with gradients off)",
                              name);
        const ag_shape *s = &node->in[k]->shape;
        if (op->write == write_binary && !ag_shape_equal(s, &node->out->shape))
            return ag__c_fail(w, "%s of %s and %s: tensors of two shapes cannot be written as C", name,
                              AG_STR(&node->in[0]->shape), AG_STR(&node->in[1]->shape));
        if (ag_numel(s) > INT32_MAX / 16)
            return ag__c_fail(w, "%s of %s: too large to be written as C", name, AG_STR(s));
    }
    if ((node->op == &ag__batch_norm_op || node->op == &ag__dropout_op) && node->training)
        return ag__c_fail(w, "%s was recorded in training mode", name);
    return true;
}
