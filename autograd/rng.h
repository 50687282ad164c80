/* The state of a stream of random numbers.
 *
 * The generator is Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011):
 * element i of draw n of seed s is a function of (s, n, i) alone, so it does not matter which thread or instruction
 * set computes it. One tensor of random numbers is one draw. Copy the struct to save the state, copy it back to
 * repeat the draws. */
#ifndef AG_RNG_H
#define AG_RNG_H

#include <stdint.h>

#include "autograd/real.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ag_rng {
    uint64_t seed;
    uint64_t draw; /* number of the next draw */
} ag_rng;

/* Each fills y[0 .. n-1] with the next draw. */
void ag_rng_uniform(ag_rng *r, int64_t n, ag_real low, ag_real high, ag_real *y); /* low to high; [0, 1) for 0, 1 */
void ag_rng_normal(ag_rng *r, int64_t n, ag_real mean, ag_real deviation, ag_real *y);
void ag_rng_bernoulli(ag_rng *r, int64_t n, ag_real p, ag_real value,
                      ag_real *y); /* value with probability p, else 0 */

#ifdef __cplusplus
}
#endif
#endif
