/* What the files of nn share about modules. */
#ifndef NN_MODULE_INTERNAL_H
#define NN_MODULE_INTERNAL_H

#include "nn/module.h"

/* nn_visit, shared parameters by each of their names. */
bool nn__visit_all(nn_module *m, nn_visit_fn *visit, void *context);

/* Adds to a layer's description, after a comma where it has begun. */
#if defined __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
void
nn__describe(char *text, size_t size, const char *format, ...);

/* Adds sizes of one axis or two, of which 0 stands for the usual, unless they are the usual ones: "stride=2". */
void nn__describe_sizes(char *text, size_t size, const char *name, int axes, const int64_t *given,
                        const int64_t *usual);

#endif
