/* All of nn: modules, layers, initialisers, optimizers, summary. */
#ifndef NN_NN_H
#define NN_NN_H

#include "autograd/autograd.h"
#include "nn/checkpoint.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "nn/module.h"
#include "nn/optimizer.h"
#include "nn/summary.h"

#endif
