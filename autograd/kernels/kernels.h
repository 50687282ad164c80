/* The table of kernels, and the choice of instruction set. Internal: ops and optimizers call kernels, users do not. */
#ifndef AG_KERNELS_H
#define AG_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "autograd/real.h"

/* Element (i, j) of a matrix is data[i * row + j * col]. */
typedef struct agk_matrix {
    const ag_real *data;
    int64_t        row, col;
} agk_matrix;

/* What the optimizer updates need, per step. */
typedef struct agk_sgd {
    ag_real lr, momentum, dampening, weight_decay;
    bool    nesterov, first; /* first: the velocity starts as the gradient */
} agk_sgd;

typedef struct agk_adam {
    ag_real step_size;       /* lr / (1 - beta1^t) */
    ag_real root_correction; /* 1 / sqrt(1 - beta2^t) */
    ag_real one_minus_beta1, beta2, one_minus_beta2, eps;
    ag_real weight_decay; /* L2: added to the gradient */
    ag_real keep;         /* AdamW: the parameters are multiplied by 1 - lr decay first; Adam: 1 */
} agk_adam;

typedef struct agk_adagrad {
    ag_real lr, eps, weight_decay;
} agk_adagrad;

typedef struct agk_rmsprop {
    ag_real lr, alpha, one_minus_alpha, eps, weight_decay, momentum;
} agk_rmsprop;

/* The gradient of a norm's input. */
typedef struct agk_norm {
    ag_real centre, mean, slope, scale;
} agk_norm;

/* Reals of workspace: a matrix product keeps a panel of B and a block of A there (simd/gemm.c), the gradient of a
 * convolution's weight sums and panels of a patch (conv_weight.c). */
#define AGK_WORKSPACE 106496

/* Images are interleaved by this many, or twice as many (see interleave.h). */
#define AGK_LANES 16

/* Convolutions work on this many channels of an output pixel. */
#define AGK_CONV_ROWS 12

/* Totals of lanes are made by so many at a time. */
#define AGK_TOTALS 8

/* An operand of an elementwise op: element i of row r is at data[r * row + i * step], `step` being 0 or 1. */
typedef struct agk_operand {
    const ag_real *data;
    int            step;
    int64_t        row;
} agk_operand;

/* The taps of a convolution that meet one pixel of the target: rows x columns of them. Tap (i, j) finds its weights at
 * weight + i * weight_row + j * weight_column, and its pixel of the source likewise. */
typedef struct agk_taps {
    int64_t rows, columns;
    int64_t weight, weight_row, weight_column;
    int64_t source, source_row, source_column;
} agk_taps;

/* The taps that meet neighbouring pixels of a target: where each finds its weights and its pixels of the source, whose
 * `depth` channels are `step` apart. */
typedef struct agk_line {
    int64_t        taps, depth, step;
    const int64_t *weight, *source;
} agk_line;

/* height x width pixels of `depth` images each, of a and of b: image k of pixel (i, j) of a lies at i * a_row + j *
 * a_column + k * a_step. Or, where a row's pixels lie as images would, width is 1 and depth counts pixels. */
typedef struct agk_window {
    int64_t height, width, depth;
    int64_t a_row, a_column, a_step;
    int64_t b_row, b_column, b_step;
} agk_window;

/* A pooling of planes, height before width. With a kernel of 0 windows share the input: uneven ones, which may overlap.
 */
typedef struct agk_pool {
    int64_t in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];
} agk_pool;

/* Random draws are made in groups of this many elements. */
#define AGK_RANDOM_GROUP 64

/* The lines of elementwise.def, counted by kind. */
enum {
#define UNARY(name, domain, y, dx) AGK_UNARY_##name,
#include "autograd/kernels/elementwise.def"
    AGK_UNARY_COUNT
};
enum {
#define BINARY(name, domain, y, da, db) AGK_BINARY_##name,
#include "autograd/kernels/elementwise.def"
    AGK_BINARY_COUNT
};
enum {
#define LOSS(name, domain, y, da, db) AGK_LOSS_##name,
#include "autograd/kernels/elementwise.def"
    AGK_LOSS_COUNT
};

typedef struct agk_table {
    const char *name; /* "avx512", "avx2", "neon", "portable" */
#define KERNEL(result, name, arguments) result(*name) arguments;
#include "autograd/kernels/kernels.def"
#undef KERNEL
} agk_table;

/* The table in use. The first call chooses: HOURGLASS_ISA if it names one that this CPU has, else the best. */
const agk_table *agk(void);

/* The table of an instruction set, or NULL when it is not in this build or this CPU does not support it. */
const agk_table *agk_find(const char *name);

/* The tables of this build, best first, whether or not the CPU has them; NULL past the end. */
const char *agk_name(int index);

/* Makes a table the one in use. */
void agk_use(const agk_table *table);

/* The matrix product of kernels.def, its output split among the threads. */
void agk_gemm(int64_t m, int64_t n, int64_t k, agk_matrix a, agk_matrix b, const ag_real *init, int64_t ldinit,
              ag_real *c, int64_t ldc);

/* The products of gemm_batch: small ones on the calling thread, large ones one after the other, each split. */
void agk_gemm_batch(int64_t count, int64_t m, int64_t n, int64_t k, agk_matrix a, int64_t a_step, agk_matrix b,
                    int64_t b_step, bool add, ag_real *c, int64_t c_step);

#endif
