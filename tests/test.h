/* What every test file includes: Criterion, or, where it is not installed and for ThreadSanitizer, under which it
 * cannot start, a plain runner with the same few macros. And comparisons of arrays. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#ifdef PLAIN_RUNNER
#include "tests/plain_runner.h"
#else
#include <criterion/criterion.h>
#endif

#include <math.h> /* FP_FAST_FMAF */
#include <stdbool.h>
#include <stdint.h>

#include "autograd/autograd.h"

/* Under a sanitizer everything takes ten times as long; tests of numbers, which find nothing new there, do less. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Threads race in the way that work is split among them, which every table of kernels shares. */
#ifdef __SANITIZE_THREAD__
#define ONE_TABLE 1
#else
#define ONE_TABLE 0
#endif

/* So does it where fma is a function of the C library. */
#if SANITIZED || !(defined __x86_64__ || defined FP_FAST_FMAF)
#define SLOW 1
#else
#define SLOW 0
#endif

/* |got - wanted| <= tolerance * max(1, |wanted|) for each element; fails the test with the first that is not. */
void check_close(const char *what, int64_t n, const ag_real *got, const double *wanted, double tolerance);

/* The tape has failed, with a message that contains `part`. */
void check_error(const ag_tape *tape, const char *part);

/* Evaluates an expression on the reset tape `tape` and looks for the message. */
#define REFUSED(message, expression)                                                                                   \
    do {                                                                                                               \
        ag_tape_reset(tape);                                                                                           \
        (void)(expression);                                                                                            \
        check_error(tape, message);                                                                                    \
    } while (0)

/* Random values in -2..2 that keep 0.02 away from multiples of 0.1, where the kinks are. */
void fill_random(ag_tensor *t, uint64_t seed);

/* A tensor on the tape with such values. */
ag_tensor *random_input(ag_tape *tape, ag_shape shape, uint64_t seed);

/* A folder for files of one test, made anew and empty. Static storage: one at a time. */
const char *scratch_folder(void);

/* Runs a shell command; returns its exit status and, in `output` if not NULL, what it printed to stdout and stderr. */
int run_command(const char *command, char *output, size_t size);

/* The folder of the real MNIST, or NULL when it is not at hand. */
const char *mnist_folder(void);

#endif
