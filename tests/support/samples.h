/* A sample of every op: how to call it, and on what. The gradient check, the comparison with PyTorch and the tests
 * of bad input go through this table; a test fails if an op of ops.h is not in it. */
#ifndef TESTS_SAMPLES_H
#define TESTS_SAMPLES_H

#include "autograd/autograd.h"

enum { SAMPLE_INPUTS = 3 };

/* Where the values of an input lie. INDEX: whole numbers 0..3, without a gradient. */
typedef enum sample_domain { SAMPLE_REAL, SAMPLE_POSITIVE, SAMPLE_UNIT, SAMPLE_INDEX } sample_domain;

typedef struct sample_shapes {
    int      n;
    ag_shape shape[SAMPLE_INPUTS];
} sample_shapes;

typedef struct op_sample {
    const char          *name;    /* of the op: "linear" for ag_linear */
    const char          *variant; /* "" or what sets it apart */
    ag_gradcheck_fn     *f;
    sample_domain        domain[SAMPLE_INPUTS];
    const sample_shapes *sets;   /* ends with n 0 */
    bool                 random; /* the result is random: PyTorch's differs */
} op_sample;

extern const op_sample op_samples[];
extern const int       op_sample_count;

/* Parameters for set `k` of a sample, filled; freed by sample_free. */
void sample_inputs(const op_sample *s, int k, ag_tensor **in);
void sample_free(const op_sample *s, int k, ag_tensor **in);

/* The next name that `prefix` begins in a header, such as "ag_tensor *ag_" in autograd/ops.h: for checks that a list
 * is complete. `at` is the text to read on from, NULL when there is no more. */
const char *next_name(const char *at, const char *prefix, char *name, int size);

/* A whole text file, to be freed; NULL when it cannot be read. */
char *read_text(const char *path);

#endif
