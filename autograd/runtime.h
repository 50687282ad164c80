/* What the process computes with: threads and instruction set. Results do not depend on either, bit for bit.
 * Defaults: as many threads as the process has CPUs (its affinity), and the best instruction set that the CPU has.
 * The environment overrides them: HOURGLASS_THREADS=N, HOURGLASS_ISA=portable|avx2|avx512|neon.
 * A thread that makes passes needs 64 KiB of stack. */
#ifndef AG_RUNTIME_H
#define AG_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of the library; the Makefile reads it here. */
#define AG_VERSION "0.2.0"

#define AG_MAX_THREADS 64

/* The number of threads that work is split over, the caller among them. */
int ag_threads(void);

/* Sets it. False, and no change, when n is not 1 .. AG_MAX_THREADS. Not to be called while a pass is computing. */
bool ag_set_threads(int n);

/* The name of the instruction set in use. */
const char *ag_isa(void);

/* Chooses one by name. False, and no change, when this build or this CPU does not support it. */
bool ag_set_isa(const char *name);

/* Whether the two environment variables, where set, could be followed. If not, writes a message that says why. */
bool ag_environment_ok(char *message, size_t size);

#ifdef __cplusplus
}
#endif
#endif
