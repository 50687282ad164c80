#include "tools/bench/measure.h"

#include <stdlib.h>

#include "tools/progress.h"

enum { MOST_RUNS = 20000, LEAST_RUNS = 5 };

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

timing measure(void (*work)(void *context), void *context, double seconds)
{
    static double run[MOST_RUNS];
    work(context);
    int    n = 0;
    double begin = tl_progress_now(), end = begin + seconds;
    while (n < MOST_RUNS && (n < LEAST_RUNS || begin < end)) {
        work(context);
        double now = tl_progress_now();
        run[n++] = (now - begin) * 1e6;
        begin = now;
    }
    qsort(run, (size_t)n, sizeof *run, ascending);
    return (timing){run[n / 2], run[3 * n / 4] - run[n / 4], n};
}
