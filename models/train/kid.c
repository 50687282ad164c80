#include "models/train/kid.h"

#include <math.h>
#include <stddef.h>

enum { BLOCK = 512 };

/* The sum of the kernel over a block of rows a (n, width) against b (m, width), without the pairs of the diagonal that
 * begins at column `skip` (-1: none). */
static double block_sum(ag_tape *tape, int64_t width, int64_t n, const ag_real *a, int64_t m, const ag_real *b,
                        int64_t skip)
{
    ag_tape_reset(tape);
    ag_tensor *rows = ag_input(tape, AG_SHAPE(n, width), a), *others = ag_input(tape, AG_SHAPE(m, width), b);
    ag_tensor *products = ag_linear(rows, others, NULL);
    double     sum = 0;
    if (ag_error(tape))
        return NAN;
    for (int64_t i = 0; i < n; i++) {
        double row = 0;
        for (int64_t k = 0; k < m; k++) {
            const double v = (double)products->data[i * m + k] / (double)width + 1;
            row += skip >= 0 && k == skip + i ? 0 : v * v * v;
        }
        sum += row;
    }
    return sum;
}

static double kernel_sum(ag_tape *tape, int64_t width, int64_t n, const ag_real *a, int64_t m, const ag_real *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i += BLOCK)
        for (int64_t k = 0; k < m; k += BLOCK) {
            const int64_t rows = n - i < BLOCK ? n - i : BLOCK, columns = m - k < BLOCK ? m - k : BLOCK;
            sum += block_sum(tape, width, rows, a + i * width, columns, b + k * width, a == b && i == k ? 0 : -1);
        }
    return sum;
}

double train_kid(int64_t width, int64_t n, const ag_real *x, int64_t m, const ag_real *y)
{
    ag_tape *tape = width > 0 && n > 1 && m > 1 && x && y ? ag_tape_new(0) : NULL;
    if (!tape)
        return NAN;
    ag_set_grad_enabled(tape, false);
    const double a = (double)n, b = (double)m;
    const double within = kernel_sum(tape, width, n, x, n, x) / (a * (a - 1)) +
                          kernel_sum(tape, width, m, y, m, y) / (b * (b - 1));
    const double between = kernel_sum(tape, width, n, x, m, y) / (a * b);
    ag_tape_free(tape);
    return within - 2 * between;
}
