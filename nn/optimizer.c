#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/kernels/threadpool.h"
#include "autograd/tape_internal.h"
#include "nn/optimizer_internal.h"

#define GRAIN 16384 /* parameters that are worth a thread */

/* What constructors return when there is no memory for anything else. Never written to, or freed. */
static const nn_optimizer out_of_memory = {.error = "optimizer: out of memory"};

static bool count_slots(void *context, const char *name, nn_parameter *p)
{
    (void)name;
    *(int *)context += !p->is_buffer;
    return true;
}

static bool add_slot(void *context, const char *name, nn_parameter *p)
{
    nn_optimizer *o = context;
    (void)name;
    if (!p->is_buffer)
        o->slot[o->slots++] = (nn_slot){.p = p->tensor, .lr_scale = 1, .weight_decay = -1};
    return true;
}

/* Elements of state per parameter, rounded up so that each array is aligned. */
static int64_t padded(const nn_slot *s)
{
    return (ag_numel(&s->p->shape) + 15) / 16 * 16;
}

static bool make_slots(nn_optimizer *o, nn_module *model)
{
    int count = 0;
    nn_visit(model, count_slots, &count);
    o->slot = calloc((size_t)count + 1, sizeof *o->slot);
    if (!o->slot)
        return false;
    nn_visit(model, add_slot, o);
    return true;
}

bool nn__optimizer_allocate(nn_optimizer *o)
{
    int64_t total = 0;
    for (int i = 0; i < o->slots; i++)
        total += padded(&o->slot[i]) * o->rule->states;
    if (o->states || total == 0)
        return true;
    o->states = (uint64_t)total < SIZE_MAX / 16 ? aligned_alloc(64, ((size_t)total * sizeof(ag_real) + 63) / 64 * 64)
                                                : NULL;
    if (!o->states)
        return false;
    memset(o->states, 0, (size_t)total * sizeof(ag_real));
    ag_real *at = o->states;
    for (int i = 0; i < o->slots; i++) {
        for (int k = 0; k < o->rule->states; k++, at += padded(&o->slot[i]))
            o->slot[i].state[k] = at;
        if (o->rule->start)
            o->rule->start(o, &o->slot[i]);
    }
    return true;
}

nn_optimizer *nn__optimizer_new(const nn_rule *rule, nn_module *model, double lr, const char *wrong)
{
    nn_optimizer *o = calloc(1, rule->size);
    if (!o)
        return (nn_optimizer *)&out_of_memory;
    o->rule = rule;
    o->lr = lr;
    if (nn_error(model))
        snprintf(o->error, sizeof o->error, "%s: the model has an error: %s", rule->name, nn_error(model));
    else if (!(lr >= 0) || isinf(lr))
        snprintf(o->error, sizeof o->error, "%s: learning rate is %g, expected at least 0", rule->name, lr);
    else if (wrong)
        snprintf(o->error, sizeof o->error, "%s: %s", rule->name, wrong);
    else if (!make_slots(o, model))
        snprintf(o->error, sizeof o->error, "%s: out of memory", rule->name);
    return o;
}

bool nn_set_parameter_group(nn_optimizer *o, const ag_tensor *parameter, nn_group_options g)
{
    bool found = false;
    if (nn_optimizer_error(o) || !(g.lr_scale >= 0) || isinf(g.lr_scale) || !(g.weight_decay >= 0) ||
        isinf(g.weight_decay))
        return false;
    for (int i = 0; i < o->slots; i++)
        if (o->slot[i].p == parameter) {
            o->slot[i].lr_scale = g.lr_scale;
            o->slot[i].weight_decay = g.weight_decay;
            found = true;
        }
    return found;
}

typedef struct group {
    nn_optimizer    *o;
    nn_group_options options;
    bool             any;
} group;

static bool set_one(void *context, const char *name, nn_parameter *p)
{
    group *g = context;
    (void)name;
    g->any |= nn_set_parameter_group(g->o, p->tensor, g->options);
    return true;
}

bool nn_set_group(nn_optimizer *o, nn_module *part, nn_group_options options)
{
    group g = {o, options, false};
    nn_visit(part, set_one, &g);
    return g.any;
}

void nn_optimizer_free(nn_optimizer *o)
{
    if (!o || o == &out_of_memory)
        return;
    free(o->slot);
    free(o->states);
    free(o);
}

const char *nn_optimizer_error(const nn_optimizer *o)
{
    if (!o)
        return "optimizer: NULL";
    return o->error[0] ? o->error : NULL;
}

typedef struct update_job {
    const nn_optimizer *o;
    const nn_slot      *slot;
} update_job;

static void update_part(void *context, int64_t begin, int64_t end)
{
    const update_job *j = context;
    j->o->rule->update(j->o, j->slot, begin, end);
}

/* Of several passes whose gradients are added up, one may have failed, and been forgotten by ag_tape_reset. */
static bool gradients_are_whole(const nn_optimizer *o, ag_tape *tape)
{
    for (int i = 0; i < o->slots; i++)
        if (o->slot[i].p->grad && tape->failed_at > o->slot[i].p->zeroed) {
            ag_fail(
                tape,
                "%s: step refused: a pass has failed since the last nn_zero_grad, so that its gradient is missing; call "
                "nn_zero_grad and compute all passes anew",
                o->rule->name);
            return false;
        }
    return true;
}

bool nn_step(nn_optimizer *o, ag_tape *tape)
{
    const char *error = nn_optimizer_error(o);
    if (!error && !nn__optimizer_allocate(o))
        error = "optimizer: out of memory for its state";
    if (error)
        ag_fail(tape, "%s", error);
    else if (!ag_backward_done(tape))
        ag_fail(tape, "%s: step refused: backward has not run on this pass", o->rule->name);
    if (error || !ag_backward_done(tape) || !gradients_are_whole(o, tape))
        return false;
    for (int i = 0; i < o->slots; i++) {
        nn_slot *s = &o->slot[i];
        if (!s->p->grad)
            continue;
        o->rule->prepare(o, s);
        agk_parallel(ag_numel(&s->p->shape), GRAIN, update_part, &(update_job){o, s});
        s->steps++;
        ag_written(s->p);
    }
    return true;
}

double nn_lr(const nn_optimizer *o)
{
    return nn_optimizer_error(o) ? NAN : o->lr;
}

bool nn_set_lr(nn_optimizer *o, double lr)
{
    if (nn_optimizer_error(o) || !(lr >= 0) || isinf(lr))
        return false;
    o->lr = lr;
    return true;
}
