/* Rows copied and added by several threads, tall and wide, against plain loops; and slices by an index. */
#include "autograd/kernels/copy.h"

#include <stdlib.h>

#include "autograd/runtime.h"
#include "tests/test.h"

static ag_real value(int64_t i)
{
    return (ag_real)(i * 37 % 1009);
}

static void check_copy(int64_t rows, int64_t n, bool add)
{
    const int64_t ldx = n + 3, ldy = n + 5;
    ag_real      *x = malloc((size_t)(rows * ldx) * sizeof *x), *y = malloc((size_t)(rows * ldy) * sizeof *y);
    cr_assert(x && y);
    for (int64_t i = 0; i < rows * ldx; i++)
        x[i] = value(i);
    for (int64_t i = 0; i < rows * ldy; i++)
        y[i] = value(5 * i);
    agk_copy_rows(rows, n, x, ldx, add, y, ldy);
    int64_t wrong = 0;
    for (int64_t i = 0; i < rows * ldy; i++) {
        const int64_t r = i / ldy, k = i % ldy;
        const ag_real before = value(5 * i), wanted = k >= n ? before : x[r * ldx + k] + (add ? before : 0);
        wrong += y[i] < wanted || y[i] > wanted;
    }
    cr_expect(wrong == 0, "%d x %d: %d are wrong", (int)rows, (int)n, (int)wrong);
    free(x);
    free(y);
}

Test(copy, equals_plain_loops)
{
    static const int64_t sizes[][2] = {{1, 1},    {1, 100003}, {3, 40001}, {15, 7000}, {16, 7000},
                                       {5003, 1}, {5003, 7},   {700, 93},  {40, 5000}};
    for (int threads = 1; threads < 6; threads += 2) {
        ag_set_threads(threads);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int add = 0; add < 2; add++)
                check_copy(sizes[i][0], sizes[i][1], add);
    }
    agk_copy_rows(0, 5, NULL, 5, false, NULL, 5);
    agk_copy_rows(5, 0, NULL, 5, false, NULL, 5);
    ag_set_threads(1);
}

/* Along the last axis and before it, with numbers that come twice; the gradient is how often each was taken. */
Test(copy, slices_by_an_index)
{
    enum { ROWS = 300, SIZE = 90, TAKEN = 120 };
    for (int axis = 0; axis < 2; axis++)
        for (int threads = 1; threads < 4; threads++) {
            ag_tape *tape = ag_tape_new(1);
            ag_set_threads(threads);
            const int64_t n = axis ? SIZE : ROWS;
            ag_tensor    *x = ag_requires_grad(random_input(tape, AG_SHAPE(ROWS, SIZE), 3)),
                      *index = ag_zeros(tape, AG_SHAPE(TAKEN));
            for (int i = 0; i < TAKEN; i++)
                index->data[i] = (ag_real)(i * 7 % n);
            ag_tensor *y = ag_index_select(x, axis, index);
            cr_assert(ag_backward(ag_sum(y, AG_ALL, false)), "%s", ag_error(tape));
            for (int64_t i = 0; i < ag_numel(&y->shape); i++) {
                const int64_t r = axis ? i / TAKEN : i / SIZE, k = axis ? i % TAKEN : i % SIZE;
                const ag_real wanted = axis ? x->data[r * SIZE + k * 7 % n] : x->data[r * 7 % n * SIZE + k];
                cr_assert(!(y->data[i] < wanted || y->data[i] > wanted), "axis %d, element %d", axis, (int)i);
            }
            for (int64_t i = 0; i < ROWS * SIZE; i++) {
                const int64_t at = axis ? i % SIZE : i / SIZE;
                int           times = 0;
                for (int k = 0; k < TAKEN; k++)
                    times += k * 7 % n == at;
                cr_assert((int)x->grad[i] == times, "axis %d, gradient %d: %g, expected %d", axis, (int)i,
                          (double)x->grad[i], times);
            }
            ag_tape_free(tape);
        }
    ag_set_threads(1);
}
