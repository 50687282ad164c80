/* Adagrad: torch.optim.Adagrad, without its decay of the rate. */
#include "nn/optimizer_internal.h"

typedef struct adagrad {
    nn_optimizer       base;
    nn_adagrad_options options;
    agk_adagrad        now;
} adagrad;

static void adagrad_start(const nn_optimizer *base, nn_slot *s)
{
    const adagrad *o = (const adagrad *)base;
    for (int64_t k = 0, n = ag_numel(&s->p->shape); k < n; k++)
        s->state[0][k] = (ag_real)o->options.initial_accumulator;
}

static void adagrad_prepare(nn_optimizer *base, const nn_slot *s)
{
    adagrad *o = (adagrad *)base;
    o->now = (agk_adagrad){
        .lr = (ag_real)nn__lr_of(base, s),
        .eps = (ag_real)o->options.eps,
        .weight_decay = (ag_real)nn__decay_of(s, o->options.weight_decay),
    };
}

static void adagrad_update(const nn_optimizer *base, const nn_slot *s, int64_t begin, int64_t end)
{
    const adagrad *o = (const adagrad *)base;
    agk()->adagrad(end - begin, &o->now, s->p->grad + begin, s->state[0] + begin, s->p->data + begin);
}

static const nn_rule adagrad_rule = {"Adagrad",       sizeof(adagrad), 1, {"sum"}, adagrad_start,
                                     adagrad_prepare, adagrad_update};

nn_adagrad_options nn_adagrad_defaults(double lr)
{
    return (nn_adagrad_options){.lr = lr, .eps = 1e-10};
}

nn_optimizer *nn_adagrad(nn_module *model, nn_adagrad_options options)
{
    const char *wrong = NULL;
    if (!(options.eps >= 0))
        wrong = "eps must be at least 0";
    else if (!(options.weight_decay >= 0))
        wrong = "weight decay must be at least 0";
    else if (!(options.initial_accumulator >= 0))
        wrong = "the initial accumulator must be at least 0";
    nn_optimizer *o = nn__optimizer_new(&adagrad_rule, model, options.lr, wrong);
    if (!nn_optimizer_error(o))
        ((adagrad *)o)->options = options;
    return o;
}
