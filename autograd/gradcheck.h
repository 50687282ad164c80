/* Gradient check: the gradients of a function against central differences. Meant for the double build, where they
 * agree to 1e-8 and better; for ops and layers of one's own as well. */
#ifndef AG_GRADCHECK_H
#define AG_GRADCHECK_H

#include <stddef.h>

#include "autograd/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The function to check: builds its result, of any shape, on the tape from in[0 .. n-1]. */
typedef ag_tensor *ag_gradcheck_fn(void *context, ag_tape *tape, ag_tensor *const *in);

typedef struct ag_gradcheck_result {
    bool   ok;
    double worst;        /* the largest error of all, relative */
    char   message[256]; /* where it is, or what failed */
} ag_gradcheck_result;

/* Compares gradients for the inputs that want one: tensors made with ag_parameter_new. The result is weighted with
 * fixed random numbers and summed; each element of each such input is then moved by +-step times max(1, |x|). An error
 * is |analytic - numeric| / max(|analytic|, |numeric|, scale), where scale is a hundredth of the largest gradient of
 * all, or 1e-6 if that is larger. Random ops see the same random numbers every time. `ok` when no error is above
 * `tolerance`. */
ag_gradcheck_result ag_gradcheck(ag_gradcheck_fn *f, void *context, int n, ag_tensor *const *in, double step,
                                 double tolerance);

#ifdef __cplusplus
}
#endif
#endif
