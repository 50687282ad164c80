/* Adam and AdamW: torch.optim.Adam, torch.optim.AdamW. */
#include <math.h>

#include "nn/optimizer_internal.h"

typedef struct adam {
    nn_optimizer    base;
    nn_adam_options options;
    bool            decoupled; /* AdamW */
    agk_adam        now;
} adam;

static void adam_start(const nn_optimizer *base, nn_slot *s)
{
    const adam *o = (const adam *)base;
    for (int64_t k = 0, n = ag_numel(&s->p->shape); k < n; k++)
        s->state[1][k] = (ag_real)o->options.initial_exp_avg_sq;
}

static void adam_prepare(nn_optimizer *base, const nn_slot *s)
{
    adam                  *o = (adam *)base;
    const nn_adam_options *p = &o->options;
    double                 t = (double)(s->steps + 1);
    o->now = (agk_adam){
        .step_size = (ag_real)(nn__lr_of(base, s) / (1 - pow(p->beta1, t))),
        .root_correction = (ag_real)(1 / sqrt(1 - pow(p->beta2, t))),
        .one_minus_beta1 = (ag_real)(1 - p->beta1),
        .beta2 = (ag_real)p->beta2,
        .one_minus_beta2 = (ag_real)(1 - p->beta2),
        .eps = (ag_real)p->eps,
        .weight_decay = o->decoupled ? 0 : (ag_real)nn__decay_of(s, p->weight_decay),
        .keep = o->decoupled ? (ag_real)(1 - nn__lr_of(base, s) * nn__decay_of(s, p->weight_decay)) : 1,
    };
}

static void adam_update(const nn_optimizer *base, const nn_slot *s, int64_t begin, int64_t end)
{
    const adam *o = (const adam *)base;
    agk()->adam(end - begin, &o->now, s->p->grad + begin, s->state[0] + begin, s->state[1] + begin, s->p->data + begin);
}

static const nn_rule adam_rule = {"Adam",     sizeof(adam), 2,          {"exp_avg", "exp_avg_sq"},
                                  adam_start, adam_prepare, adam_update};
static const nn_rule adamw_rule = {"AdamW",    sizeof(adam), 2,          {"exp_avg", "exp_avg_sq"},
                                   adam_start, adam_prepare, adam_update};

nn_adam_options nn_adam_defaults(double lr)
{
    return (nn_adam_options){.lr = lr, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
}

nn_adam_options nn_adamw_defaults(double lr)
{
    nn_adam_options options = nn_adam_defaults(lr);
    options.weight_decay = 0.01;
    return options;
}

static nn_optimizer *adam_new(const nn_rule *rule, nn_module *model, nn_adam_options options)
{
    const char *wrong = NULL;
    if (!(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1))
        wrong = "beta1 and beta2 must be at least 0 and below 1";
    else if (!(options.eps >= 0))
        wrong = "eps must be at least 0";
    else if (!(options.weight_decay >= 0))
        wrong = "weight decay must be at least 0";
    else if (!(options.initial_exp_avg_sq >= 0))
        wrong = "the initial mean of squares must be at least 0";
    nn_optimizer *o = nn__optimizer_new(rule, model, options.lr, wrong);
    if (!nn_optimizer_error(o)) {
        ((adam *)o)->options = options;
        ((adam *)o)->decoupled = rule == &adamw_rule;
    }
    return o;
}

nn_optimizer *nn_adam(nn_module *model, nn_adam_options options)
{
    return adam_new(&adam_rule, model, options);
}

nn_optimizer *nn_adamw(nn_module *model, nn_adam_options options)
{
    return adam_new(&adamw_rule, model, options);
}
