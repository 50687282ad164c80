#include "models/train/run_internal.h"

#include <math.h>
#include <string.h>

int64_t train__batches(const train_plan *plan)
{
    return plan->accumulate > 1 ? plan->accumulate : 1;
}

int64_t train__shards(const train_plan *plan)
{
    return plan->shards > 1 ? plan->shards : 1;
}

bool train__has_pieces(const train_plan *plan)
{
    return train__batches(plan) * train__shards(plan) > 1;
}

const train_ranks *train__ranks(const train_plan *plan)
{
    static const train_ranks alone = {0, 1, NULL, NULL};
    return plan->ranks ? plan->ranks : &alone;
}

int64_t train_phase_batches(const train_phase *phase)
{
    if (!phase || !phase->train || phase->batch < 1)
        return 0;
    return (phase->train->count + phase->batch - 1) / phase->batch;
}

int64_t train__steps_per_epoch(const train_plan *plan, const train_phase *phase)
{
    const int64_t most = train__batches(plan);
    return (train_phase_batches(phase) + most - 1) / most;
}

int64_t train_phase_steps(const train_plan *plan, const train_phase *phase)
{
    if (!plan || !phase)
        return 0;
    return phase->steps > 0 ? phase->steps : phase->epochs * train__steps_per_epoch(plan, phase);
}

static const char *wrong_with_optimizers(const train_plan *plan)
{
    for (int i = 0; i < plan->n_optimizers; i++) {
        const train_optimizer *o = &plan->optimizers[i];
        if (nn_optimizer_error(o->optimizer))
            return nn_optimizer_error(o->optimizer);
        if (!o->name || !*o->name || strchr(o->name, '/'))
            return "an optimizer needs a name without a '/'";
        for (int k = 0; k < i; k++)
            if (!strcmp(plan->optimizers[k].name, o->name))
                return "two optimizers have the same name";
    }
    return NULL;
}

static const char *wrong_with_phase(const train_phase *p)
{
    if (!p->name || !p->train || !p->train->load || !p->step || p->batch < 1 || p->epochs < 0 || p->steps < 0)
        return "a phase needs a name, a source, a step and a batch of at least 1";
    if (p->train->count < 1 || (p->test && (p->test->count < 1 || !p->test->load)))
        return "a source has no examples";
    if ((unsigned)p->order > TRAIN_BLOCKS)
        return "a phase's order is none of the three";
    if (!(p->lr_scale >= 0) || isinf(p->lr_scale))
        return "a phase's lr_scale is at least 0";
    if (p->epochs > INT64_MAX / 4 / p->train->count || p->steps > INT64_MAX / 4 / p->train->count ||
        p->batch > INT64_MAX / 4)
        return "too many epochs or steps";
    return NULL;
}

static const char *wrong_with_ranks(const train_plan *plan)
{
    const train_ranks *ranks = train__ranks(plan);
    if (plan->shards < 0 || plan->shards > TRAIN_MAX_SHARDS)
        return "a plan's shards are 0 to 1024";
    if (ranks->size < 1 || ranks->size > TRAIN_MAX_RANKS || ranks->rank < 0 || ranks->rank >= ranks->size ||
        (ranks->size > 1 && !ranks->exchange))
        return "a plan's ranks are 1 to 1024, each with its number, and need an exchange";
    if (plan->n_optimizers > TRAIN_MAX_PARTS)
        return "a plan has at most 64 optimizers";
    if (ranks->size > train__batches(plan) * train__shards(plan))
        return "more ranks than shards: a step has at least as many shards as there are ranks (--shards)";
    return NULL;
}

const char *train__wrong_with(const train_plan *plan)
{
    if (!plan || !plan->model || plan->n_phases < 1 || !plan->phases || plan->n_optimizers < 0 ||
        (plan->n_optimizers > 0 && !plan->optimizers))
        return "a plan needs a model and at least one phase";
    if (!(plan->clip >= 0) || plan->warmup < 0 || plan->accumulate < 0 || (unsigned)plan->schedule > TRAIN_STEPWISE)
        return "a plan's clip, warmup and accumulate are at least 0, its schedule is one of the four";
    const char *apart = wrong_with_ranks(plan);
    if (apart)
        return apart;
    if (plan->n_observers < 0 || (plan->n_observers > 0 && !plan->observers))
        return "a plan of observers needs them";
    for (int i = 0; i < plan->n_observers; i++)
        if (!plan->observers[i])
            return "an observer is NULL";
    const char *wrong = wrong_with_optimizers(plan);
    for (int i = 0; i < plan->n_phases && !wrong; i++)
        wrong = wrong_with_phase(&plan->phases[i]);
    return wrong ? wrong : nn_error(plan->model);
}
