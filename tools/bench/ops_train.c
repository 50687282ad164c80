/* The cases of ops.def that train: optimizers and clipping alone, and whole models. */
#include <stdlib.h>
#include <string.h>

#include "autograd/ops.h"
#include "tools/bench/measure.h"
#include "tools/bench/ops.h"
#include "tools/bench/workloads.h"

/* ---- Updates of parameters that have a gradient. ---- */

typedef struct update_run {
    nn_module    *model;
    nn_optimizer *optimizer;
    ag_tape      *tape;
    double        max; /* of the clipping */
} update_run;

static void step(void *context)
{
    update_run *r = context;
    nn_step(r->optimizer, r->tape);
}

/* The limit shrinks a little each time, so that there is always something to clip. */
static void clip_norm(void *context)
{
    update_run *r = context;
    nn_clip_grad_norm(r->model, r->max *= 0.9999);
}

static void clip_value(void *context)
{
    update_run *r = context;
    nn_clip_grad_value(r->model, r->max *= 0.9999);
}

static nn_optimizer *sgd(nn_module *m)
{
    return nn_sgd(m, nn_sgd_defaults(1e-3));
}

static nn_optimizer *sgd_momentum(nn_module *m)
{
    return nn_sgd(m, (nn_sgd_options){.lr = 1e-3, .momentum = 0.9, .weight_decay = 1e-4, .nesterov = true});
}

static nn_optimizer *adam(nn_module *m)
{
    return nn_adam(m, nn_adam_defaults(1e-3));
}

static nn_optimizer *adamw(nn_module *m)
{
    return nn_adamw(m, nn_adamw_defaults(1e-3));
}

static nn_optimizer *adagrad(nn_module *m)
{
    return nn_adagrad(m, nn_adagrad_defaults(1e-3));
}

static nn_optimizer *rmsprop(nn_module *m)
{
    return nn_rmsprop(m, nn_rmsprop_defaults(1e-3));
}

static nn_optimizer *rmsprop_centered(nn_module *m)
{
    return nn_rmsprop(m,
                      (nn_rmsprop_options){.lr = 1e-3, .alpha = 0.99, .eps = 1e-8, .momentum = 0.9, .centered = true});
}

static const struct {
    const char *name;
    nn_optimizer *(*make)(nn_module *m);
    void (*work)(void *context);
} updates[] = {
    {"sgd", sgd, step},
    {"sgd_momentum", sgd_momentum, step},
    {"adam", adam, step},
    {"adamw", adamw, step},
    {"adagrad", adagrad, step},
    {"rmsprop", rmsprop, step},
    {"rmsprop_centered", rmsprop_centered, step},
    {"clip_grad_norm", sgd, clip_norm},
    {"clip_grad_value", sgd, clip_value},
};

/* Makes a module of the case's parameters, `copies` of each, and computes their gradients. False on failure. */
static bool make_parameters(update_run *r, const op_case *c)
{
    static const nn_type type = {.name = "Parameters", .size = sizeof(nn_module)};
    r->model = r->tape ? nn_new(&type) : NULL;
    ag_tensor *loss = ag_scalar(r->tape, 0);
    for (int k = 0; r->model && k < (int)op_number(c, "copies", 1) * c->inputs; k++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", k);
        ag_tensor *p = nn_add_parameter(r->model, name, c->shape[k % c->inputs]);
        if (!p)
            return false;
        ag_rng_uniform(ag_tape_rng(r->tape), ag_numel(&p->shape), -1, 1, p->data);
        loss = ag_add(loss, ag_sum(ag_square(ag_on_tape(r->tape, p)), AG_ALL, false));
    }
    return r->model && ag_backward(loss);
}

double time_update(const op_case *c, double seconds)
{
    size_t i = 0, n = sizeof updates / sizeof *updates;
    while (i < n && strcmp(updates[i].name, c->op) != 0)
        i++;
    if (i == n)
        return OP_UNKNOWN;
    update_run r = {.tape = ag_tape_new(1), .max = 1};
    bool       ok = make_parameters(&r, c);
    r.optimizer = ok ? updates[i].make(r.model) : NULL;
    double us = ok ? measure(updates[i].work, &r, seconds).median : OP_FAILED;
    if (us < 0 || ag_error(r.tape)) {
        fprintf(stderr, "bench: %s: %s\n", c->line, ag_error(r.tape) ? ag_error(r.tape) : "out of memory");
        us = OP_FAILED;
    }
    nn_optimizer_free(r.optimizer);
    nn_module_free(r.model);
    ag_tape_free(r.tape);
    return us;
}

/* ---- Models: the workloads, at other batch sizes. ---- */

static void infer(void *context)
{
    workload_run *r = context;
    ag_tape_reset(r->tape);
    nn_forward(r->model, ag_wrap(r->tape, AG_SHAPE(r->batches.size, r->data.height * r->data.width), r->pixels));
}

double time_model(const op_case *c, const ds_dataset *data, double seconds)
{
    bool            is_infer = strcmp(c->op, "infer") == 0;
    const workload *w = workloads;
    while (w->name && w->name[0] != op_text(c, "model", "")[0])
        w++;
    if (!w->name || (!is_infer && strcmp(c->op, "train") != 0))
        return OP_UNKNOWN;
    workload_run r;
    if (!workload_open(&r, w, data, (int64_t)op_number(c, "batch", 1))) {
        fprintf(stderr, "bench: out of memory\n");
        return OP_FAILED;
    }
    workload_step(&r); /* fills r.pixels, too */
    ag_set_training(r.tape, !is_infer);
    ag_set_grad_enabled(r.tape, !is_infer);
    double us = measure(is_infer ? infer : workload_step, &r, seconds).median;
    if (ag_error(r.tape)) {
        fprintf(stderr, "bench: %s: %s\n", c->line, ag_error(r.tape));
        us = OP_FAILED;
    }
    workload_close(&r);
    return us;
}
