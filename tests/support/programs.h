/* Runs of the demo programs, as a user makes them. */
#ifndef TESTS_PROGRAMS_H
#define TESTS_PROGRAMS_H

#include <stdbool.h>

extern char folder[128];   /* where make_data put things: data/ and what the test adds */
extern char output[16384]; /* of the last run: stdout and stderr */

/* A program as built with what the tests are built with: HOURGLASS_PROGRAMS names its folder. Static storage. */
const char *program(const char *name);

/* A data set in MNIST's format, small enough for many runs: 320 training and 100 test images. */
void make_data(void);

/* Runs a program on that data; returns its exit status. */
int run_program(const char *name, const char *environment, const char *options);

/* An `environment` in which no file grows beyond so many blocks of 512 bytes, as on a full disk; what a coverage build
 * counts goes nowhere, as it would be cut off. */
#define FILES_OF(blocks) "export GCOV_PREFIX=/dev/null; ulimit -f " #blocks "; trap '' XFSZ;"

/* The same with options in which @ stands for the folder. */
int run_there(const char *name, const char *options);

/* The last line of the output, which is cut to end with it. */
const char *last_line(void);

/* Whether a file of the folder can be read. */
bool file_is_there(const char *name);

#endif
