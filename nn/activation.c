/* Activations and other layers without parameters: an op, and up to one number for it. */
#include <stdio.h>

#include "autograd/ops.h"
#include "nn/layers.h"

typedef struct plain {
    nn_module base;
    double    p;
} plain;

static nn_module *plain_new(const nn_type *type, double p)
{
    plain *l = nn_new(type);
    if (!l)
        return nn_failed(type->name, "out of memory");
    l->p = p;
    return &l->base;
}

static double number_of(const nn_module *m)
{
    return ((const plain *)m)->p;
}

static void describe_number(const nn_module *m, char *text, size_t size)
{
    snprintf(text, size, "%g", number_of(m));
}

/* A layer that is one op: its type, its forward, its constructor. */
#define LAYER(name, type_name)                                                                                         \
    static ag_tensor *forward_##name(nn_module *m, ag_tensor *x)                                                       \
    {                                                                                                                  \
        (void)m;                                                                                                       \
        return ag_##name(x);                                                                                           \
    }                                                                                                                  \
    static const nn_type type_of_##name = {type_name, sizeof(plain), forward_##name, NULL, NULL};                      \
    nn_module           *nn_##name(void)                                                                               \
    {                                                                                                                  \
        return plain_new(&type_of_##name, 0);                                                                          \
    }

/* The same with a number, of type `number`. */
#define LAYER_P(name, type_name, number)                                                                               \
    static ag_tensor *forward_##name(nn_module *m, ag_tensor *x)                                                       \
    {                                                                                                                  \
        return ag_##name(x, (number)number_of(m));                                                                     \
    }                                                                                                                  \
    static const nn_type type_of_##name = {type_name, sizeof(plain), forward_##name, NULL, describe_number};           \
    nn_module           *nn_##name(number p)                                                                           \
    {                                                                                                                  \
        return plain_new(&type_of_##name, (double)p);                                                                  \
    }

LAYER(relu, "ReLU")
LAYER(gelu, "GELU")
LAYER(silu, "SiLU")
LAYER(softplus, "Softplus")
LAYER(sigmoid, "Sigmoid")
LAYER(tanh, "Tanh")
LAYER_P(leaky_relu, "LeakyReLU", double)
LAYER_P(elu, "ELU", double)
LAYER_P(softmax, "Softmax", int)
LAYER_P(log_softmax, "LogSoftmax", int)

static ag_tensor *dropout_forward(nn_module *m, ag_tensor *x)
{
    return ag_dropout(x, number_of(m));
}

static const nn_type dropout_type = {"Dropout", sizeof(plain), dropout_forward, NULL, describe_number};

nn_module *nn_dropout(double p)
{
    if (!(p >= 0 && p <= 1))
        return nn_failed("Dropout", "probability %g, expected 0 to 1", p);
    return plain_new(&dropout_type, p);
}
