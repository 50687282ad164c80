/* Backward: a walk over the tape from its last node to its first. */
#include "autograd/tape_internal.h"

/* ---- Memory. The gradient of what an op made is of use from its first part until the op's own backward, and what an
 * op has saved until then, too. After that others use the same memory: the last given back first, as it is still in the
 * caches. ---- */

typedef struct piece {
    ag_real      *data;
    int64_t       size; /* in reals */
    struct piece *next;
} piece;

typedef struct grad_memory {
    ag_tape *tape;
    bool     retain;        /* what ops have saved stays for another backward */
    piece   *free, *unused; /* `unused`: records that stand for no memory */
} grad_memory;

/* Reserves storage for the gradient of t, once. False when memory runs out. */
static bool reserve(grad_memory *m, ag_tensor *t)
{
    const int64_t size = ag_numel(&t->shape);
    if (t->grad_buffer)
        return true;
    piece **p = &m->free;
    while (*p && (*p)->size < size)
        p = &(*p)->next;
    piece *found = *p;
    if (found) {
        *p = found->next;
        t->grad_buffer = found->data;
        t->grad_size = found->size;
        found->next = m->unused;
        m->unused = found;
    } else {
        t->grad_buffer = ag_tape_alloc(m->tape, (size_t)size * sizeof *t->grad);
        t->grad_size = size;
    }
    return t->grad_buffer != NULL;
}

static bool give_back(grad_memory *m, ag_real *data, int64_t size)
{
    piece *p = m->unused;
    if (p)
        m->unused = p->next;
    else
        p = ag_tape_alloc(m->tape, sizeof *p);
    if (!p)
        return false;
    *p = (piece){data, size, m->free};
    m->free = p;
    return true;
}

/* A view's gradient becomes its input's, where that has none so far: no copy is made. */
static bool hand_on(const ag_node *n)
{
    ag_tensor *x = ag__is_view(n) ? n->in[0] : NULL;
    if (!x || !x->tape || !x->needs_grad || x->grad_buffer || n->out->retains_grad)
        return false;
    x->grad_buffer = n->out->grad_buffer;
    x->grad_size = n->out->grad_size;
    return true;
}

/* What one node's backward needs, and what is free after it. */
static bool reserve_node(grad_memory *m, const ag_node *n)
{
    const bool handed = hand_on(n);
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i]->needs_grad && !reserve(m, n->in[i]))
            return false;
    return (!n->saved || m->retain || give_back(m, n->saved, n->saved_size)) &&
           (handed || n->out->retains_grad || give_back(m, n->out->grad_buffer, n->out->grad_size));
}

/* A gradient would be computed with the new values of what forward used with the old ones. */
static bool parameters_are_as_before(const ag_node *n)
{
    uint64_t versions = 0;
    int      parameters = 0;
    ag_shape shape = AG_SCALAR;
    for (int i = 0; i < n->n_in; i++) {
        versions += n->in[i]->version;
        if (n->in[i]->tape)
            continue;
        shape = parameters++ ? shape : n->in[i]->shape;
    }
    if (versions == n->versions)
        return true;
    ag_fail(n->out->tape,
            "backward: %s: %s%s was changed after this pass had used it (by nn_step, nn_load, an initialiser or "
            "ag_written); compute the loss anew",
            n->op->name,
            parameters == 1 ? "a parameter of shape "
            : parameters    ? "one of its parameters"
                            : "an input",
            parameters == 1 ? AG_STR(&shape) : "");
    return false;
}

/* First walk: finds the nodes that the gradient reaches and shares out all memory that they need. Nothing is written to
 * a gradient yet, so that a failure leaves them as they were. */
static bool reserve_all(ag_tape *tape, ag_tensor *from, bool retain)
{
    grad_memory m = {.tape = tape, .retain = retain};
    if (!reserve(&m, from))
        return false;
    for (ag_node *n = tape->last; n; n = n->previous) {
        n->reached = n->out->grad_buffer != NULL && n->op->backward;
        if (n->reached && (!parameters_are_as_before(n) || !reserve_node(&m, n)))
            return false;
    }
    return true;
}

/* ---- Kept gradients: those of a backward before this one, of tensors with ag_retain_grad. The walk is made without
 * them, as their ops have had them already, and they are added to what it finds. ---- */

static void set_aside(ag_tape *tape)
{
    for (ag_node *n = tape->last; n; n = n->previous)
        if (n->out->retains_grad) {
            n->out->kept_grad = n->out->grad;
            n->out->grad = n->out->grad_buffer = NULL;
        }
}

static void add_kept(ag_tensor *t)
{
    ag_real *kept = t->kept_grad;
    if (!kept)
        return;
    for (int64_t i = 0, n = t->grad ? ag_numel(&t->shape) : 0; i < n; i++)
        kept[i] += t->grad[i];
    t->grad = t->grad_buffer = kept;
    t->kept_grad = NULL;
}

/* ---- The walk. ---- */

static bool backward_refused(ag_tensor *t, const ag_real *gradient)
{
    if (!t || !t->tape || t->tape->failed || ag__is_stale(t, "backward"))
        return true;
    ag_tape *tape = t->tape;
    if (tape->backward_done && !tape->retained)
        ag_fail(tape,
                "backward: called a second time on one recording; call ag_tape_reset and compute the loss anew, or "
                "ag_backward_retain the first time");
    else if (!t->needs_grad)
        ag_fail(tape, "backward: %s depends on nothing that wants a gradient (is gradient recording off?)",
                AG_STR(&t->shape));
    else if (!gradient && ag_numel(&t->shape) != 1)
        ag_fail(tape, "backward: the loss has shape %s, expected one element; reduce it with ag_sum or ag_mean",
                AG_STR(&t->shape));
    return tape->failed;
}

static bool backward(ag_tensor *t, const ag_real *gradient, bool retain)
{
    if (backward_refused(t, gradient))
        return false;
    ag_tape *tape = t->tape;
    if (tape->backward_done)
        set_aside(tape);
    if (!reserve_all(tape, t, retain)) {
        for (const ag_node *n = tape->last; n; n = n->previous)
            add_kept(n->out);
        return false;
    }
    ag_real *g = ag_grad(t);
    if (gradient)
        for (int64_t i = 0, n = ag_numel(&t->shape); i < n; i++)
            g[i] += gradient[i];
    else
        g[0] += 1;
    for (const ag_node *n = tape->last; n; n = n->previous) {
        if (n->reached && n->out->grad)
            n->op->backward(n);
        if (n->reached && !n->out->retains_grad)
            n->out->grad = n->out->grad_buffer = NULL;
        add_kept(n->out);
    }
    tape->retained = retain;
    return tape->backward_done = true;
}

bool ag_backward(ag_tensor *loss)
{
    return backward(loss, NULL, false);
}

bool ag_backward_retain(ag_tensor *loss)
{
    return backward(loss, NULL, true);
}

bool ag_backward_from(ag_tensor *t, const ag_real *gradient)
{
    if (!gradient) {
        if (t && t->tape)
            ag_fail(t->tape, "backward: the gradient is NULL");
        return false;
    }
    return backward(t, gradient, false);
}
