/* LANES partial results, brought together in one fixed order: the upper half on the lower, until one is left. */
#ifndef AGK_LANES_H
#define AGK_LANES_H

#include "autograd/kernels/simd/math.h"
#include "autograd/kernels/simd/transpose.h"

enum { LANE_VECTORS = LANES / VL };

#if VECTOR_BYTES == 32
/* All bits of the first n elements. */
INLINE __m256i first_elements(int64_t n)
{
#ifdef AG_DOUBLE
    static const int64_t mask[2 * VL] = {-1, -1, -1, -1};
#else
    static const int32_t mask[2 * VL] = {-1, -1, -1, -1, -1, -1, -1, -1};
#endif
    return _mm256_loadu_si256((const void *)(mask + VL - n));
}
#endif

/* The first n elements of a vector that has no more, and `other` after them. With intrinsics where a mask spares the way through
 * memory; the last branch is their twin. */
INLINE vec vec_load_part(int64_t n, const ag_real *x, ag_real other)
{
#if VECTOR_BYTES == 64 && defined(AG_DOUBLE)
    return (vec)_mm512_mask_loadu_pd((__m512d)vec_splat(other), (__mmask8)((1u << n) - 1), x);
#elif VECTOR_BYTES == 64
    return (vec)_mm512_mask_loadu_ps((__m512)vec_splat(other), (__mmask16)((1u << n) - 1), x);
#elif VECTOR_BYTES == 32 && defined(AG_DOUBLE)
    const __m256i first = first_elements(n);
    return (vec)_mm256_blendv_pd((__m256d)vec_splat(other), _mm256_maskload_pd(x, first), (__m256d)first);
#elif VECTOR_BYTES == 32
    const __m256i first = first_elements(n);
    return (vec)_mm256_blendv_ps((__m256)vec_splat(other), _mm256_maskload_ps(x, first), (__m256)first);
#else
    ag_real part[VL];
    for (int l = 0; l < VL; l++)
        part[l] = other;
    for (int64_t l = 0; l < n; l++)
        part[l] = x[l];
    return vec_load(part);
#endif
}

/* The way back: the first n elements. */
INLINE void vec_store_part(int64_t n, ag_real *x, vec v)
{
#if VECTOR_BYTES == 64 && defined(AG_DOUBLE)
    _mm512_mask_storeu_pd(x, (__mmask8)((1u << n) - 1), (__m512d)v);
#elif VECTOR_BYTES == 64
    _mm512_mask_storeu_ps(x, (__mmask16)((1u << n) - 1), (__m512)v);
#elif VECTOR_BYTES == 32 && defined(AG_DOUBLE)
    _mm256_maskstore_pd(x, first_elements(n), (__m256d)v);
#elif VECTOR_BYTES == 32
    _mm256_maskstore_ps(x, first_elements(n), (__m256)v);
#else
    ag_real part[VL];
    vec_store(part, v);
    for (int64_t l = 0; l < n; l++)
        x[l] = part[l];
#endif
}

/* Up to a vector of what is left of a row, n numbers, and `other` where it ends. */
INLINE vec vec_load_up_to(int64_t n, const ag_real *x, ag_real other)
{
    return n >= VL ? vec_load(x) : vec_load_part(n, x, other);
}

INLINE void vec_store_up_to(int64_t n, ag_real *x, vec v)
{
    if (n >= VL)
        vec_store(x, v);
    else
        vec_store_part(n, x, v);
}

/* The last vector of a total: its own upper half on its lower. */
INLINE ag_real vec_total(vec x)
{
    if (VL > 8)
        x += vec_down(x, 8);
    if (VL > 4)
        x += vec_down(x, 4);
    if (VL > 2)
        x += vec_down(x, 2);
    return x[0] + x[1];
}

INLINE ag_real vectors_total(vec *x)
{
    UNROLL for (int half = LANE_VECTORS / 2; half > 0; half /= 2)
        UNROLL for (int i = 0; i < half; i++)
            x[i] += x[i + half];
    return vec_total(x[0]);
}

/* The sum of x y. Beyond the end the products are -0, which changes no sum. */
INLINE ag_real lanes_dot(int64_t n, const ag_real *x, const ag_real *y)
{
    vec sum[LANE_VECTORS];
    UNROLL for (int v = 0; v < LANE_VECTORS; v++)
        sum[v] = (vec){0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        UNROLL for (int v = 0; v < LANE_VECTORS; v++)
            sum[v] = vec_fma(vec_load(x + i + v * VL), vec_load(y + i + v * VL), sum[v]);
    UNROLL for (int v = 0; v < LANE_VECTORS; v++, i += VL)
        if (i < n)
            sum[v] = vec_fma(vec_load_up_to(n - i, x + i, 0), vec_load_up_to(n - i, y + i, -(ag_real)0), sum[v]);
    return vectors_total(sum);
}

/* As {0} would, which compilers write as a string operation: slow to begin. */
INLINE void lanes_zero(ag_real *lane)
{
    UNROLL for (int i = 0; i < LANE_VECTORS; i++)
        vec_store(lane + i * VL, (vec){0});
}

INLINE ag_real lanes_total(const ag_real *lane)
{
    vec x[LANE_VECTORS];
    UNROLL for (int i = 0; i < LANE_VECTORS; i++)
        x[i] = vec_load(lane + i * VL);
    return vectors_total(x);
}

/* What a comparison of vectors gives: all bits of an element, or none. */
typedef __typeof__((vec){0} > (vec){0}) vec_mask;

INLINE vec vec_select(vec_mask m, vec a, vec b)
{
    return (vec)(((vec_mask)a & m) | ((vec_mask)b & ~m));
}

/* r_max of each element. */
INLINE vec vec_max(vec a, vec b)
{
    return vec_select((a > b) | (a != a), a, b);
}

INLINE ag_real vectors_max(vec *x)
{
    UNROLL for (int half = LANE_VECTORS / 2; half > 0; half /= 2)
        UNROLL for (int i = 0; i < half; i++)
            x[i] = vec_max(x[i + half], x[i]);
    if (VL > 8)
        x[0] = vec_max(vec_down(x[0], 8), x[0]);
    if (VL > 4)
        x[0] = vec_max(vec_down(x[0], 4), x[0]);
    if (VL > 2)
        x[0] = vec_max(vec_down(x[0], 2), x[0]);
    return r_max(x[0][1], x[0][0]);
}

#endif
