/* Modules: the tree of a model's layers, with PyTorch's dotted names.
 *
 * A module is a struct that begins with an nn_module, made by a constructor and owned by the module it is added to;
 * freeing the root frees all. Constructors of layers never return NULL: a module that could not be made carries its
 * error, and nn_error finds it from the root. One check after building a model is enough.
 *
 *     typedef struct { nn_module base; nn_module *fc1, *fc2; } net;
 *
 *     net *n = nn_new(&net_type);
 *     NN_CHILD(n, fc1, nn_linear(784, 400));
 *     NN_CHILD(n, fc2, nn_linear(400, 10));
 *     nn_reset_parameters(&n->base, seed);
 *
 * Parameters have no values until nn_reset_parameters gives them PyTorch's defaults, nn_load of a whole model has read
 * them, or nn_set_ready says so; before that, forward is an error. */
#ifndef NN_MODULE_H
#define NN_MODULE_H

#include <stddef.h>

#include "autograd/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nn_module    nn_module;
typedef struct nn_parameter nn_parameter;

/* What a kind of module is. Functions may be NULL where there is nothing to do. */
typedef struct nn_type {
    const char *name; /* "Linear" */
    size_t      size; /* of the struct that begins with nn_module */
    ag_tensor *(*forward)(nn_module *m, ag_tensor *x);
    void (*reset)(nn_module *m, ag_rng *rng); /* gives the module's own parameters their first values */
    void (*describe)(const nn_module *m, char *text, size_t size); /* "784, 400", for summaries; text is empty */
} nn_type;

struct nn_module {
    const nn_type *type;
    nn_module     *parent, *first_child, *next; /* next: the parent's next child */
    nn_parameter  *first_parameter;
    const char    *name;       /* in the parent; its own copy */
    bool           ready;      /* parameters have values */
    char           error[160]; /* why it could not be made, or empty */
};

/* A tensor that a module owns under a name: a parameter, trained, or a buffer, only saved. */
struct nn_parameter {
    ag_tensor    *tensor;
    const char   *name;
    nn_parameter *next;
    bool          is_buffer;
    bool          is_count;  /* a whole number: saved as one */
    bool          is_shared; /* another module's; not visited by nn_visit */
};

/* A zeroed struct of type->size bytes with its module set up. NULL when memory runs out. */
void *nn_new(const nn_type *type);

/* Frees a tree of modules. NULL is allowed; a module with a parent is freed with it. */
void nn_module_free(nn_module *m);

/* Adds a child under a name; returns the child. The parent owns it from then on. Errors go to the parent: no child, a
 * name that is empty, taken or has a dot, a child that already has a parent or is above m. A module that is out of
 * memory frees the child. */
nn_module *nn_add_child(nn_module *m, const char *name, nn_module *child);
#define NN_CHILD(m, field, child) ((m)->field = nn_add_child(&(m)->base, #field, child))

/* Adds a zero-filled parameter; NULL on failure, with the error in the module. The system gives its memory when values
 * are first written: a large model that was only made, to be compared with a file, takes none. */
ag_tensor *nn_add_parameter(nn_module *m, const char *name, ag_shape shape);
ag_tensor *nn_add_buffer(nn_module *m, const char *name, ag_shape shape);
ag_tensor *nn_add_counter(nn_module *m, const char *name); /* a buffer of one whole number */
#define NN_PARAMETER(m, field, shape) ((m)->field = nn_add_parameter(&(m)->base, #field, shape))
#define NN_BUFFER(m, field, shape)    ((m)->field = nn_add_buffer(&(m)->base, #field, shape))
#define NN_COUNTER(m, field)          ((m)->field = nn_add_counter(&(m)->base, #field))

/* How many children a module has, and child i of them, in the order of registration; NULL if there is none. */
int64_t    nn_children(const nn_module *m);
nn_module *nn_child_at(const nn_module *m, int64_t i);

/* Modules under the names "0", "1", ..., as torch.nn.ModuleList has them: a module without a forward, whose children a
 * model goes through with nn_child_at. More can be appended while the model is being made. */
nn_module *nn_module_list_of(int n, nn_module *const *modules);
nn_module *nn_append(nn_module *list, nn_module *module); /* returns the module */

/* Registers a parameter of another module of the tree under a second name: tied weights, which state dicts of PyTorch
 * hold under both. It is saved under both names, must be in a file under both to be loaded, and is otherwise the one
 * parameter of its owner. Returns `shared`; NULL on failure, with the error in the module. */
ag_tensor *nn_share_parameter(nn_module *m, const char *name, ag_tensor *shared);

/* A module that carries an error: what constructors return when they fail. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
nn_module *
nn_failed(const char *type_name, const char *format, ...);

/* The first error in the tree, or NULL. A NULL module is out of memory. */
const char *nn_error(const nn_module *m);

/* Gives all parameters their first values: PyTorch's defaults, a function of seed alone. A type's `reset` is called
 * after those of the module's children. */
void nn_reset_parameters(nn_module *m, uint64_t seed);

/* Marks a tree whose values are set otherwise, by hand, as ready. */
void nn_set_ready(nn_module *m);

/* m(x). The result is poison when x is, when the module carries an error, or has no values yet. */
ag_tensor *nn_forward(nn_module *m, ag_tensor *x);

/* Calls visit for each parameter and buffer of the tree, in the order of registration, with its dotted name, until it
 * returns false. Returns whether all were visited. A module's own come before its children's. Shared ones are visited
 * once, by their owner's name. */
typedef bool nn_visit_fn(void *context, const char *name, nn_parameter *p);
bool         nn_visit(nn_module *m, nn_visit_fn *visit, void *context);

/* The parameter or buffer of a dotted name ("encoder.0.weight"), or NULL. */
ag_tensor *nn_parameter_named(nn_module *m, const char *name);

/* Number of trained elements: PyTorch's sum(p.numel() for p in m.parameters()). */
int64_t nn_count(nn_module *m);

/* Turns the training of a tree's parameters off and on: PyTorch's requires_grad_(). */
void nn_set_requires_grad(nn_module *m, bool needs_grad);

/* Forgets all gradients of the tree. */
void nn_zero_grad(nn_module *m);

/* A hash of all values, names and shapes of the tree (FNV-1a, 64 bits): equal models have equal fingerprints. */
uint64_t nn_fingerprint(nn_module *m);

#ifdef __cplusplus
}
#endif
#endif
