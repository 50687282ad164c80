#include "nn/module.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/ops.h"
#include "autograd/tape_internal.h"
#include "nn/module_internal.h"
#include "tools/text.h"

enum {
    MAX_NAME = 64,  /* characters of one name, the last a 0 */
    MAX_DEPTH = 32, /* levels of a tree */
    NAME_MAX_LENGTH = MAX_NAME * (MAX_DEPTH + 1)
};

static const nn_type failed_type = {.name = "Module", .size = sizeof(nn_module)};

/* What constructors return when there is no memory even for a module with an error. Never written to, or freed. */
static const nn_module out_of_memory = {.type = &failed_type, .error = "out of memory"};

static bool is_fixed(const nn_module *m)
{
    return m == &out_of_memory;
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
set_error(nn_module *m, const char *format, ...)
{
    if (is_fixed(m) || m->error[0])
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(m->error, sizeof m->error, format, args);
    va_end(args);
}

void *nn_new(const nn_type *type)
{
    if (!type || type->size < sizeof(nn_module))
        return NULL;
    nn_module *m = calloc(1, type->size);
    if (m)
        m->type = type;
    return m;
}

nn_module *nn_failed(const char *type_name, const char *format, ...)
{
    nn_module *m = nn_new(&failed_type);
    if (!m)
        return (nn_module *)&out_of_memory;
    int     at = snprintf(m->error, sizeof m->error, "%s: ", type_name);
    va_list args;
    va_start(args, format);
    if (at > 0 && (size_t)at < sizeof m->error)
        vsnprintf(m->error + at, sizeof m->error - (size_t)at, format, args);
    va_end(args);
    return m;
}

static void free_tree(nn_module *m)
{
    for (nn_module *c = m->first_child, *next; c; c = next) {
        next = c->next;
        free_tree(c);
    }
    for (nn_parameter *p = m->first_parameter, *next; p; p = next) {
        next = p->next;
        if (!p->is_shared)
            ag_parameter_free(p->tensor);
        free((char *)p->name);
        free(p);
    }
    free((char *)m->name);
    free(m);
}

void nn_module_free(nn_module *m)
{
    if (m && !is_fixed(m) && !m->parent)
        free_tree(m);
}

static bool name_taken(const nn_module *m, const char *name)
{
    for (const nn_module *c = m->first_child; c; c = c->next)
        if (!strcmp(c->name, name))
            return true;
    for (const nn_parameter *p = m->first_parameter; p; p = p->next)
        if (!strcmp(p->name, name))
            return true;
    return false;
}

static bool name_fits(nn_module *m, const char *name)
{
    bool fits = name && *name && strlen(name) < MAX_NAME && !strchr(name, '.');
    if (!fits)
        set_error(m, "%s: \"%s\" is no name: expected 1 to 63 characters without a dot", m->type->name,
                  name ? name : "NULL");
    else if (name_taken(m, name))
        set_error(m, "%s: the name %s is taken", m->type->name, name);
    return fits && !name_taken(m, name);
}

/* A tree has at most MAX_DEPTH levels: then every dotted name fits NAME_MAX_LENGTH. */
static int depth_below(const nn_module *m)
{
    int deepest = 0;
    for (const nn_module *c = m->first_child; c; c = c->next)
        if (depth_below(c) + 1 > deepest)
            deepest = depth_below(c) + 1;
    return deepest;
}

static bool depth_fits(nn_module *m, int below)
{
    int above = 1;
    for (const nn_module *up = m->parent; up; up = up->parent)
        above++;
    if (above + below < MAX_DEPTH)
        return true;
    set_error(m, "%s: more than %d levels of modules", m->type->name, MAX_DEPTH);
    return false;
}

static bool is_above(const nn_module *m, const nn_module *below)
{
    while (below && below != m)
        below = below->parent;
    return below == m;
}

nn_module *nn_add_child(nn_module *m, const char *name, nn_module *child)
{
    if (!m || is_fixed(m)) {
        nn_module_free(child);
        return (nn_module *)&out_of_memory;
    }
    if (!child || is_fixed(child)) {
        set_error(m, "%s.%s: out of memory", m->type->name, name ? name : "NULL");
        return child;
    }
    if (child->parent || is_above(child, m)) {
        set_error(m, "%s.%s: the module already has a parent; to share weights call its forward twice", m->type->name,
                  name ? name : "NULL");
        return child;
    }
    char *copy = name_fits(m, name) && depth_fits(m, depth_below(child)) ? tl_copy(name) : NULL;
    if (!copy) {
        set_error(m, "%s: out of memory", m->type->name);
        nn_module_free(child);
        return (nn_module *)&out_of_memory;
    }
    child->name = copy;
    child->parent = m;
    nn_module **end = &m->first_child;
    while (*end)
        end = &(*end)->next;
    return *end = child;
}

/* Appends an entry of this kind; takes its tensor, NULL if memory ran out. */
static ag_tensor *add_entry(nn_module *m, const char *name, nn_parameter kind)
{
    nn_parameter *p = malloc(sizeof *p);
    char         *copy = tl_copy(name);
    if (!p || !copy || !kind.tensor) {
        set_error(m, "%s.%s: out of memory", m->type->name, name);
        free(p);
        free(copy);
        if (!kind.is_shared)
            ag_parameter_free(kind.tensor);
        return NULL;
    }
    *p = kind;
    p->name = copy;
    nn_parameter **end = &m->first_parameter;
    while (*end)
        end = &(*end)->next;
    *end = p;
    return p->tensor;
}

static ag_tensor *add_tensor(nn_module *m, const char *name, ag_shape shape, bool is_buffer, bool is_count)
{
    if (!m || m->error[0] || is_fixed(m) || !name_fits(m, name) || !depth_fits(m, 0))
        return NULL;
    if (ag_numel(&shape) < 0) {
        set_error(m, "%s.%s: %s is no shape: expected dimensions of at least 1", m->type->name, name, AG_STR(&shape));
        return NULL;
    }
    ag_tensor *t = ag_parameter_new(shape);
    if (t)
        t->needs_grad = !is_buffer;
    return add_entry(m, name, (nn_parameter){.tensor = t, .is_buffer = is_buffer, .is_count = is_count});
}

ag_tensor *nn_share_parameter(nn_module *m, const char *name, ag_tensor *shared)
{
    if (!m || is_fixed(m) || !name_fits(m, name) || !depth_fits(m, 0))
        return NULL;
    if (shared && !shared->tape)
        return add_entry(m, name, (nn_parameter){.tensor = shared, .is_shared = true});
    set_error(m, "%s.%s: the shared tensor is NULL or not a parameter", m->type->name, name);
    return NULL;
}

int64_t nn_children(const nn_module *m)
{
    int64_t n = 0;
    for (const nn_module *c = m ? m->first_child : NULL; c; c = c->next)
        n++;
    return n;
}

nn_module *nn_child_at(const nn_module *m, int64_t i)
{
    nn_module *c = m && i >= 0 ? m->first_child : NULL;
    while (c && i-- > 0)
        c = c->next;
    return c;
}

ag_tensor *nn_add_parameter(nn_module *m, const char *name, ag_shape shape)
{
    return add_tensor(m, name, shape, false, false);
}

ag_tensor *nn_add_buffer(nn_module *m, const char *name, ag_shape shape)
{
    return add_tensor(m, name, shape, true, false);
}

ag_tensor *nn_add_counter(nn_module *m, const char *name)
{
    return add_tensor(m, name, AG_SCALAR, true, true);
}

const char *nn_error(const nn_module *m)
{
    if (!m)
        return "out of memory";
    if (m->error[0])
        return m->error;
    for (const nn_module *c = m->first_child; c; c = c->next)
        if (nn_error(c))
            return nn_error(c);
    return NULL;
}

/* ---- Values. ---- */

/* The children first, so that a model can have its way over the defaults of its layers. */
static void reset_tree(nn_module *m, ag_rng *rng)
{
    for (nn_module *c = m->first_child; c; c = c->next)
        reset_tree(c, rng);
    if (m->type->reset)
        m->type->reset(m, rng);
}

void nn_reset_parameters(nn_module *m, uint64_t seed)
{
    if (!m || nn_error(m))
        return;
    reset_tree(m, &(ag_rng){seed, 0});
    nn_set_ready(m);
}

void nn_set_ready(nn_module *m)
{
    if (!m || is_fixed(m))
        return;
    m->ready = true;
    for (nn_module *c = m->first_child; c; c = c->next)
        nn_set_ready(c);
}

/* "encoder.2: " before the tape's error. */
static void locate_error(ag_tape *tape, const nn_module *m)
{
    char path[NAME_MAX_LENGTH] = "";
    for (; m && m->name; m = m->parent) {
        char longer[sizeof path];
        snprintf(longer, sizeof longer, "%.*s%s%.*s", MAX_NAME, m->name, *path ? "." : "",
                 (int)sizeof path - MAX_NAME - 8, path);
        memcpy(path, longer, sizeof path);
    }
    if (*path)
        ag__locate_error(tape, path);
}

ag_tensor *nn_forward(nn_module *m, ag_tensor *x)
{
    ag_tape *tape = x ? x->tape : NULL;
    if (!m)
        return ag_fail(tape, "forward: the module is NULL");
    if (!x)
        return ag_fail(tape, "%s: the input is NULL", m->type->name);
    if (m->error[0])
        return ag_fail(tape, "%s", m->error);
    if (!m->ready)
        return ag_fail(tape, "%s: the parameters have no values yet: call nn_reset_parameters on the whole model",
                       m->type->name);
    if (!m->type->forward)
        return ag_fail(tape, "%s: a module without forward", m->type->name);
    const bool failed = ag_tensor_error(x) != NULL;
    ag_tensor *y = m->type->forward(m, x);
    if (!failed && ag_error(tape))
        locate_error(tape, m);
    ag_trace(y, m);
    return y;
}

/* ---- Walking the tree. ---- */

typedef struct walk {
    nn_visit_fn *visit;
    bool         shared; /* visits those too */
    void        *context;
    char         name[NAME_MAX_LENGTH];
} walk;

static bool visit_tree(walk *w, nn_module *m, size_t length)
{
    for (nn_parameter *p = m->first_parameter; p; p = p->next) {
        snprintf(w->name + length, sizeof w->name - length, "%s", p->name);
        if ((w->shared || !p->is_shared) && !w->visit(w->context, w->name, p))
            return false;
    }
    for (nn_module *c = m->first_child; c; c = c->next) {
        int    added = snprintf(w->name + length, sizeof w->name - length, "%s.", c->name);
        size_t inner = length + (size_t)(added > 0 ? added : 0);
        if (inner >= sizeof w->name)
            inner = sizeof w->name - 1;
        if (!visit_tree(w, c, inner))
            return false;
    }
    return true;
}

bool nn_visit(nn_module *m, nn_visit_fn *visit, void *context)
{
    walk w = {.visit = visit, .context = context};
    return m && visit && visit_tree(&w, m, 0);
}

bool nn__visit_all(nn_module *m, nn_visit_fn *visit, void *context)
{
    walk w = {.visit = visit, .shared = true, .context = context};
    return m && visit && visit_tree(&w, m, 0);
}

typedef struct search {
    const char *name;
    ag_tensor  *found;
} search;

static bool compare_name(void *context, const char *name, nn_parameter *p)
{
    search *s = context;
    if (!strcmp(name, s->name))
        s->found = p->tensor;
    return !s->found;
}

ag_tensor *nn_parameter_named(nn_module *m, const char *name)
{
    search s = {name, NULL};
    if (name)
        nn__visit_all(m, compare_name, &s);
    return s.found;
}

static bool add_count(void *context, const char *name, nn_parameter *p)
{
    (void)name;
    if (!p->is_buffer)
        *(int64_t *)context += ag_numel(&p->tensor->shape);
    return true;
}

int64_t nn_count(nn_module *m)
{
    int64_t count = 0;
    nn_visit(m, add_count, &count);
    return count;
}

static bool set_needs_grad(void *context, const char *name, nn_parameter *p)
{
    (void)name;
    if (!p->is_buffer)
        p->tensor->needs_grad = *(const bool *)context;
    return true;
}

void nn_set_requires_grad(nn_module *m, bool needs_grad)
{
    nn_visit(m, set_needs_grad, &needs_grad);
}

static bool forget_grad(void *context, const char *name, nn_parameter *p)
{
    (void)context, (void)name;
    ag_zero_grad(p->tensor);
    return true;
}

void nn_zero_grad(nn_module *m)
{
    nn_visit(m, forget_grad, NULL);
}

static bool hash_parameter(void *context, const char *name, nn_parameter *p)
{
    uint64_t        *hash = context;
    const ag_tensor *t = p->tensor;
    *hash = tl_hash(*hash, name, strlen(name));
    *hash = tl_hash_numbers(*hash, t->shape.dim, t->shape.rank, sizeof *t->shape.dim);
    *hash = tl_hash_numbers(*hash, t->data, ag_numel(&t->shape), sizeof *t->data);
    return true;
}

uint64_t nn_fingerprint(nn_module *m)
{
    uint64_t hash = TL_HASH;
    nn_visit(m, hash_parameter, &hash);
    return hash;
}
