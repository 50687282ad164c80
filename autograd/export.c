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

#include "autograd/export_internal.h"
#include "autograd/ops/written_internal.h"
#include "autograd/runtime.h"
#include "autograd/tape_internal.h"

static const char *const math_text[] = {
#include "generated/math_text.h"
};

bool ag__c_fail(const ag__writing *w, const char *format, ...)
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
    ag__writing *w = context;
    if (w->n == w->capacity) {
        const int64_t   capacity = w->capacity ? 2 * w->capacity : 64;
        const ag_node **more = realloc(w->nodes, (size_t)capacity * sizeof *more);
        if (!more)
            return false;
        w->nodes = more;
        w->capacity = capacity;
    }
    w->nodes[w->n++] = node;
    return true;
}

/* How many of a node's inputs are written: what batch_norm needs of the others, it has worked out. */
static int inputs_of(const ag_node *node)
{
    return node->op == &ag__batch_norm_op ? 1 : node->n_in;
}

/* Whether t is an input of any node: of all its inputs, or of those that are written. */
static bool is_input_of_any(const ag_node *const *nodes, int64_t n, const ag_tensor *t, bool all)
{
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < (all ? nodes[i]->n_in : inputs_of(nodes[i])); k++)
            if (nodes[i]->in[k] == t)
                return true;
    return false;
}

/* The nodes after `in` that `out` needs, the newest first. False if memory runs out. */
static bool find_needed(ag__writing *w, bool all)
{
    if (!ag_visit_nodes(w->out->tape, collect, w))
        return false;
    int64_t kept = 0;
    for (int64_t i = 0; i < w->n; i++) {
        const ag_node *node = w->nodes[i];
        if (node->out != w->in && (node->out == w->out || is_input_of_any(w->nodes, kept, node->out, all)))
            w->nodes[kept++] = node;
    }
    w->n = kept;
    return true;
}

static bool find_way(ag__writing *w)
{
    if (!find_needed(w, false))
        return ag__c_fail(w, "out of memory");
    return is_input_of_any(w->nodes, w->n, w->in, false) || ag__c_fail(w, "the result does not depend on the input");
}

/* Whether t is computed from the input of the file, or memory runs out, and nobody knows. */
static bool is_of_input(const ag__writing *w, const ag_tensor *t)
{
    ag__writing way = {.in = w->in, .out = t};
    const bool  of = t == w->in ||
                    (t->tape && (!find_needed(&way, true) || is_input_of_any(way.nodes, way.n, w->in, true)));
    free(way.nodes);
    return of;
}

/* ---- Names: x, t3 of a node, w3_1 of a node's constant. ---- */

const char *ag__c_name(const ag__writing *w, int64_t node, int input, char *text)
{
    const ag_tensor *t = w->nodes[node]->in[input];
    if (t == w->in)
        return "x";
    for (int64_t i = w->n - 1; i > node; i--)
        if (w->nodes[i]->out == t) {
            snprintf(text, AG__C_NAME, "t%" PRId64, w->n - i);
            return text;
        }
    snprintf(text, AG__C_NAME, "w%" PRId64 "_%d", w->n - node, input);
    return text;
}

static bool is_constant(const ag__writing *w, int64_t node, int input)
{
    char text[AG__C_NAME];
    return ag__c_name(w, node, input, text)[0] == 'w';
}

/* A linear layer's weight is written transposed, and what batch_norm does to a channel is worked out here. */
static bool weights_are_constant(const ag__writing *w, int64_t i)
{
    const ag_node *node = w->nodes[i];
    bool           ok = node->op != &ag__linear_op || node->n_in < 2 || is_constant(w, i, 1);
    for (int k = inputs_of(node); k < node->n_in; k++)
        ok = ok && !is_of_input(w, node->in[k]);
    return ok || ag__c_fail(w, "%s by a weight that is computed cannot be written as C", node->op->name);
}

/* ---- Numbers. ---- */

/* With as many digits as tell all reals apart. */
void ag__c_number(FILE *to, ag_real x)
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
static void write_array(const ag__writing *w, const char *name, int64_t rows, int64_t columns, const ag_real *at,
                        bool transposed)
{
    const int64_t n = rows * columns;
    fprintf(w->to, "static const real %s[%" PRId64 "] = {", name, n);
    for (int64_t i = 0; i < n; i++) {
        fputs(i % 8 ? ", " : i ? ",\n    " : "\n    ", w->to);
        ag__c_number(w->to, at[transposed ? i % rows * columns + i / rows : i]);
    }
    fputs("};\n", w->to);
}

/* ---- The file. ---- */

static void write_math(const ag__writing *w)
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
static bool is_first(const ag__writing *w, int64_t i, bool shared)
{
    for (int64_t k = w->n - 1; k > i; k--) {
        const ag__c_op *earlier = ag__c_op_of(w->nodes[k]), *op = ag__c_op_of(w->nodes[i]);
        if (shared ? earlier->shared == op->shared : earlier == op)
            return false;
    }
    return true;
}

static void write_functions(const ag__writing *w)
{
    for (int64_t i = w->n - 1; i >= 0; i--) {
        const ag__c_op *op = ag__c_op_of(w->nodes[i]);
        if (op->shared && is_first(w, i, true))
            fputs(op->shared, w->to);
        if (!is_first(w, i, false))
            continue;
        if (op->text)
            fputs(op->text, w->to);
        if (op->formula)
            fprintf(w->to, "INLINE real op_%s(%s    return %s;\n}\n\n", w->nodes[i]->op->name, op->head, op->formula);
    }
}

/* The weight of a linear layer is transposed, so that a loop over its outputs reads it in order. */
static void write_constants(const ag__writing *w)
{
    for (int64_t i = w->n - 1; i >= 0; i--) {
        const ag_node *node = w->nodes[i];
        for (int k = 0; k < inputs_of(node); k++) {
            char            name[AG__C_NAME];
            const ag_shape *s = &node->in[k]->shape;
            const bool      transposed = k == 1 && node->op == &ag__linear_op;
            if (is_constant(w, i, k))
                write_array(w, ag__c_name(w, i, k, name), transposed ? s->dim[0] : 1,
                            transposed ? s->dim[1] : ag_numel(s), node->in[k]->data, transposed);
        }
    }
}

static void write_all(const ag__writing *w)
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
        char out[AG__C_NAME];
        snprintf(out, sizeof out, "t%" PRId64, w->n - i);
        if (!ag__c_op_of(w->nodes[i])->is_view)
            fprintf(w->to, "    real %s[%" PRId64 "];\n", out, ag_numel(&w->nodes[i]->out->shape));
        ag__c_op_of(w->nodes[i])->write(w, i, out);
    }
    fprintf(w->to, "    memcpy(y, t%" PRId64 ", %" PRId64 " * sizeof *y);\n}\n", w->n, y);
}

/* Also none of C's keywords nor of the names that the file uses itself. */
static bool is_free_identifier(const char *name)
{
    static const char taken[] = " auto break case char const continue default do double else enum extern float for goto"
                                " if inline int long register restrict return short signed sizeof static struct switch"
                                " typedef union unsigned void volatile while main real ";
    char              word[AG__C_NAME];
    if (!name || !(isalpha((unsigned char)*name) || *name == '_') || !strncmp(name, "op_", 3) ||
        !strncmp(name, "r_", 2))
        return false;
    snprintf(word, sizeof word, " %s ", name);
    while (isalnum((unsigned char)*name) || *name == '_')
        name++;
    return !*name && !strstr(taken, word);
}

bool ag_export_c(FILE *to, const char *name, const ag_tensor *in, const ag_tensor *out, char *message, size_t size)
{
    ag__writing w = {.to = to, .name = name, .in = in, .out = out, .message = message, .size = size};
    if (!to)
        return ag__c_fail(&w, "no stream");
    if (!is_free_identifier(name))
        return ag__c_fail(&w, "the name is no identifier of C, or one that the file uses itself");
    if (!in || !out || !out->tape || in->tape != out->tape || ag_error(out->tape))
        return ag__c_fail(&w, "%s",
                          out && out->tape && ag_error(out->tape) ? ag_error(out->tape)
                                                                  : "input and output are not of one tape");
    if (out->tape->backward_done && !out->tape->retained)
        return ag__c_fail(&w, "backward has run, which uses up what a pass has recorded: export it before");
    if (!in->needs_grad)
        return ag__c_fail(&w, "the input needs no gradient, so what was made of it alone was not recorded");
    bool ok = find_way(&w);
    for (int64_t i = 0; ok && i < w.n; i++)
        ok = ag__c_can_write(&w, w.nodes[i]) && weights_are_constant(&w, i);
    if (ok) {
        write_all(&w);
        ok = (fflush(to) == 0 && !ferror(to)) || ag__c_fail(&w, "the stream cannot be written");
    }
    free(w.nodes);
    return ok;
}
