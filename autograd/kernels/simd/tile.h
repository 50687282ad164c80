/* The shape of the tiles that products and convolutions keep in registers: up to MR rows by NV vectors. */
#ifndef AGK_TILE_H
#define AGK_TILE_H

#include "autograd/kernels/simd/vector.h"

#define NV 2
#if VECTOR_BYTES == 64
#define MR 12
#elif VECTOR_BYTES == 32
#define MR 6
#elif defined(__aarch64__)
#define MR 12
#else
#define MR 4
#endif
#define NR (NV * VL) /* columns of a tile */

/* X(1) X(2) ... X(MR) */
#if MR == 12
#define EACH_HEIGHT(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#elif MR == 6
#define EACH_HEIGHT(X) X(1) X(2) X(3) X(4) X(5) X(6)
#else
#define EACH_HEIGHT(X) X(1) X(2) X(3) X(4)
#endif

#endif
