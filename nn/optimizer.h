/* Optimizers: torch.optim's updates, each one fused pass over a parameter and its state.
 *
 *     nn_optimizer *adam = nn_adam(model, nn_adam_defaults(1e-3));
 *     ...
 *     nn_zero_grad(model);
 *     ag_backward(loss);
 *     if (!nn_step(adam, tape))
 *         fprintf(stderr, "%s\n", ag_error(tape));
 *
 * Constructors never return NULL: what is wrong with an option is told by nn_optimizer_error and by every step. The
 * model must outlive its optimizer. */
#ifndef NN_OPTIMIZER_H
#define NN_OPTIMIZER_H

#include "nn/module.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nn_optimizer nn_optimizer;

/* Begin with nn_..._defaults and change fields: unlike in ag_conv_options, 0 means 0 here. weight_decay is L2, added to
 * the gradient, except for AdamW, where it is decoupled. */
typedef struct nn_sgd_options {
    double lr, momentum, dampening, weight_decay;
    bool   nesterov;
} nn_sgd_options;

/* initial_exp_avg_sq is what the mean of squares starts from: 0 in PyTorch; a larger one makes the first 1 / (1 -
 * beta2) steps small. */
typedef struct nn_adam_options {
    double lr, beta1, beta2, eps, weight_decay, initial_exp_avg_sq;
} nn_adam_options;

typedef struct nn_adagrad_options {
    double lr, eps, weight_decay, initial_accumulator;
} nn_adagrad_options;

typedef struct nn_rmsprop_options {
    double lr, alpha, eps, weight_decay, momentum;
    bool   centered;
} nn_rmsprop_options;

/* PyTorch's defaults. */
nn_sgd_options     nn_sgd_defaults(double lr);     /* no momentum, no decay */
nn_adam_options    nn_adam_defaults(double lr);    /* 0.9, 0.999, 1e-8, no decay */
nn_adam_options    nn_adamw_defaults(double lr);   /* the same, decay 0.01 */
nn_adagrad_options nn_adagrad_defaults(double lr); /* eps 1e-10, accumulators from 0 */
nn_rmsprop_options nn_rmsprop_defaults(double lr); /* alpha 0.99, eps 1e-8, no momentum */

/* As torch.optim's, from: Sutskever et al.: "On the importance of initialization and momentum in deep learning", 2013;
 * Kingma, Ba: "Adam", 2015; Loshchilov, Hutter: "Decoupled weight decay regularization", 2019; Duchi et al.: "Adaptive
 * subgradient methods", 2011; Hinton's lecture 6e, 2012, centred as by Graves: "Generating sequences with recurrent
 * neural networks", 2013. */
nn_optimizer *nn_sgd(nn_module *model, nn_sgd_options options);
nn_optimizer *nn_adam(nn_module *model, nn_adam_options options);
nn_optimizer *nn_adamw(nn_module *model, nn_adam_options options);
nn_optimizer *nn_adagrad(nn_module *model, nn_adagrad_options options);
nn_optimizer *nn_rmsprop(nn_module *model, nn_rmsprop_options options);

/* Options of a group of parameters, as torch.optim's parameter groups have them: those of a part of the optimizer's
 * model. Both fields count: a group of lr_scale 0 does not
 * move. A later call wins over an earlier one. False if no parameter of the optimizer is in it, or an option is wrong.
 */
typedef struct nn_group_options {
    double lr_scale;     /* times the optimizer's learning rate; schedules go on working */
    double weight_decay; /* in place of the optimizer's */
} nn_group_options;
bool nn_set_group(nn_optimizer *o, nn_module *part, nn_group_options options);
bool nn_set_parameter_group(nn_optimizer *o, const ag_tensor *parameter, nn_group_options options);

void nn_optimizer_free(nn_optimizer *o);

/* What was wrong with its making, or NULL. */
const char *nn_optimizer_error(const nn_optimizer *o);

/* Updates the parameters that have a gradient. Refused, with the reason on the tape, when the pass has failed or
 * backward has not run on it: then nothing has changed. */
bool nn_step(nn_optimizer *o, ag_tape *tape);

/* The learning rate, for schedules. nn_set_lr refuses what is not a number of at least 0. */
double nn_lr(const nn_optimizer *o);
bool   nn_set_lr(nn_optimizer *o, double lr);

/* ---- Learning-rate schedules, as functions of the base rate and the number of epochs or steps done. ---- */

/* lr gamma^(t / every), the exponent rounded down: StepLR. */
double nn_step_lr(double lr, int64_t t, int64_t every, double gamma);

/* From lr at t = 0 along half a cosine to `least` at t = period, and back: CosineAnnealingLR. */
double nn_cosine_lr(double lr, int64_t t, int64_t period, double least);

/* From lr start_factor at t = 0 in a straight line to lr at t = steps, then lr: LinearLR. */
double nn_warmup_lr(double lr, int64_t t, int64_t steps, double start_factor);

/* ---- Gradient clipping, between backward and step. ---- */

/* Scales all gradients by max / (norm + 1e-6) when that is below 1; returns the norm of all of them together. */
double nn_clip_grad_norm(nn_module *model, double max);

/* Cuts each element to -max .. max. */
void nn_clip_grad_value(nn_module *model, double max);

#ifdef __cplusplus
}
#endif
#endif
