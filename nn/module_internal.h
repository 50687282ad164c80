/* What the files of nn share about modules. */
#ifndef NN_MODULE_INTERNAL_H
#define NN_MODULE_INTERNAL_H

#include "nn/module.h"

/* nn_visit, shared parameters by each of their names. */
bool nn__visit_all(nn_module *m, nn_visit_fn *visit, void *context);

#endif
