/* Accuracy of the float functions, in units in the last place, over the whole range: every 199th float of 2^32. */
#ifndef AG_DOUBLE
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/kernels/kernels.h"
#include "tests/test.h"

/* |got - exact| in units of the last place of the float nearest to exact. */
static double ulps(float got, double exact)
{
    float nearest = (float)exact;
    if (isnan(exact) || isnan(got))
        return isnan(exact) && isnan(got) ? 0 : INFINITY;
    if (got == nearest)
        return isinf(nearest) ? 0
                              : fabs((double)got - exact) /
                                    ((double)nextafterf(fabsf(nearest), INFINITY) - (double)fabsf(nearest));
    if (isinf(got) || isinf(nearest))
        return fabs(exact) > 3.4028233e38 && fabs((double)got) > 3.4028233e38 ? 1 : INFINITY;
    return fabs((double)got - exact) / ((double)nextafterf(fabsf(nearest), INFINITY) - (double)fabsf(nearest));
}

static void check_function(const char *name, int op, const float *pq, double (*exact)(double), double limit, float most)
{
    enum { BLOCK = 4096, STRIDE = 199 };
    float  x[BLOCK], y[BLOCK];
    double worst = 0;
    float  where = 0;
    for (uint64_t first = 0; first < (uint64_t)1 << 32; first += (uint64_t)BLOCK * STRIDE) {
        for (uint32_t i = 0; i < BLOCK; i++) {
            uint32_t bits = (uint32_t)first + i * STRIDE;
            memcpy(&x[i], &bits, sizeof bits);
        }
        agk()->unary(op, BLOCK, x, pq, y);
        for (int i = 0; i < BLOCK; i++) {
            double e = fabsf(x[i]) > most ? 0 : ulps(y[i], exact((double)x[i]));
            if (e > worst) {
                worst = e;
                where = x[i];
            }
        }
    }
    cr_expect(worst <= limit, "%s(%.9g): %.2f ulp, expected at most %.1f", name, (double)where, worst, limit);
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double power_two_fifths(double x)
{
    return pow(x, (double)0.4f);
}

static double inverse_cube(double x)
{
    return pow(x, -3);
}

Test(math, exp)
{
    check_function("exp", AGK_UNARY_exp, (float[]){0, 0}, exp, 1, INFINITY);
}

Test(math, log)
{
    check_function("log", AGK_UNARY_log, (float[]){0, 0}, log, 1, INFINITY);
}

Test(math, log1p)
{
    check_function("log1p", AGK_UNARY_log1p, (float[]){0, 0}, log1p, 2, INFINITY);
}

/* Zeros of sine and cosine included; what is beyond 10^12 is not compared. */
Test(math, sin)
{
    check_function("sin", AGK_UNARY_sin, (float[]){0, 0}, sin, 3, 1e12f);
}

Test(math, cos)
{
    check_function("cos", AGK_UNARY_cos, (float[]){0, 0}, cos, 3, 1e12f);
}

Test(math, tanh)
{
    check_function("tanh", AGK_UNARY_tanh, (float[]){0, 0}, tanh, 2, INFINITY);
}

/* Below -88 exp(-x) overflows and the result is 0 in place of a denormal, as in PyTorch. */
Test(math, sigmoid)
{
    check_function("sigmoid", AGK_UNARY_sigmoid, (float[]){0, 0}, sigmoid, 3, 87);
}

Test(math, pow)
{
    check_function("pow 0.4", AGK_UNARY_pow, (float[]){0.4f, 0}, power_two_fifths, 1, INFINITY);
    check_function("pow -3", AGK_UNARY_pow, (float[]){-3, 0}, inverse_cube, 1, INFINITY);
}

/* expm1 through elu with alpha 1, which is it for x <= 0. */
static double elu(double x)
{
    return x > 0 ? x : expm1(x);
}

Test(math, expm1)
{
    check_function("expm1", AGK_UNARY_elu, (float[]){1, 0}, elu, 2, INFINITY);
}

Test(math, erf)
{
    check_function("erf", AGK_UNARY_erf, (float[]){0, 0}, erf, 2, INFINITY);
}

/* The distribution function of N(0, 1) through gelu. Its lower tail keeps its digits. */
Test(math, gauss_cdf)
{
    enum { N = 400000 };
    static float x[N], y[N];
    for (int i = 0; i < N; i++)
        x[i] = -12 + 24 * (float)i / N;
    agk()->unary(AGK_UNARY_gelu, N, x, (float[]){0, 0}, y);
    for (int i = 0; i < N; i++) {
        const double exact = (double)x[i] * erfc(-(double)x[i] / sqrt(2)) / 2, error = fabs((double)y[i] - exact);
        cr_assert(error <= 4e-7 * fabs((double)x[i]), "gelu(%g) is %g", (double)x[i], (double)y[i]);
        cr_assert(error <= (x[i] > -2   ? 6e-7
                            : x[i] > -6 ? 4e-6
                                        : 1e-4) *
                               fabs(exact),
                  "gelu(%g) is %g", (double)x[i], (double)y[i]);
    }
}
#else
typedef int float_only;
#endif
