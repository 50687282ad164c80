/* The kernel inception distance: how far the features of some images are from those of others. */
#ifndef TRAIN_KID_H
#define TRAIN_KID_H

#include "autograd/autograd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The unbiased estimate of the squared maximum mean discrepancy between x (n, width) and y (m, width) with the kernel
 * k(a, b) = (a.b / width + 1)^3: the mean of k over pairs of different rows of x, plus the same of y, less twice the
 * mean of k over pairs of a row of x and one of y. About 0, on either side, for two draws from one distribution. NaN
 * for fewer than two rows, and when memory runs out. Binkowski, Sutherland, Arbel, Gretton: "Demystifying MMD GANs",
 * 2018, section 4; the estimate is Gretton et al.'s: "A kernel two-sample test", 2012, equation 3. */
double train_kid(int64_t width, int64_t n, const ag_real *x, int64_t m, const ag_real *y);

#ifdef __cplusplus
}
#endif
#endif
