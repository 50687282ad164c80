/* Timing: medians of many runs, for machines that others use too. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

typedef struct timing {
    double median, spread; /* microseconds; from the first to the third quartile */
    int    runs;
} timing;

/* Runs `work` for about `seconds`, at least five times after one that does not count. */
timing measure(void (*work)(void *context), void *context, double seconds);

#endif
