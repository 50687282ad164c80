/* The kernels alone, at the shapes that the workloads have. */
#ifndef BENCH_KERNELS_H
#define BENCH_KERNELS_H

typedef struct yardstick {
    int    threads;
    double peak;      /* GFLOP/s */
    double bandwidth; /* GB/s */
    double seconds;   /* per figure */
} yardstick;

/* Each prints a table of the lines whose name contains `filter`, and returns their number; -1 when memory runs out. */
int bench_products(const yardstick *y, const char *filter);
int bench_convolutions(const yardstick *y, const char *filter);
int bench_passes(const yardstick *y, const char *filter);

#endif
