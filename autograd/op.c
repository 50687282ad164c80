#include "autograd/op.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "autograd/kernels/copy.h"
#include "autograd/tape_internal.h"

/* The one tape among the inputs; ag__no_tape when there is none. Fails it when an input is NULL, on another tape, or
 * the result of an expression that was on none. */
static ag_tape *common_tape(ag_tape *tape, const char *name, int n_in, ag_tensor *const *in)
{
    int              missing = -1, orphan = -1;
    ag_tape         *other = NULL;
    const ag_tensor *stale = NULL;
    for (int i = 0; i < n_in; i++) {
        if (!in[i])
            missing = i;
        else if (in[i]->tape == ag__no_tape())
            orphan = i;
        else if (in[i]->tape && !tape)
            tape = in[i]->tape;
        else if (in[i]->tape && in[i]->tape != tape)
            other = in[i]->tape;
        if (in[i] && in[i]->tape && in[i]->pass != in[i]->tape->pass)
            stale = in[i];
    }
    if (!tape)
        return ag__no_tape();
    if (missing >= 0)
        ag_fail(tape, "%s: input %d is NULL", name, missing);
    else if (orphan >= 0)
        ag_fail(tape, "%s: input %d has failed: %s", name, orphan, ag_error(ag__no_tape()));
    else if (other) {
        ag_fail(tape, "%s: inputs are on different tapes", name);
        ag_fail(other, "%s: inputs are on different tapes", name);
    } else if (stale)
        ag__is_stale(stale, name);
    return tape;
}

static ag_node *node_new(ag_tape *tape, const ag_op *op, int n_in, ag_tensor *const *in, const void *attr,
                         size_t attr_size)
{
    ag_node   *node = ag_tape_alloc(tape, sizeof *node + (size_t)n_in * sizeof *in);
    void      *own_attr = attr_size > 0 ? ag_tape_alloc(tape, attr_size) : NULL;
    ag_tensor *out = ag__tensor_new(tape);
    if (!node || !out || (attr_size > 0 && !own_attr))
        return NULL;
    *node = (ag_node){.op = op, .out = out, .in = (ag_tensor **)(node + 1), .n_in = n_in};
    if (n_in > 0)
        memcpy(node->in, in, (size_t)n_in * sizeof *in);
    if (attr_size > 0)
        node->attr = memcpy(own_attr, attr, attr_size);
    for (int i = 0; i < n_in; i++)
        node->versions += in[i]->version;
    return node;
}

/* The op's shape rule, then the output's memory. */
static bool node_prepare(ag_node *node)
{
    ag_tensor *out = node->out;
    if (!node->op->shape(node))
        return ag_op_fail(node, "the shape rule refused its inputs");
    int64_t n = ag_numel(&out->shape);
    if (n < 0)
        return ag_op_fail(node, "the result's shape %s is no shape", AG_STR(&out->shape));
    if (!out->data)
        out->data = ag_tape_alloc(out->tape, (size_t)n * sizeof *out->data);
    return !out->tape->failed;
}

static void record(ag_tape *tape, ag_node *node)
{
    ag_tensor *out = node->out;
    bool       wanted = false;
    for (int i = 0; i < node->n_in; i++) {
        wanted |= node->in[i]->needs_grad;
        out->unrecorded |= node->in[i]->unrecorded;
    }
    out->needs_grad = wanted && tape->recording && node->op->backward;
    out->unrecorded |= wanted && !out->needs_grad;
    if (!out->needs_grad)
        return;
    node->training = tape->training;
    node->previous = tape->last;
    tape->last = node;
}

ag_tensor *ag_apply_on(ag_tape *tape, const ag_op *op, int n_in, ag_tensor *const *in, const void *attr,
                       size_t attr_size)
{
    if (!op || !op->name || !op->shape || n_in < 0 || (n_in > 0 && !in))
        return ag_fail(tape, "apply: no op, or no inputs");
    tape = common_tape(tape, op->name, n_in, in);
    if (tape->failed)
        return ag__poison(tape);
    ag_node *node = node_new(tape, op, n_in, in, attr, attr_size);
    if (!node || !node_prepare(node))
        return ag__poison(tape);
    if (op->forward)
        op->forward(node);
    record(tape, node);
    return node->out;
}

ag_tensor *ag_apply(const ag_op *op, int n_in, ag_tensor *const *in, const void *attr, size_t attr_size)
{
    return ag_apply_on(NULL, op, n_in, in, attr, attr_size);
}

bool ag_op_fail(ag_node *node, const char *format, ...)
{
    char    message[400];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    ag_fail(node->out->tape, "%s: %s", node->op->name, message);
    return false;
}

ag_real *ag_op_save(ag_node *node, int64_t count)
{
    if (!node)
        return NULL;
    const bool   fits = count >= 0 && (uint64_t)count <= SIZE_MAX / sizeof(ag_real);
    const size_t size = fits ? (size_t)count * sizeof(ag_real) : SIZE_MAX; /* which is refused */
    node->saved_size = count;
    return node->saved = ag_tape_alloc(node->out->tape, size);
}

ag_grad_target ag_grad_open(ag_tensor *t)
{
    if (!t)
        return (ag_grad_target){NULL, false};
    if (!t->needs_grad || !t->grad_buffer)
        return (ag_grad_target){NULL, false};
    bool add = t->grad != NULL;
    t->grad = t->grad_buffer;
    return (ag_grad_target){t->grad, add};
}

ag_real *ag_grad(ag_tensor *t)
{
    if (!t)
        return NULL;
    ag_grad_target g = ag_grad_open(t);
    if (g.data && !g.add)
        agk_zero_rows(1, ag_numel(&t->shape), g.data, 0);
    return g.data;
}

bool ag_visit_nodes(const ag_tape *tape, bool (*visit)(void *context, const ag_node *node), void *context)
{
    if (!tape || !visit)
        return false;
    for (const ag_node *node = tape->last; node; node = node->previous)
        if (!visit(context, node))
            return false;
    return true;
}

void ag_grad_add(ag_tensor *t, const ag_real *g)
{
    if (!t || !g)
        return;
    ag_grad_target d = ag_grad_open(t);
    const int64_t  n = ag_numel(&t->shape);
    if (d.data)
        agk_copy_rows(1, n, g, n, d.add, d.data, n);
}

bool ag__is_view(const ag_node *node)
{
    return node && node->n_in > 0 && node->in[0] && node->out && node->op->backward == ag_view_backward &&
           ag_numel(&node->in[0]->shape) == ag_numel(&node->out->shape);
}

void ag_view_backward(const ag_node *node)
{
    if (!ag__is_view(node))
        return;
    ag_tensor *x = node->in[0];
    if (x->grad_buffer && x->grad_buffer == node->out->grad)
        x->grad = x->grad_buffer;
    else
        ag_grad_add(x, node->out->grad);
}
