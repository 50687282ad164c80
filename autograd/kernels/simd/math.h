/* Functions of one real, for loops that the compiler vectorises: no branches, no calls in float.
 *
 * In double they are libm's. In float they are the project's own, so that every instruction set and compiler gives the
 * same bits. The polynomials are minimax fits (weighted least squares, reweighted by Lawson's rule). Largest errors over all floats are
 * tested in tests/kernels/math.c and stated here in ulp. */
#ifndef AGK_MATH_H
#define AGK_MATH_H

#include <math.h>
#include <string.h>

#include "autograd/kernels/simd/isa.h"

INLINE ag_real r_abs(ag_real x)
{
    return sizeof x == 4 ? (ag_real)__builtin_fabsf((float)x) : (ag_real)__builtin_fabs(x);
}

INLINE ag_real r_sign(ag_real x)
{
    return (ag_real)(x > 0) - (ag_real)(x < 0); /* 0 of NaN, as in PyTorch */
}

INLINE ag_real r_max(ag_real a, ag_real b)
{
    return a > b || a != a ? a : b;
}

INLINE ag_real r_min(ag_real a, ag_real b)
{
    return a < b || a != a ? a : b;
}

INLINE ag_real r_square(ag_real x)
{
    return x * x;
}

/* Numbers from here on are whole. */
static const ag_real all_whole = (ag_real)(sizeof(ag_real) == 4 ? 8388608.0 : 4503599627370496.0); /* 2^23, 2^52 */

/* The nearest whole number, halves to the even one, of an x below that. */
INLINE ag_real nearest(ag_real x)
{
    const ag_real y = r_abs(x) + all_whole - all_whole;
    return sizeof x == 4 ? (ag_real)__builtin_copysignf((float)y, (float)x) : (ag_real)__builtin_copysign(y, x);
}

INLINE ag_real r_round(ag_real x)
{
    return r_abs(x) < all_whole ? nearest(x) : x;
}

INLINE ag_real r_floor(ag_real x)
{
    const ag_real y = nearest(x), down = y > x ? 1 : 0;
    return r_abs(x) < all_whole ? y - down : x;
}

INLINE ag_real r_smooth_l1(ag_real difference)
{
    ag_real a = r_abs(difference);
    return a < 1 ? a * a / 2 : a - (ag_real)0.5;
}

#ifdef AG_DOUBLE

#define r_sin   sin
#define r_cos   cos
#define r_sqrt  sqrt
#define r_exp   exp
#define r_expm1 expm1
#define r_log   log
#define r_log1p log1p
#define r_tanh  tanh
#define r_erf   erf
#define r_pow   pow

/* cos(2 pi t) and sin(2 pi t), t in [0, 1). */
INLINE void r_cos_sin_turn(ag_real t, ag_real *c, ag_real *s)
{
    const double turn = 6.283185307179586476925;
    *c = cos(turn * t);
    *s = sin(turn * t);
}

#else

INLINE uint32_t float_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

INLINE float bits_float(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

INLINE int32_t as_signed(uint32_t u)
{
    int32_t i;
    memcpy(&i, &u, sizeof i);
    return i;
}

/* 2^k for -126 <= k <= 127. */
INLINE float power_of_two(int32_t k)
{
    return bits_float(((uint32_t)k + 127u) << 23);
}

#define r_sqrt sqrtf

/* x = k ln 2 + r with |r| <= ln(2) / 2; returns e^r - 1. Adding 1.5 * 2^23 rounds to an integer. */
INLINE float exp_reduce(float x, int32_t *k)
{
    const float magic = 12582912.0f;
    float shifted = r_fma(x, 1.44269504f, magic), whole = shifted - magic;
    float r = r_fma(whole, -0.693359375f, x);
    r = r_fma(whole, 2.12194440e-4f, r);
    *k = as_signed(float_bits(shifted) - float_bits(magic));
    float q = r_fma(1.979000390e-04f, r, 1.394500681e-03f);
    q = r_fma(q, r, 8.333499174e-03f);
    q = r_fma(q, r, 4.166629033e-02f);
    q = r_fma(q, r, 1.666666585e-01f);
    q = r_fma(q, r, 5.000000069e-01f);
    return r_fma(r * r, q, r);
}

/* At most 1 ulp, denormal results included. Where the result is 0, as of what a mask made -infinity, nothing underflows on the way:
 * x86 would take ten times as long. */
INLINE float r_exp(float x)
{
    float c = x < -104.0f ? -104.0f : x;
    c = c > 89.0f ? 89.0f : c;
    int32_t k;
    float   e = 1 + exp_reduce(c, &k);
    int32_t half = k >> 1;
    float   rest = x < -104.0f ? 0 : power_of_two(k - half);
    return e * power_of_two(half) * rest;
}

/* The same bits, for -80 < x < 80 and NaN only. */
INLINE float exp_within(float x)
{
    int32_t k;
    float   e = 1 + exp_reduce(x, &k);
    return e * power_of_two(k);
}

/* At most 2 ulp. */
INLINE float r_expm1(float x)
{
    float c = x < -30.0f ? -30.0f : x;
    c = c > 89.0f ? 89.0f : c;
    int32_t k;
    float   e = exp_reduce(c, &k);
    float   s = power_of_two(k - 1);
    float   y = 2 * r_fma(s, e, s - 0.5f);
    return x == 0 ? x : y;
}

/* At most 1 ulp. */
INLINE float r_log(float x)
{
    const float least = 1.17549435e-38f;
    float    scaled = x < least ? x * 8388608.0f : x;
    uint32_t u = float_bits(scaled), from_root_half = u - 0x3f3504f3u;
    int32_t  e = as_signed(from_root_half) >> 23;
    float    f = bits_float(u - ((uint32_t)e << 23)) - 1; /* 1 + f in [sqrt(1/2), sqrt(2)) */
    float    k = (float)e - (x < least ? 23.0f : 0.0f);
    float    p = r_fma(6.746601327e-02f, f, -1.167564130e-01f);
    p = r_fma(p, f, 1.188817460e-01f);
    p = r_fma(p, f, -1.240559142e-01f);
    p = r_fma(p, f, 1.421955091e-01f);
    p = r_fma(p, f, -1.666799567e-01f);
    p = r_fma(p, f, 2.000211873e-01f);
    p = r_fma(p, f, -2.500000960e-01f);
    p = r_fma(p, f, 3.333331260e-01f);
    float r = f * f * r_fma(f, p, -0.5f);
    r = r_fma(k, -2.12194440e-4f, r) + f;
    r = r_fma(k, 0.693359375f, r);
    r = x == 0 ? -INFINITY : r;
    r = x < 0 ? NAN : r;
    return x < INFINITY ? r : x; /* infinity and NaN as they are */
}

/* At most 2 ulp. Kahan's correction for the rounding of 1 + x. */
INLINE float r_log1p(float x)
{
    float u = 1 + x, y = r_log(u);
    float corrected = y + (x - (u - 1)) / u;
    y = u > 0 && u < INFINITY ? corrected : y;
    return x == 0 ? x : y; /* -0 as it is */
}

/* At most 2 ulp. */
INLINE float r_tanh(float x)
{
    float a = x < 0 ? -x : x, s = x * x;
    float p = r_fma(-5.704978373e-03f, s, 2.063907874e-02f);
    p = r_fma(p, s, -5.373971216e-02f);
    p = r_fma(p, s, 1.333144216e-01f);
    p = r_fma(p, s, -3.333328194e-01f);
    float small = r_fma(x * s, p, x);
    float big = 1 - 2 / (exp_within(a > 10 ? 20 : 2 * a) + 1);
    big = x < 0 ? -big : big;
    small = x == 0 ? x : small; /* -0 as it is */
    return a < 0.625f ? small : big;
}

/* At most 2 ulp. Near zero x (1 + P(x^2)); farther out 1 - exp(Q(x)). */
INLINE float r_erf(float x)
{
    float a = x < 0 ? -x : x, s = x * x;
    float p = r_fma(-5.953739238e-04f, s, 4.985940065e-03f);
    p = r_fma(p, s, -2.676171946e-02f);
    p = r_fma(p, s, 1.128168253e-01f);
    p = r_fma(p, s, -3.761248110e-01f);
    p = r_fma(p, s, 1.283791477e-01f);
    float small = r_fma(x, p, x);
    float t = a > 4.0f ? 4.0f : a;
    float q = r_fma(-2.109505149e-05f, t, 4.344626302e-04f);
    q = r_fma(q, t, -4.171063093e-03f);
    q = r_fma(q, t, 2.511942755e-02f);
    q = r_fma(q, t, -1.082800897e-01f);
    q = r_fma(q, t, -6.333469061e-01f);
    q = r_fma(q, t, -1.129514931e+00f);
    q = r_fma(q, t, 1.746844489e-04f);
    float big = 1 - exp_within(q);
    big = x < 0 ? -big : big;
    big = x != x ? x : big;
    return a < 0.93f ? small : big;
}

/* Cosine and sine of so many quarter turns and r more, r in -1/2..1/2. */
INLINE void quarter_turns(uint32_t quarter, float r, float *c, float *s)
{
    float z = r * r;
    float sine = r_fma(1.581950775e-04f, z, -4.681260629e-03f);
    sine = r_fma(sine, z, 7.969258184e-02f);
    sine = r_fma(sine, z, -6.459640961e-01f);
    sine = r_fma(sine, z, 1.570796327e+00f) * r;
    float cosine = r_fma(9.033629757e-04f, z, -2.085993603e-02f);
    cosine = r_fma(cosine, z, 2.536691826e-01f);
    cosine = r_fma(cosine, z, -1.233700540e+00f);
    cosine = r_fma(cosine, z, 9.999999999e-01f);
    float u = quarter & 1u ? sine : cosine, v = quarter & 1u ? cosine : sine;
    *c = ((quarter + 1u) & 2u) ? -u : u;
    *s = (quarter & 2u) ? -v : v;
}

/* cos(2 pi t) and sin(2 pi t), t in [0, 1). The nearest quarter turn comes off exactly. */
INLINE void r_cos_sin_turn(float t, float *c, float *s)
{
    const float magic = 12582912.0f;
    float       shifted = r_fma(t, 4.0f, magic), r = r_fma(t, 4.0f, -(shifted - magic));
    quarter_turns(float_bits(shifted) & 3u, r, c, s);
}

/* Of x radians. The quarter turns come off in double, 2 / pi in two parts, so that zeros of sine and cosine keep their relative
 * precision; beyond 10^12 it falls, and beyond 3 10^15 the results are only bounded. */
INLINE void r_cos_sin(float x, float *c, float *s)
{
    const double most = 6.36619772367581382433e-01, rest = -3.93573533503649717638e-17, magic = 6755399441055744.0;
    double wide = (double)x, whole = wide * most + magic - magic;
    double quarter = whole - 4 * (whole / 4 + magic - magic); /* exact */
    double r = __builtin_fma(wide, most, -whole) + wide * rest;
    r = whole > -2e15 && whole < 2e15 ? r : wide - wide; /* 0, and NaN of infinity */
    quarter = quarter >= -2 && quarter <= 2 ? quarter : 0;
    quarter_turns((uint32_t)(int32_t)quarter & 3u, (float)r, c, s);
}

INLINE float r_sin(float x)
{
    float c, s;
    r_cos_sin(x, &c, &s);
    return x == 0 ? x : s;
}

INLINE float r_cos(float x)
{
    float c, s;
    r_cos_sin(x, &c, &s);
    return c;
}

/* log2 x for finite x > 0, and 2^y, in double arithmetic, good to 1e-13: enough for a float power within 1 ulp. Exponents are of 32
 * bits, as instruction sets before AVX-512 convert and shift no others. */
INLINE double log2_wide(float x)
{
    const float least = 1.17549435e-38f;
    float    scaled = x < least ? x * 8388608.0f : x;
    uint32_t u = float_bits(scaled);
    int32_t  e = as_signed(u - 0x3f3504f3u) >> 23;
    double   m = (double)bits_float(u - ((uint32_t)e << 23)); /* in [sqrt(1/2), sqrt(2)) */
    double   k = (double)(e - (x < least ? 23 : 0));
    double   t = (m - 1) / (m + 1), s = t * t;
    double p = __builtin_fma(2.38856348461669483e-02, s, 2.80801835274704759e-01);
    p = __builtin_fma(p, s, 3.19974812688132826e-01);
    p = __builtin_fma(p, s, 4.12208203281947461e-01);
    p = __builtin_fma(p, s, 5.77077949561048187e-01);
    p = __builtin_fma(p, s, 9.61796694095296001e-01);
    p = __builtin_fma(p, s, 2.88539008177785572e+00);
    return __builtin_fma(t, p, k);
}

INLINE float exp2_wide(double y)
{
    y = y < -200 ? -200 : y > 200 ? 200 : y;
    double whole = y + 6755399441055744.0 - 6755399441055744.0, f = y - whole;
    double p = __builtin_fma(1.01514866752403932e-07, f, 1.32594088083977212e-06);
    p = __builtin_fma(p, f, 1.52529784464396036e-05);
    p = __builtin_fma(p, f, 1.54034349331388357e-04);
    p = __builtin_fma(p, f, 1.33335576294706581e-03);
    p = __builtin_fma(p, f, 9.61812919208854429e-03);
    p = __builtin_fma(p, f, 5.55041086686033774e-02);
    p = __builtin_fma(p, f, 2.40226506956495445e-01);
    p = __builtin_fma(p, f, 6.93147180559873011e-01);
    p = __builtin_fma(p, f, 1.0);
    int32_t k = (int32_t)(whole == whole ? whole : 0), half = k >> 1;
    double  scale = (double)power_of_two(half) * (double)power_of_two(k - half);
    return (float)(p * scale);
}

/* C's pow: at most 1 ulp. What depends on p alone is worked out once for a loop; what depends on x is one selection each. */
INLINE float r_pow(float x, float p)
{
    const float    magnitude = p < 0 ? -p : p, half = magnitude / 2;
    const bool     whole = (magnitude >= 8388608.0f) | ((magnitude + 8388608.0f) - 8388608.0f == magnitude);
    const float    rest = half - ((half + 8388608.0f) - 8388608.0f); /* a half, of one sign or the other, where p is odd */
    const uint32_t sign = rest * rest == 0.25f ? 0x80000000u : 0;
    const float    of_zero = p > 0 ? 0 : INFINITY, of_infinity = p > 0 ? INFINITY : 0, of_negative = whole ? 0 : NAN;
    float a = x < 0 ? -x : x;
    float y = exp2_wide((double)p * log2_wide(a));
    y = a == 1 ? 1 : y; /* for infinite p, too */
    y = x < 0 ? y + of_negative : y;
    y = a == 0 ? of_zero : y;
    y = a == INFINITY ? of_infinity : y;
    y = bits_float(float_bits(y) | (float_bits(x) & sign));
    y = x != x ? x : y;
    y = p != p ? p : y;
    y = x == 1 ? 1 : y;
    return p == 0 ? 1 : y;
}

#endif /* float */

/* What g gives to x through x^p. */
INLINE ag_real r_pow_gradient(ag_real g, ag_real x, ag_real p)
{
    ag_real dx = g * p * r_pow(x, p - 1);
    return p == 0 ? 0 : dx;
}

INLINE ag_real r_sigmoid(ag_real x)
{
    return 1 / (1 + r_exp(-x));
}

/* log(1 + e^x) without overflow. */
INLINE ag_real r_softplus(ag_real x)
{
    ag_real positive = x < 0 ? 0 : x, a = x < 0 ? x : -x;
    return positive + r_log1p(r_exp(a));
}

/* The density of N(0, 1), and its distribution function. */
INLINE ag_real r_gauss_pdf(ag_real x)
{
    return (ag_real)0.39894228040143267794 * r_exp(-x * x / 2);
}

#ifdef AG_DOUBLE

INLINE double r_gauss_cdf(double x)
{
    return (1 + erf(x * 0.70710678118654752440)) / 2;
}

#else

/* Below 0 exp(-x^2 / 2) R(x), R in powers of a / (1 + a / 4) with a = |x|; above 0 one minus that. Errors of up to 1e-7, in the
 * lower tail, where 1 + erf has no digit left, of 2e-6 times the value. The exponential is the density's, too. */
INLINE float r_gauss_cdf(float x)
{
    float a = x < 0 ? -x : x, e = r_exp(-x * x / 2);
    a = a > 14.0f ? 14.0f : a;
    float s = a / r_fma(0.25f, a, 1.0f);
    float p = r_fma(6.079491526e-06f, s, -7.746809146e-05f);
    p = r_fma(p, s, 1.521428145e-04f);
    p = r_fma(p, s, 3.353133720e-03f);
    p = r_fma(p, s, -3.288335026e-02f);
    p = r_fma(p, s, 1.502552983e-01f);
    p = r_fma(p, s, -3.989413393e-01f);
    p = r_fma(p, s, 0.5f);
    float tail = e * p;
    return x < 0 ? tail : 1 - tail;
}

#endif

/* log x and log(1 - x), at least -100: PyTorch's guard in binary cross entropy. */
INLINE ag_real r_log_floor(ag_real x)
{
    return r_max(r_log(x), -100);
}

INLINE ag_real r_log_rest_floor(ag_real x)
{
    return r_max(r_log1p(-x), -100);
}

INLINE ag_real r_bce(ag_real x, ag_real target)
{
    return (target - 1) * r_log_rest_floor(x) - target * r_log_floor(x);
}

/* The same of sigmoid(x), without cancellation; at infinity what (1 - target) x - log(sigmoid(x)) gives, PyTorch's form. */
INLINE ag_real r_bce_with_logits(ag_real x, ag_real target)
{
    ag_real y = (r_max(x, 0) - x * target) + r_log1p(r_exp(-r_abs(x)));
    return r_abs(x) == INFINITY ? (1 - target) * x - r_min(x, 0) : y;
}

#endif
