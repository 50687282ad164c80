/* What this machine can do at most: the yardstick of the benchmark. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

/* Fused multiply-adds in float of the instruction set in use, two operations each, on `threads` threads: GFLOP/s. */
double machine_peak(int threads, double seconds);

/* Bytes read and written by y += x over arrays far larger than the caches: GB/s. 0 when memory runs out. */
double machine_bandwidth(int threads, double seconds);

/* Microseconds that a job of nothing takes on `threads` threads, `rest` microseconds after the last. */
double machine_wake(int threads, int rest, double seconds);

/* The most memory that the process has held since the last machine_forget_memory, in MB; 0 where the system does not
 * say. */
void   machine_forget_memory(void);
double machine_peak_memory(void);

#endif
