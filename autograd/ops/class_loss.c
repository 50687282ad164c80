/* Losses over classes with weights, label smoothing, and a class that counts for nothing: compositions. */
#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/reduction_internal.h"

typedef struct class_targets {
    ag_tensor *number; /* the class, 0 where it is ignored */
    ag_tensor *weight; /* of each target; 0 where it is ignored; NULL: 1 each */
    ag_tensor *valid;  /* 1, or 0 where it is ignored; NULL if nothing can be */
} class_targets;

static class_targets read_targets(ag_tensor *target, const ag_class_options *o)
{
    class_targets t = {.number = target};
    if (o->ignore) {
        t.valid = ag_ne(target, ag_scalar(target->tape, (double)o->ignore_index));
        t.number = ag_masked_fill(target, ag_rsub(t.valid, 1), 0);
        t.weight = t.valid;
    }
    if (o->weight) {
        ag_tensor *all = ag_detach(ag_on_tape(target->tape, o->weight));
        ag_tensor *each = ag_reshape(ag_index_select(all, 0, ag_reshape(t.number, AG_SHAPE(-1))), target->shape);
        t.weight = t.valid ? ag_mul(each, t.valid) : each;
    }
    return t;
}

/* Zero where the target is ignored, whatever x is there and whatever gradient comes back: of a batch of ignored targets
 * the mean is NaN, but training goes on, as in PyTorch. */
static ag_tensor *where_valid(ag_tensor *x, const class_targets *t)
{
    return t->valid ? ag_where(t->valid, x, ag_scalar(x->tape, 0)) : x;
}

/* Losses of the targets, weighted: their mean is divided by the sum of the weights. */
static ag_tensor *reduce(ag_tensor *loss, const class_targets *t, ag_reduction reduction)
{
    if (reduction == AG_NONE)
        return loss;
    if (reduction == AG_MEAN && !t->weight)
        return ag_mean(loss, AG_ALL, false);
    ag_tensor *sum = ag_sum(loss, AG_ALL, false);
    return reduction == AG_SUM ? sum : ag_div(sum, ag_sum(t->weight, AG_ALL, false));
}

static ag_tensor *picked(ag_tensor *log_p, const class_targets *t)
{
    ag_shape index = log_p->shape;
    index.dim[1] = 1;
    ag_tensor *loss = ag_neg(ag_reshape(ag_gather(log_p, 1, ag_reshape(t->number, index)), t->number->shape));
    return where_valid(t->weight ? ag_mul(loss, t->weight) : loss, t);
}

/* For label smoothing: of every class, the mean over them; zero where the target is ignored. */
static ag_tensor *smooth(ag_tensor *log_p, const class_targets *t, const ag_class_options *o)
{
    const int64_t classes = log_p->shape.dim[1];
    if (o->weight) {
        ag_shape shape = log_p->shape;
        for (int i = 0; i < shape.rank; i++)
            shape.dim[i] = i == 1 ? classes : 1;
        log_p = ag_mul(log_p, ag_reshape(ag_detach(ag_on_tape(log_p->tape, o->weight)), shape));
    }
    return where_valid(ag_scale(ag_sum(log_p, AG_AXES(1), false), -1.0 / (double)classes), t);
}

static ag_tensor *class_loss(const char *name, ag_tensor *log_p, ag_tensor *target, const ag_class_options *o,
                             ag_reduction reduction)
{
    ag_tape *tape = log_p && log_p->tape ? log_p->tape : target ? target->tape : NULL;
    if (!log_p || !target)
        return ag_fail(tape, "%s: %s is NULL", name, log_p ? "the target" : "the input");
    if (ag_tensor_error(log_p) || ag_tensor_error(target))
        return ag_tensor_error(log_p) ? log_p : target;
    bool fits = log_p->shape.rank >= 2 && target->shape.rank == log_p->shape.rank - 1;
    for (int i = 0; fits && i < target->shape.rank; i++)
        fits = target->shape.dim[i] == log_p->shape.dim[i + (i > 0)];
    if (!fits)
        return ag_fail(tape, "%s: input %s and target %s, expected (N, C, ...) and (N, ...)", name,
                       AG_STR(&log_p->shape), AG_STR(&target->shape));
    if (!(o->label_smoothing >= 0 && o->label_smoothing <= 1))
        return ag_fail(tape, "%s: label smoothing %g, expected 0 to 1", name, o->label_smoothing);
    if (!ag__is_reduction(reduction))
        return ag_fail(tape, "%s: " AG__REDUCTIONS, name, (int)reduction);
    if (o->weight && (o->weight->shape.rank != 1 || o->weight->shape.dim[0] != log_p->shape.dim[1]))
        return ag_fail(tape, "%s: input %s and weight %s, expected one weight for each class", name,
                       AG_STR(&log_p->shape), AG_STR(&o->weight->shape));
    const class_targets t = read_targets(ag_on_tape(tape, target), o);
    ag_tensor          *loss = picked(log_p, &t);
    if (o->label_smoothing > 0)
        loss = ag_add(ag_scale(loss, 1 - o->label_smoothing), ag_scale(smooth(log_p, &t, o), o->label_smoothing));
    return reduce(loss, &t, reduction);
}

ag_tensor *ag_nll_loss(ag_tensor *log_p, ag_tensor *target, ag_class_options options, ag_reduction reduction)
{
    options.label_smoothing = 0;
    return class_loss("nll_loss", log_p, target, &options, reduction);
}

ag_tensor *ag_cross_entropy_loss_with(ag_tensor *logits, ag_tensor *target, ag_class_options options,
                                      ag_reduction reduction)
{
    if (logits && target) /* NULL is told below */
        logits = ag_log_softmax(logits->tape ? logits : ag_on_tape(target->tape, logits), 1);
    return class_loss("cross_entropy_loss", logits, target, &options, reduction);
}
