#include "models/train/run_internal.h"

#include <math.h>

bool train_load(train_step *s, train_batch *batch)
{
    if (!s || !batch)
        return false;
    ag_tape *tape = s->run->tape;
    ag_tape_reset(tape);
    *batch = (train_batch){.n = s->n};
    if (!s->source->load(s->source->self, tape, s->index, s->n, batch)) {
        ag_fail(tape, "the examples could not be loaded");
        return false;
    }
    if (!s->loaded)
        *(s->note ? &s->note->examples : &s->sums->examples) += s->n;
    s->loaded = true;
    return !ag_error(tape);
}

/* ---- The gradient goes to one part of the model: the others' parameters want none while backward runs. ---- */

typedef struct freezer {
    ag_tensor **frozen; /* on the tape's memory */
    int64_t     n;
    bool        outside; /* the parameters are of no part that is minimised */
    nn_module  *part;
} freezer;

static bool freeze_one(void *context, const char *name, nn_parameter *p)
{
    freezer *f = context;
    (void)name;
    if (p->tensor->needs_grad && !p->is_buffer) {
        f->frozen[f->n++] = p->tensor;
        p->tensor->needs_grad = false;
    }
    return true;
}

static bool thaw_one(void *context, const char *name, nn_parameter *p)
{
    freezer *f = context;
    (void)name;
    for (int64_t i = 0; i < f->n; i++)
        if (f->frozen[i] == p->tensor) {
            p->tensor->needs_grad = true;
            f->frozen[i] = f->frozen[--f->n];
            break;
        }
    return true;
}

static bool count_one(void *context, const char *name, nn_parameter *p)
{
    (void)name, (void)p;
    ++*(int64_t *)context;
    return true;
}

/* Backward with all parameters frozen that are not the part's. */
static bool backward_to(train_step *s, ag_tensor *loss, nn_module *part)
{
    nn_module *model = s->run->plan->model;
    if (!part || part == model)
        return ag_backward(loss);
    int64_t count = 0;
    nn_visit(model, count_one, &count);
    freezer f = {.frozen = ag_tape_alloc(s->run->tape, (size_t)(count + 1) * sizeof *f.frozen)};
    if (!f.frozen)
        return false;
    nn_visit(model, freeze_one, &f);
    nn_visit(part, thaw_one, &f);
    bool ok = ag_backward(loss);
    for (int64_t i = 0; i < f.n; i++)
        f.frozen[i]->needs_grad = true;
    return ok;
}

/* ---- The seam. ---- */

/* What the learning rate is multiplied with at step t of n. */
static double schedule_factor(const train_plan *plan, int64_t t, int64_t n)
{
    double factor = plan->warmup > 0 ? nn_warmup_lr(1, t + 1, plan->warmup, 0) : 1;
    switch (plan->schedule) {
    case TRAIN_COSINE: return factor * nn_cosine_lr(1, t, n, 0);
    case TRAIN_LINEAR: return factor * (double)(n - t) / (double)n;
    case TRAIN_STEPWISE: return factor * nn_step_lr(1, t, (n + 2) / 3, 0.1);
    default: return factor;
    }
}

static void set_rate(train_run *run, int i)
{
    const train_plan *plan = run->plan;
    const double      scale = plan->phases[run->phase].lr_scale;
    if (plan->schedule != TRAIN_CONSTANT || plan->warmup > 0 || scale > 0)
        nn_set_lr(plan->optimizers[i].optimizer,
                  run->lr[i] * (scale > 0 ? scale : 1) * schedule_factor(plan, run->step, run->steps));
}

bool train__optimize(train_run *run, int optimizer)
{
    const train_optimizer *o = &run->plan->optimizers[optimizer];
    if (run->plan->clip > 0)
        nn_clip_grad_norm(o->part ? o->part : run->plan->model, run->plan->clip);
    set_rate(run, optimizer);
    return nn_step(o->optimizer, run->tape);
}

/* The optimizer's index in the plan; -1 if it is not there: it would be in no checkpoint. */
static int index_of(const train_plan *plan, const train_optimizer *o)
{
    for (int i = 0; o && i < plan->n_optimizers; i++)
        if (plan->optimizers[i].optimizer == o->optimizer)
            return i;
    return -1;
}

static bool keep_gradient(train_step *s, int optimizer)
{
    if (train__keep_gradient(s->run->shards, s->note, s->piece, optimizer))
        return true;
    ag_fail(s->run->tape, "minimize: where a step has several batches or shards, each optimizer is used once in it");
    return false;
}

bool train_minimize(train_step *s, ag_tensor *loss, const train_optimizer *o)
{
    if (!s)
        return false;
    train_run *run = s->run;
    const int  index = index_of(run->plan, o);
    if (index < 0) {
        ag_fail(run->tape, "minimize: the optimizer is not one of the plan's");
        return false;
    }
    if (s->test)
        return !ag_error(run->tape);
    nn_module *part = o->part ? o->part : run->plan->model;
    nn_zero_grad(part);
    if (!backward_to(s, s->share < 1 ? ag_scale(loss, s->share) : loss, part))
        return false;
    return s->piece < 0 ? train__optimize(run, index) : keep_gradient(s, index);
}

/* ---- Reports. ---- */

void train_report_number(train_step *s, const char *metric, double sum)
{
    if (!s)
        return;
    if (s->note ? train__note_add(s->note, metric, sum) : train_sums_add(s->sums, metric, sum))
        return;
    if (s->note && train_is_metric(metric))
        ag_fail(s->run->tape, "report: with shards or accumulation a step reports at most %d metrics",
                TRAIN_NOTE_METRICS);
    else
        ag_fail(s->run->tape,
                "report: \"%.40s\" is not the name of a metric (1 to 31 letters, digits and _), or memory runs out",
                metric ? metric : "NULL");
}

void train_report(train_step *s, const char *metric, const ag_tensor *sum)
{
    if (!s)
        return;
    if (ag_tensor_error(sum))
        return;
    if (ag_numel(&sum->shape) != 1)
        ag_fail(s->run->tape, "report: %.40s has shape %s, expected one element", metric ? metric : "NULL",
                AG_STR(&sum->shape));
    else
        train_report_number(s, metric, ag_item(sum));
}

ag_tape *train_tape(const train_step *s)
{
    if (!s)
        return NULL;
    return s->run->tape;
}

bool train_is_test(const train_step *s)
{
    if (!s)
        return false;
    return s->test;
}

int train_step_phase(const train_step *s)
{
    if (!s)
        return -1;
    return s->run->phase;
}

int64_t train_step_number(const train_step *s)
{
    if (!s)
        return -1;
    return s->run->step;
}

double train_rise(const train_step *s, int64_t steps)
{
    if (!s || train_is_test(s))
        return 1;
    const train_plan *plan = s->run->plan;
    double            made = (double)s->run->step;
    for (int i = s->run->phase; i > 0 && plan->phases[i].continues; i--)
        made += (double)train_phase_steps(plan, &plan->phases[i - 1]);
    return made >= (double)steps ? 1 : made / (double)steps;
}
