/* Vectors of reals in the compilers' vector extension, for tiles and transposes. */
#ifndef AGK_VECTOR_H
#define AGK_VECTOR_H

#include "autograd/kernels/simd/isa.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* Given by who compiles several instruction sets in one go (tools/amalgamate.py). */
#ifndef VECTOR_BYTES
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__FMA__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#endif
#define VL ((int)(VECTOR_BYTES / sizeof(ag_real))) /* reals per vector */

typedef ag_real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef ag_real vec_unaligned __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(ag_real)), may_alias));

/* Both compilers unroll the constant loops of the tile fully, and keep it in registers, only when told. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

INLINE vec vec_load(const ag_real *p)
{
    return (vec) * (const vec_unaligned *)p;
}

/* Half a vector from each place. With intrinsics, as compilers would load whole ones; the last branch is their twin. */
INLINE vec vec_load_halves(const ag_real *low, const ag_real *high)
{
#if VECTOR_BYTES == 64
    const __m256d a = _mm256_loadu_pd((const double *)(const void *)low), b = _mm256_loadu_pd((const double *)(const void *)high);
    return (vec)_mm512_insertf64x4(_mm512_castpd256_pd512(a), b, 1);
#elif VECTOR_BYTES == 32
    const __m128d a = _mm_loadu_pd((const double *)(const void *)low), b = _mm_loadu_pd((const double *)(const void *)high);
    return (vec)_mm256_insertf128_pd(_mm256_castpd128_pd256(a), b, 1);
#else
    vec x;
    for (int l = 0; l < VL; l++)
        x[l] = l < VL / 2 ? low[l] : high[l - VL / 2];
    return x;
#endif
}

INLINE void vec_store(ag_real *p, vec x)
{
    *(vec_unaligned *)p = (vec_unaligned)x;
}

INLINE vec vec_splat(ag_real x)
{
    return x - (vec){0};
}

/* x, loaded once into a register. Left alone, gcc reads memory again at each use, and loads become what a tile waits for. */
INLINE vec vec_once(vec x)
{
#if VECTOR_BYTES == 64
    __asm__("" : "+v"(x));
#elif defined(__x86_64__)
    __asm__("" : "+x"(x));
#elif defined(__aarch64__)
    __asm__("" : "+w"(x));
#endif
    return x;
}

/* x * y + z, each element rounded once. With intrinsics; the last branch is their portable twin. */
INLINE vec vec_fma(vec x, vec y, vec z)
{
#if VECTOR_BYTES == 64 && defined(AG_DOUBLE)
    return (vec)_mm512_fmadd_pd((__m512d)x, (__m512d)y, (__m512d)z);
#elif VECTOR_BYTES == 64
    return (vec)_mm512_fmadd_ps((__m512)x, (__m512)y, (__m512)z);
#elif VECTOR_BYTES == 32 && defined(AG_DOUBLE)
    return (vec)_mm256_fmadd_pd((__m256d)x, (__m256d)y, (__m256d)z);
#elif VECTOR_BYTES == 32
    return (vec)_mm256_fmadd_ps((__m256)x, (__m256)y, (__m256)z);
#elif defined(__aarch64__) && defined(AG_DOUBLE)
    return (vec)vfmaq_f64((float64x2_t)z, (float64x2_t)x, (float64x2_t)y);
#elif defined(__aarch64__)
    return (vec)vfmaq_f32((float32x4_t)z, (float32x4_t)x, (float32x4_t)y);
#else
    for (int l = 0; l < VL; l++)
        z[l] = r_fma(x[l], y[l], z[l]);
    return z;
#endif
}

#endif
