/* Learning-rate schedules. */
#include <math.h>

#include "nn/optimizer.h"

double nn_step_lr(double lr, int64_t t, int64_t every, double gamma)
{
    return every > 0 && t >= 0 ? lr * pow(gamma, (double)(t / every)) : NAN;
}

double nn_cosine_lr(double lr, int64_t t, int64_t period, double least)
{
    const double pi = 3.14159265358979323846;
    if (period <= 0 || t < 0)
        return NAN;
    return least + (lr - least) * (1 + cos(pi * (double)t / (double)period)) / 2;
}

double nn_warmup_lr(double lr, int64_t t, int64_t steps, double start_factor)
{
    if (steps <= 0 || t < 0)
        return NAN;
    double done = t < steps ? (double)t / (double)steps : 1;
    return lr * (start_factor + (1 - start_factor) * done);
}
