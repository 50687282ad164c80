#include "nn/init.h"

#include <math.h>

int64_t nn_fan_of(const ag_tensor *t, nn_fan fan)
{
    if (!t || t->shape.rank < 2)
        return 0;
    int64_t kernel = 1;
    for (int i = 2; i < t->shape.rank; i++)
        kernel *= t->shape.dim[i];
    return kernel * t->shape.dim[fan == NN_FAN_IN ? 1 : 0];
}

bool nn_init_constant(ag_tensor *t, double value)
{
    if (!t)
        return false;
    for (int64_t i = 0, n = ag_numel(&t->shape); i < n; i++)
        t->data[i] = (ag_real)value;
    ag_written(t);
    return true;
}

bool nn_init_uniform(ag_tensor *t, double low, double high, ag_rng *rng)
{
    if (!t || !rng || !(low <= high) || isinf(low) || isinf(high))
        return false;
    ag_rng_uniform(rng, ag_numel(&t->shape), (ag_real)low, (ag_real)high, t->data);
    ag_written(t);
    return true;
}

bool nn_init_normal(ag_tensor *t, double mean, double deviation, ag_rng *rng)
{
    if (!t || !rng || !(deviation >= 0) || !isfinite(mean) || isinf(deviation))
        return false;
    ag_rng_normal(rng, ag_numel(&t->shape), (ag_real)mean, (ag_real)deviation, t->data);
    ag_written(t);
    return true;
}

bool nn_init_truncated_normal(ag_tensor *t, double mean, double deviation, double low, double high, ag_rng *rng)
{
    const double least_share = 0.01;
    double       root2 = sqrt(2),
           share = (erf((high - mean) / deviation / root2) - erf((low - mean) / deviation / root2)) / 2;
    if (!(deviation > 0) || !(share >= least_share) || !nn_init_normal(t, mean, deviation, rng))
        return false;
    const ag_real from = (ag_real)low, to = (ag_real)high;
    for (int64_t i = 0, n = ag_numel(&t->shape); i < n; i++) {
        for (int tries = 0; !(t->data[i] >= from && t->data[i] <= to) && tries < 4000; tries++)
            ag_rng_normal(rng, 1, (ag_real)mean, (ag_real)deviation, &t->data[i]);
        t->data[i] = t->data[i] < from ? from : t->data[i] > to ? to : t->data[i];
    }
    return true;
}

static double fans(const ag_tensor *t)
{
    return (double)(nn_fan_of(t, NN_FAN_IN) + nn_fan_of(t, NN_FAN_OUT));
}

bool nn_init_xavier_uniform(ag_tensor *t, double gain, ag_rng *rng)
{
    double a = fans(t) > 0 ? gain * sqrt(6 / fans(t)) : NAN;
    return nn_init_uniform(t, -a, a, rng);
}

bool nn_init_xavier_normal(ag_tensor *t, double gain, ag_rng *rng)
{
    return nn_init_normal(t, 0, fans(t) > 0 ? gain * sqrt(2 / fans(t)) : NAN, rng);
}

bool nn_init_kaiming_uniform(ag_tensor *t, double gain, nn_fan fan, ag_rng *rng)
{
    double n = (double)nn_fan_of(t, fan), a = n > 0 ? gain * sqrt(3 / n) : NAN;
    return nn_init_uniform(t, -a, a, rng);
}

bool nn_init_kaiming_normal(ag_tensor *t, double gain, nn_fan fan, ag_rng *rng)
{
    double n = (double)nn_fan_of(t, fan);
    return nn_init_normal(t, 0, n > 0 ? gain / sqrt(n) : NAN, rng);
}

bool nn_init_default(ag_tensor *weight, ag_tensor *bias, ag_rng *rng)
{
    double n = (double)nn_fan_of(weight, NN_FAN_IN), a = n > 0 ? 1 / sqrt(n) : NAN;
    return nn_init_uniform(weight, -a, a, rng) && (!bias || nn_init_uniform(bias, -a, a, rng));
}
