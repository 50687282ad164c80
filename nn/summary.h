/* A summary of a model: its layers, the shape of what each puts out, and its parameters. */
#ifndef NN_SUMMARY_H
#define NN_SUMMARY_H

#include <stdio.h>

#include "nn/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs zeros of shape `input` through the model, in evaluation and without gradients, and prints a table of it to
 * `file`. False, with the reason printed instead, when the model or the pass fails. */
bool nn_summary(FILE *file, nn_module *model, ag_shape input);

#ifdef __cplusplus
}
#endif
#endif
