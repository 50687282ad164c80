/* What the optimizers share. */
#ifndef NN_OPTIMIZER_INTERNAL_H
#define NN_OPTIMIZER_INTERNAL_H

#include "autograd/kernels/kernels.h"
#include "nn/optimizer.h"

enum { NN_MAX_STATES = 3 };

/* One parameter and its state. */
typedef struct nn_slot {
    ag_tensor *p;
    ag_real   *state[NN_MAX_STATES];
    int64_t    steps;        /* updates made so far */
    double     lr_scale;     /* of its group; */
    double     weight_decay; /* below 0: the optimizer's */
} nn_slot;

typedef struct nn_rule {
    const char *name;
    size_t      size;                 /* of the struct that begins with nn_optimizer */
    int         states;               /* arrays of state per parameter */
    const char *state[NN_MAX_STATES]; /* their names in torch.optim */
    /* Gives a slot's states their first values; NULL if they are 0. */
    void (*start)(const nn_optimizer *o, nn_slot *s);
    /* Works out the constants of the update that a slot makes next. */
    void (*prepare)(nn_optimizer *o, const nn_slot *s);
    /* Updates elements begin .. end-1. */
    void (*update)(const nn_optimizer *o, const nn_slot *s, int64_t begin, int64_t end);
} nn_rule;

struct nn_optimizer {
    const nn_rule *rule;
    double         lr;
    int            slots;
    nn_slot       *slot;
    ag_real       *states; /* the memory of all state arrays; NULL until it is needed */
    char           error[160];
};

/* A new optimizer of rule->size bytes over the model's parameters, its state zero. `wrong` names an invalid option, or
 * is NULL. Never NULL; check nn_optimizer_error before use. */
nn_optimizer *nn__optimizer_new(const nn_rule *rule, nn_module *model, double lr, const char *wrong);

/* The learning rate and the weight decay of a slot's group. */
static inline double nn__lr_of(const nn_optimizer *o, const nn_slot *s)
{
    return o->lr * s->lr_scale;
}

static inline double nn__decay_of(const nn_slot *s, double decay)
{
    return s->weight_decay < 0 ? decay : s->weight_decay;
}

/* Memory for the state, at the first step or when it is loaded. False when memory runs out. */
bool nn__optimizer_allocate(nn_optimizer *o);

#endif
