/* RMSprop: torch.optim.RMSprop. */
#include "nn/optimizer_internal.h"

typedef struct rmsprop {
    nn_optimizer       base;
    nn_rmsprop_options options;
    agk_rmsprop        now;
} rmsprop;

static void rmsprop_prepare(nn_optimizer *base, const nn_slot *s)
{
    rmsprop *o = (rmsprop *)base;
    o->now = (agk_rmsprop){
        .lr = (ag_real)nn__lr_of(base, s),
        .alpha = (ag_real)o->options.alpha,
        .one_minus_alpha = (ag_real)(1 - o->options.alpha),
        .eps = (ag_real)o->options.eps,
        .weight_decay = (ag_real)nn__decay_of(s, o->options.weight_decay),
        .momentum = (ag_real)o->options.momentum,
    };
}

static void rmsprop_update(const nn_optimizer *base, const nn_slot *s, int64_t begin, int64_t end)
{
    const rmsprop *o = (const rmsprop *)base;
    ag_real       *mean = o->options.centered ? s->state[1] + begin : NULL;
    ag_real       *velocity = o->options.momentum > 0 ? s->state[2] + begin : NULL;
    agk()->rmsprop(end - begin, &o->now, s->p->grad + begin, s->state[0] + begin, mean, velocity, s->p->data + begin);
}

static const nn_rule rmsprop_rule = {
    "RMSprop",       sizeof(rmsprop), 3, {"square_avg", "grad_avg", "momentum_buffer"}, NULL,
    rmsprop_prepare, rmsprop_update};

nn_rmsprop_options nn_rmsprop_defaults(double lr)
{
    return (nn_rmsprop_options){.lr = lr, .alpha = 0.99, .eps = 1e-8};
}

nn_optimizer *nn_rmsprop(nn_module *model, nn_rmsprop_options options)
{
    const char *wrong = NULL;
    if (!(options.alpha >= 0 && options.alpha <= 1))
        wrong = "alpha must be 0 to 1";
    else if (!(options.eps >= 0))
        wrong = "eps must be at least 0";
    else if (!(options.weight_decay >= 0 && options.momentum >= 0))
        wrong = "weight decay and momentum must be at least 0";
    nn_optimizer *o = nn__optimizer_new(&rmsprop_rule, model, options.lr, wrong);
    if (!nn_optimizer_error(o))
        ((rmsprop *)o)->options = options;
    return o;
}
