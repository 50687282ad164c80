/* A progress bar on stderr, if that is a terminal; else nothing. */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool    shown;
    double  started, drawn; /* seconds */
    int64_t total, done;    /* units of work: steps */
} progress;

/* Seconds on a clock that only goes forward. */
double progress_now(void);

void progress_start(progress *p, int64_t total, bool quiet);

/* Counts `n` more units and redraws, at most some ten times a second: what is being done, a bar, a loss, images per
 * second, time left. */
void progress_add(progress *p, int64_t n, const char *label, double loss, double images_per_second);

/* Clears the line. */
void progress_end(progress *p);

#endif
