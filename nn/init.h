/* Initialisers: first values of a parameter. Each takes its numbers from rng and returns false, leaving the tensor as
 * it is, when the tensor is NULL or an argument makes no sense. fan_in and fan_out are PyTorch's: dimensions 1 and 0 of
 * the weight, times the size of the kernel for convolutions. */
#ifndef NN_INIT_H
#define NN_INIT_H

#include "autograd/rng.h"
#include "autograd/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nn_fan { NN_FAN_IN, NN_FAN_OUT } nn_fan;

bool nn_init_constant(ag_tensor *t, double value);
bool nn_init_uniform(ag_tensor *t, double low, double high, ag_rng *rng);
bool nn_init_normal(ag_tensor *t, double mean, double deviation, ag_rng *rng);

/* N(mean, deviation) cut to [low, high], which must contain at least 1 % of the probability: drawn again until inside.
 * TensorFlow's truncated normal is low, high = mean -+ 2 deviation. */
bool nn_init_truncated_normal(ag_tensor *t, double mean, double deviation, double low, double high, ag_rng *rng);

/* Glorot, Bengio: "Understanding the difficulty of training deep feedforward neural networks", 2010:
 * U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out)), N(0, gain sqrt(2 / (fan_in + fan_out))). */
bool nn_init_xavier_uniform(ag_tensor *t, double gain, ag_rng *rng);
bool nn_init_xavier_normal(ag_tensor *t, double gain, ag_rng *rng);

/* He et al.: "Delving deep into rectifiers", 2015: U(-a, a) with a = gain sqrt(3 / fan), N(0, gain / sqrt(fan)); the
 * gain of ReLU is sqrt(2). */
bool nn_init_kaiming_uniform(ag_tensor *t, double gain, nn_fan fan, ag_rng *rng);
bool nn_init_kaiming_normal(ag_tensor *t, double gain, nn_fan fan, ag_rng *rng);

/* PyTorch's default for layers: weight and bias (which may be NULL) uniform in -+ 1 / sqrt(fan_in of the weight). */
bool nn_init_default(ag_tensor *weight, ag_tensor *bias, ag_rng *rng);

/* 0 when the tensor has fewer than two dimensions. */
int64_t nn_fan_of(const ag_tensor *t, nn_fan fan);

#ifdef __cplusplus
}
#endif
#endif
