/* SGD with momentum, dampening, Nesterov's variant and L2 decay: torch.optim.SGD. */
#include "nn/optimizer_internal.h"

typedef struct sgd {
    nn_optimizer   base;
    nn_sgd_options options;
    agk_sgd        now;
} sgd;

static void sgd_prepare(nn_optimizer *base, const nn_slot *s)
{
    sgd *o = (sgd *)base;
    o->now = (agk_sgd){
        .lr = (ag_real)nn__lr_of(base, s),
        .momentum = (ag_real)o->options.momentum,
        .dampening = (ag_real)o->options.dampening,
        .weight_decay = (ag_real)nn__decay_of(s, o->options.weight_decay),
        .nesterov = o->options.nesterov,
        .first = s->steps == 0,
    };
}

static void sgd_update(const nn_optimizer *base, const nn_slot *s, int64_t begin, int64_t end)
{
    const sgd *o = (const sgd *)base;
    ag_real   *velocity = o->options.momentum > 0 ? s->state[0] + begin : NULL;
    agk()->sgd(end - begin, &o->now, s->p->grad + begin, velocity, s->p->data + begin);
}

static const nn_rule sgd_rule = {"SGD", sizeof(sgd), 1, {"momentum_buffer"}, NULL, sgd_prepare, sgd_update};
static const nn_rule plain_sgd_rule = {"SGD", sizeof(sgd), 0, {NULL}, NULL, sgd_prepare, sgd_update};

nn_sgd_options nn_sgd_defaults(double lr)
{
    return (nn_sgd_options){.lr = lr};
}

nn_optimizer *nn_sgd(nn_module *model, nn_sgd_options options)
{
    const char *wrong = NULL;
    if (!(options.momentum >= 0))
        wrong = "momentum must be at least 0";
    else if (!(options.weight_decay >= 0))
        wrong = "weight decay must be at least 0";
    else if (options.nesterov && !(options.momentum > 0 && options.dampening >= 0 && options.dampening <= 0))
        wrong = "Nesterov momentum needs a momentum and no dampening";
    nn_optimizer *o = nn__optimizer_new(options.momentum > 0 ? &sgd_rule : &plain_sgd_rule, model, options.lr, wrong);
    if (!nn_optimizer_error(o))
        ((sgd *)o)->options = options;
    return o;
}
